"""The encoder that is always there: hand-made descriptors for pictures, hashed n-grams for text.

Nothing is downloaded and nothing was trained. How pictures become vectors is in `encoder_builtin_images`, how phrases do in
`encoder_builtin_texts`. Sums run in float64: batch size and thread count leave no trace in the float32 result.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np

from lookalike.adapters import encoder_builtin_images, encoder_builtin_texts
from lookalike.adapters.encoder_builtin_images import CHUNK, describe, squeeze
from lookalike.adapters.encoder_builtin_texts import DIM, phrase_vector
from lookalike.core.types import Pixels, Vectors

VERSION: Final = 1
"""Raise it when the same constants begin to mean something else."""


class BuiltinEncoder:
    """Implements the `Encoder` port without a model; see the two halves for how. Stateless, so safe in threads."""

    name = "builtin"
    dim = DIM
    aligned = False

    @property
    def fingerprint(self) -> str:
        """Name, version and a hash of every constant of the two halves, in the order they stand there."""
        halves = (vars(encoder_builtin_images), vars(encoder_builtin_texts))
        constants: dict[str, object] = {"VERSION": VERSION}
        for half in halves:
            constants |= {name: value for name, value in half.items() if name.isupper()}
        return f"builtin-{VERSION}-{blake2b(repr(constants).encode(), digest_size=4).hexdigest()}"

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] RGB pictures of any size -> float32 [n, 384], unit rows, in order."""
        out = np.empty((len(images), DIM), np.float32)
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            out[start : start + len(chunk)] = describe(np.stack([squeeze(pixels) for pixels in chunk]))
        return out

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, 384], unit rows, in order."""
        out = np.empty((len(texts), DIM), np.float32)
        for row, text in zip(out, texts, strict=True):
            row[:] = phrase_vector(text)
        return out
