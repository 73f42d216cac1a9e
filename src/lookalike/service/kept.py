"""Answers that are kept, so that an equal question is answered without a search as long as nothing changes.

The key is a hash of all that an answer depends on, so nothing is ever taken out when products change: the sequence number
in it moves on, nobody asks for the old key again, and it is what the cache forgets first.

Equal questions that come together have equal keys as well: one of them is searched for, and the others wait for its answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from time import perf_counter, time
from typing import Any, Final

import orjson

from lookalike.api import Shop
from lookalike.core.errors import Overloaded
from lookalike.core.filter_json import to_json
from lookalike.core.filters import Filter
from lookalike.core.ports import Cache
from lookalike.core.query import Hit, SearchResult
from lookalike.core.rerank import moves_with_time
from lookalike.core.types import Product, content_hash
from lookalike.questions import Question
from lookalike.service.answers import body_of
from lookalike.service.observe import Metrics
from lookalike.service.schemas import Options

MINUTE_S: Final = 60.0
MAX_WAIT_S: Final = 30.0
"""How long an equal question is waited for: as long as queries wait to be encoded, and far longer than a search takes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the answer to a question is kept, if it is, for one state of the shop; and how those hear of it who wait for it."""

    key: str
    settled: int
    answer: Future[WrittenAnswer | None] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """A result and its body in JSON; of one that was kept, the result holds what is counted and logged, and no more."""

    result: SearchResult
    body: bytes
    cached: bool


@dataclass(frozen=True, slots=True)
class Coming:
    """An answer that another request is making now; it comes to None if that fails."""

    answer: Future[WrittenAnswer | None]
    began: float
    forget: Callable[[], None]
    """Lets the next who asks the same search for it."""

    def wait(self) -> WrittenAnswer | Overloaded | None:
        """Return the answer once it is there, as one that is kept: with the time it took us; or that it took too long.

        To search for it ourselves then would be to let all who wait do what already is too much for one.
        """
        try:
            answer = self.answer.result(self.began + MAX_WAIT_S - perf_counter())
        except TimeoutError:
            self.forget()
            return Overloaded("an equal question has been searched for too long", retry_after_s=1.0)
        if answer is None:
            return None
        took_ms = (perf_counter() - self.began) * 1e3
        took = {"cache": took_ms, "total": took_ms}
        return WrittenAnswer(replace(answer.result, took_ms=took), answer.body, cached=True)


Found = WrittenAnswer | Place | Coming | None
"""What looking up comes to; a Place has to be `made`, in a block of `making`; None says that nothing may be kept."""


class KeptAnswers:
    """The answers of one shop in a Cache; with None, none are kept, and nobody waits for another's."""

    def __init__(self, cache: Cache | None, metrics: Metrics) -> None:
        self._cache = cache
        self._metrics = metrics
        self._lock = Lock()
        self._coming: dict[str, Place] = {}

    def look_up(self, shop: Shop, question: Question, asked: Options) -> Found:
        """Return the answer kept for a question, or the one that is being made; or where ours may go, if it may be kept."""
        began = perf_counter()
        if self._cache is None or from_web(question):
            return None
        settled = shop.settled
        if settled is None:  # changes are being brought in: what is found now is of no state in particular
            self._metrics.kept_answers.labels("miss").inc()
            return None
        place = Place(_key(shop.signature, settled, question, asked), settled)
        held = self._cache.get(place.key)
        first = place if held is not None else self._first(place)
        outcome = "hit" if held is not None else "miss" if first is place else "joined"
        self._metrics.kept_answers.labels(outcome).inc()
        if held is not None:
            return _unpacked(held, began)
        return place if first is place else Coming(first.answer, began, partial(self._leave, first))

    def made(self, shop: Shop, place: Place | None, result: SearchResult, asked: Options) -> WrittenAnswer:
        """Return a result as an answer, and keep that if the shop is still in the state the search began in.

        Who waits for it gets it in any case: the state they asked in is that in which the search began.
        """
        answer = WrittenAnswer(result, body_of(result, asked.fields, explain=asked.explain), cached=False)
        if self._cache is not None and place is not None:
            if shop.settled == place.settled:
                self._cache.set(place.key, _packed(answer))
            self._tell(place, answer)
        return answer

    @contextmanager
    def making(self, looked_up: Sequence[Found]) -> Iterator[None]:
        """See to it that nobody waits for ever: what was not `made` in the block, whatever became of it, is given up."""
        try:
            yield
        finally:
            for place in looked_up:
                if isinstance(place, Place):
                    self._tell(place, None)

    def _first(self, place: Place) -> Place:
        """Return the place of an equal question that is being answered; if there is none, this one is from now on."""
        with self._lock:
            return self._coming.setdefault(place.key, place)

    def _leave(self, place: Place) -> None:
        """Let nobody wait for a place from now on."""
        with self._lock:
            if self._coming.get(place.key) is place:
                del self._coming[place.key]

    def _tell(self, place: Place, answer: WrittenAnswer | None) -> None:
        self._leave(place)
        if not place.answer.done():
            place.answer.set_result(answer)


def from_web(question: Question) -> int:
    """Count the pictures of a question that somebody else's server is asked for.

    Its answer is not kept: another picture may lie at the same address a moment later.
    """
    images = [part.get("image") for part in question.get("parts", ())]
    return sum(isinstance(image, str) and not image.lower().startswith("data:") for image in images)


def _key(encoders: str, settled: int, question: Question, asked: Options) -> str:
    """Hash what an answer depends on: the encoders, the state of the shop, the question, and what is shown of products.

    Who asks, and whether that is logged, is not in it. The order of what was named is: answers follow it.
    """
    said: dict[str, Any] = {**question}
    said["parts"] = [
        sorted((name, _said(name, value)) for name, value in part.items()) for part in question["parts"]
    ]
    where = question.get("where")
    said["where"] = to_json(where) if isinstance(where, Filter) else where
    # Freshness fades by half in 30 days, so by less than two parts in 100,000 within a minute: to search again for each
    # caller would be exact and useless, and for most shops it would be every search, as `balanced` counts it in.
    minute = int(time() / MINUTE_S) if moves_with_time(question.get("rerank", "")) else None
    # `repr` tells types apart, 1 from True and from 1.0, and shows numbers exactly.
    return content_hash(repr((encoders, settled, minute, sorted(said.items()), asked.fields, asked.explain)))


def _said(name: str, value: Any) -> object:
    """Return a short form of what a part looks for: pictures and vectors by a hash of their content."""
    match name:
        case "text":
            return value.strip()
        case "image":
            raw = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
            return type(value).__name__, content_hash(raw)
        case "vector":
            return content_hash(array("d", value).tobytes())
    return value


def _packed(answer: WrittenAnswer) -> bytes:
    """Return a line of what is counted and logged of an answer, then its body."""
    result = answer.result
    hits = [(hit.product.id, *hit.product.categories[:1]) for hit in result.hits]
    told = {"hits": hits, "matched": result.matched, "plan": result.plan, "snapshot": result.snapshot}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE) + answer.body


def _unpacked(held: bytes, began: float) -> WrittenAnswer:
    line, _, body = held.partition(b"\n")
    told = orjson.loads(line)
    hits = tuple(Hit(Product(id_, categories=tuple(main)), 0.0) for id_, *main in told.pop("hits"))
    took_ms = (perf_counter() - began) * 1e3
    result = SearchResult(
        hits=hits, took_ms={"cache": took_ms, "total": took_ms}, facets={}, cursor=None, **told
    )
    return WrittenAnswer(result, body, cached=True)
