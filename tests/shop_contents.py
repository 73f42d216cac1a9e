"""Everything a catalogue holds, for row-for-row comparison."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np

import lookalike
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE


def contents_of(place: str | Path) -> dict[str, object]:
    """Return products by key, vectors, thumbnails and artifacts, and what the indexes made of them."""
    with lookalike.open(place, create=False) as shop:
        catalog, encoder = shop._catalog, shop._encoder
        changes = [change for change in catalog.changes(0, 10**6) if change.product is not None]
        keys = np.array(sorted(change.key for change in changes), np.int64)
        fingerprints = dict.fromkeys((IMAGE, TITLE, DESCRIPTION), encoder.fingerprint)
        hashes = {i.content_hash for c in changes if c.product for i in c.product.images if i.content_hash}
        return {
            "products": {change.key: repr(change.product) for change in changes},
            "vectors": {
                space: (held.tolist(), _digest(vectors.tobytes()))
                for space, (held, vectors) in catalog.embeddings(keys, fingerprints).items()
            },
            "thumbnails": {digest: _digest(catalog.thumbnail(digest) or b"") for digest in sorted(hashes)},
            "artifacts": {
                name: _digest(catalog.artifact(name) or b"")
                for name in ("encoder", "attributes", "calibration")
            },
            "index": {space: len(index) for space, index in shop._live.spaces.items()},
            "live": np.flatnonzero(shop._live.columns.live).tolist(),
        }


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=12).hexdigest()
