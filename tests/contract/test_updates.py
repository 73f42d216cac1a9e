"""The contract of the `Updates` port, run on the stream in this process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.adapters.updates_memory import MemoryUpdates
from lookalike.core.ports import Update


@pytest.fixture
def updates() -> MemoryUpdates:
    return MemoryUpdates()


def ids(updates: list[Update] | tuple[Update, ...]) -> list[str]:
    return [update.id for update in updates]


def taken(updates: MemoryUpdates, limit: int = 100) -> list[Update]:
    return list(updates.poll(limit, 0.0))


def test_changes_come_in_order_a_few_at_a_time(updates: MemoryUpdates) -> None:
    for number in range(5):
        updates.put(str(number), {"price": number})
    updates.put("0", None)
    first, second, third = taken(updates, 2), taken(updates, 3), taken(updates, 3)
    assert ids(first + second + third) == ["0", "1", "2", "3", "4", "0"]
    assert [len(part) for part in (first, second, third)] == [2, 3, 1]
    assert [update.row for update in first + third] == [{"price": 0}, {"price": 1}, None]
    assert len({update.offset for update in first + second + third}) == 6
    assert taken(updates) == []


def test_what_was_not_committed_comes_again(updates: MemoryUpdates) -> None:
    for number in range(6):
        updates.put(str(number), {})
    first, second = taken(updates, 2), taken(updates, 2)
    updates.commit(first)
    updates.rewind()
    again = taken(updates, 2)
    assert again == second
    updates.commit(again)
    updates.commit(first)  # an old one said again takes nothing back
    updates.commit([])
    updates.rewind()
    assert ids(taken(updates)) == ["4", "5"]
    updates.rewind()
    assert ids(taken(updates)) == ["4", "5"]


def test_a_poll_without_changes_ends_after_its_timeout(updates: MemoryUpdates) -> None:
    started = time.perf_counter()
    assert updates.poll(10, 0.05) == []
    assert 0.04 < time.perf_counter() - started < 5


def test_a_poll_ends_as_soon_as_a_change_comes(updates: MemoryUpdates) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(updates.poll, 10, 60.0)
        time.sleep(0.02)
        assert not waiting.done()
        updates.put("a", None)
        assert ids(list(waiting.result(timeout=30))) == ["a"]


def test_what_comes_while_it_is_read_is_neither_lost_nor_doubled(updates: MemoryUpdates) -> None:
    wanted = [str(number) for number in range(300)]

    def write() -> None:
        for id_ in wanted:
            updates.put(id_, {})

    writer = threading.Thread(target=write)
    writer.start()
    found: list[str] = []
    while len(found) < len(wanted):
        some = list(updates.poll(7, 30.0))
        assert 0 < len(some) <= 7
        updates.commit(some)
        found += ids(some)
    writer.join()
    updates.rewind()
    assert found == wanted and taken(updates) == []
