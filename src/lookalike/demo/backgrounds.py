"""Backgrounds: studio paper, surfaces seen from above, walls with a table, and the sky."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lookalike.demo.palette import Rgb, jitter, lighter
from lookalike.demo.surfaces import Plane, grain, noise

Picture = Image.Image
Size = tuple[int, int]

SHADOW: Final[Rgb] = (38, 30, 48)
STUDIO: Final[tuple[Rgb, ...]] = (
    (255, 255, 255),
    (254, 254, 254),
    (250, 248, 244),
    (240, 240, 241),
    (230, 231, 233),
    (247, 233, 229),
    (229, 238, 246),
    (231, 241, 232),
    (246, 240, 220),
    (237, 231, 245),
)
WALLS: Final[tuple[Rgb, ...]] = (
    (214, 176, 158),
    (176, 196, 186),
    (168, 190, 212),
    (232, 208, 150),
    (222, 190, 198),
    (196, 186, 212),
    (226, 220, 208),
    (134, 158, 160),
)
WOODS: Final[tuple[Rgb, ...]] = ((196, 156, 112), (150, 108, 74), (218, 192, 158), (112, 84, 66))


def _lit(plane: Plane, color: Rgb) -> Picture:
    """Return `color` scaled by a brightness plane, float32 `[h, w]` about 1."""
    lit = plane[:, :, None] * np.asarray(color, dtype=np.float32)
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def axes(size: Size) -> tuple[Plane, Plane]:
    """Return x `[1, w]` and y `[h, 1]`, -1..1."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    return x, np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]


def studio(size: Size, pose: str, rng: Random) -> Picture:
    """Return a plain studio background: white, grey or pastel, a little darker towards the corners."""
    color = rng.choice(STUDIO) if rng.random() < 0.65 else STUDIO[0]
    x, y = axes(size)
    light = 1.0 - rng.uniform(0.02, 0.06) * (x**2 + y**2)
    if pose == "stand" and min(color) < 250:
        horizon = rng.uniform(0.35, 0.5)
        light = light - 0.05 / (1 + np.exp(-(y - horizon) * 22)) + 0.04 * np.maximum(0, y - horizon)
    return _lit(light, color)


def surroundings(size: Size, pose: str, rng: Random) -> Picture:
    """Return a lived-in background: a surface from above, a wall, or a wall and a table."""
    if pose == "air":
        return sky(size, rng)
    if pose == "flat":
        name = rng.choice(tuple(SURFACES))
        return SURFACES[name](size, rng)
    wall = plaster(size, rng)
    if rng.random() < 0.6:
        wall.paste((255, 246, 224), mask=_window_light(size, rng))
    if pose == "stand":
        _add_table(wall, rng)
    return wall


def _cut(plane: Plane, size: Size, rng: Random) -> Plane:
    """Return a random window of a 640 px plane."""
    left, top = rng.randrange(plane.shape[1] - size[0] + 1), rng.randrange(plane.shape[0] - size[1] + 1)
    return plane[top : top + size[1], left : left + size[0]]


@cache
def _mottle() -> Plane:
    return np.asarray(
        0.03 * noise(6, 501) + 0.02 * noise(14, 502) + 0.012 * noise(40, 504) + 0.02 * noise(200, 503),
        dtype=np.float32,
    )


@cache
def _blades() -> Plane:
    near, far = noise(320, 510, (3, 1)), noise(400, 511, (4, 1))
    return np.asarray(0.16 * np.maximum(near, far) + 0.1 * far + 0.06 * noise(24, 520), dtype=np.float32)


@cache
def _veins() -> Plane:
    return np.asarray(
        0.8 * noise(4, 530) + 0.4 * noise(9, 531) + 0.2 * noise(20, 532) + 0.1 * noise(44, 533),
        dtype=np.float32,
    )


def plaster(size: Size, rng: Random) -> Picture:
    """A painted wall."""
    x, y = axes(size)
    return _lit(1.0 + _cut(_mottle(), size, rng) - 0.06 * x - 0.05 * y, jitter(rng.choice(WALLS), rng))


def planks(size: Size, rng: Random) -> Picture:
    """Wooden boards, level or upright."""
    upright = rng.random() < 0.5
    width, height = (size[1], size[0]) if upright else size
    board = rng.choice((54, 68, 84))
    plane = 1.0 + _cut(grain("wood"), (width, height), rng)
    rows = (np.arange(height) + rng.randrange(board)) // board
    tones = np.array([rng.uniform(-0.07, 0.07) for _ in range(int(rows.max()) + 1)], dtype=np.float32)
    plane = plane + tones[rows][:, None]
    plane[np.flatnonzero(np.diff(rows))] *= 0.62
    # Neighbouring boards come from different trees: slide each row of grain sideways.
    offsets = [rng.randrange(width) for _ in range(int(rows.max()) + 1)]
    for row, offset in enumerate(offsets):
        plane[rows == row] = np.roll(plane[rows == row], offset, axis=1)
    return _lit(plane.T if upright else plane, jitter(rng.choice(WOODS), rng))


def tiles(size: Size, rng: Random) -> Picture:
    """Glazed tiles with pale joints."""
    side = rng.choice((48, 64, 80))
    x, y = np.arange(size[0])[None, :], np.arange(size[1])[:, None]
    u, v = (x + rng.randrange(side)), (y + rng.randrange(side))
    tone = np.random.default_rng(rng.getrandbits(32)).uniform(-0.05, 0.05, (12, 12)).astype(np.float32)
    plane = 1.0 + tone[v // side % 12, u // side % 12] + _cut(_mottle(), size, rng)
    plane = plane + 0.05 * (1 - (u % side) / side - (v % side) / side)
    picture = _lit(plane.astype(np.float32), jitter(lighter(rng.choice(WALLS), 0.35), rng))
    joint = ((u % side < 2) | (v % side < 2)).astype(np.uint8) * 200
    picture.paste((236, 232, 226), mask=Image.fromarray(joint))
    return picture


def grass(size: Size, rng: Random) -> Picture:
    """A lawn."""
    return _lit(1.0 + 1.3 * _cut(_blades(), size, rng), jitter((112, 158, 84), rng))


def sand(size: Size, rng: Random) -> Picture:
    """Sand with faint ripples."""
    _, y = axes(size)
    ripples = 0.035 * np.sin(y * 22 + 9 * _cut(_mottle(), size, rng) * 10)
    return _lit(1.0 + ripples + _cut(grain("felt"), size, rng), jitter((228, 204, 164), rng))


def concrete(size: Size, rng: Random) -> Picture:
    """Smooth concrete."""
    return _lit(1.0 + 1.4 * _cut(_mottle(), size, rng), jitter((190, 190, 188), rng))


def linen(size: Size, rng: Random) -> Picture:
    """A tablecloth with soft folds."""
    x, y = axes(size)
    folds = 0.05 * np.sin(3.2 * (x + 0.5 * y) + rng.uniform(0, 6)) + 0.03 * np.sin(7 * (x - 0.8 * y))
    color = lighter(rng.choice(WALLS), rng.uniform(0.2, 0.6))
    return _lit(1.0 + folds + 0.7 * _cut(grain("canvas"), size, rng), jitter(color, rng))


def marble_top(size: Size, rng: Random) -> Picture:
    """A pale marble table top."""
    flow = _cut(_veins(), size, rng)
    veins = np.exp(-np.abs(flow) * 34) * 0.16 + np.exp(-np.abs(flow - 0.3) * 60) * 0.08
    return _lit(1.0 - veins + 0.05 * flow, jitter((243, 242, 240), rng))


def sky(size: Size, rng: Random) -> Picture:
    """A blue sky with clouds."""
    _, y = axes(size)
    color = jitter((126, 178, 226), rng)
    picture = _lit(1.0 + 0.09 * y + np.zeros((1, size[0]), dtype=np.float32), color)
    clouds = _cut(_veins(), size, rng) * 1.1 - 0.15
    picture.paste((255, 255, 255), mask=Image.fromarray((np.clip(clouds, 0, 0.85) * 255).astype(np.uint8)))
    return picture


SURFACES: Final[dict[str, Callable[[Size, Random], Picture]]] = {
    "planks": planks,
    "tiles": tiles,
    "grass": grass,
    "sand": sand,
    "concrete": concrete,
    "linen": linen,
    "marble": marble_top,
    "paint": plaster,
}


def _window_light(size: Size, rng: Random) -> Picture:
    """Return a mask of slanted window light: four panes, soft."""
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    left, top, slant = (
        rng.uniform(-0.1, 0.4) * size[0],
        rng.uniform(-0.1, 0.2) * size[1],
        rng.uniform(0.2, 0.5),
    )
    wide, tall = size[0] * 0.22, size[1] * 0.28
    for column in range(2):
        for row in range(2):
            x, y = left + column * wide * 1.12, top + row * tall * 1.1
            corners = ((x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall))
            pen.polygon([(px + (py - top) * slant, py + (px - left) * 0.12) for px, py in corners], fill=96)
    return mask.filter(ImageFilter.GaussianBlur(3.5))


def _add_table(wall: Picture, rng: Random) -> None:
    """Paste a table or floor over the lower part of a wall."""
    width, height = wall.size
    top = round(height * rng.uniform(0.68, 0.76))
    make = rng.choice((planks, planks, marble_top, concrete, linen))
    surface = make((width, height), rng).resize((width, height - top))
    wall.paste(surface, (0, top))
    edge = Image.new("L", wall.size)
    ImageDraw.Draw(edge).rectangle((0, top - 3, width, top + 1), fill=90)
    wall.paste(SHADOW, mask=edge.filter(ImageFilter.GaussianBlur(2.5)))
