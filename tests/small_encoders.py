"""Encoders that are crude, but real functions of what they are given: of several lengths, and not all of them see or read."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.core.types import Pixels, Vectors, content_hash

COLORS = {"red": (220, 30, 30), "green": (30, 170, 40), "blue": (30, 40, 220), "white": (245, 245, 245)}
KINDS = ("shirt", "lamp", "mug", "rug", "vase")
NAMED = (*COLORS, *KINDS)


class SmallEncoder:
    """Projects colours, and counts of words, with a matrix of its own; `version` makes it another one."""

    def __init__(
        self,
        name: str,
        dim: int,
        *,
        sees: bool = True,
        reads: bool = True,
        aligned: bool = False,
        version: int = 1,
    ) -> None:
        self.name, self.dim, self.sees, self.reads, self.aligned = name, dim, sees, reads, aligned
        self.fingerprint = f"{name}-{version}"
        seed = int(content_hash(self.fingerprint), 16) % 2**32
        rng = np.random.default_rng(seed)
        self._of_colors = rng.standard_normal((len(COLORS), dim))
        self._of_words = rng.standard_normal((64, dim))
        self.pictures = self.phrases = 0
        """How many were encoded."""

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        if not self.sees:
            raise InputError(f"{self.name} does not see", code="model")
        self.pictures += len(images)
        rows = [self._looks(image.reshape(-1, 3).mean(axis=0)) for image in images]
        return _unit(np.array(rows).reshape(-1, self.dim))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        if not self.reads:
            raise InputError(f"{self.name} does not read", code="model")
        self.phrases += len(texts)
        return _unit(np.array([self._reads(text) for text in texts]).reshape(-1, self.dim))

    def _looks(self, color: np.ndarray) -> np.ndarray:
        far = np.abs(np.array(list(COLORS.values())) - color).sum(axis=1)
        return np.asarray(np.exp(-far / 60.0) @ self._of_colors + 1e-3)

    def _reads(self, text: str) -> np.ndarray:
        words = text.lower().split()
        if self.aligned and any(word in COLORS for word in words):
            return np.asarray(self._looks(np.mean([COLORS[w] for w in words if w in COLORS], axis=0)))
        return np.asarray(
            sum((self._of_words[int(content_hash(w), 16) % 64] for w in words), np.full(self.dim, 1e-3))
        )


def _unit(rows: np.ndarray) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def drawn(color: tuple[int, ...], seed: int = 0) -> bytes:
    """Return a small JPEG of one colour with a little noise, so that no two have the same bytes."""
    noise = np.random.default_rng(seed).integers(-12, 13, (24, 18, 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=90)
    return data.getvalue()


def rows(count: int, first: int = 0) -> list[dict[str, object]]:
    """Return rows of a catalogue whose pictures are inside it: each kind in each colour, again and again."""
    colors = list(COLORS)
    found: list[dict[str, object]] = []
    for number in range(first, first + count):
        color, kind = colors[number % 4], KINDS[number // 4 % 5]
        data = base64.b64encode(drawn(COLORS[color], number)).decode()
        found.append(
            {
                "id": f"P{number:03d}",
                "title": f"{color} {kind} number {number}",
                "description": f"a {kind} of the {number % 7}th series",
                "price": 5.0 + number,
                "brand": "ABC"[number % 3],
                "image": f"data:image/jpeg;base64,{data}",
            }
        )
    return found
