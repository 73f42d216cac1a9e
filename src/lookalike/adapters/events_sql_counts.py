"""What measures are made of, counted inside the database: one row per kind, position or phrase comes out of any number.

Every statement takes the parameters `since` and `until`, microseconds since 1970. What the numbers mean is said once, by
`core.clicks.count`; the contract tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from lookalike.adapters.catalog_sql_schema import events, searches
from lookalike.core.click_grades import Shown
from lookalike.core.clicks import (
    ADD_TO_CART,
    CLICK,
    IMPRESSION,
    MAX_POSITION,
    PURCHASE,
    AtPosition,
    Counts,
    Latency,
    PhraseCount,
    Tally,
    nearest_rank,
)

BY_LETTER = {"sqlite": "BINARY", "postgresql": "C"}
"""The collation in which texts are ordered as Python orders them."""


def between(column: sa.Column[int]) -> sa.ColumnElement[bool]:
    """Say that a time lies in the period."""
    return sa.and_(column >= sa.bindparam("since"), column < sa.bindparam("until"))


def ones(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """Return 1 where something holds, and else 0."""
    return sa.case((condition, 1), else_=0)


def total(number: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Sum up; nothing is 0."""
    return sa.func.coalesce(sa.func.sum(number), 0)


IN_PERIOD = between(searches.c.timestamp_us)
OF_SEARCH = events.join(searches, events.c.query_id == searches.c.query_id)
IS_CLICK = events.c.action_name == CLICK
PAST_FIRST = ones(searches.c.continued)
IS_PHRASE = searches.c.kind == "text"

DONE = (
    sa.select(
        events.c.query_id,
        sa.func.max(ones(IS_CLICK)).label("clicked"),
        sa.func.max(ones(events.c.action_name == ADD_TO_CART)).label("carted"),
        sa.func.max(ones(events.c.action_name == PURCHASE)).label("bought"),
        sa.func.count(sa.distinct(sa.case((IS_CLICK, events.c.object_id)))).label("clicks"),
    )
    .select_from(OF_SEARCH)
    .where(IN_PERIOD)
    .group_by(events.c.query_id)
    .subquery("done")
)
"""What was done with each search of which any event came."""
PLACED = (
    sa.select(
        events.c.query_id,
        events.c.ordinal,
        sa.func.row_number()
        .over(partition_by=events.c.query_id, order_by=(events.c.timestamp_us, events.c.ordinal))
        .label("turn"),
    )
    .select_from(OF_SEARCH)
    .where(IN_PERIOD, IS_CLICK, events.c.ordinal.is_not(None))
    .subquery("placed")
)
FIRST = sa.select(PLACED.c.query_id, PLACED.c.ordinal).where(PLACED.c.turn == 1).subquery("first_click")
"""The position of each search's first click."""
WITH_DONE = searches.outerjoin(DONE, DONE.c.query_id == searches.c.query_id)
FOUND_NOTHING = ones(sa.and_(searches.c.hits == 0, sa.not_(searches.c.continued)))
SEEN = sa.func.count(DONE.c.query_id)

TALLIES = (
    sa.select(
        searches.c.kind,
        sa.func.count().label("pages"),
        (sa.func.count() - total(PAST_FIRST)).label("searches"),
        total(FOUND_NOTHING).label("zero_results"),
        SEEN.label("seen"),
        total(DONE.c.clicked).label("clicked"),
        total(DONE.c.carted).label("carted"),
        total(DONE.c.bought).label("bought"),
        total(DONE.c.clicks).label("clicks"),
        sa.func.count(FIRST.c.ordinal).label("placed"),
        total(1.0 / sa.cast(FIRST.c.ordinal, sa.Double)).label("reciprocal"),
        sa.func.count(searches.c.diversity).label("varied"),
        total(searches.c.diversity).label("diversity"),
    )
    .select_from(WITH_DONE.outerjoin(FIRST, FIRST.c.query_id == searches.c.query_id))
    .where(IN_PERIOD)
    .group_by(searches.c.kind)
)
"""The columns are those of `Tally`, after the kind."""

AT = (events.c.query_id, events.c.object_id, events.c.ordinal)
ASKED = (searches.c.phrase, searches.c.filter)
SHOWN = (
    sa.select(*AT, *ASKED, sa.func.max(ones(IS_CLICK)).label("clicked"))
    .select_from(OF_SEARCH)
    .where(
        IN_PERIOD,
        events.c.action_name.in_((IMPRESSION, CLICK)),
        events.c.ordinal <= MAX_POSITION,
        events.c.object_id.is_not(None),
    )
    .group_by(*AT, *ASKED)
)
"""Each product of each search at each position, once."""
AT_POSITION = SHOWN.subquery("at_position")
POSITIONS = sa.select(AT_POSITION.c.ordinal, sa.func.count(), sa.func.sum(AT_POSITION.c.clicked)).group_by(
    AT_POSITION.c.ordinal
)
ACTIONS = (
    sa.select(events.c.action_name, sa.func.count())
    .where(between(events.c.timestamp_us))
    .group_by(events.c.action_name)
)
ELEMENTS = {"sqlite": "json_each", "postgresql": "json_array_elements_text"}
"""What makes rows, with a column `value`, of a list of texts in JSON."""


def per_place(dialect: str) -> sa.Subquery:
    """Build what was shown for a phrase under a filter, product by product and position by position.

    A product counts that the search itself found, or a later page for the same phrase and filter.
    """
    elements = getattr(sa.func, ELEMENTS[dialect])
    page = elements(searches.c.query_response_hit_ids).table_valued("value", name="page")
    is_mine = sa.exists(sa.select(page.c.value).where(page.c.value == events.c.object_id)).correlate(
        searches, events
    )
    mine = sa.func.max(ones(is_mine)).label("is_mine")
    shown = SHOWN.add_columns(mine).where(IS_PHRASE, searches.c.filter.is_not(None)).subquery("shown")
    later = (
        sa.select(*ASKED, page.c.value.label("object_id"))
        .distinct()
        .select_from(searches.join(page, sa.true()))
        .where(IN_PERIOD, IS_PHRASE, searches.c.continued)
        .subquery("later")
    )
    is_same = [shown.c[name] == later.c[name] for name in ("phrase", "filter", "object_id")]
    place = [shown.c[name] for name in ("phrase", "filter", "object_id", "ordinal")]
    clicked = sa.func.sum(shown.c.clicked)
    return (
        sa.select(
            *place,
            sa.func.count().label("seen"),
            clicked.label("clicked"),
            sa.func.sum(clicked).over(partition_by=place[:2]).label("clicks"),
        )
        .select_from(shown.outerjoin(later, sa.and_(*is_same)))
        .where(sa.or_(shown.c.is_mine == 1, later.c.object_id.is_not(None)))
        .group_by(*place)
        .subquery("per_place")
    )


def phrases(dialect: str, by: str, top: int) -> sa.Select[Any]:
    """Build the statement for the phrases that come first by "searches" or "zero_results", those with none left out."""
    columns = {
        "searches": sa.func.count(),
        "zero_results": total(FOUND_NOTHING),
        "seen": SEEN,
        "clicked": total(DONE.c.clicked),
    }
    return (
        sa.select(searches.c.phrase, *columns.values())
        .select_from(WITH_DONE)
        .where(IN_PERIOD, searches.c.phrase != "", sa.not_(searches.c.continued))
        .group_by(searches.c.phrase)
        .having(columns[by] > 0)
        .order_by(columns[by].desc(), sa.collate(searches.c.phrase, BY_LETTER[dialect]))
        .limit(top)
    )


def ranked(*, by_kind: bool) -> sa.Select[Any]:
    """Build the statement for the times at each percentile: kind ("" for all together), how many times, which, and it."""
    kind = searches.c.kind if by_kind else sa.literal("", sa.Text)
    part = [searches.c.kind] if by_kind else None
    numbered = (
        sa.select(
            kind.label("kind"),
            searches.c.took_ms,
            sa.func.count().over(partition_by=part).label("times"),
            sa.func.row_number().over(partition_by=part, order_by=searches.c.took_ms).label("turn"),
        )
        .where(IN_PERIOD)
        .subquery("numbered")
    )
    ranks = [(numbered.c.times * percent + 99) // 100 for percent in (50, 95, 99)]
    return sa.select(numbered).where(numbered.c.turn.in_(ranks))


def count(connection: sa.Connection, period: dict[str, int], top: int) -> Counts:
    """Count a period."""
    dialect = connection.dialect.name
    top_phrases, zero_phrases = (
        tuple(PhraseCount(*row) for row in _plain(connection, phrases(dialect, by, top), period))
        for by in ("searches", "zero_results")
    )
    return Counts(
        tallies={kind: Tally(*numbers) for kind, *numbers in _plain(connection, TALLIES, period)},
        latencies={
            **_latencies(connection, ranked(by_kind=True), period),
            **_latencies(connection, ranked(by_kind=False), period),
        },
        positions={
            ordinal: AtPosition(seen, clicked)
            for ordinal, seen, clicked in _plain(connection, POSITIONS, period)
        },
        top=top_phrases,
        zero=zero_phrases,
        actions={action: number for action, number in _plain(connection, ACTIONS, period)},
    )


def shown(connection: sa.Connection, period: dict[str, int], min_clicks: int) -> list[Shown]:
    """Return what was shown for phrases with so many clicks."""
    dialect = connection.dialect.name
    places = per_place(dialect)
    texts = (places.c.phrase, places.c.filter, places.c.object_id)
    statement = (
        sa.select(*texts, places.c.ordinal, places.c.seen, places.c.clicked)
        .where(places.c.clicks >= min_clicks)
        .order_by(*(sa.collate(text, BY_LETTER[dialect]) for text in texts), places.c.ordinal)
    )
    return [Shown(*row) for row in _plain(connection, statement, period)]


def _latencies(
    connection: sa.Connection, statement: sa.Executable, period: dict[str, int]
) -> dict[str, Latency]:
    at: dict[tuple[str, int], float] = {}
    times: dict[str, int] = {}
    for kind, took_ms, count, turn in connection.execute(statement, period):
        at[kind, turn], times[kind] = took_ms, count
    return {
        kind: Latency(*(at[kind, nearest_rank(count, percent)] for percent in (50, 95, 99)))
        for kind, count in times.items()
    }


def _plain(
    connection: sa.Connection, statement: sa.Executable, period: dict[str, int]
) -> Sequence[Sequence[Any]]:
    """Run a statement; PostgreSQL sums whole numbers up to Decimal, which becomes int again."""
    rows = connection.execute(statement, period).all()
    return [[int(value) if type(value).__name__ == "Decimal" else value for value in row] for row in rows]
