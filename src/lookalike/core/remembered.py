"""What filters let through, remembered until the next change, for readers that take no locks beside one writer at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from lookalike.core.filters import Filter
from lookalike.core.types import Allowed

MAX_FILTERS = 64
"""Filters that are remembered, at most."""
MAX_BYTES = 64_000_000
"""Bytes of masks that are remembered: one for each product and filter."""
MAX_LETTERS = 20_000
"""A filter longer than that is not remembered: it may take more room than its mask, and hardly comes again."""


class RememberedFilters:
    """A map from filters to what they let through, empty after each change."""

    def __init__(self) -> None:
        self._writing = Lock()
        self._version = 0
        """Goes up when a change begins and when it ends, so it is odd while one is made."""
        self._held: tuple[int, dict[str, Allowed]] = 0, {}
        """What is remembered, and of which version it is."""

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold off other writers, and let no reader remember what it reads meanwhile."""
        with self._writing:
            self._version += 1
            try:
                yield
            finally:
                self._version += 1
                self._held = self._version, {}  # what was held is of no use, and may be large

    def of(self, where: Filter | None, evaluate: Callable[[Filter | None], Allowed]) -> Allowed:
        """Return what a filter lets through, from memory if nothing changed since it was evaluated.

        It is the same object then, so that others can remember by identity what they made of it.
        """
        version = self._version
        key = repr(where)  # equal filters are not always the same: True == 1.0
        of_version, held = self._held
        known = held.get(key) if of_version == version else None
        if known is not None:
            return known
        allowed = evaluate(where)
        # Only what was evaluated without a change in between, from beginning to end, is of one version.
        if version % 2 or self._version != version or len(key) > MAX_LETTERS:
            return allowed
        if of_version != version or len(held) >= _room(allowed):
            self._held = version, {key: allowed}  # begun anew: other readers may be looking into the old one
            return allowed
        return held.setdefault(key, allowed)


def _room(allowed: Allowed) -> int:
    """Return how many such masks may be remembered."""
    return min(MAX_FILTERS, max(1, MAX_BYTES // max(1, len(allowed.mask))))
