"""What is typed for a product is true of exactly what it should be."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.adapters.encoder_onnx_words import features
from training.captions import (
    COLOR_WORDS,
    GENDER_WORDS,
    KEYS,
    SAME,
    SLOTS,
    SYNONYMS,
    article_key,
    say,
    typed,
)
from training.items import Item

SHIRT = Item(
    "fashion",
    "one",
    title="Red Tape Men Red Shirt",
    article="Shirts",
    color="Red",
    gender="Men",
    usage="Casual",
    category="Apparel/Topwear/Shirts",
    description="A shirt of soft cotton. It has long sleeves. Wash it.",
)
FROM_HOME = Item("clothing", "clothing Shirt", article="Shirt")
UNKNOWN = Item("clothing", "clothing 7")

articles = st.sampled_from(["", "Shirts", "Shirt", "Tshirts", "Mugs"])
items = st.builds(
    Item,
    source=st.sampled_from(["fashion", "luma"]),
    instance=st.sampled_from(["one", "two"]),
    title=st.sampled_from(["", "Mug", "Red Shirt"]),
    article=articles,
    color=st.sampled_from(["", "Red", "Blue"]),
    gender=st.sampled_from(["", "Men", "Women"]),
    usage=st.sampled_from(["", "Casual", "Sports"]),
    category=st.sampled_from(["", "Tops", "Apparel/Tops", "Shop/Apparel/Tops"]),
    description=st.sampled_from(["", "Short.", "It is made of soft cotton. Wash it cold."]),
)
seeds = st.integers(0, 999)

SPEAKS_OF = {
    "name": lambda item: (item.source, item.title) if item.title else item.instance,
    "instance": lambda item: item.instance,
    "color_article": lambda item: (item.color, article_key(item)),
    "gender_article": lambda item: (item.gender, article_key(item)),
    "everything": lambda item: (item.color, item.gender, item.usage, article_key(item)),
    "article": article_key,
    "level": lambda item: item.category.split("/")[-2],
    "color": lambda item: item.color,
}


@given(items, items, st.integers(0, len(SLOTS) - 1), seeds)
def test_a_caption_is_true_of_exactly_the_items_with_its_key(
    item: Item, other: Item, slot: int, seed: int
) -> None:
    text, kind = say(slot, item, Random(seed))
    if not text:
        assert kind == ""
        return
    own, key = KEYS[kind](item), KEYS[kind](other)
    assert own, "a caption that is true of nothing, not even of its own picture"
    if key:
        assert (own == key) == (SPEAKS_OF[kind](item) == SPEAKS_OF[kind](other))


def test_every_kind_that_is_spoken_has_a_key() -> None:
    kinds = {say(slot, SHIRT, Random(seed))[1] for slot in range(len(SLOTS)) for seed in range(200)}
    assert kinds == set(KEYS)


@pytest.mark.parametrize("kind", KEYS)
def test_nobody_knows_whether_a_caption_is_true_of_what_has_no_data(kind: str) -> None:
    """But of its instance: a description is of one product."""
    assert bool(KEYS[kind](UNKNOWN)) == (kind == "instance")


def test_a_photo_without_a_title_is_named_after_its_article() -> None:
    assert say(0, FROM_HOME, Random(1))[0] in {"shirt"}
    assert say(0, UNKNOWN, Random(1)) == ("", "")


def test_one_article_has_one_key_whatever_its_source_calls_it() -> None:
    assert KEYS["article"](FROM_HOME) == KEYS["article"](SHIRT)


def test_captions_are_the_same_for_the_same_seed() -> None:
    spoken = [[say(slot, SHIRT, Random(seed)) for slot in range(3)] for seed in range(50)]
    assert spoken == [[say(slot, SHIRT, Random(seed)) for slot in range(3)] for seed in range(50)]
    assert len({text for row in spoken for text, _ in row}) > 20


texts = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=60).filter(str.strip)


@given(texts, seeds)
def test_typing_leaves_something_of_every_text(text: str, seed: int) -> None:
    rng = Random(seed)
    spoiled = typed(typed(text, rng), rng)
    assert spoiled.strip()
    assert (features([spoiled]) > 0).any()


@given(texts, seeds)
def test_typing_loses_no_more_than_a_word_and_a_letter(text: str, seed: int) -> None:
    spoiled = typed(text, Random(seed)).split()
    assert len(text.split()) - 1 <= len(spoiled) <= len(text.split())
    changed = [word for word in spoiled if word not in text.split()]
    assert len(changed) <= 1
    assert all(any(abs(len(word) - len(old)) <= 1 for old in text.split()) for word in changed)


def test_typing_mostly_leaves_a_short_text_as_it_is() -> None:
    same = sum(typed("red shirt", Random(seed)) == "red shirt" for seed in range(1_000))
    assert 650 < same < 900


@pytest.mark.parametrize(
    ("article", "words"), [*SYNONYMS.items(), *COLOR_WORDS.items(), *GENDER_WORDS.items()]
)
def test_words_for_a_label_are_as_people_type(article: str, words: tuple[str, ...]) -> None:
    assert words and len(set(words)) == len(words)
    assert all(word == word.strip().lower() and 2 < len(word) < 30 for word in words)


def test_an_article_is_the_same_as_one_that_is_itself_a_key() -> None:
    """Or two sources' articles would still be told apart."""
    assert not set(SAME) & set(SAME.values())
    assert all(name.strip() == name != other for name, other in SAME.items())


def test_no_synonym_is_another_articles_only_name() -> None:
    """ "jeans" for trousers would teach that jeans are none."""
    own = {name.lower(): SAME.get(name, name) for name in SYNONYMS}
    wrong = {
        (article, word): own[word]
        for article, words in SYNONYMS.items()
        for word in words
        if own.get(word, SAME.get(article, article)) != SAME.get(article, article)
    }
    assert set(wrong) <= KNOWN_AMBIGUOUS


KNOWN_AMBIGUOUS = {("Pants", "jeans"), ("Bangle", "bracelet"), ("Casual Shoes", "shoes")}
"""Photos of the label "Pants" show jeans too, and so on. No more of these, please."""
