"""How the catalogue is written: under the lock of the change counter, a handful of statements for any number of products.

Each function runs inside a transaction that its caller commits (`catalog_sql_schema.transaction`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import sqlalchemy as sa

from lookalike.adapters.catalog_sql_rows import to_row, tombstone
from lookalike.adapters.catalog_sql_schema import (
    counter,
    embeddings,
    insert_absent,
    products,
    thumbnails,
    upsert,
)
from lookalike.core.errors import VectorError
from lookalike.core.types import Embedding, Record, Thumbnail, contents

T = TypeVar("T")

MAX_PARAMETERS = 500
"""Most values in one IN list: older SQLite takes 999 parameters in all."""

HELD = sa.select(*(products.c[name] for name in ("id", "key", "seq", "content_seq", "deleted"))).where(
    products.c.id.in_(sa.bindparam("ids", expanding=True))
)
HELD_CONTENTS = (
    sa.select(embeddings.c.key, embeddings.c.space, embeddings.c.content_hash)
    .distinct()  # once for all fingerprints
    .where(embeddings.c.key.in_(sa.bindparam("keys", expanding=True)))
)
DROP_CONTENT = sa.delete(embeddings).where(
    embeddings.c.key == sa.bindparam("of"),
    embeddings.c.space == sa.bindparam("in_space"),
    embeddings.c.content_hash == sa.bindparam("content"),
)
DROP_ALL = sa.delete(embeddings).where(embeddings.c.key == sa.bindparam("of"))
BURY = sa.update(products).where(products.c.key == sa.bindparam("of"))
LOCK_COUNTER = sa.select(counter.c.head, counter.c.products).with_for_update()
HIGHEST_KEY = sa.select(sa.func.coalesce(sa.func.max(products.c.key), -1))


class Prepared(NamedTuple):
    """A record made ready before the lock is taken: its row, its (space, content hash) pairs, and what came with it."""

    row: dict[str, Any]
    contents: frozenset[tuple[str, str]]
    embeddings: tuple[dict[str, Any], ...]
    thumbnails: tuple[Thumbnail, ...]
    read_seq: int | None


class Held(NamedTuple):
    """What the catalogue has under an id already."""

    key: int
    seq: int
    content_seq: int
    deleted: bool


@dataclass(slots=True)
class Counter:
    """The locked counter row, counted up here and stored at the end of the transaction."""

    head: int
    products: int


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into pieces short enough for one IN list."""
    for start in range(0, len(values), MAX_PARAMETERS):
        yield values[start : start + MAX_PARAMETERS]


def prepare_record(record: Record) -> Prepared:
    """Check a record and turn it into rows. Raises RowError or VectorError for what cannot be stored."""
    row = to_row(record)
    wanted = frozenset(
        (space, hash_) for space, hashes in contents(record.product).items() for hash_ in hashes
    )
    given = (made for made in record.embeddings if (made.space, made.content_hash) in wanted)
    return Prepared(row, wanted, tuple(map(embedding_row, given)), record.thumbnails, record.read_seq)


def embedding_row(embedding: Embedding) -> dict[str, Any]:
    """Turn an embedding into the values of its row, but for the key: float32 [dim] -> 4 * dim bytes, little-endian."""
    vector = np.asarray(embedding.vector, dtype="<f4")
    if vector.ndim != 1 or not vector.size:
        raise VectorError(
            f"An embedding must be float32 [dim]; this one is {list(vector.shape)}.",
            hint="Pass one Embedding per vector.",
        )
    return {
        "space": embedding.space,
        "fingerprint": embedding.fingerprint,
        "content_hash": embedding.content_hash,
        "vector": vector.tobytes(),
    }


def lock_counter(connection: sa.Connection) -> Counter:
    """Wait until no other transaction writes, and read the counter."""
    head, count = connection.execute(LOCK_COUNTER).one()
    return Counter(head, count)


def store_counter(connection: sa.Connection, now: Counter) -> None:
    """Write the counter back."""
    connection.execute(sa.update(counter).values(head=now.head, products=now.products))


def write_records(connection: sa.Connection, records: Iterable[Prepared]) -> list[str]:
    """Insert or replace products in the order given; return the ids of those that moved on since they were read."""
    now = lock_counter(connection)
    moved = [id_ for run in distinct_runs(records) for id_ in write_run(connection, now, run)]
    store_counter(connection, now)
    return moved


def distinct_runs(records: Iterable[Prepared]) -> Iterator[list[Prepared]]:
    """Cut the records wherever an id comes again, so that each run can be written at once. Mostly that is nowhere."""
    run: dict[str, Prepared] = {}
    for record in records:
        if record.row["id"] in run:
            yield list(run.values())
            run = {}
        run[record.row["id"]] = record
    yield list(run.values())


def write_run(connection: sa.Connection, now: Counter, run: list[Prepared]) -> list[str]:
    """Write products of which no two have the same id, but for those that moved on: return their ids."""
    held = read_held(connection, [record.row["id"] for record in run])
    moved = [record.row["id"] for record in run if has_moved(record, held)]
    run = [record for record in run if not has_moved(record, held)]
    number(connection, now, run, held)
    stale = stale_contents(connection, [r for r in run if r.row["id"] in held])
    touched = {row["of"] for row in stale}
    for record in run:
        row, old = record.row, held.get(record.row["id"])
        same = old is not None and not old.deleted and not record.embeddings and row["key"] not in touched
        row["content_seq"] = old.content_seq if old and same else row["seq"]
    dialect = connection.dialect.name
    made = [{"key": record.row["key"], **row} for record in run for row in record.embeddings]
    small = [{"content_hash": t.content_hash, "data": t.data} for record in run for t in record.thumbnails]
    for statement, rows in (
        (upsert(dialect, products), [record.row for record in run]),
        (DROP_CONTENT, stale),
        (upsert(dialect, embeddings), made),
        (insert_absent(dialect, thumbnails), small),
    ):
        if rows:
            connection.execute(statement, rows)
    return moved


def has_moved(record: Prepared, held: dict[str, Held]) -> bool:
    """Say whether a record was made from a product that has changed, come or gone since. Under the lock this stays so."""
    old = held.get(record.row["id"])
    return record.read_seq not in (None, old.seq if old and not old.deleted else 0)


def read_held(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Held]:
    """Read what there is under these ids, deleted products included."""
    rows = (row for some in chunks(ids) for row in connection.execute(HELD, {"ids": some}).all())
    return {row.id: Held(row.key, row.seq, row.content_seq, row.deleted) for row in rows}


def number(connection: sa.Connection, now: Counter, run: list[Prepared], held: dict[str, Held]) -> None:
    """Give every record its sequence number, and new products the next keys: no gaps, in the order given."""
    fresh = [record for record in run if record.row["id"] not in held]
    if fresh:
        first = connection.execute(HIGHEST_KEY).scalar_one() + 1
        for key, record in enumerate(fresh, first):
            record.row["key"] = key
    for seq, record in enumerate(run, now.head + 1):
        old = held.get(record.row["id"])
        record.row["seq"] = seq
        record.row["key"] = old.key if old else record.row["key"]
        now.products += old is None or old.deleted
    now.head += len(run)


def stale_contents(connection: sa.Connection, run: list[Prepared]) -> list[dict[str, Any]]:
    """Find embeddings of contents their products no longer have, as parameters of DROP_CONTENT."""
    wanted = {record.row["key"]: record.contents for record in run}
    rows = (
        row
        for some in chunks(list(wanted))
        for row in connection.execute(HELD_CONTENTS, {"keys": some}).all()
    )
    return [
        {"of": key, "in_space": space, "content": content}
        for key, space, content in rows
        if (space, content) not in wanted[key]
    ]


def delete_products(connection: sa.Connection, ids: Sequence[str]) -> int:
    """Empty the rows of these products down to key and id, drop their embeddings; return how many there were."""
    now = lock_counter(connection)
    held = read_held(connection, ids)
    keys = [held[id_].key for id_ in ids if id_ in held and not held[id_].deleted]
    if not keys:
        return 0
    empty = tombstone()
    connection.execute(DROP_ALL, [{"of": key} for key in keys])
    connection.execute(
        BURY,
        [{"of": key, "seq": seq, "content_seq": seq, **empty} for seq, key in enumerate(keys, now.head + 1)],
    )
    store_counter(connection, Counter(now.head + len(keys), now.products - len(keys)))
    return len(keys)
