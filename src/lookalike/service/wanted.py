"""What belongs into a field, in words: made of what the schema of the request says, so that both say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
from pydantic import BaseModel

Schema = Mapping[str, Any]
Steps = Sequence[int | str]
_MOST_TOLD: Final = 10_000
"""A bound beyond this keeps out nonsense, and helps nobody who looks for the right value."""
_OBJECT: Final = frozenset({"model_type", "model_attributes_type"})
_QUOTED: Final = frozenset({"float_type", "int_type", "bool_type"})


def plain(steps: Steps) -> tuple[int | str, ...]:
    """Return the way to a field without pydantic's own names of the alternatives that it tried there."""
    return tuple(
        step
        for step in steps
        if isinstance(step, int) or not ("[" in step or step.startswith("constrained-"))
    )


def remedy(model: type[BaseModel], error: Mapping[str, Any]) -> str | None:
    """Say what is wanted where an error of pydantic was found, seen from this model; None if its schema does not say."""
    steps = plain(error["loc"])
    if error["type"] in _OBJECT and not steps:
        example = next(iter(_schema(model).get("examples", ())), None)
        return f"Send an object{_such_as(example)}."
    worded = (level for level in reversed(list(_levels(model, steps))) if _words(model, level))
    place = next(worded, None)
    if place is None:
        return None
    words = _words(model, place) + _such_as(next(iter(place.get("examples", ())), None))
    if error["type"] == "missing":
        return f"Give {words}. {place.get('description', '')}".rstrip()
    quoted = isinstance(error.get("input"), str) and error["type"] in _QUOTED
    return f"Write {words}{', without quotes' if quoted else ''}."


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _resolved(model: type[BaseModel], schema: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = _schema(model)["$defs"][name] if name else schema
    return found


def _kinds(model: type[BaseModel], schema: Schema) -> Iterator[Schema]:
    return (_resolved(model, each) for each in schema.get("anyOf", [schema]))


def _levels(model: type[BaseModel], steps: Steps) -> Iterator[Schema]:
    """Yield the schema of the field, then of each place in it on the way, as far as the schemas go."""
    here: Schema = _schema(model)
    for step in steps:
        inside = ("items",) if isinstance(step, int) else ("properties", "additionalProperties")
        found = [
            schema["properties"].get(step) if name == "properties" else schema[name]
            for schema in _kinds(model, here)
            for name in inside
            if name in schema
        ]
        here = next((each for each in found if isinstance(each, Mapping)), {})
        if not here:
            return
        yield here


def _words(model: type[BaseModel], schema: Schema) -> str:
    return " or ".join(dict.fromkeys(said for kind in _kinds(model, schema) if (said := _kind(kind))))


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "contentMediaType" in schema or schema.get("format") == "binary":
        return "a file (curl -F image=@photo.jpg)"
    match schema.get("type"):
        case "integer":
            return f"a whole number{_bounds(schema)}"
        case "number":
            return f"a number{_bounds(schema)}"
        case "string":
            return f"a text{_at_most(schema.get('maxLength'), ' of at most {:,} letters')}"
        case "array":
            same = schema.get("maxItems") == schema.get("minItems")
            return f"a list{_at_most(schema.get('maxItems'), ' of {}' if same else ' of at most {:,}')}"
    return {"boolean": "true or false", "object": "an object"}.get(schema.get("type", ""), "")


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None and most <= _MOST_TOLD:
        return f" from {least} to {most}"
    return "" if least is None else f" of {least} or more"


def _at_most(most: int | None, said: str) -> str:
    return "" if most is None or most > _MOST_TOLD else said.format(most)


def _such_as(example: object) -> str:
    return "" if example in (None, [], "") else f", such as {orjson.dumps(example).decode()}"
