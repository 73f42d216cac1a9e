"""What a surface does to light: the grain of cloth, leather and wood, and the shading of a rounded form."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Plane = NDArray[np.float32]
Grain = NDArray[np.floating]  # before it is stored as float32

SIDE: Final = 640  # pixels of the square a product is drawn on: twice the size of the finished picture


def _plane(values: Grain) -> Plane:
    return np.asarray(values, dtype=np.float32)


def noise(cells: int, seed: int, stretch: tuple[int, int] = (1, 1)) -> Plane:
    """Return smooth noise in -1..1, float32 `[SIDE, SIDE]`, with about `cells` bumps across."""
    rows, columns = max(2, cells // stretch[0]), max(2, cells // stretch[1])
    coarse = np.random.default_rng(seed).uniform(-1, 1, (rows, columns)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _axes() -> tuple[Plane, Plane]:
    line = np.arange(SIDE, dtype=np.float32)
    return line[None, :], line[:, None]


def _smooth() -> Plane:
    return np.zeros((SIDE, SIDE), dtype=np.float32)


def _weave() -> Plane:
    x, y = _axes()
    threads = np.sin(x * (2 * np.pi / 6)) * np.sin(y * (2 * np.pi / 6))
    return _plane(
        0.05 * threads + 0.03 * noise(200, 1, (1, 8)) + 0.03 * noise(200, 2, (8, 1)) + 0.02 * noise(320, 3)
    )


def _canvas() -> Plane:
    x, y = _axes()
    over = np.where((x // 5 + y // 5) % 2 == 0, np.cos((x % 5 - 2) * 0.6), np.cos((y % 5 - 2) * 0.6))
    return _plane(0.14 * (over - 0.6) + 0.04 * noise(240, 4))


def _denim() -> Plane:
    x, y = _axes()
    return _plane(
        0.06 * np.sin((x + 2 * y) * (2 * np.pi / 10)) + 0.05 * noise(300, 5) + 0.05 * noise(60, 6, (12, 1))
    )


def _knit() -> Plane:
    x, y = _axes()
    column = np.abs((x % 14) / 7 - 1)  # 1 at the edges of a stitch column, 0 in its middle
    legs = np.sin((y + 7 * column) * (2 * np.pi / 11))
    return _plane(0.08 * legs - 0.12 * (column > 0.86) + 0.03 * noise(240, 7))


def _leather() -> Plane:
    return _plane(0.05 * noise(110, 8) + 0.05 * noise(200, 9) * noise(120, 10) + 0.03 * noise(24, 11))


def _felt() -> Plane:
    return 0.06 * noise(320, 12) + 0.04 * noise(120, 13)


def _plush() -> Plane:
    return 0.12 * noise(160, 14, (2, 1)) + 0.06 * noise(60, 15)


def _wood() -> Plane:
    _, y = _axes()
    rings = np.sin((y + 60 * noise(5, 16, (1, 2))) * (2 * np.pi / 26))
    return _plane(0.035 * rings + 0.06 * noise(200, 17, (1, 16)) + 0.02 * noise(300, 18))


def _brushed() -> Plane:
    return 0.05 * noise(300, 19, (1, 40))


def _straw() -> Plane:
    x, y = _axes()
    over = (x // 9 + y // 9) % 2 == 0
    return _plane(
        np.where(over, 0.11 * np.cos((x % 9 - 4) * 0.55), 0.11 * np.cos((y % 9 - 4) * 0.55) - 0.07) - 0.02
    )


def _glaze() -> Plane:
    return 0.02 * noise(40, 20) + 0.015 * noise(12, 21)


GRAINS: Final[dict[str, Callable[[], Plane]]] = {
    "smooth": _smooth,
    "weave": _weave,
    "canvas": _canvas,
    "denim": _denim,
    "knit": _knit,
    "leather": _leather,
    "felt": _felt,
    "plush": _plush,
    "wood": _wood,
    "brushed": _brushed,
    "straw": _straw,
    "glaze": _glaze,
}


@cache
def grain(name: str) -> Plane:
    """Return the grain called `name`, float32 `[SIDE, SIDE]`: how much lighter or darker, about -0.2..0.2."""
    return np.ascontiguousarray(GRAINS[name](), dtype=np.float32)


def _spans(mask: Image.Image) -> tuple[Plane, Plane]:
    """Return x as `[1, w]` and y as `[h, 1]`, both -1..1 over the mask."""
    width, height = mask.size
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return x, y


def _flat(mask: Image.Image) -> Plane:
    return np.zeros((mask.height, mask.width), dtype=np.float32)


def _pillow(mask: Image.Image) -> Plane:
    """A soft relief: edges that face the upper left are lit, the others fall into shade."""
    step, pad = 8, 3
    small = (max(2, mask.width // step), max(2, mask.height // step))
    room = Image.new("L", (small[0] + 2 * pad, small[1] + 2 * pad))
    room.paste(mask.resize(small, Image.Resampling.BOX), (pad, pad))
    radius = min(5.0, max(1.2, min(small) * 0.14))
    soft = np.asarray(room.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255
    slope = np.roll(soft, (-2, -2), (0, 1)) - np.roll(soft, (2, 2), (0, 1))
    relief = (0.34 * slope - 0.24 * (1 - soft))[pad:-pad, pad:-pad] + 0.03
    return np.asarray(Image.fromarray(relief).resize(mask.size, Image.Resampling.BICUBIC))


def _tube(mask: Image.Image) -> Plane:
    """A standing cylinder lit from the left, with a little light reflected into its right edge."""
    x, y = _spans(mask)
    return _plane(0.16 - 0.34 * (x + 0.3) ** 2 + 0.12 * np.exp(-(((x - 1) / 0.12) ** 2)) - 0.04 * y)


def _bar(mask: Image.Image) -> Plane:
    """A lying cylinder lit from above."""
    x, y = _spans(mask)
    return 0.16 - 0.34 * (y + 0.35) ** 2 - 0.0 * x


def _ball(mask: Image.Image) -> Plane:
    """A ball lit from the upper left."""
    x, y = _spans(mask)
    away = (x + 0.38) ** 2 + (y + 0.42) ** 2
    return _plane(0.26 * np.exp(-away * 2.2) + 0.06 - 0.15 * away)


def _bowl(mask: Image.Image) -> Plane:
    """A hollow form: dark where the near wall shades it, light on the far side."""
    x, y = _spans(mask)
    return _plane(0.10 * x + 0.16 * y - 0.16)


def _slope(mask: Image.Image) -> Plane:
    """A plane that leans back: lighter at the top."""
    x, y = _spans(mask)
    return -0.10 * y - 0.05 * x


LIGHTS: Final[dict[str, Callable[[Image.Image], Plane]]] = {
    "flat": _flat,
    "pillow": _pillow,
    "tube": _tube,
    "bar": _bar,
    "ball": _ball,
    "bowl": _bowl,
    "slope": _slope,
}
