"""Queries that the cells are tuned on, made from the rows themselves, and what each should find.

Rows themselves would not do: they lie in the midst of their like, and what finds their neighbours misses some of those of a
picture that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.adapters.index_rows import Rows, Scores, Stored, inner_products, nearest_rows, taken
from lookalike.core.types import Mask, Vectors

QUERIES = 256
K = 10
"""So many neighbours are to be found."""
MASKS = 4
"""Filters of each kind that queries take turns with."""
PLACES = 3
"""Around so many rows lie those that a filter lets through far from the query."""
BESIDE = 1.0
"""How far a query lies from the row it is made from, by the distance of that row's neighbour."""
DRAWN = 50
"""The most alike of so many rows drawn at random: not of the same kind, and yet in the same quarter of the space."""
STRANGE_COSINE = 0.45
"""Of a strange query and the row it is made from: then it is as unlike the centroids as phrases are among pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class FarAway:
    """Queries, unit vectors float32 [n, dim], and for each of some filters how near the rows are to its places."""

    queries: Vectors
    rows: Rows
    """What the queries are made from."""
    near: Scores
    """float32 [masks, rows]."""

    def masks(self, count: int) -> Sequence[Mask]:
        """Return filters that let through so many rows, or a few more that are as near. Query i is far from i % len(masks)."""
        last = self.near.shape[1] - count
        return [np.asarray(near >= np.partition(near, last)[last]) for near in self.near]


def unseen(vectors: Stored, rng: np.random.Generator) -> Vectors:
    """Return queries as people ask them: unit vectors float32 [n, dim].

    Every other lies beside a row, as far as rows do from each other: its neighbours are of one kind, and share their cells. The
    rest lie midway between rows that are alike only broadly: their neighbours come from all around, as do those of photos that
    are like nothing in the catalogue in particular. Either kind alone is easier than real photos, or harder, depending on how
    crowded the rows are.
    """
    return _made_from(vectors, some(vectors, rng), rng)


def strange(vectors: Stored, made_from: Rows, rng: np.random.Generator) -> Vectors:
    """Return queries that are like no row, as phrases are unlike pictures even where they say what is in them."""
    rows = taken(vectors, made_from)
    noise = rng.normal(size=rows.shape) / np.sqrt(rows.shape[1])
    return _unit(STRANGE_COSINE * rows + np.sqrt(1 - STRANGE_COSINE**2) * noise)


def far_away(vectors: Stored, rng: np.random.Generator) -> FarAway:
    """Return queries on the far side of what a filter lets through, some just across the border."""
    near = np.empty((MASKS, len(vectors)), np.float32)
    rows = np.empty((QUERIES // MASKS, MASKS), np.int64)
    for number in range(MASKS):
        for turn, place in enumerate(rng.choice(len(vectors), PLACES)):
            alike = inner_products(vectors, taken(vectors, slice(place, place + 1))[0], None)
            near[number] = np.maximum(near[number], alike) if turn else alike
        furthest = np.argpartition(near[number], len(vectors) // 2)[: len(vectors) // 2 + 1]
        rows[:, number] = rng.choice(furthest, len(rows))
    return FarAway(_made_from(vectors, rows.ravel(), rng), rows.ravel(), near)


def some(vectors: Stored, rng: np.random.Generator) -> Rows:
    """Return the numbers of some rows."""
    return rng.choice(len(vectors), min(QUERIES, len(vectors)), replace=False)


def by_chance(count: int, share: float, rng: np.random.Generator) -> Mask:
    """Return a filter that lets a share of so many rows through, K at least."""
    mask = rng.random(count, np.float32) < share
    mask[rng.choice(count, K, replace=False)] |= np.count_nonzero(mask) < K
    return mask


def last_wanted(vectors: Stored, queries: Vectors, masks: Sequence[Mask | None]) -> Scores:
    """Return the similarity of the K-th nearest row of each query, float32 [n]; query i has masks[i % len(masks)]."""
    last = np.empty(len(queries), np.float32)
    for number, mask in enumerate(masks):
        found, _ = nearest_rows(vectors, queries[number :: len(masks)], K, mask)
        last[number :: len(masks)] = found[:, -1]
    return last


def _made_from(vectors: Stored, rows: Rows, rng: np.random.Generator) -> Vectors:
    made = _beside(vectors, rows, rng)
    between = np.arange(len(rows)) // MASKS % 2 == 1  # so that each mask has both
    made[between] = _between(vectors, rows[between], rng)
    return made


def _beside(vectors: Stored, rows: Rows, rng: np.random.Generator) -> Vectors:
    """Go from each row away from one of its neighbours, to a unit vector."""
    begun = taken(vectors, rows)
    _, nearest = nearest_rows(vectors, begun, min(K + 1, len(vectors)))
    chosen = nearest[np.arange(len(rows)), rng.integers(nearest.shape[1], size=len(rows))]
    return _unit(begun + BESIDE * (begun - taken(vectors, chosen)))


def _between(vectors: Stored, rows: Rows, rng: np.random.Generator) -> Vectors:
    """Return the points midway from each row to the most alike of some rows drawn at random, as unit vectors."""
    begun = taken(vectors, rows)
    others = np.empty_like(begun)
    for number, row in enumerate(begun):
        drawn = taken(vectors, np.sort(rng.choice(len(vectors), min(DRAWN, len(vectors)), replace=False)))
        alike = drawn @ row
        alike[alike > 1 - 1e-6] = -1.0  # the row itself, or its like
        others[number] = drawn[np.argmax(alike)]
    return _unit(begun + others)


def _unit(made: Vectors) -> Vectors:
    return np.ascontiguousarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)
