"""Everything a catalogue holds, to compare two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lookalike
from lookalike.core.attributes import AttributeModel
from lookalike.core.ports import Catalog
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE

CLOSE = 1e-5
"""How far apart vectors of one content may lie: those it was encoded beside may round them differently."""
WEIGHTS_CLOSE = 0.02
"""And what a field weighs: rounding decides which of several products with one title are another's nearest."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is the same in two equal catalogues, and the arrays that are the same but for rounding."""

    exact: dict[str, Any]
    rounded: dict[str, NDArray[Any]]

    def assert_same(self, other: Contents) -> None:
        assert self.exact == other.exact
        assert self.rounded.keys() == other.rounded.keys()
        for name, values in self.rounded.items():
            atol = WEIGHTS_CLOSE if name.startswith("weight") else CLOSE
            np.testing.assert_allclose(values, other.rounded[name], rtol=0, atol=atol, err_msg=name)


def contents_of(place: str | Path) -> Contents:
    """Return products by key, vectors, thumbnails, artifacts, and what the indexes made of them."""
    with lookalike.open(place, create=False) as shop:
        catalog, encoder = shop._catalog, shop.encoder
        changes = [change for change in catalog.changes(0, 10**6) if change.product is not None]
        keys = np.array(sorted(change.key for change in changes), np.int64)
        fingerprints = dict.fromkeys((IMAGE, TITLE, DESCRIPTION), encoder.fingerprint)
        vectors = catalog.embeddings(keys, fingerprints)
        hashes = {i.content_hash for c in changes if c.product for i in c.product.images if i.content_hash}
        learned, rounded = _learned(catalog)
        return Contents(
            {
                "products": {change.key: repr(change.product) for change in changes},
                "keys": {space: held.tolist() for space, (held, _) in vectors.items()},
                "thumbnails": {digest: _digest(catalog.thumbnail(digest)) for digest in sorted(hashes)},
                "encoder": catalog.artifact("encoder"),
                "learned": learned,
                "index": {space: len(index) for space, index in shop._live.spaces.items()},
                "live": np.flatnonzero(shop._live.columns.live).tolist(),
            },
            rounded | {space: each for space, (_, each) in vectors.items()},
        )


def _learned(catalog: Catalog) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what was learned from the products: names and words, and numbers."""
    calibration: dict[str, Any] = json.loads(catalog.artifact("calibration") or b"{}")
    model = catalog.artifact("attributes")
    fields = AttributeModel.from_bytes(model).fields if model else ()
    numbers = {f"calibration of {space}": np.array(pair) for space, pair in calibration.items()}
    for field in fields:
        numbers[f"weight of {field.name}"] = np.array(field.weight)
        numbers[f"scale of {field.name}"] = np.array([field.mean, field.spread])
        if field.company is not None:
            # Which way an axis points, and which of two equal ones comes first, may hang on rounding; angles do not.
            numbers[f"company of {field.name}"] = field.company @ field.company.T
    return {field.name: field.words for field in fields}, numbers


def _digest(data: bytes | None) -> str:
    return blake2b(data or b"", digest_size=12).hexdigest()
