"""Only indexing takes the heap of the whole program from the garbage collector; writers side by side leave it alone."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import lookalike
from lookalike.core.types import Pixels, Vectors


class Noting:
    """An encoder that notes whether the heap is frozen."""

    name, fingerprint, dim, aligned = "noting", "v1", 4, False
    sees, reads = True, True

    def __init__(self) -> None:
        self.frozen: list[bool] = []

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        return self._encode(images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts)

    def _encode(self, inputs: Sequence[object]) -> Vectors:
        self.frozen.append(gc.get_freeze_count() > 0)
        return np.full((len(inputs), self.dim), 0.5, np.float32)


def test_indexing_freezes_the_heap_and_writing_a_product_does_not(tmp_path: Path) -> None:
    noting = Noting()
    with lookalike.open(tmp_path / "shop.db", encoder=noting) as shop:
        shop.upsert([{"id": "1", "title": "red shirt"}])
        assert noting.frozen and not any(noting.frozen)
        noting.frozen.clear()
        shop.index([{"id": "2", "title": "blue shirt"}])
        assert noting.frozen and all(noting.frozen)
    assert gc.get_freeze_count() == 0
