"""How a picture of any size becomes the square a model was trained on: one row of RESIZES per way of doing it.

Training uses these same functions, so that what a model sees when it serves is what it saw when it learned. Models from
elsewhere learned from what their own preparation made: `squash` and `shortest_edge` give the pixels of the processors in
Hugging Face's transformers, bit by bit, and so take no short cuts (their `image_transforms.py`: the longer side is cut to whole
pixels, the middle is rounded down).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike.core.types import Pixels

REDUCING_GAP: Final = 2.0
"""A picture more than twice too large is first averaged over whole pixels, to no less than twice the size wanted: that is
several times faster than a cubic filter over all of it, and hardly to be told from it."""

FILTERS: Final[Mapping[str, Image.Resampling]] = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}
"""What a preset can ask for."""


class Preparation(Protocol):
    """What the TOML of a model says about its pictures; `encoder_onnx_preset` says what each means."""

    @property
    def size_px(self) -> int: ...
    @property
    def resize(self) -> str: ...
    @property
    def resize_px(self) -> int | None: ...
    @property
    def interpolation(self) -> str: ...
    @property
    def fill(self) -> int: ...
    @property
    def mean(self) -> tuple[float, float, float]: ...
    @property
    def std(self) -> tuple[float, float, float]: ...


Resize = Callable[[Pixels, Preparation], Pixels]
"""Picture [h, w, 3] -> uint8 [size_px, size_px, 3]."""


def prepared(images: Sequence[Pixels], how: Preparation) -> NDArray[np.float32]:
    """Resize and normalise pictures as a graph wants them -> float32 [n, 3, size_px, size_px]."""
    resize = RESIZES[how.resize]
    out = np.empty((len(images), 3, how.size_px, how.size_px), np.float32)
    gain = np.array([1 / (255 * std) for std in how.std], np.float32)[:, None, None]
    offset = np.array([m / std for m, std in zip(how.mean, how.std, strict=True)], np.float32)[:, None, None]
    for planes, pixels in zip(out, images, strict=True):
        np.multiply(resize(pixels, how).transpose(2, 0, 1), gain, out=planes)
        planes -= offset
    return out


def letterbox(
    pixels: Pixels, size_px: int, fill: int, resampling: Image.Resampling = Image.Resampling.BICUBIC
) -> Pixels:
    """Scale so that the longer side fills a square, centre it, and leave the rest grey -> uint8 [size_px, size_px, 3].

    The whole picture stays in sight and keeps its proportions; a side never shrinks below one pixel. An odd pixel of
    margin goes to the right or to the bottom.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    rows, columns = max(1, round(height * size_px / longer)), max(1, round(width * size_px / longer))
    if (rows, columns) != (height, width):
        picture = Image.fromarray(pixels)
        pixels = np.asarray(picture.resize((columns, rows), resampling, reducing_gap=REDUCING_GAP))
    square = np.full((size_px, size_px, 3), fill, np.uint8)
    top, left = (size_px - rows) // 2, (size_px - columns) // 2
    square[top : top + rows, left : left + columns] = pixels
    return square


def squash(pixels: Pixels, size_px: int, resampling: Image.Resampling) -> Pixels:
    """Scale both sides to the square, whatever becomes of the proportions -> uint8 [size_px, size_px, 3]."""
    return np.asarray(Image.fromarray(pixels).resize((size_px, size_px), resampling))


def shortest_edge(pixels: Pixels, size_px: int, resize_px: int, resampling: Image.Resampling) -> Pixels:
    """Scale the shorter side to `resize_px`, keep the proportions, and cut out the middle -> uint8 [size_px, size_px, 3]."""
    pixels = _middle(pixels)
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    rows, columns = int(resize_px * height / shorter), int(resize_px * width / shorter)
    scaled = np.asarray(Image.fromarray(pixels).resize((columns, rows), resampling))
    top, left = (rows - size_px) // 2, (columns - size_px) // 2
    return scaled[top : top + size_px, left : left + size_px]


def _middle(pixels: Pixels, longest: int = 32) -> Pixels:
    """Cut a picture more than 32 times as long as wide to that: scaling its ends, which nobody sees, could fill the memory."""
    height, width = pixels.shape[:2]
    most = longest * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return pixels[top : height - top, left : width - left]


RESIZES: Final[Mapping[str, Resize]] = {
    "letterbox": lambda pixels, how: letterbox(pixels, how.size_px, how.fill, FILTERS[how.interpolation]),
    "squash": lambda pixels, how: squash(pixels, how.size_px, FILTERS[how.interpolation]),
    "shortest-edge": lambda pixels, how: shortest_edge(
        pixels, how.size_px, how.resize_px or how.size_px, FILTERS[how.interpolation]
    ),
}
"""What a preset can ask for. Another model's way is one more function and one more row."""
