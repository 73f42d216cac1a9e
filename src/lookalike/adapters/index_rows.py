"""Rows of vectors and the products they belong to: what the indexes over FAISS share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Allowed, Keys, Mask, Similarities, Vectors

Rows = NDArray[np.int64]
"""Row numbers: int64 [n]."""
Scores = NDArray[np.float32]
Stored = NDArray[np.float32] | NDArray[np.float16]
"""Vectors as they are kept: single precision in memory, half in files."""
AT_ONCE_BYTES = 8 << 20
"""Of single precision, when many rows are turned into it: bounds memory."""
HALF_BITS, HALF_SCALE = np.int32(-0x70002000), np.float32(2.0**112)
""" 0x8fffe000: where sign, exponent and fraction of a half come to lie in a float32, and what that is too small by."""


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Which product each row belongs to, and whether the row is still alive.

    keys int64 [rows]; the rows of products[i] are order[starts[i] : starts[i + 1]], or with `order` None those numbers
    themselves.
    """

    keys: Keys
    products: Keys
    starts: Rows
    order: Rows | None
    alive: Mask
    dead: int
    """How many rows are not."""
    dense: bool
    """Whether the rows are one for each of a run of keys, in order: then a mask over keys is one over rows."""

    @classmethod
    def of(cls, keys: Keys, alive: Mask | None = None) -> Owners:
        """Read off the owners of rows from their keys, in any order."""
        ordered = bool((keys[1:] >= keys[:-1]).all())
        order = None if ordered else np.argsort(keys, kind="stable")
        products, starts = np.unique(keys if order is None else keys[order], return_index=True)
        dense = ordered and len(products) == len(keys) > 0 and keys[-1] - keys[0] == len(keys) - 1
        living = np.ones(len(keys), bool) if alive is None else alive
        dead = 0 if alive is None else len(keys) - int(np.count_nonzero(alive))
        return cls(keys, products, np.append(starts, len(keys)), order, living, dead, bool(dense))

    @property
    def one_row_each(self) -> bool:
        """Whether no product has several rows."""
        return len(self.products) == len(self.keys)

    @property
    def live_share(self) -> float:
        """The share of the rows that are alive; 1 for none."""
        return 1.0 - self.dead / max(len(self.keys), 1)

    @property
    def all_alive(self) -> bool:
        """Whether no row is dead."""
        return not self.dead

    def rows_of(self, keys: Keys) -> tuple[Rows, Rows]:
        """Return the live rows of products, and for each row the position of its product in `keys`."""
        if not len(self.products):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        at = np.minimum(np.searchsorted(self.products, keys), len(self.products) - 1)
        positions = np.flatnonzero(self.products[at] == keys)
        at = at[positions]
        counts = self.starts[at + 1] - self.starts[at]
        ends = np.cumsum(counts)
        rows = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.starts[at] - (ends - counts), counts)
        if self.order is not None:
            rows = self.order[rows]
        owners = np.repeat(positions, counts)
        if self.all_alive:
            return rows, owners
        kept = self.alive[rows]
        return rows[kept], owners[kept]

    def without(self, keys: Keys) -> Owners:
        """Return the same with the rows of these products dead; itself if they have none."""
        rows, _ = self.rows_of(keys)
        if not len(rows):
            return self
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive, dead=self.dead + len(rows))

    def mask(self, allowed: Allowed | None) -> Mask | None:
        """Return which rows are alive and of products that are let through, bool [rows]; None for all of them."""
        if allowed is None:
            return None if self.all_alive else self.alive
        mask = self.belonging_to(allowed.mask)
        if not self.all_alive:
            mask = mask & self.alive
        return mask

    def belonging_to(self, mask: Mask) -> Mask:
        """Return which rows, dead ones included, are of products that a mask over keys lets through: bool [rows]."""
        if self.dense and self.products[-1] < len(mask):
            return mask[self.products[0] : self.products[-1] + 1]
        if len(self.products) and self.products[-1] >= len(mask):
            inside = self.keys < len(mask)
            of_rows = np.zeros(len(self.keys), bool)
            of_rows[inside] = mask[self.keys[inside]]
            return of_rows
        return mask[self.keys]


def put_after(room: Vectors, had: int, rows: Vectors) -> Vectors:
    """Write rows behind the first `had` of a room float32 [size, dim]; return it, or a larger one if they did not fit.

    Whoever looks at the first `had` rows sees no change. Only the newest owner of a room may do this.
    """
    if not len(rows):
        return room  # it may be a file, which is never written to
    count = had + len(rows)
    if count > len(room):
        larger = np.empty((2 * count, room.shape[1]), np.float32)  # what is not written takes no memory
        larger[:had] = room[:had]
        room = larger
    room[had:count] = rows
    return room


def stay_on_this_thread() -> None:
    """Keep FAISS from splitting a search: searches run side by side, and threads of one wait for each other.

    OpenMP keeps this number for each calling thread, so every search says it; that costs less than a microsecond.
    """
    faiss.omp_set_num_threads(1)


def inner_products(vectors: Stored, query: Scores, rows: Rows | None) -> Scores:
    """Return the inner products with all rows or some, float32 [n], by FAISS's kernels.

    They neither gather the rows nor start threads: BLAS threads that meet a busy machine wait on each other for whole time
    slices. Half-precision rows are gathered, and compared as they are but for where their bits lie.
    """
    if vectors.dtype == np.float16:
        return _of_halves(vectors, query, rows)
    count, dim = vectors.shape
    result = np.empty(count if rows is None else len(rows), np.float32)
    if rows is None:
        pointers = [faiss.swig_ptr(array) for array in (result, query, vectors)]
        faiss.fvec_inner_products_ny(*pointers, dim, count)  # type: ignore[attr-defined]  # not in the stubs
    else:
        ids = np.ascontiguousarray(rows, np.int64)
        pointers = [faiss.swig_ptr(array) for array in (result, query, vectors, ids)]
        faiss.fvec_inner_products_by_idx(*pointers, dim, 1, len(ids))  # type: ignore[attr-defined]
    return result


def _of_halves(vectors: Stored, query: Scores, rows: Rows | None) -> Scores:
    result = np.empty(len(vectors) if rows is None else len(rows), np.float32)
    scaled = query * HALF_SCALE  # what the rows are too small by
    step = rows_at_once(vectors.shape[1])
    for start in range(0, len(result), step):
        part = slice(start, start + step)
        result[part] = inner_products(_widened(vectors[part if rows is None else rows[part]]), scaled, None)
    return result


def _widened(halves: Stored) -> Vectors:
    """Return half-precision rows as float32 rows that are 2^-112 of them: ten times as fast as `astype` (F. Giesen, 2012,
    "Half to float done quick"). They must be finite."""
    bits = np.ascontiguousarray(halves).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= HALF_BITS
    return bits.view(np.float32)


def taken(vectors: Stored, rows: Rows | slice) -> Vectors:
    """Return some rows as float32 [n, dim]; a slice of what is float32 is a view."""
    chosen = vectors[rows]
    return _widened(chosen) * HALF_SCALE if chosen.dtype == np.float16 else np.asarray(chosen, np.float32)


def rows_at_once(dim: int) -> int:
    """Return how many rows of single precision are `AT_ONCE_BYTES`."""
    return max(AT_ONCE_BYTES // (4 * dim), 1)


def nearest_rows(
    vectors: Stored, queries: Vectors, count: int, mask: Mask | None = None
) -> tuple[Scores, NDArray[np.int64]]:
    """Compare queries with all rows, or those of a mask; return the best `count` of each, best first, and their row numbers.

    Fewer are filled up with -inf and -1. Reads a few megabytes of rows at a time, by matrix products on one thread.
    """
    heap = faiss.ResultHeap(len(queries), count, keep_max=True)
    step = rows_at_once(vectors.shape[1])
    for start in range(0, len(vectors), step):
        rows = np.arange(start, min(start + step, len(vectors)))
        if mask is not None:
            rows = rows[mask[rows]]
        if not len(rows):
            continue
        whole = len(rows) == min(step, len(vectors) - start)
        part = np.ascontiguousarray(taken(vectors, slice(start, start + len(rows)) if whole else rows))
        found, at = faiss.knn(queries, part, min(count, len(rows)), metric=faiss.METRIC_INNER_PRODUCT)
        heap.add_result(found, rows[at])
    heap.finalize()
    return heap.D, heap.I


def all_inner_products(vectors: Stored, queries: Vectors, rows: Rows | None) -> Similarities:
    """Return the inner products of several queries, float32 [queries, n]."""
    found = np.empty((len(queries), len(vectors) if rows is None else len(rows)), np.float32)
    for number, query in enumerate(queries):
        found[number] = inner_products(vectors, query, rows)
    return found


def selector(mask: NDArray[Any]) -> Any:
    """Return what makes FAISS look at some rows only; `mask` is bool [rows]."""
    # The stubs of FAISS give selectors the C++ signature; Python takes the array itself.
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]


def selected(selecting: Any, count: int) -> Rows:
    """Return which of `count` rows a `selector` lets through; None lets all."""
    if selecting is None:
        return np.arange(count)
    packed = faiss.rev_swig_ptr(selecting.bitmap, selecting.n)
    return np.flatnonzero(np.unpackbits(packed, count=count, bitorder="little"))


def write_faiss(thing: Any, write: Callable[[bytes], int]) -> None:
    """Hand what FAISS can save (an index, a rotation) to a function, a piece at a time; what that raises is raised."""
    writer = faiss.PyCallbackIOWriter(write, 1 << 20)  # type: ignore[attr-defined]  # not in the stubs
    save = faiss.write_VectorTransform if isinstance(thing, faiss.VectorTransform) else faiss.write_index
    save(thing, writer)


def best_per_product(
    keys: Keys, similarities: Scores, pool: int, *, distinct: bool = False
) -> tuple[Keys, Scores]:
    """Reduce rows to products by their best row, and keep the best `pool`, best first; equal ones by smaller key.

    `distinct` says that no product comes twice.
    """
    few = len(keys) <= 4 * pool + 256
    order = np.lexsort((keys, -similarities)) if few else _top(keys, similarities, pool)
    if distinct:
        order = order[:pool]
        return keys[order], similarities[order]
    keys, similarities = keys[order], similarities[order]
    _, firsts = np.unique(keys, return_index=True)
    firsts.sort()
    firsts = firsts[:pool]
    return keys[firsts], similarities[firsts]


def _top(keys: Keys, similarities: Scores, pool: int) -> Rows:
    """Order only as many of the best rows as hold `pool` distinct products."""
    width = 2 * pool + 32
    while width < len(keys):
        rows = np.argpartition(-similarities, width)[:width]
        # Rows equal to the last one kept must all be there, or ties would be cut at random.
        rows = np.flatnonzero(similarities >= similarities[rows].min())
        if len(np.unique(keys[rows])) >= pool:
            return rows[np.lexsort((keys[rows], -similarities[rows]))]
        width *= 4
    return np.lexsort((keys, -similarities))
