"""What the trained encoder has to beat: MobileNetV2 features, an HSV histogram, and the two mixed.

The MobileNetV2 (Sandler and others, 2018; ImageNet) is a quantised TensorFlow Lite file, such as
mobilenet_v2_1.0_224_quant.tflite of google-coral/test_data. It is read from where it lies and is no part of the package.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from lookalike import wiring
from lookalike.core.errors import InputError
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows

SIDE = 224
FEATURES = 1280
COLORS = 128
MOBILENET_SHARE = 0.7
"""Of a similarity of the mixed floor; the histogram has the rest."""
POOLED = "/AvgPool"
"""How the name of the tensor ends that the classifier reads."""

_running = Lock()  # an interpreter has one set of buffers


@dataclass(frozen=True, slots=True)
class Floor:
    """An Encoder of pictures alone, made of a function uint8 [h, w, 3] pictures -> float32 [n, dim], unit rows."""

    name: str
    fingerprint: str
    dim: int
    encode_images: Callable[[Sequence[Pixels]], Vectors]
    aligned: bool = False
    sees: bool = True
    reads: bool = False

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed no phrases -> float32 [0, dim]; raise InputError for any: a floor knows no words."""
        if texts:
            raise InputError(
                f"the encoder {self.name} cannot encode text", hint="Index a catalogue without titles."
            )
        return np.empty((0, self.dim), np.float32)


def hsv() -> Floor:
    """Return the histogram floor."""
    return Floor("hsv", "hsv-8x4x4", COLORS, hsv_histogram)


def mobilenet(model: Path) -> Floor:
    """Return the floor of MobileNetV2 features, compared by cosine."""
    return Floor(
        "mobilenet",
        f"mobilenet-{_digest(model)}",
        FEATURES,
        lambda images: unit_rows(pooled_features(model, images), FEATURES),
    )


def mix(model: Path) -> Floor:
    """Return the floor whose similarities are 0.7 of those of MobileNetV2 and 0.3 of those of the histogram."""

    def encode(images: Sequence[Pixels]) -> Vectors:
        seen = unit_rows(pooled_features(model, images), FEATURES) * np.float32(MOBILENET_SHARE**0.5)
        colors = hsv_histogram(images) * np.float32((1 - MOBILENET_SHARE) ** 0.5)
        return unit_rows(np.hstack([seen, colors]), FEATURES + COLORS)

    return Floor("mix", f"mix-{_digest(model)}", FEATURES + COLORS, encode)


def hsv_histogram(images: Sequence[Pixels]) -> Vectors:
    """Count hue, saturation and value in 8 x 4 x 4 bins, as square roots -> float32 [n, 128], unit rows."""
    out = np.empty((len(images), COLORS), np.float32)
    for row, pixels in zip(out, images, strict=True):
        small = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX).convert("HSV")
        hue, saturation, value = np.asarray(small).reshape(-1, 3).T.astype(np.int64)
        row[:] = np.bincount((hue >> 5) * 16 + (saturation >> 6) * 4 + (value >> 6), minlength=COLORS)
    return np.asarray(np.sqrt(out / out.sum(axis=1, keepdims=True)))


def pooled_features(model: Path, images: Sequence[Pixels]) -> Vectors:
    """Return what MobileNetV2 hands its classifier: uint8 [h, w, 3] pictures of any size -> float32 [n, 1280], >= 0.

    Pictures are squashed to 224 x 224. The rows are dequantised, in steps of 0.0235, and not of unit length. Some 7 ms of
    one processor a picture; one call runs at a time.
    """
    interpreter, read, pooled = _interpreter(model)
    rows = np.empty((len(images), FEATURES), np.float32)
    scale, zero = pooled["quantization"]
    with _running:
        for row, pixels in zip(rows, images, strict=True):
            interpreter.set_tensor(read, _squashed(pixels)[None])
            interpreter.invoke()
            row[:] = interpreter.get_tensor(pooled["index"]).reshape(-1)
    return (rows - np.float32(zero)) * np.float32(scale)


def _squashed(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels)
    if picture.size != (SIDE, SIDE):
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(picture)


@lru_cache(maxsize=1)
def _interpreter(model: Path) -> tuple[Any, int, dict[str, Any]]:
    """Return an interpreter, the number of its input, and what it says of the tensor before the classifier."""
    make = wiring.load("ai_edge_litert.interpreter:Interpreter")
    with warnings.catch_warnings():  # keeping all tensors costs memory, 10 MB here, and under a millisecond
        warnings.simplefilter("ignore", UserWarning)
        interpreter = make(str(model), num_threads=1, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    [pooled] = [t for t in interpreter.get_tensor_details() if t["name"].endswith(POOLED)]
    if tuple(pooled["shape"]) != (1, 1, 1, FEATURES):
        raise InputError(
            f"{model} pools to {tuple(pooled['shape'])}", hint="Give a MobileNetV2 of width 1.0."
        )
    return interpreter, interpreter.get_input_details()[0]["index"], pooled


def _digest(model: Path) -> str:
    return blake2b(model.read_bytes(), digest_size=4).hexdigest()
