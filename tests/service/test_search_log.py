"""The queue before the log: what it writes together, what it drops, how it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

import pytest

from lookalike.adapters.events_memory import MemoryEventLog
from lookalike.core.clicks import CLICK, Event, LoggedSearch
from lookalike.core.errors import CatalogError, InputError
from lookalike.core.query import SearchResult
from lookalike.service.observe import Metrics
from lookalike.service.search_log import AT_ONCE, Answered, EventSettings, SearchLog, logged
from waiting import until

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
PATIENCE_S = 60.0


class SlowLog(MemoryEventLog):
    """A log whose database can be held up, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.free = Flag()
        self.free.set()
        self.fails: Exception | None = None
        self.batches: list[int] = []

    def write_searches(self, searches: Sequence[LoggedSearch]) -> None:
        assert self.free.wait(PATIENCE_S)
        if self.fails:
            raise self.fails
        super().write_searches(searches)
        self.batches.append(len(searches))


def search(number: int) -> LoggedSearch:
    return LoggedSearch(f"q{number}", datetime.now(UTC), "text")


@contextmanager
def logging_to(kept: MemoryEventLog, **settings: int) -> Iterator[tuple[SearchLog, Metrics]]:
    metrics = Metrics()
    log = SearchLog(kept, EventSettings(**settings), metrics)  # type: ignore[arg-type]
    try:
        yield log, metrics
    finally:
        log.close()


def held(kept: MemoryEventLog) -> int:
    return sum(tally.pages for tally in kept.counts(*ALWAYS, top=1).tallies.values())


def counted(metrics: Metrics) -> tuple[float | None, float | None]:
    value = metrics.registry.get_sample_value
    return value("lookalike_searches_logged_total"), value("lookalike_searches_dropped_total")


def test_searches_are_written_together_within_a_second() -> None:
    kept = SlowLog()
    with logging_to(kept) as (log, metrics):
        for number in range(10):
            log.add(search(number))
        assert held(kept) == 0
        until(lambda: held(kept) == 10)
        assert len(kept.batches) <= 2  # a look may fall between
        until(lambda: counted(metrics) == (10.0, 0.0))


def test_many_are_written_at_once_but_not_all_in_one() -> None:
    kept = SlowLog()
    with logging_to(kept) as (log, _):
        for number in range(2 * AT_ONCE + 100):
            log.add(search(number))
    assert sum(kept.batches) == 2 * AT_ONCE + 100
    assert max(kept.batches) <= AT_ONCE


def test_what_finds_the_queue_full_is_counted_and_nobody_waits() -> None:
    kept = SlowLog()
    kept.free.clear()
    with logging_to(kept, max_queue=5) as (log, metrics):
        for number in range(5):
            log.add(search(number))
        until(lambda: not log._queue)  # they are being written, which takes its time
        for number in range(5, 12):
            log.add(search(number))
        assert counted(metrics) == (0.0, 2.0)
        kept.free.set()
    assert held(kept) == 10
    assert counted(metrics) == (10.0, 2.0)


def test_closing_writes_what_waits_and_takes_no_more() -> None:
    kept = MemoryEventLog()
    with logging_to(kept) as (log, metrics):
        log.add(search(1))
        log.close()
        assert held(kept) == 1
        log.add(search(2))
        log.close()
    assert held(kept) == 1
    assert counted(metrics) == (1.0, 1.0)


@pytest.mark.parametrize("error", [CatalogError("the disk is full"), RuntimeError("a slip of ours")])
def test_a_log_that_fails_is_reported_and_goes_on(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    kept = SlowLog()
    kept.fails = error
    with logging_to(kept) as (log, metrics), caplog.at_level(logging.WARNING):
        log.add(search(1))
        until(lambda: counted(metrics) == (0.0, 1.0))
        kept.fails = None
        log.add(search(2))
    assert held(kept) == 1
    assert "1 searches were not logged" in caplog.text


def test_what_is_too_old_is_forgotten() -> None:
    kept = MemoryEventLog()
    now = datetime.now(UTC)
    for days in (1, 29, 31, 400):
        kept.write_events([Event(CLICK, now - timedelta(days=days), "q", "P")])
        kept.write_searches([LoggedSearch(f"q{days}", now - timedelta(days=days), "text")])
    with logging_to(kept, keep_days=30):
        until(lambda: held(kept) == 2)
        until(lambda: kept.counts(*ALWAYS, top=1).actions == {CLICK: 2})


def test_endless_texts_are_not_kept_whole() -> None:
    from lookalike.core.filters import Or, compare

    where = Or(tuple(compare("brand", "=", "x" * 100) for _ in range(300)))
    result = SearchResult((), 0, "exact", {}, {}, None, "seq-1")
    parts = [{"text": "y" * 1999}, {"text": "z" * 1999}]
    kept = logged(Answered("q", {"parts": parts, "where": where}, result, diversity=None), None)
    assert (len(kept.user_query), kept.where, kept.took_ms, kept.diversity) == (2000, None, 0.0, None)


def test_settings_that_make_no_sense() -> None:
    for name in ("keep_days", "max_queue", "max_events"):
        with pytest.raises(InputError):
            EventSettings(**{name: 0})  # type: ignore[arg-type]
