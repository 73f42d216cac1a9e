"""Business signals: what a shop knows about a product besides what it looks like, each in [0, 1], added with weights.

score = relevance + sum of weight x signal. A product a signal knows nothing about gets that signal's neutral value, so that
a missing rating neither lifts nor sinks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike.core.columns import Columns
from lookalike.core.errors import QueryError
from lookalike.core.types import Keys

Scores = NDArray[np.float64]
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Context:
    """What signals may look at besides the columns: the time now, in seconds since 1970."""

    columns: Columns
    now_s: float


@dataclass(frozen=True, slots=True)
class RankSignal:
    """One business signal: `values(context, keys)` is float64 [n] in [0, 1], NaN where nothing is known."""

    name: str
    values: Callable[[Context, Keys], Scores]
    neutral: float
    words: str


def _popularity(context: Context, keys: Keys) -> Scores:
    # Logarithmic and against the most popular of those compared: views and sales are long-tailed.
    held = np.log1p(np.clip(context.columns.numbers("popularity", keys), 0.0, np.finfo(np.float64).max))
    top = np.nanmax(held, initial=0.0)
    return held / top if top > 0 else np.where(np.isnan(held), np.nan, 0.0)


def _rating(context: Context, keys: Keys) -> Scores:
    return np.clip(context.columns.numbers("rating", keys) / 5.0, 0.0, 1.0)


def _conversion(context: Context, keys: Keys) -> Scores:
    # 0.1 is an outstanding rate in retail; the square root spreads the usual 1 to 4 % apart.
    return np.sqrt(np.clip(context.columns.numbers("conversion_rate", keys), 0.0, 0.1) / 0.1)


def _freshness(context: Context, keys: Keys) -> Scores:
    age_days = (context.now_s - context.columns.numbers("added", keys)) / SECONDS_PER_DAY
    return np.asarray(0.5 ** (np.maximum(age_days, 0.0) / 30.0), np.float64)


def _availability(context: Context, keys: Keys) -> Scores:
    return context.columns.numbers("availability", keys)


SIGNALS: Mapping[str, RankSignal] = {
    signal.name: signal
    for signal in (
        RankSignal(
            "popularity",
            _popularity,
            0.0,
            "more popular first, on a log scale up to the most popular candidate",
        ),
        RankSignal("rating", _rating, 0.7, "better rated first; 5 stars are 1, unrated counts as 3.5 stars"),
        RankSignal("conversion", _conversion, 0.3, "more often bought first; 10 % of views is 1"),
        RankSignal("freshness", _freshness, 0.0, "newer first; 1 on the first day, 0.5 after 30 days"),
        RankSignal("availability", _availability, 1.0, "in stock first; unknown counts as in stock"),
    )
}
PROFILES: Mapping[str, Mapping[str, float]] = {
    "relevance": {},
    "balanced": {
        "popularity": 0.05,
        "rating": 0.05,
        "conversion": 0.05,
        "freshness": 0.02,
        "availability": 0.15,
    },
    "bestsellers": {"popularity": 0.2, "rating": 0.1, "conversion": 0.15, "availability": 0.25},
    "new": {"freshness": 0.25, "availability": 0.15},
}
"""Named weights. Relevance itself weighs 1, and spans about 0 (random) to 1 (identical)."""


def profile(asked: str | Mapping[str, float]) -> Mapping[str, float]:
    """Look up a profile or check given weights; raise QueryError naming those there are."""
    if isinstance(asked, str):
        if asked not in PROFILES:
            raise QueryError(f"no rerank profile {asked!r}", hint=f"Profiles: {', '.join(PROFILES)}.")
        return PROFILES[asked]
    unknown = asked.keys() - SIGNALS.keys()
    if unknown or not all(np.isfinite(w) for w in asked.values()):
        raise QueryError(
            f"bad rerank weights {dict(asked)}", hint=f"Give numbers for any of {', '.join(SIGNALS)}."
        )
    return asked


def moves_with_time(asked: str | Mapping[str, float]) -> bool:
    """Say whether the order by a profile or weights changes as time goes by, though no product does."""
    return "freshness" in (PROFILES.get(asked, {}) if isinstance(asked, str) else asked)


def rank_signals(weights: Mapping[str, float], context: Context, keys: Keys) -> dict[str, Scores]:
    """Return each weighted signal's values for these products: float64 [n] in [0, 1], no NaN."""
    values = {}
    for name in weights:
        signal = SIGNALS[name]
        held = signal.values(context, keys)
        values[name] = np.where(np.isnan(held), signal.neutral, held)
    return values
