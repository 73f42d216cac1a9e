"""What people searched for and did with what they found, and the measures of it.

Fields are called as in User Behavior Insights (UBI 1.3, https://github.com/o19s/ubi). `count` is the reference meaning of
every number: a log that counts in its database must come to the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from lookalike.core.types import Product

IMPRESSION, CLICK, ADD_TO_CART, PURCHASE = "impression", "click", "add_to_cart", "purchase"
ACTIONS: Final = (IMPRESSION, CLICK, ADD_TO_CART, PURCHASE)
KINDS: Final = ("text", "image", "multimodal", "similar", "mixed", "browse")
"""What a search asks with, see `kind_of`."""
MAX_POSITION: Final = 100
"""Clicks are counted by position down to this one."""


@dataclass(frozen=True, slots=True)
class LoggedSearch:
    """One answered search. A later page of it is a search of its own, `continued`."""

    query_id: str
    timestamp: datetime
    kind: str
    user_query: str = ""
    """Its phrases as they were typed."""
    client_id: str | None = None
    query_response_hit_ids: tuple[str, ...] = ()
    where: str | None = ""
    """Its filter as text, "" for none; None for one too long to be kept."""
    pictures: int = 0
    products: int = 0
    vectors: int = 0
    matched: int = 0
    plan: str = ""
    took_ms: float = 0.0
    diversity: float | None = None
    continued: bool = False

    @property
    def phrase(self) -> str:
        """The phrase by which it is counted: letters and blanks do not make another one."""
        return phrase_of(self.user_query)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing somebody did with what a search returned. `ordinal` is the product's position among its results, from 1."""

    action_name: str
    timestamp: datetime
    query_id: str | None = None
    object_id: str | None = None
    ordinal: int | None = None
    client_id: str | None = None
    session_id: str | None = None
    event_id: str | None = None
    """Of events with the same id, a log keeps the first and no other; None for one that is like no other."""


# --- what is known when a search is answered --------------------------------------------------------------------------


def kind_of(*, phrases: int, pictures: int, products: int, vectors: int) -> str:
    """Say what a search asks with, by how many parts of each sort it has.

    text: one phrase; image: pictures; multimodal: pictures and phrases; similar: one product; browse: nothing; mixed: the rest.
    """
    match phrases, pictures, products, vectors:
        case 0, 0, 0, 0:
            return "browse"
        case 1, 0, 0, 0:
            return "text"
        case 0, _, 0, 0:
            return "image"
        case 0, 0, 1, 0:
            return "similar"
        case _, _, 0, 0 if pictures:
            return "multimodal"
    return "mixed"


def phrase_of(user_query: str) -> str:
    """Return a phrase without capitals and needless blanks, so that one phrase is counted as one."""
    return " ".join(user_query.casefold().split())


def diversity_of(categories: Sequence[str | None]) -> float | None:
    """Return the share of pairs of results whose main categories differ, 0 to 1; None for fewer than two results.

    That is 1 - the mean over all pairs of "both are of the same main category". A result without one is like no other.
    """
    pairs = len(categories) * (len(categories) - 1)
    if not pairs:
        return None
    alike = Counter(category for category in categories if category is not None)
    return 1.0 - sum(count * (count - 1) for count in alike.values()) / pairs


def diversity_in(products: Iterable[Product]) -> float | None:
    """Return `diversity_of` some products found."""
    return diversity_of([product.categories[0] if product.categories else None for product in products])


# --- what is counted of a period --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted over some searches. Tallies of different searches add up; `measures` makes shares of them."""

    pages: int = 0
    """Searches answered, later pages included."""
    searches: int = 0
    """Searches answered, later pages left out."""
    zero_results: int = 0
    """Of `searches`, those that found nothing."""
    seen: int = 0
    """Of `pages`, those of which any event came: who clicks has seen."""
    clicked: int = 0
    """Of `pages`, those with a click; `carted` and `bought` likewise."""
    carted: int = 0
    bought: int = 0
    clicks: int = 0
    """Products clicked, each once per search."""
    placed: int = 0
    """Of `clicked`, those with a click whose position is known."""
    reciprocal: float = 0.0
    """Sum over `placed` of 1 / position of the first such click; of several at one moment, the highest."""
    varied: int = 0
    """Of `pages`, those whose results have a diversity."""
    diversity: float = 0.0
    """Its sum over `varied`."""

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of both."""
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)))


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of how long answers took, by nearest rank: the smallest time that so many per cent do not exceed."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class AtPosition:
    """How often a product was seen at a position, and clicked there; each once per search. Who clicks has seen."""

    seen: int
    clicked: int


@dataclass(frozen=True, slots=True)
class PhraseCount:
    """How often a phrase was searched for, later pages left out."""

    phrase: str
    searches: int
    zero_results: int
    seen: int
    clicked: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything measures are made of. Searches count by their time; events by that of their search, see `actions`."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """By kind."""
    latencies: Mapping[str, Latency] = field(default_factory=dict)
    """By kind, "" for all together."""
    positions: Mapping[int, AtPosition] = field(default_factory=dict)
    """From 1 to `MAX_POSITION`, those with an event."""
    top: tuple[PhraseCount, ...] = ()
    """The phrases searched for most; equally often, by letter."""
    zero: tuple[PhraseCount, ...] = ()
    """The phrases that found nothing most often."""
    actions: Mapping[str, int] = field(default_factory=dict)
    """Events by action and by their own time, those of searches that are not known included."""


def count(
    searches: Iterable[LoggedSearch], events: Iterable[Event], since: datetime, until: datetime, top: int
) -> Counts:
    """Count what was logged from `since` to just before `until`, with the `top` phrases. Query ids must differ."""
    wanted = {search.query_id: search for search in searches if since <= search.timestamp < until}
    done: defaultdict[str, list[Event]] = defaultdict(list)
    actions: Counter[str] = Counter()
    for event in events:
        if event.query_id in wanted:
            done[event.query_id].append(event)
        if since <= event.timestamp < until:
            actions[event.action_name] += 1
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    took_ms: defaultdict[str, list[float]] = defaultdict(list)
    phrases: defaultdict[str, Tally] = defaultdict(Tally)
    for search in wanted.values():
        tally = tally_of(search, done[search.query_id])
        tallies[search.kind] += tally
        for kind in (search.kind, ""):
            took_ms[kind].append(search.took_ms)
        if search.phrase and not search.continued:
            phrases[search.phrase] += tally
    counted = [
        PhraseCount(phrase, tally.searches, tally.zero_results, tally.seen, tally.clicked)
        for phrase, tally in phrases.items()
    ]
    return Counts(
        tallies=dict(tallies),
        latencies={kind: latency_of(times) for kind, times in took_ms.items()},
        positions=_positions(done.values()),
        top=tuple(sorted(counted, key=lambda each: (-each.searches, each.phrase))[:top]),
        zero=tuple(
            sorted(
                (each for each in counted if each.zero_results),
                key=lambda each: (-each.zero_results, each.phrase),
            )[:top]
        ),
        actions=dict(actions),
    )


def tally_of(search: LoggedSearch, events: Sequence[Event]) -> Tally:
    """Count one search and the events of it."""
    did = {event.action_name for event in events}
    clicks = [event for event in events if event.action_name == CLICK]
    placed = [(event.timestamp, event.ordinal) for event in clicks if event.ordinal is not None]
    return Tally(
        pages=1,
        searches=not search.continued,
        zero_results=not search.continued and not search.query_response_hit_ids,
        seen=bool(did),
        clicked=CLICK in did,
        carted=ADD_TO_CART in did,
        bought=PURCHASE in did,
        clicks=len({event.object_id for event in clicks} - {None}),
        placed=bool(placed),
        reciprocal=1 / min(placed)[1] if placed else 0.0,
        varied=search.diversity is not None,
        diversity=search.diversity or 0.0,
    )


def latency_of(took_ms: Sequence[float]) -> Latency:
    """Return the percentiles of at least one time."""
    ordered = sorted(took_ms)
    return Latency(*(ordered[nearest_rank(len(ordered), percent) - 1] for percent in (50, 95, 99)))


def nearest_rank(count: int, percent: int) -> int:
    """Return which of `count` ordered values is a percentile, from 1: the percent of `count`, rounded up."""
    return -(-count * percent // 100)


def _positions(done: Iterable[Sequence[Event]]) -> dict[int, AtPosition]:
    seen: Counter[int] = Counter()
    clicked: Counter[int] = Counter()
    for events in done:
        for at, is_clicked in shown_of(events).items():
            seen[at[1]] += 1
            clicked[at[1]] += is_clicked
    return {ordinal: AtPosition(seen[ordinal], clicked[ordinal]) for ordinal in seen}


def shown_of(events: Iterable[Event]) -> dict[tuple[str, int], bool]:
    """Return which products one search showed at which positions, and whether they were clicked there."""
    shown: dict[tuple[str, int], bool] = {}
    for event in events:
        if event.ordinal is None or event.object_id is None or event.ordinal > MAX_POSITION:
            continue
        if event.action_name in (IMPRESSION, CLICK):
            at = event.object_id, event.ordinal
            shown[at] = shown.get(at, False) or event.action_name == CLICK
    return shown


def found_later(searches: Iterable[LoggedSearch]) -> dict[tuple[str, str | None], set[str]]:
    """Return what later pages found, by phrase and filter: clients report that under the id of the first page."""
    found: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
    for search in searches:
        if search.continued:
            found[search.phrase, search.where].update(search.query_response_hit_ids)
    return found


# --- measures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measures:
    """How searches did; a share of nothing is None.

    A result is what one search, or a later page of it, returned. Only searches whose results were seen can be clicked: those
    that nobody reported anything of count for `searches`, `zero_result_share`, `diversity` and times.
    """

    searches: int
    """Searches answered, later pages left out."""
    seen: int
    """Results of which an impression, or any other event, was reported."""
    ctr: float | None
    """Click-through rate: results with a click / results seen."""
    clicks_per_search: float | None
    """Products clicked, each once per search, / results seen."""
    mrr: float | None
    """Mean over results with a click of 1 / position of the first one; clicks without a position are left out."""
    zero_result_share: float | None
    """Searches that found nothing / searches."""
    add_to_cart_rate: float | None
    """Results of which something was put into the cart / results seen."""
    purchase_rate: float | None
    """Results of which something was bought / results seen."""
    diversity: float | None
    """Mean over results of two or more of the share of pairs whose main categories differ, see `diversity_of`."""
    latency: Latency | None
    """How long answers took."""


@dataclass(frozen=True, slots=True)
class PositionMeasures:
    """How often products were clicked at a position: `ctr` is clicked / seen, see `AtPosition`."""

    position: int
    seen: int
    clicked: int
    ctr: float


@dataclass(frozen=True, slots=True)
class Report:
    """The measures of a period: of all searches, by kind of search, by position and by phrase."""

    since: datetime
    until: datetime
    total: Measures
    by_kind: Mapping[str, Measures]
    by_position: tuple[PositionMeasures, ...]
    top_queries: tuple[PhraseCount, ...]
    zero_result_queries: tuple[PhraseCount, ...]
    events: Mapping[str, int]
    """How many events of each action came."""


def measures(tally: Tally, latency: Latency | None) -> Measures:
    """Turn what was counted into shares."""
    return Measures(
        searches=tally.searches,
        seen=tally.seen,
        ctr=_share(tally.clicked, tally.seen),
        clicks_per_search=_share(tally.clicks, tally.seen),
        mrr=_share(tally.reciprocal, tally.placed),
        zero_result_share=_share(tally.zero_results, tally.searches),
        add_to_cart_rate=_share(tally.carted, tally.seen),
        purchase_rate=_share(tally.bought, tally.seen),
        diversity=_share(tally.diversity, tally.varied),
        latency=latency,
    )


def report_of(counts: Counts, since: datetime, until: datetime) -> Report:
    """Return the measures of a period whose searches and events were counted."""
    return Report(
        since=since,
        until=until,
        total=measures(sum(counts.tallies.values(), Tally()), counts.latencies.get("")),
        by_kind={
            kind: measures(counts.tallies[kind], counts.latencies.get(kind))
            for kind in sorted(counts.tallies)
        },
        by_position=tuple(
            PositionMeasures(ordinal, at.seen, at.clicked, at.clicked / at.seen)
            for ordinal, at in sorted(counts.positions.items())
        ),
        top_queries=counts.top,
        zero_result_queries=counts.zero,
        events={action: counts.actions.get(action, 0) for action in ACTIONS},
    )


def plain(report: Report) -> dict[str, Any]:
    """Return a report as values that JSON can hold."""
    return asdict(report) | {"since": report.since.isoformat(), "until": report.until.isoformat()}


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
