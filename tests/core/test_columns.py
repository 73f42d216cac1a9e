"""Columns against the reference meaning of filters, product by product, also while they change."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.columns import MAX_FACET_VALUES, Columns, seconds
from lookalike.core.filter_text import parse
from lookalike.core.filters import FIELDS, And, Compare, Filter, compare, field_value, matches, scalars
from lookalike.core.query import FacetValue
from lookalike.core.remembered import MAX_FILTERS, MAX_LETTERS
from lookalike.core.types import Allowed, Product
from strategies import COLUMNS, NUMBERS, examples, filters, products

MAY = datetime(2026, 5, 1, tzinfo=UTC)
KEYS = (0, 1, 2, 3, 4, 1022, 1023, 1024, 1025, 2500, 9000)
"""Some next to each other, some on both sides of the first capacity, some beyond twice that."""

Step = tuple[str, list[tuple[int, Product]]]
steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "delete"]),
        st.lists(st.tuples(st.sampled_from(KEYS), products()), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


def applied(changes: Sequence[Step]) -> tuple[Columns, dict[int, Product], set[int]]:
    """Return columns after these changes, every product they ever met, and the keys of those to be found."""
    columns, held, live = Columns(), {}, set()
    for action, pairs in changes:
        keys = [key for key, _ in pairs]
        if action == "delete":
            columns.delete(keys)
            live -= set(keys)
            continue
        columns.set(keys, [product for _, product in pairs])
        for key, product in pairs:
            held[key] = product
            live = live | {key} if product.active else live - {key}
    return columns, held, live


def found(mask: np.ndarray[Any, Any], keys: Sequence[int]) -> list[bool]:
    return [bool(mask[key]) for key in keys]


@examples(150)
@given(steps, st.lists(filters(), min_size=1, max_size=4))
def test_masks_agree_with_the_reference_product_by_product(changes: list[Step], asked: list[Filter]) -> None:
    columns, held, live = applied(changes)
    keys = sorted(held)
    assert len(columns) == len(live) == columns.allowed(None).count
    assert set(np.flatnonzero(columns.allowed(None).mask)) == live
    assert columns.live_among([*keys, 10**7]) == [key in live for key in keys] + [False]
    for where in asked:
        expected = {key for key in keys if matches(where, held[key])}
        assert found(columns.mask(where), keys) == [key in expected for key in keys]
        allowed = columns.allowed(where)
        assert set(np.flatnonzero(allowed.mask)) == expected & live
        assert allowed.count == len(expected & live)
        assert allowed.mask.dtype == bool


def shown(product: Product, name: str) -> set[tuple[type, Any]]:
    """Return what a facet shows of a product: each of its values once, dates as days, categories with all above them."""
    held = scalars(field_value(product, name))
    if name == "category":
        parts = [path.split("/") for path in held]
        held = (
            *held,
            *filter(None, ("/".join(path[:depth]) for path in parts for depth in range(len(path)))),
        )
    values = [scalar.date().isoformat() if isinstance(scalar, datetime) else scalar for scalar in held]
    return {(type(value), value) for value in values}


@examples(80)
@given(steps, filters())
def test_facets_count_what_a_recount_counts(changes: list[Step], where: Filter) -> None:
    columns, held, live = applied(changes)
    allowed = columns.allowed(where)
    facets = columns.facets(COLUMNS, allowed)
    assert facets.keys() == columns.types().keys() & set(COLUMNS)
    for name, values in facets.items():
        counted = Counter(
            value for key in live if matches(where, held[key]) for value in shown(held[key], name)
        )
        assert {(type(v.value), v.value): v.count for v in values} == counted
        assert [v.count for v in values] == sorted((v.count for v in values), reverse=True)


@examples(60)
@given(steps)
def test_types_numbers_and_codes_tell_what_products_hold(changes: list[Step]) -> None:
    columns, held, _ = applied(changes)
    keys = np.array([*held, 10**7], np.int64)
    assert columns.types().keys() >= FIELDS.keys()
    for name, types in columns.types().items():
        values = [scalars(field_value(product, name)) for product in held.values()]
        assert types >= {type(scalar) for value in values for scalar in value}
        numbers = columns.numbers(name, keys)
        assert numbers.dtype == np.float64
        if float in types:
            expected = [v[0] if v and type(v[0]) is float else np.nan for v in values]
            np.testing.assert_array_equal(numbers, [*expected, np.nan])
        codes = columns.codes(name, keys)
        coded = [v if v and isinstance(v[0], str | bool) else () for v in values]
        assert columns.values(name, codes.tolist()) == [*coded, ()]
        assert codes.dtype == np.int32
        assert [code == 0 for code in codes] == [not v for v in [*coded, ()]]


def test_types_are_put_together_by_who_changes_a_column() -> None:
    columns = Columns()
    columns.set([1], [Product("P1", price=2.0)])
    before = columns.types()
    columns.delete([1])
    assert columns.types() is before
    columns.set([2], [Product("P2", brand="Aro", attributes={"size": "M"})])
    columns.set([3], [Product("P3", attributes={"size": 42})])
    assert columns.types() == {**before, "id": {str}, "brand": {str}, "size": {str, float}}
    assert "size" not in before and not before["brand"] and list(columns.types()) == sorted(columns.types())


def one(**fields: Any) -> Columns:
    columns = Columns()
    columns.set([3], [Product("P3", **fields)])
    return columns


def test_numbers_are_numbers_or_else_seconds_or_else_zero_and_one() -> None:
    keys = np.array([[3, 4], [5, 99_999]], np.int64)

    def numbers(name: str, **fields: Any) -> list[float]:
        held = one(**fields).numbers(name, keys)
        assert held.shape == (2, 2) and np.isnan(held.ravel()[1:]).all()
        return [float(held[0, 0])]

    assert numbers("price", price=0.0) == [0.0]
    assert numbers("added", added=MAY) == [MAY.timestamp()]
    assert numbers("availability", availability=True) == [1.0]
    assert numbers("availability", availability=False) == [0.0]
    assert np.isnan(numbers("brand", brand="Aro")[0])
    assert np.isnan(numbers("nobody has this")[0])


def test_codes_and_values_of_a_column_that_is_not_there() -> None:
    columns = one(brand="Aro")
    keys = np.array([3, 4, 99_999], np.int64)
    assert columns.codes("color", keys).tolist() == columns.codes("price", keys).tolist() == [0, 0, 0]
    assert columns.values("color", [0, 0]) == [(), ()]
    assert columns.values("brand", columns.codes("brand", keys).tolist()) == [("Aro",), (), ()]
    assert columns.codes("brand", keys[:0]).shape == (0,)


def test_a_replaced_product_keeps_nothing_of_what_it_was() -> None:
    columns = one(price=5.0, brand="Aro", attributes={"x": 1, "y": MAY, "z": ("a", "b"), "w": True})
    columns.set([3], [Product("P3", attributes={"x": "one", "y": 2})])
    for gone in ("price exists", "brand exists", "z exists", "w exists", "x = 1", "y = 2026-05-01"):
        assert columns.allowed(parse(gone)).count == 0, gone
    for there in ('x = "one"', "y = 2", 'id = "P3"'):
        assert columns.allowed(parse(there)).count == 1, there


def test_the_last_of_one_key_in_one_call_counts() -> None:
    columns = Columns()
    columns.set([5, 5], [Product("P5", brand="Aro", active=False), Product("P5", price=2.0)])
    assert columns.allowed(parse("price = 2 and not brand exists")).count == len(columns) == 1


def test_nothing_is_there_at_first_and_deleting_the_unknown_is_fine() -> None:
    columns = Columns()
    columns.set([], [])
    columns.delete([0, 5, 10**9])
    assert len(columns) == columns.allowed(None).count == columns.allowed(parse("not id exists")).count == 0
    assert set(columns.types()) == set(FIELDS)
    assert columns.facets(["brand"], columns.allowed(None)) == {"brand": ()}


def test_a_filter_is_evaluated_once_until_something_changes() -> None:
    columns = one(brand="Aro")
    for text in (None, 'brand = "Aro"'):
        where = None if text is None else parse(text)
        first = columns.allowed(where)
        assert columns.allowed(None if text is None else parse(text)) is first
        columns.delete([])
        columns.set([], [])
        assert columns.allowed(where) is first  # nothing changed
        columns.set([7], [Product("P7", brand="Aro")])
        second = columns.allowed(where)
        assert second.count == first.count + 1 and second is columns.allowed(where)
        columns.delete([7])
        assert columns.allowed(where).count == first.count == 1


def test_nobody_can_write_into_a_mask() -> None:
    columns = one(brand="Aro")
    for where in (None, parse('brand = "Aro"'), And(())):
        with pytest.raises(ValueError, match="read-only"):
            columns.allowed(where).mask[:] = False


def test_filters_that_python_takes_for_equal_are_told_apart() -> None:
    columns = one(availability=True, attributes={"x": 1.0})
    truth, number = Compare("x", "=", True), Compare("x", "=", 1.0)
    assert truth == number
    assert [columns.allowed(where).count for where in (truth, number, truth)] == [0, 1, 0]


def test_few_filters_are_remembered_and_none_that_is_long() -> None:
    columns = one(price=5.0)
    first = columns.allowed(compare("price", "<", 0))
    for number in range(1, MAX_FILTERS + 1):
        columns.allowed(compare("price", "<", number))
    assert columns.allowed(compare("price", "<", 0)) is not first
    long = compare("brand", "=", "x" * MAX_LETTERS)
    assert columns.allowed(long) is not columns.allowed(long)


@examples(100)
@given(steps, st.lists(filters(), min_size=1, max_size=4))
def test_remembered_filters_equal_recomputed_ones(changes: list[Step], asked: list[Filter]) -> None:
    columns = Columns()
    for number in range(len(changes)):
        action, pairs = changes[number]
        keys = [key for key, _ in pairs]
        if action == "delete":
            columns.delete(keys)
        else:
            columns.set(keys, [product for _, product in pairs])
        recomputed, _, _ = applied(changes[: number + 1])
        for where in (None, *asked, *asked):
            kept, anew = columns.allowed(where), recomputed.allowed(where)
            np.testing.assert_array_equal(np.flatnonzero(kept.mask), np.flatnonzero(anew.mask))
            assert kept.count == anew.count


def test_a_facet_shows_the_most_frequent_values() -> None:
    columns, count = Columns(), MAX_FACET_VALUES + 50
    products = [Product(str(n), attributes={"n": n // 2, "t": f"{n // 2:04}"}) for n in range(2 * count - 1)]
    columns.set(range(len(products)), products)
    facets = columns.facets(["n", "t"], columns.allowed(None))
    assert len(facets["n"]) == len(facets["t"]) == MAX_FACET_VALUES
    assert facets["t"][0] == FacetValue("0000", 2) and {v.count for v in facets["t"]} == {2}


def test_a_product_of_several_categories_counts_once_for_what_lies_above_them() -> None:
    shoes, boots, men = "Women/Shoes", "Women/Shoes/Boots", "Men/Shoes"
    columns = Columns()
    products = [Product("1", categories=(shoes, boots, "Women/New")), Product("2", categories=(boots, men)),
                Product("3", categories=("Women",)), Product("4", categories=(men,), active=False), Product("5")]  # fmt: skip
    columns.set(range(5), products)
    facets = columns.facets(["category"], columns.allowed(None))["category"]
    assert {each.value: each.count for each in facets} == {
        "Women": 3, shoes: 2, boots: 2, "Women/New": 1, "Men": 1, men: 1,
    }  # fmt: skip
    for each in facets:
        assert columns.allowed(compare("category", "prefix", each.value)).count == each.count
    assert columns.facets(["title/x"], columns.allowed(None)) == {}
    columns.set([5], [Product("6", attributes={"path": "a/b"})])
    assert columns.facets(["path"], columns.allowed(None)) == {"path": (FacetValue("a/b", 1),)}


def test_facets_of_masks_shorter_and_longer_than_the_columns() -> None:
    columns = one(brand="Aro", price=5.0, added=MAY, availability=True)
    for size, count in ((0, 0), (3, 0), (4, 1), (5000, 1)):
        facets = columns.facets(["brand", "price", "added"], Allowed(np.ones(size, bool), size))
        assert [len(values) for values in facets.values()] == [count] * 3


def test_dates_are_told_apart_to_the_microsecond() -> None:
    moments = [MAY + timedelta(microseconds=n) for n in range(-3, 4)]
    columns = Columns()
    columns.set(range(7), [Product(str(n), added=moment) for n, moment in enumerate(moments)])
    assert columns.allowed(compare("added", ">", MAY)).count == 3
    assert columns.allowed(compare("added", "=", MAY)).count == 1
    assert seconds(moments[0]) < seconds(moments[1])


# --- while another thread writes ------------------------------------------------------------------------------------


def while_writing(write: Callable[[int], None], read: Callable[[], None], rounds: int) -> None:
    """Run `rounds` of writes beside two threads that read all the time; what any of them raises is raised."""
    done = threading.Event()

    def read_on() -> None:
        while not done.is_set():
            read()

    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(read_on) for _ in range(2)]
        try:
            for number in range(rounds):
                write(number)
        finally:
            done.set()
        for reader in reading:
            reader.result()


@pytest.fixture
def switching_often() -> Any:
    """Let threads take turns every few byte codes, so that a race shows up soon."""
    import sys

    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-6)
    yield
    sys.setswitchinterval(before)


STATES: tuple[Mapping[str, Any], ...] = (
    {"price": 5.0, "brand": "A", "added": MAY, "availability": True, "categories": ("x/1", "y")},
    {"price": 50.0, "brand": "B", "added": MAY + timedelta(1), "availability": False, "categories": ("x/2",)},
)
ALWAYS = tuple(
    map(
        parse,
        [
            "price between 1 and 100",
            "price != 7",
            "not (price = 7)",
            "price not in (7, 8)",
            'brand in ("A", "B")',
            'brand != "C"',
            'brand != 7 and brand not in ("C", "D")',
            'not brand = "C" and price exists and added >= 2026-05-01',
            "availability exists and added != 2026-06-01",
            'category prefix "x"',
            'added between 2026-05-01 and 2026-05-02 or brand = "never"',
        ],
    )
)


@pytest.mark.usefixtures("switching_often")
def test_a_filter_that_holds_before_and_after_a_change_holds_while_it_is_made() -> None:
    columns = Columns()
    steady = list(range(50))
    columns.set(steady, [Product(str(key), **STATES[0]) for key in steady])
    size = 0

    def write(number: int) -> None:
        nonlocal size
        columns.set(steady, [Product(str(key), **STATES[number % 2]) for key in steady])
        # new values, new columns and new capacity, and products that come and go
        size = 1000 + 60 * number
        columns.set(
            [size],
            [Product(f"new {number}", brand=f"brand {number}", attributes={f"a{number % 40}": number})],
        )
        columns.delete([size - 60])

    def read() -> None:
        for where in ALWAYS:
            mask = columns.allowed(where).mask
            assert mask[:50].all(), where
        assert not columns.allowed(parse('brand = "C" or price = 7 or not id exists')).mask[:50].any()

    while_writing(write, read, 120)
    assert columns.live[:50].all() and len(columns) == 51


@pytest.mark.usefixtures("switching_often")
def test_reading_beside_growing_raises_nothing_and_makes_nothing_up() -> None:
    columns = Columns()
    columns.set([0], [Product("0", brand="first", price=1.0, attributes={"flag": True, "tags": ("a", "b")})])

    def write(number: int) -> None:
        key = 37 * number + 1
        attributes = {"flag": number % 2 == 0, f"new {number}": number, "tags": (f"t{number}", "b")}
        columns.set(
            [key], [Product(str(key), brand=f"b{number}", price=NUMBERS[number % 8], attributes=attributes)]
        )

    ahead = np.array([0, 1, 38, 500_000], np.int64)

    def read() -> None:
        allowed = columns.allowed(parse('tags contains "b" and brand != "x" and not `new 0` = 3'))
        assert allowed.mask[0] and allowed.count <= len(columns)
        facets = columns.facets(["brand", "price", "tags", "flag"], allowed)
        assert FacetValue("first", 1) in facets["brand"]
        assert sum(v.count for v in facets["flag"]) <= len(columns)
        assert {type(v.value) for v in facets["flag"]} <= {bool}
        numbers = columns.numbers("flag", ahead)
        assert numbers[0] == 1.0 and np.isnan(numbers[3])
        codes = columns.codes("brand", ahead)
        assert columns.values("brand", codes.tolist())[0] == ("first",)
        assert columns.types()["price"] == {float}

    while_writing(write, read, 150)
    assert len(columns) == 151


@pytest.mark.usefixtures("switching_often")
def test_what_is_remembered_beside_a_writer_is_of_the_newest_version() -> None:
    columns, asked = Columns(), [None, parse("price < 10"), parse('brand in ("A", "C")'), And(())]
    keys = list(range(40))

    def write(number: int) -> None:
        columns.set(keys, [Product(str(key), **STATES[(number + key) % 2]) for key in keys])
        if number % 3 == 0:
            columns.delete(keys[::7])
        for where in asked:  # the writer reads its own change, whatever readers remembered while it was made
            matching = [key for key in keys if where is None or holds_at(where, number, key)]
            live = [key for key in matching if number % 3 or key % 7]
            assert np.flatnonzero(columns.allowed(where).mask).tolist() == live

    def holds_at(where: Filter, number: int, key: int) -> bool:
        return matches(where, Product(str(key), **STATES[(number + key) % 2]))

    def read() -> None:
        for where in asked:
            allowed = columns.allowed(where)
            assert allowed.count == np.count_nonzero(allowed.mask)

    while_writing(write, read, 150)
