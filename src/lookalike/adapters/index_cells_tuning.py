"""How many matching rows to look at, and how many of them to compare in full: measured on the rows themselves.

For shares of matching rows from all to a thousandth, lying anywhere or far from the query, the cheapest way that reaches the
wanted recall is looked for: by codes, or by comparing all that is seen. What is searched for is made in `index_cells_queries`.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.adapters.index_cells_queries import (
    MASKS,
    FarAway,
    K,
    by_chance,
    far_away,
    last_wanted,
    some,
    strange,
    unseen,
)
from lookalike.adapters.index_rows import Scores, inner_products
from lookalike.core.types import Mask, Vectors

if TYPE_CHECKING:
    from lookalike.adapters.index_cells_places import Chosen
    from lookalike.adapters.index_cells_segment import Cells

SURE = 2.0
"""Standard errors by which the mean recall of the queries must pass the promised one."""
FEW_QUERIES, ENOUGH_QUERIES = 64, 128
"""After so many queries it may be certain that a recall is missed, and after so many that it is reached."""
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
RISING = SHARES[::-1]
FAR_MARGIN = 0.4
"""Filters far away and strange queries are of more kinds than can be made up: so aim this much higher."""
STRANGE_SHARE = 0.05
"""The ordinary queries that are taken for strange."""
STRANGE_MORE = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
SEEN = tuple(int(50 * 1.4**step) for step in range(48))
FACTORS = (2, 3, 4, 6, 9, 15, 24, 48)
LISTED = 0.1
"""Beyond this share, listing the matching rows of a filter costs more than it gives."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How far to look: matching rows to see, and rows compared in full for each one wanted; without `factor`, all seen."""

    seen: int
    factor: int
    took_us: float = 0.0
    recall: float = 0.0
    """Of the first ten, as measured."""

    def width(self, pool: int) -> int:
        """Return how many rows to compare in full: fewer wanted need as many, the tail of a large pool less care."""
        return self.factor * K + 6 * max(pool - K, 0)

    def for_pool(self, pool: int) -> Budget:
        """Return what a pool needs: more neighbours lie in more cells, though not in proportion."""
        return self if pool <= K else replace(self, seen=ceil(self.seen * (pool / K) ** 0.6))

    def times(self, more: float) -> Budget:
        """Return one that looks so many times as far."""
        if more == 1:
            return self
        return Budget(ceil(self.seen * more), ceil(self.factor * more))

    def at_least(self, other: Budget) -> Budget:
        """Return one that looks no less far than another of the same way to search: far away is no easier than anywhere."""
        if not (self.factor and other.factor):
            return self
        return replace(self, seen=max(self.seen, other.seen), factor=max(self.factor, other.factor))


NOT_MEASURED = Budget(4000, 24)
Measured = Mapping[tuple[bool, float], Budget]
"""By whether the query is far from what matches, and the share of the rows that do."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """What was measured: a budget for each share of matching rows, lying anywhere and far from the query."""

    measured: Measured = field(default_factory=dict)
    few: int = 500
    """Up to so many matching rows, comparing each in full is cheaper."""
    strange_below: float = -1.0
    """A query less like its nearest centroid than that is unlike the rows, as phrases are unlike pictures."""
    strange: float = 1.0
    """How many times as far it must look."""

    def of(self, share: float, *, far: bool = False) -> Budget:
        """Return a budget for a share between two that were measured."""
        if not self.measured:
            return NOT_MEASURED
        place = min(bisect(RISING, share), len(RISING) - 1)
        low, high = RISING[max(place - 1, 0)], RISING[place]
        below, above = self.measured[far, low], self.measured[far, high]
        if bool(below.factor) != bool(above.factor):
            # Two ways to search have no middle. That of the larger share, where fewer match, reaches further still.
            return Budget(above.seen, above.factor)
        part = min(max((share - low) / (high - low), 0.0), 1.0) if high > low else 0.0
        seen = ceil(below.seen + part * (above.seen - below.seen))
        return Budget(seen, max(above.factor, below.factor))

    @property
    def complete(self) -> bool:
        """Whether there is a budget for each of `SHARES`; those that were saved may have been measured for others."""
        return self.measured.keys() == {(far, share) for far in (False, True) for share in SHARES}

    def compares_all(self, share: float) -> bool:
        """Say whether some queries of a filter that lets so much through are best served without codes.

        More may match around a query than anywhere else, so what was measured for larger shares may be asked for as well.
        """
        around = (share, *RISING[bisect(RISING, share) :])
        return self.of(share, far=True).factor == 0 or any(self.of(each).factor == 0 for each in around)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        rows = [[*which, *astuple(budget)] for which, budget in self.measured.items()]
        return {"few": self.few, "strange": [self.strange_below, self.strange], "measured": rows}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Budgets:
        """Read what `to_json` returned."""
        measured = {(far, share): Budget(*rest) for far, share, *rest in read["measured"]}
        return cls(measured, read["few"], *read["strange"])


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Queries float32 [n, dim], which take turns with masks over rows, and the similarity of the last one each should find."""

    queries: Vectors
    masks: Sequence[Mask | None]
    least: Scores

    @classmethod
    def of(cls, cells: Cells, queries: Vectors, masks: Sequence[Mask | None]) -> _Trial:
        return cls(queries, masks, last_wanted(cells.vectors, queries, masks))

    @property
    def share(self) -> float:
        """Return which part of the rows matches."""
        first = self.masks[0]
        return 1.0 if first is None else float(first.mean())


def tune(cells: Cells, recall: float) -> Budgets:
    """Measure the budgets of some cells for a recall of the first ten. Takes seconds, and some bytes of memory for each row."""
    rng, rows = np.random.default_rng(0), len(cells.vectors)
    ordinary, away = unseen(cells.vectors, rng), far_away(cells.vectors, rng)
    measured: dict[tuple[bool, float], Budget] = {}
    for share in SHARES:
        count = int(share * rows)
        if count < K:
            anywhere = far = Budget(SEEN[0], 0)
        elif share == 1:
            anywhere = far = _cheapest(cells, _Trial.of(cells, ordinary, [None]), recall)
        else:
            masks = [by_chance(rows, share, rng) for _ in range(MASKS)]
            anywhere = _cheapest(cells, _Trial.of(cells, ordinary, masks), recall)
            far = _cheapest(
                cells, _Trial.of(cells, away.queries, away.masks(count)), recall + FAR_MARGIN * (1 - recall)
            ).at_least(anywhere)
        measured |= {(False, share): anywhere, (True, share): far}
    best = [float(cells.ranked(cells.turn.apply(one[None])).similarities.max()) for one in ordinary]
    return Budgets(
        measured,
        _few(cells, ordinary, measured),
        float(np.quantile(best, STRANGE_SHARE)),
        _strange(cells, measured, away, recall, rng),
    )


def _strange(
    cells: Cells, measured: Measured, away: FarAway, recall: float, rng: np.random.Generator
) -> float:
    """Return how many times as far as ordinary queries those have to look that no row is like."""
    vectors, rows = cells.vectors, len(cells.vectors)
    queries = strange(vectors, some(vectors, rng), rng)
    half = [by_chance(rows, 0.5, rng) for _ in range(MASKS)]
    trials = [
        (_Trial.of(cells, queries, [None]), measured[False, 1.0]),
        (_Trial.of(cells, queries, half), measured[False, 0.5]),
        (
            _Trial.of(cells, strange(vectors, away.rows, rng), away.masks(rows // 2)),
            measured[True, 0.5],
        ),
    ]
    wanted = recall + FAR_MARGIN * (1 - recall)
    for more in STRANGE_MORE:
        reached = (
            _measured(cells, trial, _by_masks(cells, trial, listed=False), ordinary.times(more), wanted)[1]
            for trial, ordinary in trials
        )
        if min(reached) >= wanted:
            return more
    return STRANGE_MORE[-1]


def _by_masks(cells: Cells, trial: _Trial, *, listed: bool) -> list[Chosen]:
    return [cells.whole() if mask is None else cells.prepared(mask, listed=listed) for mask in trial.masks]


def _cheapest(cells: Cells, trial: _Trial, recall: float) -> Budget:
    """Return the budget that reaches the wanted recall in the least time, or else the one of the best recall."""
    ways = [_by_codes(cells, trial, recall)]
    if trial.share <= LISTED:
        ways.append(_by_rows(cells, trial, recall))
    tried = [each for way in ways for each in way]
    good = [(budget.took_us, number) for number, (budget, reached) in enumerate(tried) if reached >= recall]
    if good:
        return tried[min(good)[1]][0]
    return max(tried, key=lambda each: each[1])[0]


def _by_codes(cells: Cells, trial: _Trial, recall: float) -> Iterator[tuple[Budget, float]]:
    """Measure, for each factor, the number of rows to see that is just enough; no more of them where that spares no rows.

    Whoever compares more in full need not see more.
    """
    chosen, spared_none = _by_masks(cells, trial, listed=False), 0
    sizes = _up_to(chosen)
    for factor in FACTORS:
        tried = list(_just_enough(cells, trial, chosen, [Budget(seen, factor) for seen in sizes], recall))
        yield from tried
        enough = min((budget.seen for budget, reached in tried if reached >= recall), default=None)
        if enough is None:
            continue
        spared_none = spared_none + 1 if enough == sizes[-1] else 0
        if spared_none == 2:
            return
        sizes = [seen for seen in sizes if seen <= enough]


def _by_rows(cells: Cells, trial: _Trial, recall: float) -> Iterator[tuple[Budget, float]]:
    """Measure the number of rows to see and compare that is just enough."""
    chosen = _by_masks(cells, trial, listed=True)
    budgets = [Budget(seen, 0) for seen in _up_to(chosen)]
    yield from _just_enough(cells, trial, chosen, budgets, recall)


def _up_to(chosen: Sequence[Chosen]) -> list[int]:
    most = max(each.count for each in chosen)
    return [each for each in SEEN if each < most] + [most]


def _just_enough(
    cells: Cells, trial: _Trial, chosen: Sequence[Chosen], budgets: Sequence[Budget], recall: float
) -> Iterator[tuple[Budget, float]]:
    """Measure some of the budgets, which grow, by halving the list of them."""
    low, high = 0, len(budgets) - 1
    while low < high:
        middle = (low + high) // 2
        budget, reached = _measured(cells, trial, chosen, budgets[middle], recall)
        yield budget, reached
        low, high = (low, middle) if reached >= recall else (middle + 1, high)
    yield _measured(cells, trial, chosen, budgets[low], recall)


def _measured(
    cells: Cells, trial: _Trial, chosen: Sequence[Chosen], budget: Budget, recall: float
) -> tuple[Budget, float]:
    """Search for the queries of a trial, until it is certain whether a recall is reached; also return which one surely is."""
    found, took = [], []
    for number, (query, least) in enumerate(zip(trial.queries, trial.least, strict=True)):
        began = perf_counter()
        turned = cells.turn.apply(query[None])
        rows = cells.looked_for(turned, K, chosen[number % len(chosen)], cells.ranked(turned), budget)
        similarities = inner_products(cells.vectors, query, rows)
        took.append(perf_counter() - began)
        found.append(min(int(np.count_nonzero(similarities >= least - 1e-6)), K))
        if len(found) % FEW_QUERIES == 0 and _certain(found, recall):
            break
    reached, error = _mean(found)
    return replace(budget, took_us=float(np.median(took)) * 1e6, recall=reached), reached - SURE * error


def _mean(found: Sequence[int]) -> tuple[float, float]:
    """Return the mean recall, and the standard error of that."""
    return float(np.mean(found)) / K, float(np.std(found)) / K / len(found) ** 0.5


def _certain(found: Sequence[int], recall: float) -> bool:
    """Say whether more queries would not change if a recall is reached."""
    reached, error = _mean(found)
    return reached + SURE * error < recall or (
        len(found) >= ENOUGH_QUERIES and reached - 1.5 * SURE * error >= recall
    )


def _few(cells: Cells, queries: Vectors, measured: Measured) -> int:
    """Return how many rows can be compared in full in the time that looking into cells takes."""
    rng = np.random.default_rng(1)
    took = []
    for query in queries:
        # Other rows each time: those of the last time would still be in the processor's cache.
        some = np.sort(rng.choice(len(cells.vectors), min(1000, len(cells.vectors)), replace=False))
        began = perf_counter()
        inner_products(cells.vectors, query, some)
        took.append((perf_counter() - began) / len(some))
    cells_us = [budget.took_us for (_, share), budget in measured.items() if share <= 0.01 and budget.took_us]
    return int(min(cells_us, default=50.0) / (float(np.median(took)) * 1e6))
