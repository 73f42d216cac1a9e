"""Answers that are kept: the same as fresh ones, for every way to ask, and never older than the last change."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import lookalike
from lookalike.adapters.cache_memory import MemoryCache
from lookalike.service import kept
from lookalike.service.app import create_app
from lookalike.service.kept import KeptAnswers, Place
from lookalike.service.observe import Metrics
from lookalike.service.schemas import SearchRequest
from lookalike.service.settings import ServiceSettings
from lookalike.service.state import State
from strategies import examples

Answer = dict[str, Any]
Ask = Callable[[TestClient, bytes], Any]
PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that says how long answers that fade are kept; it stands still."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(kept, "time", lambda: now[0])
    return now


def state_of(client: TestClient) -> State:
    state: State = client.app.state.service  # type: ignore[attr-defined]
    return state


def counts(client: TestClient) -> tuple[float, float]:
    """Return how many searches found a kept answer, and how many did not."""
    read = state_of(client).metrics.registry.get_sample_value
    hits, misses = (read("lookalike_kept_answers_total", {"outcome": each}) for each in ("hit", "miss"))
    return hits or 0.0, misses or 0.0


@contextmanager
def keeping(client: TestClient, max_bytes: int) -> Iterator[None]:
    """Let the service keep so many bytes of answers, beginning with none."""
    state = state_of(client)
    before = state.kept
    state.kept = KeptAnswers(MemoryCache(max_bytes) if max_bytes else None, state.metrics)
    try:
        yield
    finally:
        state.kept = before


def lasting(answer: Answer) -> Answer:
    """Return what may not differ between an answer that was kept and a fresh one."""
    return {name: value for name, value in answer.items() if name not in ("search_id", "took_ms", "cached")}


def get(path: str, **params: Any) -> Ask:
    return lambda client, photo: client.get(path, params=params)


def post(**body: Any) -> Ask:
    return lambda client, photo: client.post("/v1/search", json=body)


def uri(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"


ASKS: dict[str, Ask] = {
    "text": get("/v1/search/text", q="pleated skirt", limit=3, facets=["brand", "price"]),
    "text filtered": get(
        "/v1/search/text",
        q="lamp",
        where="price < 90 and not added < 2020-01-01",
        price_min=3,
        brand=["x", "y"],
    ),
    "text explained": get("/v1/search/text", q="red", explain=True, fields=["id", "title", "price"]),
    "text faded": get("/v1/search/text", q="red", rerank="balanced", explain=True),
    "similar": get("/v1/products/D00001/similar", limit=5, group=True, diversity=0.3),
    "image": lambda client, photo: client.post(
        "/v1/search/image", files={"image": ("a.jpg", photo, "image/jpeg")}, data={"max_per_category": "1"}
    ),
    "image uri": lambda client, photo: client.post("/v1/search/image", data={"image_url": uri(photo)}),
    "image box": lambda client, photo: client.post(
        "/v1/search", json={"parts": [{"image": uri(photo), "box": [0, 0.1, 0.5, 0.5]}], "explain": True}
    ),
    "multimodal": lambda client, photo: client.post(
        "/v1/search/multimodal",
        files={"image": ("a.jpg", photo, "image/jpeg")},
        data={"text": "in blue", "image_weight": "0.3", "explain": "true"},
    ),
    "parts": post(
        parts=[{"like": "D00001"}, {"text": "striped", "weight": 0.5}, {"text": "wood", "weight": -0.5}],
        mode="any",
        weights={"title": 0.7, "image": 0.3},
        rerank={"popularity": 0.1},
    ),
    "vector": post(parts=[{"space": "title", "vector": np.linspace(-1, 1, 256).tolist()}]),
    "browse": post(where={"field": "price", "op": "<", "value": 50}, limit=30),
}


@pytest.mark.parametrize("form", ASKS)
def test_a_kept_answer_equals_a_fresh_one(served: TestClient, photo: bytes, form: str) -> None:
    with keeping(served, 0):
        fresh = ASKS[form](served, photo)
        assert fresh.status_code == 200, fresh.text
    with keeping(served, 10**7):
        before = counts(served)
        first, again = (ASKS[form](served, photo).json() for _ in range(2))
        assert counts(served) == (before[0] + 1, before[1] + 1)
    assert [each["cached"] for each in (fresh.json(), first, again)] == [False, False, True]
    assert len({each["search_id"] for each in (fresh.json(), first, again)}) == 3
    assert again["took_ms"].keys() == {"cache", "total"}
    assert lasting(first) == lasting(again)
    if form != "text faded":  # its scores have changed since by some parts in a billion
        assert lasting(first) == lasting(fresh.json())


def test_a_page_is_kept_by_its_cursor(served: TestClient) -> None:
    with keeping(served, 10**7):
        first = served.get("/v1/search/text", params={"q": "skirt", "limit": 4}).json()
        pages = [
            served.get("/v1/search/text", params={"q": "skirt", "limit": 4, "cursor": first["cursor"]}).json()
            for _ in range(2)
        ]
    assert [page["cached"] for page in pages] == [False, True]
    assert lasting(pages[0]) == lasting(pages[1])
    assert lasting(pages[0])["results"] != first["results"]


bodies = st.fixed_dictionaries(
    {
        "parts": st.lists(
            st.one_of(
                st.builds(dict, text=st.sampled_from(["lamp", " lamp ", "red skirt", "1"])),
                st.builds(dict, like=st.sampled_from(["D00001", "D00003"]), weight=st.sampled_from([1, 2.0])),
            ),
            max_size=2,
        ),
        "limit": st.integers(1, 3),
    },
    optional={
        "where": st.sampled_from(["price < 50", "price > 50", 'brand = "1"', "availability = true"]),
        "mode": st.sampled_from(["any", "all", "mix"]),
        "weights": st.sampled_from([{"image": 1.0, "title": 0.5}, {"title": 1.0, "image": 0.5}]),
        "rerank": st.sampled_from(["relevance", {"rating": 0.5}, {"rating": 0.5, "popularity": 0.5}]),
        "diversity": st.sampled_from([0.0, 0.5, 1.0]),
        "group": st.booleans(),
        "max_per_category": st.integers(1, 2),
        "facets": st.lists(st.sampled_from(["brand", "color"]), max_size=2, unique=True),
        "fields": st.lists(st.sampled_from(["id", "price", "title"]), max_size=2, unique=True),
        "explain": st.booleans(),
        "price_max": st.sampled_from([20.0, 80.0]),
        "brand": st.sampled_from([[], ["1"]]),
    },
)


@examples(120)
@given(body=bodies)
def test_no_two_questions_share_an_answer_that_is_not_theirs(served: TestClient, body: Answer) -> None:
    # All examples share the answers the service keeps: whatever the key left out would come back wrong.
    for _ in range(2):
        answer = served.post("/v1/search", json=body)
    with keeping(served, 0):
        fresh = served.post("/v1/search", json=body)
    assert answer.status_code == fresh.status_code == 200, fresh.text
    assert answer.json()["cached"] and not fresh.json()["cached"]
    assert lasting(answer.json()) == lasting(fresh.json())
    assert [[*each["product"]] for each in answer.json()["results"]] == [
        [*each["product"]] for each in fresh.json()["results"]
    ]  # in this order, too


def test_who_asks_and_whether_it_is_logged_makes_no_difference(own: TestClient) -> None:
    def ask(**more: Any) -> bool:
        asked = {"q": "  a lamp ", "limit": 2, **more}
        return bool(own.get("/v1/search/text", params=asked, headers={"X-Client-ID": "me"}).json()["cached"])

    assert [ask(), ask(client_id="you"), ask(log=False), ask(q="a lamp"), ask(limit=3)] == [
        *(False, True, True, True),
        False,
    ]
    same = own.post("/v1/search", json={"parts": [{"text": "a lamp"}], "limit": 2}).json()
    assert lasting(same) == lasting(own.get("/v1/search/text", params={"q": "a lamp", "limit": 2}).json())


def test_what_fades_is_kept_for_a_minute_at_most(served: TestClient, noon: list[float]) -> None:
    def ask(rerank: str) -> bool:
        params = {"q": "a minute", "rerank": rerank}
        return bool(served.get("/v1/search/text", params=params).json()["cached"])

    for rerank, fades in (("balanced", True), ("new", True), ("bestsellers", False), ("relevance", False)):
        assert [ask(rerank), ask(rerank)] == [False, True]
        noon[0] += 60
        assert ask(rerank) != fades
    with keeping(served, 10**7):
        body = {"parts": [{"text": "x"}], "rerank": {"freshness": 0.1}}
        assert not served.post("/v1/search", json=body).json()["cached"]
        noon[0] += 60
        assert not served.post("/v1/search", json=body).json()["cached"]


def test_a_kept_answer_is_counted_and_logged(own: TestClient) -> None:
    state = state_of(own)
    assert state.log is not None and state.shop is not None
    asked = {"q": "lamp", "limit": 3}
    answers = [own.get("/v1/search/text", params=asked).json() for _ in range(3)]
    assert [each["cached"] for each in answers] == [False, True, True]
    read = state.metrics.registry.get_sample_value
    assert read("lookalike_search_results_count", {"type": "text"}) == 3
    assert read("lookalike_search_results_sum", {"type": "text"}) == 3 * len(answers[0]["results"])
    assert read("lookalike_search_diversity_count", {"type": "text"}) == 3
    assert read("lookalike_search_seconds_count", {"type": "text", "stage": "cache"}) == 2
    assert b'lookalike_kept_answers_total{outcome="hit"} 2.0' in own.get("/metrics").content
    state.log.close()
    told = own.get("/v1/stats").json()["searches"]
    assert told["total"]["searches"] == 3
    assert told["top_queries"][0]["phrase"] == "lamp"


def test_a_batch_takes_what_is_kept_and_searches_for_the_rest(own: TestClient) -> None:
    def query(text: str) -> Answer:
        return {"parts": [{"text": text}], "limit": 2, "explain": True}

    single = own.post("/v1/search", json=query("lamp")).json()
    batch = [query("skirt"), {"parts": [{"like": "nobody"}]}, query("lamp"), {"limit": "x"}]
    for kept_ones in ((False, True), (True, True)):
        skirt, nobody, lamp, wrong = own.post("/v1/search/batch", json={"queries": batch}).json()["results"]
        assert (skirt["cached"], lamp["cached"]) == kept_ones
        assert lasting(lamp) == lasting(single)
        assert nobody["error"]["code"] and wrong["error"]["code"]
    assert lasting(own.post("/v1/search", json=query("skirt")).json()) == lasting(skirt)


# --- changes ----------------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[TestClient], Any]] = {
    "price": lambda client: client.patch("/v1/products/D00001", json={"price": 1.25}),
    "write": lambda client: client.put("/v1/products/N1", json={"title": "a new lamp", "price": 3}),
    "delete": lambda client: client.delete("/v1/products/D00002"),
    "hide": lambda client: client.patch("/v1/products/D00001", json={"active": False}),
}


@pytest.mark.parametrize("write", WRITES)
def test_any_change_makes_the_next_answer_fresh(own: TestClient, write: str) -> None:
    def ask() -> Answer:
        answer: Answer = own.post("/v1/search", json={"limit": 200, "facets": ["price"]}).json()
        return answer

    before = ask()
    assert ask()["cached"]
    assert WRITES[write](own).status_code in (200, 201)
    after = ask()
    assert not after["cached"] and ask()["cached"]
    assert after["results"] != before["results"] and after["snapshot"] != before["snapshot"]
    with keeping(own, 0):
        assert lasting(ask()) == lasting(after)


def test_a_change_by_another_process_makes_answers_fresh(own: TestClient, tmp_path: Path) -> None:
    def ask() -> Answer:
        return dict(own.get("/v1/search/text", params={"q": "lamp", "where": 'id = "D00001"'}).json())

    ask()
    assert ask()["cached"]
    with lookalike.open(tmp_path / "own.db", create=False) as other:  # what another process has
        other.delete(["D00001"])
    end = monotonic() + PATIENCE_S
    while ask()["matched"]:
        assert monotonic() < end
        sleep(0.02)
    while not (last := ask())["cached"]:  # what was found while the change was brought in is not kept
        assert monotonic() < end
        sleep(0.02)
    assert last["results"] == []


def test_readers_beside_a_writer_never_go_back(own: TestClient) -> None:
    done = Event()

    def price() -> float:
        found = own.get("/v1/search/text", params={"q": "lamp", "where": 'id = "D00001"'}).json()["results"]
        return float(found[0]["product"]["price"])

    def read() -> int:
        last, reads = 0.0, 0
        while not done.is_set():
            now = price()
            assert now >= last
            last, reads = now, reads + 1
        return reads

    assert own.patch("/v1/products/D00001", json={"price": 1}).status_code == 200
    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read) for _ in range(3)]
        try:
            for number in range(2, 32):
                assert own.patch("/v1/products/D00001", json={"price": number}).status_code == 200
                assert price() == number  # who writes finds it with the next search
        finally:
            done.set()
        assert all(each.result() > 0 for each in reading)
    assert price() == 31 and counts(own)[0] > 0


# --- what is not kept -------------------------------------------------------------------------------------------------


def test_nothing_is_kept_without_room(drawn: lookalike.Shop, drawn_place: Path) -> None:
    with lookalike.open(drawn_place, create=False, local_files=False) as shop:
        settings = ServiceSettings(results_bytes=0, events={"enabled": False})  # type: ignore[arg-type]
        client = TestClient(create_app(shop, settings))
        assert not any(client.get("/v1/search/text?q=lamp").json()["cached"] for _ in range(2))
        assert counts(client) == (0, 0)


def test_pictures_by_their_address_are_not_kept(drawn: lookalike.Shop) -> None:
    answers, asked = KeptAnswers(MemoryCache(10**6), Metrics()), SearchRequest()
    for image in ("https://shop.example/a.jpg", "HTTP://shop.example/a.jpg"):
        question: Any = {"parts": [{"text": "x"}, {"image": image}], "k": 3}
        assert answers.look_up(drawn, question, asked) is None
    assert isinstance(answers.look_up(drawn, {"parts": [{"text": "x"}], "k": 3}, asked), Place)


def test_an_answer_that_a_change_overtook_is_not_kept(own: TestClient) -> None:
    shop = state_of(own).shop
    assert shop is not None
    answers, asked = KeptAnswers(MemoryCache(10**6), Metrics()), SearchRequest()
    question: Any = {"parts": [{"text": "lamp"}], "k": 3}
    place = answers.look_up(shop, question, asked)
    assert isinstance(place, Place)
    result = shop.search(**question)
    shop.delete(["D00001"])
    answers.made(shop, place, result, asked)
    assert isinstance(answers.look_up(shop, question, asked), Place)
    assert answers._cache is not None and answers._cache.get(place.key) is None
