"""Retrieval over indexes that look at a part of the vectors, against scoring every product, and what is hidden from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_shop import COLORS, DIM, MadeShop, made_records

from lookalike.adapters import index_cells, index_cells_queries
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_exact import ExactIndex
from lookalike.core.filter_text import parse
from lookalike.core.filters import Filter, matches
from lookalike.core.query import Mode, Part, ProductPart, Query, TextPart, VectorPart
from lookalike.core.types import IMAGE, TITLE, Allowed, Keys
from lookalike.engine import retrieve as retrieving
from lookalike.engine import search
from lookalike.engine.indexing import View
from lookalike.engine.retrieve import Among, Pool, retrieve, retrieve_exactly

PRODUCTS = 1500
MODES: tuple[Mode, ...] = ("mix", "any", "all")
FILTERS = (None, None, "price < 40", 'color = "red"', 'brand in ("Aro", "Dune")', 'category prefix "Men"')


def active(shop: MadeShop) -> list[str]:
    """Return the ids of the products that may be found and asked about."""
    return [id_ for id_, product in shop.products.items() if product.active and product.images]


@pytest.fixture(scope="module")
def rough() -> Iterator[MadeShop]:
    """A shop over real cells, tuned as ever, of which most are not looked into."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_cells, "LEAST_ROWS", 800)
        patch.setattr(index_cells, "RECENT_ROWS", 200)
        patch.setattr(index_cells_queries, "QUERIES", 32)
        shop = MadeShop(made_records(PRODUCTS, seed=3), CellsIndex)
        for index in shop.live.spaces.values():
            if isinstance(index, CellsIndex):
                index.settle()
        assert not shop.live.spaces[IMAGE].exact and not shop.live.spaces[TITLE].exact
        yield shop


@pytest.fixture(scope="module")
def sure() -> MadeShop:
    return MadeShop(made_records(PRODUCTS, seed=3), ExactIndex)


def some_part(rng: np.random.Generator, shop: MadeShop) -> Part:
    weight = float(rng.uniform(0.3, 1.0))
    kind, color = int(rng.integers(12)), COLORS[int(rng.integers(len(COLORS)))]
    match int(rng.integers(3)):
        case 0:
            _, vectors = shop.live.spaces[IMAGE].get(np.arange(PRODUCTS))
            near = vectors[int(rng.integers(len(vectors)))] + 0.1 * rng.standard_normal(DIM)
            return VectorPart(IMAGE, near.astype(np.float32), weight)
        case 1:
            return TextPart(f"{color} thing number {kind}", weight)
    ids = active(shop)
    return ProductPart(ids[int(rng.integers(len(ids)))], weight)


def some_parts(rng: np.random.Generator, shop: MadeShop) -> tuple[Part, ...]:
    parts = [some_part(rng, shop) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.3:
        parts.append(TextPart(COLORS[int(rng.integers(len(COLORS)))], -0.5))
    return tuple(parts)


def some_filter(rng: np.random.Generator) -> Filter | None:
    text = FILTERS[int(rng.integers(len(FILTERS)))]
    return None if text is None else parse(text)


def some_hidden(rng: np.random.Generator, best: Keys, itself: Keys) -> Keys:
    """Return what may be hidden: some of the very best, one twice, some others (inactive, too), and one that nobody knows."""
    shown = best[: int(rng.integers(0, 50))]
    others = rng.integers(0, PRODUCTS, 8)
    return np.concatenate([itself, shown, shown[:1], others, [10**7]]).astype(np.int64)


def share_found(found: Pool, true: Pool) -> float:
    """Return which share of the best are found; one as good as the last of them is as good."""
    if not len(true.keys):
        return 1.0
    return float(np.count_nonzero(found.relevance >= true.relevance[-1] - 1e-5)) / len(true.keys)


@pytest.mark.parametrize("score_all", [50_000, 0], ids=["score-all", "widen-only"])
def test_nearly_the_best_are_found_and_nothing_that_is_hidden_or_filtered_out(
    rough: MadeShop, monkeypatch: pytest.MonkeyPatch, score_all: int
) -> None:
    rng = np.random.default_rng(7)
    columns, ids = (
        rough.live.columns,
        {key: id_ for id_, key in rough.catalog.keys(list(rough.products)).items()},
    )
    shares, plans = [], set()
    for turn in range(100):
        where, mode, count = some_filter(rng), MODES[turn % 3], int(rng.integers(1, 40))
        [asked] = rough.searcher._asked([Query(some_parts(rng, rough), where=where)])
        every = Among(columns.allowed(where), restricted=where is not None, hidden=np.zeros(0, np.int64))
        best = retrieve_exactly(asked.view, asked.probes, mode, 60, every)
        among = replace(every, hidden=some_hidden(rng, best.keys, asked.itself))
        true = retrieve_exactly(asked.view, asked.probes, mode, count, among)
        with monkeypatch.context() as patch:
            patch.setattr(retrieving, "SCORE_ALL", score_all)
            found = retrieve(asked.view, asked.probes, mode, count, among)
        assert not np.isin(found.keys, among.hidden).any() and not np.isin(true.keys, among.hidden).any()
        assert len(set(found.keys.tolist())) == len(found.keys) == len(true.keys)
        assert (np.diff(found.relevance) <= 0).all()
        for key in found.keys.tolist():
            product = rough.products[ids[key]]
            assert product.active and (where is None or matches(where, product))
        relevance = dict(zip(true.keys.tolist(), true.relevance.tolist(), strict=True))
        both = [
            (each, relevance[key])
            for key, each in zip(found.keys.tolist(), found.relevance, strict=True)
            if key in relevance
        ]
        assert all(one == pytest.approx(other, abs=1e-5) for one, other in both)
        shares.append(share_found(found, true))
        plans.add(found.plan)
    assert np.mean(shares) >= 0.95 and np.mean(np.array(shares) < 0.7) <= 0.03
    assert "ann" in plans and plans <= {"ann", "exact", "escalated"}


def test_a_single_list_is_its_own_ranking_however_little_it_is_worth(
    rough: MadeShop, sure: MadeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is everything scored for it, nor is the pool widened, also where all that is found is unlike it."""
    scored: list[int] = []
    score = retrieving._scored

    def counted(view: View, probes: Any, mode: Mode, keys: Keys, count: int) -> Pool:
        scored.append(len(keys))
        return score(view, probes, mode, keys, count)

    rng = np.random.default_rng(1)
    for shop in (rough, sure):
        _, vectors = shop.live.spaces[IMAGE].get(np.arange(PRODUCTS))
        unlike = -vectors.mean(axis=0)
        for wanted in (unlike, *vectors[:5], *rng.standard_normal((5, DIM))):
            [asked] = shop.searcher._asked([Query((VectorPart(IMAGE, np.asarray(wanted, np.float32)),))])
            among = Among(shop.live.columns.allowed(None), restricted=False, hidden=np.arange(5))
            true = retrieve_exactly(asked.view, asked.probes, "mix", 300, among)
            with monkeypatch.context() as patch:
                patch.setattr(retrieving, "_scored", counted)
                found = retrieve(asked.view, asked.probes, "mix", 300, among)
            assert len(scored) == 1 and 300 <= scored.pop() <= 305
            assert found.plan == ("exact" if shop is sure else "ann") and not found.complete
            assert share_found(found, true) >= (1.0 if shop is sure else 0.9)
            assert wanted is not unlike or found.relevance[-1] < 0


def pages(shop: MadeShop, query: Query) -> list[list[str]]:
    """Return the ids on all pages of a search."""
    shown: list[list[str]] = []
    while True:
        [answer] = shop.searcher.search_many([query])
        shown.append([hit.product.id for hit in answer.hits])
        if answer.cursor is None:
            return shown
        query = replace(query, cursor=answer.cursor)


@pytest.mark.parametrize(
    "options", [{}, {"group": True}, {"where": parse("price < 40")}, {"mode": "any"}], ids=str
)
def test_all_pages_together_show_everything_once(rough: MadeShop, options: dict[str, Any]) -> None:
    asked_about = active(rough)[10:12]
    query = Query((*(ProductPart(id_) for id_ in asked_about), TextPart("red thing")), k=45, **options)
    shown = [id_ for page in pages(rough, query) for id_ in page]
    assert len(shown) == len(set(shown)) and not {*asked_about} & {*shown}
    where = options.get("where")
    expected = {
        product.id
        for product in rough.products.values()
        if product.active and product.id not in asked_about and (where is None or matches(where, product))
    }
    if "group" not in options:
        assert set(shown) == expected
        return
    families = [rough.products[id_].family for id_ in shown if rough.products[id_].family]
    assert len(families) == len(set(families))
    assert {*families} == {family for id_ in expected if (family := rough.products[id_].family)}
    assert {id_ for id_ in expected if rough.products[id_].family is None} <= set(shown)


@pytest.mark.parametrize(
    "options", [{}, {"group": True}, {"where": parse("price < 40")}, {"diversity": 0.3}], ids=str
)
def test_what_is_left_out_of_pools_and_what_is_masked_give_the_same_pages(
    sure: MadeShop, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    _, vectors = sure.live.spaces[IMAGE].get(np.arange(PRODUCTS))
    query = Query((ProductPart(active(sure)[10]), VectorPart(IMAGE, vectors[99])), k=30, **options)
    by_limit = []
    for few in (0, 64, 10**6):
        monkeypatch.setattr(search, "FEW_HIDDEN", few)
        by_limit.append(pages(sure, query))
    assert by_limit[0] == by_limit[1] == by_limit[2] and len(by_limit[0]) > 3


def test_what_may_be_found_is_counted_without_what_is_hidden() -> None:
    mask = np.array([True, False, True, True])
    among = Among(Allowed(mask, 3), restricted=True, hidden=np.array([1, 2, 2, 99]))
    assert among.count == 2 and among.keys().tolist() == [0, 3]
    assert among.visible(np.array([3, 2, 0])).tolist() == [3, 0]
