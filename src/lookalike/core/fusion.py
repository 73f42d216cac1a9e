"""Similarities of several spaces and several parts of a query -> one relevance per product.

Similarities of different spaces cannot be added as they are: 0.3 may be a near-copy in one model and a random pair in
another. Each space is therefore calibrated against the catalogue itself, by a piecewise linear map through three anchors:

    similarity of a random pair of products      -> 0
    similarity of a product to its nearest one   -> NEIGHBOUR
    identical                                    -> 1

What is 0 says nothing, so a product without a vector in a space scores 0 there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import QueryError
from lookalike.core.query import Because, Mode
from lookalike.core.types import ATTRIBUTES, DESCRIPTION, IMAGE, TITLE, Similarities

Relevance = NDArray[np.float64]
"""float64 [n], at most 1; below 0 is less alike than a random pair."""

DEFAULT_WEIGHTS: Mapping[str, float] = {IMAGE: 0.45, TITLE: 0.25, DESCRIPTION: 0.15, ATTRIBUTES: 0.15}
NEIGHBOUR = 0.75
"""Where the typical nearest neighbour lies on the calibrated scale."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The two measured anchors of one space."""

    background: float
    neighbour: float

    def __call__(self, similarities: Similarities) -> Relevance:
        """Calibrate similarities of any shape; NaN (no vector) becomes 0."""
        ceiling = max(1.0, self.neighbour + 1e-6)
        neighbour = min(max(self.neighbour, self.background + 1e-6), ceiling - 1e-6)
        # Below the background the first slope goes on, so that ranks are kept; np.interp needs that end named.
        floor = self.background - 2.0
        slope = NEIGHBOUR / max(neighbour - self.background, 1e-6)
        anchors = [floor, self.background, neighbour, ceiling]
        values = np.interp(
            np.nan_to_num(similarities, nan=self.background), anchors, [-2.0 * slope, 0.0, NEIGHBOUR, 1.0]
        )
        return np.asarray(values, np.float64)


UNCALIBRATED = Calibration(background=0.0, neighbour=NEIGHBOUR)
"""Leaves similarities as they are; for an empty or tiny catalogue."""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One part of the query seen in one space: `weight` is the space's share in the part, `similarities` float32 [n]."""

    part: str
    part_weight: float
    space: str
    weight: float
    calibration: Calibration
    similarities: Similarities


def space_weights(spaces: Sequence[str], asked: Mapping[str, float] | None) -> dict[str, float]:
    """Share out a part's weight among the spaces it can be looked for in; the shares add up to 1.

    Raises QueryError for unknown spaces, negative weights or weights that sum to nothing.
    """
    weights = DEFAULT_WEIGHTS if asked is None else asked
    unknown = weights.keys() - DEFAULT_WEIGHTS.keys()
    if unknown or any(not 0 <= w < np.inf for w in weights.values()):
        raise QueryError(
            f"bad weights of spaces: {dict(weights)}",
            hint=f"Give a number >= 0 for any of {', '.join(DEFAULT_WEIGHTS)}.",
        )
    share = {space: float(weights.get(space, 0.0)) for space in spaces}
    total = sum(share.values())
    if total == 0:
        raise QueryError(
            f"the weights {dict(weights)} leave nothing to search: this part of the query lives in {', '.join(spaces)}",
            hint="Give one of those spaces a weight above 0.",
        )
    return {space: weight / total for space, weight in share.items() if weight > 0}


def fuse(signals: Sequence[Signal], mode: Mode) -> Relevance:
    """Combine all signals into one relevance per product, float64 [n].

    Each part's relevance is the weighted mean of its spaces. Positive parts combine by `mode`; negative parts then take away
    what a product has *above* the background: being unlike "floral" is no merit beyond not being floral.
    """
    parts = _by_part(signals)
    positive = [(group[0].part_weight, _part(group)) for group in parts if group[0].part_weight > 0]
    negative = [(-group[0].part_weight, _part(group)) for group in parts if group[0].part_weight < 0]
    total = sum(weight for weight, _ in positive)
    if mode == "mix":
        fused = sum((weight / total * relevance for weight, relevance in positive), np.zeros(1))
    else:
        pick = np.max if mode == "any" else np.min
        fused = pick([relevance for _, relevance in positive], axis=0)
    for weight, relevance in negative:
        fused = fused - weight / total * np.maximum(relevance, 0.0)
    return np.asarray(fused, np.float64)


def ceiling(signals: Sequence[Signal], mode: Mode) -> float:
    """Bound the relevance of a product in none of the pools: each signal's `similarities` [1] is its pool's lowest.

    A product outside a pool is no more similar than that, or has no vector there and scores 0; negative parts add nothing.
    This is the stopping rule of Fagin's threshold algorithm (Fagin, Lotem, Naor 2001).
    """
    bounds = [
        sum(s.weight * max(0.0, float(s.calibration(s.similarities)[0])) for s in group)
        for group in _by_part(signals)
        if group[0].part_weight > 0
    ]
    weights = [group[0].part_weight for group in _by_part(signals) if group[0].part_weight > 0]
    if mode == "mix":
        return float(np.dot(bounds, weights) / sum(weights))
    return max(bounds) if mode == "any" else min(bounds)


def explain(signals: Sequence[Signal], mode: Mode, column: int) -> list[Because]:
    """Return the terms that add up to the relevance of product number `column`.

    In the modes any and all only the deciding part has a say.
    """
    parts = _by_part(signals)
    positive = [group for group in parts if group[0].part_weight > 0]
    total = sum(group[0].part_weight for group in positive)
    shares = {id(group): group[0].part_weight / total for group in parts}
    if mode != "mix":
        relevances = [float(_part(group)[column]) for group in positive]
        decisive = int(np.argmax(relevances) if mode == "any" else np.argmin(relevances))
        shares |= {id(group): float(number == decisive) for number, group in enumerate(positive)}
    terms = []
    for group in parts:
        share = shares[id(group)]
        if share < 0 and _part(group)[column] <= 0:
            share = 0.0
        terms += [_because(signal, share * signal.weight, column) for signal in group if share]
    return terms


def _because(signal: Signal, weight: float, column: int) -> Because:
    raw = float(signal.similarities[column])
    value = float(signal.calibration(signal.similarities[column : column + 1])[0])
    return Because(
        name=signal.space,
        part=signal.part,
        value=value,
        weight=weight,
        contribution=weight * value,
        similarity=None if np.isnan(raw) else raw,
    )


def _part(group: Sequence[Signal]) -> Relevance:
    return np.sum([s.weight * s.calibration(s.similarities) for s in group], axis=0, dtype=np.float64)


def _by_part(signals: Sequence[Signal]) -> list[list[Signal]]:
    groups: dict[str, list[Signal]] = {}
    for signal in signals:
        groups.setdefault(signal.part, []).append(signal)
    return list(groups.values())
