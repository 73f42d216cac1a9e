"""The index for more than a scan can read: cells of short codes, and the best of those compared in full.

The large segment is an inverted file (`IndexIVFPQFastScan` of FAISS): rows lie in cells around centroids, each as a code of 4
bits for every few components of the vector, turned at random first so that all components say equally much. A search ranks
the cells, sums up codes by table look-ups in registers (André et al., 2015, "Cache locality is not enough"), and compares
some of the best in float32. How many cells and rows that takes is measured when the cells are made (`index_cells_tuning`).

A filter goes inside: cells without a match are not ranked, rows that do not match never enter the heap. When few rows match,
each is compared in full. The second segment holds recent changes as they are; a thread in the background adds them to a copy
of the cells, or makes the cells anew once they have doubled or a quarter of them is dead. Searches never wait for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from threading import Condition, Thread
from typing import Any
from weakref import ref

import faiss
import numpy as np

from lookalike.adapters.index_cells_tuning import Budget, Budgets, tune
from lookalike.adapters.index_exact import Flat, deleted, upserted
from lookalike.adapters.index_rows import (
    Owners,
    Rows,
    Scores,
    all_inner_products,
    best_per_product,
    inner_products,
    put_after,
    selector,
)
from lookalike.adapters.index_segments import Segment, SegmentedIndex, held_by
from lookalike.core.types import Allowed, Keys, Mask, Similarities, Vectors
from lookalike.core.vectors import keyed_rows

log = logging.getLogger(__name__)

LEAST_ROWS = 50_000
"""Below this an exact scan is fast enough, and certain."""
RECENT_ROWS = 4096
"""So many recent rows are worth a copy of the cells; until then every search compares all of them."""
TRAINED_ON = 48
"""Rows for each cell that centroids are learned from."""
CHUNK = 50_000
"""Rows turned and coded at a time, which bounds memory."""
DEAD = 0.25
FILTERS = 64
"""Filters whose rows and cells are remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What a filter lets through of one segment: `rows` if they are few, or how FAISS is to look for them."""

    count: int
    rows: Rows | None = None
    chooses: Any = None
    cells: int = 0
    cell_chooses: Any = None
    clumped: bool = False

    def parameters(self, probes: int) -> Any:
        """Return what FAISS is told for a search of so many cells."""
        asked: dict[str, Any] = {"nprobe": min(probes, max(self.cells, 1))}
        if self.chooses is not None:
            asked["sel"] = self.chooses
        if self.cell_chooses is not None:
            asked["quantizer_params"] = faiss.SearchParameters(sel=self.cell_chooses)  # type: ignore[call-arg]
        return faiss.SearchParametersIVF(**asked)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A segment of coded rows in cells."""

    owners: Owners
    vectors: Vectors
    """float32 [rows, dim]: the beginning of `room`, which leaves place for more."""
    room: Vectors
    turn: Any
    """A random rotation (faiss.LinearTransform)."""
    codes: Any
    """faiss.IndexIVFPQFastScan over the turned rows; its ids are row numbers."""
    cell_of: Rows
    built: int
    """Rows when the centroids were learned."""
    budgets: Budgets = field(default_factory=Budgets)
    remembered: dict[int, tuple[ref[Mask], Chosen]] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors) -> Cells:
        """Learn cells and codes from rows in any order, and measure how to search them."""
        order = np.argsort(keys, kind="stable")
        keys, (count, dim) = keys[order], vectors.shape
        room = np.empty((2 * count, dim), np.float32)
        np.take(vectors, order, axis=0, out=room[:count])
        turn = faiss.RandomRotationMatrix(dim, dim)
        turn.init(dim)
        codes = _trained(turn, room[:count])
        empty = cls(Owners.of(keys[:0]), room[:0], room, turn, codes, np.zeros(0, np.int64), count)
        whole = empty._filled(keys, count)
        return replace(whole, budgets=tune(whole))

    def with_more(self, keys: Keys, vectors: Vectors) -> Cells:
        """Return a copy that has these rows as well; the products must have no other live rows."""
        room = put_after(self.room, len(self.vectors), vectors)
        copied = replace(self, room=room, codes=faiss.clone_index(self.codes))
        return copied._filled(keys, len(self.vectors) + len(keys))

    def _filled(self, keys: Keys, count: int) -> Cells:
        """Code the rows of `room` up to `count` that are not in the cells yet. Changes `codes`, which must be our own."""
        had = len(self.owners.keys)
        for start in range(had, count, CHUNK):
            turned = self.turn.apply(self.room[start : min(start + CHUNK, count)])
            self.codes.add_with_ids(turned, np.arange(start, start + len(turned), dtype=np.int64))
        alive = np.concatenate([self.owners.alive, np.ones(count - had, bool)])
        return replace(
            self,
            owners=Owners.of(np.concatenate([self.owners.keys, keys]), alive),
            vectors=self.room[:count],
            cell_of=_cells_of_rows(self.codes),
            remembered={},
        )

    def rows(self, numbers: Keys) -> Vectors:
        return self.vectors[numbers]

    def without(self, keys: Keys) -> Cells:
        owners = self.owners.without(keys)
        return self if owners is self.owners else replace(self, owners=owners, remembered={})

    def products_of(self, queries: Vectors, numbers: Keys) -> Similarities:
        return all_inner_products(self.vectors, queries, numbers)

    def choose(self, allowed: Allowed | None) -> Chosen:
        if allowed is None and self.owners.all_alive:
            return Chosen(len(self.vectors), cells=self.codes.nlist)
        mask = self.owners.alive if allowed is None else allowed.mask
        known = self.remembered.get(id(mask))
        if known is not None and known[0]() is mask:
            return known[1]
        chosen = self._chosen(allowed)
        if len(self.remembered) >= FILTERS:
            self.remembered.clear()
        self.remembered[id(mask)] = ref(mask), chosen
        return chosen

    def _chosen(self, allowed: Allowed | None) -> Chosen:
        mask = self.owners.mask(allowed)
        if mask is None:
            return Chosen(len(self.vectors), cells=self.codes.nlist)
        count = int(np.count_nonzero(mask))
        if count <= self.budgets.few:
            return Chosen(count, rows=np.flatnonzero(mask))
        held = np.bincount(self.cell_of[mask], minlength=self.codes.nlist) > 0
        cells = int(np.count_nonzero(held))
        clumped = cells < 0.7 * expected_cells(self.codes.nlist, count)
        return Chosen(count, None, selector(mask), cells, selector(held), clumped)

    def nearest(self, query: Scores, pool: int, chosen: Chosen) -> tuple[Keys, Scores]:
        if chosen.rows is not None:
            found = inner_products(self.vectors, query, chosen.rows)
            return best_per_product(self.owners.keys[chosen.rows], found, pool)
        budget = self.budgets.of(chosen.count / max(len(self.vectors), 1), pool, clumped=chosen.clumped)
        turned = self.turn.apply(query[None])
        while True:
            rows = self.coded(turned, chosen, pool, budget)
            keys, similarities = best_per_product(
                self.owners.keys[rows], inner_products(self.vectors, query, rows), pool
            )
            # Fewer than there are: the cells held too few matches, or the same products again and again.
            if len(keys) == pool or len(rows) >= chosen.count:
                return keys, similarities
            if budget.probes >= chosen.cells and len(rows) < budget.width(pool):
                return keys, similarities
            budget = Budget(budget.probes * 4, budget.factor * 4)

    def coded(self, turned: Vectors, chosen: Chosen, pool: int, budget: Budget) -> Rows:
        """Return the rows that look best by their codes, for one turned query float32 [1, dim]."""
        width = min(budget.width(pool), chosen.count)
        _, found = self.codes.search(turned, width, params=chosen.parameters(budget.probes))
        rows: Rows = found[0]
        return rows[rows >= 0]


def expected_cells(cells: int, rows: int) -> float:
    """Return how many cells rows would fall into if they fell at random."""
    return float(cells * -np.expm1(-rows / cells))


def _cells_of_rows(codes: Any) -> Rows:
    """Read off which cell each row is in: int64 [rows]."""
    cell_of = np.empty(codes.ntotal, np.int64)
    for cell in range(codes.nlist):
        if size := codes.invlists.list_size(cell):
            cell_of[faiss.rev_swig_ptr(codes.invlists.get_ids(cell), size)] = cell
    return cell_of


def _trained(turn: Any, vectors: Vectors) -> Any:
    """Return an empty inverted file with its centroids and codes learned from a sample of the rows."""
    count, dim = vectors.shape
    cells = 2 ** round(np.log2(1.6 * np.sqrt(count)))
    together = next(width for width in ((4, 2, 1) if dim >= 384 else (2, 1)) if dim % width == 0)
    quantizer = faiss.IndexFlatIP(dim)
    codes = faiss.IndexIVFPQFastScan(quantizer, dim, cells, dim // together, 4, faiss.METRIC_INNER_PRODUCT)
    codes.cp.niter = 8
    for clustering in (codes.cp, codes.pq.cp):
        clustering.min_points_per_centroid = 1  # it would say on standard output that it had liked more
    sample = np.linspace(0, count - 1, min(count, max(TRAINED_ON * cells, 20_000))).astype(np.int64)
    codes.train(turn.apply(vectors[sample]))
    return codes


class CellsIndex(SegmentedIndex):
    """VectorIndex that is exact while it is small, and made of cells from `LEAST_ROWS` rows on."""

    _segments: tuple[Segment, Flat]

    def __init__(self, dim: int) -> None:
        super().__init__(dim, (Flat.empty(dim), Flat.empty(dim)))
        self._idle = Condition(self._writing)
        self._worker: Thread | None = None
        self._touched: list[Keys] = []
        """Keys changed since the background work began."""

    @property
    def exact(self) -> bool:
        """Whether `search` is certain to return the true nearest: until there are cells."""
        return isinstance(self._segments[0], Flat)

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        keys, rows = keyed_rows(keys, vectors, self.dim)
        with self._writing:
            large, recent = self._segments
            if isinstance(large, Flat):
                self._segments = upserted((large, recent), keys, rows)
            else:
                self._segments = large.without(keys), recent.without(keys).with_more(keys, rows)
            self._noted(keys)

    def delete(self, keys: Keys) -> None:
        keys = np.asarray(keys, np.int64)
        with self._writing:
            large, recent = self._segments
            if isinstance(large, Flat):
                self._segments = deleted((large, recent), keys)
            else:
                self._segments = large.without(keys), recent.without(keys)
            self._noted(keys)

    def settle(self) -> None:
        """Wait until the background has nothing left to do."""
        with self._idle:
            self._idle.wait_for(lambda: self._worker is None)

    def _noted(self, keys: Keys) -> None:
        """Remember what changed, and see to it that somebody folds it in."""
        if self._worker is not None:
            self._touched.append(keys)
        elif _due(self._segments):
            self._touched = []
            # A daemon: what it makes is derived, and must not keep a process alive.
            self._worker = Thread(target=self._fold, name="fold", daemon=True)
            self._worker.start()

    def _fold(self) -> None:
        """Bring recent rows into the cells until there is nothing left worth it."""
        try:
            while True:
                with self._idle:
                    segments = self._segments
                    self._touched = []
                    if not _due(segments):
                        self._rest()
                        return
                large = _folded(segments, self.dim)
                with self._idle:
                    touched = np.unique(np.concatenate([np.zeros(0, np.int64), *self._touched]))
                    recent = Flat.of(*held_by(self._segments, touched, self.dim), scanned=False)
                    self._segments = large.without(touched), recent
        except BaseException:
            log.exception("recent changes could not be folded into the index; searches go on with both")
            with self._idle:
                self._rest()

    def _rest(self) -> None:
        self._worker = None
        self._idle.notify_all()


def _due(segments: tuple[Segment, Flat]) -> bool:
    """Tell whether it is time for background work."""
    large, recent = segments
    if isinstance(large, Flat):
        return len(large.owners.keys) + len(recent.owners.keys) >= LEAST_ROWS
    return len(recent.owners.keys) >= RECENT_ROWS or large.owners.live_share < 1 - DEAD


def _folded(segments: tuple[Segment, Flat], dim: int) -> Cells:
    """Return cells of all live rows: a copy with the recent ones added, or new ones if they have changed too much."""
    large, recent = segments
    faiss.omp_set_num_threads(1)  # searches come first
    keys, rows = recent.live()
    if isinstance(large, Cells):
        room = large.built * 2 > len(large.vectors) + len(keys)
        if room and large.owners.live_share >= 1 - DEAD:
            return large.with_more(keys, rows)
    everything = np.unique(np.concatenate([segment.owners.keys for segment in segments]))
    return Cells.of(*held_by(segments, everything, dim))
