"""What was asked, in words: the parts of a question, its filter and its options, and the picture it was asked with."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lookalike.core.filter_json import from_json
from lookalike.core.filter_text import to_text
from lookalike.core.images import from_array
from lookalike.questions import Question


def forms(question: Question) -> Iterator[tuple[str, Any, float]]:
    """Yield every part of a question: its kind, what it is, and its signed weight."""
    for kind in ("image", "text", "like"):
        held = question.get(kind)
        values = held if isinstance(held, list | tuple) else () if held is None else (held,)
        yield from ((kind, value, 1.0) for value in values)
    for form in question.get("parts") or ():
        weight = float(form.get("weight", 1.0))
        kind = next((kind for kind in ("image", "text", "like") if kind in form), "vector")
        yield kind, form[kind] if kind != "vector" else f"{form.get('space', '')} vector", weight


def in_words(question: Question) -> str:
    """Say what a question asks for, in one line."""
    said = []
    for kind, value, weight in forms(question):
        words = {"image": image_words, "text": "“{}”".format, "like": "like {}".format}.get(kind, str)(value)
        said.append(f"not {words}" if weight < 0 else words)
    joint = {"any": " or ", "all": " and "}.get(question.get("mode", "mix"), " + ")
    return joint.join(said) or "Everything"


def image_words(image: object) -> str:
    """Say which picture it is: its file name, if it has one."""
    inside = isinstance(image, bytes | np.ndarray) or str(image).startswith("data:")
    return "a photo" if inside else str(image).rstrip("/").rsplit("/", 1)[-1]


def where_text(where: Any) -> str:
    """Return a filter as text, whichever form it was given in."""
    if where is None or isinstance(where, str):
        return (where or "").strip()
    return to_text(from_json(where) if isinstance(where, Mapping) else where)


def options(question: Question) -> Iterator[str]:
    """Say what else shapes the answer, as far as it was asked for."""
    if weights := question.get("weights"):
        yield "looking at " + ", ".join(f"{space} × {weight:g}" for space, weight in weights.items())
    rerank = question.get("rerank") or "relevance"
    if isinstance(rerank, str):
        yield from () if rerank == "relevance" else (f"ranking: {rerank}",)
    else:
        yield "ranking: " + ", ".join(f"{name} × {weight:g}" for name, weight in rerank.items())
    if diversity := question.get("diversity"):
        yield f"variety {diversity:g}"
    if question.get("group"):
        yield "one per family"
    if most := question.get("max_per_category"):
        yield f"at most {most} per category"
    if question.get("cursor"):
        yield "a later page"


def local_picture(image: object) -> bytes | None:
    """Return the bytes of a picture given as a path, data URI, bytes or pixels; None for a URL or a file not there."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        out = BytesIO()
        Image.fromarray(from_array(image)).save(out, "PNG")
        return out.getvalue()
    text = str(image)
    try:
        if text.startswith("data:"):
            return b64decode(text.partition(",")[2])
        return Path(text).read_bytes()
    except (OSError, ValueError, Base64Error):
        return None
