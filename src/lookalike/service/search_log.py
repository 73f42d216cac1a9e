"""Answered searches -> the log beside the catalogue, in the background: nobody who searches waits for the database."""

from __future__ import annotations

import logging
import re
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Condition, Thread
from time import monotonic
from typing import Final

from lookalike.core.clicks import Event, LoggedSearch, kind_of
from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.filter_text import to_text
from lookalike.core.filters import Filter
from lookalike.core.ports import EventLog
from lookalike.core.query import SearchResult
from lookalike.core.storable import mended
from lookalike.questions import Question
from lookalike.service.observe import Metrics

log = logging.getLogger(__name__)
AT_ONCE: Final = 500
"""Searches written in one transaction."""
EVERY_S: Final = 1.0
"""How long a search waits for others to be written with."""
FORGET_EVERY_S: Final = 3600.0
MAX_QUERY_LETTERS: Final = 2000
MAX_FILTER_LETTERS: Final = 20_000
_CLIENT: Final = re.compile(r"[ -~]{1,100}")


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Whether searches and events are kept, how long, and how many at once."""

    enabled: bool = True
    keep_days: int = 90
    max_queue: int = 10_000
    max_events: int = 1000

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if min(self.keep_days, self.max_queue, self.max_events) < 1:
            raise InputError("keep_days, max_queue and max_events must be at least 1.")


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, what was found and how different that is (`core.clicks`), and the id the answer went out with."""

    search_id: str
    question: Question
    result: SearchResult
    diversity: float | None


def client_of(headers: Mapping[str, str]) -> str | None:
    """Return what a client calls itself in the header X-Client-ID, None for nothing or something odd."""
    given = headers.get("x-client-id", "")
    return given if _CLIENT.fullmatch(given) else None


def logged(answered: Answered, client_id: str | None) -> LoggedSearch:
    """Return what is kept of a search: its phrases and filter, but of pictures and vectors only how many there were."""
    question, result = answered.question, answered.result
    parts = question.get("parts", ())
    sorts = Counter(kind for part in parts for kind in ("text", "image", "like", "vector") if kind in part)
    counted = {"pictures": sorts["image"], "products": sorts["like"], "vectors": sorts["vector"]}
    is_plain = all(part.get("weight", 1.0) > 0 for part in parts)
    phrases = [str(part["text"]) for part in parts if "text" in part and part.get("weight", 1.0) > 0]
    return LoggedSearch(
        query_id=answered.search_id,
        timestamp=datetime.now(UTC),
        kind=kind_of(phrases=sorts["text"], **counted) if is_plain else "mixed",
        user_query=mended(" + ".join(phrases)[:MAX_QUERY_LETTERS]),
        client_id=None if client_id is None else mended(client_id),
        query_response_hit_ids=tuple(hit.product.id for hit in result.hits),
        where=_as_text(question.get("where")),
        matched=result.matched,
        plan=result.plan,
        took_ms=result.took_ms.get("total", 0.0),
        diversity=answered.diversity,
        continued="cursor" in question,
        **counted,
    )


def _as_text(where: object) -> str | None:
    """Return a filter as text, "" for none; None if that is too long to be kept."""
    text = to_text(where) if isinstance(where, Filter) else ""
    return mended(text) if len(text) <= MAX_FILTER_LETTERS else None


class SearchLog:
    """A queue of searches, and a thread that writes them: all that came within a second, but at most `AT_ONCE`, together.

    What finds the queue full, or cannot be written, is not logged, and counted. A process that is killed loses a second.
    The thread also forgets, once an hour, what is older than `keep_days`.
    """

    def __init__(self, kept: EventLog, settings: EventSettings, metrics: Metrics) -> None:
        self._kept = kept
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[LoggedSearch] = deque()
        self._unwritten: dict[str, tuple[str, ...]] = {}
        """What searches found that wait, or are being written."""
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="search-log", daemon=True)
        self._thread.start()

    def add(self, search: LoggedSearch) -> None:
        """Have a search written; returns at once."""
        with self._changed:
            full = self._closed or len(self._queue) >= self._settings.max_queue
            if not full:
                self._queue.append(search)
                self._unwritten[search.query_id] = search.query_response_hit_ids
                if len(self._queue) == AT_ONCE:
                    self._changed.notify()
        if full:
            self._metrics.searches_dropped.inc()

    def keep(self, events: Sequence[Event]) -> None:
        """Write events, at once: when this returns they are kept. Raises CatalogError if that cannot be."""
        self._kept.write_events(events)

    def found(self, query_ids: Collection[str]) -> dict[str, Sequence[str]]:
        """Return the ids that each of these searches found; one that is neither kept nor waits here is left out."""
        with self._changed:
            waiting = {id_: self._unwritten[id_] for id_ in query_ids if id_ in self._unwritten}
        return {**self._kept.found([id_ for id_ in query_ids if id_ not in waiting]), **waiting}

    def close(self) -> None:
        """Write what still waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        forget_at = monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or len(self._queue) >= AT_ONCE, EVERY_S)
                some = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
                closed = self._closed
            if some:
                self._write(some)
                with self._changed:
                    for search in some:
                        self._unwritten.pop(search.query_id, None)
            elif closed:
                return
            if not closed and monotonic() >= forget_at:
                self._forget()
                forget_at = monotonic() + FORGET_EVERY_S

    def _write(self, some: list[LoggedSearch]) -> None:
        try:
            self._kept.write_searches(some)
        except LookalikeError as error:
            log.warning("%d searches were not logged: %s", len(some), error)
        except Exception:
            log.exception("%d searches were not logged", len(some))
        else:
            self._metrics.searches_logged.inc(len(some))
            return
        self._metrics.searches_dropped.inc(len(some))

    def _forget(self) -> None:
        before = datetime.now(UTC) - timedelta(days=self._settings.keep_days)
        try:
            self._kept.forget(before)
        except LookalikeError as error:
            log.warning("old searches were not forgotten: %s", error)
        except Exception:
            log.exception("old searches were not forgotten")
