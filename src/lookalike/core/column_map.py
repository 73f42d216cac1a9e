"""What was recognised: which source columns feed which product field, and how that is shown to people."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import islice
from typing import Final, Literal

from lookalike.core.errors import RowError
from lookalike.core.fields import from_json
from lookalike.core.moments import moment
from lookalike.core.types import ImageRef
from lookalike.core.values import NULL_WORDS, clean, is_missing, plain, shown

ROW_NUMBER: Final = "@row"
"""Stands for the number of the row in place of an id column: ids become row-1, row-2, ..."""
NOTHING: Final = "@none"
"""Leaves a field empty that would otherwise be recognised."""
Kind = Literal["text", "whole", "number", "comma", "flag", "moment", "list"]
"""What the text of a source without types (CSV) means, column by column."""

_DATE: Final = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d{4})(?:[T ]\d\d:\d\d.*)?")
_WHOLE: Final = re.compile(r"0|-?[1-9]\d{0,17}")  # 007 is a code, not a number
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_COMMA: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:,\d{1,2})?")  # three digits after it may be thousands
_FLAGS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def _a_moment(words: str) -> object:
    return moment(words) if _DATE.fullmatch(words) else None


def _a_number(words: str) -> object:
    return found if math.isfinite(found := float(words)) else None


def _a_list(words: str) -> object:
    found = from_json(words) if words[:1] == "[" else None
    return found if isinstance(found, list) else None


_MEANINGS: Final[Mapping[Kind, Callable[[str], object]]] = {
    "flag": _FLAGS.get,
    "whole": lambda words: int(words) if _WHOLE.fullmatch(words) else None,
    "number": lambda words: _a_number(words) if _NUMBER.fullmatch(words) else None,
    "comma": lambda words: _a_number(words.replace(",", ".")) if _COMMA.fullmatch(words) else None,
    "moment": _a_moment,
    "list": _a_list,
}


@dataclass(frozen=True)
class ColumnMap:
    """Which source columns feed which product field; every other column becomes an attribute under its own name.

    `levels` says that the columns of `categories` are the levels of one path. `currency` is the one a price column has in its
    name. `kinds` says what the attributes of a source without types are; `separators`, at what the texts of a column are split
    into lists. `examples` and `notes` are for people.
    """

    fields: Mapping[str, tuple[str, ...]]
    attributes: tuple[str, ...] = ()
    levels: bool = False
    currency: str | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    separators: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def mapped(self) -> frozenset[str]:
        """The columns that feed a field."""
        return frozenset(column for columns in self.fields.values() for column in columns)


def kind_of(cells: Sequence[object]) -> Kind:
    """Say what all these texts are; words such as "N/A" and "nan" have no say."""
    words = [clean(str(cell)) for cell in cells]
    telling = [word for word in words if word.lower() not in NULL_WORDS]
    for kind in _MEANINGS if telling else ():
        if all(_meaning(word, kind) is not None for word in telling):
            return kind
    return "text"


def _meaning(words: str, kind: Kind) -> object:
    try:
        return _MEANINGS[kind](words)
    except RowError:
        return None


def typed(value: object, kind: Kind) -> object:
    """Read a text as the kind its column has; one that does not fit stays text, one that says nothing becomes None."""
    if not isinstance(value, str):
        return value
    words = clean(value)
    if words.lower() in NULL_WORDS:
        return None
    found = _meaning(words, kind)
    return value if found is None else found


def split_at(value: object, separator: str) -> object:
    """Split a text into the list it writes; anything else stays as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(separator) if part.strip()]


def describe(column_map: ColumnMap) -> list[tuple[str, str, str]]:
    """Return what to print before work begins: (field, source columns, type and example), one row for all attributes, and one
    for those that are split into lists at the same sign.

    With two spaces around each cell, the rows fit 80 columns.
    """
    rows = [
        (name, _listed(columns, _COLUMNS_WIDTH, _between(name, column_map)), _seen(columns, column_map))
        for name, columns in column_map.fields.items()
    ]
    split = [
        (
            "lists",
            _listed(columns, _COLUMNS_WIDTH),
            f'split at "{separator}", {_first(columns[0], column_map)}',
        )
        for separator, columns in _by_separator(column_map).items()
    ]
    names = [name for name, _, _ in rows + split] + ["attributes"] * bool(column_map.attributes)
    room = _WIDTH - max(map(len, names), default=0) - max((len(of) for _, of, _ in rows + split), default=0)
    if column_map.attributes:
        rows.append(("attributes", "", _listed(column_map.attributes, room)))
    return [(name, of, _cut(what, room)) for name, of, what in rows + split]


def _by_separator(column_map: ColumnMap) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for column, separator in column_map.separators.items():
        columns.setdefault(separator, []).append(column)
    return columns


def _first(column: str, column_map: ColumnMap) -> str:
    return column_map.examples.get(column, "").removeprefix("text, ")


_WIDTH: Final = 80 - 3 * 4
_COLUMNS_WIDTH: Final = 26


def _between(name: str, column_map: ColumnMap) -> str:
    return " / " if name == "categories" and column_map.levels else ", "


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else f"{words[: width - 1].rstrip()}…"


def _listed(names: Sequence[str], width: int, between: str = ", ") -> str:
    """Join names, leaving out those that do not fit."""
    words = between.join(names)
    if len(words) <= width:
        return words
    whole, found, _ = words[: width - len(between) - 2].rpartition(between)
    return f"{whole}{between}..." if found else _cut(words, width)


def _seen(columns: tuple[str, ...], column_map: ColumnMap) -> str:
    if columns == (ROW_NUMBER,):
        return "row number, such as row-1"
    example = column_map.examples.get(columns[0], "")
    kind = column_map.kinds.get(columns[0])
    return f"{_KIND_NAMES[kind]}{example.removeprefix('text')}" if kind else example


_KIND_NAMES: Final[Mapping[Kind, str]] = {
    **{
        "text": "text",
        "whole": "whole number",
        "number": "number",
        "comma": "number",
        "flag": "yes or no",
        "moment": "date",
        "list": "list",
    }
}
_TYPE_NAMES: Final[Mapping[type, str]] = {
    **{str: "text", bool: "yes or no", int: "whole number", float: "number", dict: "object"},
    **dict.fromkeys((date, datetime), "date"),
}


def example(cells: Sequence[object]) -> str:
    """Describe a column by its first cell that holds something: its type and, cut short, its value."""
    if not cells:
        return "empty in the first rows"
    value = cells[0]
    if isinstance(value, list | tuple):
        return f"list, such as {_short(value[0])}"
    name = _TYPE_NAMES.get(type(value), type(value).__name__)
    return _short(value) if isinstance(value, bytes) else f"{name}, such as {_short(value)}"


def _short(value: object) -> str:
    words = _written(value)
    return words if len(words) <= 40 else words[:39] + "…"


def _written(value: object, depth: int = 0) -> str:
    """Write a value the way people do: 2026-01-31, or "amount: 5, currency: EUR"."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, str | ImageRef):
        words = value if isinstance(value, str) else value.ref
        return " ".join(clean(words[:200]).split())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping) and depth < 2:
        held = ((key, plain(member)) for key, member in islice(value.items(), 5))
        return ", ".join(f"{key}: {_written(of, depth + 1)}" for key, of in held if not is_missing(of))
    return shown(value)
