"""A share of live searches, repeated exactly in the background: what recall is while people search.

One at a time, and each is followed by a rest of `REST` times its length: however large the shop and whatever the share,
repeating takes a twentieth of one core at most. What is chosen meanwhile is dropped, and counted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import random
from threading import Lock
from time import monotonic, sleep
from typing import Final

from lookalike.api import Shop
from lookalike.core.errors import LookalikeError
from lookalike.core.query import Hit, SearchResult
from lookalike.questions import Question
from lookalike.service.kept import from_web
from lookalike.service.observe import Metrics
from lookalike.service.settings import ServiceSettings

log = logging.getLogger(__name__)
DEPTH: Final = 10
REST: Final = 19.0
"""Rest after a repetition, in times of its length."""
CHANGED: Final = 1e-3
"""Share of the products that may change between a search and its repetition: so many hardly move the mean."""
PATIENCE_S: Final = 1.0
"""How long a repetition waits for changes that are being brought in."""
TIE: Final = 1e-6
SELECTIVITIES: Final = ((0.1, ">10 %"), (0.01, "1-10 %"), (0.001, "0.1-1 %"), (-1.0, "<0.1 %"))
"""Names of the shares of products that match, from above each of these."""


def selectivity_of(question: Question, matched: int, products: int) -> str:
    """Name the share of the products that a question's filter lets through, "none" without a filter."""
    if question.get("where") is None:
        return "none"
    share = matched / max(products, 1)
    return next(name for above, name in SELECTIVITIES if share > above)


def recall(found: Sequence[Hit], true: Sequence[Hit]) -> float | None:
    """Return which share of the true first `DEPTH` are among those found first; None if there is nothing to find.

    A product that scores as the last of them does is as good as that.
    """
    best = true[:DEPTH]
    if not best:
        return None
    ids = {hit.product.id for hit in best}
    good = sum(hit.product.id in ids or abs(hit.score - best[-1].score) <= TIE for hit in found[:DEPTH])
    return min(good / len(best), 1.0)


class Shadow:
    """Repeats some of the searches of a shop."""

    def __init__(self, shop: Shop, settings: ServiceSettings, metrics: Metrics) -> None:
        self._shop = shop
        self._settings = settings
        self._metrics = metrics
        self._running = Lock()
        self._rest_until_s = 0.0
        self._thread = ThreadPoolExecutor(1, "shadow")

    def saw(self, question: Question, result: SearchResult) -> None:
        """Have a search that was just answered repeated, perhaps; returns at once."""
        if random() >= self._settings.shadow_share or not self._worth(question, result):
            return
        if monotonic() < self._rest_until_s or not self._running.acquire(blocking=False):
            self._metrics.shadows.labels("dropped").inc()
            return
        try:
            self._thread.submit(self._repeat, question, result)
        except RuntimeError:  # closed a moment ago
            self._running.release()

    def close(self) -> None:
        """Wait for what is being repeated, and repeat no more."""
        self._thread.shutdown()

    def _worth(self, question: Question, result: SearchResult) -> bool:
        """Say whether there is anything to learn: not of pages after the first, nor of what was exact, unless that is wanted.

        Pictures by web address would have to be got again, and may be others by now.
        """
        plain = bool(question.get("parts")) and "cursor" not in question and not from_web(question)
        return plain and result.matched > 0 and (result.plan != "exact" or self._settings.shadow_exact)

    def _repeat(self, question: Question, found: SearchResult) -> None:
        began = monotonic()
        outcome = "failed"
        try:
            outcome = self._measured(question, found)
        except LookalikeError as error:
            log.info("a search was not repeated: %s", error)  # such as for a product that is gone
        except Exception:
            log.exception("a search could not be repeated")
        finally:
            self._metrics.shadows.labels(outcome).inc()
            self._rest_until_s = monotonic() + REST * (monotonic() - began)
            self._running.release()

    def _measured(self, question: Question, found: SearchResult) -> str:
        true = self._shop.search_exactly(question)
        products = len(self._shop)
        settled = self._settled()
        searched = int(found.snapshot.removeprefix("seq-"))
        if settled is None or settled - searched > CHANGED * products:
            return "overtaken"
        share = recall(found.hits, true.hits)
        if share is not None:
            selectivity = selectivity_of(question, found.matched, products)
            self._metrics.recall.labels(found.plan, selectivity).observe(share)
            let_through = 1.0 if question.get("where") is None else found.matched / max(products, 1)
            for index in self._shop.spaces.values():
                index.observed(let_through, share)
        return "measured"

    def _settled(self) -> int | None:
        """Return which state of the shop is searched, once that is one; None if it takes too long to be."""
        until_s = monotonic() + PATIENCE_S
        while (settled := self._shop.settled) is None and monotonic() < until_s:
            sleep(0.01)
        return settled
