"""The Updates stream in this process: a list with a committed position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Condition

from lookalike.core.ports import Update


class MemoryUpdates:
    """What is put comes out in order; `rewind` stands for a restart: what was not committed comes again."""

    def __init__(self) -> None:
        self._updates: list[Update] = []
        self._read = 0
        self._committed = 0
        self._arrived = Condition()

    def put(self, id: str, row: Mapping[str, object] | None) -> None:
        """Add one change to the stream."""
        with self._arrived:
            self._updates.append(Update(id, row, offset=str(len(self._updates))))
            self._arrived.notify_all()

    def poll(self, limit: int, timeout_s: float) -> Sequence[Update]:
        with self._arrived:
            self._arrived.wait_for(lambda: self._read < len(self._updates), timeout_s)
            updates = self._updates[self._read : self._read + limit]
            self._read += len(updates)
            return updates

    def commit(self, updates: Sequence[Update]) -> None:
        with self._arrived:
            self._committed = max([self._committed, *(int(update.offset) + 1 for update in updates)])

    def rewind(self) -> None:
        """Go back to what was committed."""
        with self._arrived:
            self._read = self._committed
