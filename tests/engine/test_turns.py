"""Turns: who changes the same products does so one after the other, in the order of asking; others do not wait."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from time import sleep

import pytest

from lookalike.engine.turns import Turns

SHORT_S, PATIENCE_S = 0.1, 30.0


class Holder:
    """Holds products in a thread of its own until told to let go."""

    def __init__(self, turns: Turns, pool: ThreadPoolExecutor, ids: list[str] | None) -> None:
        self.holds, self.let_go = threading.Event(), threading.Event()
        self.done: Future[None] = pool.submit(self._hold, turns, ids)

    def _hold(self, turns: Turns, ids: list[str] | None) -> None:
        with turns.of(ids):
            self.holds.set()
            assert self.let_go.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (["a"], ["a"], True),
        (["a", "b"], ["b", "c"], True),
        (["a"], ["b"], False),
        ([], ["a"], False),
        (None, ["a"], True),
        (["a"], None, True),
        (None, None, True),
    ],
)
def test_only_the_same_products_are_waited_for(
    first: list[str] | None, second: list[str] | None, waits: bool
) -> None:
    turns = Turns()
    with ThreadPoolExecutor(2) as pool:
        one = Holder(turns, pool, first)
        assert one.holds.wait(PATIENCE_S)
        other = Holder(turns, pool, second)
        assert other.holds.wait(SHORT_S if waits else PATIENCE_S) != waits
        one.let_go.set()
        assert other.holds.wait(PATIENCE_S)
        other.let_go.set()


def test_who_asked_first_comes_first() -> None:
    turns, order = Turns(), []

    def take(name: str, ids: list[str] | None) -> None:
        with turns.of(ids):
            order.append(name)

    with ThreadPoolExecutor(4) as pool:
        holder = Holder(turns, pool, ["a"])
        assert holder.holds.wait(PATIENCE_S)
        for name, ids in (("all", None), ("a", ["a"]), ("b", ["b"])):  # "b" is free, but "all" asked before
            pool.submit(take, name, ids)
            sleep(SHORT_S)
        assert order == []
        holder.let_go.set()
    assert order[0] == "all" and set(order) == {"all", "a", "b"}


def test_an_error_ends_a_turn() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="x"), turns.of(["a"]):
        raise ValueError("x")
    with turns.of(None):
        pass


def test_nobody_meets_anybody_and_all_come_through() -> None:
    turns, inside = Turns(), set[str]()

    def work(seed: int) -> None:
        rng = Random(seed)
        for _ in range(100):
            ids = rng.sample("abcdef", rng.randrange(1, 4))
            with turns.of(ids):
                assert not inside & set(ids)
                inside.update(ids)
                if rng.random() < 0.1:
                    sleep(0.0005)
                inside.difference_update(ids)

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, seed) for seed in range(6)]:
            done.result(PATIENCE_S)
