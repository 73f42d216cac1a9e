"""A cursor: which products the pages so far have shown, so that the next one neither repeats nor skips, also while the
catalogue changes in between."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from lookalike.core.errors import LimitError, QueryError
from lookalike.core.filters import to_json
from lookalike.core.query import Query
from lookalike.core.types import Keys, content_hash
from lookalike.engine.probes import Probe

_SIGNATURE_CHARS = 12


def signature(query: Query, probes: Sequence[Probe]) -> str:
    """Return a short hash of everything that shapes the answer but the page."""
    asked = [
        None if query.where is None else to_json(query.where),
        (
            query.k,
            query.mode,
            _in_order(query.weights),
            _in_order(query.rerank),
            query.diversity,
            query.group,
            query.max_per_category,
        ),
        [(p.part, p.part_weight, p.space, p.weight) for p in probes],
    ]
    vectors = b"".join(p.vectors.tobytes() for p in probes)
    return content_hash(repr(asked).encode() + vectors)[:_SIGNATURE_CHARS]


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
        raise LimitError("max_depth", f"the pages of one search can show {max_depth} products together")
    if (seen < 0).any() or not unpacker.eof or unpacker.unused_data:
        raise QueryError("this cursor is damaged", hint="Repeat the query without a cursor.")
    return seen
