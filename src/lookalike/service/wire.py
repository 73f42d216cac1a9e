"""One connection, below requests: uvicorn's protocol with three deadlines, and our one shape of errors.

uvicorn itself waits without end for the head of a request, and for a client to take its answer. So one that sends a letter
a minute, or reads nothing, would keep its connection, and with the latter one of `max_requests`, for good. Nor does it ever
stop receiving the body of a request it has refused. And what is no HTTP at all never reaches the middlewares that put errors
into shape.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import uuid4

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lookalike.service.errors import error_response

HEAD_S: Final = 10.0
"""How long the head of a request may take, from the connection or from its first byte."""
LOOK_S: Final = 10.0
TAKEN_BYTES: Final = 50_000
"""A client must take so much of an answer that waits for it every `LOOK_S`, or all of it."""
REST_S: Final = 10.0
"""How long a body may go on to come, unread, once its request is answered. Most clients send all of it before they read."""


class Wire(H11Protocol):
    """A connection that ends when a head does not come, or an answer is not taken."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Read on; while a head is on its way, its time runs."""
        super().data_received(data)
        self._expect_head()
        if self._rest is not None and self.conn.their_state is not h11.SEND_BODY:
            self._rest.cancel()
            self._rest = None

    def on_response_complete(self) -> None:
        """Go on to the next request; what is left of this one's body has its time."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._rest = self.loop.call_later(REST_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        for timer in (self._head, self._look, self._rest):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            if self._head is not None:
                self._head.cancel()
                self._head = None
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_S, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0] and not self.transport.is_closing():
            self._refuse(
                408, "slow_upload", "the request came too slowly", "Send it over a faster connection."
            )
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes its answer."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Stop watching: most of it was taken."""
        super().resume_writing()
        if self._look is not None:
            self._look.cancel()

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._look = self.loop.call_later(LOOK_S, self._is_it_taken, left)

    def _is_it_taken(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < TAKEN_BYTES:
            self.transport.abort()
        else:
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, if no answer has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(
                400, "malformed", "this is no HTTP request", "Check its first line, headers and length."
            )
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str, remedy: str) -> None:
        request_id = uuid4().hex
        told = {"code": code, "message": message, "remedy": remedy}
        scope = {"state": {"request_id": request_id}}
        answer = error_response(scope, status, told, {"Connection": "close", "X-Request-ID": request_id})
        events = (
            h11.Response(status_code=status, headers=answer.raw_headers),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        # Written at once: to close while more is on its way in makes the system drop what it has not sent, and a client
        # would get a head without its body.
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()
