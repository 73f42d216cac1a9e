"""HTTP connections that keep a deadline whatever the server does, and that are opened where the caller says.

A socket's own timeout starts anew with every byte. Here it is set before each `recv` to what is left until the deadline
of the picture, for the status line and the headers as for the body, with and without TLS.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Clock(threading.local):
    """When the picture this thread is getting must be here, and how long one read may wait meanwhile."""

    due = 0.0
    read_timeout_s = 1.0

    def left_s(self, at_most_s: float) -> float:
        """Return how long the next wait may be; raises TimeoutError when the time is up."""
        left_s = self.due - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("deadline")
        return min(left_s, at_most_s)


clock = Clock()


class _TimedFile(io.RawIOBase):
    """What a server sends, with the waiting time set anew before each `recv`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Receive at least one byte, or none at the end."""
        self._sock.settimeout(clock.left_s(clock.read_timeout_s))
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._file.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """An HTTP response read through a `_TimedFile`, status line and headers too."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(cast(socket.socket, _Opener(sock)), *args, **options)


class _Opener:
    """The only thing `http.client` asks of a socket it reads an answer from."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Open what the server sends."""
        return io.BufferedReader(_TimedFile(self._sock), 1 << 16)


def pool_classes(dial: Callable[[HTTPConnection], socket.socket]) -> dict[str, Any]:
    """Make urllib3 pool classes whose connections are opened by `dial`; host name, and so TLS and Host header, stay."""

    class Plain(HTTPConnection):
        response_class = _TimedResponse

        def _new_conn(self) -> socket.socket:
            return dial(self)

    class Secure(HTTPSConnection):
        response_class = _TimedResponse

        def _new_conn(self) -> socket.socket:
            return dial(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
