"""Similarities of several spaces and several parts of a query -> one relevance per product.

Similarities of different spaces cannot be added as they are: 0.3 may be a near-copy in one model and a random pair in
another. Each space is therefore calibrated against the catalogue itself, by a piecewise linear map through three anchors:

    similarity of a random pair of products      -> 0
    similarity of a product to its nearest one   -> NEIGHBOUR
    identical                                    -> 1

What is 0 says nothing, so a product without a vector in a space scores 0 there. Scores of words are such a scale already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import QueryError
from lookalike.core.query import Because, Mode
from lookalike.core.types import ATTRIBUTES, DESCRIPTION, IMAGE, TITLE, WORDS, Similarities

Relevance = NDArray[np.float64]
"""float64 [n], at most 1; below 0 is less alike than a random pair."""

DEFAULT_WEIGHTS: Mapping[str, float] = {
    IMAGE: 0.45,
    TITLE: 0.25,
    DESCRIPTION: 0.15,
    ATTRIBUTES: 0.15,
    WORDS: 0.6,
}
"""Only their proportions count, among the spaces a part can be looked for in."""
NEIGHBOUR = 0.75
"""Where the typical nearest neighbour lies on the calibrated scale."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The two measured anchors of one space."""

    background: float
    neighbour: float

    def __call__(self, similarities: Similarities) -> Relevance:
        """Calibrate similarities of any shape; NaN (no vector) becomes 0."""
        background = min(self.background, 1.0 - 2e-3)
        neighbour = min(max(self.neighbour, background + 1e-3), 1.0 - 1e-3)  # the anchors must stay apart
        slope = NEIGHBOUR / (neighbour - background)
        below = (
            background - 2.0
        )  # the first slope goes on below the background; np.interp wants its end named
        known = np.nan_to_num(np.asarray(similarities, np.float64), nan=background)
        anchors, values = (below, background, neighbour, 1.0), (-2.0 * slope, 0.0, NEIGHBOUR, 1.0)
        return np.asarray(np.interp(known, anchors, values), np.float64)


class _AtLeastZero(Calibration):
    """What a product may still score that is no nearer than these similarities, or has no vector at all."""

    def __call__(self, similarities: Similarities) -> Relevance:
        return np.maximum(super().__call__(similarities), 0.0)


UNCALIBRATED = Calibration(background=0.0, neighbour=NEIGHBOUR)
"""Leaves similarities as they are; for an empty or tiny catalogue."""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Part number `part` of the query seen in one space: similarities float32 [n] of n products.

    `part_weight` is signed; `weight` is the space's share in the part; shares of a part add up to 1.
    """

    part: int
    part_weight: float
    space: str
    weight: float
    calibration: Calibration
    similarities: Similarities

    @property
    def values(self) -> Relevance:
        """Return the calibrated similarities, float64 [n]."""
        return self.calibration(self.similarities)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """All signals of one part together."""

    weight: float
    relevance: Relevance
    signals: tuple[Signal, ...]


def _parts(signals: Sequence[Signal]) -> tuple[list[_Part], list[_Part]]:
    """Return the positive and the negative parts."""
    groups: dict[int, list[Signal]] = {}
    for signal in signals:
        groups.setdefault(signal.part, []).append(signal)
    parts = [
        _Part(group[0].part_weight, np.sum([s.weight * s.values for s in group], axis=0), tuple(group))
        for group in groups.values()
    ]
    return [p for p in parts if p.weight > 0], [p for p in parts if p.weight < 0]


def _shares(positive: Sequence[_Part], mode: Mode) -> list[Relevance]:
    """Return how much each positive part counts for each product, float64 [n] each, adding up to 1."""
    relevances = np.array([part.relevance for part in positive])
    if mode == "mix":
        total = sum(part.weight for part in positive)
        return [np.full(relevances.shape[1], part.weight / total) for part in positive]
    decisive = relevances.argmax(axis=0) if mode == "any" else relevances.argmin(axis=0)
    return [(decisive == number).astype(np.float64) for number in range(len(positive))]


def _penalties(positive: Sequence[_Part], negative: Sequence[_Part]) -> list[Relevance]:
    """Return each negative part's factor per product: a product below the background is not rewarded for it."""
    total = sum(part.weight for part in positive)
    return [np.where(part.relevance > 0, part.weight / total, 0.0) for part in negative]


def fuse(signals: Sequence[Signal], mode: Mode) -> Relevance:
    """Combine all signals into one relevance per product, float64 [n]. At least one part must weigh above 0.

    Each part's relevance is the weighted mean of its spaces. Positive parts combine by `mode`: mix takes their weighted mean,
    any the best, all the worst. Negative parts then take away what a product has *above* the background: to be unlike
    "floral" is no merit beyond not being floral.
    """
    positive, negative = _parts(signals)
    factors = _shares(positive, mode) + _penalties(positive, negative)
    terms = [factor * part.relevance for factor, part in zip(factors, positive + negative, strict=True)]
    return np.asarray(np.sum(terms, axis=0), np.float64)


def ceiling(signals: Sequence[Signal], mode: Mode) -> float:
    """Bound the relevance of any product outside the pools; each signal's `similarities` [1] is the lowest of its pool.

    Such a product is no more similar than that, or has no vector there and scores 0; negative parts add nothing.
    This is the stopping rule of the threshold algorithm (Fagin, Lotem and Naor, 2001).
    """
    bounds = [
        replace(s, calibration=_AtLeastZero(s.calibration.background, s.calibration.neighbour))
        for s in signals
    ]
    return float(fuse([s for s in bounds if s.part_weight > 0], mode)[0])


def explain(signals: Sequence[Signal], mode: Mode, names: Sequence[str]) -> list[list[Because]]:
    """Return, for each of the n products, the terms that add up to its relevance; `names` are those of the parts.

    In the modes any and all only the deciding part has a say. A negative part that takes nothing away is told too, with a
    weight of 0.
    """
    positive, negative = _parts(signals)
    factors = _shares(positive, mode) + _penalties(positive, negative)
    because: list[list[Because]] = [[] for _ in positive[0].relevance]
    for factor, part in zip(factors, positive + negative, strict=True):
        for signal in part.signals:
            values = signal.values
            for number in np.flatnonzero(factor) if part.weight > 0 else range(len(factor)):
                weight, value = float(factor[number]) * signal.weight, float(values[number])
                raw = float(signal.similarities[number])
                because[number].append(
                    Because(
                        name=signal.space,
                        part=names[signal.part],
                        value=value,
                        weight=weight,
                        contribution=weight * value,
                        similarity=None if np.isnan(raw) else raw,
                    )
                )
    return because
