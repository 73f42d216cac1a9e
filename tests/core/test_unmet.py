"""Filters that name what no product has: a note for each such text, and none for others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.columns import Columns
from lookalike.core.filter_text import parse
from lookalike.core.filters import Compare, Filter, Not, bind, compare, matches
from lookalike.core.types import Product
from lookalike.core.unmet import impossible, unmet
from strategies import COLUMNS, WORDS, examples, filters, products

SHOP = [
    Product("P1", brand="Café Noir", categories=("Women/Shoes",), attributes={"color": "Red", "sizes": ("S", "M")}),
    Product("P2", brand="Aro", categories=("Men/Shirts",), attributes={"color": "Dark Blue", "year": 2020}),
    Product("P3", categories=("Women",), attributes={"color": "Green"}, active=False),
]  # fmt: skip


def notes(text: str) -> tuple[str, ...]:
    columns = Columns()
    columns.set([1, 2], SHOP[:2])
    columns.set([3], [SHOP[2]])
    columns.delete([3])
    types = columns.types()
    where = bind(parse(text, types), types)
    return unmet(where, columns, matches=columns.allowed(where).count > 0)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('color = "red"', ['no product has color "red"; there is "Red"']),
        ('color != "red"', ['no product has color "red"; there is "Red"']),
        ('not color = "dark  blue"', ['no product has color "dark  blue"; there is "Dark Blue"']),
        ('color in ("Red", "purple", "RED")', ['no product has color "purple"', 'no product has color "RED"; there is "Red"']),
        ('sizes contains "m"', ['no product has sizes "m"; there is "M"']),
        ('brand = "cafe noir"', ['no product has brand "cafe noir"; there is "Café Noir"']),
        ('category prefix "women/shoe"', ['no product has category "women/shoe" or anything below it; there is "Women/Shoes"']),
        ('category = "shoes"', ['no product has category "shoes"; there is "Women/Shoes"']),
        (
            'category in ("Men", "Women/Shoes")',
            ['no product has category "Men"; for all that is below it, write category prefix "Men"'],
        ),
        ('category prefix "shirts"', ['no product has category "shirts" or anything below it; there is "Men/Shirts"']),
        ('color = "Green"', ['no product has color "Green"']),  # nobody can find the one that has it
        ('price < 3 or color = "reed"', ['no product has color "reed"; there is "Red"']),
        ('id not in ("P8", "P9") and family != "F"', []),
        ('id = "p1"', ['no product has id "p1"; there is "P1"']),
        ('color = "Red" and brand = "Café Noir" and sizes = "M" and category prefix "Women"', []),
        ('color = "Red" and brand = "Aro"', []),  # both are there, though in no product together
        ('price < 5 and year = 2020 and color exists', []),
    ],
)  # fmt: skip
def test_what_no_product_has_is_named(where: str, expected: list[str]) -> None:
    assert list(notes(where)) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("added > 2024-01-01", ["no product has anything in added"]),
        ('rating exists and color = "Red"', ["no product has anything in rating"]),
        ("year >= 2050 and year <= 10", ["no product has year >= 2050 and <= 10: nothing lies between"]),
        ("year > 2020 and (year < 2020.5 and year < 2020)", ["no product has year > 2020 and < 2020: nothing lies between"]),
        ("year between 3000 and 2000", ["no product has year >= 3000 and <= 2000: nothing lies between"]),
        ("at > 2024-05-01 and at <= 2024-01-31", ["no product has at > 2024-05-01 and <= 2024-01-31: nothing lies between"]),
        ("both > 5 and both > 2024-01-01 and both < 2", ["no product has both > 5 and < 2: nothing lies between"]),
        ("year >= 2050 and year <= 2050", []),  # there might be one
        ("year > 2050 or year < 10", []),
        ("not year > 10", []),
        ('color < "A" and color > "Z"', []),  # a list may have one of each
    ],
)  # fmt: skip
def test_what_no_product_can_satisfy_is_told(where: str, expected: list[str]) -> None:
    columns = Columns()
    columns.set(
        [1, 2],
        [SHOP[0], replace(SHOP[1], attributes={"year": 2020, "at": datetime(2024, 3, 1, tzinfo=UTC)})],
    )
    columns.set(
        [3, 4],
        [
            Product("P8", attributes={"both": 3.0}),
            Product("P9", attributes={"both": datetime(2025, 1, 1, tzinfo=UTC)}),
        ],
    )
    assert list(impossible(bind(parse(where, columns.types()), columns.types()), columns)) == expected


def test_long_texts_are_compared_to_the_letter_only() -> None:
    rng = Random(0)
    cares = [
        " ".join(rng.choices(["wash", "warm", "iron", "cold", "bleach"], k=38))[:190] for _ in range(400)
    ]
    columns = Columns()
    columns.set(range(400), [Product(f"P{n}", attributes={"care": care}) for n, care in enumerate(cares)])
    began = process_time()
    for asked, meant in ((cares[0].upper(), f'; there is "{cares[0][:79]}…"'), (cares[0][:-1] + "!", "")):
        (note,) = unmet(Compare("care", "=", asked), columns, matches=False)
        assert note == f'no product has care "{asked[:79]}…"{meant}'
    assert process_time() - began < 0.5  # of two texts so long, comparing takes half a millisecond and more


def test_of_a_long_list_only_the_first_are_looked_up() -> None:
    assert len(notes("color in (" + ", ".join(f'"c{n}"' for n in range(1000)) + ")")) == 8


@examples(200)
@given(st.lists(products(), max_size=3), st.sampled_from(COLUMNS), st.sampled_from(WORDS))
def test_a_note_comes_exactly_where_no_findable_product_has_the_text(
    shop: list[Product], field: str, text: str
) -> None:
    columns = Columns()
    for key, product in enumerate(shop):
        columns.set([key], [product])
    where = compare(field, "=", text)
    there = any(matches(where, product) for product in shop if product.active)
    assert len(unmet(where, columns, matches=False)) == (not there)
    assert len(unmet(Not(where), columns, matches=True)) == (not there)


@examples(100)
@given(filters(), products())
def test_any_filter_can_be_looked_into(where: Filter, product: Product) -> None:
    columns = Columns()
    columns.set([1], [product])
    count = columns.allowed(where).count
    notes = unmet(where, columns, matches=bool(count)) + impossible(where, columns)
    assert all(note.startswith("no product has ") for note in notes)
    assert not (count and impossible(where, columns))
