"""What the engine asks of the outside world, as Protocols. Each has one contract test suite that every adapter passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lookalike.core.types import (
    Allowed,
    Candidates,
    Change,
    ImageRef,
    Keys,
    Known,
    Pixels,
    Product,
    Record,
    Similarities,
    Vectors,
)


class Encoder(Protocol):
    """Turns pictures and phrases into vectors of one length. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """What a person calls it, such as "builtin"."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same input could give another vector."""
        ...

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def aligned(self) -> bool:
        """Whether a phrase and a picture of what it says lie close: then text also searches the image space."""
        ...

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] RGB pictures of any size -> float32 [n, dim], unit rows, in order."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, dim], unit rows, in order."""
        ...


class VectorIndex(Protocol):
    """Finds the nearest products in one space by inner product. A product may have several vectors; its best one counts.

    Searches, upserts and deletes may run at the same time; a search sees the state before or after a change, never between.
    """

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def exact(self) -> bool:
        """Whether `search` is certain to return the true nearest."""
        ...

    def __len__(self) -> int:
        """Count the vectors (not the products)."""
        ...

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        """Set the vectors of the products named in `keys` [n]; a repeated key means several vectors of that product.

        All vectors such a product had before are gone. Raises VectorError for a wrong shape, NaN, infinite or zero rows.
        """
        ...

    def delete(self, keys: Keys) -> None:
        """Forget these products; unknown keys are fine."""
        ...

    def search(self, vectors: Vectors, pool: int, allowed: Allowed | None = None) -> Candidates:
        """Return the `pool` nearest distinct products of each query vector [queries, dim], among `allowed` if given."""
        ...

    def similarities(self, vectors: Vectors, keys: Keys) -> Similarities:
        """Return the exact similarity of each query to each product [queries, keys], NaN where there is no vector."""
        ...

    def get(self, keys: Keys) -> tuple[Keys, Vectors]:
        """Return all vectors of these products, with the key of each, ordered by key."""
        ...


class Catalog(Protocol):
    """The only truth: products, embeddings, thumbnails, artifacts and the change sequence. Safe to use from threads."""

    def write(self, records: Sequence[Record]) -> int:
        """Insert or replace products, all or none; return the new head of the change sequence.

        Embeddings are added; those of contents the product no longer has (see `types.contents`) are dropped, others kept.
        `content_seq` moves only for products whose set of embeddings changed.
        """
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Delete products; unknown ids are fine. Return how many there were."""
        ...

    def known(self, ids: Sequence[str]) -> Mapping[str, Known]:
        """Return what is held of these ids (deleted ones are not known)."""
        ...

    def embedded(
        self, ids: Sequence[str], fingerprints: Mapping[str, str]
    ) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Return, per id, which (space, content hash) have an embedding under fingerprints[space]."""
        ...

    def keys(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the key of each id that is in the catalogue."""
        ...

    def get_many(self, keys: Sequence[int]) -> Mapping[int, Product]:
        """Return the products with these keys; missing ones are left out."""
        ...

    def count(self) -> int:
        """Count the products."""
        ...

    def sequence(self) -> int:
        """Return the head of the change sequence, 0 when nothing was ever written."""
        ...

    def changes(self, after_seq: int, limit: int = 2000) -> Sequence[Change]:
        """Return the latest change of each product that changed after `after_seq`, oldest first, at most `limit`."""
        ...

    def position(self, reader: str) -> int:
        """Return how far a named reader of the sequence has come, 0 for a new one."""
        ...

    def set_position(self, reader: str, seq: int) -> None:
        """Remember how far a named reader has come."""
        ...

    def embeddings(self, keys: Keys, fingerprints: Mapping[str, str]) -> Mapping[str, tuple[Keys, Vectors]]:
        """Return per space the stored vectors of these products under fingerprints[space], ordered by key."""
        ...

    def thumbnail(self, content_hash: str) -> bytes | None:
        """Return the small picture with this content hash."""
        ...

    def artifact(self, name: str) -> bytes | None:
        """Return a derived thing kept beside the products, such as "calibration"."""
        ...

    def set_artifact(self, name: str, data: bytes) -> None:
        """Keep (or replace) a derived thing, and let the change sequence move on by one if it is different."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class Cache(Protocol):
    """A bounded map of bytes that may forget anything at any time. Safe to use from threads."""

    def get(self, key: str) -> bytes | None:
        """Return what was set, or None."""
        ...

    def set(self, key: str, value: bytes) -> None:
        """Remember a value for as long as there is room."""
        ...


@dataclass(frozen=True, slots=True)
class Update:
    """One change wished for from outside: a row to upsert, or (with `row` None) an id to delete.

    `offset` is the adapter's own mark of its place in the stream.
    """

    id: str
    row: Mapping[str, object] | None
    offset: str = ""


class Updates(Protocol):
    """A stream of changes from outside (a queue, a topic), read at least once."""

    def poll(self, limit: int, timeout_s: float) -> Sequence[Update]:
        """Wait up to `timeout_s` for changes; return at most `limit`, in order, [] if none came."""
        ...

    def commit(self, updates: Sequence[Update]) -> None:
        """Say that these were applied; after a restart, what was not committed comes again."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source, undigested. `number` counts from 1 and `place` is how a person finds it ("line 17")."""

    number: int
    place: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not even be split into values; it is reported, and reading goes on."""

    number: int
    place: str
    reason: str
    hint: str


class Source(Protocol):
    """Products in some file, folder, database or list, as rows; reading is streaming and can start anew."""

    @property
    def name(self) -> str:
        """What a person calls it, such as the file's path."""
        ...

    @property
    def total(self) -> int | None:
        """How many rows there will be, if that is cheap to know."""
        ...

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start. Raises SourceError when the source as a whole cannot be read."""
        ...


class ImageLoader(Protocol):
    """Gets the bytes of pictures from paths, URLs and data URIs, several at a time."""

    def load(self, refs: Iterable[ImageRef]) -> list[bytes | Exception]:
        """Return the bytes, or the FetchError / LimitError that says why not, for each reference, in order."""
        ...

    def close(self) -> None:
        """Close connections that were kept for more."""
        ...
