"""Whoever changes a product does so alone; who changes others does not wait for it.

A change reads what is held, works, and writes. If another change of the same product is written between the two, the catalogue
refuses this one (`Record.read_seq`) and its work is done again. Turns spare that within one process and keep the order of
asking, so that nobody starves: at most one change per process is ever refused over a product.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import takewhile
from threading import Condition


class Turns:
    """Gives turns in the order of asking, so nobody waits for ever. Not reentrant; safe to use from threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._line: list[_Turn] = []

    @contextmanager
    def of(self, ids: Collection[str] | None) -> Iterator[None]:
        """Hold these products, None for all of them, once everybody before who holds or wants one of them is done."""
        turn = _Turn(ids)
        with self._changed:
            self._line.append(turn)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._has_come(turn))
            yield
        finally:
            with self._changed:
                self._line.remove(turn)
                self._changed.notify_all()

    def _has_come(self, turn: _Turn) -> bool:
        return not any(turn.meets(before) for before in takewhile(lambda each: each is not turn, self._line))


class _Turn:
    """Compared by identity: two turns of the same products are two turns."""

    def __init__(self, ids: Collection[str] | None) -> None:
        self._ids = None if ids is None else frozenset(ids)

    def meets(self, other: _Turn) -> bool:
        return self._ids is None or other._ids is None or not self._ids.isdisjoint(other._ids)
