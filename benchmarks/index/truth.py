"""The true answers, by an exact scan in single precision, and how an answer is judged against them.

An answer is right when its similarity is at least that of the k-th true one, less a millionth: so that of equal rows
(duplicates) any will do. One pass over the base answers all filters asked for; answers are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.index import filters
from benchmarks.index.dataset import Dataset, Filter, Ids, Mask, Rows

DEPTH = 100
TIE = 1e-6
MANY = 1000
"""Above this many better rows per query a partition is cheaper than a sort."""

Similarities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Mean recall@k; answers that do not match the filter; queries that got fewer than k (or than there are)."""

    recall: float
    violations: int
    short: int


def similarities(
    dataset: Dataset,
    kind: str,
    wanted: Sequence[Filter],
    progress: Callable[[float], None] = lambda share: None,
    some: slice | None = None,
) -> dict[str, Similarities]:
    """Return for each filter, by name, the similarities of the true DEPTH best, float32 [queries, DEPTH], best first.

    `kind` is "in" or "cross"; all its queries are answered, or `some`. Fewer matches are filled up with -inf.
    """
    names = {f.name: f for f in wanted}
    places = {name: _path(dataset, kind, f, some) for name, f in names.items()}
    missing = [f for name, f in names.items() if not places[name].exists()]
    if missing:
        (dataset.folder / "truth").mkdir(exist_ok=True)
        queries: Rows = np.load(dataset.folder / f"queries-{kind}.npy")[some or slice(None)]
        for asked, best in zip(missing, _scan(dataset, queries, missing, progress), strict=True):
            np.save(places[asked.name], best)
    return {name: np.load(place) for name, place in places.items()}


def _path(dataset: Dataset, kind: str, wanted: Filter, some: slice | None) -> Path:
    part = "" if some is None else f"-{some.start}-{some.stop}"
    return dataset.folder / "truth" / f"{kind}-{wanted.name.replace(':', '-')}{part}.npy"


def _scan(
    dataset: Dataset, queries: Rows, wanted: Sequence[Filter], progress: Callable[[float], None]
) -> list[Similarities]:
    groups = [_groups(dataset, asked, queries) for asked in wanted]
    best = [np.full((len(queries), DEPTH), -np.inf, np.float32) for _ in wanted]
    for start, rows in dataset.chunks():
        products = queries @ rows.T
        for found, parts in zip(best, groups, strict=True):
            for members, mask in parts:
                columns = None if mask is None else np.flatnonzero(mask[start : start + len(rows)])
                seen = products[members] if columns is None else products[np.ix_(members, columns)]
                found[members] = _best(found[members], seen)
        progress((start + len(rows)) / dataset.count)
    return [-np.sort(-found, axis=1) for found in best]


def _groups(dataset: Dataset, wanted: Filter, queries: Rows) -> list[tuple[Ids, Mask | None]]:
    if wanted.kind == "none":
        return [(np.arange(len(queries)), None)]
    turns = filters.assigned(dataset, wanted, queries)
    return [
        (np.flatnonzero(turns == number), mask) for number, mask in enumerate(filters.masks(dataset, wanted))
    ]


def _best(held: Similarities, seen: Similarities) -> Similarities:
    """Return the DEPTH best of two sets of columns, in no order."""
    rows, columns = np.nonzero(seen > held.min(axis=1)[:, None])
    if not len(rows):
        return held
    if len(rows) > MANY * len(held):
        together = np.concatenate([held, seen], axis=1)
        return -np.partition(-together, DEPTH - 1, axis=1)[:, :DEPTH]
    values = np.concatenate([held.ravel(), seen[rows, columns]])
    owners = np.concatenate([np.repeat(np.arange(len(held)), DEPTH), rows])
    order = np.lexsort((-values, owners))
    starts = np.searchsorted(owners[order], np.arange(len(held)))
    return values[order][starts[:, None] + np.arange(DEPTH)]


def judged(
    dataset: Dataset, queries: Rows, found: Ids, true: Similarities, allowed: Sequence[Mask | None]
) -> Verdict:
    """Judge answers int64 [queries, k] (-1 where none came) against true similarities [queries, >= k]."""
    k = found.shape[1]
    kept = found >= 0
    for row, ids in zip(kept, found, strict=True):
        _, firsts = np.unique(ids, return_index=True)
        once = np.zeros(k, bool)
        once[firsts] = True
        row &= once
    kept_ids, owners = found[kept], np.nonzero(kept)[0]
    reached = np.full(found.shape, -np.inf)
    vectors = dataset.take(kept_ids)
    reached[kept] = np.einsum("nd,nd->n", vectors, queries[owners], dtype=np.float64)
    legal = np.zeros(found.shape, bool)
    legal[kept] = [allowed[o] is None or allowed[o][i] for o, i in zip(owners, kept_ids, strict=True)]  # type: ignore[index]
    possible = np.minimum(k, np.isfinite(true[:, :k]).sum(axis=1))
    last = true[np.arange(len(true)), np.maximum(possible, 1) - 1]
    right = (legal & (reached >= last[:, None] - TIE)).sum(axis=1)
    return Verdict(
        float(np.mean(np.minimum(right, possible) / np.maximum(possible, 1))),
        int((kept & ~legal).sum()),
        int((kept.sum(axis=1) < possible).sum()),
    )
