"""The built-in encoder's pictures: what is seen, as five blocks of numbers.

A picture becomes five blocks, each of unit length, each with a fixed weight:

    shades   the exact colours of the whole picture, on a fine palette
    colours  the colours of the product alone, on a coarse palette that forgives light and camera
    texture  local binary patterns of the product: plain, striped, rough (Ojala et al., 2002)
    outline  where the product lies, as an 8 x 4 grid
    edges    gradient orientations in the same grid (Dalal and Triggs, 2005)

What is product and what is background is told by the border: a colour that fills the border and is no more frequent inside
is background. Left and right are added up, so a shoe and its mirror image are alike. Histograms are compared by the square
roots of their bins (Hellinger).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import cos, pi, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike.core.types import Pixels

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

SIDE: Final = 64
"""Every picture is squeezed to SIDE x SIDE pixels; keeping its proportions finds fewer look-alikes."""
CHUNK: Final = 64
"""Pictures worked on at once, about 0.5 MB each at the peak."""
LEVELS: Final = 16
"""Steps per colour channel; a colour's code is one of LEVELS ** 3."""
BORDER: Final = 4
CELL: Final = 8
GRID: Final = SIDE // CELL
ORIENTATIONS: Final = 5
PATTERNS: Final = 11
CENTRE_SIGMA: Final = 20.0
"""Pixels; the product tends to be in the middle."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours that histograms count: a ladder of greys (CIE L*) and rings of (chroma, lightnesses, number of hues).

    `blur` is how far, in CIE Lab, a pixel's colour spreads to other colours of the palette.
    """

    greys: tuple[int, ...]
    rings: tuple[tuple[int, tuple[int, ...], int], ...]
    blur: float

    @property
    def size(self) -> int:
        """How many colours there are."""
        return len(self.greys) + sum(len(lightnesses) * hues for _, lightnesses, hues in self.rings)

    def colours(self) -> Floats:
        """List them in CIE Lab: float64 [size, 3]. Every other lightness of a ring is turned by half a hue."""
        found = [(float(grey), 0.0, 0.0) for grey in self.greys]
        for chroma, lightnesses, hues in self.rings:
            for level, lightness in enumerate(lightnesses):
                angles = [0.5 + 2 * pi * (hue + level % 2 / 2) / hues for hue in range(hues)]
                found += [(float(lightness), chroma * cos(angle), chroma * sin(angle)) for angle in angles]
        return np.array(found)


FINE: Final = Palette(
    (2, 9, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 95, 100),
    ((12, (20, 40, 60, 80, 92), 6), (28, (25, 45, 65, 85), 8), (48, (35, 55, 75), 10), (72, (45, 65, 80), 8)),
    blur=3.0,
)
COARSE: Final = Palette(
    (4, 20, 36, 52, 68, 84, 100),
    ((20, (25, 50, 75), 6), (48, (38, 62), 8), (72, (55,), 10)),
    blur=8.0,
)
NEAREST: Final = 3
"""Colours of the palette that share one pixel."""
LIGHTNESS_SCALE: Final = 0.7
"""Light changes lightness more than hue, so it counts less."""

WEIGHTS: Final = {"shades": 0.40, "colours": 0.25, "texture": 0.12, "outline": 0.12, "edges": 0.11}
"""Share of each block in the similarity of two pictures."""


def squeeze(pixels: Pixels) -> Pixels:
    """Resize to uint8 [64, 64, 3]."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))


def describe(pixels: NDArray[np.uint8]) -> Floats:
    """Turn uint8 [n, 64, 64, 3] into float64 [n, 384], unit rows."""
    codes = colour_codes(pixels)
    shades, colours, product = colour_blocks(codes)
    luma = (pixels @ np.array([77, 150, 29], np.int32)) >> 8  # whole numbers: equal pixels stay exactly equal
    blocks = {
        "shades": shades,
        "colours": colours,
        "texture": texture(luma, product),
        "outline": outline(product),
        "edges": edges(luma / 255.0, product),
    }
    return unit(np.concatenate([WEIGHTS[name] ** 0.5 * block for name, block in blocks.items()], axis=1))


def unit(rows: Floats) -> Floats:
    """Scale each row [n, d] to length 1; a zero row stays zero."""
    scaled: Floats = rows / np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)), 1e-12)
    return scaled


def colour_codes(pixels: NDArray[np.uint8]) -> Codes:
    """Reduce colours to int64 [n, 64, 64] codes in [0, 4096)."""
    steps = (pixels >> 4).astype(np.int64)
    return (steps[..., 0] << 8) | (steps[..., 1] << 4) | steps[..., 2]


def counts(bins: Codes, size: int, weights: Floats) -> Floats:
    """Count bins [n, ...] in [0, size) of each picture, by weight -> float64 [n, size]."""
    n = len(bins)
    flat = bins.reshape(n, -1) + np.arange(n)[:, None] * size
    return np.bincount(flat.ravel(), weights.ravel(), n * size).astype(np.float64).reshape(n, size)


def colour_blocks(codes: Codes) -> tuple[Floats, Floats, Floats]:
    """Make the blocks `shades` [n, 130] and `colours` [n, 51], and how sure each pixel is product [n, 64, 64] in [0, 1]."""
    near, amount = palette_shares(codes, FINE)
    border = background(near, amount, FINE.size)
    whole = counts(near, FINE.size, amount) / SIDE**2
    shades = np.maximum(whole - 0.7 * border, 0) + 0.2 * whole

    near, amount = palette_shares(codes, COARSE)
    border = background(near, amount, COARSE.size)
    weights = centre_weights()
    centre = counts(near, COARSE.size, amount * weights[:, :, None]) / weights.sum()
    excess = np.maximum(centre - border, 0)
    chance = (excess / (centre + 1e-6))[np.arange(len(codes))[:, None, None, None], near]
    product: Floats = (chance * amount).sum(axis=3)
    return unit(np.sqrt(shades)), unit(np.sqrt(excess + 0.03 * centre)), product


def palette_shares(codes: Codes, palette: Palette) -> tuple[Codes, Floats]:
    """Look up to which colours of a palette each pixel goes: numbers and shares [n, 64, 64, 3]."""
    near, share = table(palette)
    return near[codes], share[codes]


def background(near: Codes, amount: Floats, size: int) -> Floats:
    """Average the colours of the four sides, less the strongest of each: a product may touch one side -> [n, size]."""
    top, bottom, left = np.s_[:, :BORDER], np.s_[:, -BORDER:], np.s_[:, :, :BORDER]
    areas = (top, bottom, left, np.s_[:, :, -BORDER:])
    sides = np.stack([counts(near[area], size, amount[area]) for area in areas])
    average: Floats = (sides.sum(axis=0) - sides.max(axis=0)) / ((len(areas) - 1) * BORDER * SIDE)
    return average


def texture(luma: NDArray[np.int32], product: Floats) -> Floats:
    """Histogram the rotation-invariant binary patterns of the eight neighbours -> [n, 11], by product pixels."""
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    inner = SIDE - 2
    middle = luma[:, 1:-1, 1:-1] + 3  # less than three grey levels is noise
    brighter = [luma[:, y : y + inner, x : x + inner] > middle for y, x in around]
    ones = np.sum(brighter, axis=0, dtype=np.int64)
    turns = np.sum([a != b for a, b in pairwise([*brighter, brighter[0]])], axis=0, dtype=np.int64)
    pattern = np.where(turns <= 2, ones, np.where(turns <= 4, 9, 10))
    return unit(np.sqrt(counts(pattern, PATTERNS, product[:, 1:-1, 1:-1] + 0.05)))


def outline(product: Floats) -> Floats:
    """Average the product map in cells, left and right added -> [n, 32]; empty cells count a little, as likeness."""
    cells = product.reshape(-1, GRID, CELL, GRID, CELL).mean(axis=(2, 4))
    return unit((cells + cells[:, :, ::-1])[:, :, : GRID // 2].reshape(len(cells), -1) + 0.05)


def edges(luma: Floats, product: Floats) -> Floats:
    """Sum gradients of brightness and of the product map by cell and orientation -> [n, 160], left and right added."""
    bins = gradients(luma) + gradients(product)
    mirrored = bins[:, :, ::-1][..., -np.arange(ORIENTATIONS) % ORIENTATIONS]
    folded = np.sqrt((bins + mirrored)[:, :, : GRID // 2]).reshape(len(bins), -1)
    return unit(folded - folded.mean(axis=1, keepdims=True))


def gradients(plane: Floats) -> Floats:
    """Histogram gradient orientations, by strength, of planes [n, 64, 64] -> [n, 8, 8, 5]."""
    across, down = np.zeros_like(plane), np.zeros_like(plane)
    across[:, :, 1:-1] = plane[:, :, 2:] - plane[:, :, :-2]
    down[:, 1:-1] = plane[:, 2:] - plane[:, :-2]
    strength = np.hypot(across, down)
    angle = np.arctan2(down, across) * (ORIENTATIONS / pi) + ORIENTATIONS  # in [0, 2 * ORIENTATIONS]
    low = angle.astype(np.int64)
    upper = strength * (angle - low)
    cell = cell_numbers() * ORIENTATIONS
    size = GRID * GRID * ORIENTATIONS
    first = counts(cell + low % ORIENTATIONS, size, strength - upper)
    second = counts(cell + (low + 1) % ORIENTATIONS, size, upper)
    return (first + second).reshape(-1, GRID, GRID, ORIENTATIONS)


@cache
def cell_numbers() -> Codes:
    """Number the cell of each pixel: int64 [64, 64]."""
    cells = np.arange(SIDE) // CELL
    return cells[:, None] * GRID + cells[None, :]


@cache
def centre_weights() -> Floats:
    """Weigh pixels by nearness to the middle: float64 [64, 64]."""
    bell = np.exp(-(((np.arange(SIDE) - (SIDE - 1) / 2) / CENTRE_SIGMA) ** 2) / 2)
    return bell[:, None] * bell[None, :]


@cache
def table(palette: Palette) -> tuple[Codes, Floats]:
    """Say to which colours of the palette each colour code goes: their numbers and shares, [4096, 3] each."""
    ladder = np.arange(LEVELS) / (LEVELS - 1)
    rgb = np.stack(np.meshgrid(ladder, ladder, ladder, indexing="ij"), axis=-1).reshape(-1, 3)
    gap = (lab(rgb)[:, None] - palette.colours()[None]) * [LIGHTNESS_SCALE, 1.0, 1.0]
    square = (gap * gap).sum(axis=2)
    near = np.argsort(square, axis=1, kind="stable")[:, :NEAREST]
    square = np.take_along_axis(square, near, axis=1)
    share = np.exp((square[:, :1] - square) / (2 * palette.blur**2))
    return near, share / share.sum(axis=1, keepdims=True)


def lab(rgb: Floats) -> Floats:
    """Convert sRGB in [0, 1] [n, 3] to CIE L*a*b*, D65 (IEC 61966-2-1; CIE 15)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * (841 / 108) + 4 / 29).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
