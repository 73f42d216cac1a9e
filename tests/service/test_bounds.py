"""What requests may cost, against a real server where sockets matter, and against plain ASGI where they do not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, File, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.core.errors import InputError
from lookalike.service import errors
from lookalike.service.bounds import ALWAYS, SECURE_HEADERS, Bounds, RequestLimit, UploadLimit, around
from lookalike.service.observe import Metrics, Observed
from strategies import examples
from waiting import serving

PATIENCE_S = 60.0


class Refusing:
    """Stands where access does: refuses /v1/shut."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shut = scope["type"] == "http" and scope["path"] == "/v1/shut"
        await (Response("no", 401) if shut else self.app)(scope, receive, send)


routes = APIRouter()


@routes.post("/v1/read")
@routes.put("/v1/products")
async def read(request: Request) -> int:
    return len(await request.body())


@routes.post("/v1/form")
def form(image: Annotated[list[bytes], File()]) -> list[int]:
    return [len(each) for each in image]


@routes.post("/v1/deaf")
def deaf() -> str:
    return "did not look at the body"


@routes.get("/v1/stream")
def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0.1)
            yield b"part "

    return StreamingResponse(parts())


@routes.get("/own")
def own() -> Response:
    return Response("x", headers={"Content-Security-Policy": "default-src *"})


@routes.get("/v1/fails")
def fails() -> None:
    raise RuntimeError


def app_with(bounds: Bounds) -> FastAPI:
    outside = [Middleware(Observed, metrics=Metrics()), *around(bounds, [Middleware(Refusing)])]
    app = FastAPI(middleware=[*outside, Middleware(errors.LastResort)])
    errors.install(app)
    app.include_router(routes)
    return app


def served(bounds: Bounds) -> AbstractContextManager[int]:
    return serving(app_with(bounds), ws="none", lifespan="off")


@contextmanager
def connected(port: int, head: str) -> Iterator[socket.socket]:
    """Open a connection and send the head of a POST to /v1/read."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        wire.sendall(f"POST /v1/read HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        yield wire


def answer_and_end(wire: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read until the server closes the connection."""
    got = b""
    try:
        while more := wire.recv(65536):
            got += more
    except ConnectionResetError:  # it closed while we were still sending
        pass
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


# --- bodies too large -------------------------------------------------------------------------------------------------


def test_a_body_announced_as_far_too_large_is_refused_unread() -> None:
    with served(Bounds(max_body_bytes=1000)) as port, connected(port, "Content-Length: 2001") as wire:
        status, error = answer_and_end(wire)
    assert (status, error["code"]) == (413, "limit")
    assert error["message"] == "the body is larger than 1000 bytes" and error["remedy"]


def test_who_asks_whether_to_send_too_much_is_told_not_to() -> None:
    head = "Expect: 100-continue\r\nContent-Length: 1001"
    with served(Bounds(max_body_bytes=1000)) as port, connected(port, head) as wire:
        assert answer_and_end(wire)[0] == 413


def test_an_endless_body_is_cut_off() -> None:
    with (
        served(Bounds(max_body_bytes=100_000)) as port,
        connected(port, "Transfer-Encoding: chunked") as wire,
    ):
        sent = 0
        try:
            while sent < 100_000_000:
                wire.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
                sent += 10_000
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 50_000_000  # buffers of the kernel take some


@pytest.mark.parametrize("encode_chunked", [False, True])
def test_a_client_that_sends_everything_before_it_reads_still_gets_its_answer(encode_chunked: bool) -> None:
    with served(Bounds(max_body_bytes=3_000_000)) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        body = iter([b"x" * 100_000] * 55) if encode_chunked else b"x" * 5_500_000
        connection.request("POST", "/v1/read", body, encode_chunked=encode_chunked)
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read())["error"]["code"] == "limit"
        connection.close()


def test_a_form_that_is_too_large_is_413_and_not_malformed() -> None:
    client = TestClient(app_with(Bounds(max_body_bytes=10_000)))
    assert client.post("/v1/form", files=[("image", b"x" * 3000)] * 3).json() == [3000] * 3

    def parts() -> Iterator[bytes]:  # no Content-Length
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="i"\r\n\r\n'
        yield from [b"x" * 1000] * 11

    response = client.post(
        "/v1/form", content=parts(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert response.status_code == 413
    assert response.json()["error"] == {
        "code": "limit",
        "message": "the body is larger than 10000 bytes",
        "remedy": "Send smaller pictures, or fewer products at a time; or let the service take larger bodies.",
        "request_id": response.headers["x-request-id"],
    }


def test_products_by_the_file_have_a_bound_of_their_own() -> None:
    client = TestClient(app_with(Bounds(max_body_bytes=10, max_bulk_bytes=20)))
    assert client.put("/v1/products", content=b"x" * 20).json() == 20
    assert client.put("/v1/products", content=b"x" * 21).status_code == 413
    assert client.post("/v1/read", content=b"x" * 11).status_code == 413
    assert client.post("/v1/deaf", content=b"x" * 10).status_code == 200


def through(
    bounds: Bounds, headers: Any, chunks: Sequence[bytes], pause_s: float = 0.0
) -> tuple[list[Message], list[bytes]]:
    """Send a body in these chunks through UploadLimit to an app that reads it all: what was sent, what the app saw."""
    seen: list[bytes] = []
    sent: list[Message] = []
    left = list(chunks)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request":
            seen.append(message["body"])
            await asyncio.sleep(pause_s)
            if not message["more_body"]:
                break
        await Response(b"read")(scope, receive, send)

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
    asyncio.run(UploadLimit(app, bounds)(scope, receive, send))
    return sent, seen


@examples(100)
@given(st.lists(st.binary(max_size=6), min_size=1, max_size=12), st.integers(1, 30), st.booleans())
def test_what_is_within_the_bound_passes_untouched_and_nothing_else(
    chunks: list[bytes], most: int, announced: bool
) -> None:
    body = b"".join(chunks)
    headers = [(b"content-length", str(len(body)).encode())] if announced else []
    sent, seen = through(Bounds(max_body_bytes=most), headers, chunks)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    if len(body) <= most:
        assert sent[0]["status"] == 200 and seen == chunks
    else:
        assert sent[0]["status"] == 413 and len(b"".join(seen)) <= most


# --- bodies too slow --------------------------------------------------------------------------------------------------


def test_a_body_that_drips_is_ended() -> None:
    bounds = Bounds(upload_grace_s=0.3, min_upload_bytes_per_s=10_000)
    with served(bounds) as port, connected(port, "Content-Length: 1000") as wire:
        began = time.monotonic()
        try:
            for _ in range(200):
                wire.sendall(b"x")
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - began < 3
    with served(bounds) as port, connected(port, "Content-Length: 1000") as wire:
        wire.sendall(b"x")
        status, error = answer_and_end(wire)
    assert (status, error["code"]) == (408, "slow_upload")


def test_a_long_upload_at_a_fair_pace_is_let_through() -> None:
    bounds = Bounds(upload_grace_s=2.0, min_upload_bytes_per_s=1000)
    with served(bounds) as port, connected(port, "Content-Length: 100000\r\nConnection: close") as wire:
        for _ in range(25):  # longer than the grace
            wire.sendall(b"x" * 4000)
            time.sleep(0.1)
        assert b" 200 " in wire.recv(65536)


def test_our_own_slowness_is_not_held_against_the_client() -> None:
    bounds = Bounds(upload_grace_s=0.2, min_upload_bytes_per_s=10_000_000)
    sent, seen = through(bounds, [], [b"x"] * 5, pause_s=0.1)
    assert sent[0]["status"] == 200 and seen == [b"x"] * 5


def test_a_long_answer_is_no_slow_upload() -> None:
    with served(Bounds(upload_grace_s=0.1)) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", "/v1/stream")
        assert connection.getresponse().read() == b"part " * 5
        connection.close()


def test_errors_of_the_routes_are_not_swallowed() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(ZeroDivisionError):
        asyncio.run(UploadLimit(broken, Bounds())(scope, None, None))  # type: ignore[arg-type]


# --- requests at a time -----------------------------------------------------------------------------------------------


async def status_of(app: ASGIApp, path: str) -> tuple[int, Headers]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, None, send)  # type: ignore[arg-type]
    return sent[0]["status"], Headers(raw=sent[0]["headers"])


def test_more_than_may_run_are_told_to_come_again() -> None:
    async def story() -> None:
        release = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/fail":
                raise ZeroDivisionError
            await (release.wait() if scope["path"] == "/wait" else asyncio.sleep(0))
            await Response(b"done")(scope, receive, send)

        limited = RequestLimit(app, Bounds(max_requests=2))
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await status_of(limited, "/fail")
        waiting = [asyncio.create_task(status_of(limited, "/wait")) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers = await status_of(limited, "/v1/x")
        assert (status, headers["retry-after"]) == (429, "1")
        for path in ALWAYS:
            assert (await status_of(limited, path))[0] == 200
        release.set()
        assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200]
        assert (await status_of(limited, "/v1/x"))[0] == 200

    asyncio.run(story())


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/stream", 200), ("/nowhere", 404), ("/v1/fails", 500), ("/v1/shut", 401)]
)
def test_every_answer_carries_the_headers(path: str, status: int) -> None:
    response = TestClient(app_with(Bounds())).get(path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in SECURE_HEADERS} == SECURE_HEADERS


def test_a_route_may_have_a_policy_of_its_own() -> None:
    response = TestClient(app_with(Bounds())).get("/own")
    assert response.headers.get_list("content-security-policy") == ["default-src *"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_policy_lets_no_script_in_but_our_files() -> None:
    rules = dict(rule.split(" ", 1) for rule in SECURE_HEADERS["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"


SHOP = "https://shop.example"


def test_only_configured_sites_may_call_and_can_read_refusals() -> None:
    client = TestClient(app_with(Bounds(origins=(SHOP,), max_body_bytes=10)))
    for path, body in (("/v1/read", b"x"), ("/v1/read", b"x" * 11), ("/v1/shut", b"")):
        assert (
            client.post(path, content=body, headers={"Origin": SHOP}).headers["access-control-allow-origin"]
            == SHOP
        )
        other = client.post(path, content=body, headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    assert client.options("/v1/shut", headers=asked).status_code == 200  # a browser asks without the key
    assert client.options("/v1/shut", headers={**asked, "Origin": "https://other.example"}).status_code == 400


def test_without_configured_sites_no_browser_is_invited() -> None:
    response = TestClient(app_with(Bounds())).post("/v1/read", content=b"x", headers={"Origin": SHOP})
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_body_bytes": 0},
        {"max_bulk_bytes": 0},
        {"max_requests": 0},
        {"min_upload_bytes_per_s": 0},
        {"upload_grace_s": 0.0},
        {"origins": ("shop.example",)},
        {"origins": (f"{SHOP}/",)},
        {"origins": ("https://Shop.example",)},
    ],
)
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Bounds(**wrong)


def test_any_site_and_ports_may_be_configured() -> None:
    Bounds(origins=("*", "http://localhost:5173", SHOP))
