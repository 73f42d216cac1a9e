"""An Encoder whose vectors are remembered: itself an Encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np

from lookalike.core.ports import Cache, Encoder
from lookalike.core.types import Pixels, Vectors, content_hash


class CachedEncoder:
    """Wraps an encoder with a Cache, keyed by its fingerprint and the content.

    Equal inputs are encoded once, also those of callers that ask at the same time. Safe to use from threads.
    """

    def __init__(self, encoder: Encoder, cache: Cache) -> None:
        self._encoder = encoder
        self._cache = cache
        self._lock = Lock()
        self._coming: dict[str, Future[bytes | None]] = {}
        """What is being encoded now; it comes to None if that fails."""
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dim = encoder.dim
        self.aligned = encoder.aligned
        self.sees = encoder.sees
        self.reads = encoder.reads

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        keys = [f"image:{image.shape}:{content_hash(image.tobytes())}" for image in images]
        return self._through_cache(keys, images, self._encoder.encode_images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        # Hashed, as phrases may be long; half characters, which no encoding knows, are told apart as well.
        keys = [f"text:{content_hash(text.encode(errors='surrogatepass'))}" for text in texts]
        return self._through_cache(keys, texts, self._encoder.encode_texts)

    def _through_cache(
        self, keys: Sequence[str], inputs: Sequence[Any], encode: Callable[[Sequence[Any]], Vectors]
    ) -> Vectors:
        full_keys = [f"{self.fingerprint}:{key}" for key in keys]
        held = {key: self._cache.get(key) for key in dict.fromkeys(full_keys)}
        missing = {key: each for key, each in zip(full_keys, inputs, strict=True) if held[key] is None}
        if missing:
            held |= self._made_or_awaited(missing, encode)
        if not full_keys:
            return np.zeros((0, self.dim), np.float32)
        return np.stack([np.frombuffer(held[key] or b"", np.float32) for key in full_keys])

    def _made_or_awaited(
        self, missing: Mapping[str, Any], encode: Callable[[Sequence[Any]], Vectors]
    ) -> dict[str, bytes]:
        """Encode what is not in the cache, unless another caller is about to: then wait for that."""
        with self._lock:
            awaited = {key: self._coming[key] for key in missing if key in self._coming}
            ours: dict[str, Future[bytes | None]] = {key: Future() for key in missing if key not in awaited}
            self._coming |= ours
        made: dict[str, bytes] = {}
        try:
            made |= self._made({key: missing[key] for key in ours}, encode)
        finally:  # all of ours come to something before we wait for others, so nobody waits in a circle
            with self._lock:
                for key in ours:
                    del self._coming[key]
            for key, future in ours.items():
                future.set_result(made.get(key))
        came = {key: future.result() for key, future in awaited.items()}
        made |= {key: vector for key, vector in came.items() if vector is not None}
        # Another caller's call may have failed for a reason of its own, such as a bad picture beside ours.
        return made | self._made({key: missing[key] for key in missing if key not in made}, encode)

    def _made(
        self, missing: Mapping[str, Any], encode: Callable[[Sequence[Any]], Vectors]
    ) -> dict[str, bytes]:
        """Encode, and remember."""
        vectors = encode(list(missing.values())) if missing else ()
        made = {key: vector.tobytes() for key, vector in zip(missing, vectors, strict=True)}
        for key, vector in made.items():
            self._cache.set(key, vector)
        return made
