"""What comes of a body once its request is answered, on real connections."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
from starlette.responses import PlainTextResponse

from lookalike.service import wire
from waiting import serving

PATIENCE_S = 60.0


def refusing() -> AbstractContextManager[int]:
    """Serve, at a free port, what answers each request unread."""
    return serving(PlainTextResponse("no", 401), http=wire.Wire, lifespan="off", timeout_keep_alive=60)


@contextmanager
def refused(port: int, head: str) -> Iterator[socket.socket]:
    """Send the head of a request with a body, and read that it is refused."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(f"PUT /v1/products HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        assert answer(client) == b"HTTP/1.1 401"
        yield client


def answer(client: socket.socket) -> bytes:
    """Read one whole answer; return how it begins."""
    got = b""
    while not got.endswith(b"\r\n\r\nno"):
        more = client.recv(65536)
        assert more, got
        got += more
    return got[:12]


def test_a_refused_body_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REST_S", 0.5)
    with refusing() as port, refused(port, "Transfer-Encoding: chunked") as client:
        until = time.monotonic() + PATIENCE_S
        with pytest.raises(ConnectionError):
            while time.monotonic() < until:
                client.sendall(b"8\r\nxxxxxxxx\r\n")
                time.sleep(0.01)


def test_a_refused_body_that_ends_in_time_leaves_the_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REST_S", 0.5)
    with refusing() as port, refused(port, "Content-Length: 100000") as client:
        client.sendall(b"x" * 100_000)
        time.sleep(1.0)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(client) == b"HTTP/1.1 401"


def test_a_refusal_is_written_at_once() -> None:
    """Otherwise, where more is on its way in, the system may send the head of the answer and drop its body."""
    head = "".join(f"X-{number}: {number}\r\n" for number in range(100_000))
    asked = f"GET / HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()
    answers = 0
    with refusing() as port:
        for _ in range(30):
            got = b""
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
                with suppress(ConnectionError):
                    client.sendall(asked)
                with suppress(ConnectionError):
                    while more := client.recv(65536):
                        got += more
            if got:  # a client that was still sending may get none at all
                assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"] == "malformed"
                answers += 1
    assert answers
