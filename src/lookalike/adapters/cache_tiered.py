"""Two Caches as one: what the near one does not hold, the far one is asked for."""

from __future__ import annotations

from lookalike.core.ports import Cache


class TieredCache:
    """A near cache, of this process, before a far one that others use as well; there, keys begin with `prefix`.

    A look-up costs a microsecond in the near one and a hundred and more in the far one, and phrases come again most often
    while they are fresh.
    """

    def __init__(self, near: Cache, far: Cache, prefix: str) -> None:
        self._near = near
        self._far = far
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        held = self._near.get(key)
        if held is None:
            held = self._far.get(self._prefix + key)
            if held is not None:
                self._near.set(key, held)
        return held

    def set(self, key: str, value: bytes) -> None:
        self._near.set(key, value)
        self._far.set(self._prefix + key, value)
