"""The contract of the `EventLog` port, run over every adapter: memory, SQLite and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from logged import NOON, SECOND, logs
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.events_memory import MemoryEventLog
from lookalike.adapters.events_sql import FORGOTTEN_AT_ONCE, SqlEventLog
from lookalike.core.clicks import CLICK, IMPRESSION, Counts, Event, LoggedSearch, count
from lookalike.core.ports import EventLog
from lookalike.core.types import Product, Record

OpenLog = Callable[[], EventLog]
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LATER = ALWAYS[1]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenLog]:
    """Yield a function that opens one and the same new log, each time with a handle of its own."""
    if request.param == "memory":
        only = MemoryEventLog()
        yield lambda: only
        return
    place = request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path / "shop.db"
    opened: list[SqlEventLog] = []

    def open_another() -> EventLog:
        opened.append(SqlEventLog.open(place))
        return opened[-1]

    yield open_another
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: OpenLog) -> EventLog:
    return open_log()


def search(name: str, **given: object) -> LoggedSearch:
    return LoggedSearch(name, **{"timestamp": NOON, "kind": "text", "user_query": name, **given})  # type: ignore[arg-type]


def click(query: str, product: str = "P1", ordinal: int | None = 1, **given: object) -> Event:
    return Event(**{"action_name": CLICK, "timestamp": NOON, "query_id": query, "object_id": product,
                    "ordinal": ordinal, **given})  # type: ignore[arg-type]  # fmt: skip


def comparable(counts: Counts) -> object:
    """Return counts as plain values; sums of fractions depend on the order in which they are added."""
    plain = asdict(counts)
    for tally in plain["tallies"].values():
        tally |= {name: pytest.approx(tally[name]) for name in ("reciprocal", "diversity")}
    return plain


def test_a_new_log_is_empty(log: EventLog) -> None:
    assert log.counts(*ALWAYS, top=10) == Counts()
    assert log.shown(*ALWAYS, min_clicks=0) == []
    assert log.forget(LATER) == 0
    log.write_searches([])
    log.write_events([])
    assert log.counts(*ALWAYS, top=10) == Counts()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(logged=logs())
def test_it_counts_as_the_core_does(log: EventLog, logged: tuple[list[LoggedSearch], list[Event]]) -> None:
    searches, events = logged
    reference = MemoryEventLog()
    for each in (log, reference):
        each.forget(LATER)
        each.write_searches(searches)
        each.write_events(events)
    for since, until in (ALWAYS, (NOON - 2 * SECOND, NOON + 2 * SECOND), (NOON, NOON)):
        for top in (2, 50):
            expected = count(searches, events, since, until, top)
            assert asdict(log.counts(since, until, top)) == comparable(expected)
        for least in (0, 1, 2):
            assert log.shown(since, until, least) == reference.shown(since, until, least)


def test_the_end_of_a_period_belongs_to_the_next(log: EventLog) -> None:
    log.write_searches([search("a"), search("b", timestamp=NOON + SECOND)])
    log.write_events([click("a", timestamp=NOON + SECOND)])
    first = log.counts(NOON, NOON + SECOND, top=5)
    assert (first.tallies["text"].searches, first.tallies["text"].clicked, first.actions) == (1, 1, {})
    second = log.counts(NOON + SECOND, NOON + 2 * SECOND, top=5)
    assert (second.tallies["text"].searches, second.tallies["text"].clicked) == (1, 0)
    assert second.actions == {CLICK: 1}  # an event counts by its own time, what it did by that of its search


def test_a_search_is_written_once(log: EventLog) -> None:
    log.write_searches([search("a", took_ms=1.0), search("b")])
    log.write_searches([search("a", took_ms=9.0), search("c")])
    counts = log.counts(*ALWAYS, top=5)
    assert counts.tallies["text"].searches == 3
    assert counts.latencies["text"].p99_ms == 1.0


def test_events_may_come_before_their_search_or_without_one(log: EventLog) -> None:
    log.write_events([click("late"), click("never"), Event(IMPRESSION, NOON)])
    assert log.counts(*ALWAYS, top=5).tallies == {}
    log.write_searches([search("late")])
    counts = log.counts(*ALWAYS, top=5)
    assert (counts.tallies["text"].seen, counts.tallies["text"].clicks) == (1, 1)
    assert counts.actions == {CLICK: 2, IMPRESSION: 1}


def test_every_handle_sees_the_same(open_log: OpenLog) -> None:
    one, other = open_log(), open_log()
    one.write_searches([search("a")])
    other.write_events([click("a")])
    for each in (one, other):
        assert each.counts(*ALWAYS, top=5).tallies["text"].clicked == 1


def test_any_text_that_can_be_stored_comes_through(log: EventLog) -> None:
    odd = "Straße \U0001f45c \"'; DROP TABLE searches; -- %s :x \\ \n\t"
    asked = {"user_query": odd, "where": f'brand = "{odd}"', "client_id": odd}
    log.write_searches([search("a", **asked, query_response_hit_ids=(odd, "P1"))])
    assert log.found(["a", odd]) == {"a": (odd, "P1")}
    log.write_events([click("a", odd, session_id=odd)])
    [phrase] = log.counts(*ALWAYS, top=5).top
    assert phrase.phrase == " ".join(odd.casefold().split())
    [shown] = log.shown(*ALWAYS, min_clicks=1)
    assert (shown.where, shown.object_id, shown.clicked) == (f'brand = "{odd}"', odd, 1)


def test_what_was_not_found_was_not_shown(log: EventLog) -> None:
    """Whoever may report events could else make any product a good answer to any phrase."""
    log.write_searches([search("a", user_query="lamp", query_response_hit_ids=("P1", "P2")),
                        search("b", user_query="Lamp", query_response_hit_ids=("P3",), continued=True),
                        search("c", user_query="lamp", query_response_hit_ids=("P4",), where="price < 5", continued=True),
                        search("d", user_query="lamp", query_response_hit_ids=("P5",)),
                        search("e", user_query="lamp", kind="mixed", continued=True,
                               query_response_hit_ids=("P6",))])  # fmt: skip
    log.write_events([click("a", f"P{number}", number) for number in range(1, 8)])
    shown = log.shown(*ALWAYS, min_clicks=1)
    assert [(each.object_id, each.ordinal, each.clicked) for each in shown] == [
        ("P1", 1, 1), ("P2", 2, 1), ("P3", 3, 1),  # the last by a later page, reported under the id of the first
    ]  # fmt: skip
    assert log.counts(*ALWAYS, top=1).tallies["text"].clicks == 7  # what was reported is counted as it was


def test_what_a_search_found_can_be_looked_up(log: EventLog) -> None:
    log.write_searches(
        [search(f"q{number}", query_response_hit_ids=("P1", f"P{number}")) for number in range(1200)]
    )
    assert log.found([]) == {}
    found = log.found([*(f"q{number}" for number in range(1200)), "never"])
    assert (len(found), found["q7"]) == (1200, ("P1", "P7"))


def test_what_is_older_is_forgotten(log: EventLog) -> None:
    old, new = NOON - SECOND, NOON
    log.write_searches([search("old", timestamp=old), search("new", timestamp=new)])
    log.write_events([click("old", timestamp=old), click("new", timestamp=new), click("old", timestamp=new)])
    assert log.forget(NOON) == 2
    assert log.forget(NOON) == 0
    counts = log.counts(*ALWAYS, top=5)
    assert [each.phrase for each in counts.top] == ["new"]
    assert counts.actions == {CLICK: 2}
    assert log.forget(LATER) == 3
    assert log.counts(*ALWAYS, top=5) == Counts()


def test_much_is_forgotten_a_little_at_a_time(log: EventLog) -> None:
    number = FORGOTTEN_AT_ONCE + 10
    log.write_events([click("a", timestamp=NOON - SECOND) for _ in range(number)])
    log.write_events([click("a")])
    assert log.forget(NOON) == number
    assert log.counts(*ALWAYS, top=5).actions == {CLICK: 1}


def test_events_with_an_id_are_kept_once(open_log: OpenLog) -> None:
    one, other = open_log(), open_log()
    first = [click("a", event_id="1"), click("b", event_id="2"), click("b", event_id="2"), click("c")]
    one.write_events(first)
    assert one.counts(*ALWAYS, top=5).actions == {CLICK: 3}
    other.write_events(
        [*first, click("d", event_id="3")]
    )  # again, but for what has no id: that counts each time
    assert one.counts(*ALWAYS, top=5).actions == {CLICK: 5}
    one.write_events([click("e", event_id=str(number), timestamp=NOON + SECOND) for number in range(3000)])
    assert one.counts(*ALWAYS, top=5).actions == {CLICK: 5 + 3000 - 3}
    assert one.forget(NOON + SECOND) == 5
    assert one.forget(LATER) == 2997
    other.write_events(first[:1])
    assert one.counts(*ALWAYS, top=5).actions == {CLICK: 1}


def test_an_id_is_kept_once_whoever_writes_it_first(open_log: OpenLog) -> None:
    def write(worker: int) -> None:
        log = open_log()
        for turn in range(20):
            log.write_events([click("a", event_id=str(turn)), click("b", f"P{worker}")])

    open_log()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert open_log().counts(*ALWAYS, top=5).actions == {CLICK: 20 + 4 * 20}


def test_many_may_write_at_once(log: EventLog) -> None:
    def write(worker: int) -> None:
        for turn in range(10):
            log.write_searches([search(f"{worker}-{turn}-{each}") for each in range(5)])
            log.write_events([click(f"{worker}-{turn}-{each}") for each in range(5)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    tally = log.counts(*ALWAYS, top=5).tallies["text"]
    assert (tally.searches, tally.clicked) == (200, 200)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_it_is_kept_beside_the_products(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = request.getfixturevalue("postgres_url") if kind == "postgres" else tmp_path / "shop.db"
    catalog = SqlCatalog.open(place)
    try:
        log = SqlEventLog.beside(catalog)

        def products(worker: int) -> None:
            for turn in range(15):
                catalog.write([Record(Product(f"{worker}-{turn}"))])

        def events(worker: int) -> None:
            for turn in range(15):
                log.write_events([click(f"{worker}-{turn}")])

        with ThreadPoolExecutor(4) as pool:
            done = chain.from_iterable([pool.map(products, range(2)), pool.map(events, range(2))])
            assert list(done) == [None] * 4
        assert (catalog.count(), log.counts(*ALWAYS, top=1).actions) == (30, {CLICK: 30})
    finally:
        catalog.close()
