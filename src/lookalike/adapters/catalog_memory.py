"""The catalogue in memory: the same meaning as the SQL one, in dicts under one lock; gone when the process ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from threading import RLock

import numpy as np

from lookalike.core.errors import CatalogError, VectorError
from lookalike.core.storable import require_storable
from lookalike.core.types import Change, Embedding, Keys, Known, Product, Record, Vectors, contents


@dataclass(slots=True)
class Shelf:
    """All there is of one product; `product` is None once it was deleted."""

    key: int
    product: Product | None = None
    source_hash: str = ""
    embedded: str = ""
    seq: int = 0
    content_seq: int = 0
    vectors: dict[tuple[str, str, str], Vectors] = field(default_factory=dict)
    """float32 [dim] by (space, fingerprint, content hash)."""


class MemoryCatalog:
    """A `Catalog` of one process. Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._shelves: dict[str, Shelf] = {}
        self._by_key: list[str] = []
        self._head = 0
        self._readers: dict[str, int] = {}
        self._thumbnails: dict[str, bytes] = {}
        self._artifacts: dict[str, bytes] = {}

    def write(self, records: Sequence[Record]) -> Sequence[str]:
        """Insert or replace products, all or none, but for those that moved on since they were read: return their ids.

        Raises RowError or VectorError, before anything is written, for what could not be stored.
        """
        products = [stored(record.product) for record in records]
        vectors = [checked(record.embeddings) for record in records]
        moved = []
        with self._lock:
            for record, product, made in zip(records, products, vectors, strict=True):
                if record.read_seq in (None, self._seq(product.id)):
                    self._put(record, product, made)
                else:
                    moved.append(product.id)
        return moved

    def _seq(self, id_: str) -> int:
        """Return the sequence number at which a product last changed, 0 for one that is not there."""
        return next((shelf.seq for _, shelf in self._live([id_])), 0)

    def _put(self, record: Record, product: Product, made: dict[tuple[str, str, str], Vectors]) -> None:
        """Write one product."""
        shelf = self._shelves.get(product.id)
        if shelf is None:
            shelf = self._shelves[product.id] = Shelf(len(self._by_key))
            self._by_key.append(product.id)
        wanted = {(space, hash_) for space, hashes in contents(product).items() for hash_ in hashes}
        fresh = {name: vector for name, vector in made.items() if (name[0], name[2]) in wanted}
        kept = {name: vector for name, vector in shelf.vectors.items() if (name[0], name[2]) in wanted}
        self._head += 1
        if shelf.product is None or fresh or len(kept) < len(shelf.vectors):
            shelf.content_seq = self._head
        shelf.product, shelf.seq, shelf.vectors = product, self._head, kept | fresh
        shelf.source_hash, shelf.embedded = record.source_hash, record.embedded
        for thumbnail in record.thumbnails:
            self._thumbnails.setdefault(thumbnail.content_hash, thumbnail.data)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete products; unknown ids are fine. Return how many there were."""
        with self._lock:
            live = [shelf for _, shelf in self._live(ids)]
            for shelf in live:
                self._head += 1
                self._shelves[self._by_key[shelf.key]] = Shelf(
                    shelf.key, seq=self._head, content_seq=self._head
                )
            return len(live)

    def _live(self, ids: Sequence[str]) -> list[tuple[str, Shelf]]:
        """Return the distinct ids that are in the catalogue, with what there is of them."""
        found = ((id_, self._shelves.get(id_)) for id_ in dict.fromkeys(ids))
        return [(id_, shelf) for id_, shelf in found if shelf and shelf.product]

    def known(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """Return what is held of these ids (deleted ones are not known)."""
        with self._lock:
            return {
                id_: Known(shelf.key, shelf.source_hash, shelf.embedded, shelf.product.images, shelf.seq)
                for id_, shelf in self._live(ids)
                if shelf.product
            }

    def embedded(
        self, ids: Sequence[str], fingerprints: Mapping[str, str]
    ) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Return, for each id asked for, which (space, content hash) have an embedding under fingerprints[space]."""
        with self._lock:
            held = {id_: shelf.vectors for id_, shelf in self._live(ids)}
            return {
                id_: frozenset(
                    (space, content)
                    for space, made_by, content in held.get(id_, ())
                    if fingerprints.get(space) == made_by
                )
                for id_ in ids
            }

    def keys(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the key of each id that is in the catalogue."""
        with self._lock:
            return {id_: shelf.key for id_, shelf in self._live(ids)}

    def get_many(self, keys: Sequence[int]) -> Mapping[int, Product]:
        """Return the products with these keys, in the order asked for; missing ones are left out."""
        with self._lock:
            ids = {int(key): self._by_key[key] for key in keys if 0 <= key < len(self._by_key)}
            found = {key: self._shelves[id_].product for key, id_ in ids.items()}
            return {key: product for key, product in found.items() if product}

    def count(self) -> int:
        """Count the products."""
        with self._lock:
            return len(self._live(self._by_key))

    def sequence(self) -> int:
        """Return the head of the change sequence, 0 when nothing was ever written."""
        return self._head

    def changes(self, after_seq: int, limit: int = 2000) -> Sequence[Change]:
        """Return the latest change of each product that changed after `after_seq`, oldest first, at most `limit`."""
        with self._lock:
            found = sorted(
                (shelf.seq, shelf.key, id_, shelf)
                for id_, shelf in self._shelves.items()
                if shelf.seq > after_seq
            )
            return [
                Change(seq, key, id_, shelf.product, shelf.content_seq)
                for seq, key, id_, shelf in found[: max(limit, 0)]
            ]

    def position(self, reader: str) -> int:
        """Return how far a named reader of the sequence has come, 0 for a new one."""
        return self._readers.get(reader, 0)

    def set_position(self, reader: str, seq: int) -> None:
        """Remember how far a named reader has come."""
        self._readers[reader] = seq

    def embeddings(self, keys: Keys, fingerprints: Mapping[str, str]) -> Mapping[str, tuple[Keys, Vectors]]:
        """Return per space the stored vectors of these products under fingerprints[space].

        Each is (keys int64 [n], vectors float32 [n, dim]), ordered by key and then content hash; float32 [0, 0] where there
        are none. Raises CatalogError if one space and fingerprint has vectors of several lengths.
        """
        with self._lock:
            wanted = np.unique(np.asarray(keys, np.int64)).tolist()
            ids = [self._by_key[key] for key in wanted if 0 <= key < len(self._by_key)]
            shelves = [self._shelves[id_] for id_ in ids]
            return {space: gathered(shelves, space, made_by) for space, made_by in fingerprints.items()}

    def add_embeddings(self, made: Sequence[tuple[int, Embedding]]) -> None:
        """Add vectors that nobody searches yet to products, by key, all or none; the change sequence does not move."""
        vectors = [(key, checked([embedding])) for key, embedding in made]
        with self._lock:
            for key, each in vectors:
                shelf = self._shelves[self._by_key[key]] if 0 <= key < len(self._by_key) else None
                wanted = contents(shelf.product) if shelf and shelf.product else {}
                if shelf:
                    shelf.vectors |= {n: v for n, v in each.items() if n[2] in wanted.get(n[0], ())}

    def drop_embeddings(self, fingerprints: Mapping[str, str]) -> int:
        """Drop all vectors made under fingerprints[space], which nobody may be searching; return how many there were."""
        with self._lock:
            return self._drop(fingerprints)

    def _drop(self, fingerprints: Mapping[str, str]) -> int:
        dropped = 0
        for shelf in self._shelves.values():
            kept = {n: v for n, v in shelf.vectors.items() if fingerprints.get(n[0]) != n[1]}
            dropped += len(shelf.vectors) - len(kept)
            shelf.vectors = kept
        return dropped

    def thumbnail(self, content_hash: str) -> bytes | None:
        """Return the small picture with this content hash."""
        return self._thumbnails.get(content_hash)

    def artifact(self, name: str) -> bytes | None:
        """Return a derived thing kept beside the products, such as "calibration"."""
        return self._artifacts.get(name)

    def set_artifact(self, name: str, data: bytes) -> None:
        """Keep (or replace) a derived thing, and let the change sequence move on by one if it is different."""
        with self._lock:
            self._keep(name, data)

    def _keep(self, name: str, data: bytes) -> None:
        if self._artifacts.get(name) != data:
            self._artifacts[name] = data
            self._head += 1

    def replace_artifact(
        self, name: str, was: bytes | None, data: bytes, drop: Mapping[str, str] | None = None
    ) -> int | None:
        """Keep a derived thing if it still is what it was, and drop vectors with it; None if it is something else by now."""
        with self._lock:
            if self._artifacts.get(name) != was:
                return None
            self._keep(name, data)
            return self._drop(drop or {})

    def close(self) -> None:
        """Let go of nothing: the catalogue lives as long as its object."""


def gathered(shelves: Sequence[Shelf], space: str, made_by: str) -> tuple[Keys, Vectors]:
    """Stack the vectors of one space: keys int64 [n], vectors float32 [n, dim]."""
    found = [
        (shelf.key, shelf.vectors[name])
        for shelf in shelves
        for name in sorted(shelf.vectors)
        if name[:2] == (space, made_by)
    ]
    if len({len(vector) for _, vector in found}) > 1:
        raise CatalogError(
            f"The catalogue has {space} vectors of several lengths made by encoder {made_by}.",
            hint="Embed the products anew.",
        )
    vectors = np.stack([vector for _, vector in found]) if found else np.empty((0, 0), np.float32)
    return np.array([key for key, _ in found], np.int64), vectors


def checked(embeddings: Sequence[Embedding]) -> dict[tuple[str, str, str], Vectors]:
    """Copy the vectors, float32 [dim] each, by (space, fingerprint, content hash)."""
    copies = {}
    for made in embeddings:
        vector = np.array(made.vector, np.float32)
        if vector.ndim != 1 or not vector.size:
            raise VectorError(
                f"An embedding must be float32 [dim]; this one is {list(vector.shape)}.",
                hint="Pass one Embedding per vector.",
            )
        copies[made.space, made.fingerprint, made.content_hash] = vector
    return copies


def stored(product: Product) -> Product:
    """Copy a product as it would come back from a database; raise RowError for what none, or not every one, can keep."""
    require_storable(product)
    return replace(
        product,
        attributes=dict(product.attributes),
        images=tuple(replace(image, data=None) for image in product.images),
        added=product.added and product.added.astimezone(UTC),
    )
