"""Cells that hold pictures -> image references: bytes, data URIs, paths and URLs, alone or several in one cell."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from lookalike.core.errors import RowError
from lookalike.core.image_kinds import KINDS, looks_like
from lookalike.core.types import ImageRef, content_hash
from lookalike.core.values import clean, is_missing, plain, shown

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif"}
)
"""File name endings of pictures, in lower case."""
_LINKS: Final = (
    "src",
    "url",
    "path",
    "href",
    "link",
    "file",
)  # members of an object that may hold the reference
_NESTED: Final = 3  # lists and objects within each other that pictures are looked for in
_URL: Final = re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)
_SUFFIX: Final = re.compile(r"\.[a-z0-9]{3,4}$", re.IGNORECASE)
_SEPARATORS: Final = tuple(map(re.compile, (r"\|", r"\n", r"[,;]", r"\s+")))
_BASE64_SPACE: Final = re.compile(r"\s+")
_BASE64_STARTS: Final = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR")  # of JPEG, PNG, GIF and WebP
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]{64,}=*\s*")


def looks_like_bytes(data: bytes) -> bool:
    """Say whether bytes begin the way a picture file does."""
    return looks_like(data[:2048]) in KINDS


def looks_like_ref(words: str) -> bool:
    """Say whether a text is evidently a picture: a data URI of one, or a path or URL that ends like one."""
    if words[:11].lower() == "data:image/" or _is_base64(words):
        return True
    match = (
        _SUFFIX.search(words.partition("?")[0].partition("#")[0])
        if _URL.match(words)
        else _SUFFIX.search(words)
    )
    return match is not None and match[0].lower() in SUFFIXES


def looks_like_images(value: object, depth: int = 0) -> bool:
    """Say whether a cell evidently holds pictures."""
    value = plain(value)
    if isinstance(value, bytes):
        return looks_like_bytes(value)
    if isinstance(value, str):
        parts = separate(clean(value))
        return bool(parts) and all(isinstance(part, str) and looks_like_ref(part) for part in parts)
    if isinstance(value, Mapping):
        return depth < _NESTED and looks_like_images(_linked(value), depth + 1)
    if isinstance(value, list | tuple):
        return depth < _NESTED and bool(value) and all(looks_like_images(part, depth + 1) for part in value)
    return isinstance(value, ImageRef)


def separate(words: str) -> list[object]:
    """Split a text that is evidently a list of references: a JSON array, or parts that all look like one.

    "a.jpg|b.jpg", "a.jpg, b.jpg" and "https://a/1 https://a/2" are lists; a comma inside one URL, or a blank inside one
    path, is not a separator.
    """
    if words.startswith("[") and words.endswith("]"):
        try:
            return list(json.loads(words))
        except (ValueError, RecursionError):
            return [words]
    embedded = words[:5].lower() == "data:"  # data URIs contain ; and , themselves
    for separator in _SEPARATORS[:2] + _SEPARATORS[3:] if embedded else _SEPARATORS:
        parts = [part.strip() for part in separator.split(words) if part.strip()]
        if len(parts) > 1 and _all_references(parts):
            return list(parts)
    return [words]


def _all_references(parts: list[str]) -> bool:
    if all(part[:5].lower() == "data:" or _URL.match(part) for part in parts):
        return True
    return not any(_URL.match(part) or " " in part for part in parts) and all(map(looks_like_ref, parts))


def image_refs(value: object, depth: int = 0) -> Iterator[ImageRef | RowError]:
    """Read the pictures of one cell in order; one that cannot be read comes out as the RowError that says why.

    Bytes and data URIs become `bytes:<hash>` with their data; paths and URLs are kept as they are written.
    """
    value = plain(value)
    if isinstance(value, ImageRef):
        yield value
    elif isinstance(value, bytes):
        yield from _of_bytes(value)
    elif is_missing(value):
        return
    elif isinstance(value, str):
        yield from _of_text(clean(value), depth)
    elif isinstance(value, list | tuple) and depth < _NESTED:
        for part in value:
            yield from image_refs(part, depth + 1)
    elif isinstance(value, Mapping) and depth < _NESTED and (found := _linked(value)) is not None:
        yield from image_refs(found, depth + 1)
    else:
        hint = "Write a path, a URL, a data URI or the bytes of the picture."
        yield RowError(f"{shown(value)} is not a picture", hint=hint)


def _linked(value: Mapping[object, object]) -> object:
    data = plain(value.get("bytes"))
    if isinstance(data, bytes) and data:
        return data
    return next((found for name in _LINKS if not is_missing(found := plain(value.get(name)))), None)


def _of_bytes(data: bytes) -> Iterator[ImageRef | RowError]:
    if not data:
        yield RowError("holds an empty picture (0 bytes)", hint="Check how the file was written.")
    elif not looks_like_bytes(data) and len(data) < 2048 and (path := _as_path(data)):
        yield from _of_text(path, 1)
    else:
        yield embedded(data)


def _as_path(data: bytes) -> str:
    """Return the text of bytes that are a reference: some programs write text columns as bytes."""
    try:
        words = clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        return ""
    return words if looks_like_ref(words) else ""


def embedded(data: bytes) -> ImageRef:
    """Name a picture that came inside its row by its content."""
    digest = content_hash(data)
    return ImageRef(f"bytes:{digest}", digest, data)


def _of_text(words: str, depth: int) -> Iterator[ImageRef | RowError]:
    parts = separate(words)
    if parts != [words]:
        for part in parts:
            yield from image_refs(part, depth + 1)
    elif words[:5].lower() == "data:":
        yield _of_data_uri(words)
    elif _is_base64(words):
        yield _of_data_uri("data:image/*;base64," + words)
    else:
        yield ImageRef(words)


def _of_data_uri(words: str) -> ImageRef | RowError:
    """Decode `data:image/png;base64,...` (RFC 2397)."""
    head, comma, payload = words[5:].partition(",")
    kind, *parameters = (part.strip().lower() for part in head.split(";"))
    if not comma or not kind.startswith("image/"):
        return RowError(
            f"{shown(words)} is a data URI, but not of a picture",
            hint="Write one like data:image/jpeg;base64,… and no other.",
        )
    try:
        data = _base64(payload) if "base64" in parameters else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        return RowError(f"{shown(words)} is not valid base64", hint="Check whether the text was cut off.")
    return (
        embedded(data)
        if data
        else RowError(f"{shown(words)} is empty", hint="Check whether the text was cut off.")
    )


def _is_base64(words: str) -> bool:
    """Say whether a text is a picture in bare base64, as some exports write it."""
    return words.startswith(_BASE64_STARTS) and _BASE64.fullmatch(words) is not None


def _base64(payload: str) -> bytes:
    compact = _BASE64_SPACE.sub("", payload).replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
