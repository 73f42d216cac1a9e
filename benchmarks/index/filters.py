"""Filters as masks over the rows, and which query gets which.

`random`: every row by chance, whatever it looks like. `far` and `near`: the rows of a region, a union of areas around three
places; of the regions there are, a query gets the one least like itself (`far`: what correlated filters do to a graph
is seen here) or most like itself (`near`). Each filter lets through exactly its share of the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from benchmarks.index.dataset import Dataset, Filter, Mask, Rows

MASKS = 4
"""Different filters of each sort and share; queries are spread over them."""
PLACES = 3


def masks(dataset: Dataset, wanted: Filter) -> list[Mask]:
    """Return the MASKS masks of a filter, bool [count] each; none for "none"."""
    if wanted.kind == "none":
        return []
    keep = max(1, round(wanted.share * dataset.count))
    if wanted.kind == "random":
        return [_by_chance(dataset.count, keep, number) for number in range(MASKS)]
    regions = np.load(dataset.folder / "regions.npy")
    centres = np.load(dataset.folder / "centres.npy")
    return [_region(regions, centres, keep, number) for number in range(MASKS)]


def mask_names(wanted: Filter) -> list[str]:
    """Return a name for each of `masks`; far and near filters are the same masks, given to other queries."""
    kind = "random" if wanted.kind == "random" else "region"
    return [] if wanted.kind == "none" else [f"{kind}-{wanted.share:g}-{number}" for number in range(MASKS)]


def assigned(dataset: Dataset, wanted: Filter, queries: Rows) -> NDArray[np.int64]:
    """Return which of the masks each query gets, int64 [queries]."""
    if wanted.kind not in ("far", "near"):
        return np.arange(len(queries)) % MASKS
    centres = np.load(dataset.folder / "centres.npy")
    alike = np.stack(
        [(queries @ centres[_places(len(centres), m)].T).max(axis=1) for m in range(MASKS)], axis=1
    )
    chosen: NDArray[np.int64] = alike.argmin(axis=1) if wanted.kind == "far" else alike.argmax(axis=1)
    return chosen


def _by_chance(count: int, keep: int, number: int) -> Mask:
    mask = np.zeros(count, bool)
    mask[default_rng([11, number, keep]).choice(count, keep, replace=False, shuffle=False)] = True
    return mask


def _places(centres: int, number: int) -> NDArray[np.int64]:
    return default_rng([12, number]).choice(centres, PLACES, replace=False)


def _region(regions: NDArray[np.uint16], centres: Rows, keep: int, number: int) -> Mask:
    """Take whole regions, those most like one of the three places first, and part of the last one."""
    alike = (centres @ centres[_places(len(centres), number)].T).max(axis=1)
    turn = np.empty(len(centres), np.int64)
    turn[np.argsort(-alike, kind="stable")] = np.arange(len(centres))
    turns = turn[regions]
    sizes = np.cumsum(np.bincount(turns, minlength=len(centres)))
    last = int(np.searchsorted(sizes, keep))
    mask: Mask = turns < last
    rest = np.flatnonzero(turns == last)
    short = keep - int(mask.sum())
    mask[default_rng([13, number, keep]).choice(rest, short, replace=False)] = True
    return mask
