"""The index for more than a scan can read: cells of short codes, and the best of those compared in full.

The large segment is an inverted file (`IndexIVFPQFastScan` of FAISS): rows lie in cells around centroids, each as a code of 4
bits for every two components of what sets it apart from its centroid, turned at random first so that all components say
equally much. A search goes through the cells that hold matches, the nearest first, until it has seen as many matching rows as
its budget says. It sums up their codes by table look-ups in registers (André et al., 2015, "Cache locality is not enough") and
compares the best of them in float32; or, where matches are sparse, it leaves the codes alone and compares all it has seen.
How many rows that takes is measured when the cells are made (`index_cells_tuning`).

The second segment holds recent changes as they are; a thread in the background adds them to a copy of the cells, or makes the
cells anew once they have doubled or a quarter of them is dead. What is left of a shop that shrinks is scanned again. Searches
never wait for any of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Condition, Thread
from time import perf_counter
from typing import Any, ClassVar
from weakref import ref

import faiss
import numpy as np
from numpy.typing import NDArray

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
    selected,
    selector,
    write_faiss,
)
from lookalike.adapters.index_segments import Segment, SegmentedIndex, held_by, open_rows, save_rows
from lookalike.adapters.index_snapshot import Opened, Unusable, Writing
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
AROUND, DEVIATIONS = 8, 3.0
"""A query is far from what a filter lets through if the cells around it, so many, hold less than chance would give them, by
more than so many standard deviations."""
LEAST_CELLS = 4
"""So many of the nearest cells are looked into however much they hold: a query may lie where several meet."""
FILTERS = 64
"""Filters whose rows and cells are remembered."""
EVERYTHING: Mask = np.ones(1, bool)
"""What stands for the filter that lets everything through."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What a filter lets through of one segment, and how to look for it.

    Few rows are given as they are, in `rows`. Else `held` int64 [cells] says how many each cell has, and `chooses` tells FAISS
    which rows count; where a budget wants them compared without their codes, `rows` has them in the order of the cells, and
    `starts` says where each begins.
    """

    count: int
    rows: Rows | None = None
    held: Rows | None = None
    starts: Rows | None = None
    chooses: Any = None
    asked: dict[int, Any] = field(default_factory=dict)
    """What FAISS is told, by number of cells: its parameters take as long to make as a small search."""

    def parameters(self, probes: int) -> Any:
        """Return what FAISS is told for a search of so many cells."""
        if probes not in self.asked:
            told: dict[str, Any] = {"nprobe": probes}
            if self.chooses is not None:
                told["sel"] = self.chooses
            self.asked[probes] = faiss.SearchParametersIVF(**told)
        return self.asked[probes]

    def listed(self, cells: Rows) -> Rows:
        """Return the matching rows of some cells, without their codes."""
        assert self.rows is not None and self.starts is not None and self.held is not None
        sizes = self.held[cells]
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1]) + np.repeat(self.starts[cells] - (ends - sizes), sizes)
        matching: Rows = self.rows[places]
        return matching


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """All cells as one query sees them: `similarities` float32 [cells], and `cells` int64 [cells], nearest first."""

    similarities: Scores
    cells: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the cells are, and which rows they have, read off the codes."""

    centroids: Vectors
    """float32 [cells, dim], turned."""
    sizes: Rows
    """int64 [cells]: how many rows each has."""
    cell_of: NDArray[np.uint16]
    """uint16 [rows], a type that NumPy sorts in linear time."""

    @classmethod
    def of(cls, codes: Any) -> Places:
        """Read them off an inverted file whose ids are row numbers."""
        sizes = np.array([codes.invlists.list_size(cell) for cell in range(codes.nlist)], np.int64)
        cell_of = np.empty(codes.ntotal, np.uint16)
        for cell in np.flatnonzero(sizes).tolist():
            cell_of[faiss.rev_swig_ptr(codes.invlists.get_ids(cell), int(sizes[cell]))] = cell
        return cls(faiss.downcast_index(codes.quantizer).reconstruct_n(0, codes.nlist), sizes, cell_of)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A segment of coded rows in cells."""

    owners: Owners
    vectors: Vectors
    """float32 [rows, dim]: the beginning of `room`, which leaves place for more."""
    room: Vectors
    turn: Any
    """A random rotation (faiss.VectorTransform)."""
    codes: Any
    """faiss.IndexIVFPQFastScan over the turned rows; its ids are row numbers."""
    places: Places
    built: int
    """Rows when the centroids were learned."""
    budgets: Budgets = field(default_factory=Budgets)
    took_s: float = 0.0
    """How long it took to learn and measure all that, on a machine that did other things as well."""
    recall: float = 0.0
    """What it was measured for."""
    remembered: dict[int, tuple[ref[Mask], Chosen]] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Keys, vectors: Vectors, recall: float) -> Cells:
        """Learn cells and codes from rows in any order, and measure how to search them for a recall."""
        began = perf_counter()
        order = np.argsort(keys, kind="stable")
        keys, (count, dim) = keys[order], vectors.shape
        room = np.empty((2 * count, dim), np.float32)
        np.take(vectors, order, axis=0, out=room[:count])
        turn = _rotation(dim)
        codes = _trained(turn, room[:count])
        empty = cls(Owners.of(keys[:0]), room[:0], room, turn, codes, Places.of(codes), count)
        whole = empty._filled(keys, count)
        tuned = replace(whole, budgets=tune(whole, recall), recall=recall, remembered={})
        return replace(tuned, took_s=perf_counter() - began)

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
            places=Places.of(self.codes),
            remembered={},
        )

    def save(self, into: Writing, name: str) -> dict[str, Any]:
        save_rows(into, name, self.owners, self.vectors)
        # Not large: what a code's row number is wrong by would be read from anywhere.
        with into.stream(f"{name}.codes") as write:
            write_faiss(self.codes, write)
        with into.stream(f"{name}.turn") as write:
            write_faiss(self.turn, write)
        tuned = {"took_s": self.took_s, "recall": self.recall, "budgets": self.budgets.to_json()}
        return {"kind": "cells", "built": self.built, **tuned}

    @classmethod
    def opened(cls, snapshot: Opened, name: str, head: Mapping[str, Any]) -> Cells:
        codes = faiss.read_index(snapshot.path(f"{name}.codes"))
        turn = faiss.read_VectorTransform(snapshot.path(f"{name}.turn"))
        owners, vectors = open_rows(snapshot, name, codes.ntotal)
        if vectors.shape[1] != codes.d:
            raise Unusable(f"the codes of {name} are not those of its vectors")
        budgets = Budgets.from_json(head["budgets"])
        tuned = head["built"], budgets, head["took_s"], head["recall"]
        return cls(owners, vectors, vectors, turn, codes, Places.of(codes), *tuned)

    def rows(self, numbers: Keys) -> Vectors:
        return self.vectors[numbers]

    def without(self, keys: Keys) -> Cells:
        owners = self.owners.without(keys)
        return self if owners is self.owners else replace(self, owners=owners, remembered={})

    def products_of(self, queries: Vectors, numbers: Keys) -> Similarities:
        return all_inner_products(self.vectors, queries, numbers)

    def choose(self, allowed: Allowed | None) -> Chosen:
        mask = EVERYTHING if allowed is None and self.owners.all_alive else self._of_keys(allowed)
        known = self.remembered.get(id(mask))
        if known is not None and known[0]() is mask:
            return known[1]
        chosen = self._chosen(self.owners.mask(allowed))
        if len(self.remembered) >= FILTERS:
            self.remembered.clear()
        self.remembered[id(mask)] = ref(mask), chosen
        return chosen

    def _of_keys(self, allowed: Allowed | None) -> Mask:
        return self.owners.alive if allowed is None else allowed.mask

    def _chosen(self, mask: Mask | None) -> Chosen:
        """Choose the way to search that was measured as the cheapest for so many matches."""
        if mask is None:
            return self.whole()
        count = int(np.count_nonzero(mask))
        if count <= self.budgets.few:
            return Chosen(count, rows=np.flatnonzero(mask))
        return self.prepared(mask, listed=self.budgets.compares_all(count / len(self.vectors)))

    def prepared(self, mask: Mask, *, listed: bool) -> Chosen:
        """Make ready to look at the codes of the matching rows, and with `listed` to compare those of the nearest cells."""
        rows = np.flatnonzero(mask)
        cells = self.places.cell_of[rows]
        held = np.bincount(cells, minlength=self.codes.nlist)
        chosen = Chosen(len(rows), held=held, chooses=selector(mask))
        if not listed:
            return chosen
        starts = np.cumsum(held) - held
        return replace(chosen, rows=rows[np.argsort(cells, kind="stable")], starts=starts)

    def whole(self) -> Chosen:
        """Make ready to look at the codes of all rows."""
        return Chosen(len(self.vectors), held=self.places.sizes)

    def nearest(self, query: Scores, pool: int, chosen: Chosen) -> tuple[Keys, Scores]:
        if chosen.held is None:
            assert chosen.rows is not None
            return self._best(query, pool, chosen.rows)
        turned = self.turn.apply(query[None])
        ranked = self.ranked(turned)
        budget = self._budget(ranked, chosen).for_pool(pool)
        while True:
            rows = self.looked_for(turned, pool, chosen, ranked, budget)
            keys, similarities = self._best(query, pool, rows)
            # Fewer than there are: the cells held too few matches, or the same products again and again.
            if len(keys) == pool or len(rows) >= chosen.count:
                return keys, similarities
            if min(budget.seen, budget.width(pool)) >= chosen.count:
                # All was seen, and yet not all came: FAISS leaves out rows whose code adds up to the least there can be.
                return self._best(query, pool, selected(chosen.chooses, len(self.vectors)))
            budget = budget.times(4)

    def ranked(self, turned: Vectors) -> Ranked:
        """Order the cells by likeness to one turned query float32 [1, turned dim]."""
        similarities = inner_products(self.places.centroids, turned[0], None)
        return Ranked(similarities, np.argsort(-similarities))

    def _budget(self, ranked: Ranked, chosen: Chosen) -> Budget:
        """Return what was measured for queries like this one."""
        budget = self.budgets.of(1.0) if chosen.chooses is None else self._filtered(ranked, chosen)
        strange = ranked.similarities[ranked.cells[0]] < self.budgets.strange_below
        return budget.times(len(self.vectors) / self.built * (self.budgets.strange if strange else 1.0))

    def _filtered(self, ranked: Ranked, chosen: Chosen) -> Budget:
        """Return what was measured for a filter: how much of what is around the query matches counts, if that is more."""
        assert chosen.held is not None
        around = ranked.cells[:AROUND]
        held, rows = int(chosen.held[around].sum()), int(self.places.sizes[around].sum())
        share = chosen.count / len(self.vectors)
        expected = share * rows
        far = held < expected - DEVIATIONS * expected**0.5
        return self.budgets.of(share if far else max(share, held / max(rows, 1)), far=far)

    def looked_for(self, turned: Vectors, pool: int, chosen: Chosen, ranked: Ranked, budget: Budget) -> Rows:
        """Return the rows worth comparing in full."""
        assert chosen.held is not None
        held = chosen.held[ranked.cells]
        last = max(int(np.searchsorted(np.cumsum(held), budget.seen)) + 1, LEAST_CELLS)
        cells = ranked.cells[:last][held[:last] > 0]
        if not budget.factor:
            return chosen.listed(cells)
        width = min(budget.width(pool), chosen.count)
        return self._by_codes(turned, cells, ranked.similarities[cells], width, chosen)

    def _by_codes(
        self, turned: Vectors, cells: Rows, similarities: Scores, width: int, chosen: Chosen
    ) -> Rows:
        """Return the rows of some cells that look best by their codes."""
        rows, by_codes = np.empty(width, np.int64), np.empty(width, np.float32)
        # By pointers, as the Python method does not take parameters.
        before = [faiss.swig_ptr(array) for array in (cells, similarities, by_codes, rows)]
        self.codes.search_preassigned_c(
            1, faiss.swig_ptr(turned), width, *before, False, chosen.parameters(len(cells))
        )
        return rows[: np.count_nonzero(rows >= 0)]  # what is missing comes last

    def _best(self, query: Scores, pool: int, rows: Rows) -> tuple[Keys, Scores]:
        similarities = inner_products(self.vectors, query, rows)
        return best_per_product(self.owners.keys[rows], similarities, pool, distinct=self.owners.one_row_each)


def _rotation(dim: int) -> Any:
    """Return a random rotation: where `dim` allows, one by Hadamard matrices, which takes microseconds."""
    if dim & (dim - 1) == 0:
        return faiss.HadamardRotation(dim)
    turn = faiss.RandomRotationMatrix(dim, dim)
    turn.init(dim)
    return turn


def shape_of(count: int, dim: int) -> tuple[int, int]:
    """Return how many cells are made of so many rows, and how many components go into one code of 4 bits."""
    return 2 ** round(np.log2(0.8 * np.sqrt(count))), 2 if dim % 2 == 0 else 1


def _trained(turn: Any, vectors: Vectors) -> Any:
    """Return an empty inverted file with its centroids and codes learned from a sample of the rows."""
    count, dim = vectors.shape
    cells, together = shape_of(count, dim)
    quantizer = faiss.IndexFlatIP(dim)
    codes = faiss.IndexIVFPQFastScan(quantizer, dim, cells, dim // together, 4, faiss.METRIC_INNER_PRODUCT)
    codes.by_residual = True  # not its default for inner products; half the rows need comparing
    codes.cp.niter = 8
    for clustering in (codes.cp, codes.pq.cp):
        clustering.min_points_per_centroid = 1  # it would say on standard output that it had liked more
    sample = np.linspace(0, count - 1, min(count, max(TRAINED_ON * cells, 20_000))).astype(np.int64)
    codes.train(turn.apply(vectors[sample]))
    return codes


class CellsIndex(SegmentedIndex):
    """VectorIndex that is exact while it is small, and made of cells from `LEAST_ROWS` rows on."""

    kinds: ClassVar[Mapping[str, type[Segment]]] = {"flat": Flat, "cells": Cells}
    _segments: tuple[Segment, Flat]

    def __init__(self, dim: int, folded: Callable[[], None] = lambda: None, recall: float = 0.95) -> None:
        """Make an empty index; `folded` is called whenever the large segment was made anew.

        `recall` is promised of the ten nearest.
        """
        super().__init__(dim, (Flat.empty(dim), Flat.empty(dim)), folded)
        self._recall = recall
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
                self._put(upserted((large, recent), keys, rows))
            else:
                self._segments = large.without(keys), recent.without(keys).with_more(keys, rows)
            self._noted(keys)

    def delete(self, keys: Keys) -> None:
        keys = np.asarray(keys, np.int64)
        with self._writing:
            large, recent = self._segments
            if isinstance(large, Flat):
                self._put(deleted((large, recent), keys))
            else:
                self._segments = large.without(keys), recent.without(keys)
            self._noted(keys)

    def take(self, snapshot: Opened, name: str, head: Mapping[str, Any]) -> None:
        super().take(snapshot, name, head)
        large = self._segments[0]
        if isinstance(large, Cells) and large.recall != self._recall:
            raise Unusable(f"{name} was tuned for a recall of {large.recall}, and {self._recall} is wanted")
        with self._writing:
            self._noted(np.zeros(0, np.int64))  # work that was not done when it was saved

    def settle(self) -> None:
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
                large = _folded(segments, self.dim, self._recall)
                with self._idle:
                    touched = np.unique(np.concatenate([np.zeros(0, np.int64), *self._touched]))
                    recent = Flat.of(*held_by(self._segments, touched, self.dim), scanned=False)
                    self._put((large.without(touched), recent))
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


def _folded(segments: tuple[Segment, Flat], dim: int, recall: float) -> Cells | Flat:
    """Return cells of all live rows: a copy with the recent ones added, or new ones if they have changed too much.

    Few rows are given back as they are.
    """
    large, recent = segments
    faiss.omp_set_num_threads(1)  # searches come first
    keys, rows = recent.live()
    if isinstance(large, Cells):
        room = large.built * 2 > len(large.vectors) + len(keys)
        if room and large.owners.live_share >= 1 - DEAD:
            return large.with_more(keys, rows)
    everything = np.unique(np.concatenate([segment.owners.keys for segment in segments]))
    keys, rows = held_by(segments, everything, dim)
    # By half of it, so that a shop about that size does not go to and fro.
    return Flat.of(keys, rows, scanned=True) if len(keys) < LEAST_ROWS // 2 else Cells.of(keys, rows, recall)
