"""Random products and random filter trees, for property tests.

Values come from small stocks, so that filters meet products that satisfy them about half of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lookalike.core.filters import OPERATORS, And, Compare, Filter, Not, Or, Scalar, compare
from lookalike.core.types import Product, Value


def examples(count: int) -> settings:
    """So many examples, always the same ones, on a machine as busy as may be."""
    return settings(max_examples=count, deadline=None, derandomize=True)


WORDS = (
    "red",
    "Red",
    "blau/grün",
    "",
    "Women",
    "Women/Shoes",
    "Women/Shoes/Boots",
    "Womens",
    "2026-01-31",
    "日本 🧦",
)
NUMBERS = (-1.5, -0.0, 0.0, 1.0, 2.0, 49.99, 50.0, 1e12)
DATES = (
    datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(2026, 1, 31, tzinfo=UTC),
    datetime(2026, 1, 31, tzinfo=timezone(timedelta(hours=5))),
    datetime(2026, 1, 31, 12, 30, tzinfo=UTC),
)
ATTRIBUTES = ("color", "price", "tags", "Größe", "on sale", "a`b", "and")
"""Names of attributes; "price" is the name of a field of every product as well."""
COLUMNS = (
    *("id", "family", "price", "brand", "category", "availability", "popularity", "rating", "added"),
    *("color", "attributes.price", "tags", "Größe", "on sale", "a`b", "and"),
    *("nobody has this", "attributes.color"),
)
"""Names that filters use, two of which are nobody's."""

few_words = st.sampled_from(WORDS)
few_numbers = st.sampled_from(NUMBERS)
few_dates = st.sampled_from(DATES)
few_scalars = st.one_of(few_words, few_numbers, few_dates, st.booleans())
any_dates = st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
any_numbers = st.floats(allow_nan=False, allow_infinity=False)
any_scalars = st.one_of(st.text(max_size=8), any_numbers, any_dates, st.booleans())


def values() -> SearchStrategy[Value]:
    """What an attribute holds: every type there is, whole and broken numbers, NaN and infinity, lists with repeats."""
    return st.one_of(
        few_scalars,
        st.integers(-2, 50),
        st.sampled_from([float("nan"), float("inf"), float("-inf")]),
        st.lists(few_words, max_size=3).map(tuple),
    )


def _maybe(strategy: SearchStrategy[Value]) -> SearchStrategy[Value | None]:
    return st.one_of(st.none(), strategy)


def products() -> SearchStrategy[Product]:
    """Products with holes, and attributes of no fixed type."""
    return st.builds(
        Product,
        id=st.sampled_from([f"P{number}" for number in range(9)]),
        family=_maybe(st.sampled_from(["F1", "F2"])),
        price=_maybe(few_numbers),
        brand=_maybe(few_words),
        categories=st.lists(few_words, max_size=2).map(tuple),
        attributes=st.dictionaries(st.sampled_from(ATTRIBUTES), values(), max_size=5),
        availability=_maybe(st.booleans()),
        popularity=_maybe(few_numbers),
        rating=_maybe(few_numbers),
        conversion_rate=_maybe(few_numbers),
        added=_maybe(few_dates),
        active=st.sampled_from([True, True, True, False]),
    )


@st.composite
def comparisons(
    draw: st.DrawFn, names: SearchStrategy[str], scalars: SearchStrategy[Scalar] = few_scalars
) -> Compare:
    """Comparisons with every row of OPERATORS, with operands of the kind the row takes."""
    operator = draw(st.sampled_from(list(OPERATORS.values())))
    ordered = scalars.filter(lambda scalar: not isinstance(scalar, bool))
    match operator.operand:
        case "none":
            operand: object = None
        case "list":
            operand = _of_one_type(draw(st.lists(scalars, max_size=3)))
        case "pair":
            low = draw(ordered)
            operand = (low, draw(ordered.filter(lambda scalar: type(scalar) is type(low))))
        case "text":
            operand = draw(scalars.filter(lambda scalar: isinstance(scalar, str)))
        case "ordered":
            operand = draw(ordered)
        case "scalar":
            operand = draw(scalars)
        case kind:
            raise AssertionError(f"no strategy makes operands of the kind {kind!r}")
    return compare(draw(names), operator.name, operand)


def _of_one_type(scalars: Sequence[Scalar]) -> tuple[Scalar, ...]:
    return tuple(scalar for scalar in scalars if type(scalar) is type(scalars[0]))


def filters(
    names: SearchStrategy[str] | None = None, scalars: SearchStrategy[Scalar] = few_scalars, least: int = 0
) -> SearchStrategy[Filter]:
    """Filter trees; every `and` and `or` has at least `least` members."""
    leaves = comparisons(st.sampled_from(COLUMNS) if names is None else names, scalars)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=least, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=least, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )
