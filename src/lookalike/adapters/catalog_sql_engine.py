"""From a path or URL to a SQLAlchemy engine: SQLite tuned for one writer beside many readers, or PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from lookalike.core.errors import CatalogError, MissingExtra

MAX_CONNECTIONS = 32
"""Most connections one catalogue opens at a time; further threads wait for one."""
PAGE_BYTES = 8192
"""SQLite page size of new catalogues: two to seven vectors fit in one, so scans read little air."""
WAL_S = 10.0
"""Others who make the same catalogue at this moment need milliseconds."""
HOW_TO_MAKE = "Make one with `lookalike index SOURCE --shop {place}`."


def open_engine(place: str | Path, *, create: bool, busy_timeout_s: float) -> sa.Engine:
    """Return an engine for a path (SQLite) or URL; every connection is in autocommit mode, see `SqlCatalog`.

    Raises CatalogError for a file that is missing (unless `create`) or another kind of URL, MissingExtra without psycopg.
    """
    url = parse(place)
    if url.get_backend_name() == "sqlite":
        require_file(Path(url.database or ""), create=create)
        engine = new_engine(
            url, connect_args={"timeout": busy_timeout_s}, json_deserializer=json.JSONDecoder().decode
        )
        event.listen(engine, "connect", tune_sqlite)
        return engine
    try:
        engine = new_engine(url, pool_pre_ping=True)  # a restarted server costs nobody an error
    except ImportError as error:
        raise MissingExtra(
            "PostgreSQL needs the psycopg package, which is not installed.",
            hint='Install it: pip install "lookalike[postgres]"',
        ) from error
    event.listen(engine, "before_cursor_execute", ask_for_binary)
    return engine


def new_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """Build an engine whose connections are in autocommit mode and which writes JSON compactly, in Unicode."""
    return sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=MAX_CONNECTIONS // 2,
        max_overflow=MAX_CONNECTIONS // 2,
        json_serializer=json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode,
        **options,
    )


def parse(place: str | Path) -> sa.URL:
    """Read a path or URL; a path, and nothing but a path, means SQLite."""
    if "://" not in str(place):
        return sa.URL.create("sqlite", database=str(Path(place).expanduser().absolute()))
    try:
        url = sa.make_url(str(place))
    except (exc.ArgumentError, ValueError) as error:
        raise CatalogError(
            "The catalogue's URL cannot be read.",
            hint="Write it as postgresql://user:password@host:5432/database, or give the path of a file.",
        ) from error
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite" and url.database:
        return parse(url.database)
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise CatalogError(
        f"A catalogue cannot be kept at {backend}://.",
        hint="Give the path of a file, or a postgresql:// URL.",
    )


def shown(url: sa.URL) -> str:
    """Write a URL the way a person gave it, without its password and options (which may hold one)."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


def require_file(path: Path, *, create: bool) -> None:
    """Raise CatalogError unless SQLite finds the file, or at least the folder to make it in; none is made."""
    if path.exists():
        return
    if not create:
        raise missing(str(path))
    if not path.parent.is_dir():
        raise CatalogError(
            f"There is no folder {path.parent} for the catalogue {path.name}.",
            hint="Make it first, or check the path.",
            code="catalog.no_folder",
        )


def missing(place: str) -> CatalogError:
    """Say that there is no catalogue, and how to make one."""
    return CatalogError(
        f"There is no catalogue at {place}.", hint=HOW_TO_MAKE.format(place=place), code="catalog.missing"
    )


def tune_sqlite(connection: Any, _record: object) -> None:
    """Set up one SQLite connection. WAL lets readers go on while one writes; NORMAL still survives a killed process."""
    connection.execute(
        f"PRAGMA page_size = {PAGE_BYTES}"
    ).close()  # heeded only while the file is empty: before WAL
    _go_over_to_wal(connection)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _go_over_to_wal(connection: Any) -> None:
    """Turn a new file to WAL. SQLite does not wait where several do so at once, but fails: so we wait."""
    until = monotonic() + WAL_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > until:
                raise
            sleep(0.01)


def ask_for_binary(*call: Any) -> None:
    """Let PostgreSQL send vectors as they are instead of as hexadecimal text, which takes six times as long."""
    _connection, cursor, _statement, _parameters, context, _many = call
    if context is not None and context.execution_options.get("binary_results"):
        cursor.format = 1  # psycopg.pq.Format.BINARY
