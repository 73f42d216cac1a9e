"""The index for more than a scan can read: cells of short codes, and the best of those compared in full.

The large segment is an inverted file (`IndexIVFPQFastScan` of FAISS): rows lie in cells around centroids, each as a code of 4
bits for every two components of what sets it apart from its centroid, turned at random first so that all components say
equally much. A search goes through the cells that hold matches, the nearest first, until it has seen as many matching rows as
its budget says. It sums up their codes by table look-ups in registers (André et al., 2015, "Cache locality is not enough") and
compares the best of them in full; or, where matches are sparse, it leaves the codes alone and compares all it has seen.
How many rows that takes is measured when the cells are made (`index_cells_tuning`).

The second segment holds recent changes as they are; a thread in the background adds them to a copy of the cells, without the
dead rows once these are many, or makes the cells anew once they have doubled. What is left of a shop that shrinks is scanned
again. Searches never wait for any of it; writers do where recent rows would take more memory than the index may.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Condition, Thread
from time import monotonic, perf_counter
from typing import Any, ClassVar

import faiss
import numpy as np

from lookalike.adapters.index_cells_segment import DEAD, Cells
from lookalike.adapters.index_cells_tuning import tune
from lookalike.adapters.index_cells_widened import Widened
from lookalike.adapters.index_exact import Flat, deleted, upserted
from lookalike.adapters.index_room import Rooms
from lookalike.adapters.index_rows import rows_at_once
from lookalike.adapters.index_segments import Segment, SegmentedIndex, held_by
from lookalike.adapters.index_snapshot import Opened, Unusable
from lookalike.core.types import Keys, Vectors
from lookalike.core.vectors import keyed_rows

log = logging.getLogger(__name__)

LEAST_ROWS = 20_000
"""Below this an exact scan is fast enough, and certain."""
RECENT_ROWS, RECENT_SHARE = 4096, 256
"""So many recent rows, and one in so many of all, are worth a copy of the cells; until then every search compares all."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
"""After work in the background failed, so long nothing is tried again; doubling."""


class CellsIndex(SegmentedIndex):
    """VectorIndex that is exact while it is small, and made of cells from `LEAST_ROWS` rows on."""

    kinds: ClassVar[Mapping[str, type[Segment]]] = {"flat": Flat, "cells": Cells}
    _segments: tuple[Segment, Flat]

    def __init__(
        self,
        dim: int,
        folded: Callable[[], None] = lambda: None,
        recall: float = 0.95,
        memory_bytes: int | None = None,
        folder: Path | None = None,
    ) -> None:
        """Make an empty index; `folded` is called whenever the large segment was made anew.

        `recall` is promised of the ten nearest. Where cells with their vectors would take more than a quarter of
        `memory_bytes`, the vectors go to files without names in `folder`, in half precision.
        """
        super().__init__(dim, (Flat.empty(dim), Flat.empty(dim)), folded)
        self._recall = recall
        self._rooms = Rooms(memory_bytes, folder)
        self._widened = Widened(recall)
        self._idle = Condition(self._writing)
        self._worker: Thread | None = None
        self._touched: list[Keys] = []
        """Keys changed since the background work began."""
        self._failures, self._failed, self._not_before_s = 0, "", 0.0

    @property
    def exact(self) -> bool:
        """Whether `search` is certain to return the true nearest: until there are cells."""
        return isinstance(self._segments[0], Flat)

    @property
    def learned(self) -> int:
        """How many vectors the cells were learned from; 0 while there are none."""
        large = self._segments[0]
        return large.built if isinstance(large, Cells) else 0

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        keys, rows = keyed_rows(keys, vectors, self.dim)
        with self._idle:
            self._idle.wait_for(lambda: self._worker is None or not self._crowded())
            large, recent = self._segments
            if isinstance(large, Flat) and self._worker is None:
                self._put(upserted((large, recent), keys, rows))
            else:  # what is being made into cells is not worth a new scan
                self._segments = large.without(keys), recent.without(keys).with_more(keys, rows)
            self._noted(keys)

    def delete(self, keys: Keys) -> None:
        keys = np.asarray(keys, np.int64)
        with self._writing:
            large, recent = self._segments
            if isinstance(large, Flat) and self._worker is None:
                self._put(deleted((large, recent), keys))
            else:
                self._segments = large.without(keys), recent.without(keys)
            self._noted(keys)

    def observed(self, share: float, recall: float) -> None:
        """Take note of which share of the nearest a live search found, under a filter that lets `share` of the rows through.

        1 is no filter. Where searches certainly find less than was promised, those like them look further from now on.
        """
        if not self.exact and self._widened.found(share, recall):
            log.warning(
                "searches that %.3g of the vectors match found less than %g of the nearest: they look further now",
                share,
                self._recall,
            )

    def state(self) -> dict[str, Any]:
        """Return what there is to know of it, for people: rows, where they are, work in the background and how it failed."""
        large, recent = self._segments
        return {
            "kind": "exact" if self.exact else "cells",
            "rows": len(self),
            "dead": large.owners.dead + recent.owners.dead,
            "recent": len(recent.owners.keys),
            "on_disk": large.vectors.dtype == np.float16,
            "folding": self._worker is not None,
            "failures": self._failures,
            "failed": self._failed,
            "widened": dict(self._widened.state()),
        }

    def take(self, snapshot: Opened, name: str, head: Mapping[str, Any]) -> None:
        super().take(snapshot, name, head)
        large, recent = self._segments
        if isinstance(large, Cells):
            if large.recall != self._recall:
                raise Unusable(
                    f"{name} was tuned for a recall of {large.recall}, and {self._recall} is wanted"
                )
            if large.room.on_disk and not self._rooms.on_disk(*large.vectors.shape):
                raise Unusable(f"{name} is in half precision, and there is memory for more")
            self._segments = replace(large, widened=self._widened), recent
        with self._writing:
            self._noted(np.zeros(0, np.int64))  # work that was not done when it was saved

    def settle(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._worker is None)

    def _least_rows(self) -> int:
        """Return from how many rows on there are cells: from fewer where an exact scan would take too much memory."""
        return min(LEAST_ROWS, self._rooms.exact_rows(self.dim) or LEAST_ROWS)

    def _crowded(self) -> bool:
        """Say whether rows that wait to be brought into cells take all the memory that they may."""
        limit = self._rooms.recent_rows(self.dim)
        large, recent = self._segments
        waiting = len(recent.owners.keys)
        if isinstance(large, Flat):
            waiting += len(large.owners.keys) - self._least_rows()
        return limit is not None and waiting >= limit

    def _noted(self, keys: Keys) -> None:
        """Remember what changed, and see to it that somebody folds it in."""
        if self._worker is not None:
            self._touched.append(keys)
        elif self._due(self._segments) and monotonic() >= self._not_before_s:
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
                    if not self._due(segments):
                        self._rest()
                        return
                large = self._folded_in(segments)
                with self._idle:
                    touched = np.unique(np.concatenate([np.zeros(0, np.int64), *self._touched]))
                    recent = Flat.of(*held_by(self._segments, touched, self.dim), scanned=False)
                    self._put((large.without(touched), recent))
                    self._failures, self._failed = 0, ""
                    self._idle.notify_all()
        except BaseException as error:
            wait_s = min(FIRST_WAIT_S * 2**self._failures, LONGEST_WAIT_S)
            log.exception(
                "recent changes could not be folded into the index; searches go on with both, and it is tried again at "
                "the first change after %g s",
                wait_s,
            )
            with self._idle:
                self._failures, self._failed = self._failures + 1, repr(error)
                self._not_before_s = monotonic() + wait_s
                self._rest()

    def _rest(self) -> None:
        self._worker = None
        self._idle.notify_all()

    def _folded_in(self, segments: tuple[Segment, Flat]) -> Cells | Flat:
        large = _folded(segments, self._recall, self._rooms, self._least_rows())
        return replace(large, widened=self._widened) if isinstance(large, Cells) else large

    def _due(self, segments: tuple[Segment, Flat]) -> bool:
        """Tell whether it is time for background work."""
        large, recent = segments
        rows, more = len(large.owners.keys), len(recent.owners.keys)
        if isinstance(large, Flat):
            return rows + more >= self._least_rows()
        enough = max(RECENT_ROWS, rows // RECENT_SHARE)
        limit = self._rooms.recent_rows(self.dim)
        return more >= (enough if limit is None else min(enough, limit)) or large.owners.dead > DEAD * rows


def _folded(segments: tuple[Segment, Flat], recall: float, rooms: Rooms, least: int) -> Cells | Flat:
    """Return cells of all live rows: a copy with the recent ones added, or new ones if they have changed too much.

    Few rows are given back as they are.
    """
    large, recent = segments
    faiss.omp_set_num_threads(1)  # searches come first
    dim = recent.vectors.shape[1]
    live = sum(len(segment.owners.keys) - segment.owners.dead for segment in segments)
    if live < least // 2:  # half, so that a shop about that size does not go to and fro
        return Flat.of(*held_by(segments, _keys_of(segments), dim), scanned=True)
    keys, rows = recent.live()
    if isinstance(large, Cells) and not large.outgrown(len(keys)):
        return large.with_more(keys, rows, rooms)
    began = perf_counter()
    made = Cells.of(_parts(segments, dim), live, dim, rooms)
    return replace(made, budgets=tune(made, recall), recall=recall, took_s=perf_counter() - began)


def _keys_of(segments: tuple[Segment, ...]) -> Keys:
    return np.unique(np.concatenate([segment.owners.products for segment in segments]))


def _parts(segments: tuple[Segment, ...], dim: int) -> Iterator[tuple[Keys, Vectors]]:
    """Yield the live rows of all products, in the order of their keys, a few megabytes at a time."""
    keys = _keys_of(segments)
    rows_each = max(sum(len(segment.owners.keys) for segment in segments) / len(keys), 1.0)
    step = max(int(rows_at_once(dim) / rows_each), 1)
    for start in range(0, len(keys), step):
        yield held_by(segments, keys[start : start + step], dim)
