"""Boxes cut out of pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import ImageError
from lookalike.core.images import Box, crop


def picture(height: int, width: int) -> np.ndarray:
    """Every pixel different, so that a crop says where it was cut: (row, column, 0)."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * 0], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0, 0, 1, 1), (0, 10), (0, 20)),
        ((0.5, 0, 0.5, 1), (0, 10), (10, 20)),
        ((0.25, 0.5, 0.5, 0.3), (5, 8), (5, 15)),
        ((0.1, 0.7, 0.2, 0.1), (7, 8), (2, 6)),  # 0.1 + 0.2 is a little more than 0.3
        ((0.26, 0.55, 0.01, 0.01), (5, 6), (5, 6)),
        ((0.999, 0.999, 1e-9, 1e-9), (9, 10), (19, 20)),
        ((1, 1, 1e-7, 1e-7), (9, 10), (19, 20)),
    ],
)
def test_every_pixel_the_box_touches(box: Box, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    cut = crop(picture(10, 20), box)
    assert np.array_equal(cut, picture(10, 20)[slice(*rows), slice(*columns)])
    assert cut.flags.owndata
    assert cut.flags.c_contiguous


@pytest.mark.parametrize(
    "box",
    [
        *((0, 0, 0, 1), (0, 0, 1, 0), (-0.1, 0, 0.5, 0.5), (0, -0.1, 0.5, 0.5), (0.6, 0, 0.5, 1)),
        *((0, 0.6, 1, 0.5), (0, 0, -1, 1), (1.5, 0, 0.1, 1), (10, 20, 100, 200)),
        *((math.nan, 0, 1, 1), (0, 0, 1, math.nan), (0, 0, math.inf, 1), (-math.inf, 0, math.inf, 1)),
    ],
)
def test_boxes_that_are_none(box: Box) -> None:
    with pytest.raises(ImageError, match="does not lie in the picture") as caught:
        crop(picture(10, 20), box)
    assert "0 to 1" in caught.value.hint


SHARE = st.floats(0, 1, allow_subnormal=False)


@given(st.integers(1, 40), st.integers(1, 40), SHARE, SHARE, SHARE, SHARE)
def test_a_box_in_the_picture_gives_at_least_a_pixel(
    height: int, width: int, x: float, y: float, w: float, h: float
) -> None:
    w, h = min(w, 1 - x), min(h, 1 - y)
    if w > 0 and h > 0:
        cut = crop(picture(height, width), (x, y, w, h))
        assert cut.size
        assert abs(cut.shape[0] - h * height) < 2
        assert abs(cut.shape[1] - w * width) < 2
