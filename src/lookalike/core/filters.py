"""Filters: one tree, and what it means.

The text form for people is in `core.filter_text`, the JSON form for programs in `core.filter_json`. What a filter means is
defined here once, by `matches`, on single products; everything faster (columns, push-down compilers) must agree with it.

A field's value is read as a set of scalars: a list is its elements, anything else is itself alone, a missing field is the
empty set. A comparison holds if *some* scalar of the field satisfies it, so a missing field satisfies none, and
`not` is a plain complement. Values of another type than the operand do not satisfy a comparison; they are not errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from reprlib import repr as short_repr
from sys import float_info
from typing import Any

from lookalike.core.errors import FilterError
from lookalike.core.types import Product, Value

Scalar = bool | float | str | datetime
Operand = Scalar | tuple[Scalar, ...] | None

FIELDS: Mapping[str, Callable[[Product], Value | None]] = {
    "id": lambda p: p.id,
    "family": lambda p: p.family,
    "price": lambda p: p.price,
    "currency": lambda p: p.currency,
    "brand": lambda p: p.brand,
    "category": lambda p: p.categories or None,
    "availability": lambda p: p.availability,
    "popularity": lambda p: p.popularity,
    "rating": lambda p: p.rating,
    "conversion_rate": lambda p: p.conversion_rate,
    "added": lambda p: p.added,
}
"""Product fields a filter can name; every attribute is a field as well, `attributes.NAME` where a name is taken."""

PATH_SEPARATOR = "/"
MAX_DEPTH = 64
"""How deep a filter may nest, in either form."""


def field_value(product: Product, name: str) -> Value | None:
    """Return what a product holds in a filterable field, None if nothing."""
    if name in FIELDS:
        return FIELDS[name](product)
    held, bare = product.attributes, name.removeprefix("attributes.")
    return held.get(bare, held.get(name)) if bare in FIELDS else held.get(name)


def scalars(value: Value | None) -> tuple[Scalar, ...]:
    """Read a field's value as its set of scalars; numbers become floats, and NaN is a missing one."""
    if value is None or value != value:
        return ()
    if isinstance(value, tuple):
        return value
    return (to_scalar(value),)


def to_scalar(value: object) -> Scalar:
    """Bring an operand or value to the four scalar types: bool, float, str, or datetime in UTC."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise FilterError(
        f"a filter cannot compare with {short_repr(value)}",
        hint="Use a number, a string, true, false or a date.",
    )


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise FilterError(f"{time} lies outside the years 1 to 9999", hint="Write it in UTC.") from None


# --- the tree -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator operand`; `operator` is the name of a row of OPERATORS."""

    field: str
    operator: str
    operand: Operand = None


@dataclass(frozen=True, slots=True)
class And:
    """All of them hold; the empty one always does."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one holds; the empty one never does."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The plain complement."""

    filter: Filter


Filter = Compare | And | Or | Not


# --- operators ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison. `holds(scalar, operand)` is only called with scalars of the operand's own type.

    `operand` is "scalar", "ordered" (no bool), "list", "pair", "text" or "none".
    """

    name: str
    words: str
    operand: str
    holds: Callable[[Any, Any], bool]


def _prefix(value: str, path: str) -> bool:
    path = path.rstrip(PATH_SEPARATOR)
    return value == path or value.startswith(path + PATH_SEPARATOR)


OPERATORS: Mapping[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("=", "is", "scalar", lambda v, x: v == x),
        Operator("!=", "is something else than", "scalar", lambda v, x: v != x),
        Operator("<", "less than", "ordered", lambda v, x: v < x),
        Operator("<=", "at most", "ordered", lambda v, x: v <= x),
        Operator(">", "more than", "ordered", lambda v, x: v > x),
        Operator(">=", "at least", "ordered", lambda v, x: v >= x),
        Operator("in", "is one of", "list", lambda v, x: v in x),
        Operator("not in", "is something else than", "list", lambda v, x: v not in x),
        Operator("between", "between (both ends included)", "pair", lambda v, x: x[0] <= v <= x[1]),
        Operator("contains", "has among its values", "scalar", lambda v, x: v == x),
        Operator("prefix", "is at or below the path", "text", _prefix),
        Operator("exists", "is known", "none", lambda v, x: True),
    )
}
"""A row is a feature: the parser, the columns, the compilers and the documentation loop over this table."""

NEGATED = {"!=": "=", "not in": "in"}
"""Operators that, on a field that is present, mean no scalar satisfies the other one."""


def operand_type(operand: Operand) -> type | None:
    """Return the scalar type a comparison speaks of; None for `exists` and an empty list."""
    if isinstance(operand, tuple):
        return type(operand[0]) if operand else None
    return None if operand is None else type(operand)


def matches(filter_: Filter, product: Product) -> bool:
    """Say whether a product satisfies a filter: the reference meaning."""
    match filter_:
        case And(filters):
            return all(matches(f, product) for f in filters)
        case Or(filters):
            return any(matches(f, product) for f in filters)
        case Not(inner):
            return not matches(inner, product)
        case Compare(name, operator, operand):
            return holds(operator, scalars(field_value(product, name)), operand)


def holds(operator: str, values: tuple[Scalar, ...], operand: Operand) -> bool:
    """Say whether a field with these scalars satisfies one comparison.

    `!=` and `not in` on a list mean that *no* element is among the operands, as people read them; they still need the field
    to be there.
    """
    if operator in NEGATED:
        return bool(values) and not holds(NEGATED[operator], values, operand)
    wanted = operand_type(operand)
    test = OPERATORS[operator].holds
    if operator == "exists":
        return bool(values)
    return any(type(v) is wanted and test(v, operand) for v in values)


def fields_of(filter_: Filter) -> frozenset[str]:
    """Return the names of all fields a filter speaks of."""
    match filter_:
        case And(filters) | Or(filters):
            return frozenset[str]().union(*(fields_of(f) for f in filters))
        case Not(inner):
            return fields_of(inner)
        case Compare(name, _, _):
            return frozenset([name])


# --- building and checking ------------------------------------------------------------------------------------------


def compare(field: str, operator: str, operand: object = None) -> Compare:
    """Build a comparison from plain values, or raise FilterError saying which operand the operator takes."""
    row = OPERATORS.get(operator)
    if row is None:
        raise FilterError(f"no operator {operator!r}", hint=f"Operators: {', '.join(OPERATORS)}.")
    if row.operand == "none":
        return Compare(field, operator)
    if row.operand in ("list", "pair"):
        return Compare(field, operator, _list_operand(operator, row.operand, operand))
    scalar = _to_operand(operand)
    if row.operand == "text" and not isinstance(scalar, str):
        raise FilterError(f"{operator!r} takes a string, not {operand!r}", hint='Such as "Women/Shoes".')
    if row.operand == "ordered" and isinstance(scalar, bool):
        raise FilterError(f"{operator!r} cannot order true and false", hint="Use = or !=.")
    return Compare(field, operator, scalar)


def _to_operand(value: object) -> Scalar:
    if isinstance(value, int | float) and not abs(value) <= float_info.max:
        raise FilterError("a filter cannot compare with NaN or infinity", hint="Give a number up to 1.7e308.")
    return to_scalar(value)


def _list_operand(operator: str, kind: str, operand: object) -> tuple[Scalar, ...]:
    if isinstance(operand, str) or not isinstance(operand, Iterable):
        raise FilterError(f"{operator!r} takes a list, not {operand!r}", hint="Such as (1, 2).")
    values = tuple(_to_operand(v) for v in operand)
    if len({type(v) for v in values}) > 1:
        raise FilterError(f"the values of {operator!r} are of several types: {values}", hint="Use one type.")
    if kind == "pair" and (len(values) != 2 or isinstance(values[0], bool)):
        raise FilterError(
            f"{operator!r} takes two numbers, strings or dates", hint="Such as between 10 and 20."
        )
    return values


TYPE_NAMES: Mapping[type, str] = {float: "numbers", str: "text", bool: "true/false", datetime: "dates"}


def bind(filter_: Filter, columns: Mapping[str, frozenset[type]]) -> Filter:
    """Fit a filter to the columns there are (name -> scalar types it holds), or raise FilterError.

    A column nobody knows is an error that lists those there are. A string compared with a column of dates is read as a date.
    """
    match filter_:
        case And(filters):
            return And(tuple(bind(f, columns) for f in filters))
        case Or(filters):
            return Or(tuple(bind(f, columns) for f in filters))
        case Not(inner):
            return Not(bind(inner, columns))
        case Compare(name, operator, operand):
            if name not in columns:
                raise unknown_column(name, columns)
            return Compare(name, operator, _bind_operand(name, operator, operand, columns[name]))


def _bind_operand(name: str, operator: str, operand: Operand, held: frozenset[type]) -> Operand:
    wanted = operand_type(operand)
    if wanted is None or wanted in held or not held:
        return operand
    if wanted is str and held == {datetime} and OPERATORS[operator].operand != "text":
        texts = operand if isinstance(operand, tuple) else (operand,)
        dates = tuple(parse_date(str(t)) for t in texts)
        return dates if isinstance(operand, tuple) else dates[0]
    holds_names = " and ".join(sorted(TYPE_NAMES[t] for t in held))
    remedy = (
        " Numbers, dates, true and false stand without quotes."
        if wanted is str
        else " Text stands in quotes."
    )
    raise FilterError(
        f"{name} holds {holds_names}, not {TYPE_NAMES[wanted]}", hint=f"You gave {operand!r}.{remedy}"
    )


def parse_date(text: str) -> datetime:
    """Read an ISO date or time, UTC where it names no zone, or raise FilterError."""
    try:
        return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise FilterError(f"{text!r} is not a date", hint="Write it as 2026-01-31.") from None


def unknown_column(name: str, known: Iterable[str], position: int | None = None) -> FilterError:
    """Return the error for a column that is not there, naming close matches first."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3)
    hint = (f"Did you mean {' or '.join(close)}? " if close else "") + f"Columns: {', '.join(names)}."
    return FilterError(f"no column {name!r}", hint=hint, position=position)
