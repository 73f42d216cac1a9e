"""Clicks -> judged queries: a product is the more relevant, the more often it was clicked than its position explains.

What stands further up is looked at more, and so clicked more, whatever it is. So the clicks of a product are divided by
those to be expected where it was shown: each time, the click-through rate of all products at that position. (Clicks over
expected clicks: Zhang and Jones, "Comparing click logs and editorial labels for training query rewriting", 2007.)
One is added to both, so that a few lucky clicks say little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from lookalike.core.clicks import AtPosition

GRADES: Final = ((1.5, 3), (1.0, 2), (0.0, 1))
"""Clicked at least so many times as often as expected -> grade; a product that was never clicked has 0."""
SEEN_ENOUGH: Final = 1.0
"""A product without a click is judged as not relevant once so many clicks were to be expected; below that it is not judged."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How often a product was shown at one position of the results of a phrase under a filter, and how often clicked there."""

    phrase: str
    where: str
    object_id: str
    ordinal: int
    seen: int
    clicked: int


def judgments_of(
    shown: Iterable[Shown], positions: Mapping[int, AtPosition], min_clicks: int
) -> Iterator[dict[str, Any]]:
    """Yield a judged query, as `core.judgments` reads it, for each phrase and filter with at least `min_clicks` clicks.

    `shown` must be ordered by phrase and filter; `positions` is what was counted over all searches.
    """
    rates = {ordinal: at.clicked / at.seen for ordinal, at in positions.items() if at.seen}
    for (phrase, where), some in groupby(shown, key=lambda each: (each.phrase, each.where)):
        clicks: defaultdict[str, int] = defaultdict(int)
        expected: defaultdict[str, float] = defaultdict(float)
        for each in some:
            clicks[each.object_id] += each.clicked
            expected[each.object_id] += each.seen * rates.get(each.ordinal, 0.0)
        if sum(clicks.values()) < max(min_clicks, 1):
            continue
        graded = {id_: grade_of(clicks[id_], expected[id_]) for id_ in sorted(clicks)}
        query = {"text": phrase, "where": where} if where else {"text": phrase}
        relevant = {id_: grade for id_, grade in graded.items() if grade is not None}
        yield {"id": f"{phrase} [{where}]" if where else phrase, "query": query, "relevant": relevant}


def grade_of(clicks: int, expected: float) -> int | None:
    """Return the grade of a product, None for one that was shown too little to judge."""
    if not clicks:
        return 0 if expected >= SEEN_ENOUGH else None
    ratio = (clicks + 1) / (expected + 1)
    return next(grade for least, grade in GRADES if ratio >= least)
