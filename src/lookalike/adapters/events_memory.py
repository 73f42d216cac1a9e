"""The EventLog in this process: two lists, counted as `core.clicks` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from threading import Lock

from lookalike.core.click_grades import Shown
from lookalike.core.clicks import Counts, Event, LoggedSearch, count, found_later, shown_of


class MemoryEventLog:
    """Keeps everything until it is forgotten, or the process ends."""

    def __init__(self) -> None:
        self._searches: dict[str, LoggedSearch] = {}
        self._events: list[Event] = []
        self._lock = Lock()

    def write_searches(self, searches: Sequence[LoggedSearch]) -> None:
        with self._lock:
            for search in searches:
                self._searches.setdefault(search.query_id, search)

    def write_events(self, events: Sequence[Event]) -> None:
        with self._lock:
            held = {event.event_id for event in self._events}
            for event in events:
                if event.event_id is None or event.event_id not in held:
                    held.add(event.event_id)
                    self._events.append(event)

    def found(self, query_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        with self._lock:
            known = (self._searches[id_] for id_ in query_ids if id_ in self._searches)
            return {search.query_id: search.query_response_hit_ids for search in known}

    def counts(self, since: datetime, until: datetime, top: int) -> Counts:
        with self._lock:
            return count(self._searches.values(), self._events, since, until, top)

    def shown(self, since: datetime, until: datetime, min_clicks: int) -> Sequence[Shown]:
        seen: Counter[tuple[str, str, str, int]] = Counter()
        clicked: Counter[tuple[str, str, str, int]] = Counter()
        clicks: Counter[tuple[str, str]] = Counter()
        with self._lock:
            searches = [
                search
                for search in self._searches.values()
                if search.kind == "text" and since <= search.timestamp < until
            ]
            later = found_later(searches)
            for search in searches:
                if search.where is None:
                    continue
                asked = search.phrase, search.where
                found = later.get(asked, set()).union(search.query_response_hit_ids)
                mine = [
                    event
                    for event in self._events
                    if event.query_id == search.query_id and event.object_id in found
                ]
                for at, is_clicked in shown_of(mine).items():
                    seen[asked + at] += 1
                    clicked[asked + at] += is_clicked
                    clicks[asked] += is_clicked
        return [Shown(*at, seen[at], clicked[at]) for at in sorted(seen) if clicks[at[:2]] >= min_clicks]

    def forget(self, before: datetime) -> int:
        with self._lock:
            held = len(self._searches) + len(self._events)
            self._searches = {id_: each for id_, each in self._searches.items() if each.timestamp >= before}
            self._events = [event for event in self._events if event.timestamp >= before]
            return held - len(self._searches) - len(self._events)

    def close(self) -> None:
        pass
