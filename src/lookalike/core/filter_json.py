"""The JSON form of filters, for programs: {"and": [{"field": "price", "op": "<", "value": 50}, ...]}."""

from __future__ import annotations

from datetime import datetime
from reprlib import repr as short_repr
from typing import Any

from lookalike.core.errors import FilterError
from lookalike.core.filters import MAX_DEPTH, And, Compare, Filter, Not, Operand, Or, compare, parse_date


def from_json(tree: object) -> Filter:
    """Read the JSON form: {"and": [...]}, {"or": [...]}, {"not": {...}} or {"field": f, "op": o, "value": v}.

    Dates are {"$date": "2026-01-31"}. Raises FilterError naming the node that is wrong.
    """
    return _from_json(tree, 0)


def _from_json(tree: object, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise FilterError(f"filters nested deeper than {MAX_DEPTH}", hint="Write one list of and, or of or.")
    match tree:
        case {"and": list(inner), **rest} if not rest:
            return And(tuple(_from_json(f, depth + 1) for f in inner))
        case {"or": list(inner), **rest} if not rest:
            return Or(tuple(_from_json(f, depth + 1) for f in inner))
        case {"not": inner, **rest} if not rest:
            return Not(_from_json(inner, depth + 1))
        case {"field": str(field), "op": str(operator), **rest} if not rest.keys() - {"value"}:
            return compare(field, operator, _operand_from_json(rest.get("value")))
    raise FilterError(
        f"not a filter: {short_repr(tree)}",
        hint='Use {"field": "price", "op": "<", "value": 50}, {"and": [...]}, {"or": [...]} or {"not": {...}}.',
    )


def _operand_from_json(value: object) -> object:
    return [_scalar_from_json(v) for v in value] if isinstance(value, list) else _scalar_from_json(value)


def _scalar_from_json(value: object) -> object:
    match value:
        case {"$date": str(text), **rest} if not rest:
            return parse_date(text)
    return value


def to_json(filter_: Filter) -> dict[str, Any]:
    """Write the JSON form; `from_json` reads it back to an equal tree."""
    match filter_:
        case And(filters):
            return {"and": [to_json(f) for f in filters]}
        case Or(filters):
            return {"or": [to_json(f) for f in filters]}
        case Not(inner):
            return {"not": to_json(inner)}
        case Compare(field, operator, operand):
            node: dict[str, Any] = {"field": field, "op": operator}
            if operator != "exists":
                node["value"] = _operand_to_json(operand)
            return node


def _operand_to_json(operand: Operand) -> Any:
    if isinstance(operand, tuple):
        return [_operand_to_json(v) for v in operand]
    return {"$date": operand.isoformat()} if isinstance(operand, datetime) else operand
