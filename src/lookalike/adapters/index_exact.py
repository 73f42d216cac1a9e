"""The exact index: a half-precision scan by FAISS, certified and refined in float32.

Two segments, never more: a large one, scanned by FAISS, and a small one of recent changes, scanned as it is. What a change
replaces is marked dead in the segment that holds it. When the recent segment grows past a share of the large one, or too much
of that is dead, both are folded into a new large one.

The scan reads half the memory of a float32 one, which is what an exact scan costs. Rounding a unit vector to half precision
moves its inner product with another by at most `ROUNDING`; so the true nearest are certain to be among those scanned whose
half-precision similarity is within 2 x ROUNDING of the last wanted one, and the scan is widened until that holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import faiss
import numpy as np

from lookalike.adapters.index_rows import (
    Owners,
    Rows,
    Scores,
    all_inner_products,
    best_per_product,
    inner_products,
    put_after,
    selector,
    write_faiss,
)
from lookalike.adapters.index_segments import Segment, SegmentedIndex, open_rows, save_rows
from lookalike.adapters.index_snapshot import Opened, Unusable, Writing
from lookalike.core.types import Allowed, Keys, Mask, Similarities, Vectors
from lookalike.core.vectors import keyed_rows

ROUNDING = 2.0**-11 + 1e-5
"""Half precision keeps 11 bits: |x - half(x)| <= 2^-11 |x|; the rest is float32 summation and subnormals."""
FEW = 0.15
"""Below this share of matching rows, going to each beats scanning all under a selector: at 30,000 and 100,000 x 384 they
cross between a tenth and a fifth."""
RECENT_LIMIT = 2048
"""Rows of the recent segment before it is folded, or an eighth of the large one if that is more."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Which rows to look at: all, those of a mask, or, when they are few, these."""

    mask: Mask | None = None
    rows: Rows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Vectors as they are, float32 [n, dim]: the beginning of `room`, which may leave place for more."""

    owners: Owners
    vectors: Vectors
    room: Vectors
    scan: Any  # the FAISS index over half-precision copies of the same rows, or None

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors, *, scanned: bool) -> Flat:
        """Make a segment of rows in any order; `scanned` ones are looked through by FAISS."""
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys, kind="stable")
            keys, vectors = keys[order], vectors[order]
        vectors = np.ascontiguousarray(vectors)
        scan = None
        if scanned and len(keys):
            scan = faiss.IndexScalarQuantizer(
                vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
            scan.add(vectors)
        return cls(Owners.of(keys), vectors, vectors, scan)

    @classmethod
    def empty(cls, dim: int) -> Flat:
        """Make a segment of nothing."""
        return cls.of(np.zeros(0, np.int64), np.zeros((0, dim), np.float32), scanned=False)

    def with_more(self, keys: Keys, vectors: Vectors) -> Flat:
        """Return a segment, not scanned, that has these rows as well; the products must have no other live rows."""
        owners, had = self.owners, len(self.vectors)
        room = put_after(self.room, had, vectors)
        alive = np.concatenate([owners.alive, np.ones(len(keys), bool)])
        more = Owners.of(np.concatenate([owners.keys, keys]), alive)
        return Flat(more, room[: had + len(keys)], room, None)

    def rows(self, numbers: Keys) -> Vectors:
        return self.vectors[numbers]

    def without(self, keys: Keys) -> Flat:
        owners = self.owners.without(keys)
        return self if owners is self.owners else replace(self, owners=owners)

    def live(self) -> tuple[Keys, Vectors]:
        """Return the keys and vectors of the rows that are alive."""
        owners = self.owners
        if owners.all_alive:
            return owners.keys, self.vectors
        return owners.keys[owners.alive], self.vectors[owners.alive]

    def choose(self, allowed: Allowed | None) -> Chosen:
        mask = self.owners.mask(allowed)
        if mask is None:
            return Chosen()
        count = int(np.count_nonzero(mask))
        if count == len(mask):
            return Chosen()
        return Chosen(rows=np.flatnonzero(mask)) if count < FEW * len(mask) else Chosen(mask=mask)

    def nearest(self, query: Scores, pool: int, chosen: Chosen) -> tuple[Keys, Scores]:
        if self.scan is not None and chosen.rows is None:
            return self._scanned(query, pool, chosen.mask)
        rows = np.flatnonzero(chosen.mask) if chosen.mask is not None else chosen.rows
        keys = self.owners.keys if rows is None else self.owners.keys[rows]
        return best_per_product(keys, inner_products(self.vectors, query, rows), pool)

    def products_of(self, queries: Vectors, numbers: Keys) -> Similarities:
        whole = len(numbers) == len(self.owners.keys) and bool((np.diff(numbers) == 1).all())
        return all_inner_products(self.vectors, queries, None if whole else numbers)

    def save(self, into: Writing, name: str) -> dict[str, Any]:
        save_rows(into, name, self.owners, self.vectors)
        if self.scan is not None:
            with into.stream(f"{name}.scan", large=True) as write:
                write_faiss(self.scan, write)
        return {"kind": "flat", "scanned": self.scan is not None}

    @classmethod
    def opened(cls, snapshot: Opened, name: str, head: Mapping[str, Any]) -> Flat:
        owners, vectors = open_rows(snapshot, name)
        scan = None
        if head["scanned"]:
            scan = faiss.read_index(snapshot.path(f"{name}.scan"), faiss.IO_FLAG_MMAP_IFC)
            if (scan.ntotal, scan.d) != vectors.shape:
                raise Unusable(f"the codes of {name} are not those of its vectors")
        return cls(owners, vectors, vectors, scan)

    def _scanned(self, query: Scores, pool: int, mask: Mask | None) -> tuple[Keys, Scores]:
        parameters, total = None, len(self.owners.keys)
        if mask is not None:
            parameters = faiss.SearchParameters(sel=selector(mask))  # type: ignore[call-arg]
            total = int(np.count_nonzero(mask))
        width = min(total, pool + 16)
        while True:
            rough, found = self.scan.search(query[None], max(width, 1), params=parameters)
            rows = found[0][found[0] >= 0]
            exact = inner_products(self.vectors, query, rows)
            keys, similarities = best_per_product(self.owners.keys[rows], exact, pool)
            if width >= total:
                return keys, similarities
            if len(keys) == pool and similarities.min() >= rough[0, -1] + ROUNDING:
                return keys, similarities
            width = min(total, width * 4)


class ExactIndex(SegmentedIndex):
    """VectorIndex with recall 1.0 and no build."""

    exact, learned = True, 0
    kinds: ClassVar[Mapping[str, type[Segment]]] = {"flat": Flat}
    _segments: tuple[Flat, Flat]

    def __init__(self, dim: int, folded: Callable[[], None] = lambda: None) -> None:
        """Make an empty index; `folded` is called whenever the large segment was made anew."""
        super().__init__(dim, (Flat.empty(dim), Flat.empty(dim)), folded)

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        keys, rows = keyed_rows(keys, vectors, self.dim)
        with self._writing:
            self._put(upserted(self._segments, keys, rows))

    def delete(self, keys: Keys) -> None:
        with self._writing:
            self._put(deleted(self._segments, np.asarray(keys, np.int64)))


def upserted(segments: tuple[Flat, Flat], keys: Keys, rows: Vectors) -> tuple[Flat, Flat]:
    """Return the segments with these rows instead of all that their products had."""
    large, recent = (segment.without(keys) for segment in segments)
    recent = recent.with_more(keys, rows)
    if len(recent.vectors) > max(RECENT_LIMIT, len(large.vectors) // 8):
        return _folded(large, recent)
    return large, recent


def deleted(segments: tuple[Flat, Flat], keys: Keys) -> tuple[Flat, Flat]:
    """Return the segments without these products."""
    large, recent = (segment.without(keys) for segment in segments)
    if large.owners.live_share < 0.75:
        return _folded(large, recent)
    return large, recent


def _folded(large: Flat, recent: Flat) -> tuple[Flat, Flat]:
    (large_keys, large_rows), (keys, rows) = large.live(), recent.live()
    together = np.concatenate([large_keys, keys]), np.concatenate([large_rows, rows])
    return Flat.of(*together, scanned=True), Flat.empty(rows.shape[1])
