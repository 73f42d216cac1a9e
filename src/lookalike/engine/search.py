"""The one search path: encode, allow, retrieve, fuse, rerank, diversify, enrich, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from lookalike.core.attributes import AttributeModel
from lookalike.core.columns import Columns
from lookalike.core.diversify import cap_per_group, first_of_each, maximal_marginal_relevance
from lookalike.core.errors import LimitError, QueryError
from lookalike.core.filters import And, Compare, Filter, bind, unknown_column
from lookalike.core.fusion import explain
from lookalike.core.ports import Catalog
from lookalike.core.query import Because, Hit, Query, SearchResult
from lookalike.core.rerank import Context, profile, rank_signals
from lookalike.core.types import ATTRIBUTES, IMAGE, TITLE, Allowed, Keys, Product, Vectors
from lookalike.engine import cursor
from lookalike.engine.indexing import LiveIndex, View, one_each
from lookalike.engine.notes import notes_of
from lookalike.engine.probes import Asked, ProbeMaker
from lookalike.engine.retrieve import Among, Pool, browse, retrieve, retrieve_exactly

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]
AGREE = 1e-3
"""How far a similarity worked out anew may lie from the first one: more than rounding, less than a change."""
LEAST_WINDOW = 200
"""How many of the most relevant products business signals, grouping and diversity may reorder, at least."""
FEW_HIDDEN = 64
"""Up to so many products are found and left out; for more, searching under a mask without them costs less."""


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What one query may ask for."""

    max_k: int = 1000
    max_parts: int = 32
    max_batch: int = 1000
    max_depth: int = 5000
    """How many products all pages of one search may show together."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Rows of the pool in the order they are shown, with the final score and rank signals of every row of the pool."""

    pool: Pool
    order: Rows
    scores: Scores
    signals: Mapping[str, Scores]


class Searcher:
    """Answers queries from a live index and its catalogue; safe to use from several threads."""

    def __init__(
        self,
        live: LiveIndex,
        catalog: Catalog,
        now_s: Callable[[], float],
        limits: SearchLimits | None = None,
    ) -> None:
        self._live = live
        self._catalog = catalog
        self._now_s = now_s
        self._limits = limits or SearchLimits()

    def search_many(self, queries: Sequence[Query], *, exact: bool = False) -> list[SearchResult]:
        """Answer queries; the pictures and phrases of all of them are encoded in one go.

        `exact` ones are compared with every product that matches, however long that takes.
        """
        if len(queries) > self._limits.max_batch:
            raise LimitError(
                "search.max_batch", f"{len(queries)} queries in a batch, at most {self._limits.max_batch}"
            )
        columns = self._live.columns.types()
        for query in queries:
            _check(query, self._limits, columns)
        started = perf_counter()
        asked = self._asked(queries)
        encode_ms = (perf_counter() - started) * 1e3 / max(len(queries), 1)
        return [
            self._answer(q, a, _Clock(encode_ms), exact=exact) for q, a in zip(queries, asked, strict=True)
        ]

    def _asked(self, queries: Sequence[Query]) -> list[Asked]:
        return ProbeMaker(self._live.view, self._catalog)(queries)

    def _answer(self, query: Query, asked: Asked, clock: _Clock, *, exact: bool) -> SearchResult:
        columns = self._live.columns
        where = None if query.where is None else bind(query.where, columns.types())
        signature = cursor.signature(query)
        seen = cursor.read(query.cursor, signature, self._limits.max_depth)
        matched = columns.allowed(where)
        facets = columns.facets(query.facets, matched)
        # The indexes hold findable products only: without a filter and anything taken out they need no mask.
        among = Among(matched, restricted=where is not None, hidden=np.concatenate([asked.itself, seen]))
        among = _masked(among, columns, seen if query.group else seen[:0])
        clock.lap("allow")
        ranked = self._ranked(query, asked, among, retrieve_exactly if exact else retrieve)
        clock.lap("rank")
        page = self._diversified(query, where, ranked, asked.view)[: query.k]
        clock.lap("diversify")
        keys = ranked.pool.keys[page]
        products = self._catalog.get_many(keys.tolist())
        hits = _hits(query, asked, ranked, page, products)
        clock.lap("enrich")
        left = len(ranked.order) > query.k or not ranked.pool.complete
        more = left and len(page) == query.k and among.count > query.k
        return SearchResult(
            hits=tuple(hits),
            matched=matched.count,
            plan=ranked.pool.plan,
            took_ms=clock.done(),
            facets=facets,
            cursor=cursor.write(signature, np.concatenate([seen, keys])) if more else None,
            snapshot=f"seq-{self._live.seq}",
            notes=notes_of(query, asked, where, columns, pool=ranked.pool, matched=matched.count),
        )

    def _ranked(self, query: Query, asked: Asked, among: Among, find: Callable[..., Pool]) -> _Ranked:
        """Retrieve a window of the most relevant and reorder it; widen it until grouping leaves a full page."""
        weights = profile(query.rerank)
        plain = not (weights or query.diversity or query.group or query.max_per_category)
        window = query.k if plain else max(LEAST_WINDOW, 2 * query.k)
        while True:
            if asked.probes:
                pool = find(asked.view, asked.probes, query.mode, window, among)
            else:
                pool = browse(among, among.count if weights else window)
            context = Context(self._live.columns, self._now_s())
            signals = rank_signals(weights, context, pool.keys)
            scores = pool.relevance + sum((weights[name] * signals[name] for name in weights), np.zeros(1))
            order = np.lexsort((pool.keys, -scores))
            if query.group:
                families = self._live.columns.codes("family", pool.keys[order])
                order = order[first_of_each([int(family) or None for family in families])]
            if len(order) >= query.k or pool.complete or window >= among.count:
                return _Ranked(pool, order, scores, signals)
            window *= 4

    def _diversified(self, query: Query, where: Filter | None, ranked: _Ranked, view: View) -> Rows:
        order = ranked.order
        if query.diversity > 0:
            top = order[: max(LEAST_WINDOW, 2 * query.k)]
            chosen = maximal_marginal_relevance(
                ranked.scores[top], _alike(view, ranked.pool.keys[top]), query.diversity, len(top)
            )
            order = np.concatenate([top[chosen], order[len(top) :]])
        if query.max_per_category is not None and not _one_category(where):
            codes = self._live.columns.codes("category", ranked.pool.keys[order])
            paths = self._live.columns.values("category", codes.tolist())
            order = order[
                cap_per_group([path[0] if path else None for path in paths], query.max_per_category)
            ]
        return order


def _hits(
    query: Query, asked: Asked, ranked: _Ranked, page: Rows, products: Mapping[int, Product]
) -> list[Hit]:
    """Put products and reasons to the rows shown; one deleted a moment ago is left out."""
    because: list[list[Because]] = [[] for _ in page]
    if query.explain and ranked.pool.signals:
        shown = [replace(s, similarities=s.similarities[page]) for s in ranked.pool.signals]
        because = explain(shown, query.mode, [part.name for part in query.parts])
    keys = ranked.pool.keys[page]
    fields = (
        _Fields.of(query, asked, keys)
        if any(term.name == ATTRIBUTES for terms in because for term in terms)
        else None
    )
    hits = []
    for number, (row, key) in enumerate(zip(page.tolist(), keys.tolist(), strict=True)):
        if key in products:
            split = because[number] if fields is None else fields.split(because[number], key)
            terms = (*split, *_rank_terms(query, ranked, row)) if query.explain else ()
            hits.append(Hit(products[key], float(ranked.scores[row]), terms))
    return hits


def _alike(view: View, keys: Keys) -> Scores:
    """Return how alike products look (or, without pictures, read) to each other, calibrated: float64 [n, n]."""
    space = IMAGE if len(view.spaces[IMAGE]) else TITLE
    order = np.argsort(keys)
    rows = np.empty((len(keys), view.spaces[space].dim), np.float32)
    rows[order] = one_each(view.spaces[space], keys[order])
    alike = view.calibration(space)(rows @ rows.T)
    known = np.asarray(rows.any(axis=1))
    return np.asarray(np.maximum(alike, 0.0) * (known[:, None] & known[None, :]))


@dataclass(frozen=True, slots=True, eq=False)
class _Fields:
    """What splits terms of the attribute space into those of its fields: vectors of products by key, of parts by name."""

    model: AttributeModel
    held: Mapping[int, Vectors]
    looked_for: Mapping[str, Vectors]

    @classmethod
    def of(cls, query: Query, asked: Asked, keys: Keys) -> _Fields:
        looked_for: dict[str, list[Vectors]] = {}
        for probe in asked.probes:
            if probe.space == ATTRIBUTES and not isinstance(probe.looks_for, str):
                looked_for.setdefault(query.parts[probe.part].name, []).append(probe.looks_for)
        found, vectors = asked.view.spaces[ATTRIBUTES].get(np.sort(keys))
        held = dict(zip(found.tolist(), vectors, strict=True))
        return cls(
            asked.view.attributes, held, {name: np.concatenate(each) for name, each in looked_for.items()}
        )

    def split(self, terms: Sequence[Because], key: int) -> Iterator[Because]:
        """Yield the terms of a product, that of attributes as one for each field; they add up to it."""
        for term in terms:
            if term.name == ATTRIBUTES and term.similarity and key in self.held:
                yield from self._by_field(term, term.similarity, self.held[key])
            else:
                yield term

    def _by_field(self, term: Because, similarity: float, held: Vectors) -> Iterator[Because]:
        vectors = self.looked_for[term.part]
        # Of several vectors, and of parts with one name, the one that this similarity is of.
        meant = vectors[np.argmin(np.abs(vectors @ held - similarity))]
        shares = self.model.shares(meant, held)
        if abs(sum(shares.values()) - similarity) > AGREE:  # the product changed since it was scored
            yield term
            return
        for field, share in shares.items():
            part = share / similarity
            yield Because(
                f"{ATTRIBUTES}.{field}",
                term.part,
                term.value * part,
                term.weight,
                term.contribution * part,
                share,
            )


def _masked(among: Among, columns: Columns, shown: Keys) -> Among:
    """Take what is hidden out by a mask if it is much, and with it the whole families of products already shown."""
    if len(among.hidden) <= FEW_HIDDEN and not len(shown):
        return among
    mask = among.allowed.mask.copy()
    mask[among.hidden[among.hidden < len(mask)]] = False
    if len(shown):
        out = np.unique(columns.codes("family", shown))
        mask &= ~np.isin(columns.codes("family", np.arange(len(mask))), out[out > 0])
    return Among(Allowed(mask, int(np.count_nonzero(mask))), restricted=True, hidden=among.hidden[:0])


def _one_category(where: Filter | None) -> bool:
    """Say whether a filter already asks for one category: a cap inside it would only cut the page short."""
    match where:
        case Compare("category", "=" | "prefix" | "contains", _):
            return True
        case And(filters):
            return any(_one_category(f) for f in filters)
    return False


def _rank_terms(query: Query, ranked: _Ranked, row: int) -> list[Because]:
    weights = profile(query.rerank)
    return [
        Because(name, "", float(values[row]), weights[name], weights[name] * float(values[row]))
        for name, values in ranked.signals.items()
    ]


def _check(query: Query, limits: SearchLimits, columns: Mapping[str, object]) -> None:
    if not 1 <= query.k <= limits.max_k:
        hint = "Ask for at least one hit." if query.k < 1 else ""
        raise LimitError(
            "search.max_k", f"{query.k} hits are asked for, it can be 1 to {limits.max_k}", hint=hint
        )
    if not 0 <= query.diversity <= 1:
        raise QueryError(f"diversity is {query.diversity}", hint="Give a number from 0 (none) to 1.")
    if query.max_per_category is not None and query.max_per_category < 1:
        raise QueryError(f"max_per_category is {query.max_per_category}", hint="Give a number of at least 1.")
    for name in query.facets:
        if name not in columns:
            raise unknown_column(name, columns)
    _check_parts(query, limits)


def _check_parts(query: Query, limits: SearchLimits) -> None:
    weights = [part.weight for part in query.parts]
    if len(weights) > limits.max_parts:
        raise LimitError(
            "search.max_parts", f"the query has {len(weights)} parts, at most {limits.max_parts}"
        )
    if not all(np.isfinite(weight) and weight != 0 for weight in weights):
        raise QueryError(
            "a part of the query has a weight of 0, or none", hint="Leave it out, or give a number."
        )
    if weights and max(weights) < 0:
        raise QueryError("every part of the query has a weight below 0", hint="Say what to look for as well.")


class _Clock:
    """Milliseconds per stage, for the answer."""

    def __init__(self, encode_ms: float) -> None:
        self._took = {"encode": encode_ms}
        self._last = perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on a stage."""
        now = perf_counter()
        self._took[stage] = (now - self._last) * 1e3
        self._last = now

    def done(self) -> dict[str, float]:
        return self._took | {"total": sum(self._took.values())}
