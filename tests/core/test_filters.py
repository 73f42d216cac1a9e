"""What each operator means, on fields that are there, missing, lists or of another type; and the JSON form."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import FilterError
from lookalike.core.filter_json import from_json, to_json
from lookalike.core.filters import (
    FIELDS,
    MAX_DEPTH,
    NEGATED,
    OPERATORS,
    And,
    Compare,
    Filter,
    Not,
    Or,
    bind,
    compare,
    field_value,
    fields_of,
    matches,
    parse_date,
    scalars,
)
from lookalike.core.types import Product, Value
from strategies import any_scalars, examples, filters, products

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
SIZES = ("S", "M", "L")

CASES: dict[str, list[tuple[Value, object, bool]]] = {
    "=": [
        *[(5, 5, True), (5.0, 5, True), (5, 6, False), (0, 0, True), (0.0, -0.0, True)],
        *[("red", "red", True), ("red", "Red", False), ("", "", True)],
        *[(True, True, True), (True, False, False), (MAY, MAY, True), (MAY, JUNE, False)],
        *[(SIZES, "M", True), (SIZES, "XL", False)],
    ],
    "!=": [
        *[(5, 6, True), (5, 5, False), ("red", "blue", True), ("red", "red", False)],
        *[(False, True, True), (MAY, MAY, False), (SIZES, "XL", True), (SIZES, "M", False)],
    ],
    "<": [
        *[(5, 6, True), (5, 5, False), (-1, 0, True), ("a", "b", True), ("b", "a", False)],
        *[(MAY, JUNE, True), (MAY, MAY, False), (SIZES, "M", True), (SIZES, "A", False)],
    ],
    "<=": [(5, 5, True), (5.01, 5, False), ("a", "a", True), (JUNE, MAY, False), (SIZES, "L", True)],
    ">": [(6, 5, True), (5, 5, False), ("b", "a", True), (JUNE, MAY, True), (SIZES, "S", False)],
    ">=": [(5, 5, True), (4.99, 5, False), (0, 0, True), (MAY, MAY, True), (SIZES, "S", True)],
    "in": [
        *[(5, [4, 5], True), (5, [4, 6], False), (5, [], False), ("red", ("blue", "red"), True)],
        *[(True, [True], True), (MAY, [MAY, JUNE], True), (SIZES, ["XL", "L"], True), (SIZES, ["XL"], False)],
    ],
    "not in": [
        *[(5, [4, 6], True), (5, [4, 5], False), (5, [], True), ("red", ["blue"], True)],
        *[(SIZES, ["XL"], True), (SIZES, ["XL", "M"], False), (MAY, [JUNE], True)],
    ],
    "between": [
        *[
            (5, (5, 6), True),
            (6, (5, 6), True),
            (4.9, (5, 6), False),
            (6.1, (5, 6), False),
            (5, (6, 4), False),
        ],
        *[(0, (0, 10), True), ("b", ("a", "c"), True), (MAY, (MAY, JUNE), True), (SIZES, ("N", "R"), False)],
        # some one element must lie between the ends, not one above the lower and another below the upper
        *[(("A", "Z"), ("M", "N"), False), (SIZES, ("M", "M"), True)],
    ],
    "contains": [
        (SIZES, "M", True),
        (SIZES, "XL", False),
        ("M", "M", True),
        ("Medium", "M", False),
        (5, 5, True),
    ],
    "prefix": [
        *[("Women", "Women", True), ("Women/Shoes", "Women", True), ("Womens", "Women", False)],
        *[
            ("Women", "Women/Shoes", False),
            ("Women/Shoes", "Women/", True),
            ("Women/Sho", "Women/Shoes", False),
        ],
        *[(("Men", "Women/Shoes"), "Women", True), (("Men", "Kids"), "Women", False), ("Women", "", False)],
    ],
    "exists": [
        (0, None, True),
        ("", None, True),
        (False, None, True),
        (MAY, None, True),
        (SIZES, None, True),
    ],
}
NOTHING: tuple[Value | None, ...] = (None, (), float("nan"))
OPERANDS: dict[str, list[Any]] = {
    "scalar": [5, "red", True, MAY],
    "ordered": [5, "red", MAY],
    "list": [[5], ["red"], [True], [MAY], []],
    "pair": [(0, 5), ("a", "z"), (MAY, JUNE)],
    "text": ["red"],
    "none": [None],
}


def having(value: Value | None) -> Product:
    return Product("P1", attributes={} if value is None else {"x": value})


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_means_what_its_cases_say(operator: str) -> None:
    assert {expected for _, _, expected in CASES[operator]} >= {True}, "a row without a case that holds"
    for value, operand, expected in CASES[operator]:
        asked = compare("x", operator, operand)
        assert matches(asked, having(value)) is expected, f"{value!r} {operator} {operand!r}"
        assert matches(Not(asked), having(value)) is not expected


def test_no_case_is_left_of_an_operator_that_is_gone() -> None:
    assert CASES.keys() == OPERATORS.keys()
    assert {row.operand for row in OPERATORS.values()} <= OPERANDS.keys()
    assert all(row.words for row in OPERATORS.values())


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("value", NOTHING, ids=["no attribute", "empty list", "NaN"])
def test_a_missing_field_satisfies_no_comparison_and_its_complement_holds(
    operator: str, value: Value | None
) -> None:
    for operand in OPERANDS[OPERATORS[operator].operand]:
        asked = compare("x", operator, operand)
        assert not matches(asked, having(value))
        assert matches(Not(asked), having(value))
        assert not matches(Not(Not(asked)), having(value))


@pytest.mark.parametrize("operator", [o for o in OPERATORS if OPERATORS[o].operand != "none"])
@pytest.mark.parametrize("value", [5, "red", True, False, 1.0, MAY, ("red", "5")], ids=repr)
def test_a_value_of_another_type_is_no_error_and_is_something_else(operator: str, value: Value) -> None:
    held = {type(scalar) for scalar in scalars(value)}
    for operand in OPERANDS[OPERATORS[operator].operand]:
        asked = compare("x", operator, operand)
        first = asked.operand[0] if isinstance(asked.operand, tuple) and asked.operand else asked.operand
        if type(first) not in held:
            assert matches(asked, having(value)) is (operator in NEGATED), f"{value!r} {operator} {operand!r}"


def test_true_is_not_one() -> None:
    assert not matches(compare("x", "=", 1), having(True))
    assert not matches(compare("x", "=", True), having(1))
    assert not matches(compare("x", "in", [True]), having(1.0))
    assert not matches(compare("x", "<", 1), having(False))


def test_and_or_not_and_the_empty_ones() -> None:
    yes, no, product = compare("id", "=", "P1"), compare("id", "=", "P2"), having(None)
    assert matches(And((yes, yes)), product) and not matches(And((yes, no)), product)
    assert matches(Or((no, yes)), product) and not matches(Or((no, no)), product)
    assert matches(And(()), product) and not matches(Or(()), product)


@examples(100)
@given(filters(), filters(), products())
def test_the_laws_of_logic_hold_with_holes(a: Filter, b: Filter, product: Product) -> None:
    assert matches(Not(a), product) is not matches(a, product)
    assert matches(Not(And((a, b))), product) is matches(Or((Not(a), Not(b))), product)
    assert matches(Or((a, Not(a))), product) and not matches(And((a, Not(a))), product)


def test_every_field_reads_from_the_product() -> None:
    whole = Product(
        *("P1", "F1", "a title", "a text", 9.5, "EUR", "Aro", ("Women/Shoes", "Sale")),
        *({}, (), False, 7.0, 4.5, 0.02, MAY),
    )
    held = {name: field_value(whole, name) for name in FIELDS}
    assert held == {
        **{"id": "P1", "family": "F1", "price": 9.5, "currency": "EUR", "brand": "Aro"},
        **{"category": ("Women/Shoes", "Sale"), "availability": False, "popularity": 7.0, "rating": 4.5},
        **{"conversion_rate": 0.02, "added": MAY},
    }
    bare = Product("P1")
    assert {name for name in FIELDS if field_value(bare, name) is not None} == {"id"}


def test_an_attribute_that_shares_its_name_with_a_field_is_reached_by_its_long_name() -> None:
    product = Product("P1", price=5.0, attributes={"price": "on request", "color": "red"})
    assert matches(compare("price", "=", 5), product)
    assert matches(compare("attributes.price", "=", "on request"), product)
    assert not matches(compare("attributes.price", "exists"), Product("P1", price=5.0))
    assert matches(compare("color", "=", "red"), product)
    # one name per column: the columns, facets and the list of names in errors know no other
    assert not matches(compare("attributes.color", "exists"), product)


def test_dates_compare_as_moments_wherever_they_were_written() -> None:
    east = timezone(timedelta(hours=5))
    assert matches(compare("added", "=", datetime(2026, 5, 1, 5, tzinfo=east)), Product("a", added=MAY))
    assert matches(compare("added", "=", date(2026, 5, 1)), Product("a", added=MAY))
    assert matches(compare("added", "=", datetime(2026, 5, 1)), Product("a", added=MAY))  # UTC without a zone
    assert not matches(compare("added", ">", datetime(2026, 5, 1, 4, tzinfo=UTC)), Product("a", added=MAY))
    assert compare("added", "<", datetime(2026, 5, 1, 5, tzinfo=east)).operand == MAY


def test_fields_of_names_every_column_once() -> None:
    tree = And((compare("a", "=", 1), Or((compare("b", "exists"), Not(compare("a", "in", [2]))))))
    assert fields_of(tree) == {"a", "b"}
    assert fields_of(And(())) == frozenset()


# --- building -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "operand", "message"),
    [
        ("~", 1, "no operator '~'"),
        ("=", None, "a filter cannot compare with None"),
        ("=", object, "a filter cannot compare with <class 'object'>"),
        ("=", {"a": 1}, "a filter cannot compare with {'a': 1}"),
        ("=", float("nan"), "a filter cannot compare with NaN or infinity"),
        ("<", float("inf"), "a filter cannot compare with NaN or infinity"),
        pytest.param(
            "<", -(10**400), "a filter cannot compare with NaN or infinity", id="a huge whole number"
        ),
        ("in", [1, float("nan")], "a filter cannot compare with NaN or infinity"),
        ("<", True, "'<' cannot order true and false"),
        ("prefix", 5, "'prefix' takes a string, not 5"),
        ("in", "red", "'in' takes a list, not 'red'"),
        ("not in", 5, "'not in' takes a list, not 5"),
        ("in", [1, "red"], "the values of 'in' are of several types: (1.0, 'red')"),
        ("in", [1, True], "the values of 'in' are of several types: (1.0, True)"),
        ("in", [[1]], "a filter cannot compare with [1]"),
        ("between", [1], "'between' takes two numbers, strings or dates"),
        ("between", [1, 2, 3], "'between' takes two numbers, strings or dates"),
        ("between", [True, False], "'between' takes two numbers, strings or dates"),
        ("between", [1, "2"], "the values of 'between' are of several types: (1.0, '2')"),
        ("between", [], "'between' takes two numbers, strings or dates"),
    ],
)
def test_an_operand_that_does_not_fit_is_refused(operator: str, operand: object, message: str) -> None:
    with pytest.raises(FilterError) as error:
        compare("x", operator, operand)
    assert str(error.value) == message
    assert error.value.hint and error.value.position is None and error.value.code == "filter"


def test_bind_refuses_columns_and_types_that_are_not_there() -> None:
    columns = {"price": frozenset([float]), "color": frozenset([str, bool]), "brand": frozenset([str])}
    fine = And(
        (compare("price", "<", 5), Not(compare("color", "=", True)), Or((compare("brand", "in", []),)))
    )
    assert bind(fine, columns) == fine
    with pytest.raises(FilterError, match="no column 'colour'") as error:
        bind(Or((Not(And((compare("colour", "=", "red"),))),)), columns)
    assert error.value.hint == "Did you mean color? Columns: brand, color, price."
    with pytest.raises(FilterError, match=r"(?m)^color holds text and true/false, not numbers$") as error:
        bind(compare("color", "<", 5), columns)
    assert error.value.hint == "You gave 5.0. Text stands in quotes."
    with pytest.raises(FilterError, match=r"(?m)^price holds numbers, not text$"):
        bind(compare("price", "in", ["5"]), columns)


def test_bind_lets_a_column_without_values_be_compared_with_anything() -> None:
    columns: dict[str, frozenset[type]] = {"rating": frozenset()}
    assert bind(compare("rating", "=", "good"), columns) == compare("rating", "=", "good")


@pytest.mark.parametrize(
    ("operator", "operand", "bound"),
    [
        (">=", "2026-05-01", MAY),
        ("=", "2026-05-01T02:00:00+02:00", MAY),
        ("between", ["2026-05-01", "2026-06-01"], (MAY, JUNE)),
        ("in", ["2026-05-01"], (MAY,)),
        ("exists", None, None),
    ],
)
def test_bind_reads_texts_as_dates_where_a_column_holds_only_dates(
    operator: str, operand: object, bound: object
) -> None:
    asked = bind(compare("added", operator, operand), {"added": frozenset([datetime])})
    assert asked == Compare("added", operator, bound)  # type: ignore[arg-type]
    assert matches(asked, Product("a", added=MAY))


def test_bind_keeps_a_text_beside_dates_and_refuses_paths_and_texts_that_are_no_dates() -> None:
    both = {"added": frozenset([datetime, str])}
    assert bind(compare("added", "=", "soon"), both) == compare("added", "=", "soon")
    with pytest.raises(FilterError, match=r"(?m)^'soon' is not a date$"):
        bind(compare("added", "<", "soon"), {"added": frozenset([datetime])})
    with pytest.raises(FilterError, match=r"(?m)^added holds dates, not text$"):
        bind(compare("added", "prefix", "2026-05-01"), {"added": frozenset([datetime])})


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-05-01", MAY),
        ("2026-05-01T00:00", MAY),
        ("2026-05-01 00:00:00", MAY),
        ("2026-05-01T02:00:00+02:00", MAY),
        ("2026-05-01T00:00:00Z", MAY),
        ("2026-05-01T00:00:00.000001Z", MAY.replace(microsecond=1)),
    ],
)
def test_dates_are_read_in_utc(text: str, read: datetime) -> None:
    assert parse_date(text) == read
    assert parse_date(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "2026-02-30", "1.5.2026", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(FilterError) as error:
        parse_date(text)
    assert error.value.hint


# --- JSON form ------------------------------------------------------------------------------------------------------


@examples(150)
@given(filters(st.text(min_size=1, max_size=6), any_scalars))
def test_json_reads_back_to_an_equal_tree(tree: Filter) -> None:
    written = json.dumps(to_json(tree))
    assert from_json(json.loads(written)) == tree


def test_the_json_form_is_the_documented_one() -> None:
    tree = And(
        (compare("added", ">=", MAY), Not(Or((compare("brand", "in", ["A"]), compare("x", "exists")))))
    )
    assert to_json(tree) == {
        "and": [
            {"field": "added", "op": ">=", "value": {"$date": "2026-05-01T00:00:00+00:00"}},
            {"not": {"or": [{"field": "brand", "op": "in", "value": ["A"]}, {"field": "x", "op": "exists"}]}},
        ]
    }
    assert from_json({"field": "price", "op": "between", "value": [0, 5]}) == compare(
        "price", "between", (0, 5)
    )


NOT_FILTERS: list[tuple[object, str]] = [
    (None, "not a filter: None"),
    ([], "not a filter: []"),
    ("price < 5", "not a filter: 'price < 5'"),
    ({}, "not a filter: {}"),
    ({"xor": []}, "not a filter: {'xor': []}"),
    ({"and": {}}, "not a filter: {'and': {}}"),
    ({"and": [], "or": []}, "not a filter: {'and': [], 'or': []}"),
    ({"and": [5]}, "not a filter: 5"),
    ({"not": []}, "not a filter: []"),
    ({"field": "price"}, "not a filter: {'field': 'price'}"),
    ({"field": 5, "op": "="}, "not a filter: {'field': 5, 'op': '='}"),
    (
        {"field": "a", "op": "=", "value": 1, "more": 2},
        "not a filter: {'field': 'a', 'more': 2, 'op': '=', 'value': 1}",
    ),
    ({"field": "a", "op": "like", "value": 1}, "no operator 'like'"),
    ({"field": "a", "op": "="}, "a filter cannot compare with None"),
    ({"field": "a", "op": "=", "value": {"$date": "soon"}}, "'soon' is not a date"),
    ({"field": "a", "op": "=", "value": {"$date": 5}}, "a filter cannot compare with {'$date': 5}"),
    ({"field": "a", "op": "=", "value": {"$day": "x"}}, "a filter cannot compare with {'$day': 'x'}"),
    ({"field": "a", "op": "in", "value": [[[[1]]]]}, "a filter cannot compare with [[[1]]]"),
    ({"field": "a", "op": "=", "value": json.loads("NaN")}, "a filter cannot compare with NaN or infinity"),
    ({"field": "a", "op": "=", "value": 10**400}, "a filter cannot compare with NaN or infinity"),
]


@pytest.mark.parametrize(("tree", "message"), NOT_FILTERS, ids=[message for _, message in NOT_FILTERS])
def test_json_that_is_no_filter_names_the_node(tree: object, message: str) -> None:
    with pytest.raises(FilterError) as error:
        from_json(tree)
    assert str(error.value) == message
    assert error.value.hint


def nested(depth: int, leaf: object) -> object:
    tree = leaf
    for level in range(depth):
        tree = ({"not": tree}, {"and": [tree]}, {"or": [tree]})[level % 3]
    return tree


def test_json_nests_only_so_deep() -> None:
    leaf = {"field": "a", "op": "exists"}
    assert fields_of(from_json(nested(MAX_DEPTH, leaf))) == {"a"}
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(FilterError, match=f"(?m)^filters nested deeper than {MAX_DEPTH}$"):
            from_json(nested(depth, leaf))


def test_a_deep_heap_of_anything_else_is_an_error_of_one_line() -> None:
    heap: object = 1
    for _ in range(100_000):
        heap = [heap]
    for tree in (
        {"xor": heap},
        {"field": "a", "op": "=", "value": heap},
        {"field": "a", "op": "in", "value": heap},
    ):
        with pytest.raises(FilterError) as error:
            from_json(tree)
        assert len(str(error.value)) < 200
