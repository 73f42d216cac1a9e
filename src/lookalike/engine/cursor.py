"""A cursor: which products the pages so far have shown, so that the next one neither repeats nor skips, also while the
catalogue changes in between."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping

import numpy as np

from lookalike.core.errors import LimitError, QueryError
from lookalike.core.filter_json import to_json
from lookalike.core.query import ImagePart, Part, ProductPart, Query, TextPart
from lookalike.core.types import Keys, content_hash

_SIGNATURE_CHARS = 12
_BEGINNING = re.compile(f"[0-9a-f]{{{_SIGNATURE_CHARS}}}")


def signature(query: Query) -> str:
    """Return a short hash of everything that was asked but the page.

    What was asked, not the vectors made of it: those of a product change when it is embedded or its attributes are learned
    anew, and a page that was begun goes on all the same.
    """
    asked = [
        None if query.where is None else to_json(query.where),
        (
            query.mode,
            _in_order(query.weights),
            _in_order(query.rerank),
            query.diversity,
            query.group,
            query.max_per_category,
        ),
        [(float(part.weight), *_said(part)) for part in query.parts],
    ]
    return content_hash(repr(asked))[:_SIGNATURE_CHARS]


def _said(part: Part) -> tuple[object, ...]:
    """Return what a part asks for; what it is called makes no difference."""
    match part:
        case TextPart():
            return "text", part.text
        case ProductPart():
            return "like", part.id
        case ImagePart():
            return "image", part.pixels.shape, content_hash(part.pixels.tobytes())
    vectors = np.asarray(part.vector, np.float32)
    return "vector", part.space, vectors.shape, content_hash(vectors.tobytes())


def _in_order(asked: object) -> object:
    return sorted(asked.items()) if isinstance(asked, Mapping) else asked


def write(signature: str, seen: Keys) -> str:
    """Return the cursor of a search that has shown these products."""
    return signature + base64.urlsafe_b64encode(zlib.compress(seen.astype("<i4").tobytes())).decode().rstrip(
        "="
    )


def read(cursor: str | None, signature: str, max_depth: int) -> Keys:
    """Return the products already shown, int64 [n]; raise QueryError for a cursor of another query or a damaged one."""
    if cursor is None:
        return np.zeros(0, np.int64)
    if not _BEGINNING.match(cursor):
        shown = cursor if len(cursor) <= 40 else f"{cursor[:39]}…"
        raise QueryError(
            f"{shown!r} is no cursor", hint="Give the cursor of the page before, whole; or none."
        )
    if cursor[:_SIGNATURE_CHARS] != signature:
        raise QueryError("this cursor belongs to another query", hint="Repeat the query without a cursor.")
    text = cursor[_SIGNATURE_CHARS:]
    try:
        unpacker = zlib.decompressobj()
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        raw = unpacker.decompress(packed, 4 * max_depth + 4)
        seen = np.frombuffer(raw, "<i4").astype(np.int64)
    except (binascii.Error, zlib.error, ValueError):
        raise QueryError("this cursor is damaged", hint="Repeat the query without a cursor.") from None
    if len(seen) >= max_depth:
        raise LimitError(
            "search.max_depth", f"the pages of one search can show {max_depth} products together"
        )
    if (seen < 0).any() or not unpacker.eof or unpacker.unused_data:
        raise QueryError("this cursor is damaged", hint="Repeat the query without a cursor.")
    return seen
