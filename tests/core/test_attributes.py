"""The attribute model, learned from a made-up shop whose pictures say that navy is near blue and far from red."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from lookalike.core.attributes import (
    FIELDS_AT_MOST,
    NO_ATTRIBUTES,
    AttributeModel,
    Sample,
    learn,
    tokens,
)
from lookalike.core.columns import Columns
from lookalike.core.types import Keys, Product, Vectors
from lookalike.core.vectors import unit_rows

HUES = {"navy": 0.0, "blue": 0.25, "teal": 0.6, "green": 1.2, "yellow": 1.9, "orange": 2.5, "red": 3.0}
CATEGORIES = ("Women/Shoes/Boots", "Women/Shoes/Heels", "Men/Shoes/Boots", "Home/Lamps", "Home/Vases")
BRANDS = ("Aro", "Bel", "Corvo", "Dune", "Elm", "Fjord")
COUNT = 360


def made(number: int, **changed: Any) -> Product:
    """One product of the shop; brand, colour, category and price vary independently."""
    rng = np.random.default_rng(number)
    color = list(HUES)[rng.integers(len(HUES))]
    fields: dict[str, Any] = {
        "title": f"product {number}",
        "family": f"F{number // 3}",
        "brand": BRANDS[rng.integers(len(BRANDS))],
        "categories": (CATEGORIES[rng.integers(len(CATEGORIES))],),
        "price": round(float(np.exp(rng.normal(3.5, 1.0))), 2),
        "attributes": {"color": color, "tags": ("new", "sale")[: 1 + number % 2], "sku": f"SKU-{number}"},
        "rating": 4.0,
        "added": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Product(f"P{number}", **(fields | changed))


def looks(products: list[Product]) -> Vectors:
    """Pictures: mostly colour, some category; float32 [n, 8]."""
    rows = np.zeros((len(products), 8))
    for row, product in zip(rows, products, strict=True):
        hue = HUES[str(product.attributes["color"])]
        row[:2] = np.cos(hue), np.sin(hue)
        row[2 + CATEGORIES.index(product.categories[0])] = 0.8
    rng = np.random.default_rng(7)
    return unit_rows(rows + 0.05 * rng.standard_normal(rows.shape), 8)


def titles(products: list[Product]) -> Vectors:
    """Titles: brand and category; float32 [n, 11]."""
    rows = np.zeros((len(products), 11))
    for row, product in zip(rows, products, strict=True):
        row[BRANDS.index(str(product.brand))] = 1
        row[6 + CATEGORIES.index(product.categories[0])] = 1
    return unit_rows(rows, 11)


Shop = tuple[Columns, Sample, AttributeModel]


@pytest.fixture(scope="module")
def shop() -> Shop:
    products = [made(number) for number in range(COUNT)]
    columns = Columns()
    keys = np.arange(COUNT)
    columns.set(keys.tolist(), products)
    sample = Sample(keys, (looks(products), titles(products)), columns.codes("family", keys))
    return columns, sample, learn(columns, sample)


def vectors(shop: Shop, *products: Product) -> Vectors:
    """Return the attribute vectors of products that were not learned from."""
    columns, _, model = shop
    keys = np.arange(5000, 5000 + len(products))
    columns.set(keys.tolist(), products)
    found, rows = model.vectors(columns, keys)
    columns.delete(keys.tolist())
    assert found.tolist() == keys.tolist()
    return rows


def likeness(shop: Shop, base: Product, *others: Product) -> list[float]:
    """Return how alike others are to the first."""
    first, *rest = vectors(shop, base, *others)
    return [float(first @ row) for row in rest]


def colored(color: str, **changed: Any) -> Product:
    return made(1, attributes={"color": color}, **changed)


def test_it_learns_the_telling_fields_and_skips_names_and_what_is_always_the_same(shop: Shop) -> None:
    _, _, model = shop
    names = [field.name for field in model.fields]
    assert set(names) == {"brand", "category", "price", "color", "tags"}  # no id, family, sku, rating or date
    weights = [field.weight for field in model.fields]
    assert weights == sorted(weights, reverse=True) and sum(weights) == pytest.approx(1.0)
    # pictures and titles agree on these; price and tags are by chance here
    assert set(names[:3]) == {"color", "category", "brand"}


def test_vectors_are_unit_rows_in_order(shop: Shop) -> None:
    columns, sample, model = shop
    keys, rows = model.vectors(columns, sample.keys)
    assert keys.tolist() == sample.keys.tolist()
    assert rows.dtype == np.float32 and rows.shape == (COUNT, model.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert model.vectors(columns, keys[:0])[1].shape == (0, model.dim)
    np.testing.assert_allclose(model.vectors(columns, keys[5:9])[1], rows[5:9], atol=1e-6)


def test_navy_is_nearer_to_blue_than_to_red_because_pictures_say_so(shop: Shop) -> None:
    same, blue, green, red = likeness(
        shop, colored("navy"), *(colored(color) for color in ("navy", "blue", "green", "red"))
    )
    assert same == pytest.approx(1.0, abs=1e-5)
    assert same > blue + 0.02 and blue > green + 0.02 and blue > red + 0.02


def test_near_prices_are_nearer_on_a_log_scale(shop: Shop) -> None:
    base, *others = (colored("red", price=price) for price in (30.0, 30.0, 33.0, 45.0, 90.0, 270.0))
    found = likeness(shop, base, *others)
    assert found == sorted(found, reverse=True) and found[0] > found[1] > found[2] > found[3]
    ratio = likeness(shop, colored("red", price=20.0), colored("red", price=40.0), colored("red", price=10.0))
    assert ratio[0] == pytest.approx(ratio[1], abs=1e-4)  # twice as much is as far as half as much


def test_the_same_brand_and_a_category_nearby_are_closer(shop: Shop) -> None:
    base = colored("red", brand="Aro", categories=("Women/Shoes/Boots",))
    same, brand, sibling, stranger = likeness(
        shop,
        base,
        base,
        colored("red", brand="Bel", categories=("Women/Shoes/Boots",)),
        colored("red", brand="Aro", categories=("Women/Shoes/Heels",)),
        colored("red", brand="Aro", categories=("Home/Lamps",)),
    )
    assert same > brand and same > sibling > stranger


def test_the_shares_of_the_fields_add_up_to_the_similarity(shop: Shop) -> None:
    columns, sample, model = shop
    _, rows = model.vectors(columns, sample.keys[:40])
    for query, product in zip(rows[:20], rows[20:], strict=True):
        shares = model.shares(query, product)
        assert list(shares) == [field.name for field in model.fields]
        assert sum(shares.values()) == pytest.approx(float(query @ product), abs=1e-5)
    alike = model.shares(*vectors(shop, colored("red", brand="Aro"), colored("red", brand="Bel")))
    assert alike["color"] > alike["brand"]


def test_a_value_never_seen_has_an_identity_of_its_own(shop: Shop) -> None:
    same, other, known = likeness(
        shop, colored("fuchsia"), colored("fuchsia"), colored("ochre"), colored("red")
    )
    assert same == pytest.approx(1.0, abs=1e-5) and same > other + 0.02 and same > known + 0.02


def test_unknown_fields_count_neither_way_and_a_product_without_any_has_no_vector(shop: Shop) -> None:
    columns, _, model = shop
    bare, half = Product("bare", title="a title"), Product("half", brand="Aro")
    columns.set([6000, 6001], [bare, half])
    keys, rows = model.vectors(columns, np.array([6000, 6001, 6002, 10**6]))
    columns.delete([6000, 6001])
    assert keys.tolist() == [6001]
    assert {name for name, share in model.shares(rows[0], rows[0]).items() if share} == {"brand"}


def test_bytes_read_back_to_the_same_model(shop: Shop) -> None:
    columns, sample, model = shop
    data = model.to_bytes()
    again = AttributeModel.from_bytes(data)
    assert again.to_bytes() == data and again.dim == model.dim
    np.testing.assert_array_equal(
        again.vectors(columns, sample.keys)[1], model.vectors(columns, sample.keys)[1]
    )
    assert AttributeModel.from_bytes(NO_ATTRIBUTES.to_bytes()).fields == ()


def test_learning_twice_gives_the_same_bytes_whatever_the_batches_were(shop: Shop) -> None:
    columns, sample, model = shop
    assert learn(columns, sample).to_bytes() == model.to_bytes()
    others = Columns()
    for number in range(COUNT):  # one by one, and with other codes for the same words
        others.set([9000 - number], [made(number)])
    keys: Keys = 9000 - np.arange(COUNT)
    other = learn(others, Sample(keys, sample.views, sample.families))
    assert other.to_bytes() == model.to_bytes()


def test_a_model_serves_a_catalogue_that_has_lost_its_columns(shop: Shop) -> None:
    _, _, model = shop
    columns = Columns()
    columns.set([1, 2], [Product("a", brand="Aro"), Product("b", title="b")])
    keys, rows = model.vectors(columns, np.array([1, 2]))
    assert keys.tolist() == [1] and np.isfinite(rows).all()


# --- catalogues that hardly say anything ----------------------------------------------------------------------------


def learned(products: list[Product], *views: Vectors) -> tuple[Columns, AttributeModel]:
    columns, keys = Columns(), np.arange(len(products))
    columns.set(keys.tolist(), products)
    return columns, learn(columns, Sample(keys, views, np.zeros(len(products), np.int32)))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_products_give_no_fields(count: int) -> None:
    columns, model = learned([made(number) for number in range(count)])
    assert model.fields == () and model.dim == 0
    assert model.vectors(columns, np.arange(count))[1].shape == (0, 0)
    assert model.shares(np.zeros(0, np.float32), np.zeros(0, np.float32)) == {}


@pytest.mark.parametrize("count", [8, 9, 20])
def test_a_few_products_are_enough_with_and_without_pictures(count: int) -> None:
    products = [made(number) for number in range(count)]
    for views in ((), (looks(products),), (np.zeros((count, 4), np.float32), titles(products))):
        columns, model = learned(products, *views)
        keys, rows = model.vectors(columns, np.arange(count))
        assert model.fields and len(keys) == count and np.isfinite(rows).all()
        assert sum(field.weight for field in model.fields) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [12, COUNT])
def test_barcodes_and_article_numbers_are_no_attributes_but_measures_are(count: int) -> None:
    def coded(number: int) -> Product:
        codes = {"ean": 4006381333931 + 7919 * number, "article": 100_400.0 + number - (number % 10 == 9)}
        measures = {
            "grams": 100_000.0 + 5 * (number % 5),
            "year": 2000 + number % 20,
            "litres": 1_000_000.5 + number,
        }
        return made(number, attributes={"color": "red", **codes, **measures})

    _, model = learned([coded(number) for number in range(count)])
    names = {field.name for field in model.fields}
    assert {"grams", "year", "litres"} <= names and not {"ean", "article"} & names


def test_a_field_that_is_always_the_same_or_hardly_ever_there_is_left_out() -> None:
    same = [Product(str(n), brand="Aro", price=5.0, attributes={"w": True}) for n in range(100)]
    rare = [Product("x", attributes={"color": "red"}), Product("y", attributes={"color": "blue"})]
    _, model = learned([*same, *rare])
    assert model.fields == ()


def test_only_so_many_fields_are_kept_and_odd_values_are_no_trouble() -> None:
    rng = np.random.default_rng(3)
    odd: list[Any] = [
        float("nan"),
        float("inf"),
        -5,
        0,
        True,
        "",
        "a/b",
        ("x", ""),
        datetime(2026, 1, 1, tzinfo=UTC),
        "日本",
    ]
    products = [
        Product(str(n), attributes={f"a{i}": odd[rng.integers(len(odd))] for i in range(FIELDS_AT_MOST + 5)})
        for n in range(60)
    ]
    columns, model = learned(products, unit_rows(rng.standard_normal((60, 5)), 5))
    assert 0 < len(model.fields) <= FIELDS_AT_MOST
    _, rows = model.vectors(columns, np.arange(60))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert AttributeModel.from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def test_words_of_a_value() -> None:
    assert tokens(("Women/Shoes/Boots", "Women/Sale")) == [
        "Women",
        "Women/Shoes",
        "Women/Shoes/Boots",
        "Women/Sale",
    ]
    assert tokens(()) == [] and tokens((True,)) == ["True"] and tokens(("red", "red")) == ["red"]
