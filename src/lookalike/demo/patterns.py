"""Patterns: what is printed or woven on a surface. One function and one row of `PATTERNS` each."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lookalike.demo.outlines import ellipse, star, turned
from lookalike.demo.palette import Rgb, Swatch, darker, lighter, mix
from lookalike.demo.surfaces import SIDE, Plane, noise

Picture = Image.Image
Wide = NDArray[np.floating]  # Python floats may widen a plane of float32 on the way
FINE: Final = 3  # stamps are drawn this much larger and averaged down
TILE: Final = 320  # pixels of a repeating tile of stamps; SIDE is a multiple of it


def _veil(coverage: Wide) -> Picture:
    """Return a coverage 0..1, float32 broadcastable to `[SIDE, SIDE]`, as a mask."""
    full = np.broadcast_to(np.clip(coverage, 0, 1) * 255, (SIDE, SIDE))
    return Image.fromarray(full.astype(np.uint8))


def _line() -> Plane:
    return np.arange(SIDE, dtype=np.float32)


def _bands(position: Wide, period: float, share: float) -> Plane:
    """Return 1 on bands that take `share` of each `period` pixels, 0 between, with one soft pixel at the edges."""
    away = np.abs(((position / period) % 1.0) - 0.5) * period
    return np.asarray(np.clip(share * period / 2 - away + 0.5, 0, 1), dtype=np.float32)


def plain(colors: Swatch, rng: Random) -> Picture:
    """One colour."""
    return Image.new("RGB", (SIDE, SIDE), colors.main)


def stripes(colors: Swatch, rng: Random) -> Picture:
    """Horizontal stripes, sometimes with a thin third colour."""
    period = rng.choice((34, 46, 64, 84))
    share = rng.choice((0.3, 0.5, 0.5))
    picture = plain(colors, rng)
    picture.paste(colors.second, mask=_veil(_bands(_line()[:, None], period, share)))
    if rng.random() < 0.35:
        picture.paste(colors.third, mask=_veil(_bands(_line()[:, None] + period / 2, period, 0.12)))
    return picture


def pinstripes(colors: Swatch, rng: Random) -> Picture:
    """Fine upright stripes."""
    picture = plain(colors, rng)
    picture.paste(colors.second, mask=_veil(_bands(_line()[None, :], rng.choice((22, 30, 38)), 0.2)))
    return picture


def checks(colors: Swatch, rng: Random) -> Picture:
    """Gingham: two sets of half-clear bands that cross."""
    period = rng.choice((36, 52, 72))
    picture = Image.new("RGB", (SIDE, SIDE), lighter(colors.second, 0.25))
    upright, level = _bands(_line()[None, :], period, 0.5), _bands(_line()[:, None], period, 0.5)
    picture.paste(colors.main, mask=_veil((upright + level) * 0.5))
    return picture


def tartan(colors: Swatch, rng: Random) -> Picture:
    """Wide bands crossed by thin bright lines."""
    period = rng.choice((96, 128, 160))
    picture = plain(colors, rng)
    rows = (
        (darker(colors.main, 0.5), 0.0, 0.42, 0.55),
        (colors.second, 0.5, 0.06, 0.75),
        (colors.third, 0.3, 0.1, 0.55),
        (colors.second, 0.0, 0.04, 0.5),
    )
    for color, offset, share, strength in rows:
        for axis in (_line()[None, :], _line()[:, None]):
            picture.paste(color, mask=_veil(_bands(axis + offset * period, period, share) * strength))
    return picture


def dots(colors: Swatch, rng: Random) -> Picture:
    """Round dots on a diagonal grid."""
    period = rng.choice((32, 44, 60, 84))
    radius = period * rng.choice((0.2, 0.27, 0.33))
    x, y = _line()[None, :], _line()[:, None]
    picture = plain(colors, rng)
    for shift in (0.0, period / 2):
        dx = (x + shift) % period - period / 2
        dy = (y + shift) % period - period / 2
        picture.paste(colors.second, mask=_veil(radius * 0.8 - np.hypot(dx, dy) + 0.5))
    return picture


def zigzag(colors: Swatch, rng: Random) -> Picture:
    """Chevrons in two or three colours."""
    period = rng.choice((48, 64, 80))
    width = rng.choice((40, 64, 80))
    x, y = _line()[None, :], _line()[:, None]
    bend = np.abs((x % width) / width - 0.5) * width * 0.9
    picture = plain(colors, rng)
    picture.paste(colors.second, mask=_veil(_bands(y + bend, period, 0.42)))
    if rng.random() < 0.5:
        picture.paste(colors.third, mask=_veil(_bands(y + bend + period / 2, period, 0.16)))
    return picture


def waves(colors: Swatch, rng: Random) -> Picture:
    """Rows of overlapping scales, as on a Japanese wave print."""
    radius = rng.choice((32, 40, 48))
    # One repeat is two scales wide and two rows high; each row hides the lower part of the row above it.
    x = np.arange(2 * radius, dtype=np.float32)[None, :]
    y = np.arange(radius, dtype=np.float32)[:, None]
    coverage = np.zeros((radius, 2 * radius), dtype=np.float32)
    for row in range(-4, 4):
        dx = (x + (row % 2) * radius) % (2 * radius) - radius
        away = np.hypot(dx, y - (row * radius / 2 + radius))
        coverage = np.where(away < radius, _bands(away, radius / 3, 0.45), coverage)
    repeats = (math.ceil(SIDE / radius), math.ceil(SIDE / (2 * radius)))
    picture = plain(colors, rng)
    picture.paste(colors.second, mask=_veil(np.tile(coverage, repeats)[:SIDE, :SIDE]))
    return picture


def camouflage(colors: Swatch, rng: Random) -> Picture:
    """Blots of four related colours."""
    seed = rng.randrange(10_000)
    cells = rng.choice((10, 13, 16))
    picture = plain(colors, rng)
    tones = (
        darker(colors.main, 0.42),
        lighter(colors.main, 0.42),
        mix(darker(colors.main, 0.65), colors.third, 0.15),
    )
    for index, color in enumerate(tones):
        blots = noise(cells, seed + index, (1, 2)) + 0.25 * noise(cells * 4, seed + 10 + index)
        picture.paste(color, mask=_veil((blots - 0.24) * 14 + 0.5))
    return picture


def gradient(colors: Swatch, rng: Random) -> Picture:
    """One colour running into the next, top to bottom."""
    picture = plain(colors, rng)
    ramp = (_line()[:, None] / SIDE - 0.18) / 0.64
    picture.paste(
        lighter(colors.second, 0.1), mask=_veil(3 * ramp.clip(0, 1) ** 2 - 2 * ramp.clip(0, 1) ** 3)
    )
    return picture


def diamonds(colors: Swatch, rng: Random) -> Picture:
    """Argyle: tall diamonds under a lattice of thin lines."""
    width, height = rng.choice(((80, 116), (104, 150), (64, 92)))
    x, y = _line()[None, :], _line()[:, None]
    picture = plain(colors, rng)
    for shift, color in ((0, colors.second), (1, colors.third)):
        u = np.abs(((x + shift * width / 2) % width) / width - 0.5)
        v = np.abs(((y + shift * height / 2) % height) / height - 0.5)
        picture.paste(color, mask=_veil((0.5 - u - v) * width * 0.8 + 0.5))
    for sign in (1, -1):
        lattice = _bands((x / width + sign * y / height) * width + width / 4, width / 2, 0.045)
        picture.paste(lighter(colors.second, 0.6), mask=_veil(lattice * 0.8))
    return picture


def color_block(colors: Swatch, rng: Random) -> Picture:
    """Three broad fields of colour."""
    picture = plain(colors, rng)
    edge = rng.uniform(0.36, 0.46) * SIDE
    slant = rng.choice((0.0, 0.0, 0.3, -0.3)) * (_line()[None, :] - SIDE / 2)
    y = _line()[:, None] + slant
    picture.paste(colors.second, mask=_veil(y - edge))
    picture.paste(colors.third, mask=_veil(y - edge - 0.2 * SIDE))
    return picture


Stamp = Callable[[ImageDraw.ImageDraw, float, float, Random], None]


def _stamped(ground: Rgb, cells: int, stamp: Stamp, rng: Random, wander: float = 0.28) -> Picture:
    """Return `ground` with one stamp near each of `cells` x `cells` places, repeating without a seam."""
    tile = Image.new("RGB", (TILE * FINE, TILE * FINE), ground)
    pen = ImageDraw.Draw(tile)
    step = TILE * FINE / cells
    places = [(c + (r % 2) / 2, r) for r in range(cells) for c in range(cells)]
    for column, row in places:
        x = (column + 0.5 + rng.uniform(-wander, wander)) * step
        y = (row + 0.5 + rng.uniform(-wander, wander)) * step
        mood = rng.getrandbits(32)
        # Drawn again across the borders, with the same random numbers, so that the tile meets itself.
        for dx in _wraps(x, step):
            for dy in _wraps(y, step):
                stamp(pen, x + dx, y + dy, Random(mood))
    small = tile.reduce(FINE)
    picture = Image.new("RGB", (SIDE, SIDE))
    for x0 in range(0, SIDE, TILE):
        for y0 in range(0, SIDE, TILE):
            picture.paste(small, (x0, y0))
    return picture


def _wraps(position: float, reach: float) -> tuple[int, ...]:
    full = TILE * FINE
    if position < reach:
        return 0, full
    return (0, -full) if position > full - reach else (0,)


def _polygon(pen: ImageDraw.ImageDraw, points: NDArray[np.float64], color: Rgb) -> None:
    pen.polygon([(x, y) for x, y in points.tolist()], fill=color)


def floral(colors: Swatch, rng: Random) -> Picture:
    """Blossoms with five or six petals, and leaves between them."""
    cells = rng.choice((3, 4, 5))
    radius = TILE * FINE / cells * 0.2
    petals = rng.choice((5, 6))
    leaf = mix((70, 128, 84), colors.main, 0.25)

    def blossom(pen: ImageDraw.ImageDraw, x: float, y: float, mood: Random) -> None:
        start, size = mood.uniform(0, 360), radius * mood.uniform(0.7, 1.15)
        petal, heart = mood.choice(((colors.second, colors.third), (colors.third, colors.second)))
        for turn in (start, start + 130):
            shape = ellipse(x + size * 1.65, y, size * 0.85, size * 0.3)
            _polygon(pen, turned(shape, turn, (x, y)), leaf)
        for index in range(petals):
            shape = ellipse(x + size * 0.72, y, size * 0.66, size * 0.46)
            _polygon(pen, turned(shape, start + index * 360 / petals, (x, y)), petal)
        _polygon(pen, ellipse(x, y, size * 0.36, size * 0.36), heart)

    return _stamped(colors.main, cells, blossom, rng)


def leopard(colors: Swatch, rng: Random) -> Picture:
    """Broken rings on a tan ground."""
    ground = lighter(mix(colors.main, (206, 164, 108), 0.35), 0.2)
    ring, heart = darker(colors.main, 0.72), mix(ground, darker(colors.main, 0.4), 0.55)
    cells = rng.choice((6, 8))
    radius = TILE * FINE / cells * 0.36

    def spot(pen: ImageDraw.ImageDraw, x: float, y: float, mood: Random) -> None:
        size, start = radius * mood.uniform(0.65, 1.05), mood.uniform(0, 360)
        _polygon(pen, turned(ellipse(x, y, size * 0.7, size * 0.55), start, (x, y)), heart)
        for index in range(3):
            shape = ellipse(x + size * 0.72, y, size * 0.3, size * mood.uniform(0.4, 0.62))
            _polygon(pen, turned(shape, start + index * 120 + mood.uniform(-15, 15), (x, y)), ring)

    return _stamped(ground, cells, spot, rng, 0.2)


def stars(colors: Swatch, rng: Random) -> Picture:
    """Small scattered stars."""
    cells = rng.choice((4, 5, 7))
    radius = TILE * FINE / cells * 0.27

    def sparkle(pen: ImageDraw.ImageDraw, x: float, y: float, mood: Random) -> None:
        color = mood.choice((colors.second, colors.second, colors.third))
        shape = star(x, y, radius * mood.uniform(0.7, 1.1))
        _polygon(pen, turned(shape, mood.uniform(-20, 20), (x, y)), color)

    return _stamped(colors.main, cells, sparkle, rng, 0.12)


def terrazzo(colors: Swatch, rng: Random) -> Picture:
    """Chips of stone set in a pale ground."""
    cells = rng.choice((6, 8))
    radius = TILE * FINE / cells * 0.44
    tones = (colors.main, colors.main, colors.second, colors.third, darker(colors.main, 0.3))

    def chip(pen: ImageDraw.ImageDraw, x: float, y: float, mood: Random) -> None:
        corners = sorted(mood.uniform(0, 360) for _ in range(6))
        reach = [radius * mood.uniform(0.55, 1.0) * mood.uniform(0.6, 1) for _ in corners]
        angles = np.radians(corners)
        points = np.stack([x + np.cos(angles) * reach, y + np.sin(angles) * reach], axis=1)
        _polygon(pen, points, mood.choice(tones))

    return _stamped(lighter(colors.main, 0.78), cells, chip, rng)


def marble(colors: Swatch, rng: Random) -> Picture:
    """Veins in a clouded ground."""
    seed = rng.randrange(10_000)
    picture = Image.new("RGB", (SIDE, SIDE), lighter(colors.main, 0.3))
    picture.paste(lighter(colors.main, 0.68), mask=_veil(0.5 + 0.6 * noise(5, seed)))
    flow = noise(5, seed + 1) + 0.5 * noise(11, seed + 2) + 0.2 * noise(26, seed + 3)
    for offset, width, color in ((0.0, 9, darker(colors.main, 0.25)), (0.4, 16, darker(colors.main, 0.45))):
        picture.paste(color, mask=_veil((1 - np.abs(flow - offset) * width) * 0.75))
    return picture


PATTERNS: Final[dict[str, Callable[[Swatch, Random], Picture]]] = {
    "plain": plain,
    "stripes": stripes,
    "pinstripes": pinstripes,
    "checks": checks,
    "tartan": tartan,
    "dots": dots,
    "zigzag": zigzag,
    "waves": waves,
    "camouflage": camouflage,
    "gradient": gradient,
    "diamonds": diamonds,
    "colour block": color_block,
    "floral": floral,
    "leopard": leopard,
    "stars": stars,
    "terrazzo": terrazzo,
    "marble": marble,
}


def printed(pattern: str, colors: Swatch, rng: Random) -> Picture:
    """Return the pattern in the given colours, RGB, `SIDE` square."""
    return PATTERNS[pattern](colors, rng)
