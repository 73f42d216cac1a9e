"""Which ids a run has met, in 8 bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


class SeenIds:
    """A growing set of 64-bit hashes as a few sorted arrays of doubling size: a set of strings would cost 15 times as much.

    Two different ids share a hash about once in 10^13 pairs; a million rows have 5 x 10^11 pairs.
    """

    def __init__(self) -> None:
        self._sorted: list[NDArray[np.uint64]] = []

    def has(self, ids: Sequence[str]) -> list[bool]:
        """Return for each id whether it was met before."""
        return [bool(met) for met in self._met(_hashes(ids))]

    def _met(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        met = np.zeros(len(hashes), bool)
        for held in self._sorted:
            at = np.minimum(np.searchsorted(held, hashes), len(held) - 1)
            met |= held[at] == hashes
        return met

    def add(self, ids: Sequence[str]) -> list[bool]:
        """Add ids in order; return for each whether it was met before, in this call or an earlier one."""
        hashes = _hashes(ids)
        fresh, firsts = np.unique(hashes, return_index=True)
        met = np.ones(len(hashes), bool)
        met[firsts] = False
        met |= self._met(hashes)
        if len(fresh):
            self._sorted.append(fresh)
        while len(self._sorted) > 1 and len(self._sorted[-2]) <= 2 * len(self._sorted[-1]):
            self._sorted.append(np.unique(np.concatenate([self._sorted.pop(), self._sorted.pop()])))
        return met.tolist()


def _hashes(ids: Sequence[str]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(blake2b(id_.encode(), digest_size=8).digest() for id_ in ids), np.uint64)
