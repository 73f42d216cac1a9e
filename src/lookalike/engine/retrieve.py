"""From probes to the best products by fused relevance, and whether those are certainly the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookalike.core.fusion import Signal, ceiling, fuse
from lookalike.core.ports import VectorIndex
from lookalike.core.query import Mode
from lookalike.core.types import Allowed, Keys, Similarities
from lookalike.engine.probes import Probe

SCORE_ALL = 50_000
"""Up to so many matching products, scoring all of them in every space is cheaper than widening pools again and again."""
WIDEST_POOL = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The best products, best first: keys int64 [n], relevance float64 [n], signals over the same n.

    `complete` says that there are no others that match.
    """

    keys: Keys
    relevance: NDArray[np.float64]
    signals: tuple[Signal, ...]
    plan: str
    complete: bool


def retrieve(
    spaces: Mapping[str, VectorIndex],
    probes: Sequence[Probe],
    mode: Mode,
    allowed: Allowed | None,
    count: int,
) -> Pool:
    """Return the `count` products of highest fused relevance among the allowed ones (all of the index when None).

    Each probe that attracts brings a pool of its nearest; the union is scored exactly in every space. If some product
    outside the pools could still be among the best (`fusion.ceiling`), all allowed products are scored when they are few
    enough for that, and the pools are widened otherwise.
    """
    exact = all(spaces[probe.space].exact for probe in probes)
    width, escalated = max(2 * count, 64), False
    if len(probes) == 1 and len(probes[0].vectors) == 1:
        width = count  # one list is its own ranking
    while True:
        keys, bounds = _pools(spaces, probes, allowed, width)
        pool = _scored(spaces, probes, mode, keys, count)
        bound = ceiling(bounds, mode) if bounds else -np.inf
        plan = "escalated" if escalated and not exact else "exact" if exact else "ann"
        last = pool.relevance[-1] if len(pool.keys) == count else -np.inf
        if not bounds or last >= bound:
            return replace(pool, plan=plan, complete=not bounds and len(keys) <= count)
        if allowed is not None and allowed.count <= SCORE_ALL:
            return _scored_all(spaces, probes, mode, np.flatnonzero(allowed.mask), count)
        if width >= WIDEST_POOL:
            return replace(pool, plan="escalated")
        width, escalated = width * 8, True


def _pools(
    spaces: Mapping[str, VectorIndex], probes: Sequence[Probe], allowed: Allowed | None, width: int
) -> tuple[Keys, list[Signal]]:
    """Return the union of the pools, and for each pool that came back full the lowest similarity in it.

    A pool that is not full holds every product there is in its space, so nothing is hidden behind it.
    """
    found, bounds, hidden = [], [], False
    for probe in probes:
        if probe.part_weight <= 0:
            continue
        candidates = spaces[probe.space].search(probe.vectors, width, allowed)
        found.append(candidates.keys[candidates.keys >= 0])
        full = candidates.keys[:, -1] >= 0
        hidden |= bool(full.any())
        lowest = candidates.similarities[full, -1].max(initial=-1.0)
        bounds.append(_signal(probe, np.array([lowest if full.any() else np.nan], np.float32)))
    return np.unique(np.concatenate(found)), bounds if hidden else []


def _signal(probe: Probe, similarities: Similarities) -> Signal:
    return Signal(probe.part, probe.part_weight, probe.space, probe.weight, probe.calibration, similarities)


def _scored(
    spaces: Mapping[str, VectorIndex], probes: Sequence[Probe], mode: Mode, keys: Keys, count: int
) -> Pool:
    """Score products in every space and keep the best; equal ones by smaller key."""
    signals = [_signal(p, _best(spaces[p.space].similarities(p.vectors, keys))) for p in probes]
    relevance = fuse(signals, mode) if len(keys) else np.zeros(0)
    order = _top(relevance, keys, count)
    kept = tuple(replace(signal, similarities=signal.similarities[order]) for signal in signals)
    return Pool(keys[order], relevance[order], kept, "exact", complete=False)


def _scored_all(
    spaces: Mapping[str, VectorIndex], probes: Sequence[Probe], mode: Mode, keys: Keys, count: int
) -> Pool:
    known = np.zeros(len(keys), bool)
    for probe in probes:
        if probe.part_weight > 0:
            known |= ~np.isnan(_best(spaces[probe.space].similarities(probe.vectors, keys)))
    return replace(_scored(spaces, probes, mode, keys[known], count), complete=int(known.sum()) <= count)


def _best(similarities: Similarities) -> Similarities:
    """Return each product's similarity to the nearest of a probe's vectors: [m, n] -> [n]."""
    return similarities[0] if len(similarities) == 1 else np.asarray(similarities.max(axis=0))


def _top(relevance: NDArray[np.float64], keys: Keys, count: int) -> NDArray[np.int64]:
    if len(keys) > 4 * count + 64:
        cut = np.partition(relevance, len(keys) - count)[len(keys) - count]
        rows = np.flatnonzero(relevance >= cut)
        return np.asarray(rows[np.lexsort((keys[rows], -relevance[rows]))][:count])
    return np.lexsort((keys, -relevance))[:count]


def browse(allowed: Allowed, count: int) -> Pool:
    """Return products for a query without parts: all are equally relevant, in the order they came."""
    keys = np.flatnonzero(allowed.mask)
    return Pool(keys[:count], np.zeros(min(count, len(keys))), (), "exact", complete=len(keys) <= count)
