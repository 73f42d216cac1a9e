"""A segment of coded rows in cells: how it is made, grows, and is searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import ref

import faiss
import numpy as np

from lookalike.adapters.index_cells_learned import rotation, trained
from lookalike.adapters.index_cells_places import Chosen, Places, Ranked
from lookalike.adapters.index_cells_tuning import Budget, Budgets
from lookalike.adapters.index_cells_widened import Widened
from lookalike.adapters.index_room import Room, Rooms
from lookalike.adapters.index_rows import (
    Owners,
    Rows,
    Scores,
    Stored,
    all_inner_products,
    best_per_product,
    inner_products,
    rows_at_once,
    selected,
    selector,
    taken,
    write_faiss,
)
from lookalike.adapters.index_segments import open_rows, save_rows
from lookalike.adapters.index_snapshot import Opened, Unusable, Writing
from lookalike.core.types import Allowed, Keys, Mask, Similarities, Vectors

DEAD = 0.1
"""The share of dead rows from which on a copy leaves them out."""
OUTGROWN, OUTGROWN_EARLY, EARLY, SHRUNK = 2.0, 1.4, 400_000, 4
"""Cells are made anew when so many times the rows they were learned from have been coded, fewer where these were less than
`EARLY` and learning is cheap; or when one in so many is left."""
ROOM = 2
"""Times the rows that there is place for."""
AROUND, EXPECTED, DEVIATIONS = 8, 25, 3.0
"""A query is far from what a filter lets through if the cells around it hold less than chance would give them, by more than so
many standard deviations. Around it are so many cells, or as many more as it takes to expect so many matches by chance."""
LEAST_CELLS = 4
"""So many of the nearest cells are looked into however much they hold: a query may lie where several meet."""
FILTERS = 64
"""Filters whose rows and cells are remembered."""
EVERYTHING: Mask = np.ones(1, bool)
"""What stands for the filter that lets everything through."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A segment of coded rows in cells.

    Rows that die stay in the cells, and in what is remembered of filters; they are left out of what is compared. So a change
    costs searches nothing.
    """

    owners: Owners
    vectors: Stored
    """[rows, dim]: the beginning of `room`, which leaves place for more."""
    room: Room
    turn: Any
    """A random rotation (faiss.VectorTransform)."""
    codes: Any
    """faiss.IndexIVFPQFastScan over the turned rows; its ids are row numbers."""
    places: Places
    built: int
    """Rows when the centroids were learned."""
    coded: int = 0
    """Rows coded since then, and then; those that are gone again included."""
    budgets: Budgets = field(default_factory=Budgets)
    took_s: float = 0.0
    """How long it took to learn and measure all that, on a machine that did other things as well."""
    recall: float = 0.0
    """What it was measured for."""
    widened: Widened = field(default_factory=lambda: Widened(0.0))
    """What live searches have taught beyond that."""
    remembered: dict[int, tuple[ref[Mask], Chosen]] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Iterable[tuple[Keys, Vectors]], count: int, dim: int, rooms: Rooms) -> Cells:
        """Learn cells and codes from `count` rows, which come in parts, best in the order of their keys.

        Beside the room and the codes it takes memory for one part and for the sample it learns from.
        """
        room, had = rooms.make(count, ROOM * count, dim), 0
        keys = np.empty(count, np.int64)
        for part, rows in parts:
            room.put(had, rows)
            keys[had : had + len(part)] = part
            had += len(part)
        turn = rotation(dim)
        codes = trained(turn, room.array[:count], rooms.trained_rows(dim))
        empty = cls(Owners.of(keys[:0]), room.array[:0], room, turn, codes, Places.of(codes), count)
        return empty._filled(keys)

    def outgrown(self, more: int) -> bool:
        """Say whether so many more rows would make these other cells than those that were learned."""
        live = len(self.owners.keys) - self.owners.dead + more
        times = OUTGROWN_EARLY if self.built < EARLY else OUTGROWN
        return self.coded + more >= times * self.built or live * SHRUNK < self.built

    def with_more(self, keys: Keys, vectors: Vectors, rooms: Rooms) -> Cells:
        """Return a copy that has these rows as well, and few dead ones; the products must have no other live rows."""
        if self.owners.dead > DEAD * len(self.owners.keys):
            return self._compacted(keys, vectors, rooms)
        copy = replace(self, codes=faiss.clone_index(self.codes), room=self._roomy(len(keys), rooms))
        copy.room.put(len(copy.owners.keys), vectors)
        return copy._filled(keys)

    def _roomy(self, more: int, rooms: Rooms) -> Room:
        """Return our room, or another with the same rows in it if that cannot be written to or is too small."""
        rows, dim = self.vectors.shape
        if rows + more <= len(self.room.array) and self.room.writable:
            return self.room
        return self._moved(None, rows + more, dim, rooms)

    def _moved(self, kept: Rows | None, needed: int, dim: int, rooms: Rooms) -> Room:
        """Return a new room that begins with our rows, or those that are kept."""
        room = rooms.make(needed, ROOM * max(needed, self.built), dim)
        count, step = len(self.vectors) if kept is None else len(kept), rows_at_once(dim)
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            room.put(start, self.vectors[part if kept is None else kept[part]])
        return room

    def _compacted(self, keys: Keys, vectors: Vectors, rooms: Rooms) -> Cells:
        """Return a copy without the dead rows, and with these: coded anew, but nothing is learned or measured.

        FAISS can take rows out of such codes, but what is added after that gets wrong ones.
        """
        kept, dim = np.flatnonzero(self.owners.alive), self.vectors.shape[1]
        room = self._moved(kept, len(kept) + len(keys), dim, rooms)
        room.put(len(kept), vectors)
        codes: Any = faiss.clone_index(self.codes)
        codes.reset()
        none = Owners.of(keys[:0])
        empty = replace(
            self, owners=none, vectors=room.array[:0], room=room, codes=codes, coded=self.coded - len(kept)
        )
        return empty._filled(np.concatenate([self.owners.keys[kept], keys]))

    def _filled(self, keys: Keys) -> Cells:
        """Code the rows in the room that are not in the cells yet, of these keys. Changes `codes`, which must be our own."""
        had = len(self.owners.keys)
        count, step = had + len(keys), rows_at_once(self.room.array.shape[1])
        for start in range(had, count, step):
            rows = taken(self.room.array, slice(start, min(start + step, count)))
            self.codes.add_with_ids(
                self.turn.apply(rows), np.arange(start, start + len(rows), dtype=np.int64)
            )
        alive = np.concatenate([self.owners.alive, np.ones(len(keys), bool)])
        return replace(
            self,
            owners=Owners.of(np.concatenate([self.owners.keys, keys]), alive),
            vectors=self.room.array[:count],
            coded=self.coded + len(keys),
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
        return {"kind": "cells", "built": self.built, "coded": self.coded, **tuned}

    @classmethod
    def opened(cls, snapshot: Opened, name: str, head: Mapping[str, Any]) -> Cells:
        budgets = Budgets.from_json(head["budgets"])
        if not budgets.complete:
            raise Unusable(f"{name} was tuned for other shares of matching rows than this version looks up")
        codes = faiss.read_index(snapshot.path(f"{name}.codes"))
        turn = faiss.read_VectorTransform(snapshot.path(f"{name}.turn"))
        owners, vectors = open_rows(snapshot, name, codes.ntotal)
        if vectors.shape[1] != codes.d:
            raise Unusable(f"the codes of {name} are not those of its vectors")
        tuned = head["built"], head.get("coded", codes.ntotal), budgets, head["took_s"], head["recall"]
        return cls(owners, vectors, Room(vectors), turn, codes, Places.of(codes), *tuned)

    def rows(self, numbers: Keys) -> Vectors:
        return taken(self.vectors, numbers)

    def without(self, keys: Keys) -> Cells:
        owners = self.owners.without(keys)
        return self if owners is self.owners else replace(self, owners=owners)

    def products_of(self, queries: Vectors, numbers: Keys) -> Similarities:
        return all_inner_products(self.vectors, queries, numbers)

    def choose(self, allowed: Allowed | None) -> Chosen:
        mask = EVERYTHING if allowed is None else allowed.mask
        known = self.remembered.get(id(mask))
        if known is not None and known[0]() is mask:
            return known[1]
        chosen = self.whole() if allowed is None else self._chosen(self.owners.belonging_to(mask))
        if len(self.remembered) >= FILTERS:
            self.remembered.clear()
        self.remembered[id(mask)] = ref(mask), chosen
        return chosen

    def _chosen(self, mask: Mask) -> Chosen:
        """Choose the way to search that was measured as the cheapest for so many matches."""
        count = int(np.count_nonzero(mask))
        if count == len(mask):
            return self.whole()
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
        """Return what was measured for queries like this one; more if rows came or died since, or live searches fell short."""
        budget = self.budgets.of(1.0) if chosen.chooses is None else self._filtered(ranked, chosen)
        strange = ranked.similarities[ranked.cells[0]] < self.budgets.strange_below
        rows = len(self.vectors)
        more = max(rows / self.built, 1.0) / max(self.owners.live_share, 0.5)
        more *= self.widened.times(chosen.count / rows)
        return budget.times(more * (self.budgets.strange if strange else 1.0))

    def _filtered(self, ranked: Ranked, chosen: Chosen) -> Budget:
        """Return what was measured for a filter: how much of what is around the query matches counts, if that is more."""
        assert chosen.held is not None
        held, sizes = chosen.held[ranked.cells], self.places.sizes[ranked.cells]
        share = chosen.count / len(self.vectors)
        wide = max(int(np.searchsorted(np.cumsum(sizes), EXPECTED / share)) + 1, AROUND)
        expected = share * sizes[:wide].sum()
        if held[:wide].sum() < expected - DEVIATIONS * expected**0.5:
            return self.budgets.of(share, far=True)
        return self.budgets.of(max(share, held[:AROUND].sum() / max(sizes[:AROUND].sum(), 1)))

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
        if self.owners.dead:
            rows = rows[self.owners.alive[rows]]
        similarities = inner_products(self.vectors, query, rows)
        return best_per_product(self.owners.keys[rows], similarities, pool, distinct=self.owners.one_row_each)
