"""Cells without a field of their own -> attributes of a product, of the types an attribute can have."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from lookalike.core.errors import RowError
from lookalike.core.moments import moment
from lookalike.core.types import Value
from lookalike.core.values import PLAIN, clean, is_missing, label, plain, text, unescaped

MAX_DEPTH: Final = 4
"""Levels of nested objects that become names with dots; deeper ones are kept as JSON text."""


def attributes(name: str, value: object, depth: int = 0) -> Iterator[tuple[str, Value | RowError]]:
    """Read one cell as attributes: itself, or for an object one per member, as `name.member`.

    Lists become tuples of text. A member that cannot be kept comes out as the RowError that says why.
    """
    value = plain(value)
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        for key, member in value.items():
            inner = attribute_name(str(key))
            yield from attributes(f"{name}.{inner}" if name else inner, member, depth + 1)
        return
    try:
        found = attribute(value)
    except RowError as error:
        yield name, error
        return
    if found is not None:
        yield name, found


def attribute_name(column: str) -> str:
    """Return the name of the attribute a column becomes: its own, cleaned."""
    return clean(column) or "unnamed"


def attribute(value: object) -> Value | None:
    """Read a plain value that is not an object as an attribute, None when it is missing."""
    if isinstance(value, str):
        return unescaped(clean(value)) or None
    if is_missing(value):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return (
            value if value.bit_length() < 64 else text(value)
        )  # what no column type holds stays as its digits
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, date):
        return _dated(value)
    if isinstance(value, list | tuple):
        return tuple(filter(None, map(_member, value))) or None
    return text(_as_json(value) if isinstance(value, Mapping) else value)


def _finite(value: float) -> float:
    if math.isinf(value):
        raise RowError("is infinite", hint="Leave the cell empty.")
    return value


def _dated(value: date) -> Value:
    try:
        return moment(value) or value.isoformat()
    except RowError:
        return value.isoformat()  # a placeholder such as year 9999 stays as it was written


def _member(value: object) -> str:
    value = plain(value)
    return text(_as_json(value)) if isinstance(value, Mapping | list | tuple) else label(value)


def _as_json(value: Mapping[object, object] | Sequence[object]) -> str:
    try:
        return json.dumps(value, default=_json_leaf, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        raise RowError("is nested too deeply to be kept", hint="Write it in fewer levels.") from None


def _json_leaf(value: object) -> object:
    simple = plain(value)
    return simple if type(simple) in PLAIN and not isinstance(simple, bytes) else text(simple)
