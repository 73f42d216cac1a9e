"""Where a picture comes to lie in its square, and which pixels a model was trained on."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.adapters.encoder_onnx_pixels import (
    FILTERS,
    RESIZES,
    letterbox,
    prepared,
    shortest_edge,
    squash,
)
from lookalike.adapters.encoder_onnx_preset import ImageGraph, pattern
from lookalike.core.types import Pixels


def blank(height: int, width: int, level: int = 40) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    picture = pattern(64, 64, 5)
    square = letterbox(picture, 64, 255)
    np.testing.assert_array_equal(square, picture)
    square[:] = 0
    assert picture.any()


@pytest.mark.parametrize(
    ("height", "width", "inside"),
    [
        (10, 20, np.s_[5:15, :]),
        (9, 20, np.s_[5:14, :]),
        (20, 9, np.s_[:, 5:14]),
        (100, 200, np.s_[5:15, :]),
        (2, 4, np.s_[5:15, :]),
        (1, 2000, np.s_[9:10, :]),
        (2000, 1, np.s_[:, 9:10]),
        (1, 1, np.s_[:, :]),
    ],
)
def test_it_lies_in_the_middle_whole_and_in_proportion(
    height: int, width: int, inside: tuple[slice, slice]
) -> None:
    expected = blank(20, 20, 255)
    expected[inside] = 40
    np.testing.assert_array_equal(letterbox(blank(height, width), 20, 255), expected)


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size_px=st.integers(1, 70),
    level=st.integers(0, 255),
)
@settings(max_examples=200, deadline=None)
def test_a_plain_picture_stays_plain_whatever_its_size(
    height: int, width: int, size_px: int, level: int
) -> None:
    square = letterbox(blank(height, width, level), size_px, 255 - level)
    assert square.dtype == np.uint8
    assert square.shape == (size_px, size_px, 3)
    assert set(np.unique(square)) <= {level, 255 - level}
    inside = (square == level).all(axis=2)
    seen = max(inside.any(axis=1).sum(), inside.any(axis=0).sum())
    assert seen == size_px


def test_strides_and_write_protection_do_not_matter() -> None:
    view = pattern(200, 150, 2)[::2, ::-1]
    view.setflags(write=False)
    np.testing.assert_array_equal(letterbox(view, 48, 0), letterbox(view.copy(), 48, 0))


def test_the_quick_way_to_shrink_is_close_to_the_slow_one() -> None:
    picture = pattern(600, 800, 1)
    quick = letterbox(picture, 96, 255)[12:84].astype(int)
    slow = np.asarray(Image.fromarray(picture).resize((96, 72), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(quick - slow).mean() < 2


TRAINED_ON = {
    (11, 50): (255, 255, 255),
    (12, 0): (25, 68, 116),
    (40, 7): (137, 94, 151),
    (48, 48): (110, 171, 215),
    (60, 90): (84, 151, 221),
    (83, 95): (36, 116, 171),
}
"""(row, column) -> RGB. A filter of another kind is off by more than 3 on average."""


def test_the_pixels_that_models_were_trained_on() -> None:
    square = letterbox(pattern(600, 800, 1), 96, 255)
    found = [square[place] for place in TRAINED_ON]
    np.testing.assert_allclose(found, list(TRAINED_ON.values()), atol=1)


def graph(resize: str, size_px: int, resize_px: int | None = None, **given: object) -> ImageGraph:
    names = {"file": "image.onnx", "input": "pixels", "output": "vectors"}
    square = {
        "resize": resize,
        "size_px": size_px,
        "resize_px": resize_px,
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
    }
    return ImageGraph(**names, **(square | given))


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size_px=st.integers(1, 70),
    more_px=st.integers(0, 20),
    resize=st.sampled_from(sorted(RESIZES)),
    interpolation=st.sampled_from(sorted(FILTERS)),
)
@settings(max_examples=200, deadline=None)
def test_every_way_fills_a_square_with_a_plain_picture(
    height: int, width: int, size_px: int, more_px: int, resize: str, interpolation: str
) -> None:
    how = graph(resize, size_px, size_px + more_px, interpolation=interpolation, fill=40)
    square = RESIZES[resize](blank(height, width), how)
    np.testing.assert_array_equal(square, blank(size_px, size_px))
    batch = prepared([blank(height, width)] * 2, how)
    assert (batch.dtype, batch.shape) == (np.float32, (2, 3, size_px, size_px))
    np.testing.assert_allclose(batch, 40 / 255, atol=1e-6)


def test_squashing_keeps_all_and_cropping_the_middle() -> None:
    picture = blank(40, 120)
    picture[:, :40], picture[:, 80:] = 0, 255
    assert set(np.unique(shortest_edge(picture, 40, 40, FILTERS["bilinear"]))) == {40}
    squashed = squash(picture, 42, FILTERS["bilinear"])
    assert (squashed[0, 0, 0], squashed[0, 21, 0], squashed[0, 41, 0]) == (0, 40, 255)
    wider = shortest_edge(picture, 40, 60, FILTERS["bilinear"])
    assert set(np.unique(wider)) == {40}


@pytest.mark.parametrize("shape", [(1, 500_000), (500_000, 1), (2, 400_001)])
def test_a_thread_of_a_picture_does_not_fill_the_memory(shape: tuple[int, int]) -> None:
    tracemalloc.start()
    try:
        square = shortest_edge(np.zeros((*shape, 3), np.uint8), 224, 256, FILTERS["bicubic"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert square.shape == (224, 224, 3)
    assert peak < 30_000_000


def test_a_long_picture_is_cut_to_its_middle_without_a_shift() -> None:
    picture = pattern(16, 1200, 3)
    long = shortest_edge(picture, 32, 32, FILTERS["bicubic"])
    np.testing.assert_array_equal(long, shortest_edge(picture[:, 500:700], 32, 32, FILTERS["bicubic"]))
