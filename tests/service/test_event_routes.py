"""Searches are logged, events are taken, and both come out as measures: over the routes, and in a process that is killed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from starlette.testclient import TestClient
from test_kept import state_of

import lookalike
from lookalike.core.errors import CatalogError
from lookalike.service.app import create_app
from lookalike.service.schemas_answers import EventsAnswer, Stats
from lookalike.service.settings import ServiceSettings
from running import PATIENCE_S, running
from waiting import until

JSON = {"content-type": "application/json"}


def event(
    action: str = "click", query: str | None = "q", product: Any = "D00001", at: Any = 1, **more: Any
) -> Any:
    attributes = {"object": {"object_id": product, "object_id_type": "product"}, "position": {"ordinal": at}}
    return {"action_name": action, "query_id": query, "event_attributes": attributes, **more}


def sent(client: TestClient, *events: Any) -> dict[str, Any]:
    response = client.post("/v1/events", json={"events": list(events)})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    EventsAnswer.model_validate(answer)
    return answer


def stats(client: TestClient, days: int = 7) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/v1/stats", params={"days": days}).json()
    Stats.model_validate(told)
    found: dict[str, Any] = told["searches"]
    return found


def rows(place: Path, columns: str, table: str = "searches") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(place)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY timestamp_us").fetchall()


# --- events -----------------------------------------------------------------------------------------------------------


def test_one_event_or_several(own: TestClient) -> None:
    unknown = {"index": 0, "fields": ["query_id"]}
    assert own.post("/v1/events", json=event()).json() == {"accepted": 1, "failed": [], "unknown": [unknown]}
    assert sent(own, event("impression"), event("add_to_cart"), event("purchase", query=None)) == {
        "accepted": 3,
        "failed": [],
        "unknown": [unknown, unknown | {"index": 1}],
    }
    assert sent(own) == {"accepted": 0, "failed": [], "unknown": []}
    told = stats(own)
    assert told["events"] == {"impression": 1, "click": 1, "add_to_cart": 1, "purchase": 1}
    assert told["total"]["searches"] == 0  # of their searches nothing is known
    page = own.get("/metrics").text
    assert 'lookalike_events_total{action="purchase"} 1.0' in page


def test_the_wrong_ones_are_named_and_the_others_kept(own: TestClient) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    wrong: list[tuple[Any, str]] = [
        (event("like"), "action_name"),
        ({"query_id": "q"}, "action_name"),
        (event(timestamp=ahead), "timestamp"),
        (event(timestamp="yesterday"), "timestamp"),
        (event(timestamp=12), "timestamp"),
        (event(query="x" * 101), "query_id"),
        (event(query="a\0b"), "query_id"),
        (event(product="a\0b"), "event_attributes.object.object_id"),
        (event(product=None), "event_attributes.object.object_id"),
        ({"action_name": "click"}, "event_attributes.object.object_id"),
        (event(at=0), "event_attributes.position.ordinal"),
        (event(at="first"), "event_attributes.position.ordinal"),
        (event(at=2**70), "event_attributes.position.ordinal"),
        (event(queryid="q"), "queryid"),
        (17, "body"),
        (None, "body"),
    ]
    answer = sent(own, event(), *(each for each, _ in wrong), event(query="other"))
    assert answer["accepted"] == 2
    assert [each["index"] for each in answer["failed"]] == list(range(1, len(wrong) + 1))
    for told, (given, field) in zip(answer["failed"], wrong, strict=True):
        assert told["error"]["remedy"] and told["error"]["request_id"]
        assert told["error"]["field"].startswith(field), (given, told)
    assert stats(own)["events"]["click"] == 2


def test_what_clients_of_the_standard_send_is_understood(own: TestClient) -> None:
    just_ahead = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    given = [
        event(
            product=17, application="shop", message="a", message_type="CONVERSION", user_id="u", client_id="c"
        ),
        event(timestamp="2018-11-13T20:20:39Z", session_id="s"),
        event(timestamp="2018-11-13T20:20:39"),
        event(timestamp=just_ahead),  # clocks are never quite right
        {
            "action_name": "impression",
            "event_attributes": {"position": {"xy": {"x": 1, "y": 2}}, "color": "red"},
        },
    ]
    answer = sent(own, *given)
    assert (answer["accepted"], answer["failed"]) == (5, [])
    beacon = own.post("/v1/events", content=json.dumps(event()), headers={"content-type": "text/plain"})
    assert beacon.json()["accepted"] == 1


def test_what_is_not_known_is_told(own: TestClient) -> None:
    asked = own.get("/v1/search/text?q=lamp&limit=3").json()
    ids, query = [hit["id"] for hit in asked["results"]], asked["search_id"]
    other = next(f"D000{number:02}" for number in range(1, 90) if f"D000{number:02}" not in ids)
    answer = sent(
        own,
        event(query=query, product=ids[1], at=2),  # known at once, though the search may not be written yet
        event(query=query, product=other, at=1),
        event("add_to_cart", query=query, product=other, at=None),
        event(query=query, product=other, at=4),  # perhaps of the next page
        event(query=query, product="NOPE", at=4),
        event(query="never", product="NOPE"),
        event(query=None, product=ids[0]),
        event("like"),
        {"action_name": "impression", "query_id": query},
    )
    assert (answer["accepted"], [each["index"] for each in answer["failed"]]) == (8, [7])
    assert answer["unknown"] == [
        {"index": 1, "fields": ["object_id"]},
        {"index": 2, "fields": ["object_id"]},
        {"index": 4, "fields": ["object_id"]},
        {"index": 5, "fields": ["query_id", "object_id"]},
    ]
    until(lambda: stats(own)["total"]["searches"] == 1)
    assert sent(own, event(query=query, product=ids[0])) == {"accepted": 1, "failed": [], "unknown": []}


def test_what_is_sent_again_counts_once(own: TestClient) -> None:
    batch = [
        event("impression", "q", "D00001", 1),
        event("click", "q", "D00001", 1),
        event("click", "q", "D00001", 2),
        event("purchase", None, "D00001", timestamp="2026-01-01T00:00:00Z"),
        event("add_to_cart", None, "D00001", event_id="7", client_id="me"),
    ]
    for _ in range(3):
        assert sent(own, *batch)["accepted"] == len(batch)
        for each in batch:
            assert own.post("/v1/events", json=each).json()["accepted"] == 1
    counted = {"impression": 1, "click": 2, "purchase": 1, "add_to_cart": 1}
    days = 365  # the purchase was some time ago
    told = stats(own, days)["events"]
    assert {name: told[name] for name in counted if name != "purchase"} == {
        name: count for name, count in counted.items() if name != "purchase"
    }
    sent(
        own,
        event("click", "q", "D00001", 1, client_id="another"),
        event("click", "q2", "D00001", 1),
        event("click", "q", "D00001", 1, event_id="a"),
        event("click", "q", "D00001", 1, event_id="b"),
        event("add_to_cart", None, "D00001", event_id="7", client_id="you"),
        event("add_to_cart", None, "D00001", event_id="7", client_id="me", session_id="s"),
        event("add_to_cart", None, "D00001"),
        event("add_to_cart", None, "D00001"),  # nothing tells these two apart, nor that they are one
    )
    told = stats(own, days)["events"]
    assert (told["click"], told["add_to_cart"]) == (6, 5)


def test_after_an_error_nothing_was_kept(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = state_of(own).log
    assert kept is not None
    for name in ("found", "keep"):
        with monkeypatch.context() as patch:

            def fails(*_: object) -> Any:
                raise CatalogError("the database is gone", hint="Start it.")

            patch.setattr(kept, name, fails)
            assert own.post("/v1/events", json=event()).status_code == 503
        assert stats(own)["events"]["click"] == 0
    assert own.post("/v1/events", json=event()).json()["accepted"] == 1
    assert stats(own)["events"]["click"] == 1


def test_a_search_that_another_worker_answered_a_moment_ago_is_known(
    own: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_of(own), "workers", 2)
    began = monotonic()
    with lookalike.open(tmp_path / "own.db", create=False, local_files=False) as shop:  # the other worker's
        other = TestClient(create_app(shop, ServiceSettings()))
        for turn in range(3):
            asked = other.get(f"/v1/search/text?q=lamp{turn}&limit=3").json()
            answer = sent(own, event(query=asked["search_id"], product=asked["results"][0]["id"]))
            assert answer == {"accepted": 1, "failed": [], "unknown": []}
    assert monotonic() - began < PATIENCE_S
    told = sent(own, event(query="never"))["unknown"]
    assert told == [{"index": 0, "fields": ["query_id"]}]
    assert stats(own)["total"]["clicks_per_search"] == 1.0


def test_who_is_told_late_is_told_no_error_of_what_is_kept(
    own: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(own)
    monkeypatch.setattr(state, "workers", 2)
    found, asked = state.log.found, []  # type: ignore[union-attr]

    def fails_later(query_ids: Any) -> Any:
        asked.append(query_ids)
        if len(asked) > 1:
            raise CatalogError("the database is gone", hint="Start it.")
        return found(query_ids)

    monkeypatch.setattr(state.log, "found", fails_later)
    assert sent(own, event(query="never"))["unknown"] == [{"index": 0, "fields": ["query_id"]}]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[]", 422, "invalid"),
        (b"17", 422, "invalid"),
        (b"\xff", 400, "malformed"),
        (b'{"events": {}}', 422, "invalid"),
        (b'{"events": [], "more": 1}', 422, "invalid"),
        (b'{"action_name": "like"}', 422, "invalid"),
        (b'{"events": [' + b"1," * 1000 + b"1]}", 422, "limit"),
    ],
)
def test_what_is_no_event(served: TestClient, body: bytes, status: int, code: str) -> None:
    response = served.post("/v1/events", content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


# --- searches ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_of_a_search(own: TestClient, photo: bytes, tmp_path: Path) -> None:
    mine = {"X-Client-ID": "tab 1"}
    own.get("/v1/search/text?q=Red%20%20Lamp&limit=3&price_max=90&brand=A", headers=mine)
    own.post("/v1/search/image", files={"image": photo}, data={"client_id": "tab-2"}, headers=mine)
    own.post("/v1/search/multimodal", files={"image": photo}, data={"text": "blue\0ish"})
    own.get("/v1/products/D00001/similar", headers={"X-Client-ID": "x" * 101})
    parts = [{"text": "a shirt"}, {"text": "striped"}, {"text": "floral", "weight": -1}]
    first = own.post("/v1/search", json={"parts": parts, "limit": 2}).json()
    own.post("/v1/search", json={"parts": parts, "limit": 2, "cursor": first["cursor"]})
    own.post("/v1/search", json={"where": "price < 0"})
    own.post(
        "/v1/search/batch", json={"queries": [{"parts": [{"text": "vase"}]}, {"limit": 0}, {"log": False}]}
    )
    own.get("/v1/search/text?q=hidden&log=false")
    own.get("/v1/search/text?q=wrong&limit=0")
    place = tmp_path / "own.db"
    until(lambda: len(rows(place, "1")) == 8)
    found = rows(place, "kind, user_query, filter, client_id, continued, hits")
    assert [each[:5] for each in found] == [
        ("text", "Red  Lamp", '(brand = "A") and price <= 90.0', "tab 1", 0),
        ("image", "", "", "tab-2", 0),
        ("multimodal", "blue\ufffdish", "", None, 0),
        ("similar", "", "", None, 0),
        ("mixed", "a shirt + striped", "", None, 0),
        ("mixed", "a shirt + striped", "", None, 1),
        ("browse", "", "price < 0.0", None, 0),
        ("text", "vase", "", None, 0),
    ]
    [(query_id, hits, attributes, took_ms, diversity)] = rows(
        place, "query_id, query_response_hit_ids, query_attributes, took_ms, diversity"
    )[4:5]
    assert (query_id, json.loads(hits)) == (first["search_id"], [hit["id"] for hit in first["results"]])
    assert json.loads(attributes) == {
        "pictures": 0, "products": 0, "vectors": 0, "matched": first["matched"], "plan": "exact",
    }  # fmt: skip
    assert took_ms == pytest.approx(first["took_ms"]["total"], abs=0.01)
    assert diversity in (0.0, 1.0)  # of two
    total = stats(own)["total"]
    assert (total["searches"], total["zero_result_share"]) == (7, pytest.approx(2 / 7))


def test_searches_and_events_become_measures(own: TestClient) -> None:
    def ask(phrase: str, **params: Any) -> str:
        answer = own.get("/v1/search/text", params={"q": phrase, **params}).json()
        return str(answer["search_id"])

    lamps, again, none = ask("lamp"), ask(" LAMP"), ask("sofa", price_max=0)
    ask("vase")
    sent(own, event("impression", lamps, "D1", 1), event("impression", lamps, "D2", 2), event("click", lamps, "D2", 2),
         event("add_to_cart", lamps, "D2", 2), event("purchase", lamps, "D2"), event("impression", again, "D1", 1),
         event("click", "nobody knows this one"))  # fmt: skip
    until(
        lambda: stats(own)["total"]["searches"] == 4
    )  # one answer of them may be put together while more are logged
    told = stats(own)
    assert told["by_kind"].keys() == {"text"}
    total = told["total"]
    assert total == told["by_kind"]["text"]
    assert (total["seen"], total["ctr"], total["clicks_per_search"], total["mrr"]) == (2, 0.5, 0.5, 0.5)
    assert (total["add_to_cart_rate"], total["purchase_rate"], total["zero_result_share"]) == (0.5, 0.5, 0.25)
    assert 0 < total["diversity"] <= 1
    assert 0 < total["latency"]["p50_ms"] <= total["latency"]["p99_ms"]
    assert told["by_position"] == [
        {"position": 1, "seen": 2, "clicked": 0, "ctr": 0.0},
        {"position": 2, "seen": 1, "clicked": 1, "ctr": 1.0},
    ]
    assert told["top_queries"][0] == {
        "phrase": "lamp",
        "searches": 2,
        "zero_results": 0,
        "seen": 2,
        "clicked": 1,
    }
    assert [each["phrase"] for each in told["zero_result_queries"]] == ["sofa"]
    assert none not in json.dumps(told)
    assert own.get("/v1/stats?days=0").status_code == 422
    until(lambda: "lookalike_searches_logged_total 4.0" in own.get("/metrics").text)


# --- a real process ---------------------------------------------------------------------------------------------------


def post(address: str, body: Any) -> dict[str, Any]:
    request = urllib.request.Request(f"{address}/v1/events", json.dumps(body).encode(), JSON)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def ask(address: str, phrase: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address}/v1/search/text?q={phrase}", timeout=PATIENCE_S) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def test_what_was_acknowledged_survives_a_kill(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    acknowledged: list[str] = []
    with running(place) as (process, address):
        for number in range(30):
            name = f"q{number}"
            assert (
                post(address, {"events": [event("impression", name), event("click", name)]})["accepted"] == 2
            )
            acknowledged.append(name)
        process.kill()
        process.wait(PATIENCE_S)
    kept = [query for query, action in rows(place, "query_id, action_name", "events") if action == "click"]
    assert sorted(kept) == sorted(acknowledged)


def test_an_orderly_end_writes_what_still_waits(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with running(place) as (process, address):
        asked = [ask(address, f"lamp{number}")["search_id"] for number in range(7)]
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert [query_id for (query_id,) in rows(place, "query_id")] == asked
