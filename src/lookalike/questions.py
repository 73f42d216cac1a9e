"""What people type -> a Query: pictures are loaded and decoded, filters read, shapes checked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lookalike.core import filter_text
from lookalike.core.errors import FilterError, InputError, LimitError, LookalikeError, QueryError
from lookalike.core.filter_json import from_json
from lookalike.core.filters import Filter
from lookalike.core.images import Box, ImageLimits, crop, decode, from_array
from lookalike.core.judgments import QueryForm
from lookalike.core.ports import ImageLoader
from lookalike.core.query import ImagePart, Mode, Part, ProductPart, Query, TextPart, VectorPart
from lookalike.core.types import ImageRef, Pixels

Image = str | Path | bytes | NDArray[Any] | PIL.Image.Image
"""A path, URL or data URI, the bytes of a picture file, its pixels (uint8 [h, w, 3] RGB), or a Pillow image."""
PartForm = Mapping[str, Any]
"""{"image": ...}, {"text": ...}, {"like": id} or {"space": ..., "vector": ...}, with "weight" if not 1.

Where only one space has vectors of that length, a vector needs no "space".
An image may have a "box", (x, y, width, height) as shares of the picture: only what is in it is looked for.
"""


class Question(TypedDict, total=False):
    """The keywords of `Shop.search`."""

    image: Image | Sequence[Image]
    text: str | Sequence[str]
    like: str | Sequence[str]
    parts: Sequence[PartForm]
    where: str | Mapping[str, Any] | Filter
    k: int
    mode: Mode
    weights: Mapping[str, float]
    rerank: str | Mapping[str, float]
    diversity: float
    group: bool
    max_per_category: int
    facets: Sequence[str]
    cursor: str
    explain: bool


_PART_KINDS = ("image", "text", "like", "vector")
_EXTRAS: Mapping[str, set[str]] = {"image": {"box"}, "vector": {"space"}}
"""What a kind of part may have besides a weight."""
_OPTIONS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "k": (Integral, "a whole number"),
    "weights": (Mapping, 'numbers by space, such as {"image": 0.7}'),
    "rerank": ((str, Mapping), 'a profile, or numbers by signal, such as {"popularity": 0.1}'),
    "diversity": (Real, "a number from 0 to 1"),
    "group": (bool, "true or false"),
    "explain": (bool, "true or false"),
    "max_per_category": (Integral, "a whole number"),
    "cursor": (str, "the cursor of an answer"),
}
"""What each option may be, and how to say so."""


class QuestionReader:
    """Turns questions into queries. `columns` are the names filters may use."""

    def __init__(self, loader: ImageLoader, limits: ImageLimits, columns: Iterable[str]) -> None:
        self._loader = loader
        self._limits = limits
        self._columns = frozenset(columns)

    def read(self, question: Question) -> Query:
        """Return the query; raise QueryError, FilterError, FetchError, ImageError or LimitError for what is wrong with it."""
        [read] = self.read_each([question])
        if isinstance(read, Query):
            return read
        raise read

    def read_each(self, questions: Sequence[Question]) -> list[Query | LookalikeError]:
        """Return each question as a query, or what is wrong with it; pictures of all of them are got side by side."""
        refs = {ref: None for question in questions for ref in _refs(question)}
        loaded = dict(zip(refs, self._loader.load(map(ImageRef, refs)), strict=True)) if refs else {}
        return [self._attempt(question, loaded) for question in questions]

    def _attempt(self, question: Question, loaded: Mapping[str, bytes | Exception]) -> Query | LookalikeError:
        try:
            return self._read(question, loaded)
        except (InputError, LimitError) as error:
            return error

    def _read(self, question: Question, loaded: Mapping[str, bytes | Exception]) -> Query:
        unknown = question.keys() - Question.__annotations__.keys()
        if unknown:
            known = ", ".join(Question.__annotations__)
            raise QueryError(f"a query has no {sorted(unknown)[0]!r}", hint=f"It can have: {known}.")
        _check_options(question)
        if question.get("mode", "mix") not in ("mix", "any", "all"):
            raise QueryError(f"no mode {question.get('mode')!r}", hint="There are mix, any and all.")
        given = {
            name: value
            for name, value in question.items()
            if name not in ("image", "text", "like", "parts", "where", "facets") and value is not None
        }
        return Query(
            parts=tuple(self._part(form, number, loaded) for number, form in enumerate(_forms(question))),
            where=read_filter(question.get("where"), self._columns),
            facets=tuple(_several(question.get("facets"))),
            **cast(dict[str, Any], given),
        )

    def _part(self, form: PartForm, number: int, loaded: Mapping[str, bytes | Exception]) -> Part:
        kinds = [kind for kind in _PART_KINDS if kind in form]
        extras = {"weight"} | _EXTRAS.get(kinds[0], set()) if len(kinds) == 1 else set()
        if len(kinds) != 1 or form.keys() - {*kinds, *extras}:
            raise QueryError(
                f"part {number + 1} of the query is not clear: {sorted(form)}",
                hint='Give one of "image" (perhaps with a "box"), "text", "like", or "space" with "vector", '
                'and a "weight" if not 1.',
            )
        weight, value = _weight(form.get("weight", 1.0)), form[kinds[0]]
        match kinds[0]:
            case "image":
                pixels = self._pixels(value, loaded)
                if form.get("box") is not None:
                    pixels = crop(pixels, _box(form["box"]))
                return ImagePart(pixels, weight, name=_image_name(value))
            case "text":
                return TextPart(_said(value), weight)
            case "like":
                return ProductPart(str(value), weight)
        return VectorPart(str(form.get("space", "")), _vector(value), weight)

    def _pixels(self, image: Image, loaded: Mapping[str, bytes | Exception]) -> Pixels:
        if isinstance(image, np.ndarray):
            return from_array(image, self._limits)
        if isinstance(image, bytes):
            return decode(image, self._limits)
        if isinstance(image, PIL.Image.Image):
            return from_array(np.asarray(image.convert("RGB")), self._limits)
        data = loaded[str(image)]
        if isinstance(data, Exception):
            raise data
        return decode(data, self._limits)


def read_filter(where: str | Mapping[str, Any] | Filter | None, columns: Collection[str]) -> Filter | None:
    """Return a filter from its text or JSON form, None if it is empty; raise FilterError for what is none."""
    if where is None or (isinstance(where, str) and not where.strip()):
        return None
    if isinstance(where, str):
        return from_json(_parsed(where)) if where.lstrip()[:1] == "{" else filter_text.parse(where, columns)
    # Anything else is read as JSON as well, to be refused: a filter must never be passed over.
    return where if isinstance(where, Filter) else from_json(where)


def _check_options(question: Question) -> None:
    for name, (kind, words) in _OPTIONS.items():
        given = question.get(name)
        weights = given.values() if isinstance(given, Mapping) else ()
        if given is not None and not (isinstance(given, kind) and all(isinstance(w, Real) for w in weights)):
            raise QueryError(f"{name} is {given!r}", hint=f"Give {words}.")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FilterError(
            f"the filter begins like JSON, but is not: {error}", hint="Check quotes and brackets."
        ) from None


def question_of(form: QueryForm, k: int) -> Question:
    """Return a judged query as a question for `k` hits."""
    parts: list[PartForm] = []
    for part in form.parts:
        named: dict[str, Any] = {part.kind: part.value, "weight": part.weight}
        parts.append(named | {"space": part.space} if part.kind == "vector" else named)
    question = Question(
        parts=parts,
        k=k,
        mode=form.mode,
        rerank=form.rerank if isinstance(form.rerank, str) else dict(form.rerank),
        diversity=form.diversity,
        group=form.group,
    )
    if form.where:
        question["where"] = form.where
    if form.weights is not None:
        question["weights"] = dict(form.weights)
    if form.max_per_category is not None:
        question["max_per_category"] = form.max_per_category
    return question


def _forms(question: Question) -> list[PartForm]:
    """Return all a question looks for as parts."""
    forms: list[PartForm] = [
        {kind: value} for kind in ("image", "text", "like") for value in _several(question.get(kind))
    ]
    return [*forms, *(question.get("parts") or ())]


def _refs(question: Question) -> list[str]:
    """Return the pictures of a question that are not here yet."""
    images = [form.get("image") for form in _forms(question)]
    return [str(image) for image in images if isinstance(image, str | Path)]


def _several(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _said(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise QueryError(f"{text!r} is no phrase to search for", hint='Such as "red checked shirt".')
    return text.strip()


def _weight(weight: Any) -> float:
    try:
        return float(weight)
    except (TypeError, ValueError):
        raise QueryError(
            f"{weight!r} is no weight of a part", hint="Give a number, such as 0.5 or -1."
        ) from None


def _box(box: Any) -> Box:
    try:
        left, top, width, height = (float(share) for share in box)
    except (TypeError, ValueError):
        raise QueryError(
            f"{box!r} is no box of a picture", hint="Give (x, y, width, height), each from 0 to 1."
        ) from None
    return left, top, width, height


def _vector(vector: Any) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
            return np.asarray(vector, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise QueryError(
            "the vector of a part is no list of numbers", hint="Such as [0.1, -0.2, 0.3]."
        ) from None


def _image_name(image: Image) -> str:
    if not isinstance(image, str | Path) or str(image).startswith("data:"):
        return "image"
    return f"image {str(image).rsplit('/', 1)[-1]}"
