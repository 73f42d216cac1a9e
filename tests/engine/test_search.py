"""The search path on a made-up shop, against a brute force in float64."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_shop import DIM, NOW, MadeShop, made_records

from every_cell import look_everywhere
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_exact import ExactIndex
from lookalike.adapters.index_memory import MemoryIndex
from lookalike.adapters.lexical_memory import MemoryLexicalIndex
from lookalike.core.attributes import NO_ATTRIBUTES
from lookalike.core.errors import FilterError, LimitError, QueryError, VectorError
from lookalike.core.filter_text import parse
from lookalike.core.filters import matches
from lookalike.core.fusion import Signal, fuse
from lookalike.core.ports import VectorIndex
from lookalike.core.query import ImagePart, Part, ProductPart, Query, SearchResult, TextPart, VectorPart
from lookalike.core.types import ATTRIBUTES, IMAGE, TITLE, WORDS, Record
from lookalike.core.words import document_of
from lookalike.engine import retrieve
from lookalike.engine.indexing import learn_from
from lookalike.engine.search import SearchLimits

FILTERS = (
    None,
    "price < 20",
    'color = "red"',
    'brand in ("Aro", "Dune") and not category prefix "Men"',
    "price < 0",
)


@pytest.fixture(
    scope="module", params=[MemoryIndex, ExactIndex, CellsIndex], ids=["memory", "exact", "cells"]
)
def shop(request: pytest.FixtureRequest) -> Iterator[MadeShop]:
    """A shop over each index; cells are made of few rows already, and all of them are looked into."""
    with pytest.MonkeyPatch.context() as patch:
        look_everywhere(patch, least_rows=100)
        shop = MadeShop(made_records(400), request.param)
        for index in shop.live.spaces.values():
            if isinstance(index, CellsIndex):
                index.settle()
                assert not index.exact
        yield shop


@pytest.fixture(params=[50_000, 0], ids=["score-all", "widen-only"])
def score_all(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both ways to make sure of the best: scoring all, and widening pools."""
    monkeypatch.setattr(retrieve, "SCORE_ALL", request.param)
    yield


def a_vector(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def some_pixels(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (9, 7, 3), np.uint8)


PARTS: dict[str, tuple[Part, ...]] = {
    "vector": (VectorPart(IMAGE, a_vector(1)),),
    "image": (ImagePart(some_pixels(2)),),
    "text": (TextPart("red thing"),),
    "typo": (TextPart("grean thing nubmer"),),
    "code": (TextPart("p0007"),),
    "image and text": (ImagePart(some_pixels(3)), TextPart("blue thing number 1", 0.5)),
    "like": (ProductPart("P0005"),),
    "signed": (ProductPart("P0008"), TextPart("in blue", 0.4), TextPart("red", -0.7)),
    "three": (VectorPart(IMAGE, a_vector(4)), VectorPart(TITLE, a_vector(5), 2.0), ProductPart("P0009")),
}


def ask(shop: MadeShop, **query: Any) -> SearchResult:
    return shop.searcher.search_many([Query(**query)])[0]


def words_of(shop: MadeShop) -> MemoryLexicalIndex:
    """Return the plainest lexical index of what may be found."""
    index = MemoryLexicalIndex()
    active = [product for product in shop.products.values() if product.active]
    keys = shop.catalog.keys([product.id for product in active])
    index.upsert(
        np.array([keys[product.id] for product in active]), [document_of(product) for product in active]
    )
    return index


def nearest(index: VectorIndex, vectors: np.ndarray[Any, Any], keys: Iterable[int]) -> np.ndarray[Any, Any]:
    """Return each product's similarity to the nearest of the vectors, NaN where it has none."""
    similarities = []
    for key in keys:
        _, held = index.get(np.array([key]))
        products = held.astype(np.float64) @ vectors.astype(np.float64).T
        similarities.append(products.max() if len(held) else np.nan)
    return np.array(similarities)


def brute_force(shop: MadeShop, query: Query) -> dict[str, float]:
    """Return the relevance of every product the query may find, by id, straight from the definitions."""
    [asked] = shop.searcher._asked([query])
    keys = shop.catalog.keys(list(shop.products))
    candidates = {
        id_: key
        for id_, key in keys.items()
        if shop.products[id_].active
        and key not in asked.itself
        and (query.where is None or matches(query.where, shop.products[id_]))
    }
    signals = []
    for probe in asked.probes:
        if isinstance(probe.looks_for, str):
            column = words_of(shop).scores(probe.looks_for, np.array(list(candidates.values()), np.int64))
        else:
            column = nearest(shop.live.spaces[probe.space], probe.looks_for, candidates.values())
        signals.append(
            Signal(probe.part, probe.part_weight, probe.space, probe.weight, probe.calibration, column)
        )
    positive = [s.similarities for s in signals if s.part_weight > 0]
    known = ~np.isnan(np.array(positive)).all(axis=0) if candidates else np.zeros(0, bool)
    relevance = fuse(signals, query.mode) if candidates else np.zeros(0)
    return {id_: float(r) for id_, r, k in zip(candidates, relevance, known, strict=True) if k}


@pytest.mark.usefixtures("score_all")
@pytest.mark.parametrize("mode", ["mix", "any", "all"])
@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_the_best_are_found_exactly(
    shop: MadeShop, parts: tuple[Part, ...], where: str | None, mode: Any
) -> None:
    query = Query(parts, where=parse(where) if where else None, mode=mode, k=10)
    truth = brute_force(shop, query)
    result = shop.searcher.search_many([query])[0]
    certain = all(index.exact for index in shop.live.spaces.values())
    assert result.plan in ({"exact"} if certain else {"exact", "ann", "escalated"})
    assert len(result.hits) == min(10, len(truth))
    best = sorted(truth.values(), reverse=True)[: len(result.hits)]
    assert [hit.score for hit in result.hits] == pytest.approx(best, abs=1e-5)
    for hit in result.hits:
        assert hit.score == pytest.approx(truth[hit.product.id], abs=1e-5)
        assert sum(term.contribution for term in hit.because) == pytest.approx(hit.score, abs=1e-5)


@pytest.mark.parametrize("where", FILTERS)
def test_every_hit_satisfies_the_filter_and_matched_counts_them_all(
    shop: MadeShop, where: str | None
) -> None:
    tree = parse(where) if where else None
    result = ask(shop, parts=PARTS["like"], where=tree, k=1000)
    expected = {p.id for p in shop.products.values() if p.active and (tree is None or matches(tree, p))}
    assert result.matched == len(expected)
    assert {hit.product.id for hit in result.hits} <= expected - {"P0005"}


@pytest.mark.parametrize(
    "options", [{}, {"rerank": "balanced"}, {"group": True}, {"diversity": 0.4}], ids=str
)
def test_pages_never_repeat_or_skip(shop: MadeShop, options: dict[str, Any]) -> None:
    query = Query(PARTS["image and text"], k=17, where=parse("price < 60"), **options)
    whole = brute_force(shop, query)
    seen: list[str] = []
    while True:
        result = shop.searcher.search_many([query])[0]
        seen += [hit.product.id for hit in result.hits]
        if result.cursor is None:
            break
        query = replace(query, cursor=result.cursor)
    assert len(seen) == len(set(seen))
    if options.get("group"):
        families = [shop.products[id_].family for id_ in seen]
        shown = [family for family in families if family]
        assert len(shown) == len(set(shown))
        assert set(shown) == {f for id_ in whole if (f := shop.products[id_].family)}
    else:
        assert set(seen) == set(whole)
    if not options:
        assert [whole[id_] for id_ in seen] == pytest.approx(sorted(whole.values(), reverse=True), abs=1e-5)


def test_pages_stay_apart_while_the_catalogue_changes() -> None:
    shop = MadeShop(made_records(120), ExactIndex)
    query = Query(PARTS["text"], k=10)
    first = shop.searcher.search_many([query])[0]
    shown = [hit.product.id for hit in first.hits]
    # The second-page products rise, some of the first page vanish, new ones come.
    shop.catalog.delete(shown[:3])
    shop.catalog.write(made_records(140, seed=9)[120:])
    shop.live.refresh()
    second = shop.searcher.search_many([replace(query, cursor=first.cursor)])[0]
    assert len(second.hits) == 10
    assert not {hit.product.id for hit in second.hits} & set(shown)


def test_a_cursor_serves_its_own_query_only(shop: MadeShop) -> None:
    cursor = ask(shop, parts=PARTS["text"], k=5).cursor
    with pytest.raises(QueryError, match="another query"):
        ask(shop, parts=PARTS["image"], k=5, cursor=cursor)
    with pytest.raises(QueryError, match="damaged"):
        ask(shop, parts=PARTS["text"], k=5, cursor=(cursor or "")[:14] + "!!!")


def test_paging_goes_on_when_a_product_is_embedded_or_attributes_are_learned_anew() -> None:
    records = made_records(120)
    shop = MadeShop(records, ExactIndex)
    query = Query(PARTS["like"], k=10)
    first = shop.searcher.search_many([query])[0]
    shop.catalog.write(
        [replace(r, product=replace(r.product, brand="Eno", title="new")) for r in records[::2]]
    )
    learn_from(shop.catalog, shop.live)
    second = shop.searcher.search_many([replace(query, cursor=first.cursor)])[0]
    assert len(second.hits) == 10
    assert not {hit.product.id for hit in second.hits} & {hit.product.id for hit in first.hits}


def test_searches_go_on_while_attributes_are_learned_anew() -> None:
    shop = MadeShop(made_records(120), ExactIndex)
    models = [shop.catalog.artifact("attributes") or b"", NO_ATTRIBUTES.to_bytes()]
    done = threading.Event()

    def learn() -> None:
        while not done.is_set():
            for model in models:
                shop.catalog.set_artifact("attributes", model)
                shop.live.refresh()

    thread = threading.Thread(target=learn)
    thread.start()
    try:
        for _ in range(200):
            assert len(ask(shop, parts=PARTS["like"]).hits) == 10
    finally:
        done.set()
        thread.join()


def test_paging_has_a_named_depth() -> None:
    shop = MadeShop(made_records(80), MemoryIndex, limits=SearchLimits(max_depth=20))
    query = Query(PARTS["text"], k=10)
    for _ in range(2):
        query = replace(query, cursor=shop.searcher.search_many([query])[0].cursor)
    with pytest.raises(LimitError, match="20"):
        shop.searcher.search_many([query])


def test_grouping_fills_the_page_however_families_cluster() -> None:
    records = made_records(300)
    # One family holds the hundred nearest products: a pool of a few dozen would see nothing else.
    together = [
        Record(
            replace(r.product, family="F" if i < 200 else f"G{i}"), r.source_hash, r.embedded, r.embeddings
        )
        for i, r in enumerate(records)
    ]
    shop = MadeShop(together, ExactIndex)
    result = ask(shop, parts=PARTS["text"], group=True, k=50)
    assert len(result.hits) == 50
    assert sum(hit.product.family == "F" for hit in result.hits) == 1


def test_no_page_is_promised_when_every_family_was_shown() -> None:
    family = [replace(r, product=replace(r.product, family="F", active=True)) for r in made_records(5)]
    shop = MadeShop(family, ExactIndex)
    assert ask(shop, parts=PARTS["text"], group=True, k=1).cursor is None
    assert ask(shop, parts=PARTS["text"], k=1).cursor


def test_diversity_brings_variety_and_keeps_the_best_first(shop: MadeShop) -> None:
    plain = ask(shop, parts=PARTS["vector"], k=12)
    varied = ask(shop, parts=PARTS["vector"], k=12, diversity=0.7)

    def alike(result: SearchResult) -> float:
        keys = list(shop.catalog.keys([hit.product.id for hit in result.hits]).values())
        vectors = np.concatenate([shop.live.spaces[IMAGE].get(np.array([key]))[1][:1] for key in keys])
        return float((vectors @ vectors.T).mean())

    assert varied.hits[0].product.id == plain.hits[0].product.id
    assert alike(varied) < alike(plain) - 0.05


def test_a_category_cap_holds_except_inside_one_category(shop: MadeShop) -> None:
    capped = ask(shop, parts=PARTS["text"], k=6, max_per_category=2)  # three kinds are in the window
    paths = [hit.product.categories[0] for hit in capped.hits]
    assert max(paths.count(path) for path in paths) <= 2
    inside = ask(shop, parts=PARTS["text"], k=10, max_per_category=2, where=parse('category = "Men/Shoes"'))
    assert len(inside.hits) == 10


def test_business_signals_move_products_and_say_so(shop: MadeShop) -> None:
    result = ask(shop, parts=PARTS["text"], k=20, rerank={"popularity": 5.0})
    popular = [hit.product.popularity or 0.0 for hit in result.hits]
    assert popular[0] == max(popular)
    for hit in result.hits:
        assert "popularity" in [term.name for term in hit.because]
        assert sum(term.contribution for term in hit.because) == pytest.approx(hit.score, abs=1e-5)
    with pytest.raises(QueryError, match="no rerank profile"):
        ask(shop, parts=PARTS["text"], rerank="bestest")


def test_attributes_are_explained_field_by_field(shop: MadeShop) -> None:
    result = ask(shop, parts=(ProductPart("P0005"),), weights={ATTRIBUTES: 1.0}, k=5)
    fields = {term.name for hit in result.hits for term in hit.because}
    assert {"attributes.color", "attributes.category"} <= fields
    assert result.hits[0].product.categories == shop.products["P0005"].categories


def test_facets_agree_with_a_recount(shop: MadeShop) -> None:
    where = parse("price < 30")
    result = ask(shop, parts=PARTS["like"], where=where, facets=("color", "sizes", "availability"), k=1)
    kept = [p for p in shop.products.values() if p.active and matches(where, p)]
    for name, read in (
        ("color", lambda p: [p.attributes["color"]] if "color" in p.attributes else []),
        ("sizes", lambda p: list(p.attributes.get("sizes", ()))),
        ("availability", lambda p: [] if p.availability is None else [p.availability]),
    ):
        recount: dict[object, int] = {}
        for product in kept:
            for value in read(product):
                recount[value] = recount.get(value, 0) + 1
        assert {v.value: v.count for v in result.facets[name]} == recount


def test_browsing_without_a_query_shows_all_by_their_signals(shop: MadeShop) -> None:
    result = ask(shop, parts=(), rerank="new", k=10, where=parse("availability = true"))
    assert len(result.hits) == 10
    newest = max(p.added for p in shop.products.values() if p.active and p.availability and p.added)
    assert newest <= NOW
    assert result.hits[0].product.added == newest


def test_a_batch_is_encoded_once_and_answers_like_single_queries(shop: MadeShop) -> None:
    queries = [Query((TextPart(text),), k=3) for text in ("red", "blue thing", "green")]
    shop.encoder.calls.clear()
    batch = shop.searcher.search_many(queries)
    assert shop.encoder.calls == [3]
    singles = [shop.searcher.search_many([query])[0] for query in queries]
    assert [[h.product.id for h in r.hits] for r in batch] == [
        [h.product.id for h in r.hits] for r in singles
    ]


def test_the_index_follows_the_catalogue() -> None:
    shop = MadeShop(made_records(60), ExactIndex)
    shop.catalog.delete(["P0003"])
    changed = replace(shop.records[7], product=replace(shop.products["P0007"], price=1234.5, active=True))
    hidden = replace(shop.records[9], product=replace(shop.products["P0009"], active=False))
    shop.catalog.write([changed, hidden])
    assert shop.live.refresh() == 3
    everything = {hit.product.id for hit in ask(shop, parts=PARTS["text"], k=100).hits}
    assert "P0003" not in everything
    assert "P0009" not in everything
    found = ask(shop, parts=(), where=parse("price = 1234.5"))
    assert [hit.product.id for hit in found.hits] == ["P0007"]
    shop.catalog.write([replace(hidden, product=replace(hidden.product, active=True))])
    shop.live.refresh()
    assert "P0009" in {hit.product.id for hit in ask(shop, parts=PARTS["text"], k=100).hits}


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ({"parts": (TextPart("x"),), "k": 0}, LimitError, "0 hits"),
        ({"parts": (TextPart("x"),), "k": 100_000}, LimitError, "max_k|1 to"),
        ({"parts": (TextPart("x", -1.0),)}, QueryError, "below 0"),
        ({"parts": (TextPart("x", 0.0),)}, QueryError, "weight of 0"),
        ({"parts": (TextPart("x", float("nan")),)}, QueryError, "weight of 0, or none"),
        ({"parts": (TextPart("x"),) * 33}, LimitError, "33 parts"),
        ({"parts": (TextPart("x"),), "weights": {IMAGE: 1.0}}, QueryError, "leave nothing to search"),
        ({"parts": (TextPart("x"),), "weights": {"smell": 1.0}}, QueryError, "smell"),
        ({"parts": (ProductPart("nope"),)}, QueryError, "no product 'nope'"),
        ({"parts": (VectorPart(IMAGE, np.ones(3, np.float32)),)}, VectorError, "shape"),
        ({"parts": (VectorPart(IMAGE, np.zeros(DIM, np.float32)),)}, VectorError, "zero"),
        ({"parts": (VectorPart("smell", np.ones(DIM, np.float32)),)}, QueryError, "no space"),
        ({"parts": (TextPart("x"),), "diversity": 2.0}, QueryError, "diversity"),
        ({"parts": (TextPart("x"),), "facets": ("colour",)}, FilterError, "colour"),
        ({"parts": (TextPart("x"),), "where": parse('colour = "red"')}, FilterError, "colour"),
        ({"parts": (TextPart("x"),), "where": parse('price = "red"')}, FilterError, "price holds numbers"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_with_a_remedy(
    shop: MadeShop, query: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        ask(shop, **query)
    assert getattr(caught.value, "hint", "")


def test_a_space_without_vectors_takes_no_weight_and_a_part_without_any_is_named() -> None:
    records = [
        replace(
            r,
            product=replace(r.product, description=""),
            embeddings=tuple(e for e in r.embeddings if e.space == TITLE),
        )
        for r in made_records(40)
    ]
    shop = MadeShop(records, ExactIndex)
    result = ask(shop, parts=(TextPart("red thing"),))
    assert {term.name for hit in result.hits for term in hit.because} == {TITLE, WORDS}
    assert sum(term.weight for term in result.hits[0].because) == pytest.approx(1.0)
    assert not result.notes
    lost = ask(shop, parts=(ImagePart(some_pixels(1)),))
    assert lost.hits == ()
    assert "no product has an image" in lost.notes[0]


def test_an_empty_shop_answers_with_nothing() -> None:
    shop = MadeShop([], ExactIndex)
    result = ask(shop, parts=PARTS["text"])
    assert result.hits == ()
    assert result.matched == 0
    assert result.cursor is None


# --- words ----------------------------------------------------------------------------------------------------------


def test_a_code_is_looked_up_and_compared_with_nothing_else(shop: MadeShop) -> None:
    id_ = next(p.id for p in shop.products.values() if p.active)
    result = ask(shop, parts=(TextPart(f" {id_.lower()}"),), k=3)
    assert result.hits[0].product.id == id_ and result.hits[0].score == pytest.approx(1.0)
    assert {term.name for hit in result.hits for term in hit.because} == {WORDS}
    everywhere = ask(shop, parts=(TextPart(id_),), weights={TITLE: 1.0, WORDS: 1.0}, k=3)
    assert {term.name for hit in everywhere.hits for term in hit.because} == {TITLE, WORDS}


def test_words_follow_the_catalogue() -> None:
    records = made_records(60)
    shop = MadeShop(records, ExactIndex)
    zebra = replace(records[0], product=replace(records[0].product, title="zebra umbrella", active=True))
    shop.catalog.write([zebra])
    shop.live.refresh()
    only_words = {"parts": (TextPart("zebra umbrela"),), "weights": {WORDS: 1.0}}
    assert [hit.product.id for hit in ask(shop, **only_words).hits] == [zebra.product.id]
    assert ask(shop, **only_words, where=parse('id != "P0000"')).hits == ()
    shop.catalog.write([replace(zebra, product=replace(zebra.product, brand="Okapi", title="lamp"))])
    shop.live.refresh()
    assert ask(shop, **only_words).hits == ()
    shop.catalog.write([replace(zebra, product=replace(zebra.product, active=False))])
    shop.live.refresh()
    assert ask(shop, parts=(TextPart("okapi"),), weights={WORDS: 1.0}).hits == ()


def test_a_phrase_that_nothing_can_be_compared_with_is_told_of() -> None:
    pictured = [
        replace(r, product=replace(r.product, title="", description=""), embeddings=r.embeddings[:1])
        for r in made_records(30)
        if r.product.images
    ]
    shop = MadeShop(pictured, ExactIndex)
    assert ask(shop, parts=(TextPart("belka"),)).notes == ()  # a brand
    [note] = ask(shop, parts=(TextPart("xyzzy"),)).notes
    assert "no product has a title or a description or any of its words" in note
