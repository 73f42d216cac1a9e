"""How many cells to look into, and how many rows to compare in full: measured on the rows themselves.

For shares of matching rows from all to a hundredth, lying anywhere or clumped in a far corner, the cheapest pair that reaches
the wanted recall is looked for, with rows of the index as queries (each but itself to be found).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from lookalike.adapters.index_rows import Rows, Scores, inner_products
from lookalike.core.types import Allowed, Mask

if TYPE_CHECKING:
    from lookalike.adapters.index_cells import Cells, Chosen

RECALL = 0.97
"""Wanted of the first ten: a little more than promised, for queries that are further off than rows are."""
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
QUERIES = 96
K = 10
PROBES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
FACTORS = (4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Budget:
    """How far to look: cells, and rows compared in full for each one wanted."""

    probes: int
    factor: int
    took_us: float = 0.0

    def width(self, pool: int) -> int:
        """Return how many rows to compare in full: fewer wanted need as many, the tail of a large pool less care."""
        return self.factor * K + 3 * max(pool - K, 0)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What was measured: a budget for each share of matching rows, lying anywhere and clumped."""

    measured: Mapping[tuple[bool, float], Budget] = field(default_factory=dict)
    few: int = 2000
    """Up to so many matching rows, comparing each in full is cheaper."""

    def of(self, share: float, pool: int, *, clumped: bool) -> Budget:
        """Return the budget of the next smaller share measured."""
        if not self.measured:
            return Budget(32, 32)
        nearest = next((each for each in SHARES if each <= share), SHARES[-1])
        budget = self.measured[clumped, nearest]
        # Deep pages need the cells of more neighbours.
        return budget if pool <= K else Budget(budget.probes * 2, budget.factor)


def tune(cells: Cells) -> Budgets:
    """Measure the budgets of some cells. Takes seconds."""
    cells = replace(cells, budgets=Budgets(few=0))  # what few is comes out of this
    rng = np.random.default_rng(0)
    rows = rng.choice(len(cells.vectors), min(QUERIES, len(cells.vectors)), replace=False)
    truth = np.stack([inner_products(cells.vectors, cells.vectors[row], None) for row in rows])
    truth[np.arange(len(rows)), rows] = -np.inf
    far = inner_products(cells.vectors, cells.vectors[rng.integers(len(cells.vectors))], None)
    measured = {}
    for clumped, share in product((False, True), SHARES):
        mask = _clump(far, share) if clumped else rng.random(len(cells.vectors)) < share
        measured[clumped, share] = _cheapest(cells, rows, truth, mask)
    return Budgets(measured, _few(cells, rows, measured))


def _clump(far: Scores, share: float) -> Mask:
    """Choose the rows nearest to one that most queries are far from: bool [rows]."""
    count = max(int(share * len(far)), 1)
    return np.asarray(far >= np.partition(far, len(far) - count)[len(far) - count])


def _cheapest(cells: Cells, rows: Rows, truth: Scores, mask: Mask) -> Budget:
    """Return the budget that reaches the wanted recall in the least time, or else the one of the best recall."""
    chosen = cells.choose(Allowed(_by_key(cells, mask), int(mask.sum())))
    wanted = _kth(np.where(mask, truth, -np.inf))
    tried = list(_tried(cells, rows, wanted, chosen))
    good = [(budget.took_us, number) for number, (budget, recall) in enumerate(tried) if recall >= RECALL]
    if good:
        return tried[min(good)[1]][0]
    return max(tried, key=lambda each: each[1])[0]


def _tried(cells: Cells, rows: Rows, wanted: Scores, chosen: Chosen) -> Iterator[tuple[Budget, float]]:
    """Measure budgets, for each factor from few cells to the first number that is enough."""
    for factor in FACTORS:
        for probes in PROBES:
            budget, recall = _measured(cells, rows, wanted, chosen, Budget(probes, factor))
            yield budget, recall
            if recall >= RECALL or probes >= chosen.cells:
                break


def _measured(
    cells: Cells, rows: Rows, wanted: Scores, chosen: Chosen, budget: Budget
) -> tuple[Budget, float]:
    found, took = [], []
    for row, least in zip(rows, wanted, strict=True):
        query = cells.vectors[row]
        began = perf_counter()
        near = cells.coded(cells.turn.apply(query[None]), chosen, K + 1, budget)
        similarities = inner_products(cells.vectors, query, near[near != row])
        took.append(perf_counter() - began)
        found.append(min(int(np.count_nonzero(similarities >= least - 1e-6)), K))
    return Budget(budget.probes, budget.factor, float(np.median(took)) * 1e6), float(np.mean(found)) / K


def _kth(similarities: Scores) -> Scores:
    """Return the similarity of the last row wanted of each query."""
    last = similarities.shape[1] - K
    return np.asarray(np.partition(similarities, last, axis=1)[:, last])


def _by_key(cells: Cells, mask: Mask) -> Mask:
    """Turn a mask over rows into one over keys; of products with several rows, one is enough."""
    by_key = np.zeros(int(cells.owners.keys.max()) + 1, bool)
    by_key[cells.owners.keys[mask]] = True
    return by_key


def _few(cells: Cells, rows: Rows, measured: Mapping[tuple[bool, float], Budget]) -> int:
    """Return how many rows can be compared in full in the time that looking into cells takes for the smallest share."""
    rng = np.random.default_rng(1)
    some = np.sort(rng.choice(len(cells.vectors), min(2000, len(cells.vectors)), replace=False))
    took: Sequence[float] = [_seconds(cells, row, some) for row in rows]
    each_us = float(np.median(took)) * 1e6 / len(some)
    return int(measured[False, SHARES[-1]].took_us / max(each_us, 1e-3))


def _seconds(cells: Cells, row: int, some: Rows) -> float:
    began = perf_counter()
    inner_products(cells.vectors, cells.vectors[row], some)
    return perf_counter() - began
