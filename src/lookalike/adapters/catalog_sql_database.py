"""One SQL database that a catalogue is kept in, lent to all that read and write it in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import sqlalchemy as sa

from lookalike.adapters.catalog_sql_engine import open_engine, shown
from lookalike.adapters.catalog_sql_errors import translated
from lookalike.adapters.catalog_sql_schema import prepare, transaction


class Database:
    """An engine, the name people know its place by, and whose turn it is to write."""

    def __init__(self, engine: sa.Engine, place: str) -> None:
        self.engine = engine
        self.place = place
        # Our own threads take turns, rather than each knocking at the database until it opens.
        self._turn = Lock()

    @classmethod
    def open(cls, place: str | Path, *, create: bool = True, busy_timeout_s: float = 30.0) -> Database:
        """Open the database at a path (SQLite) or postgresql:// URL and bring it to the newest schema version.

        Where there is none one is made, or with `create` False a CatalogError raised. `busy_timeout_s` is how long SQLite
        waits for another process that writes. Raises MissingExtra for a postgresql:// URL without psycopg.
        """
        engine = open_engine(place, create=create, busy_timeout_s=busy_timeout_s)
        named = shown(engine.url)
        try:
            with translated(named):
                prepare(engine, named, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, named)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Lend a connection; each statement on it sees the newest committed state."""
        with translated(self.place), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Lend a connection inside a transaction, committed if the block ends well."""
        with self._turn, translated(self.place), transaction(self.engine) as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
