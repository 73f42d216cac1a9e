"""A producer that runs ahead: in order, not too far, and its errors in their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lookalike.engine.ahead import ahead

WAIT_S = 30.0


@pytest.mark.parametrize("depth", [1, 2, 5, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_items_come_in_order(depth: int, count: int) -> None:
    assert list(ahead(range(count), depth)) == list(range(count))
    assert list(ahead(iter([None, False, 0, None]), depth)) == [None, False, 0, None]


@pytest.mark.parametrize("depth", [1, 3])
def test_the_producer_runs_ahead_by_so_many_and_no_more(depth: int) -> None:
    made = [threading.Event() for _ in range(40)]

    def produce() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in ahead(produce(), depth):
        # while this one is in use, `depth` more are made without being asked for
        assert all(event.wait(WAIT_S) for event in made[number + 1 : number + 1 + depth])
        assert not any(event.is_set() for event in made[number + 1 + depth :])


def test_an_error_comes_in_its_place_and_ends_it() -> None:
    def produce() -> Iterator[int]:
        yield 0
        yield 1
        raise RuntimeError("third")

    found = []
    with pytest.raises(RuntimeError, match="third"):
        for number in ahead(produce(), 5):
            found.append(number)
    assert found == [0, 1]


def test_one_who_stops_early_stops_the_producer_and_leaves_no_thread() -> None:
    before, made = threading.active_count(), []

    def produce() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    items = ahead(produce(), 4)
    assert next(items) == 0
    items.close()
    assert len(made) <= 1 + 4 and threading.active_count() == before


def test_an_error_of_the_consumer_stops_the_producer_too() -> None:
    before = threading.active_count()

    def consume() -> None:
        for number in ahead(iter(range(1000)), 4):
            raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        consume()
    assert threading.active_count() == before


def test_the_producer_runs_in_one_thread_of_its_own() -> None:
    def produce() -> Iterator[int]:
        for _ in range(20):
            yield threading.get_ident()

    threads = set(ahead(produce(), 3))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []
    items = ahead((made.append(number) for number in range(5)), 2)
    assert made == []
    items.close()
    assert made == []
