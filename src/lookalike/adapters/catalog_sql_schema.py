"""The tables of the catalogue, and how a database is brought to the version this code knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lookalike.adapters.catalog_sql_engine import missing
from lookalike.core.errors import CatalogError

REVISIONS = ("0001", "0002")
"""Every schema version there ever was, oldest first; the last is what the tables below say."""
MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 0x6C6F6F6B
"""Names our advisory lock on PostgreSQL: two processes that open an empty database do not both fill it."""
ONE_UPGRADE = Lock()
"""Alembic keeps the upgrade it is running in a global."""

metadata = sa.MetaData()

products = sa.Table(
    "products",
    metadata,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("family", sa.Text),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("price", sa.Double),
    sa.Column("currency", sa.Text),
    sa.Column("brand", sa.Text),
    sa.Column("categories", sa.JSON, nullable=False),
    sa.Column("attributes", sa.JSON, nullable=False),
    sa.Column("images", sa.JSON, nullable=False),
    sa.Column("availability", sa.Boolean),
    sa.Column("popularity", sa.Double),
    sa.Column("rating", sa.Double),
    sa.Column("conversion_rate", sa.Double),
    sa.Column(
        "added_us", sa.BigInteger
    ),  # microseconds since 1970 UTC: the same in every database and time zone
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("source_hash", sa.Text, nullable=False),
    sa.Column("embedded", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("content_seq", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Index("products_seq", "seq", unique=True),
)
"""A deleted product keeps its row, emptied but for key and id, so that its key is never given to another."""

embeddings = sa.Table(
    "embeddings",
    metadata,
    sa.Column("key", sa.Integer, sa.ForeignKey("products.key"), primary_key=True, autoincrement=False),
    sa.Column("space", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("content_hash", sa.Text, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float32, little-endian
)

thumbnails = sa.Table(
    "thumbnails",
    metadata,
    sa.Column("content_hash", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

readers = sa.Table(
    "readers",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

counter = sa.Table(
    "counter",
    metadata,
    sa.Column("head", sa.BigInteger, nullable=False),
    sa.Column("products", sa.BigInteger, nullable=False),
)
"""One row: the head of the change sequence and the number of products. Each write locks it until it commits, so sequence
numbers become visible in order."""

searches = sa.Table(
    "searches",
    metadata,
    sa.Column("query_id", sa.Text, primary_key=True),
    sa.Column("timestamp_us", sa.BigInteger, nullable=False),  # microseconds since 1970 UTC
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text),
    sa.Column("user_query", sa.Text, nullable=False),
    sa.Column("phrase", sa.Text, nullable=False),  # what it is counted by
    sa.Column("filter", sa.Text),
    sa.Column("query_response_hit_ids", sa.JSON, nullable=False),
    sa.Column("query_attributes", sa.JSON, nullable=False),
    sa.Column("hits", sa.Integer, nullable=False),
    sa.Column("took_ms", sa.Double, nullable=False),
    sa.Column("diversity", sa.Double),
    sa.Column("continued", sa.Boolean, nullable=False),
    sa.Index("searches_timestamp", "timestamp_us"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column(
        "number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    sa.Column("timestamp_us", sa.BigInteger, nullable=False),
    sa.Column("action_name", sa.Text, nullable=False),
    sa.Column("query_id", sa.Text),
    sa.Column("client_id", sa.Text),
    sa.Column("session_id", sa.Text),
    sa.Column("object_id", sa.Text),
    sa.Column("ordinal", sa.Integer),
    sa.Index("events_timestamp", "timestamp_us"),
    sa.Index("events_query", "query_id"),
)
"""No foreign key to searches: an event may come before its search is written, or after it was forgotten."""

version = sa.table("lookalike_version", sa.column("version_num"))
"""Written by Alembic; not called alembic_version, which the shop's own tables may have taken."""

INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@cache
def upsert(dialect: str, table: sa.Table) -> sa.Executable:
    """Build an insert that replaces the row with the same primary key."""
    insert = INSERTS[dialect](table)
    rest = {column.name: insert.excluded[column.name] for column in table.columns if not column.primary_key}
    done: sa.Executable = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)
    return done


@cache
def insert_absent(dialect: str, table: sa.Table) -> sa.Executable:
    """Build an insert that leaves a row with the same primary key as it is."""
    done: sa.Executable = INSERTS[dialect](table).on_conflict_do_nothing()
    return done


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Run the block as the one writer: all or nothing.

    Connections are in autocommit mode, so the transaction is spelled out. SQLite's must be IMMEDIATE: one that starts by
    reading and turns to writing later cannot wait for another writer, it can only fail. On an error the pool rolls back.
    """
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
        yield connection
        connection.exec_driver_sql("COMMIT")


def prepare(engine: sa.Engine, place: str, *, create: bool) -> None:
    """Bring the database to the newest schema version, from an empty one only if `create`; quick if it is there already.

    Raises CatalogError if there is no catalogue in it, one of a newer version, or tables of somebody else's.
    """
    with engine.connect() as connection:
        found = found_version(connection)
        if found == REVISIONS[-1]:
            return
        if found is None:
            require_free(connection, place, create=create)
        elif found not in REVISIONS:
            raise CatalogError(
                f"The catalogue {place} was made by a newer lookalike (schema {found}; this one knows {REVISIONS[-1]}).",
                hint="Upgrade lookalike: pip install --upgrade lookalike",
                code="catalog.newer",
            )
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        upgrade(connection, migrations=MIGRATIONS)


def found_version(connection: sa.Connection) -> str | None:
    """Read the schema version, None where there is no catalogue."""
    if not sa.inspect(connection).has_table(version.name):
        return None
    return connection.execute(sa.select(version.c.version_num)).scalar()


def require_free(connection: sa.Connection, place: str, *, create: bool) -> None:
    """See to it that a catalogue may be made here, and would not run into tables of somebody else's."""
    if not create:
        raise missing(place)
    taken = sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise CatalogError(
            f"{place} is no catalogue and already has a table called {taken[0]}.",
            hint="Name another file or database; a catalogue wants one of its own.",
            code="catalog.not_a_catalog",
        )


def upgrade(connection: sa.Connection, revision: str = "head", *, migrations: Path) -> None:
    """Run the migrations up to `revision` inside the transaction that `connection` is in."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    with ONE_UPGRADE:
        command.upgrade(config, revision)
