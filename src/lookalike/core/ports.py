"""What the engine asks of the outside world, as Protocols. Each has one contract test suite that every adapter passes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lookalike.core.click_grades import Shown
from lookalike.core.clicks import Counts, Event, LoggedSearch
from lookalike.core.types import (
    Allowed,
    Candidates,
    Change,
    Embedding,
    ImageRef,
    Keys,
    Known,
    Pixels,
    Product,
    Record,
    Similarities,
    Vectors,
)
from lookalike.core.words import Document


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

    @property
    def sees(self) -> bool:
        """Whether it embeds pictures; `encode_images` of one that does not raises InputError with the code "model"."""
        ...

    @property
    def reads(self) -> bool:
        """Whether it embeds phrases; `encode_texts` of one that does not raises InputError with the code "model"."""
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

    @property
    def learned(self) -> int:
        """How many vectors its cells, or whatever it has, were learned from: another number, another structure. 0 if exact."""
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

    def observed(self, share: float, recall: float) -> None:
        """Take note of what a live search found of the true nearest, 0 to 1.

        `share` is that of the vectors which its filter lets through, 1 without one. An index that finds less than it promised
        may look further from then on; an exact one need not.
        """
        ...


class LexicalIndex(Protocol):
    """Finds products by the words of a phrase, as they are written. `core.lexical` says what a score is: 0 to 1, exact.

    Any text is a phrase: there is no query language. Searches, upserts and deletes may run at the same time; a search sees
    the state before or after a change, never between.
    """

    def __len__(self) -> int:
        """Count the products that have words."""
        ...

    def upsert(self, keys: Keys, documents: Sequence[Document]) -> None:
        """Set what the products named in `keys` [n] can be found by; without words a product is not held."""
        ...

    def delete(self, keys: Keys) -> None:
        """Forget these products; unknown keys are fine."""
        ...

    def search(self, text: str, pool: int, allowed: Allowed | None = None) -> Candidates:
        """Return the `pool` products of highest score above 0, among `allowed` if given, as candidates of one query.

        Equal ones come by smaller key. What is not among fewer than `pool` scores nothing; of what is not among `pool`, none
        scores more than the last of them.
        """
        ...

    def scores(self, text: str, keys: Keys) -> Similarities:
        """Return the score of each product, float32 [n], NaN where nothing of the phrase is found."""
        ...

    def names(self, text: str) -> bool:
        """Say whether the whole phrase is the code of a product (`words.Document.codes`), which then scores 1, or the beginning
        of one (`words.beginning_in`)."""
        ...


class Catalog(Protocol):
    """The only truth: products, embeddings, thumbnails, artifacts and the change sequence. Safe to use from threads."""

    def write(self, records: Sequence[Record]) -> Sequence[str]:
        """Insert or replace products, all or none, but for those that moved on since they were read: return their ids.

        That is, a record whose `read_seq` is no longer that of its product is left unwritten; whether it is, and the write,
        are one step, whoever else writes.
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

    def add_embeddings(self, made: Sequence[tuple[int, Embedding]]) -> None:
        """Add vectors that nobody searches yet to products, by key, all or none; the change sequence does not move.

        Those of contents that their products no longer have are left out.
        """
        ...

    def drop_embeddings(self, fingerprints: Mapping[str, str]) -> int:
        """Drop all vectors made under fingerprints[space], which nobody may be searching; return how many there were."""
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

    def replace_artifact(
        self, name: str, was: bytes | None, data: bytes, drop: Mapping[str, str] | None = None
    ) -> int | None:
        """Keep a derived thing if it still is what it was (None: not there); of several who try, one succeeds.

        In the same step all vectors made under drop[space] are dropped, as `drop_embeddings` does: return how many there were.
        Return None, with nothing changed, if it is something else by now.
        """
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


class EventLog(Protocol):
    """What was searched for and what people did with the results, beside the catalogue. Safe to use from threads."""

    def write_searches(self, searches: Sequence[LoggedSearch]) -> None:
        """Keep searches, all or none; one whose query id is held already stays as it is."""
        ...

    def write_events(self, events: Sequence[Event]) -> None:
        """Keep events, all or none; once this returns they survive the end of the process. Their searches may be unknown.

        One whose `event_id` is held already, or comes twice, is kept once.
        """
        ...

    def found(self, query_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids that each of these searches found, in order; a search that is not known is left out."""
        ...

    def counts(self, since: datetime, until: datetime, top: int) -> Counts:
        """Count the period from `since` to just before `until` as `core.clicks.count` does."""
        ...

    def shown(self, since: datetime, until: datetime, min_clicks: int) -> Sequence[Shown]:
        """Return what was shown for phrases of text searches in the period, by phrase, filter, product and position.

        Only phrases that had, under that filter, at least `min_clicks` clicks at known positions; a product counts at one
        position once per search. Searches whose filter was too long to be kept are left out, and so are events about a product
        that neither their search found nor a later page for the same phrase and filter.
        """
        ...

    def forget(self, before: datetime) -> int:
        """Delete the searches and events from before a time; return how many there were."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
