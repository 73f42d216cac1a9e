"""Searches and events as people might leave them behind, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lookalike.core.clicks import ACTIONS, IMPRESSION, KINDS, Event, LoggedSearch

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TIMES = st.integers(-5, 5).map(lambda seconds: NOON + seconds * SECOND)
"""A few moments around noon, so that many fall together."""
PHRASES = st.sampled_from(["", "red  shirt", "Red shirt", "lamp", "Öl", "öl", "zebra", "a\tb", "é"])
PRODUCTS = ("P1", "P2", "p2", "ö")


@st.composite
def events(draw: st.DrawFn) -> Event:
    action = draw(st.sampled_from(ACTIONS))
    named = st.sampled_from(PRODUCTS)
    return Event(
        action_name=action,
        timestamp=draw(TIMES),
        query_id=draw(st.sampled_from(["q0", "q1", "q2", "q3", "gone", None])),
        object_id=draw(st.none() | named if action == IMPRESSION else named),
        ordinal=draw(st.none() | st.integers(1, 4) | st.sampled_from([100, 101, 999])),
    )


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[LoggedSearch], list[Event]]:
    """Return a few searches and what became of them, and of others."""
    searches = [
        LoggedSearch(
            query_id=f"q{number}",
            timestamp=draw(TIMES),
            kind=draw(st.sampled_from(["text", "text", *KINDS])),
            user_query=draw(PHRASES),
            query_response_hit_ids=draw(st.sampled_from([(), ("P1",), PRODUCTS])),
            where=draw(st.sampled_from(["", "", "price < 5", None])),
            took_ms=draw(st.sampled_from([0.5, 1.0, 2.0, 3.25, 100.0])),
            diversity=draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
            continued=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    return searches, draw(st.lists(events(), max_size=25))
