"""The exact index: a half-precision scan by FAISS, certified and refined in float32.

Two segments, never more: a large one, scanned by FAISS, and a small one of recent changes, scanned by NumPy. What a change
replaces is marked dead in the segment that holds it. A change makes new segments and masks beside the old ones and swaps one
reference, so a search takes no lock and sees the state before or after it. When the recent segment grows past a share of
the large one, or too much of that is dead, both are folded into a new large one.

The scan reads half the memory of a float32 one, which is what an exact scan costs. Rounding a unit vector to half precision
moves its inner product with another by at most `ROUNDING`; so the true nearest are certain to be among those scanned whose
half-precision similarity is within 2 x ROUNDING of the last wanted one, and the scan is widened until that holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Allowed, Candidates, Keys, Mask, Similarities, Vectors
from lookalike.core.vectors import keyed_rows, unit_rows

ROUNDING = 2.0**-11 + 1e-5
"""Half precision keeps 11 bits: |x - half(x)| <= 2^-11 |x|; the rest is float32 summation and subnormals."""
FEW = 0.15
"""Below this share of matching rows, going to each beats scanning all under a selector: at 30,000 and 100,000 x 384 they
cross between a tenth and a fifth."""
RECENT_LIMIT = 2048
"""Rows of the recent segment before it is folded, or an eighth of the large one if that is more."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """Vectors sorted by product key. `starts` [products + 1] are the row ranges of `products` [products]."""

    vectors: Vectors
    keys: Keys
    products: Keys
    starts: Rows
    alive: Mask
    all_alive: bool
    scan: Any  # the FAISS index over half-precision copies of the same rows, or None

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors, *, scanned: bool) -> _Segment:
        order = np.argsort(keys, kind="stable")
        keys, vectors = keys[order], np.ascontiguousarray(vectors[order])
        products, starts = np.unique(keys, return_index=True)
        scan = None
        if scanned and len(keys):
            scan = faiss.IndexScalarQuantizer(
                vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
            )
            scan.add(vectors)
        alive = np.ones(len(keys), bool)
        return cls(vectors, keys, products, np.append(starts, len(keys)), alive, True, scan)

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
        owners = np.repeat(positions, counts)
        if self.all_alive:
            return rows, owners
        kept = self.alive[rows]
        return rows[kept], owners[kept]

    def without(self, keys: Keys) -> _Segment:
        """Return the segment with the rows of these products dead."""
        rows, _ = self.rows_of(keys)
        if not len(rows):
            return self
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive, all_alive=False)

    def live(self) -> tuple[Keys, Vectors]:
        return (
            (self.keys, self.vectors) if self.all_alive else (self.keys[self.alive], self.vectors[self.alive])
        )


class ExactIndex:
    """VectorIndex with recall 1.0 and no build."""

    exact = True

    def __init__(self, dim: int) -> None:
        self.dim = dim
        empty = np.zeros(0, np.int64), np.zeros((0, dim), np.float32)
        self._segments = (_Segment.of(*empty, scanned=True), _Segment.of(*empty, scanned=False))
        self._writing = Lock()

    def __len__(self) -> int:
        return sum(int(segment.alive.sum()) for segment in self._segments)

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        keys, rows = keyed_rows(keys, vectors, self.dim)
        with self._writing:
            large, recent = (segment.without(keys) for segment in self._segments)
            held_keys, held = recent.live()
            keys, rows = np.concatenate([held_keys, keys]), np.concatenate([held, rows])
            if len(keys) > max(RECENT_LIMIT, len(large.keys) // 8):
                self._segments = self._folded(large, keys, rows)
            else:
                self._segments = (large, _Segment.of(keys, rows, scanned=False))

    def delete(self, keys: Keys) -> None:
        keys = np.asarray(keys, np.int64)
        with self._writing:
            large, recent = (segment.without(keys) for segment in self._segments)
            if not large.all_alive and large.alive.mean() < 0.75:
                self._segments = self._folded(large, *recent.live())
            else:
                self._segments = (large, recent)

    def _folded(self, large: _Segment, keys: Keys, rows: Vectors) -> tuple[_Segment, _Segment]:
        large_keys, large_rows = large.live()
        together = np.concatenate([large_keys, keys]), np.concatenate([large_rows, rows])
        empty = np.zeros(0, np.int64), np.zeros((0, self.dim), np.float32)
        return _Segment.of(*together, scanned=True), _Segment.of(*empty, scanned=False)

    def search(self, vectors: Vectors, pool: int, allowed: Allowed | None = None) -> Candidates:
        _stay_on_this_thread()
        queries = unit_rows(vectors, self.dim, "query vectors")
        segments = self._segments
        keys = np.full((len(queries), pool), -1, np.int64)
        similarities = np.full((len(queries), pool), -np.inf, np.float32)
        choices = [_choose(segment, allowed) for segment in segments]
        for number, query in enumerate(queries):
            found = [_nearest(s, query, pool, rows) for s, rows in zip(segments, choices, strict=True)]
            found_keys = np.concatenate([k for k, _ in found])
            found_similarities = np.concatenate([s for _, s in found])
            best = np.lexsort((found_keys, -found_similarities))[:pool]
            keys[number, : len(best)] = found_keys[best]
            similarities[number, : len(best)] = found_similarities[best]
        return Candidates(keys, similarities)

    def similarities(self, vectors: Vectors, keys: Keys) -> Similarities:
        _stay_on_this_thread()
        queries = unit_rows(vectors, self.dim, "query vectors")
        result = np.full((len(queries), len(keys)), np.nan, np.float32)
        for segment in self._segments:
            rows, owners = segment.rows_of(keys)
            if not len(rows):
                continue
            whole = len(rows) == len(segment.keys) and bool((np.diff(rows) == 1).all())
            firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
            for number, query in enumerate(queries):
                per_row = _inner_products(segment.vectors, query, None if whole else rows)
                result[number, owners[firsts]] = np.maximum.reduceat(per_row, firsts)
        return result

    def get(self, keys: Keys) -> tuple[Keys, Vectors]:
        wanted = np.unique(keys)
        found = []
        for segment in self._segments:
            rows, _ = segment.rows_of(wanted)
            found.append((segment.keys[rows], segment.vectors[rows]))
        found_keys = np.concatenate([k for k, _ in found])
        order = np.argsort(found_keys, kind="stable")
        return found_keys[order], np.concatenate([v for _, v in found])[order]


def _stay_on_this_thread() -> None:
    """Keep FAISS from splitting a search: searches run side by side, and threads of one wait for each other.

    OpenMP keeps this number for each calling thread, so every search says it; that costs less than a microsecond.
    """
    faiss.omp_set_num_threads(1)


def _choose(segment: _Segment, allowed: Allowed | None) -> Rows | Mask | None:
    """Say which rows to look at: None for all, a mask, or row numbers when they are few."""
    if allowed is None:
        return None if segment.all_alive else segment.alive
    size = len(allowed.mask)
    if len(segment.products) and segment.products[-1] >= size:
        mask = np.zeros(len(segment.keys), bool)
        inside = segment.keys < size
        mask[inside] = allowed.mask[segment.keys[inside]]
    else:
        mask = allowed.mask[segment.keys]
    if not segment.all_alive:
        mask &= segment.alive
    count = int(np.count_nonzero(mask))
    if count == len(mask):
        return None
    return np.flatnonzero(mask) if count < FEW * len(mask) else mask


def _nearest(
    segment: _Segment, query: NDArray[np.float32], pool: int, chosen: Rows | Mask | None
) -> tuple[Keys, NDArray[np.float32]]:
    """Return the best `pool` products of a segment, each once, in no certain order."""
    if segment.scan is not None and (chosen is None or chosen.dtype == bool):
        return _scan(segment, query, pool, chosen)
    rows = np.flatnonzero(chosen) if chosen is not None and chosen.dtype == bool else chosen
    keys = segment.keys if rows is None else segment.keys[rows]
    return _best_per_product(keys, _inner_products(segment.vectors, query, rows), pool)


def _inner_products(
    vectors: Vectors, query: NDArray[np.float32], rows: NDArray[Any] | None
) -> NDArray[np.float32]:
    """Return the inner products with all rows or some, float32 [n], by FAISS's kernels.

    They neither gather the rows nor start threads: BLAS threads that meet a busy machine wait on each other for whole time
    slices.
    """
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


def _scan(
    segment: _Segment, query: NDArray[np.float32], pool: int, mask: NDArray[Any] | None
) -> tuple[Keys, NDArray[np.float32]]:
    parameters, total = None, len(segment.keys)
    if mask is not None:
        # The stubs of FAISS give selectors the C++ signature; Python takes the array itself.
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        total = int(np.count_nonzero(mask))
    width = min(total, pool + 16)
    while True:
        rough, found = segment.scan.search(query[None], max(width, 1), params=parameters)
        rows = found[0][found[0] >= 0]
        keys, similarities = _best_per_product(
            segment.keys[rows], _inner_products(segment.vectors, query, rows), pool
        )
        if width >= total:
            return keys, similarities
        if len(keys) == pool and similarities.min() >= rough[0, -1] + ROUNDING:
            return keys, similarities
        width = min(total, width * 4)


def _best_per_product(
    keys: Keys, similarities: NDArray[np.float32], pool: int
) -> tuple[Keys, NDArray[np.float32]]:
    """Reduce rows to products by their best row, and keep the best `pool`; equal ones by smaller key."""
    order = (
        np.lexsort((keys, -similarities)) if len(keys) <= 4 * pool + 64 else _top(keys, similarities, pool)
    )
    keys, similarities = keys[order], similarities[order]
    _, firsts = np.unique(keys, return_index=True)
    firsts.sort()
    firsts = firsts[:pool]
    return keys[firsts], similarities[firsts]


def _top(keys: Keys, similarities: NDArray[np.float32], pool: int) -> Rows:
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
