"""Reading one row: what each field takes, what it refuses, and that nothing is lost without a word."""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.core.errors import RowError
from lookalike.core.fields import category_path
from lookalike.core.ports import BadRow, Row
from lookalike.core.references import image_refs
from lookalike.core.rows import ColumnMap, Problem, RowLimits, problem_of, read_row, recognise
from lookalike.core.types import ImageRef, Product, content_hash
from lookalike.core.values import NULL_WORDS, clean, is_missing, plain, prose

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
SINGLE = (
    "family",
    "title",
    "description",
    "price",
    "currency",
    "brand",
    "availability",
    "popularity",
    "rating",
)
MAP = ColumnMap(
    {name: (name,) for name in ("id", *SINGLE, "conversion_rate", "added", "active", "categories", "images")}
)


def read(values: Mapping[str, object], columns: ColumnMap = MAP) -> tuple[Product, list[Problem]]:
    product, problems = read_row(Row(7, "line 8", {"id": "p1", **values}), columns)
    assert product is not None
    return product, problems


def lands(name: str, value: object) -> object:
    product, problems = read({name: value})
    assert not problems
    return getattr(product, name)


def refused(name: str, value: object) -> Problem:
    product, problems = read({name: value})
    assert getattr(product, name) == getattr(Product("p1"), name)
    (problem,) = problems
    assert (problem.field, problem.id, problem.place, problem.number) == (name, "p1", "line 8", 7)
    assert not problem.fatal
    assert problem.hint.endswith(".")
    return problem


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (" a\0b ", "ab"),
        (17, "17"),
        (17.0, "17"),
        (np.int64(17), "17"),
        (17.5, "17.5"),
        (b"x1", "x1"),
        (["a"], "a"),
    ],
)
def test_an_id_is_text_or_a_number(value: object, expected: str) -> None:
    product, problems = read({"id": value})
    assert product.id == expected
    assert not problems


@pytest.mark.parametrize(
    "value", [None, "", " \0", math.nan, np.nan, "nan", "None", True, ["a", "b"], {}, {"a": 1}, "x" * 257]
)
def test_a_row_without_an_id_does_not_land(value: object) -> None:
    product, (problem,) = read_row(Row(3, "line 4", {"id": value, "title": "Shirt"}), MAP)
    assert product is None
    assert problem.fatal
    assert (problem.field, problem.place, problem.id) == ("id", "line 4", "")


def test_rows_can_be_numbered_for_want_of_an_id() -> None:
    columns = recognise(["title"], [{"title": "Shirt"}], {"id": "@row"})
    product, problems = read_row(Row(12, "line 13", {"title": "Shirt"}), columns)
    assert product == Product("row-12", title="Shirt")
    assert not problems


@pytest.mark.parametrize(
    ("value", "amount", "currency"),
    [
        (12, 12.0, None),
        (0, 0.0, None),
        (Decimal("12.99"), 12.99, None),
        (np.float32(2.5), 2.5, None),
        ("12.99", 12.99, None),
        ("1299", 1299.0, None),
        ("12.999", 12.999, None),
        ("12,99 EUR", 12.99, "EUR"),
        ("EUR 12,99", 12.99, "EUR"),
        ("€12,99", 12.99, "EUR"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("1\u202f299,00 €", 1299.0, "EUR"),
        ("1.299.000 €", 1299000.0, "EUR"),
        ("$1,299.00", 1299.0, None),
        ("US$ 1,299.00", 1299.0, "USD"),
        ("CHF 1'299.50", 1299.5, "CHF"),
        ("£5", 5.0, "GBP"),
        ("0,125", 0.125, None),
        ("12,- €", 12.0, "EUR"),
        (["12,5"], 12.5, None),
    ],
)
def test_prices_are_read_as_people_write_them(value: object, amount: float, currency: str | None) -> None:
    if isinstance(value, list):
        assert refused("price", value)  # a list of one text is still a list
        return
    product, problems = read({"price": value})
    assert (product.price, product.currency) == (pytest.approx(amount), currency)
    assert not problems


@pytest.mark.parametrize(
    "value",
    ["1,299", "1.299 €", "free", "12-15", "from 3 EUR", -1, "-1", math.nan, math.inf, True, {}, {"a": 1}],
)
def test_prices_of_which_nobody_can_be_sure_are_refused(value: object) -> None:
    if value == {}:
        assert lands("price", value) is None
    else:
        refused("price", value)


def test_an_ambiguous_price_says_both_readings() -> None:
    problem = refused("price", "1,299")
    assert "1.299 or 1299" in problem.reason
    assert "1.299 or 1299" in problem.hint


def test_the_currency_column_and_the_price_must_agree() -> None:
    assert read({"price": "5 EUR", "currency": "€"})[0].currency == "EUR"
    product, (problem,) = read({"price": "5 EUR", "currency": "USD"})
    assert (product.price, product.currency) == (5.0, None)
    assert problem.field == "currency"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("in stock", True),
        ("Out-of-Stock", False),
        ("https://schema.org/InStock", True),
        ("no", False),
        (0, False),
        (3, True),
        ("12", True),
        ("preorder", False),
        ("ja", True),
        ("nein", False),
        ("Sí", True),
        ("non", False),
        ("vrai", True),
        ("falsch", False),
        ("auf Lager", True),
        ("nicht lieferbar", False),
        ("Ausverkauft", False),
        ("En stock", True),
        ("Rupture de stock", False),
        ("épuisé", False),
        ("e\u0301puise\u0301", False),
        ("Agotado", False),
        ("esaurito", False),
        ("op voorraad", True),
        (None, None),
    ],
)
def test_availability(value: object, expected: bool | None) -> None:
    assert lands("availability", value) is expected


def test_what_says_more_than_yes_or_no_stays_as_an_attribute() -> None:
    assert read({"availability": 3})[0].attributes == {"availability": 3}
    assert read({"availability": "preorder"})[0].attributes == {"availability": "preorder"}
    assert read({"availability": "in stock"})[0].attributes == {}
    assert read({"availability": "auf Lager"})[0].attributes == {}
    refused("availability", "maybe")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rating", "4,5", 4.5),
        ("rating", "4.5 out of 5 stars", 4.5),
        ("rating", "4/5", 4.0),
        ("rating", "N/A", None),
        ("rating", math.nan, None),
        ("conversion_rate", "3.2%", 0.032),
        ("conversion_rate", "3,2 %", 0.032),
        ("conversion_rate", 1, 1.0),
        ("popularity", "1e3", 1000.0),
        ("popularity", 7, 7.0),
    ],
)
def test_numbers(name: str, value: object, expected: float | None) -> None:
    assert lands(name, value) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rating", 11),
        ("rating", -0.1),
        ("rating", "good"),
        ("rating", True),
        ("conversion_rate", "250 %"),
        ("conversion_rate", 2.5),
        ("popularity", -1),
        ("popularity", math.inf),
        ("popularity", 10**400),
        ("active", "perhaps"),
        ("title", ["a", "b"]),
        ("title", {"en": "a"}),
        ("title", "x" * 20_001),
        ("brand", b"\xff\xfe"),
        ("currency", "$"),
        ("added", "last week"),
        ("added", "0000-00-00"),
        ("added", "0001-01-01"),
        ("added", 2011),
        ("added", "05/03/2025"),
        ("added", "32.01.2026"),
        ("added", "31/31/2025"),
        ("added", True),
        ("categories", [{"x": 1}]),
        ("images", 12),
        ("images", "data:image/png;base64,%%%"),
        ("images", "data:text/html;base64,PGh0bWw+"),
        ("images", "data:image/png,"),
        ("images", b""),
    ],
)
def test_cells_that_cannot_be_read_are_named(name: str, value: object) -> None:
    refused(name, value)


NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01",
        "2026/01/01",
        "01.01.2026",
        "1.1.2026",
        "01.01.2026 00:00",
        "01.01.2026, 0:00:00",
        "01/01/2026",
        "20260101",
        "2026-01-01T00:00:00Z",
        "2026-01-01 01:00:00+01:00",
        "2026-01-01 00:00:00 UTC",
        "Thu, 01 Jan 2026 00:00:00 +0000",
        1767225600,
        1767225600000,
        1767225600.0,
        "1767225600",
        date(2026, 1, 1),
        datetime(2026, 1, 1),
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        np.datetime64("2026-01-01T00:00:00", "ns"),
    ],
)
def test_dates_become_times_in_utc(value: object) -> None:
    found = lands("added", value)
    assert found == NEW_YEAR
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("05.03.2025", datetime(2025, 3, 5, tzinfo=UTC)),
        ("05.03.2025 14:30", datetime(2025, 3, 5, 14, 30, tzinfo=UTC)),
        ("31/12/2025", datetime(2025, 12, 31, tzinfo=UTC)),
        ("12/31/2025 9:05", datetime(2025, 12, 31, 9, 5, tzinfo=UTC)),
    ],
)
def test_the_day_comes_first_after_dots_and_is_told_apart_after_slashes(
    value: str, expected: datetime
) -> None:
    assert lands("added", value) == expected


def test_a_date_that_may_be_two_days_is_refused_with_the_remedy() -> None:
    problem = refused("added", "05/03/2025")
    assert "day or the month first" in problem.reason
    assert "2026-01-31" in problem.hint


def test_a_count_in_a_text_file_is_kept_as_a_number() -> None:
    rows = [{"id": "a", "Lagerbestand": "3"}, {"id": "b", "Lagerbestand": "0"}]
    product, problems = read(rows[0], recognise(["id", "Lagerbestand"], rows))
    assert (product.availability, dict(product.attributes)) == (True, {"Lagerbestand": 3})
    assert not problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Men > Tops >> Shirts", ("Men/Tops/Shirts",)),
        ("Men|Tops", ("Men/Tops",)),
        ("T-Shirts", ("T-Shirts",)),
        ("Hoodies & Sweatshirts", ("Hoodies & Sweatshirts",)),
        ("/Men//Tops/", ("Men/Tops",)),
        (["Men/Tops", "Sale", "Sale"], ("Men/Tops", "Sale")),
        ('["Men >> Tops", "Sale"]', ("Men/Tops", "Sale")),
        ([["Men", "Tops"], ["Sale"]], ("Men/Tops", "Sale")),
        ([{"id": 1, "name": "Hats"}], ("Hats",)),
        (np.array(["a", "b"]), ("a", "b")),
        ("", ()),
    ],
)
def test_categories(value: object, expected: tuple[str, ...]) -> None:
    assert lands("categories", value) == expected


def test_columns_of_levels_make_one_path() -> None:
    columns = ColumnMap({"id": ("id",), "categories": ("a", "b", "c")}, levels=True)
    assert read({"a": "Apparel", "b": None, "c": "Tshirts"}, columns)[0].categories == ("Apparel/Tshirts",)


URI = "data:image/png;base64," + base64.b64encode(PNG).decode()
EMBEDDED = f"bytes:{content_hash(PNG)}"


@pytest.mark.parametrize(
    ("value", "refs"),
    [
        (PNG, [EMBEDDED]),
        ([PNG, PNG], [EMBEDDED]),
        (np.array([PNG], dtype=object), [EMBEDDED]),
        (URI, [EMBEDDED]),
        (base64.b64encode(PNG).decode(), [EMBEDDED]),
        ({"bytes": PNG, "path": "a.png"}, [EMBEDDED]),
        ({"bytes": None, "path": "a.png"}, ["a.png"]),
        ([{"src": "https://a.example/1"}], ["https://a.example/1"]),
        ("a b.jpg", ["a b.jpg"]),
        ("a.jpg|b.png", ["a.jpg", "b.png"]),
        ("a.jpg, b.png", ["a.jpg", "b.png"]),
        ("https://a.example/1 https://a.example/2", ["https://a.example/1", "https://a.example/2"]),
        ("https://a.example/w_3,h_3/a.jpg", ["https://a.example/w_3,h_3/a.jpg"]),
        ('["a.jpg", "b.jpg"]', ["a.jpg", "b.jpg"]),
        (b"folder/a.jpg", ["folder/a.jpg"]),
        ("ftp://a.example/b", ["ftp://a.example/b"]),
    ],
)
def test_pictures(value: object, refs: list[str]) -> None:
    images = lands("images", value)
    assert isinstance(images, tuple)
    assert [image.ref for image in images] == refs
    for image in images:
        assert (image.data == PNG) == image.ref.startswith("bytes:")
        assert image.content_hash == (content_hash(PNG) if image.data else None)


def test_one_bad_picture_does_not_take_the_others_along() -> None:
    product, (problem,) = read({"images": ["a.jpg", 5, PNG]})
    assert [image.ref for image in product.images] == ["a.jpg", EMBEDDED]
    assert problem.field == "images"


def test_attributes_have_their_types() -> None:
    values = {
        "flag": np.bool_(True),
        "count": np.int32(3),
        "size": np.float64(1.5),
        "word": " e\u0301\0 ",
        "day": date(2026, 1, 1),
        "sizes": ["S", 42, None, " "],
        "nested": {"a": 1, "b": {"c": "x"}},
        "attributes": {"color": "red"},
        "id2": uuid.UUID(int=5),
        "gone": math.nan,
        "far": datetime(9999, 12, 31),
        "huge": 2**70,
        "none": None,
    }
    assert read(values)[0].attributes == {
        "flag": True,
        "count": 3,
        "size": 1.5,
        "word": "é",
        "day": NEW_YEAR,
        "sizes": ("S", "42"),
        "nested.a": 1,
        "nested.b.c": "x",
        "color": "red",
        "id2": str(uuid.UUID(int=5)),
        "far": "9999-12-31T00:00:00",
        "huge": str(2**70),
    }


def test_limits_are_named() -> None:
    limits = RowLimits(max_text_chars=5, max_images=2, max_attributes=1, max_id_chars=4)
    row = Row(
        1,
        "row 1",
        {
            "id": "p1",
            "title": "too long",
            "images": ["1.jpg", "2.jpg", "3.jpg"],
            "a": 1,
            "b": 2,
            "c": "long as well",
        },
    )
    product, problems = read_row(row, MAP, limits)
    assert product is not None
    assert product.title == ""
    assert [image.ref for image in product.images] == ["1.jpg", "2.jpg"]
    assert dict(product.attributes) == {"a": 1}
    assert {problem.field for problem in problems} == {"title", "images", "attributes", "c"}
    named = " ".join(problem.reason for problem in problems)
    assert all(limit in named for limit in ("max_text_chars", "max_images", "max_attributes"))
    assert read_row(Row(1, "row 1", {"id": "12345"}), MAP, limits)[0] is None


def test_two_cells_of_one_attribute_are_named() -> None:
    product, (problem,) = read({"a.b": 1, "a": {"b": 2}})
    assert product.attributes == {"a.b": 1}
    assert problem.field == "a.b"


def test_descriptions_lose_their_markup() -> None:
    html = "<p>Soft &amp; <b>light</b>.</p><script>steal()</script><br/>3 < 4"
    assert prose(html) == "Soft & light . 3 < 4"
    assert prose("sizes <S and >L") == "sizes <S and >L"


def test_a_bad_row_is_a_problem_like_others() -> None:
    problem = problem_of(BadRow(3, "line 4", "is not JSON", "Mend it."))
    assert problem == Problem(3, "line 4", "", "", "is not JSON", "Mend it.", fatal=True)


# Properties: whatever is in a row, reading it never raises, and what does not land is named.

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**320),
    st.floats(),
    TEXTS,
    st.sampled_from(
        [
            "nan",
            "1,299",
            "12,99 EUR",
            "3.2%",
            "a.jpg|b.jpg",
            URI,
            "data:,",
            "[1, [",
            "<p>x</p>",
            "in stock",
            "2026-01-01",
            "/",
        ]
    ),
    st.binary(max_size=12),
    st.just(PNG),
    st.datetimes(),
    st.dates(),
    st.decimals(),
    st.uuids(),
    st.fractions(),
    st.timedeltas(),
    st.complex_numbers(),
    st.floats(width=32).map(np.float32),
    st.integers(-100, 100).map(np.int8),
    st.just(np.datetime64("NaT")),
    st.just(np.array([[1, 2], [3, 4]])),
    st.sets(st.integers(), max_size=3),
    st.just(object()),
)
CELLS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.integers(), inner, max_size=4),
    max_leaves=8,
)
COLUMNS = st.sampled_from([name for name in MAP.fields if name != "id"]) | TEXTS


def nothing_in(value: object) -> bool:
    """Say whether there is nothing to keep in a cell, all the way down."""
    value = plain(value)
    if isinstance(value, Mapping):
        return all(map(nothing_in, value.values()))
    if isinstance(value, list | tuple):
        return all(map(nothing_in, value))
    return is_missing(value)


def says_nothing(name: str, value: object) -> bool:
    """Say whether a cell of this field means that there is nothing: a null word, separators only, tags only."""
    value = plain(value)
    words = clean(value).lower() if isinstance(value, str) else ""
    if name in ("title", "brand", "currency", "price", "images", "availability", "active"):
        return False
    if name == "categories":
        return (
            (isinstance(value, list | tuple | str) and not (words or value == ""))
            or words in NULL_WORDS
            or words.strip("/>|» ") == ""
        )
    return words in NULL_WORDS or (name == "description" and "<" in words)


def kept(name: str, value: object, product: Product, named: set[str]) -> bool:
    if nothing_in(value) or "attributes" in named:
        return True
    if name in MAP.fields:
        default = getattr(Product("p1"), name)
        there = getattr(product, name) != default or name == "active" or any(n == name for n in named)
        return there or says_nothing(name, value)
    inner = plain(value)
    if isinstance(inner, Mapping):
        prefix = clean(name) or "unnamed"
        return all(
            nothing_in(v)
            or any(n.startswith(prefix) or name == "attributes" for n in {*product.attributes, *named})
            for v in inner.values()
        )
    return any(known == (clean(name) or "unnamed") for known in (*product.attributes, *named))


@given(st.dictionaries(COLUMNS, CELLS, max_size=6))
@settings(max_examples=250, deadline=None)
def test_nothing_raises_and_nothing_is_lost_without_a_word(values: dict[str, object]) -> None:
    values.pop("id", None)
    product, problems = read(values)
    named = {problem.field for problem in problems}
    lost = {name: value for name, value in values.items() if not kept(name, value, product, named)}
    assert not lost
    for words in (product.title, product.description, *product.attributes, *product.categories):
        words.encode()  # what cannot be written as UTF-8 could not be stored
    for value in product.attributes.values():
        assert type(value) in (bool, int, float, str, datetime, tuple)


@given(CELLS)
@settings(max_examples=120, deadline=None)
def test_any_id_is_text_or_refused(value: object) -> None:
    product, problems = read_row(Row(1, "row 1", {"id": value}), MAP)
    assert (product is None) == any(problem.fatal for problem in problems)
    assert product is None or (product.id and product.id == clean(product.id))


@given(st.lists(st.dictionaries(COLUMNS | st.just("id"), CELLS, max_size=5), min_size=1, max_size=5))
@settings(max_examples=120, deadline=None)
def test_any_sample_can_be_recognised(samples: list[dict[str, object]]) -> None:
    names = list(dict.fromkeys(name for row in samples for name in row))
    columns = recognise(names, samples, {"id": "@row"})
    used = [column for used in columns.fields.values() for column in used if column != "@row"]
    assert sorted([*used, *columns.attributes]) == sorted(names)  # each column is used once
    for number, row in enumerate(samples, 1):
        assert read_row(Row(number, "", row), columns)[0] is not None


PRODUCTS = st.builds(
    Product,
    id=st.uuids().map(str),
    family=st.none() | st.just("f-1"),
    title=TEXTS.map(clean),
    description=st.just("Plain words."),
    price=st.none() | st.floats(0, 1e6),
    currency=st.sampled_from([None, "EUR", "USD"]),
    brand=st.sampled_from([None, "Acme"]),
    categories=st.lists(st.sampled_from(["Men/Tops", "Sale", "Women"]), unique=True).map(tuple),
    attributes=st.dictionaries(
        st.sampled_from(["color", "size", "when"]),
        st.integers(-9, 9) | st.just("red") | st.just(("a", "b")) | st.just(NEW_YEAR),
    ),
    images=st.lists(
        st.sampled_from([ImageRef("a.jpg"), ImageRef(EMBEDDED, content_hash(PNG), PNG)]), unique=True
    ).map(tuple),
    availability=st.sampled_from([None, True, False]),
    popularity=st.none() | st.floats(0, 1e9),
    rating=st.none() | st.floats(0, 5),
    conversion_rate=st.none() | st.floats(0, 1),
    added=st.none() | st.just(NEW_YEAR),
    active=st.booleans(),
)


@given(PRODUCTS)
@settings(max_examples=100, deadline=None)
def test_a_product_given_as_a_row_comes_back(product: Product) -> None:
    values = {name: getattr(product, name) for name in Product.__dataclass_fields__}
    again, problems = read_row(Row(1, "", values), recognise(list(values), [values]))
    assert again == product
    assert not problems


def test_deeply_nested_cells_are_refused_not_followed() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    for name in ("title", "categories", "images", "price", "added", "other"):
        _, problems = read({name: deep})
        assert [problem.field for problem in problems] == [name]
    columns = recognise(["id", "other"], [{"id": "1", "other": deep}])
    assert columns.fields == {"id": ("id",)}
    with pytest.raises(RowError):
        category_path(deep)
    assert isinstance(next(image_refs(deep)), RowError)
