"""Products from a query to any database SQLAlchemy knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, CursorResult, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lookalike.core.errors import MissingExtra, SourceError
from lookalike.core.ports import BadRow, Row

BATCH_ROWS: Final = 500
"""Rows held at a time; the database keeps the rest, where its driver can."""


class SqlSource:
    """Rows of one SELECT; its columns are the columns.

    It only reads: the transaction is read-only where the database knows such (PostgreSQL, SQLite) and always rolled back.
    A colon in the query that does not begin a parameter is written as a backslash and a colon.
    """

    def __init__(self, url: str, query: str) -> None:
        self._url, self._query = url, query

    @property
    def name(self) -> str:
        """The database's URL without the password."""
        return _parsed(self._url).render_as_string(hide_password=True)

    @property
    def total(self) -> int | None:
        """Unknown: it would mean a second query."""
        return None

    def rows(self) -> Iterator[Row | BadRow]:
        """Run the query. Raises SourceError with the database's own message."""
        engine = _engine(_parsed(self._url))
        try:
            with engine.connect() as connection:
                yield from _rows(connection, self._query)
        except SQLAlchemyError as error:
            raise SourceError(
                f"The database says: {_reason(error)}", hint="Check the URL and the query."
            ) from None
        finally:
            engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        hint = "Write dialect://user:password@host/database, such as sqlite:///shop.db."
        raise SourceError("The database URL cannot be read.", hint=hint) from None
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _engine(url: URL) -> Engine:
    database = url.database or ""
    in_file = (
        url.get_backend_name() == "sqlite"
        and database not in ("", ":memory:")
        and not database.startswith("file:")
    )
    if in_file and not Path(database).is_file():
        raise SourceError(
            f"There is no database {database}.", hint="Check the path."
        )  # SQLite would make an empty one
    try:
        engine = create_engine(url, poolclass=NullPool)
    except (NoSuchModuleError, ArgumentError) as error:
        raise SourceError(
            f"There is no such database: {error}.", hint="Use postgresql:// or sqlite:///."
        ) from None
    except ModuleNotFoundError as error:
        raise _missing(error, url) from None
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
    return engine


def _missing(error: ModuleNotFoundError, url: URL) -> MissingExtra:
    postgres = url.get_backend_name() == "postgresql"
    line = "pip install 'lookalike[postgres]'" if postgres else f"pip install {error.name}"
    return MissingExtra(f"Reading {url.get_backend_name()} needs {error.name}.", hint=f"Install it: {line}")


def _rows(connection: Connection, query: str) -> Iterator[Row | BadRow]:
    options = {"stream_results": True, "yield_per": BATCH_ROWS}
    if connection.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    result: CursorResult[tuple[object, ...]] = connection.execution_options(**options).execute(text(query))
    if not result.returns_rows:
        raise SourceError("The query returns no rows.", hint="Give a SELECT.")
    columns = tuple(result.keys())
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        named = ", ".join(f'"{name}"' for name in twice)
        raise SourceError(f"The query returns {named} more than once.", hint="Name each column with AS.")
    with closing(result):
        for number, row in enumerate(result, 1):
            yield Row(number, f"row {number}", dict(zip(columns, row, strict=True)))


def _reason(error: SQLAlchemyError) -> str:
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    return words[0] if words else type(error).__name__
