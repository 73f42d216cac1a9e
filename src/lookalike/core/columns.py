"""The filter and rank fields of all products, column by column, indexed by product key.

A column holds each of the four scalar types in a slot of its own, so that a field that is a number here and a word there
still filters exactly. Text (and lists of text) is dictionary-coded: an operator is evaluated once per distinct value, by its
reference meaning, and then looked up per product.

Writers take turns and never touch what a reader may hold in a way it could notice: arrays grow by being replaced, and a
cell is one machine word. What a filter lets through is remembered until the next change (`remembered`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lookalike.core.filters import (
    FIELDS,
    NEGATED,
    OPERATORS,
    PATH_SEPARATOR,
    And,
    Compare,
    Filter,
    Not,
    Operand,
    Or,
    field_value,
    holds,
    operand_type,
)
from lookalike.core.query import FacetValue
from lookalike.core.remembered import RememberedFilters
from lookalike.core.types import Allowed, Keys, Mask, Product, Value

Numbers = NDArray[np.float64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDERED = {"=": np.equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
MAX_FACET_VALUES = 200
"""How many values of a facet are counted out; the most frequent come first."""


def seconds(time: datetime) -> float:
    """Return seconds since 1970 (exact to the microsecond for the dates that shops have)."""
    return (time - _EPOCH).total_seconds()


class _Numeric:
    """float64 per key, NaN where absent; dates are held as seconds."""

    def __init__(self, capacity: int) -> None:
        self.values: Numbers = np.full(capacity, np.nan)

    def grow(self, capacity: int) -> None:
        self.values = np.append(self.values, np.full(capacity - len(self.values), np.nan))

    def mask(self, operator: str, operand: Any) -> Mask:
        values = self.values
        if operator == "exists":
            return ~np.isnan(values)
        if operator in NEGATED:
            values = values.copy()  # two looks at a cell must see one value
            return ~np.isnan(values) & ~np.isin(values, operand)
        if operator == "in":
            return np.isin(values, np.asarray(operand, dtype=np.float64))
        if operator == "between":
            values = values.copy()
            return cast(Mask, (values >= operand[0]) & (values <= operand[1]))
        return cast(Mask, _ORDERED["=" if operator == "contains" else operator](values, operand))


class _Coded:
    """int32 code per key into a dictionary of values (a value is the field's tuple of scalars); 0 is absent."""

    def __init__(self, capacity: int) -> None:
        self.codes = np.zeros(capacity, np.int32)
        self.values: list[tuple[Any, ...]] = [()]
        self.code_of: dict[tuple[Any, ...], int] = {(): 0}
        self.longer: list[int] = []  # codes of values with more than one scalar
        self.types: frozenset[type] = frozenset()

    def grow(self, capacity: int) -> None:
        self.codes = np.append(self.codes, np.zeros(capacity - len(self.codes), np.int32))

    def code(self, value: tuple[Any, ...]) -> int:
        code = self.code_of.get(value)
        if code is None:
            code = len(self.values)
            self.values.append(value)
            self.code_of[value] = code
            self.types |= {type(scalar) for scalar in value}
            if len(value) > 1:
                self.longer.append(code)
        return code

    def mask(self, operator: str, operand: Any) -> Mask:
        codes = self.codes.copy()  # before the values are read: a writer may add some meanwhile
        if operator in NEGATED:
            return (codes > 0) & ~self._table(NEGATED[operator], operand)[codes]
        return self._table(operator, operand)[codes]

    def _table(self, operator: str, operand: Any) -> Mask:
        """Say for each code whether its value satisfies a comparison: bool [codes]."""
        table = np.zeros(len(self.values), bool)
        for code in self._worth_testing(operator, operand, len(table)):
            table[code] = holds(operator, self.values[code], operand)
        return table

    def _worth_testing(self, operator: str, operand: Any, size: int) -> Iterable[int]:
        """Equality needs no look at every distinct value, which matters for a column such as `id`."""
        if operator not in ("=", "in", "contains"):
            return range(1, size)
        wanted = operand if operator == "in" else (operand,)
        codes = [code for scalar in wanted if (code := self.code_of.get((scalar,)))] + self.longer
        return [code for code in codes if code < size]


class Column:
    """One field of all products."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.numbers: _Numeric | None = None
        self.dates: _Numeric | None = None
        self.coded: _Coded | None = None  # text, lists of text, and true/false

    def grow(self, capacity: int) -> None:
        for slot in (self.numbers, self.dates, self.coded):
            if slot is not None:
                slot.grow(capacity)
        self.capacity = capacity  # last: a reader takes every slot to be at least so long

    def set(self, keys: Keys, values: Sequence[Value | None]) -> None:
        """Put products' values in the slot of each one's type and empty the others."""
        numbers = np.array([_number(v) for v in values])
        dates = np.array([seconds(v) if isinstance(v, datetime) else np.nan for v in values])
        words = [v if isinstance(v, tuple) else (v,) if isinstance(v, str | bool) else () for v in values]
        if self.numbers is None and not np.isnan(numbers).all():
            self.numbers = _Numeric(self.capacity)
        if self.dates is None and not np.isnan(dates).all():
            self.dates = _Numeric(self.capacity)
        if self.coded is None and any(words):
            self.coded = _Coded(self.capacity)
        if self.numbers is not None:
            self.numbers.values[keys] = numbers
        if self.dates is not None:
            self.dates.values[keys] = dates
        if self.coded is not None:
            self.coded.codes[keys] = [self.coded.code(w) for w in words]

    def types(self) -> frozenset[type]:
        """Return the scalar types the column holds."""
        found: set[type] = set()
        if self.numbers is not None:
            found.add(float)
        if self.dates is not None:
            found.add(datetime)
        if self.coded is not None:
            found |= self.coded.types
        return frozenset(found)

    def mask(self, operator: str, operand: Operand) -> Mask:
        """Evaluate one comparison for every key: bool [capacity]."""
        result = np.zeros(self.capacity, bool)
        wanted = operand_type(operand)
        for slot, held in ((self.numbers, (float,)), (self.dates, (datetime,)), (self.coded, (str, bool))):
            if slot is None:
                continue
            if wanted in held:
                result |= slot.mask(operator, _in_seconds(operand))[: len(result)]
            elif operator in NEGATED or operator == "exists":  # of another type, it is something else
                result |= slot.mask("exists", None)[: len(result)]
        return result

    def counts(self, mask: Mask, *, paths: bool = False) -> list[FacetValue]:
        """Count the values among the masked products, most frequent first; a list counts for each of its elements.

        If they are `paths`, what lies above one is counted as well, each product once: for a value, as many as `prefix` finds.
        """
        tally: Counter[tuple[type, Any]] = Counter()  # by type as well: True equals 1.0
        keys = np.flatnonzero(mask[: self.capacity])
        if self.coded is not None:
            per_code = np.bincount(self.coded.codes[keys])
            for code in np.flatnonzero(per_code):
                for scalar in dict.fromkeys(_with_above(self.coded.values[code], paths=paths)):
                    tally[type(scalar), scalar] += int(per_code[code])
        for slot, show in ((self.numbers, float), (self.dates, _day)):
            if slot is not None:
                held = slot.values[keys]
                for number, count in zip(*np.unique(held[~np.isnan(held)], return_counts=True), strict=True):
                    shown = show(number)
                    tally[type(shown), shown] += int(count)
        ranked = sorted(tally.items(), key=lambda item: (-item[1], str(item[0][1])))
        return [FacetValue(value, count) for (_, value), count in ranked[:MAX_FACET_VALUES]]


def _with_above(scalars: tuple[Any, ...], *, paths: bool) -> Iterator[Any]:
    for scalar in scalars:
        yield from _steps(scalar) if paths and isinstance(scalar, str) else (scalar,)


@lru_cache(maxsize=8192)  # of few categories, again and again
def _steps(path: str) -> tuple[str, ...]:
    """Return a path and all above it: A/B/C, A, A/B."""
    above = (path[:at] for at, letter in enumerate(path) if letter == PATH_SEPARATOR)
    return path, *(step for step in above if step)


def _day(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).date().isoformat()


def _in_seconds(operand: Operand) -> Any:
    if isinstance(operand, tuple):
        return tuple(_in_seconds(v) for v in operand)
    return seconds(operand) if isinstance(operand, datetime) else operand


class Columns:
    """All columns of a catalogue, and which keys are products that may be found."""

    def __init__(self) -> None:
        self._capacity = 1024
        self._columns: dict[str, Column] = {}
        self._live = np.zeros(self._capacity, bool)
        self._remembered = RememberedFilters()
        for name in FIELDS:
            self._columns[name] = Column(self._capacity)
        self._types = self._types_now()

    def __len__(self) -> int:
        """Count the products that may be found."""
        return int(self._live.sum())

    @property
    def live(self) -> Mask:
        """bool [capacity] by key: which products are there and active."""
        return self._live

    def live_among(self, keys: Sequence[int]) -> list[bool]:
        """Return which of these products may be found."""
        live = self._live
        return [key < len(live) and bool(live[key]) for key in keys]

    def types(self) -> Mapping[str, frozenset[type]]:
        """Return the columns there are, by name, and the scalar types each holds; what is returned never changes.

        Each search asks for it several times, so it is put together by whoever changes a column.
        """
        return self._types

    def _types_now(self) -> Mapping[str, frozenset[type]]:
        return MappingProxyType({name: self._columns[name].types() for name in sorted(self._columns)})

    def set(self, keys: Sequence[int], products: Sequence[Product]) -> None:
        """Insert or replace the fields of products."""
        if not keys:
            return
        at = np.asarray(keys, np.int64)
        attributes = {name for product in products for name in product.attributes}
        with self._remembered.changing():
            if at.max() >= self._capacity:
                self._grow(max(int(at.max()) + 1, self._capacity * 2))
            for name in attributes:
                self._columns.setdefault(_column_name(name), Column(self._capacity))
            for name, column in self._columns.items():
                column.set(at, [field_value(product, name) for product in products])
            self._types = self._types_now()
            self._live[at] = [product.active for product in products]

    def delete(self, keys: Iterable[int]) -> None:
        """Make these products unfindable."""
        keys = list(keys)
        if not keys:
            return
        with self._remembered.changing():
            for key in keys:
                if key < self._capacity:
                    self._live[key] = False

    def allowed(self, where: Filter | None) -> Allowed:
        """Evaluate a filter over the findable products.

        Until the next change an equal filter gets the same object, whose mask nobody may write into; NumPy refuses that.
        """
        return self._remembered.of(where, self._evaluated)

    def _evaluated(self, where: Filter | None) -> Allowed:
        live = self._live
        if where is None:
            mask = live.copy()
        else:
            mask = self.mask(where)
            size = min(len(mask), len(live))
            mask = mask[:size] & live[:size]
        mask.flags.writeable = False
        return Allowed(mask, int(np.count_nonzero(mask)))

    def mask(self, where: Filter) -> Mask:
        """Evaluate a filter for every key, findable or not: bool [capacity]."""
        match where:
            case And(filters):
                return _fold(np.logical_and, [self.mask(f) for f in filters], self._capacity, empty=True)
            case Or(filters):
                return _fold(np.logical_or, [self.mask(f) for f in filters], self._capacity, empty=False)
            case Not(inner):
                return ~self.mask(inner)
            case Compare(name, operator, operand):
                column = self._columns.get(name)
                if column is None:
                    return np.zeros(self._capacity, bool)
                return column.mask(operator, operand)

    def numbers(self, name: str, keys: Keys) -> Numbers:
        """Return a column for these keys, float64 [n]: its numbers, or if it never held one its dates in seconds since 1970,
        or else its booleans as 0 and 1; NaN where absent."""
        column = self._columns.get(name)
        if column is None:
            return np.full(keys.shape, np.nan)
        for slot in (column.numbers, column.dates):
            if slot is not None:
                return _look_up(slot.values, keys, np.nan)
        if column.coded is None:
            return np.full(keys.shape, np.nan)
        codes = _look_up(column.coded.codes, keys, 0)  # before the values are read: a writer may add some
        as_number = np.array(
            [float(v[0]) if v and isinstance(v[0], bool) else np.nan for v in column.coded.values]
        )
        return cast(Numbers, as_number[codes])

    def codes(self, name: str, keys: Keys) -> NDArray[np.int32]:
        """Return one small number per distinct text of a column for these keys, int32 [n], 0 where absent."""
        column = self._columns.get(name)
        if column is None or column.coded is None:
            return np.zeros(keys.shape, np.int32)
        return _look_up(column.coded.codes, keys, 0)

    def values(self, name: str, codes: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return what `codes` stand for."""
        column = self._columns.get(name)
        if column is None or column.coded is None:
            return [() for _ in codes]
        return [column.coded.values[code] for code in codes]

    def occurs(self, where: Filter) -> bool:
        """Say whether any findable product satisfies a filter, which is not remembered."""
        mask, live = self.mask(where), self._live
        size = min(len(mask), len(live))
        return bool(np.any(mask[:size] & live[:size]))

    def texts(self, name: str, at_most: int) -> list[str]:
        """Return the distinct texts of a column, also of products that are gone; [] if it holds more than `at_most` values."""
        column = self._columns.get(name)
        if column is None or column.coded is None or len(column.coded.values) > at_most:
            return []
        scalars = (scalar for value in [*column.coded.values] for scalar in value)
        return list(dict.fromkeys(scalar for scalar in scalars if isinstance(scalar, str)))

    def facets(self, names: Sequence[str], allowed: Allowed) -> Mapping[str, tuple[FacetValue, ...]]:
        """Count the values of the named columns among the allowed products; those of `category` are paths."""
        return {
            name: tuple(self._columns[name].counts(allowed.mask, paths=name == "category"))
            for name in names
            if name in self._columns
        }

    def _grow(self, capacity: int) -> None:
        for column in self._columns.values():
            column.grow(capacity)
        self._live = np.append(self._live, np.zeros(capacity - len(self._live), bool))
        self._capacity = capacity


def _column_name(attribute: str) -> str:
    # An attribute that shares its name with a field of every product keeps a column of its own.
    return f"attributes.{attribute}" if attribute in FIELDS else attribute


def _look_up(held: NDArray[Any], keys: Keys, absent: float) -> NDArray[Any]:
    """Return held[keys], `absent` for the keys beyond it: an index may know a product before the columns do."""
    inside = keys < len(held)
    if inside.all():
        return held[keys]
    found = np.full(keys.shape, absent, held.dtype)
    found[inside] = held[keys[inside]]
    return found


def _number(value: Value | None) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _fold(operation: Any, masks: Sequence[Mask], capacity: int, *, empty: bool) -> Mask:
    if not masks:
        return np.full(capacity, empty)
    size = min(len(mask) for mask in masks)  # a writer may have grown the columns between two of them
    return cast(Mask, operation.reduce([mask[:size] for mask in masks]))


assert set(_ORDERED) <= set(OPERATORS)
