"""The contract of the `LexicalIndex` port, run over every adapter: agreement with the plainest one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.adapters.lexical_memory import MemoryLexicalIndex, edits_between
from lookalike.adapters.lexical_postings import PostingsIndex
from lookalike.core.lexical import ALMOST, MOST_STAND_INS
from lookalike.core.ports import LexicalIndex
from lookalike.core.types import Allowed, Product
from lookalike.core.words import Document, document_of
from strategies import examples

MakeIndex = Callable[[], LexicalIndex]
COLORS = ("navy blue", "red", "blue", "green", "black")
KINDS = (
    "shirts",
    "shirt",
    "skirt",
    "backpack",
    "t-shirt",
    "running shoes",
    "wristwatch",
    "Schuhe",
    "рубашка",
    "時計",
)
BRANDS = ("Aro", "Belka", "Levi's", "Söhne", "Nike")


@pytest.fixture(params=[MemoryLexicalIndex, PostingsIndex], ids=["memory", "postings"])
def make_index(request: pytest.FixtureRequest) -> MakeIndex:
    made: MakeIndex = request.param
    return made


def a_product(number: int, rng: np.random.Generator) -> Product:
    color, kind, brand = (str(rng.choice(some)) for some in (COLORS, KINDS, BRANDS))
    return Product(
        f"P{number:04}",
        title=f"{brand} {color} {kind}" if rng.random() < 0.9 else "",
        description=f"A {kind} for every day." if rng.random() < 0.4 else "",
        brand=brand,
        categories=(f"Things/{kind}",),
        attributes={"color": color, "sku": f"{brand[:2].upper()}-{number * 7:05}-{color[0].upper()}"},
    )


def some_documents(count: int, seed: int = 0) -> list[Document]:
    rng = np.random.default_rng(seed)
    return [document_of(a_product(number, rng)) for number in range(count)]


def titled(*titles: str) -> list[Document]:
    return [document_of(Product(f"id-{number}x", title=title)) for number, title in enumerate(titles)]


def filled(make_index: MakeIndex, documents: list[Document]) -> LexicalIndex:
    index = make_index()
    index.upsert(np.arange(len(documents)), documents)
    return index


def found(index: LexicalIndex, text: str, pool: int = 10, allowed: Allowed | None = None) -> list[int]:
    keys = index.search(text, pool, allowed).keys[0]
    return [int(key) for key in keys if key >= 0]


def agree(
    index: LexicalIndex, reference: LexicalIndex, text: str, pool: int, allowed: Allowed | None
) -> None:
    """Assert that both answer alike; of products that score the same to rounding any may come."""
    keys = np.arange(130)
    scores = index.scores(text, keys)
    assert scores.dtype == np.float32 and scores.shape == keys.shape
    np.testing.assert_allclose(scores, reference.scores(text, keys), atol=2e-6)
    answer, expected = index.search(text, pool, allowed), reference.search(text, pool, allowed)
    assert answer.keys.shape == answer.similarities.shape == (1, pool)
    assert answer.keys.dtype == np.int64 and answer.similarities.dtype == np.float32
    np.testing.assert_allclose(answer.similarities, expected.similarities, atol=2e-6)
    held = answer.keys[0][answer.keys[0] >= 0]
    assert len(set(held.tolist())) == len(held) == np.count_nonzero(expected.keys >= 0)
    np.testing.assert_array_equal(answer.similarities[0, : len(held)], scores[held])
    if allowed is not None:
        assert all(key < len(allowed.mask) and allowed.mask[key] for key in held.tolist())
    assert index.names(text) == reference.names(text)


PHRASES = (
    "navy blue shirts", "nvay blu shrit", "P0007", "aro", "levis", "ni", "runing sho", "schuh", "сорочка рубашки", "計",
    "xyzzy", "t shirt", "tshirts", "back pack", "AR-00049-R", "", "wristwach red", "shirt shirt shirt", "-", "everyday",
    "P00", "p-000", "AR-0", "ar000", "-NIKE0", "P00070",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_it_agrees_with_the_plainest_index_after_any_changes(make_index: MakeIndex, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index, reference = make_index(), MemoryLexicalIndex()
    for _ in range(10):
        keys = rng.integers(0, 120, rng.integers(0, 40))
        if rng.random() < 0.7:
            documents = [document_of(a_product(int(key), rng)) for key in keys]
            index.upsert(keys, documents)
            reference.upsert(keys, documents)
        else:
            index.delete(keys)
            reference.delete(keys)
        mask = rng.random(rng.integers(0, 200)) < rng.choice([0.02, 0.5, 1.0])
        allowed = None if rng.random() < 0.3 else Allowed(mask, int(mask.sum()))
        for text in rng.choice(PHRASES, 4):
            agree(index, reference, str(text), int(rng.integers(1, 60)), allowed)
    assert len(index) == len(reference)


@examples(60)
@given(text=st.text(max_size=80), seed=st.integers(0, 3))
def test_any_text_is_a_phrase_and_both_answer_it_alike(text: str, seed: int) -> None:
    documents = [*some_documents(20, seed), document_of(Product("any", title=text))]
    index, reference = filled(PostingsIndex, documents), filled(MemoryLexicalIndex, documents)
    agree(index, reference, text, 30, None)


# --- live -----------------------------------------------------------------------------------------------------------


def test_changes_are_seen_by_the_next_search(make_index: MakeIndex) -> None:
    index = filled(make_index, titled("red shirt", "blue shirt"))
    index.upsert(np.array([2, 0]), titled("crimson lamp", "red kettle"))
    assert found(index, "kettle") == [0] and found(index, "crimson") == [2]
    assert found(index, "shirt") == [1]
    index.delete(np.array([1, 99]))
    assert found(index, "shirt") == [] and len(index) == 2
    index.upsert(np.array([2]), [Document({})])
    assert found(index, "crimson") == [] and len(index) == 1
    assert np.isnan(index.scores("lamp", np.array([2, 77]))).all()


def test_the_last_of_repeated_keys_counts(make_index: MakeIndex) -> None:
    index = make_index()
    index.upsert(np.array([5, 5]), titled("red shirt", "blue lamp"))
    assert len(index) == 1 and found(index, "lamp") == [5] and found(index, "shirt") == []


def test_scores_do_not_depend_on_the_order_of_changes(make_index: MakeIndex) -> None:
    documents = some_documents(200)
    at_once, one_by_one = filled(make_index, documents), make_index()
    for key in np.random.default_rng(1).permutation(200).tolist():
        one_by_one.upsert(np.array([key]), [documents[key]])
    keys = np.arange(200)
    for text in ("navy blue shirts", "runing shose", "ne"):
        np.testing.assert_array_equal(at_once.scores(text, keys), one_by_one.scores(text, keys))


def test_readers_beside_a_writer_see_a_state_before_or_after(make_index: MakeIndex) -> None:
    # Products 0..19 are all "red" or all "blue", changed together: a search never finds some of each.
    red, blue = titled(*["red thing"] * 20), titled(*["blue thing"] * 20)
    index = filled(make_index, red)
    keys, done = np.arange(20), threading.Event()

    def write() -> None:
        try:
            for _ in range(30):
                index.upsert(keys, blue)
                index.upsert(keys, red)
        finally:
            done.set()

    def read() -> int:
        torn = 0
        while not done.is_set():
            torn += len(found(index, "red", 50)) not in (0, 20)
            torn += len(index) != 20
        return torn

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            pool.submit(write).result()
            assert [reader.result() for reader in readers] == [0, 0, 0]
    finally:
        sys.setswitchinterval(switch)
    assert len(found(index, "red", 50)) == 20


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
def test_a_filter_is_exact_and_complete(share: float) -> None:
    documents = some_documents(5000)
    index = filled(PostingsIndex, documents)
    mask = np.random.default_rng(3).random(5000) < share
    mask[17] = True
    scores = index.scores("blue t-shirts", np.arange(5000))
    matching = np.flatnonzero(mask & ~np.isnan(scores))
    expected = matching[np.lexsort((matching, -scores[matching]))]
    assert found(index, "blue t-shirts", 5000, Allowed(mask, int(mask.sum()))) == expected.tolist()
    assert found(index, "blue t-shirts", 5, Allowed(mask, int(mask.sum()))) == expected[:5].tolist()


def test_a_filter_that_lets_nothing_through_finds_nothing(make_index: MakeIndex) -> None:
    index = filled(make_index, titled("red shirt"))
    assert found(index, "red", 5, Allowed(np.zeros(3, bool), 0)) == []
    assert found(index, "red", 5, Allowed(np.zeros(0, bool), 0)) == []


# --- what is found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("red shirt", 0), ("RED SHIRT", 0), ("red shirts", 0), ("shrit red", 0), ("rad shirt", 0),
        ("tshirt", 1), ("t-shirt", 1), ("T Shirts", 1), ("back pack", 2), ("bakpack", 2), ("backp", 2),
        ("sony wh1000xm4", 3), ("WH-1000XM4", 3), ("wh 1000xm4", 3), ("cafe creme", 4), ("CAFÉ", 4),
        ("gruße", 5), ("größse", 5), ("рубашка", 6), ("рубашкa".replace("a", ""), 6), ("ёлка", 7), ("елка", 7),
        ("腕時計", 8), ("時計", 8), ("時", 8), ("스니커즈", 9), ("รองเท้า", 10), ("levis", 11), ("levi", 11),
    ],
)  # fmt: skip
def test_words_typos_beginnings_accents_and_scripts(make_index: MakeIndex, text: str, best: int) -> None:
    index = filled(
        make_index,
        titled(
            "Red Shirt", "Green T-Shirt", "Blue Backpack", "Sony WH-1000XM4", "Café crème", "Größe Grüße", "Рубашка синяя",
            "Ёлка", "セイコー 腕時計", "스니커즈", "รองเท้า", "Levi's 501",
        ),
    )  # fmt: skip
    assert found(index, text)[0] == best


def test_a_known_word_is_taken_at_its_word(make_index: MakeIndex) -> None:
    index = filled(make_index, titled("red shirt", "red skirt", "blue skirt", "shirting cloth"))
    assert found(index, "shirt") == [0]
    assert set(found(index, "shirti")) == {0, 3}  # near the one, the beginning of the other


def test_a_code_ranks_first_and_nothing_else_scores_one(make_index: MakeIndex) -> None:
    documents = [
        document_of(Product("A-17", title="lamp 17 a", attributes={"note": "a 17"})),
        document_of(Product("17", title="shirt")),
        document_of(Product("B", title="A-17 A-17 A-17 A17 holder")),
        document_of(Product("C", title="x", attributes={"ean": 4006381333931, "model": "KX-500"})),
    ]
    index = filled(make_index, documents)
    for text in ("A-17", "a17", "A 17", " a-17 "):
        assert found(index, text)[0] == 0 and index.names(text)
        assert index.scores(text, np.array([0]))[0] == 1.0
    others = index.scores("A-17", np.arange(1, 4))
    assert np.nanmax(others) <= np.float32(ALMOST)
    assert found(index, "4006381333931")[0] == 3 and found(index, "kx500")[0] == 3
    assert not index.names("lamp") and not index.names("A-18") and not index.names("")


def test_the_beginning_of_a_code_finds_its_products_before_all_others(make_index: MakeIndex) -> None:
    documents = [
        document_of(Product("MSH11-Blue", title="tee in blue")),
        document_of(Product("MSH110", title="shorts")),
        document_of(Product("MSH11-36-Red", title="tee in red")),
        document_of(Product("X", title="holder", description="For MSH11, MSH11 and MSH11")),
        document_of(Product("Y", title="fresh fruit", attributes={"ean": 5012345678900})),
        document_of(Product("Z", title="mash 11", attributes={"ean": 4006381333931.0})),
    ]
    index = filled(make_index, documents)
    for text in ("MSH11", "msh11", "MSH11-"):
        assert index.names(text) and set(found(index, text)[:3]) == {0, 1, 2}
        assert found(index, text)[2] == 1  # the piece of a code before a longer number
    assert set(found(index, "MSH1")[:3]) == {0, 1, 2}
    assert found(index, "MSH11-3")[0] == 2 and found(index, "MSH11-36-R")[0] == 2
    assert found(index, "msh110")[0] == 1 and index.scores("msh110", np.array([1]))[0] == 1.0
    assert index.names("501234") and found(index, "501234") == [4]
    assert index.names("4006381333931") and index.names("400638")  # a barcode from a column with holes
    for text in ("501", "50123", "MSH", "msh 11", "11", "SH11", ""):
        assert not index.names(text)
    index.delete(np.array([0, 1, 2]))
    assert not index.names("MSH11-36") and found(index, "MSH11") == [3]


def test_a_score_says_how_much_of_the_phrase_was_found(make_index: MakeIndex) -> None:
    index = filled(make_index, [*titled("navy blue shirt", "navy lamp", "shirt"), *some_documents(40)])
    whole, half = index.scores("navy lamp", np.array([1, 0]))
    missing = index.scores("navy lamp xyzzyq", np.array([1]))[0]
    assert 1 > whole > half > 0 and whole > missing > 0


@pytest.mark.parametrize(
    "text",
    ['red" OR "blue', "(", "title:red", "red AND NOT shirt", "*", "?", "shirt~2", "+red -shirt", "{a TO b}", "=p0001", "\\",
     "red^9", "'; drop table products; --", "\x00", "NEAR(red shirt)", "\ud800"],
)  # fmt: skip
def test_there_is_no_query_language(make_index: MakeIndex, text: str) -> None:
    index = filled(make_index, titled("red shirt", "blue lamp"))
    plain = "".join(character if character.isalnum() else " " for character in text)
    np.testing.assert_array_equal(index.scores(text, np.arange(2)), index.scores(plain, np.arange(2)))


def test_nothing_asked_and_nothing_held(make_index: MakeIndex) -> None:
    empty, index = make_index(), filled(make_index, titled("red shirt"))
    for text in ("", "   ", "!?", "red"):
        assert found(empty, text) == [] and len(empty.scores(text, np.arange(0))) == 0
        assert np.isnan(empty.scores(text, np.arange(3))).all()
    assert found(index, "") == [] and found(index, " .. ") == []
    empty.delete(np.arange(3))
    empty.upsert(np.zeros(0, np.int64), [])
    assert len(empty) == 0


def test_a_phrase_of_ten_thousand_words_is_answered(make_index: MakeIndex) -> None:
    index = filled(make_index, titled("red shirt", "blue lamp"))
    text = "red shirt " + " ".join(f"word{number}" for number in range(10_000))
    assert found(index, text)[0] == 0
    assert found(index, "z" * 1_000_000) == []


@examples(200)
@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_what_rapidfuzz_counts(one: str, other: str) -> None:
    from rapidfuzz.distance import OSA

    assert edits_between(one, other) == OSA.distance(one, other)


def test_many_products_share_a_beginning() -> None:
    index = filled(PostingsIndex, titled(*(f"item{number:05}" for number in range(3000)), "itemise"))
    assert len(found(index, "item", 100)) == MOST_STAND_INS
