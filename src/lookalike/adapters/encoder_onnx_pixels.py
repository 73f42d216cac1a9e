"""How a picture of any size becomes the square a model was trained on: one row of RESIZES per way of doing it.

Training uses these same functions, so that what a model sees when it serves is what it saw when it learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PIL import Image

from lookalike.core.types import Pixels

REDUCING_GAP: Final = 2.0
"""A picture more than twice too large is first averaged over whole pixels, to no less than twice the size wanted: that is
several times faster than a cubic filter over all of it, and hardly to be told from it."""

Resize = Callable[[Pixels, int, int], Pixels]
"""Picture [h, w, 3], side of the square in pixels, grey level for what stays empty -> uint8 [side, side, 3]."""


def letterbox(pixels: Pixels, size_px: int, fill: int) -> Pixels:
    """Scale so that the longer side fills a square, centre it, and leave the rest grey -> uint8 [size_px, size_px, 3].

    The whole picture stays in sight and keeps its proportions; a side never shrinks below one pixel. An odd pixel of
    margin goes to the right or to the bottom.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    rows, columns = max(1, round(height * size_px / longer)), max(1, round(width * size_px / longer))
    if (rows, columns) != (height, width):
        picture = Image.fromarray(pixels)
        scaled = picture.resize((columns, rows), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
        pixels = np.asarray(scaled)
    square = np.full((size_px, size_px, 3), fill, np.uint8)
    top, left = (size_px - rows) // 2, (size_px - columns) // 2
    square[top : top + rows, left : left + columns] = pixels
    return square


RESIZES: Final[Mapping[str, Resize]] = {"letterbox": letterbox}
"""What a preset can ask for. Another model's way (squash, shortest edge) is one more function and one more row."""
