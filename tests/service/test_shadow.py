"""Live recall: some searches are repeated exactly, compared, counted and told."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import lookalike
from lookalike import wiring
from lookalike.adapters.index_exact import ExactIndex
from lookalike.core.query import Hit
from lookalike.core.types import Allowed, Candidates, Product, Vectors
from lookalike.engine import retrieve
from lookalike.service import shadow as module
from lookalike.service.app import create_app
from lookalike.service.schemas_answers import RecallStats
from lookalike.service.settings import ServiceSettings
from lookalike.service.shadow import recall, selectivity_of
from lookalike.settings import Settings
from waiting import until

WHERE = {"field": "price", "op": "exists"}


class Forgetful(ExactIndex):
    """An index that finds only products of even keys, and says that it may miss some."""

    exact = False  # type: ignore[assignment]

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.was_told: list[tuple[float, float]] = []

    def observed(self, share: float, recall: float) -> None:
        self.was_told.append((share, recall))

    def search(self, vectors: Vectors, pool: int, allowed: Allowed | None = None) -> Candidates:
        mask = np.ones(10_000, bool) if allowed is None else allowed.mask.copy()
        mask[1::2] = False
        return super().search(vectors, pool, Allowed(mask, int(mask.sum())))


@contextmanager
def serving(place: Path, **settings: Any) -> Iterator[TestClient]:
    with lookalike.open(place, create=False, local_files=False) as shop:
        yield TestClient(create_app(shop, ServiceSettings(**{"shadow_share": 1.0, **settings})))


@pytest.fixture
def place(drawn_place: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(drawn_place, tmp_path / "own.db"))


@pytest.fixture
def forgetful(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The drawn shop behind indexes that find half of it, its searches all repeated."""

    def make_index(dim: int, kind: str = "auto", **options: Any) -> ExactIndex:
        return ExactIndex(dim) if kind == "exact" else Forgetful(dim)

    monkeypatch.setattr(wiring, "make_index", make_index)
    monkeypatch.setattr(module, "REST", 0)
    with serving(place) as client:
        yield client


def vector(shop: lookalike.Shop, number: int) -> Any:
    """Return something between the pictures of two products: what is near that is nearer than strangers are."""
    _, held = shop.spaces["image"].get(np.array([3 + 5 * number, 4 + 5 * number]))
    return held.mean(axis=0)


def near(client: TestClient, number: int, **more: Any) -> dict[str, Any]:
    """Ask for what is near some picture: one space, so that nothing but its index decides."""
    part = {"space": "image", "vector": vector(_state(client).shop, number).tolist()}
    answer = client.post("/v1/search", json={"parts": [part], "limit": 12, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(client: TestClient) -> dict[str, Any]:
    stats: dict[str, Any] = client.get("/v1/stats").json()["recall"]
    return RecallStats.model_validate(stats).model_dump()


def outcomes(client: TestClient) -> dict[str, float]:
    page = client.get("/metrics").text
    found = re.findall(r'^lookalike_shadow_searches_total\{outcome="(\w+)"\} (\S+)$', page, re.MULTILINE)
    return {outcome: float(count) for outcome, count in found}


def measured(client: TestClient, count: int) -> dict[str, Any]:
    until(lambda: sum(outcomes(client).values()) == count)
    return told(client)


# --- the measure ------------------------------------------------------------------------------------------------------


def hits(*scores: tuple[str, float]) -> list[Hit]:
    return [Hit(Product(id_), score) for id_, score in scores]


def test_recall_is_the_share_of_the_best_that_were_found() -> None:
    true = hits(("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6))
    assert recall(true, true) == 1
    assert recall(hits(("b", 0.8), ("x", 0.1), ("a", 0.9), ("y", 0.1)), true) == 0.5
    assert recall([], true) == 0
    assert recall(true, []) is None
    assert recall(hits(("a", 0.9), ("b", 0.8), ("c", 0.7), ("e", 0.6)), true) == 1  # as good as the last


def test_only_the_first_ten_count() -> None:
    true = hits(*((str(n), 1 - n / 100) for n in range(12)))
    assert recall(true[:9] + true[10:], true) == 0.9
    assert recall(true[2:], true) == 0.8


@pytest.mark.parametrize(
    ("matched", "name"), [(500, ">10 %"), (100, "1-10 %"), (10, "0.1-1 %"), (1, "<0.1 %"), (11, "1-10 %")]
)
def test_selectivity_is_the_share_that_matched(matched: int, name: str) -> None:
    assert selectivity_of({"parts": [], "where": "price > 3"}, matched, 1000) == name
    assert selectivity_of({"parts": []}, matched, 1000) == "none"


# --- live -------------------------------------------------------------------------------------------------------------


def test_what_an_index_misses_is_seen(forgetful: TestClient, place: Path) -> None:
    told_before = told(forgetful)
    assert told_before == {"share": 1.0, "measured": 0, "recall_at_10": None, "by_plan": []}
    expected = []
    with lookalike.open(place, create=False, settings=Settings(index="exact")) as shop:
        for number in range(6):
            best = shop.search(parts=[{"space": "image", "vector": vector(shop, number)}], k=10)
            found = near(forgetful, number, where=WHERE if number % 2 else None)
            assert best.plan == "exact" and found["plan"] == "ann"
            measured(forgetful, number + 1)
            ids = {each["id"] for each in found["results"][:10]}
            expected.append(sum(hit.product.id in ids for hit in best.hits) / 10)
    assert 0.2 < np.mean(expected) < 0.8
    found = measured(forgetful, 6)
    assert (found["measured"], found["recall_at_10"]) == (6, pytest.approx(np.mean(expected)))
    assert found["by_plan"] == [
        {
            "plan": "ann",
            "selectivity": selectivity,
            "measured": 3,
            "recall_at_10": pytest.approx(np.mean(some)),
        }
        for selectivity, some in ((">10 %", expected[1::2]), ("none", expected[::2]))
    ]
    assert outcomes(forgetful) == {"measured": 6}
    shop = _state(forgetful).shop
    assert shop is not None
    with_price = shop.search(where="price exists").matched / len(shop)
    for index in shop.spaces.values():
        assert isinstance(index, Forgetful)
        shares, recalls = zip(*index.was_told, strict=True)
        assert shares == (1.0, with_price) * 3 and recalls == pytest.approx(expected)


def test_answers_given_again_browsing_and_later_pages_are_not_repeated(forgetful: TestClient) -> None:
    first = near(forgetful, 1)
    measured(forgetful, 1)
    assert near(forgetful, 1)["cached"]
    near(forgetful, 1, cursor=first["cursor"])
    forgetful.post("/v1/search", json={"limit": 5})
    assert near(forgetful, 1, where='brand = "nobody at all"')["matched"] == 0
    near(forgetful, 2)
    assert measured(forgetful, 2)["measured"] == 2


def test_what_was_exact_is_repeated_only_when_wanted(place: Path) -> None:
    for wanted in (False, True):
        with serving(place, shadow_exact=wanted) as client:
            for phrase in ("a red lamp", "skirt"):
                assert client.get("/v1/search/text", params={"q": phrase}).json()["plan"] == "exact"
                until(lambda: not _state(client).shadow._running.locked())
                _state(client).shadow._rest_until_s = 0.0
            assert outcomes(client) == ({"measured": 2.0} if wanted else {})
            assert told(client)["recall_at_10"] == (1.0 if wanted else None)


def test_none_is_repeated_at_a_share_of_nothing(place: Path) -> None:
    with serving(place, shadow_exact=True, shadow_share=0.0) as client:
        client.get("/v1/search/text", params={"q": "lamp"})
        assert outcomes(client) == {}


def _state(client: TestClient) -> Any:
    return client.app.state.service  # type: ignore[attr-defined]


def test_one_at_a_time_and_a_rest_after_each(forgetful: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, go_on = _state(forgetful).shop, Event()
    exactly = shop.search_exactly

    def held_up(question: Any) -> Any:
        assert go_on.wait(60)
        return exactly(question)

    monkeypatch.setattr(shop, "search_exactly", held_up)
    for number in range(3):
        near(forgetful, number)  # answered, though none is repeated to its end
    assert outcomes(forgetful) == {"dropped": 2}
    monkeypatch.setattr(module, "REST", 10_000)
    go_on.set()
    measured(forgetful, 3)
    until(lambda: not _state(forgetful).shadow._running.locked())
    near(forgetful, 4)
    assert outcomes(forgetful) == {"dropped": 3, "measured": 1}


def test_changes_in_between_are_not_taken_for_misses(
    forgetful: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = _state(forgetful).shop
    exactly = shop.search_exactly

    def overtaken(question: Any) -> Any:
        shop.delete([exactly(question).hits[0].product.id])
        return exactly(question)

    monkeypatch.setattr(shop, "search_exactly", overtaken)
    near(forgetful, 1)
    assert measured(forgetful, 1)["measured"] == 0
    assert outcomes(forgetful) == {"overtaken": 1}


def test_what_cannot_be_repeated_disturbs_nobody(
    forgetful: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop = _state(forgetful).shop
    exactly = shop.search_exactly

    def breaks(question: Any) -> Any:
        monkeypatch.setattr(shop, "search_exactly", exactly)
        raise RuntimeError("out of order")

    monkeypatch.setattr(shop, "search_exactly", breaks)
    near(forgetful, 1)
    measured(forgetful, 1)
    until(lambda: not _state(forgetful).shadow._running.locked())
    near(forgetful, 2)
    assert measured(forgetful, 2)["measured"] == 1
    assert outcomes(forgetful) == {"failed": 1, "measured": 1}
    assert "out of order" in caplog.text


# --- what it is compared with -----------------------------------------------------------------------------------------

QUESTIONS: dict[str, Any] = {
    "phrase": {"text": "a red lamp"},
    "likeness": {"like": "D00003", "k": 25},
    "mixture": {
        "parts": [{"like": "D00001"}, {"text": "blue"}, {"text": "wood", "weight": -0.5}],
        "mode": "any",
    },
    "filtered": {"text": "skirt", "where": "price < 60", "rerank": "bestsellers"},
    "varied": {"text": "bag", "diversity": 0.4, "group": True, "max_per_category": 2},
    "browsing": {"where": "price > 10", "rerank": {"rating": 1.0}},
}


@pytest.mark.parametrize("named", QUESTIONS)
def test_comparing_everything_finds_what_exact_indexes_find(
    drawn: lookalike.Shop, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setattr(retrieve, "SCORE_ALL", 20)  # so that there are several parts to be put together
    question = QUESTIONS[named]
    true, found = drawn.search_exactly(question), drawn.search(**question)
    assert [hit.product.id for hit in true.hits] == [hit.product.id for hit in found.hits]
    assert [hit.score for hit in true.hits] == pytest.approx([hit.score for hit in found.hits])
    assert (true.plan, true.matched, true.cursor) == ("exact", found.matched, found.cursor)
