"""Judged queries: what is asked, and which products should come. One JSON object per line.

    {"id": "q1", "query": {"text": "red dress", "where": "price < 50"}, "relevant": {"P1": 3, "P2": 1}}
    {"id": "q2", "query": {"image": "7.jpg"}, "relevant_where": "type = hat", "exclude_where": "shop = 2"}

Reading is pure: pictures stay references and filters stay text, for whoever runs the search to resolve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lookalike.core.errors import InputError
from lookalike.core.query import Mode
from lookalike.core.types import SPACES

PartKind = Literal["image", "text", "like", "vector"]
Weights = tuple[tuple[str, float], ...]

MODES: tuple[str, ...] = get_args(Mode)
JUDGMENT_FIELDS = ("id", "query", "relevant", "relevant_where", "exclude", "exclude_where")
SHORT_PARTS: tuple[PartKind, ...] = ("image", "text", "like")
PART_FIELDS = (*SHORT_PARTS, "vector", "space", "weight")


@dataclass(frozen=True, slots=True)
class PartForm:
    """One part of a query: the path, URL or data URI of a picture; a phrase; a product id; or a vector."""

    kind: PartKind
    value: str | tuple[float, ...]
    weight: float = 1.0
    space: str = ""
    """The space of a vector; "" for the other kinds."""

    def __str__(self) -> str:
        """Say it in a few words, such as `image 7.jpg` or `-0.5 × "red dress"`."""
        named = {
            "image": "image"
            if str(self.value).startswith("data:")
            else f"image {_last_name(str(self.value))}",
            "text": f'"{self.value}"',
            "like": f"like {self.value}",
            "vector": f"{self.space} vector",
        }[self.kind]
        return named if self.weight == 1 else f"{self.weight:g} × {named}"


@dataclass(frozen=True, slots=True)
class QueryForm:
    """A query as written: checked for shape, nothing loaded or looked up. Fields mean what `Query`'s do."""

    parts: tuple[PartForm, ...]
    where: str | None = None
    mode: Mode = "mix"
    weights: Weights | None = None
    rerank: str | Weights = "relevance"
    diversity: float = 0.0
    group: bool = False
    max_per_category: int | None = None

    @property
    def likes(self) -> tuple[str, ...]:
        """The ids of the products it refers to; a search leaves them out."""
        return tuple(str(part.value) for part in self.parts if part.kind == "like")

    def __str__(self) -> str:
        """Say it in one line for people: its parts, how they combine, and its filter."""
        parts = {"mix": " + ", "any": " or ", "all": " and "}[self.mode].join(map(str, self.parts))
        return f"{parts}, where {self.where}" if self.where else parts


@dataclass(frozen=True, slots=True)
class Judgment:
    """One query and what should come. `relevant` gives grades by product id; 0 says judged and not relevant.

    What satisfies `relevant_where` is relevant with grade 1. What is in `exclude` or satisfies
    `exclude_where` does not count: it is taken out of the ranking before anything is measured.
    """

    id: str
    query: QueryForm
    relevant: Mapping[str, int] = field(default_factory=dict)
    relevant_where: str | None = None
    exclude: tuple[str, ...] = ()
    exclude_where: str | None = None


@dataclass(frozen=True, slots=True)
class JudgmentProblem:
    """A line that is no usable judgment: `reason` begins with the field. The other lines still count."""

    line: int
    reason: str
    hint: str

    def __str__(self) -> str:
        """Say where and what, on one line."""
        return f"line {self.line}: {self.reason}"


def read_judgments(lines: Iterable[str]) -> tuple[list[Judgment], list[JudgmentProblem]]:
    """Read JSON lines; blank ones are skipped, unusable ones come back as problems. Lines count from 1."""
    judgments: list[Judgment] = []
    problems: list[JudgmentProblem] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\ufeff")
        if not text:
            continue
        try:
            judgment = parse_judgment(text)
            if judgment.id in first_line:
                raise InputError(
                    f"id: {judgment.id!r} was used on line {first_line[judgment.id]}",
                    hint="Give every query an id of its own.",
                )
        except InputError as error:
            problems.append(JudgmentProblem(number, str(error), error.hint))
        else:
            first_line[judgment.id] = number
            judgments.append(judgment)
    return judgments, problems


def parse_judgment(text: str) -> Judgment:
    """Read one judgment from its JSON text. Raises InputError whose message begins with the field."""
    try:
        raw = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not JSON: {error}", hint='Write one object per line, such as {"id": "q1", "query": {...}, ...}.'
        ) from error
    row = _object(raw, "the line", JUDGMENT_FIELDS)
    relevant = _grades(row.get("relevant", {}))
    relevant_where = _optional_filter(row, "relevant_where")
    if not relevant_where and not any(relevant.values()):
        raise InputError(
            "relevant: nothing is relevant",
            hint="List at least one product with a grade of 1 or more, or give relevant_where.",
        )
    return Judgment(
        id=_word(row.get("id"), "id"),
        query=parse_query(row.get("query")),
        relevant=relevant,
        relevant_where=relevant_where,
        exclude=_words(row.get("exclude", []), "exclude"),
        exclude_where=_optional_filter(row, "exclude_where"),
    )


def parse_query(raw: object) -> QueryForm:
    """Read the query of a judgment from its parsed JSON. Raises InputError as `parse_judgment` does."""
    row = _object(raw, "query", (*SHORT_PARTS, "parts", *_OPTIONS))
    parts = [
        PartForm(kind, word) for kind in SHORT_PARTS for word in _words(row.get(kind, []), f"query.{kind}")
    ]
    longer = row.get("parts", [])
    if not isinstance(longer, list):
        raise InputError("query.parts: not a list", hint='Write it as [{"text": "red dress", "weight": 1}].')
    parts += [_part(part, f"query.parts[{number}]") for number, part in enumerate(longer)]
    if not parts:
        raise InputError("query: asks for nothing", hint="Give at least one of image, text, like or parts.")
    options = {name: read(row[name], f"query.{name}") for name, read in _OPTIONS.items() if name in row}
    return QueryForm(parts=tuple(parts), **options)


def _part(raw: object, where: str) -> PartForm:
    row = _object(raw, where, PART_FIELDS)
    kinds = [kind for kind in (*SHORT_PARTS, "vector") if kind in row]
    if len(kinds) != 1 or ("space" in row) != (kinds == ["vector"]):
        raise InputError(
            f"{where}: needs one of image, text, like, or space with vector",
            hint="Make two parts of it if both are meant.",
        )
    weight = _number(row.get("weight", 1.0), f"{where}.weight")
    kind = kinds[0]
    if kind == "vector":
        vector = _vector(row["vector"], f"{where}.vector")
        return PartForm(kind, vector, weight, _choice(SPACES)(row["space"], f"{where}.space"))
    return PartForm(kind, _word(row[kind], f"{where}.{kind}"), weight)


def _grades(raw: object) -> dict[str, int]:
    """Read {"id": grade} or ["id"] (each grade 1). TREC measures take whole grades."""
    if not isinstance(raw, dict):
        return dict.fromkeys(_words(raw, "relevant"), 1)
    return {id_: _grade(grade, f"relevant[{id_!r}]") for id_, grade in raw.items()}


def _grade(raw: object, where: str) -> int:
    grade = _number(raw, where)
    if grade < 0 or grade != int(grade) or grade >= 2**31:
        raise InputError(
            f"{where}: the grade {raw} is not a whole number from 0",
            hint="Grade with 0 (not relevant), 1, 2, 3, ...",
        )
    return int(grade)


def _object(raw: object, where: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    """Check that an object has known fields only; null is the same as leaving the field out."""
    if not isinstance(raw, dict):
        raise InputError(
            f"{where}: not a JSON object", hint=f"Write it as {{...}} with fields from: {', '.join(known)}."
        )
    unknown = next((name for name in raw if name not in known), None)
    if unknown == "k":
        raise InputError(
            f"{where}: k is not a field", hint="How many hits are measured is asked of the evaluation (--k)."
        )
    if unknown is not None:
        raise InputError(f"{where}: unknown field {unknown!r}", hint=f"Known fields: {', '.join(known)}.")
    return {name: value for name, value in raw.items() if value is not None}


def _word(raw: object, where: str) -> str:
    """Read a non-blank string; a whole number will do, since ids are often written so."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if not isinstance(raw, str) or not raw.strip():
        raise InputError(
            f"{where}: {'missing' if raw is None else 'not a text'}", hint="Write a non-empty string."
        )
    return raw


def _words(raw: object, where: str) -> tuple[str, ...]:
    return tuple(_word(word, where) for word in (raw if isinstance(raw, list) else [raw]))


def _filter(raw: object, where: str) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise InputError(
            f"{where}: not a filter text", hint='Write the filter as text, such as "price < 50".'
        )
    return raw


def _number(raw: object, where: str) -> float:
    try:
        number = float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else math.nan
    except OverflowError:  # a whole number beyond the range of floats
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{where}: not a finite number", hint="Write a plain number, such as 1 or -0.5.")
    return number


def _whole(raw: object, where: str) -> int:
    number = _number(raw, where)
    if number < 1 or number != int(number):
        raise InputError(f"{where}: {raw} is not a whole number from 1", hint="Write 1, 2, 3, ...")
    return int(number)


def _share(raw: object, where: str) -> float:
    number = _number(raw, where)
    if not 0 <= number <= 1:
        raise InputError(f"{where}: {raw} is not between 0 and 1", hint="Write a number from 0 to 1.")
    return number


def _flag(raw: object, where: str) -> bool:
    if not isinstance(raw, bool):
        raise InputError(f"{where}: not true or false", hint="Write true or false, without quotes.")
    return raw


def _vector(raw: object, where: str) -> tuple[float, ...]:
    if not isinstance(raw, list) or not raw:
        raise InputError(f"{where}: not a list of numbers", hint="Write the vector as [0.1, -0.2, ...].")
    return tuple(_number(number, where) for number in raw)


def _choice(known: tuple[str, ...]) -> Callable[[object, str], str]:
    def read(raw: object, where: str) -> str:
        if raw not in known:
            raise InputError(f"{where}: {raw!r} is not known", hint=f"Write one of: {', '.join(known)}.")
        return str(raw)

    return read


def _named_numbers(raw: object, where: str) -> Weights:
    if not isinstance(raw, dict):
        raise InputError(f"{where}: not a JSON object", hint='Write it as {"name": number}.')
    return tuple((name, _number(number, f"{where}[{name!r}]")) for name, number in raw.items())


def _weights(raw: object, where: str) -> Weights:
    return _named_numbers(_object(raw, where, SPACES), where)


def _rerank(raw: object, where: str) -> str | Weights:
    return _word(raw, where) if isinstance(raw, str) else _named_numbers(raw, where)


def _last_name(ref: str) -> str:
    return ref.rstrip("/").rpartition("/")[2]


def _optional_filter(row: Mapping[str, Any], name: str) -> str | None:
    return _filter(row[name], name) if name in row else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a name that comes twice: JSON would quietly keep the last."""
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"{next(name for name in names if names.count(name) > 1)!r} comes twice in one object"
        )
    return row


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


_OPTIONS: Mapping[str, Callable[[object, str], Any]] = {
    "where": _filter,
    "mode": _choice(MODES),
    "weights": _weights,
    "rerank": _rerank,
    "diversity": _share,
    "group": _flag,
    "max_per_category": _whole,
}
