"""The log of searches and events, in the database of the catalogue: SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lookalike.adapters import events_sql_counts as counting
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.catalog_sql_database import Database
from lookalike.adapters.catalog_sql_rows import EPOCH, MICROSECOND
from lookalike.adapters.catalog_sql_schema import events, insert_absent, searches
from lookalike.core.click_grades import Shown
from lookalike.core.clicks import Counts, Event, LoggedSearch

FORGOTTEN_AT_ONCE = 5000
"""Rows deleted in one transaction: other writers wait for no longer than that takes."""
ASKED_AT_ONCE = 500
HITS = sa.select(searches.c.query_id, searches.c.query_response_hit_ids).where(
    searches.c.query_id.in_(sa.bindparam("query_ids", expanding=True))
)
OLD = tuple(
    sa.delete(table).where(
        name.in_(
            sa.select(name).where(table.c.timestamp_us < sa.bindparam("before")).limit(FORGOTTEN_AT_ONCE)
        )
    )
    for table, name in ((searches, searches.c.query_id), (events, events.c.number))
)


class SqlEventLog:
    """An `EventLog` in SQLite or PostgreSQL. Safe to use from threads; other processes may read and write beside it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, place: str | Path, *, create: bool = True) -> SqlEventLog:
        """Open the log of the catalogue at a path (SQLite) or postgresql:// URL, with connections of its own."""
        return cls(Database.open(place, create=create))

    @classmethod
    def beside(cls, catalog: SqlCatalog) -> SqlEventLog:
        """Return the log of an open catalogue, which shares its connections, takes turns with it and ends with it."""
        return cls(catalog.database)

    def write_searches(self, searches_: Sequence[LoggedSearch]) -> None:
        """Keep searches, all or none; one whose query id is held already stays as it is."""
        if searches_:
            with self._database.writing() as connection:
                statement = insert_absent(connection.dialect.name, searches)
                connection.execute(statement, [_search_row(search) for search in searches_])

    def write_events(self, events_: Sequence[Event]) -> None:
        """Keep events, all or none; once this returns they survive the end of the process. Those with an id are kept once."""
        if not events_:
            return
        unique = [_event_row(event) for event in events_ if event.event_id is None]
        named = [
            _event_row(event) | {"number": _number(event.event_id)}
            for event in events_
            if event.event_id is not None
        ]
        with self._database.writing() as connection:
            if unique:
                connection.execute(sa.insert(events), unique)
            if named:
                connection.execute(insert_absent(connection.dialect.name, events), named)

    def found(self, query_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids that each of these searches found, in order; a search that is not known is left out."""
        wanted = list(query_ids)
        found: dict[str, Sequence[str]] = {}
        with self._database.reading() as connection:
            for at in range(0, len(wanted), ASKED_AT_ONCE):
                some = wanted[at : at + ASKED_AT_ONCE]
                found |= {id_: tuple(ids) for id_, ids in connection.execute(HITS, {"query_ids": some})}
        return found

    def counts(self, since: datetime, until: datetime, top: int) -> Counts:
        """Count the period from `since` to just before `until` as `core.clicks.count` does."""
        with self._database.reading() as connection:
            return counting.count(connection, _period(since, until), top)

    def shown(self, since: datetime, until: datetime, min_clicks: int) -> Sequence[Shown]:
        """Return what was shown for phrases with at least `min_clicks` clicks, by phrase, filter, product and position."""
        with self._database.reading() as connection:
            return counting.shown(connection, _period(since, until), min_clicks)

    def forget(self, before: datetime) -> int:
        """Delete the searches and events from before a time; return how many there were."""
        return sum(self._delete(statement, microseconds(before)) for statement in OLD)

    def _delete(self, statement: sa.Delete, before_us: int) -> int:
        """Delete a few rows at a time until none is left."""
        gone = 0
        while True:
            with self._database.writing() as connection:
                some = connection.execute(statement, {"before": before_us}).rowcount
            gone += some
            if some < FORGOTTEN_AT_ONCE:
                return gone

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def microseconds(when: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (when - EPOCH) // MICROSECOND


def _period(since: datetime, until: datetime) -> dict[str, int]:
    return {"since": microseconds(since), "until": microseconds(until)}


def _search_row(search: LoggedSearch) -> dict[str, Any]:
    return {
        "query_id": search.query_id,
        "timestamp_us": microseconds(search.timestamp),
        "kind": search.kind,
        "client_id": search.client_id,
        "user_query": search.user_query,
        "phrase": search.phrase,
        "filter": search.where,
        "query_response_hit_ids": list(search.query_response_hit_ids),
        "query_attributes": {
            "pictures": search.pictures,
            "products": search.products,
            "vectors": search.vectors,
            "matched": search.matched,
            "plan": search.plan,
        },
        "hits": len(search.query_response_hit_ids),
        "took_ms": search.took_ms,
        "diversity": search.diversity,
        "continued": search.continued,
    }


def _number(event_id: str) -> int:
    """Return the primary key of an event with an id: 63 bits of a hash, below 0, where the database counts from 1 upwards.

    Among a hundred million events, the chance that any two ids come to one number is one in two thousand.
    """
    return -1 - (int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest()) >> 1)


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "timestamp_us": microseconds(event.timestamp),
        "action_name": event.action_name,
        "query_id": event.query_id,
        "client_id": event.client_id,
        "session_id": event.session_id,
        "object_id": event.object_id,
        "ordinal": event.ordinal,
    }
