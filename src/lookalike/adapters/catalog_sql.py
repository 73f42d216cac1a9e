"""The catalogue in a SQL database: SQLite for one machine, PostgreSQL for many, through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from lookalike.adapters import catalog_sql_write as writing
from lookalike.adapters.catalog_sql_database import Database
from lookalike.adapters.catalog_sql_rows import (
    CHANGE_COLUMNS,
    PRODUCT_COLUMNS,
    to_change,
    to_images,
    to_product,
)
from lookalike.adapters.catalog_sql_schema import (
    artifacts,
    counter,
    embeddings,
    products,
    readers,
    thumbnails,
    upsert,
)
from lookalike.adapters.catalog_sql_write import chunks
from lookalike.core.errors import CatalogError
from lookalike.core.storable import storable
from lookalike.core.types import Change, Embedding, Keys, Known, Product, Record, Vectors, contents

LIVE = sa.not_(products.c.deleted)
WITH_IDS = products.c.id.in_(sa.bindparam("ids", expanding=True))

KNOWN = sa.select(
    *(products.c[name] for name in ("id", "key", "source_hash", "embedded", "images", "seq"))
).where(WITH_IDS, LIVE)
EMBEDDED = sa.select(
    embeddings.c.key, embeddings.c.space, embeddings.c.content_hash, embeddings.c.fingerprint
).where(embeddings.c.key.in_(sa.bindparam("keys", expanding=True)))
KEYS = sa.select(products.c.id, products.c.key).where(WITH_IDS, LIVE)
GET_MANY = sa.select(products.c.key, *PRODUCT_COLUMNS).where(
    products.c.key.in_(sa.bindparam("keys", expanding=True)), LIVE
)
CHANGES = (
    sa.select(*CHANGE_COLUMNS, *PRODUCT_COLUMNS)
    .where(products.c.seq > sa.bindparam("after"))
    .order_by(products.c.seq)
    .limit(sa.bindparam("most"))
)
VECTORS = (
    sa.select(embeddings.c.key, embeddings.c.content_hash, embeddings.c.vector)
    .where(
        embeddings.c.key.in_(sa.bindparam("keys", expanding=True)),
        embeddings.c.space == sa.bindparam("in_space"),
        embeddings.c.fingerprint == sa.bindparam("made_by"),
    )
    .execution_options(binary_results=True)
)
DROP_MADE_BY = sa.delete(embeddings).where(
    embeddings.c.space == sa.bindparam("in_space"), embeddings.c.fingerprint == sa.bindparam("made_by")
)
POSITION = sa.select(readers.c.seq).where(readers.c.name == sa.bindparam("reader"))
THUMBNAIL = sa.select(thumbnails.c.data).where(thumbnails.c.content_hash == sa.bindparam("content"))
ARTIFACT = sa.select(artifacts.c.data).where(artifacts.c.name == sa.bindparam("called"))


class SqlCatalog:
    """A `Catalog` in SQLite or PostgreSQL. Safe to use from threads; other processes may read and write beside it.

    Reads are single statements in autocommit mode. Writes run one after the other: each locks the change counter first.
    A thumbnail stays when no product refers to it any more; it costs two kilobytes and may be wanted again.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._engine = database.engine
        self._dialect = database.engine.dialect.name
        self._place = database.place
        self._reading = database.reading
        self._writing = database.writing

    @classmethod
    def open(
        cls, url_or_path: str | Path, *, create: bool = True, busy_timeout_s: float = 30.0
    ) -> SqlCatalog:
        """Open the catalogue at a path (SQLite) or postgresql:// URL, of this or an older schema version.

        Where there is none one is made, or with `create` False a CatalogError raised. `busy_timeout_s` is how long SQLite
        waits for another process that writes. Raises MissingExtra for a postgresql:// URL without psycopg.
        """
        return cls(Database.open(url_or_path, create=create, busy_timeout_s=busy_timeout_s))

    def _rows(self, statement: sa.Executable, name: str, values: Sequence[Any]) -> list[sa.Row[Any]]:
        """Run a statement with the IN list called `name`, in as many pieces as that takes."""
        with self._reading() as connection:
            return [
                row for some in chunks(values) for row in connection.execute(statement, {name: some}).all()
            ]

    def _scalar(self, statement: sa.Executable, **parameters: Any) -> Any:
        """Run a statement that gives one value, or None."""
        with self._reading() as connection:
            return connection.execute(statement, parameters).scalar()

    def write(self, records: Sequence[Record]) -> Sequence[str]:
        """Insert or replace products, all or none, but for those that moved on since they were read: return their ids.

        Raises RowError or VectorError, before anything is written, for what cannot be stored.
        """
        if not records:
            return []
        prepared = [writing.prepare_record(record) for record in records]
        with self._writing() as connection:
            return writing.write_records(connection, prepared)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete products; unknown ids are fine. Return how many there were."""
        wanted = askable(ids)
        if not wanted:
            return 0
        with self._writing() as connection:
            return writing.delete_products(connection, wanted)

    def known(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """Return what is held of these ids (deleted ones are not known)."""
        return {
            row.id: Known(row.key, row.source_hash, row.embedded, to_images(row.images), row.seq)
            for row in self._rows(KNOWN, "ids", askable(ids))
        }

    def embedded(
        self, ids: Sequence[str], fingerprints: Mapping[str, str]
    ) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Return, for each id asked for, which (space, content hash) have an embedding under fingerprints[space]."""
        held = self.keys(ids)
        found: dict[int, set[tuple[str, str]]] = {key: set() for key in held.values()}
        for row in self._rows(EMBEDDED, "keys", list(found)):
            if fingerprints.get(row.space) == row.fingerprint:
                found[row.key].add((row.space, row.content_hash))
        return {id_: frozenset(found[held[id_]] if id_ in held else ()) for id_ in ids}

    def keys(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the key of each id that is in the catalogue."""
        return {row.id: row.key for row in self._rows(KEYS, "ids", askable(ids))}

    def get_many(self, keys: Sequence[int]) -> Mapping[int, Product]:
        """Return the products with these keys, in the order asked for; missing ones are left out."""
        wanted = list(dict.fromkeys(int(key) for key in keys))
        found = {row.key: to_product(row) for row in self._rows(GET_MANY, "keys", wanted)}
        return {key: found[key] for key in wanted if key in found}

    def count(self) -> int:
        """Count the products."""
        return int(self._scalar(sa.select(counter.c.products)))

    def sequence(self) -> int:
        """Return the head of the change sequence, 0 when nothing was ever written."""
        return int(self._scalar(sa.select(counter.c.head)))

    def changes(self, after_seq: int, limit: int = 2000) -> Sequence[Change]:
        """Return the latest change of each product that changed after `after_seq`, oldest first, at most `limit`."""
        with self._reading() as connection:
            found = connection.execute(CHANGES, {"after": after_seq, "most": max(limit, 0)}).all()
            return [to_change(row) for row in found]

    def position(self, reader: str) -> int:
        """Return how far a named reader of the sequence has come, 0 for a new one."""
        return self._scalar(POSITION, reader=reader) or 0

    def set_position(self, reader: str, seq: int) -> None:
        """Remember how far a named reader has come."""
        with self._writing() as connection:
            connection.execute(upsert(self._dialect, readers), {"name": reader, "seq": seq})

    def embeddings(self, keys: Keys, fingerprints: Mapping[str, str]) -> Mapping[str, tuple[Keys, Vectors]]:
        """Return per space the stored vectors of these products under fingerprints[space].

        Each is (keys int64 [n], vectors float32 [n, dim]), ordered by key and then content hash; float32 [0, 0] where there
        are none. Raises CatalogError if one space and fingerprint has vectors of several lengths.
        """
        wanted = np.unique(np.asarray(keys, dtype=np.int64)).tolist()
        return {space: self._vectors(wanted, space, made_by) for space, made_by in fingerprints.items()}

    def _vectors(self, keys: list[int], space: str, made_by: str) -> tuple[Keys, Vectors]:
        """Read the vectors of one space under ascending keys."""
        with self._reading() as connection:
            rows = [
                row
                for some in chunks(keys)
                for row in connection.execute(
                    VECTORS, {"keys": some, "in_space": space, "made_by": made_by}
                ).all()
            ]
        rows.sort(key=lambda row: (row.key, row.content_hash))
        lengths = {len(row.vector) for row in rows}
        if len(lengths) > 1:
            raise CatalogError(
                f"The catalogue {self._place} has {space} vectors of several lengths made by encoder {made_by}.",
                hint="Embed the products anew: lookalike index SOURCE --shop PATH",
            )
        data = bytearray().join([row.vector for row in rows])  # a bytearray makes the array writable
        vectors = np.frombuffer(data, dtype="<f4").astype(np.float32, copy=False)
        return (
            np.array([row.key for row in rows], dtype=np.int64),
            vectors.reshape(len(rows), lengths.pop() // 4 if rows else 0),
        )

    def add_embeddings(self, made: Sequence[tuple[int, Embedding]]) -> None:
        """Add vectors that nobody searches yet to products, by key, all or none; the change sequence does not move."""
        rows = [{"key": int(key), **writing.embedding_row(embedding)} for key, embedding in made]
        if not rows:
            return
        with self._writing() as connection:
            writing.lock_counter(connection)  # from here on nobody changes what the products hold
            found = [
                row
                for some in chunks(sorted({row["key"] for row in rows}))
                for row in connection.execute(GET_MANY, {"keys": some}).all()
            ]
            wanted = {row.key: contents(to_product(row)) for row in found}
            fitting = [r for r in rows if r["content_hash"] in wanted.get(r["key"], {}).get(r["space"], ())]
            if fitting:
                connection.execute(upsert(self._dialect, embeddings), fitting)

    def drop_embeddings(self, fingerprints: Mapping[str, str]) -> int:
        """Drop all vectors made under fingerprints[space], which nobody may be searching; return how many there were."""
        with self._writing() as connection:
            writing.lock_counter(connection)
            return _dropped(connection, fingerprints)

    def thumbnail(self, content_hash: str) -> bytes | None:
        """Return the small picture with this content hash."""
        found: bytes | None = self._scalar(THUMBNAIL, content=content_hash)
        return found

    def artifact(self, name: str) -> bytes | None:
        """Return a derived thing kept beside the products, such as "calibration"."""
        found: bytes | None = self._scalar(ARTIFACT, called=name)
        return found

    def set_artifact(self, name: str, data: bytes) -> None:
        """Keep (or replace) a derived thing, and let the change sequence move on by one if it is different."""
        with self._writing() as connection:
            now = writing.lock_counter(connection)
            if connection.execute(ARTIFACT, {"called": name}).scalar() != data:
                self._keep(connection, now, name, data)

    def replace_artifact(
        self, name: str, was: bytes | None, data: bytes, drop: Mapping[str, str] | None = None
    ) -> int | None:
        """Keep a derived thing if it still is what it was, and drop vectors with it; None if it is something else by now."""
        with self._writing() as connection:
            now = writing.lock_counter(connection)
            if connection.execute(ARTIFACT, {"called": name}).scalar() != was:
                return None
            if data != was:
                self._keep(connection, now, name, data)
            return _dropped(connection, drop or {})

    def _keep(self, connection: sa.Connection, now: writing.Counter, name: str, data: bytes) -> None:
        connection.execute(upsert(self._dialect, artifacts), {"name": name, "data": data})
        now.head += 1
        writing.store_counter(connection, now)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def _dropped(connection: sa.Connection, fingerprints: Mapping[str, str]) -> int:
    """Drop all vectors made under fingerprints[space], under the lock; return how many there were."""
    return sum(
        connection.execute(DROP_MADE_BY, {"in_space": space, "made_by": made_by}).rowcount
        for space, made_by in fingerprints.items()
    )


def askable(ids: Sequence[str]) -> list[str]:
    """Return the distinct ids that a database could hold; the others are in none, and PostgreSQL may not be asked."""
    return [id_ for id_ in dict.fromkeys(ids) if storable(id_)]
