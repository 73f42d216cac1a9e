"""Searches that turn out to find too little look further, by what share of the rows their filter lets through.

Budgets are measured on queries that are made up. What live searches really find is known where some of them are repeated
exactly; this takes note of it.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from lookalike.adapters.index_cells_tuning import SURE

ABOVE = (0.001, 0.01, 0.1, 1.0)
"""Shares of matching rows that searches are told apart by; the last are those without a filter."""
ENOUGH = 50
"""Searches of a kind that say something together."""
MORE, MOST = 1.5, 8.0
"""Each time so many times as far, and how far at most."""


@dataclass(slots=True)
class _Seen:
    times: float = 1.0
    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def mean(self) -> float:
        return self.total / self.count

    def error(self) -> float:
        """Return the standard error of the mean."""
        mean = self.mean()
        return float((max(self.squares / self.count - mean * mean, 0.0) / self.count) ** 0.5)


class Widened:
    """How many times as far as was measured searches look. Safe to use from several threads."""

    def __init__(self, recall: float) -> None:
        """Widen where searches certainly find a smaller share of the nearest than `recall`."""
        self._recall = recall
        self._seen = [_Seen() for _ in range(len(ABOVE) + 1)]
        self._lock = Lock()

    def times(self, share: float) -> float:
        """Return how many times as far to look where a filter lets such a share through."""
        return self._seen[bisect(ABOVE, share)].times

    def found(self, share: float, recall: float) -> bool:
        """Take note of what one search found of the nearest, 0 to 1; say if searches like it look further from now on."""
        with self._lock:
            seen = self._seen[bisect(ABOVE, share)]
            seen.count += 1
            seen.total += recall
            seen.squares += recall * recall
            if seen.count < ENOUGH:
                return False
            short = seen.mean() + SURE * seen.error() < self._recall
            seen.times = min(seen.times * MORE, MOST) if short else seen.times
            # Begin again: of what was found before it looked further, nothing is to be learned, and shops change.
            if short or seen.count >= 20 * ENOUGH:
                seen.count, seen.total, seen.squares = 0, 0.0, 0.0
            return short

    def state(self) -> Mapping[str, float]:
        """Return how many times as far is looked, by the share above which a filter lets rows through."""
        names = ("0", *(f"{above:g}" for above in ABOVE[:-1]), "all")
        return {name: seen.times for name, seen in zip(names, self._seen, strict=True)}
