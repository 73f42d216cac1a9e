"""Equal questions that come together are searched for once, and nobody waits for what does not come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pytest
from starlette.testclient import TestClient
from test_kept import lasting, state_of

from lookalike.core.errors import Overloaded
from lookalike.service import kept
from waiting import until

Answer = dict[str, Any]
PATIENCE_S = 60.0


class Gate:
    """Holds up searches of a shop until it is opened, and counts them."""

    def __init__(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        shop = state_of(client).shop
        assert shop is not None
        self.opened = Event()
        self.searched: list[Any] = []
        self.failing = 0
        self._lock = Lock()
        self._search = shop.search_each
        monkeypatch.setattr(shop, "search_each", self)

    def __call__(self, questions: Sequence[Any]) -> Any:
        with self._lock:
            self.searched += questions
            fails, self.failing = self.failing > 0, max(self.failing - 1, 0)
        assert self.opened.wait(PATIENCE_S)
        if fails:
            raise Overloaded("too much to encode", retry_after_s=1.0)
        return self._search(questions)


@pytest.fixture
def gate(own: TestClient, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(own, monkeypatch)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as threads:
        yield threads


def text(client: TestClient, phrase: str, **more: Any) -> Any:
    return client.get("/v1/search/text", params={"q": phrase, "limit": 3, **more})


def batch(client: TestClient, *phrases: str) -> list[Answer]:
    queries = [{"parts": [{"text": phrase}], "limit": 3} for phrase in phrases]
    answer = client.post("/v1/search/batch", json={"queries": queries})
    found: list[Answer] = answer.json()["results"]
    return found


def joined(client: TestClient) -> float:
    read = state_of(client).metrics.registry.get_sample_value
    return read("lookalike_kept_answers_total", {"outcome": "joined"}) or 0.0


def test_equal_questions_that_come_together_are_searched_for_once(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    asking = [pool.submit(text, own, "lamp") for _ in range(8)]
    another = pool.submit(text, own, "skirt")
    until(lambda: joined(own) == 7 and len(gate.searched) == 2)
    assert not any(each.done() for each in asking)
    gate.opened.set()
    answers = [each.result(PATIENCE_S).json() for each in asking]
    assert len(gate.searched) == 2 and another.result(PATIENCE_S).json()["results"]
    assert sorted(each["cached"] for each in answers) == [False] + [True] * 7
    assert len({each["search_id"] for each in answers}) == 8
    assert answers[0]["results"] and all(lasting(each) == lasting(answers[0]) for each in answers)
    assert all(each["took_ms"].keys() == {"cache", "total"} for each in answers if each["cached"])
    assert text(own, "lamp").json()["cached"] and joined(own) == 7  # now it is kept


def test_when_the_first_fails_the_others_search_for_themselves(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    gate.failing = 1
    asking = [pool.submit(text, own, "lamp") for _ in range(4)]
    until(lambda: joined(own) == 3)
    gate.opened.set()
    statuses = sorted(each.result(PATIENCE_S).status_code for each in asking)
    assert statuses == [200, 200, 200, 429]
    assert len(gate.searched) == 4
    assert text(own, "lamp").status_code == 200  # nobody waits for the one that failed


def test_a_question_that_is_wrong_is_wrong_for_all(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    asking = [pool.submit(own.get, "/v1/products/nobody/similar") for _ in range(3)]
    until(lambda: joined(own) == 2)
    gate.opened.set()
    assert {each.result(PATIENCE_S).status_code for each in asking} == {404}


def test_nobody_waits_without_end_for_a_search_that_hangs(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_WAIT_S", 0.3)
    hangs = pool.submit(text, own, "lamp")
    until(lambda: len(gate.searched) == 1)
    refused = pool.submit(text, own, "lamp").result(PATIENCE_S)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "overloaded" and not hangs.done()
    monkeypatch.setattr(kept, "MAX_WAIT_S", PATIENCE_S)
    anew = pool.submit(text, own, "lamp")  # is not kept waiting by the one that hangs, but searches
    until(lambda: len(gate.searched) == 2)
    beside = pool.submit(text, own, "lamp")  # and this one waits for that
    until(lambda: joined(own) == 2)
    gate.opened.set()
    answers = [each.result(PATIENCE_S).json() for each in (hangs, anew, beside)]
    assert [each["cached"] for each in answers] == [False, False, True]
    assert len(gate.searched) == 2 and text(own, "lamp").json()["cached"]


def test_in_a_batch_only_what_is_waited_for_is_refused(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.opened.set()
    assert batch(own, "skirt")[0]["results"]
    gate.opened.clear()
    monkeypatch.setattr(kept, "MAX_WAIT_S", 0.3)
    hangs = pool.submit(batch, own, "lamp")
    until(lambda: len(gate.searched) == 2)
    skirt, lamp = pool.submit(batch, own, "skirt", "lamp").result(PATIENCE_S)
    assert skirt["results"] and lamp["error"]["code"] == "overloaded"
    gate.opened.set()
    assert hangs.result(PATIENCE_S)[0]["results"]


def test_batches_that_want_each_others_answers_both_come_to_an_end(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    first = pool.submit(batch, own, "lamp", "skirt")
    until(lambda: len(gate.searched) == 2)
    second = pool.submit(batch, own, "bag", "skirt", "lamp", "bag")
    until(lambda: joined(own) == 3)
    gate.opened.set()
    lamp, skirt = first.result(PATIENCE_S)
    bag, also_skirt, also_lamp, also_bag = second.result(PATIENCE_S)
    assert [lasting(each) for each in (also_skirt, also_lamp)] == [lasting(skirt), lasting(lamp)]
    assert lasting(also_bag) == lasting(bag) and bag["results"]
    assert len(gate.searched) == 3


def test_who_asks_after_a_change_waits_for_nothing_from_before_it(
    own: TestClient, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    def matched(answer: Future[Any]) -> int:
        return int(answer.result(PATIENCE_S).json()["matched"])

    before = pool.submit(text, own, "lamp", where='id = "D00001"')
    until(lambda: len(gate.searched) == 1)
    assert own.delete("/v1/products/D00001").json() == {"deleted": 1}
    after = pool.submit(text, own, "lamp", where='id = "D00001"')
    until(lambda: len(gate.searched) == 2)
    assert joined(own) == 0
    gate.opened.set()
    assert matched(after) == 0 and matched(before) == 0
