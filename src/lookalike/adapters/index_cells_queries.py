"""Queries that the cells are tuned on, made from the rows themselves, with what each should find.

Rows themselves would not do: they lie in the midst of their like, and what finds their neighbours misses some of those of a
picture that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.adapters.index_rows import Rows, Scores, inner_products
from lookalike.core.types import Mask, Vectors

QUERIES = 128
K = 10
"""So many neighbours are to be found."""
MASKS = 4
"""Filters of each kind that queries take turns with."""
PLACES = 3
"""Around so many rows lie those that a filter lets through far from the query."""
BESIDE = 1.0
"""How far a query lies from the row it is made from, by the distance of that row's neighbour."""
STRANGE_COSINE = 0.45
"""Of a strange query and the row it is made from: then it is as unlike the centroids as phrases are among pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """Unit vectors float32 [n, dim], and their inner products with all rows, float32 [n, rows]."""

    vectors: Vectors
    truth: Scores


@dataclass(frozen=True, slots=True, eq=False)
class FarAway:
    """Queries, and for each of some filters how near the rows are to its places: float32 [masks, rows]."""

    queries: Queries
    rows: Rows
    """What the queries are made from."""
    near: Scores

    def masks(self, count: int) -> Sequence[Mask]:
        """Return filters that let through so many rows, or a few more that are as near. Query i is far from i % len(masks)."""
        last = self.near.shape[1] - count
        return [np.asarray(near >= np.partition(near, last)[last]) for near in self.near]


def unseen(vectors: Vectors, rng: np.random.Generator) -> Queries:
    """Return queries that lie as far from the rows as these from each other."""
    return _queries(vectors, _beside(vectors, some(vectors, rng), rng))


def strange(vectors: Vectors, made_from: Rows, rng: np.random.Generator) -> Queries:
    """Return queries that are like no row, as phrases are unlike pictures even where they say what is in them."""
    rows = vectors[made_from]
    noise = rng.normal(size=rows.shape) / np.sqrt(rows.shape[1])
    return _queries(vectors, STRANGE_COSINE * rows + np.sqrt(1 - STRANGE_COSINE**2) * noise)


def far_away(vectors: Vectors, rng: np.random.Generator) -> FarAway:
    """Return queries that lie where a filter lets least through."""
    near = np.empty((MASKS, len(vectors)), np.float32)
    rows = np.empty((QUERIES // MASKS, MASKS), np.int64)
    for number in range(MASKS):
        places = vectors[rng.choice(len(vectors), PLACES)]
        near[number] = np.max([inner_products(vectors, place, None) for place in places], axis=0)
        furthest = np.argpartition(near[number], len(vectors) // 10)[: len(vectors) // 10 + 1]
        rows[:, number] = rng.choice(furthest, len(rows))
    return FarAway(_queries(vectors, _beside(vectors, rows.ravel(), rng)), rows.ravel(), near)


def some(vectors: Vectors, rng: np.random.Generator) -> Rows:
    """Return the numbers of some rows."""
    return rng.choice(len(vectors), min(QUERIES, len(vectors)), replace=False)


def _beside(vectors: Vectors, rows: Rows, rng: np.random.Generator) -> Vectors:
    """Go from each row away from one of its neighbours."""
    made = np.empty((len(rows), vectors.shape[1]), np.float32)
    for number, row in enumerate(rows):
        near = inner_products(vectors, vectors[row], None)
        nearest = np.argpartition(-near, min(K, len(near) - 1))[: K + 1]
        made[number] = vectors[row] + BESIDE * (vectors[row] - vectors[rng.choice(nearest)])
    return made


def _queries(vectors: Vectors, made: Vectors) -> Queries:
    unit = np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)
    return Queries(unit, np.stack([inner_products(vectors, query, None) for query in unit]))
