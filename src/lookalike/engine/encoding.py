"""An Encoder whose vectors are remembered: itself an Encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lookalike.core.ports import Cache, Encoder
from lookalike.core.types import Pixels, Vectors, content_hash


class CachedEncoder:
    """Wraps an encoder with a Cache, keyed by its fingerprint and the content; several equal inputs are encoded once."""

    def __init__(self, encoder: Encoder, cache: Cache) -> None:
        self._encoder = encoder
        self._cache = cache
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dim = encoder.dim
        self.aligned = encoder.aligned

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        keys = [f"image:{image.shape}:{content_hash(image.tobytes())}" for image in images]
        return self._through_cache(keys, images, self._encoder.encode_images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._through_cache([f"text:{text}" for text in texts], texts, self._encoder.encode_texts)

    def _through_cache(
        self, keys: Sequence[str], inputs: Sequence[Any], encode: Callable[[Sequence[Any]], Vectors]
    ) -> Vectors:
        full_keys = [f"{self.fingerprint}:{key}" for key in keys]
        held = {key: self._cache.get(key) for key in dict.fromkeys(full_keys)}
        missing = {key: each for key, each in zip(full_keys, inputs, strict=True) if held[key] is None}
        if missing:
            for key, vector in zip(missing, encode(list(missing.values())), strict=True):
                held[key] = vector.tobytes()
                self._cache.set(key, vector.tobytes())
        if not full_keys:
            return np.zeros((0, self.dim), np.float32)
        return np.stack([np.frombuffer(held[key] or b"", np.float32) for key in full_keys])
