"""What people type -> a Query: pictures are loaded and decoded, filters read, shapes checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from lookalike.core import filter_text
from lookalike.core.errors import QueryError
from lookalike.core.filters import Filter, from_json
from lookalike.core.images import ImageLimits, decode, from_array
from lookalike.core.judgments import QueryForm
from lookalike.core.ports import ImageLoader
from lookalike.core.query import ImagePart, Mode, Part, ProductPart, Query, TextPart, VectorPart
from lookalike.core.types import ImageRef, Pixels

Image = str | Path | bytes | NDArray[Any]
"""A path, URL or data URI, the bytes of a picture file, or its pixels (uint8 [h, w, 3] RGB)."""
PartForm = Mapping[str, Any]
"""{"image": ...}, {"text": ...}, {"like": id} or {"space": ..., "vector": ...}, with "weight" if not 1."""


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


_PART_KINDS = ("image", "text", "like", "vector")


class QuestionReader:
    """Turns questions into queries. `columns` are the names filters may use."""

    def __init__(self, loader: ImageLoader, limits: ImageLimits, columns: Iterable[str]) -> None:
        self._loader = loader
        self._limits = limits
        self._columns = frozenset(columns)

    def read(self, question: Question) -> Query:
        """Return the query; raise QueryError, FilterError, FetchError or ImageError for what is wrong with it."""
        unknown = question.keys() - Question.__annotations__.keys()
        if unknown:
            known = ", ".join(Question.__annotations__)
            raise QueryError(f"a query has no {sorted(unknown)[0]!r}", hint=f"It can have: {known}.")
        forms: list[PartForm] = [
            {kind: value} for kind in ("image", "text", "like") for value in _several(question.get(kind))
        ]
        forms += question.get("parts", ())
        if question.get("mode", "mix") not in ("mix", "any", "all"):
            raise QueryError(f"no mode {question.get('mode')!r}", hint="There are mix, any and all.")
        given = {
            name: value
            for name, value in question.items()
            if name not in ("image", "text", "like", "parts", "where", "facets") and value is not None
        }
        return Query(
            parts=tuple(self._part(form, number) for number, form in enumerate(forms)),
            where=self._where(question.get("where")),
            facets=tuple(question.get("facets") or ()),
            **cast(dict[str, Any], given),
        )

    def _part(self, form: PartForm, number: int) -> Part:
        kinds = [kind for kind in _PART_KINDS if kind in form]
        if len(kinds) != 1 or form.keys() - {*_PART_KINDS, "space", "weight"}:
            raise QueryError(
                f"part {number + 1} of the query is not clear: {sorted(form)}",
                hint='Give one of "image", "text", "like", or "space" with "vector", and a "weight" if not 1.',
            )
        weight, value = float(form.get("weight", 1.0)), form[kinds[0]]
        match kinds[0]:
            case "image":
                return ImagePart(self._pixels(value), weight, name=_image_name(value))
            case "text":
                return TextPart(_said(value), weight)
            case "like":
                return ProductPart(str(value), weight)
        return VectorPart(str(form.get("space", "")), np.asarray(value, np.float32), weight)

    def _pixels(self, image: Image) -> Pixels:
        if isinstance(image, np.ndarray):
            return from_array(image, self._limits)
        if isinstance(image, bytes):
            return decode(image, self._limits)
        [data] = self._loader.load([ImageRef(str(image))])
        if isinstance(data, Exception):
            raise data
        return decode(data, self._limits)

    def _where(self, where: str | Mapping[str, Any] | Filter | None) -> Filter | None:
        if where is None or (isinstance(where, str) and not where.strip()):
            return None
        if isinstance(where, str):
            return filter_text.parse(where, self._columns)
        return from_json(where) if isinstance(where, Mapping) else where


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


def _several(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _said(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise QueryError(f"{text!r} is no phrase to search for", hint='Such as "red checked shirt".')
    return text.strip()


def _image_name(image: Image) -> str:
    if isinstance(image, bytes | np.ndarray) or str(image).startswith("data:"):
        return "image"
    return f"image {str(image).rsplit('/', 1)[-1]}"
