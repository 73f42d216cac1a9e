"""From probes to the best products by fused relevance, and whether those are certainly the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookalike.core.fusion import Signal, ceiling, fuse
from lookalike.core.query import Mode
from lookalike.core.types import Allowed, Candidates, Keys, Similarities
from lookalike.engine.indexing import View
from lookalike.engine.probes import Probe

SCORE_ALL = 50_000
"""Up to so many matching products, scoring all of them in every space is cheaper than widening pools again and again."""
FIRST_POOL = 256
"""Of 64, two searches in three had to score everything after all, on 30,142 products of fashion; of 256 one in fifteen."""
FIRST_ROUGH_POOL = 96
"""The same where an index may miss products anyway, for which wide pools cost more."""
ROUGHLY = 0.9
"""There it is enough that nothing outside the pools could be better by more than this factor, which it hardly ever is: such
searches by a product or a phrase find 99 % of the best 24 of fashion, with and without a filter. Where parts have little in
common it often is, and everything is scored."""
WIDEST_POOL = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """Which products may be found: the `allowed` ones but those `hidden`, int64 [n], of which there should be few.

    `restricted` says whether the allowed ones are fewer than the indexes hold. The hidden ones are looked for and left out:
    a mask without them would be another for each query, and what an index remembers of a filter of no use.
    """

    allowed: Allowed
    restricted: bool
    hidden: Keys

    @property
    def mask(self) -> Allowed | None:
        """What to tell an index, which is faster without a mask."""
        return self.allowed if self.restricted else None

    @property
    def count(self) -> int:
        """How many products may be found."""
        mask, hidden = self.allowed.mask, np.unique(self.hidden)
        return self.allowed.count - int(np.count_nonzero(mask[hidden[hidden < len(mask)]]))

    def keys(self) -> Keys:
        """Return all products that may be found, int64 [count], in order."""
        return self.visible(np.flatnonzero(self.allowed.mask))

    def visible(self, keys: Keys) -> Keys:
        """Return those of these products that are not hidden."""
        return keys[~np.isin(keys, self.hidden)] if len(self.hidden) else keys


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
    view: View,
    probes: Sequence[Probe],
    mode: Mode,
    count: int,
    among: Among,
) -> Pool:
    """Return the `count` products of highest fused relevance.

    Each probe that attracts brings a pool of its nearest; the union is scored exactly in every space. A single list, of one
    vector or phrase, is its own ranking. Of several, if some product outside the pools could still be among the best
    (`fusion.ceiling`), all allowed products are scored when they are few enough for that, and the pools are widened
    otherwise. With indexes that are not exact, "could" is taken less strictly.
    """
    exact = all(isinstance(probe.looks_for, str) or view.spaces[probe.space].exact for probe in probes)
    alone = len(probes) == 1 and (isinstance(probes[0].looks_for, str) or len(probes[0].looks_for) == 1)
    first = FIRST_POOL if exact else FIRST_ROUGH_POOL
    width = count if alone else max(2 * count, first)
    plan = "exact" if exact else "ann"
    while True:
        keys, bounds = _pools(view, probes, among, width)
        pool = _scored(view, probes, mode, keys, count)
        last = pool.relevance[-1] if len(pool.keys) == count else -np.inf
        is_ranked = alone and len(pool.keys) == count  # what follows is no better, whatever these are worth
        if not bounds or is_ranked or last >= ceiling(bounds, mode) * (1.0 if exact else ROUGHLY):
            return replace(pool, plan=plan, complete=not bounds and pool.complete)
        if among.allowed.count <= SCORE_ALL:
            return _scored(view, probes, mode, among.keys(), count)
        if width >= WIDEST_POOL:
            return replace(pool, plan="escalated", complete=False)
        width *= 8
        plan = "exact" if exact else "escalated"


def retrieve_exactly(view: View, probes: Sequence[Probe], mode: Mode, count: int, among: Among) -> Pool:
    """Return what `retrieve` looks for by scoring every allowed product in every space: what that is measured against.

    Takes time in proportion to the products, and memory for a part of them at a time.
    """
    allowed = among.keys()
    parts = [allowed[start : start + SCORE_ALL] for start in range(0, len(allowed), SCORE_ALL)]
    # One more of each part than wanted, so that it is seen whether there are others.
    best = [_scored(view, probes, mode, part, count + 1).keys for part in parts]
    return _scored(view, probes, mode, np.sort(np.concatenate([allowed[:0], *best])), count)


def _search(view: View, probe: Probe, width: int, allowed: Allowed | None) -> Candidates:
    if isinstance(probe.looks_for, str):
        return view.words.search(probe.looks_for, width, allowed)
    return view.spaces[probe.space].search(probe.looks_for, width, allowed)


def _similarities(view: View, probe: Probe, keys: Keys) -> Similarities:
    """Return each product's similarity to what a probe looks for, the nearest if that is several vectors: float32 [n]."""
    if isinstance(probe.looks_for, str):
        return view.words.scores(probe.looks_for, keys)
    rows = view.spaces[probe.space].similarities(probe.looks_for, keys)
    return rows[0] if len(rows) == 1 else np.asarray(rows.max(axis=0))


def _pools(view: View, probes: Sequence[Probe], among: Among, width: int) -> tuple[Keys, list[Signal]]:
    """Return the union of the pools, and for each pool that came back full the lowest similarity in it.

    A pool that is not full holds every product there is in its space, so nothing is hidden behind it.
    """
    found, bounds, more = [], [], False
    for probe in probes:
        if probe.part_weight <= 0:
            continue
        candidates = _search(view, probe, width + len(among.hidden), among.mask)
        found.append(candidates.keys[candidates.keys >= 0])
        full = candidates.keys[:, -1] >= 0
        more |= bool(full.any())
        lowest = candidates.similarities[full, -1].max(initial=-1.0)
        bounds.append(_signal(probe, np.array([lowest if full.any() else np.nan], np.float32)))
    return among.visible(np.unique(np.concatenate(found))), bounds if more else []


def _signal(probe: Probe, similarities: Similarities) -> Signal:
    return Signal(probe.part, probe.part_weight, probe.space, probe.weight, probe.calibration, similarities)


def _scored(view: View, probes: Sequence[Probe], mode: Mode, keys: Keys, count: int) -> Pool:
    """Score products in every space and keep the best; equal ones by smaller key.

    A product that no positive part can be compared with is no answer.
    """
    signals = [_signal(probe, _similarities(view, probe, keys)) for probe in probes]
    comparable = ~np.all([np.isnan(s.similarities) for s in signals if s.part_weight > 0], axis=0)
    relevance = np.where(comparable, fuse(signals, mode), -np.inf) if len(keys) else np.zeros(0)
    found = int(np.count_nonzero(comparable))
    order = _top(relevance, keys, min(count, found))
    kept = tuple(replace(signal, similarities=signal.similarities[order]) for signal in signals)
    return Pool(keys[order], relevance[order], kept, "exact", complete=found <= count)


def _top(relevance: NDArray[np.float64], keys: Keys, count: int) -> NDArray[np.int64]:
    if count and len(keys) > 4 * count + 64:
        cut = np.partition(relevance, len(keys) - count)[len(keys) - count]
        rows = np.flatnonzero(relevance >= cut)
        return np.asarray(rows[np.lexsort((keys[rows], -relevance[rows]))][:count])
    return np.lexsort((keys, -relevance))[:count]


def browse(among: Among, count: int) -> Pool:
    """Return products for a query without parts: all are equally relevant, in the order they came."""
    keys = among.keys()
    return Pool(keys[:count], np.zeros(min(count, len(keys))), (), "exact", complete=len(keys) <= count)
