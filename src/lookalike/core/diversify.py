"""Variety: one per family, a cap per category, and maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def first_of_each(groups: Sequence[object]) -> NDArray[np.int64]:
    """Return the positions of the first of each group, in order; None is a group of its own. int64 [m]."""
    seen: set[object] = set()
    kept = []
    for position, group in enumerate(groups):
        if group is None or group not in seen:
            kept.append(position)
            seen.add(group)
    return np.array(kept, np.int64)


def cap_per_group(groups: Sequence[object], cap: int) -> NDArray[np.int64]:
    """Return positions in order, those beyond `cap` of their group moved behind all others: nothing is lost. int64 [n]."""
    count: dict[object, int] = {}
    within: list[int] = []
    beyond: list[int] = []
    for position, group in enumerate(groups):
        count[group] = count.get(group, 0) + 1
        (within if group is None or count[group] <= cap else beyond).append(position)
    return np.array(within + beyond, np.int64)


def maximal_marginal_relevance(
    scores: NDArray[np.float64], alike: NDArray[np.float64], diversity: float, count: int
) -> NDArray[np.int64]:
    """Order the best `count` products by (1 - diversity) x score - diversity x likeness to what is already chosen.

    scores float64 [n]; alike float64 [n, n], 1 for identical products and 0 for unrelated ones; diversity 0 to 1. The order
    for a smaller count is the beginning of that for a larger one. Source: Carbonell and Goldstein, 1998.
    """
    marginal = (1 - diversity) * scores
    nearest = np.zeros(len(scores))
    order = []
    for _ in range(min(count, len(scores))):
        best = int(np.argmax(marginal - diversity * nearest))
        order.append(best)
        marginal[best] = -np.inf
        nearest = np.maximum(nearest, alike[best])
    return np.array(order, np.int64)
