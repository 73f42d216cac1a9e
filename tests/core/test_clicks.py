"""Measures against a recount that follows their definitions word by word, and the definitions where they matter."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logged import NOON, SECOND, logs
from lookalike.core.clicks import (
    ADD_TO_CART,
    CLICK,
    IMPRESSION,
    KINDS,
    PURCHASE,
    Event,
    LoggedSearch,
    Measures,
    PhraseCount,
    Report,
    count,
    diversity_in,
    diversity_of,
    kind_of,
    latency_of,
    nearest_rank,
    phrase_of,
    plain,
    report_of,
)
from lookalike.core.types import Product

DAY = timedelta(days=1)


def measured(searches: list[LoggedSearch], events: list[Event], *, top: int = 10) -> Report:
    since, until = NOON - DAY, NOON + DAY
    return report_of(count(searches, events, since, until, top), since, until)


def search(name: str, **given: object) -> LoggedSearch:
    return LoggedSearch(
        name, **{"timestamp": NOON, "kind": "text", "query_response_hit_ids": ("P1",), **given}
    )  # type: ignore[arg-type]


def event(
    action: str, query: str | None = "a", product: str = "P1", at: int | None = 1, late_s: int = 0
) -> Event:
    return Event(action, NOON + late_s * SECOND, query, product, at)


# --- against a recount ------------------------------------------------------------------------------------------------


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def recounted(searches: list[LoggedSearch], events: list[Event]) -> Measures:
    """Say each measure as its docstring does, in the slowest way there is."""
    of = {s.query_id: [e for e in events if e.query_id == s.query_id] for s in searches}
    seen = [of[s.query_id] for s in searches if of[s.query_id]]
    first_pages = [s for s in searches if not s.continued]

    def rate(action: str) -> float | None:
        return mean([any(e.action_name == action for e in some) for some in seen])

    placed = [
        sorted((e.timestamp, e.ordinal) for e in some if e.action_name == CLICK and e.ordinal is not None)
        for some in seen
    ]
    times = sorted(s.took_ms for s in searches)
    ranks = [
        next((t for t in times if sum(u <= t for u in times) * 100 >= q * len(times)), None)
        for q in (50, 95, 99)
    ]
    return Measures(
        searches=len(first_pages),
        seen=len(seen),
        ctr=rate(CLICK),
        clicks_per_search=mean([len({e.object_id for e in some if e.action_name == CLICK}) for some in seen]),
        mrr=mean([1 / clicks[0][1] for clicks in placed if clicks]),
        zero_result_share=mean([not s.query_response_hit_ids for s in first_pages]),
        add_to_cart_rate=rate(ADD_TO_CART),
        purchase_rate=rate(PURCHASE),
        diversity=mean([s.diversity for s in searches if s.diversity is not None]),
        latency=ranks,  # type: ignore[arg-type]
    )


@given(logged=logs(), top=st.integers(0, 4))
def test_measures_are_what_they_are_said_to_be(
    logged: tuple[list[LoggedSearch], list[Event]], top: int
) -> None:
    searches, events = logged
    report = measured(searches, events, top=top)
    kinds = {s.kind for s in searches}
    assert set(report.by_kind) == kinds
    for kind in (*kinds, None):
        some = [s for s in searches if kind in (s.kind, None)]
        found = report.by_kind[kind] if kind else report.total
        expected = recounted(some, events)
        for name in Measures.__dataclass_fields__:
            value, wanted = getattr(found, name), getattr(expected, name)
            if name == "latency":
                value = [value.p50_ms, value.p95_ms, value.p99_ms] if value else [None] * 3
            assert value == (pytest.approx(wanted) if isinstance(wanted, float) else wanted), name
        for share in (
            found.ctr,
            found.mrr,
            found.zero_result_share,
            found.add_to_cart_rate,
            found.purchase_rate,
        ):
            assert share is None or 0 <= share <= 1
    assert len(report.top_queries) <= top
    for phrase in report.top_queries:
        mine = [s for s in searches if phrase_of(s.user_query) == phrase.phrase and not s.continued]
        expected = recounted(mine, events)
        assert (phrase.searches, phrase.seen) == (expected.searches, expected.seen)
        assert phrase.zero_results == sum(not s.query_response_hit_ids for s in mine)
    for at in report.by_position:
        shown = {(e.query_id, e.object_id) for e in events if e.ordinal == at.position and e.object_id
                 and e.action_name in (IMPRESSION, CLICK) and e.query_id in {s.query_id for s in searches}}  # fmt: skip
        clicked = {
            (e.query_id, e.object_id) for e in events if e.ordinal == at.position and e.action_name == CLICK
        }
        assert (at.seen, at.clicked) == (len(shown), len(shown & clicked))
        assert at.position <= 100


@given(st.lists(st.sampled_from([None, "A", "B", "C/D"]), max_size=8))
def test_diversity_is_the_share_of_pairs_that_differ(categories: list[str | None]) -> None:
    pairs = list(combinations(categories, 2))
    differ = [one is None or one != other for one, other in pairs]
    assert diversity_of(categories) == (pytest.approx(sum(differ) / len(pairs)) if pairs else None)
    products = [Product(str(n), categories=(each, "X") if each else ()) for n, each in enumerate(categories)]
    assert diversity_in(products) == diversity_of(categories)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_percentiles_by_nearest_rank(times: list[float]) -> None:
    latency = latency_of(times)
    for percent, found in ((50, latency.p50_ms), (95, latency.p95_ms), (99, latency.p99_ms)):
        assert found in times
        assert sum(time <= found for time in times) >= percent / 100 * len(times)
        assert sum(time < found for time in times) < percent / 100 * len(times)
        assert nearest_rank(len(times), percent) == math.ceil(round(percent * len(times) / 100, 9))


# --- where definitions matter -----------------------------------------------------------------------------------------


def test_nothing_has_no_shares() -> None:
    report = measured([], [])
    assert report.total == Measures(0, 0, *[None] * 8)
    assert (report.by_kind, report.by_position, report.top_queries) == ({}, (), ())
    assert report.events == {"impression": 0, "click": 0, "add_to_cart": 0, "purchase": 0}


def test_only_what_was_seen_can_be_clicked() -> None:
    searches = [search(name) for name in "abcd"]
    events = [
        event(IMPRESSION, "a"),
        event(CLICK, "b"),
        event(CLICK, "b", "P2", 3),
        event(CLICK, "b", "P2", 3),
    ]
    total = measured(searches, events).total
    assert (total.searches, total.seen, total.ctr, total.clicks_per_search) == (4, 2, 0.5, 1.0)


def test_the_first_click_is_the_earliest() -> None:
    clicks = [event(CLICK, at=1, late_s=5), event(CLICK, at=4, late_s=1), event(CLICK, at=None)]
    assert measured([search("a")], clicks).total.mrr == 0.25
    assert measured([search("a")], [*clicks, event(CLICK, at=2, late_s=1)]).total.mrr == 0.5
    assert measured([search("a")], [event(CLICK, at=None)]).total.mrr is None


def test_a_later_page_is_no_other_search() -> None:
    searches = [search("a"), search("b", query_response_hit_ids=(), continued=True, took_ms=8.0)]
    total = measured(searches, [event(CLICK, "b", at=30)]).total
    assert (total.searches, total.zero_result_share, total.ctr, total.mrr) == (1, 0.0, 1.0, 1 / 30)
    assert total.latency is not None and total.latency.p99_ms == 8.0


def test_phrases_are_counted_without_capitals_and_blanks() -> None:
    asked = ["Red  Shirt", " red shirt", "STRASSE", "straße", "straße ", ""]
    searches = [
        search(f"s{n}", user_query=phrase, query_response_hit_ids=() if n == 1 else ("P1",))
        for n, phrase in enumerate(asked)
    ]
    report = measured(searches, [event(CLICK, "s0")])
    assert report.top_queries == (
        PhraseCount("strasse", 3, 0, 0, 0),
        PhraseCount("red shirt", 2, 1, 1, 1),
    )
    assert report.zero_result_queries == (PhraseCount("red shirt", 2, 1, 1, 1),)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ((0, 0, 0, 0), "browse"),
        ((1, 0, 0, 0), "text"),
        ((2, 0, 0, 0), "mixed"),
        ((0, 1, 0, 0), "image"),
        ((0, 3, 0, 0), "image"),
        ((1, 1, 0, 0), "multimodal"),
        ((0, 0, 1, 0), "similar"),
        ((0, 0, 2, 0), "mixed"),
        ((1, 0, 1, 0), "mixed"),
        ((0, 1, 1, 0), "mixed"),
        ((0, 0, 0, 1), "mixed"),
    ],
)
def test_kinds(parts: tuple[int, int, int, int], kind: str) -> None:
    names = ("phrases", "pictures", "products", "vectors")
    assert kind_of(**dict(zip(names, parts, strict=True))) == kind
    assert kind in KINDS


def test_a_report_as_plain_values() -> None:
    told = plain(measured([search("a", took_ms=3.0)], [event(CLICK)]))
    assert told["since"] == "2026-02-28T12:00:00+00:00"
    assert told["total"]["latency"] == {"p50_ms": 3.0, "p95_ms": 3.0, "p99_ms": 3.0}
    assert told["by_position"] == ({"position": 1, "seen": 1, "clicked": 1, "ctr": 1.0},)
