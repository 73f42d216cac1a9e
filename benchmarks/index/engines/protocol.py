"""What an engine must do to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.index.dataset import Dataset, Ids, Mask

Params = Mapping[str, Any]
Query = NDArray[np.float32]

THREADS = 2
"""While building; searches run on one."""


class Masks:
    """The filters of a run by name, each read from its file when asked for: bool [count]."""

    def __init__(self, folder: Path, names: Sequence[str], count: int) -> None:
        self.folder, self.names, self.count = folder, names, count

    def __getitem__(self, name: str) -> Mask:
        return np.unpackbits(
            np.load(self.folder / f"{name}.npy"), count=self.count, bitorder="little"
        ).astype(bool)

    def tags(self, start: int, stop: int) -> list[list[str]]:
        """Return the names of the filters that each of these rows matches: what a store keeps as a field of the row."""
        tags: list[list[str]] = [[] for _ in range(stop - start)]
        for name in self.names:
            packed = np.load(self.folder / f"{name}.npy", mmap_mode="r")[start // 8 : (stop + 7) // 8]
            for row in np.flatnonzero(np.unpackbits(packed, bitorder="little")[start % 8 :][: stop - start]):
                tags[row].append(name)
        return tags


class Engine(Protocol):
    """One engine, in a process and an environment of its own. Ids are row numbers."""

    builds: Sequence[Params]
    """The ways to build it that are compared, the usual one first."""

    def __init__(self, kind: str, folder: Path) -> None:
        """`kind` is the part of the name after the colon; `folder` is empty and its own."""
        ...

    def efforts(self, k: int, share: float) -> Sequence[Params]:
        """Return search parameters from cheap to thorough, for a filter that keeps this share (1.0: none)."""
        ...

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        """Take in all rows, and the filters where they are stored with the rows."""
        ...

    def ready(self, name: str, mask: Mask) -> None:
        """Do what a filter that is used again and again may have done once; outside of the timing."""
        ...

    def fresh(self, name: str, mask: Mask) -> None:
        """Have a filter as it is when it was never seen: what costs anything is left to the search."""
        ...

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        """Return the ids of at most k rows, best first."""
        ...

    def save(self) -> Path:
        """Write what is not written yet; return the folder or file whose size is what the engine takes on disk."""
        ...

    def close(self) -> None:
        """Stop what was started."""
        ...


class PostFilter:
    """For engines that know no filters: fetch more, drop what does not match. `effort["fetch"]` is in units of k / share."""

    def __init__(self) -> None:
        self.masks: dict[str, Mask] = {}
        self.shares: dict[str, float] = {}

    def ready(self, name: str, mask: Mask) -> None:
        self.masks[name] = mask
        self.shares[name] = float(mask.mean())

    fresh = ready  # a mask needs no preparation

    def width(self, k: int, where: str | None, effort: Params) -> int:
        """Return how many to fetch: what the filter lets through of them is k on average at `fetch` 1."""
        if where is None:
            return k
        return min(len(self.masks[where]), int(np.ceil(k / self.shares[where] * effort.get("fetch", 1))))

    def kept(self, ids: Ids, k: int, where: str | None) -> Ids:
        """Return the first k that match."""
        return ids[:k] if where is None else ids[self.masks[where][ids]][:k]


def widths(*values: int, key: str = "ef") -> list[Params]:
    """Return one search parameter at several values."""
    return [{key: value} for value in values]


def post_filter_efforts(share: float, values: Sequence[int], key: str = "ef") -> list[Params]:
    """Return the search parameter's values alone, or under a filter, with more and more fetched."""
    if share == 1.0:
        return widths(*values, key=key)
    return [{key: values[0], "fetch": fetch} for fetch in (1, 1.5, 2, 3, 5, 8, 12, 20)]
