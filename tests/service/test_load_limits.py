"""What strangers may make the service do before anything of theirs is of use: parse, complain, hold, wait, fetch."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from anyio.to_thread import current_default_thread_limiter
from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import lookalike
from lookalike.core.errors import LimitError, Overloaded, QueryError
from lookalike.core.query import SearchResult
from lookalike.service import bounds, products
from lookalike.service.access import Access, RateLimits, Rates
from lookalike.service.app import SPARE_THREADS, create_app
from lookalike.service.bounds import ALWAYS, Bounds, RequestLimit, UploadLimit
from lookalike.service.errors import MAX_TOLD, Refused, invalid
from lookalike.service.json_in import check_values
from lookalike.service.keys import KeyRing, add_key, new_key
from lookalike.service.schemas import BatchRequest, Changes, Ids, ProductRow, SearchRequest
from lookalike.service.settings import ServiceSettings
from lookalike.service.state import State
from lookalike.service.writing import Line, RowBounds, lines
from waiting import serving

PATIENCE_S = 300.0
MOST = ServiceSettings().max_json_values


def told(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    return error


# --- JSON -------------------------------------------------------------------------------------------------------------

ZEROS = b"[" + b"0," * MOST + b"0]"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/search", b'{"parts":%b}' % ZEROS),
        ("POST", "/v1/search", b"[" * (MOST + 1)),
        ("POST", "/v1/search/batch", b'{"queries":%b}' % ZEROS),
        ("POST", "/v1/products/delete", b'{"ids":%b}' % ZEROS),
        ("PUT", "/v1/products/N1", b'{"images":%b}' % ZEROS),
        ("PATCH", "/v1/products/D00001", b'{"attributes":%b}' % ZEROS),
        ("PUT", "/v1/products", b"[" * (MOST + 1)),
        ("POST", "/v1/events", b'{"events":%b}' % ZEROS),
    ],
)
def test_json_of_too_many_values_is_never_parsed(
    own: TestClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: bytes
) -> None:
    read = orjson.loads
    monkeypatch.setattr(
        orjson, "loads", lambda text: pytest.fail("parsed") if len(text) > MOST else read(text)
    )
    answer = own.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, told(answer)["code"]) == (413, "limit")
    assert told(answer)["field"] == "service.max_json_values"
    assert "service.max_json_values" in told(answer)["remedy"]


def test_photos_and_the_largest_deletion_are_not_too_many_values() -> None:
    check_values(b'{"image":"data:image/png;base64,%b"}' % base64.b64encode(bytes(3_000_000)), 1000)
    ids = [f"P{number}" for number in range(ServiceSettings().max_rows)]
    check_values(orjson.dumps({"ids": ids}), MOST)
    check_values(b"[" * MOST, MOST)
    with pytest.raises(Refused, match=f"more than {MOST:,} values"):
        check_values(b"[" * (MOST + 1), MOST)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (SearchRequest, {"parts": [0] * 500}),
        (SearchRequest, {"parts": [{f"x{n}": 0 for n in range(500)}]}),
        (SearchRequest, {f"x{n}": 0 for n in range(500)}),
        (SearchRequest, {"brand": [0] * 90, "category": [0] * 90, "facets": [0] * 90}),
        (SearchRequest, {"weights": {f"x{n}": "" for n in range(500)}}),
        (SearchRequest, {"rerank": {f"x{n}": "" for n in range(500)}}),
        (SearchRequest, {"parts": [{"space": "image", "vector": [""] * 500}]}),
        (BatchRequest, {f"x{n}": 0 for n in range(500)}),
        (Changes, {f"x{n}": 0 for n in range(500)}),
        (ProductRow, {"images": [0] * 500, "categories": [0] * 500}),
        (Ids, {"ids": [0] * 500}),
        (Ids, {"ids": [], "x": 0, "y": 0}),
    ],
)
def test_what_is_wrong_is_told_in_few_words(model: type[BaseModel], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert caught.value.error_count() <= MAX_TOLD + 1  # and what is missing
    assert invalid(caught.value.errors()).field != "body"


def test_the_first_of_many_unknown_fields_are_named() -> None:
    with pytest.raises(ValidationError) as caught:
        SearchRequest.model_validate({"parts": [{"text": "a", **{f"x{n}": 0 for n in range(50)}}]})
    error = invalid(caught.value.errors())
    assert str(error) == "; ".join(f"parts[0].x{n} is not known here" for n in range(MAX_TOLD))
    assert error.field == "parts[0].x0"


# --- products by the file ---------------------------------------------------------------------------------------------


async def cut(body: bytes, limits: RowBounds) -> list[Line]:
    async def arriving() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    return [line async for line in lines(arriving(), limits)]


def test_a_row_of_too_many_values_fails_alone() -> None:
    limits = RowBounds(max_row_bytes=10_000, max_array_bytes=10_000, max_json_values=100)
    found = asyncio.run(cut(b'{"id":"A"}\n{"images":[' + b"0," * 200 + b'0]}\n{"id":"B"}', limits))
    assert [line for line in found if isinstance(line, bytes)] == [b'{"id":"A"}', b'{"id":"B"}']
    assert isinstance(found[1], Refused) and found[1].field == "service.max_json_values"


@pytest.mark.parametrize("length", [2000, 20_000])
def test_an_array_may_be_less_long_than_a_row(length: int) -> None:
    limits = RowBounds(max_row_bytes=100_000, max_array_bytes=1500, max_json_values=100)
    row = b'{"id":"%b"}' % (b"x" * length)
    assert asyncio.run(cut(row, limits)) == [row]
    with pytest.raises(LimitError, match="1,500 bytes") as caught:
        asyncio.run(cut(b"[%b]" % row, limits))
    assert caught.value.limit == "service.max_array_bytes"


def test_rows_wait_for_each_other_by_bytes_as_well_as_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "BYTES_AT_ONCE", 1000)
    monkeypatch.setattr(products, "ROWS_AT_ONCE", 5)
    sizes = [400, 400, 400, 2000, 1, 1, 1, 1, 1, 1]

    async def gathered() -> list[list[int]]:
        async def found() -> AsyncIterator[Line]:
            for size in sizes:
                yield b"x" * size

        groups = products._together(found(), 100)
        return [[len(line) for line in group if isinstance(line, bytes)] async for group in groups]

    assert asyncio.run(gathered()) == [[400, 400, 400], [2000], [1, 1, 1, 1, 1], [1]]


@pytest.mark.parametrize("as_array", [False, True])
def test_behind_the_last_row_allowed_nothing_is_looked_at(own: TestClient, as_array: bool) -> None:
    state: State = own.app.state.service  # type: ignore[attr-defined]
    most = state.settings.max_rows
    body = b"\n".join([b'{"id":0}'] * most + [b"0"] * 5000)
    if as_array:
        body = b"[%b]" % body.replace(b"\n", b",")
    rows = own.put("/v1/products", content=body).text.splitlines()
    assert len(rows) == most + 1
    error = json.loads(rows[-1])["error"]
    assert error["field"] == "service.max_rows"
    assert error["message"] == f"row {most + 1} and those after it were not looked at"


# --- requests at a time -----------------------------------------------------------------------------------------------


def asked(caller: str | None, path: str = "/v1/x") -> Scope:
    state = {"request_id": "r"} | ({} if caller is None else {"caller": caller})
    return {"type": "http", "method": "GET", "path": path, "headers": [], "state": state}


async def answer_of(app: ASGIApp, scope: Scope) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async with asyncio.timeout(PATIENCE_S / 10):  # a request that should have been refused waits for ever
        await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@contextmanager
def never_ending() -> Iterator[tuple[Callable[[Bounds], ASGIApp], asyncio.Event]]:
    end = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v1/x":
            await end.wait()
        await Response(b"done")(scope, receive, send)

    yield lambda limits: RequestLimit(app, limits), end


def test_one_caller_cannot_keep_all_places() -> None:
    async def story() -> None:
        with never_ending() as (limited, end):
            app = limited(Bounds(max_requests=6, max_requests_each=3))
            waiting = [asyncio.create_task(answer_of(app, asked("key a"))) for _ in range(3)]
            await asyncio.sleep(0)
            status, body = await answer_of(app, asked("key a"))
            assert status == 429 and b"service.bounds.max_requests_each" in body and b"key a" in body
            for path in ALWAYS:
                assert (await answer_of(app, asked("key a", path)))[0] == 200
            assert (await answer_of(app, asked("key b", "/v1/y")))[0] == 200
            waiting += [asyncio.create_task(answer_of(app, asked("key b"))) for _ in range(3)]
            await asyncio.sleep(0)
            status, body = await answer_of(app, asked("key c"))
            assert status == 429 and b"service.bounds.max_requests " in body
            end.set()
            assert [status for status, _ in await asyncio.gather(*waiting)] == [200] * 6
            assert (await answer_of(app, asked("key a")))[0] == 200

    asyncio.run(story())


def test_callers_who_are_not_told_apart_share_all_places() -> None:
    async def story() -> None:
        with never_ending() as (limited, end):
            app = limited(Bounds(max_requests=4, max_requests_each=1))
            waiting = [asyncio.create_task(answer_of(app, asked(None))) for _ in range(4)]
            await asyncio.sleep(0)
            assert (await answer_of(app, asked(None)))[0] == 429
            end.set()
            assert [status for status, _ in await asyncio.gather(*waiting)] == [200] * 4

    asyncio.run(story())


def test_access_says_who_calls(tmp_path: Path) -> None:
    text, key = new_key("a", ["search"])
    add_key(tmp_path / "keys.json", key)
    ring, rates = KeyRing(tmp_path / "keys.json"), Rates(RateLimits())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(str(scope.get("state", {}).get("caller")))(scope, receive, send)

    def caller(access: Access, path: str, *headers: tuple[bytes, bytes]) -> bytes:
        scope = asked(None, path) | {"client": ("198.51.100.7", 1), "headers": headers}
        return asyncio.run(answer_of(access, scope))[1]

    presented = (b"x-api-key", text.encode())
    assert caller(Access(app, ring), "/v1/columns", presented) == f"key {key.id}".encode()
    assert caller(Access(app, ring), "/") == b"198.51.100.7"
    assert caller(Access(app, None, rates), "/v1/columns") == b"198.51.100.7"
    assert caller(Access(app), "/v1/columns") == b"None"


def test_beyond_the_first_megabyte_a_body_must_come_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed_s: list[float] = []

    def fail_after(delay_s: float) -> nullcontext[None]:
        allowed_s.append(delay_s)
        return nullcontext()

    monkeypatch.setattr(bounds, "anyio", SimpleNamespace(fail_after=fail_after))
    monkeypatch.setattr(bounds, "time", SimpleNamespace(monotonic=lambda: 0.0))
    chunks = [b"x" * 500_000] * 4

    async def receive() -> Message:
        return {"type": "http.request", "body": chunks.pop(), "more_body": bool(chunks)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def send(message: Message) -> None:
        raise AssertionError(message)

    limits = Bounds(upload_grace_s=10, min_upload_bytes_per_s=10_000, min_large_bytes_per_s=100_000)
    scope = asked(None) | {"method": "POST"}
    asyncio.run(UploadLimit(app, limits)(scope, receive, send))
    assert allowed_s == [10, 60, 110, 115]


# --- threads, and changes at a time -----------------------------------------------------------------------------------


def test_there_is_a_thread_for_every_request_that_may_run() -> None:
    async def threads() -> float:
        app = create_app(None, ServiceSettings(bounds=Bounds(max_requests=100)))
        async with app.router.lifespan_context(app):
            return current_default_thread_limiter().total_tokens

    assert asyncio.run(threads()) == 100 + SPARE_THREADS


def test_changes_give_up_when_too_many_are_worked_on() -> None:
    state = State(ServiceSettings(max_writing=2))
    with ExitStack() as held:
        held.enter_context(state.writing())
        with pytest.raises(ZeroDivisionError), state.writing():
            raise ZeroDivisionError
        held.enter_context(state.writing())
        with pytest.raises(Overloaded, match=re.escape("service.max_writing")), state.writing(wait_s=0.01):
            pass
    with state.writing(wait_s=0.01):
        pass


def status_at(port: int, method: str, path: str, body: bytes | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_changes_that_wait_for_a_product_hold_nobody_else_up(own: TestClient) -> None:
    shop: lookalike.Shop = own.app.state.service.shop  # type: ignore[attr-defined]
    with serving(create_app(shop, ServiceSettings()), ws="none") as port, ThreadPoolExecutor(60) as callers:
        with shop._turns.of(["D00001"]):  # as does a change that waits for a slow picture
            change = ("PATCH", "/v1/products/D00001", b'{"price":3}')
            changes = [callers.submit(status_at, port, *change) for _ in range(45)]
            for path in (*ALWAYS, "/v1/search/text?q=shirt", "/v1/products/D00002"):
                assert status_at(port, "GET", path) == 200
            assert {each.result() for each in changes if each.done()} <= {429}
        assert {each.result() for each in changes} <= {200, 429}
        assert status_at(port, *change) == 200


# --- batches ----------------------------------------------------------------------------------------------------------


def picture_of(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"


def test_the_pictures_of_all_queries_of_a_batch_count_together(served: TestClient, photo: bytes) -> None:
    query = {"parts": [{"image": picture_of(photo)}, {"image": picture_of(photo)}]}
    error = told(served.post("/v1/search/batch", json={"queries": [query, query]}))
    assert (error["code"], error["field"]) == ("limit", "service.max_images")


def test_a_batch_gets_its_pictures_once_whatever_fails(
    served: TestClient, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop: lookalike.Shop = served.app.state.service.shop  # type: ignore[attr-defined]
    loads: list[int] = []
    load = shop._queries_from.load

    def counted(refs: Any) -> Any:
        refs = list(refs)
        loads.append(len(refs))
        return load(refs)

    monkeypatch.setattr(shop._queries_from, "load", counted)
    good, broken = picture_of(photo), "data:image/jpeg;base64,AAAA"
    queries: Sequence[dict[str, Any]] = [
        {"parts": [{"image": good}], "limit": 3},
        {"parts": [{"image": broken}]},
        {"parts": [{"like": "nobody"}]},
        {"parts": [{"image": good}, {"text": "shirt"}], "limit": 2},
    ]
    results = served.post("/v1/search/batch", json={"queries": queries}).json()["results"]
    assert loads == [2]
    assert [each.get("error", {}).get("code") for each in results] == [None, "image", "query", None]
    for query, result in zip(queries, results, strict=True):
        if "results" in result:
            alone = served.post("/v1/search", json=query).json()["results"]
            assert [hit["id"] for hit in result["results"]] == [hit["id"] for hit in alone]


def test_a_shop_answers_each_question_or_says_why_not(drawn_place: Path) -> None:
    with lookalike.open(drawn_place, create=False) as shop:
        found = shop.search_each(
            [{"text": "shirt", "k": 2}, {"like": "nobody"}, {"text": ""}, {"like": "D00001"}]
        )
        assert shop.search_each([]) == []
        with pytest.raises(QueryError):
            shop.search_many([{"text": "shirt"}, {"text": ""}])
    assert [type(each) for each in found] == [SearchResult, QueryError, QueryError, SearchResult]
    assert isinstance(found[0], SearchResult) and len(found[0].hits) == 2
