"""What the indexes over FAISS have in common: segments that are replaced, never changed, and one answer made from all of them.

A change makes new segments and masks beside the old ones and swaps one reference, so a search takes no lock and sees the state
before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from lookalike.adapters.index_rows import Owners, Scores, Stored, stay_on_this_thread
from lookalike.adapters.index_snapshot import Opened, Unusable, Writing
from lookalike.core.types import Allowed, Candidates, Keys, Similarities, Vectors
from lookalike.core.vectors import unit_rows


class Segment(Protocol):
    """Rows of vectors that can be searched."""

    @property
    def owners(self) -> Owners:
        """Which products the rows belong to."""
        ...

    @property
    def vectors(self) -> Stored:
        """All rows, [rows, dim]."""
        ...

    def rows(self, numbers: Keys) -> Vectors:
        """Return some rows, float32 [n, dim]."""
        ...

    def without(self, keys: Keys) -> Self:
        """Return the segment with the rows of these products dead."""
        ...

    def choose(self, allowed: Allowed | None) -> Any:
        """Work out, once for all queries, which rows to look at and how."""
        ...

    def nearest(self, query: Scores, pool: int, chosen: Any) -> tuple[Keys, Scores]:
        """Return the best `pool` products, each once, best first; equal ones by smaller key."""
        ...

    def products_of(self, queries: Vectors, numbers: Keys) -> Similarities:
        """Return the exact inner products of queries with some rows, float32 [queries, n]."""
        ...

    def save(self, into: Writing, name: str) -> dict[str, Any]:
        """Write itself as files whose names begin with `name`; return what else `opened` must know, for JSON."""
        ...

    @classmethod
    def opened(cls, snapshot: Opened, name: str, head: Mapping[str, Any]) -> Self:
        """Open what `save` wrote. Vectors stay on disk, and are read as they are looked at."""
        ...


class SegmentedIndex:
    """The reading half of a VectorIndex over `_segments`, and the lock of its writers."""

    kinds: ClassVar[Mapping[str, type[Segment]]] = {}
    """The segments it can be opened with, by the name that `save` gives them."""

    def __init__(
        self, dim: int, segments: tuple[Segment, ...], folded: Callable[[], None] = lambda: None
    ) -> None:
        """Hold segments, the large one first; `folded` is called whenever that was made anew, and must be quick."""
        self.dim = dim
        self._segments = segments
        self._folded = folded
        self._writing = Lock()

    def _put(self, segments: tuple[Segment, ...]) -> None:
        """Let searches see other segments."""
        anew = segments[0].vectors is not self._segments[0].vectors
        self._segments = segments
        if anew:
            self._folded()

    def frozen(self) -> SegmentedIndex:
        """Return the index as it is at this moment, to be saved while it goes on changing."""
        return SegmentedIndex(self.dim, self._segments)

    def save(self, into: Writing, name: str) -> dict[str, Any]:
        """Write itself as files whose names begin with `name`; return what else `take` must know, for JSON."""
        saved = [each.save(into, f"{name}.{number}") for number, each in enumerate(self._segments)]
        return {"dim": self.dim, "segments": saved}

    def take(self, snapshot: Opened, name: str, head: Mapping[str, Any]) -> None:
        """Become what `save` wrote; raise Unusable if this kind of index cannot. Nobody may use the index yet."""
        if head["dim"] != self.dim:
            raise Unusable(f"its vectors of {name} have {head['dim']} components instead of {self.dim}")
        strange = {each["kind"] for each in head["segments"]} - set(self.kinds)
        if strange:
            raise Unusable(f"{name} is an index of another kind ({', '.join(sorted(strange))})")
        self._segments = tuple(
            self.kinds[each["kind"]].opened(snapshot, f"{name}.{number}", each)
            for number, each in enumerate(head["segments"])
        )

    def settle(self) -> None:
        """Wait until the background has nothing left to do."""

    def __len__(self) -> int:
        return sum(int(segment.owners.alive.sum()) for segment in self._segments)

    def search(self, vectors: Vectors, pool: int, allowed: Allowed | None = None) -> Candidates:
        stay_on_this_thread()
        queries = unit_rows(vectors, self.dim, "query vectors")
        keys = np.full((len(queries), pool), -1, np.int64)
        similarities = np.full((len(queries), pool), -np.inf, np.float32)
        chosen = [(each, each.choose(allowed)) for each in self._segments if len(each.owners.keys)]
        for number, query in enumerate(queries):
            found = [segment.nearest(query, pool, choice) for segment, choice in chosen]
            best_keys, best = found[0] if len(found) == 1 else _merged(found, pool)
            keys[number, : len(best)] = best_keys
            similarities[number, : len(best)] = best
        return Candidates(keys, similarities)

    def similarities(self, vectors: Vectors, keys: Keys) -> Similarities:
        stay_on_this_thread()
        queries = unit_rows(vectors, self.dim, "query vectors")
        result = np.full((len(queries), len(keys)), np.nan, np.float32)
        for segment in self._segments:
            rows, owners = segment.owners.rows_of(keys)
            if not len(rows):
                continue
            firsts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
            per_row = segment.products_of(queries, rows)
            result[:, owners[firsts]] = np.maximum.reduceat(per_row, firsts, axis=1)
        return result

    def get(self, keys: Keys) -> tuple[Keys, Vectors]:
        return held_by(self._segments, np.unique(keys), self.dim)

    def observed(self, share: float, recall: float) -> None:
        """Do nothing: what is exact has nothing to learn of it."""


def _merged(found: list[tuple[Keys, Scores]], pool: int) -> tuple[Keys, Scores]:
    """Return the best of several segments, best first; no product is alive in two of them."""
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    keys = np.concatenate([each for each, _ in found])
    similarities = np.concatenate([each for _, each in found])
    best = np.lexsort((keys, -similarities))[:pool]
    return keys[best], similarities[best]


def held_by(segments: tuple[Segment, ...], keys: Keys, dim: int) -> tuple[Keys, Vectors]:
    """Return the live rows of products, ordered by key: keys int64 [n], vectors float32 [n, dim]."""
    found_keys, found = [np.zeros(0, np.int64)], [np.zeros((0, dim), np.float32)]
    for segment in segments:
        rows, _ = segment.owners.rows_of(keys)
        found_keys.append(segment.owners.keys[rows])
        found.append(segment.rows(rows))
    held, vectors = np.concatenate(found_keys), np.concatenate(found)
    if (held[1:] >= held[:-1]).all():
        return held, vectors
    order = np.argsort(held, kind="stable")
    return held[order], vectors[order]


def save_rows(into: Writing, name: str, owners: Owners, vectors: Stored) -> None:
    """Write the rows of a segment: keys, which are alive, and the vectors as they are."""
    into.array(f"{name}.keys", owners.keys)
    into.array(f"{name}.alive", owners.alive)
    into.array(f"{name}.vectors", vectors, large=True)


def open_rows(snapshot: Opened, name: str, rows: int | None = None) -> tuple[Owners, Vectors]:
    """Open what `save_rows` wrote; raise Unusable if the parts do not belong together, or are not so many `rows`."""
    keys, alive = snapshot.array(f"{name}.keys"), snapshot.array(f"{name}.alive")
    vectors: Vectors = snapshot.array(f"{name}.vectors")
    if not len(keys) == len(alive) == len(vectors) == (len(keys) if rows is None else rows):
        raise Unusable(f"the files of {name} are not of one number of rows")
    return Owners.of(keys, alive), vectors
