"""How many cells to look into, and how many rows to compare in full: measured on the rows themselves.

For shares of matching rows from all to a thousandth, lying anywhere or clumped far from the query, the cheapest pair that
reaches the wanted recall is looked for. Queries are made from rows and one of their neighbours, on the side away from it:
as far from the rows as these are from each other, which is what a query is that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from lookalike.adapters.index_rows import Scores, inner_products
from lookalike.core.types import Allowed, Mask, Vectors

if TYPE_CHECKING:
    from lookalike.adapters.index_cells import Cells, Chosen

RECALL = 0.975
"""Wanted of the first ten: a little more than promised."""
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
QUERIES = 64
CLUMPS = 4
K = 10
PROBES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
FACTORS = (3, 6, 12, 24, 48)


@dataclass(frozen=True, slots=True)
class Budget:
    """How far to look: cells, and rows compared in full for each one wanted."""

    probes: int
    factor: int
    took_us: float = 0.0

    def width(self, pool: int) -> int:
        """Return how many rows to compare in full: fewer wanted need as many, the tail of a large pool less care."""
        return self.factor * K + 6 * max(pool - K, 0)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What was measured: a budget for each share of matching rows, lying anywhere and clumped."""

    measured: Mapping[tuple[bool, float], Budget] = field(default_factory=dict)
    few: int = 500
    """Up to so many matching rows, comparing each in full is cheaper."""

    def of(self, share: float, pool: int, *, clumped: bool) -> Budget:
        """Return the budget of the next smaller share measured."""
        if not self.measured:
            return Budget(32, 32)
        nearest = next((each for each in SHARES if each <= share), SHARES[-1])
        budget = self.measured[clumped, nearest]
        # More neighbours lie in more cells, though not in proportion.
        return budget if pool <= K else Budget(ceil(budget.probes * (pool / K) ** 0.6), budget.factor)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Queries float32 [n, dim], the rows each may find, and the similarity of the last one it should."""

    queries: Vectors
    chosen: Sequence[Chosen]
    least: Scores


def tune(cells: Cells) -> Budgets:
    """Measure the budgets of some cells. Takes seconds."""
    cells = replace(cells, budgets=Budgets(few=0))  # what few is comes out of this
    rng = np.random.default_rng(0)
    queries = _queries(cells, rng)
    truth = np.stack([inner_products(cells.vectors, query, None) for query in queries])
    measured: dict[tuple[bool, float], Budget] = {}
    for share in SHARES:
        if share * len(cells.vectors) < K:
            anywhere = clumped = Budget(PROBES[-1], FACTORS[0])
        else:
            anywhere = _cheapest(cells, _anywhere(cells, queries, truth, share, rng))
            clumped = (
                anywhere if share == 1 else _cheapest(cells, _clumped(cells, queries, truth, share, rng))
            )
        measured |= {(False, share): anywhere, (True, share): clumped}
    return Budgets(measured, _few(cells, queries, measured))


def _queries(cells: Cells, rng: np.random.Generator) -> Vectors:
    rows = rng.choice(len(cells.vectors), min(QUERIES, len(cells.vectors)), replace=False)
    queries = np.empty((len(rows), cells.vectors.shape[1]), np.float32)
    for number, row in enumerate(rows):
        near = inner_products(cells.vectors, cells.vectors[row], None)
        nearest = np.argpartition(-near, min(K, len(near) - 1))[: K + 1]
        beside = cells.vectors[row] - cells.vectors[rng.choice(nearest)]
        queries[number] = cells.vectors[row] + 0.5 * beside
    return np.asarray(queries / np.linalg.norm(queries, axis=1, keepdims=True))


def _anywhere(
    cells: Cells, queries: Vectors, truth: Scores, share: float, rng: np.random.Generator
) -> _Trial:
    masks = [rng.random(len(cells.vectors)) < share if share < 1 else None for _ in range(CLUMPS)]
    return _trial(cells, queries, truth, masks, [number % CLUMPS for number in range(len(queries))])


def _clumped(cells: Cells, queries: Vectors, truth: Scores, share: float, rng: np.random.Generator) -> _Trial:
    """Let each query look among the rows around another one, of several the one that is furthest from it."""
    centres = rng.choice(len(cells.vectors), min(CLUMPS, len(cells.vectors)), replace=False)
    count = max(int(share * len(cells.vectors)), K)
    masks = []
    for centre in centres:
        near = inner_products(cells.vectors, cells.vectors[centre], None)
        masks.append(np.asarray(near >= np.partition(near, len(near) - count)[len(near) - count]))
    furthest = truth[:, centres].argmin(axis=1)
    return _trial(cells, queries, truth, masks, furthest.tolist())


def _trial(
    cells: Cells, queries: Vectors, truth: Scores, masks: Sequence[Mask | None], which: Sequence[int]
) -> _Trial:
    chosen = [cells.choose(None if mask is None else Allowed(*_by_key(cells, mask))) for mask in masks]
    least = np.empty(len(queries), np.float32)
    for number, mask in enumerate(masks[each] for each in which):
        open_to = truth[number] if mask is None else truth[number][mask]
        least[number] = np.partition(open_to, len(open_to) - K)[len(open_to) - K]
    return _Trial(queries, [chosen[each] for each in which], least)


def _by_key(cells: Cells, mask: Mask) -> tuple[Mask, int]:
    """Turn a mask over rows into one over keys, with its count; of products with several rows, one is enough."""
    by_key = np.zeros(int(cells.owners.keys.max()) + 1, bool)
    by_key[cells.owners.keys[mask]] = True
    return by_key, int(by_key.sum())


def _cheapest(cells: Cells, trial: _Trial) -> Budget:
    """Return the budget that reaches the wanted recall in the least time, or else the one of the best recall."""
    tried = list(_tried(cells, trial))
    good = [(budget.took_us, number) for number, (budget, recall) in enumerate(tried) if recall >= RECALL]
    if good:
        return tried[min(good)[1]][0]
    return max(tried, key=lambda each: each[1])[0]


def _tried(cells: Cells, trial: _Trial) -> Iterator[tuple[Budget, float]]:
    """Measure, for each factor, the number of cells that is just enough, by halving the list of numbers."""
    most = max(chosen.cells for chosen in trial.chosen)
    numbers = [each for each in PROBES if each < most] + [most]
    for factor in FACTORS:
        low, high = 0, len(numbers) - 1
        while low < high:
            middle = (low + high) // 2
            budget, recall = _measured(cells, trial, Budget(numbers[middle], factor))
            yield budget, recall
            low, high = (low, middle) if recall >= RECALL else (middle + 1, high)
        yield _measured(cells, trial, Budget(numbers[low], factor))


def _measured(cells: Cells, trial: _Trial, budget: Budget) -> tuple[Budget, float]:
    found, took = [], []
    for query, chosen, least in zip(trial.queries, trial.chosen, trial.least, strict=True):
        began = perf_counter()
        rows = cells.coded(cells.turn.apply(query[None]), chosen, K, budget)
        similarities = inner_products(cells.vectors, query, rows)
        took.append(perf_counter() - began)
        found.append(min(int(np.count_nonzero(similarities >= least - 1e-6)), K))
    return replace(budget, took_us=float(np.median(took)) * 1e6), float(np.mean(found)) / K


def _few(cells: Cells, queries: Vectors, measured: Mapping[tuple[bool, float], Budget]) -> int:
    """Return how many rows can be compared in full in the time that looking into cells takes."""
    rng = np.random.default_rng(1)
    took = []
    for (
        query
    ) in queries:  # other rows each time: those of the last time would still be in the processor's cache
        some = np.sort(rng.choice(len(cells.vectors), min(1000, len(cells.vectors)), replace=False))
        began = perf_counter()
        inner_products(cells.vectors, query, some)
        took.append((perf_counter() - began) / len(some))
    cells_us = [budget.took_us for (_, share), budget in measured.items() if share <= 0.01 and budget.took_us]
    return int(min(cells_us, default=50.0) / (float(np.median(took)) * 1e6))
