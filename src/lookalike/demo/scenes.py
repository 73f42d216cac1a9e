"""Scenes: a drawn product becomes a photograph, with a background, a shadow, a viewpoint and light."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lookalike.demo.backgrounds import SHADOW, Picture, Size, axes, studio, surroundings


def photograph(drawing: Picture, view: str, pose: str, size: Size, rng: Random) -> Picture:
    """Return the RGB photograph of a drawing (RGBA) in one of `VIEWS`.

    `pose` says how the thing rests: "flat" (laid down, seen from above), "stand", "hang" (on a wall),
    "ceiling" or "air".
    """
    return VIEWS[view](drawing, pose, size, rng)


def _front(drawing: Picture, pose: str, size: Size, rng: Random) -> Picture:
    angle = rng.uniform(-2.5, 2.5) if pose == "flat" else 0.0
    fill = rng.uniform(0.78, 0.84)
    placed = _placed(drawing, size, fill, angle, (0.0, _lift(drawing, pose, fill)))
    return _joined(placed, studio(size, pose, rng), pose)


def _turned(drawing: Picture, pose: str, size: Size, rng: Random) -> Picture:
    mirrored = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.6 else drawing
    upright = pose in ("stand", "ceiling")
    angle = 0.0 if upright else rng.uniform(5, 16) * rng.choice((-1, 1))
    if upright:  # a standing thing is seen a little from the side: narrower
        squeezed = round(mirrored.width * rng.uniform(0.86, 0.95))
        mirrored = mirrored.resize((squeezed, mirrored.height), Image.Resampling.BILINEAR)
    fill = rng.uniform(0.62, 0.74)
    shift = (rng.uniform(-0.04, 0.04), _lift(mirrored, pose, fill))
    placed = _placed(mirrored, size, fill, angle, shift)
    return _joined(placed, studio(size, pose, rng), pose)


def _detail(drawing: Picture, pose: str, size: Size, rng: Random) -> Picture:
    box = drawing.getchannel("A").getbbox() or (0, 0, *drawing.size)
    width = max(box[2] - box[0], box[3] - box[1]) * rng.uniform(0.42, 0.52)
    height = width * size[1] / size[0]
    x = box[0] + (box[2] - box[0]) * rng.uniform(0.38, 0.62) - width / 2
    y = box[1] + (box[3] - box[1]) * rng.uniform(0.34, 0.62) - height / 2
    region = (round(x), round(y), round(x + width), round(y + height))
    placed = drawing.crop(region).resize(size, Image.Resampling.BICUBIC)
    return _joined(placed, studio(size, "flat", rng), "flat")


def _lifestyle(drawing: Picture, pose: str, size: Size, rng: Random) -> Picture:
    if pose in ("flat", "air"):
        drawing = drawing if rng.random() < 0.6 else drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        angle = rng.uniform(-14, 14)
    else:
        angle = 0.0
    fill = rng.uniform(0.64, 0.74)
    drop = 0.05 if pose == "stand" else _lift(drawing, pose, fill)
    placed = _placed(drawing, size, fill, angle, (rng.uniform(-0.06, 0.06), drop))
    joined = _joined(placed, surroundings(size, pose, rng), pose)
    return _relit(joined, rng)


VIEWS: Final[dict[str, Callable[[Picture, str, Size, Random], Picture]]] = {
    "front": _front,
    "turned": _turned,
    "detail": _detail,
    "lifestyle": _lifestyle,
}


def _placed(drawing: Picture, size: Size, fill: float, angle: float, shift: tuple[float, float]) -> Picture:
    """Return an RGBA canvas of `size` with the drawing turned, and scaled to `fill` of the canvas."""
    tight = drawing.crop(drawing.getchannel("A").getbbox())
    turn = math.radians(abs(angle))
    # The size the drawing will have once turned decides how far it is scaled down before.
    across = tight.width * math.cos(turn) + tight.height * math.sin(turn)
    upright = tight.height * math.cos(turn) + tight.width * math.sin(turn)
    scale = min(fill * size[0] / across, fill * size[1] / upright)
    small = (max(1, round(tight.width * scale)), max(1, round(tight.height * scale)))
    tight = tight.resize(small, Image.Resampling.LANCZOS)
    if abs(angle) > 0.3:
        # Premultiplied, or the unseen colour outside the drawing would bleed into its edge.
        tight = tight.convert("RGBa").rotate(angle, Image.Resampling.BICUBIC, expand=True).convert("RGBA")
    canvas = Image.new("RGBA", size)
    left = round((size[0] - tight.width) / 2 + shift[0] * size[0])
    top = round((size[1] - tight.height) / 2 + shift[1] * size[1])
    canvas.paste(tight, (left, top))
    return canvas


def _lift(drawing: Picture, pose: str, fill: float) -> float:
    """Return the vertical shift that hangs a ceiling lamp from the upper edge of a picture filled to `fill`."""
    box = drawing.getbbox() or (0, 0, 1, 1)
    slim = min(1.0, (box[3] - box[1]) / max(1, box[2] - box[0]))
    return -(1 - fill * slim) / 2 if pose == "ceiling" else 0.0


def _joined(placed: Picture, ground: Picture, pose: str) -> Picture:
    """Lay shadow and product on a background."""
    alpha = placed.getchannel("A")
    for dx, dy, blur, strength in SHADOWS[pose]:
        soft = Image.new("L", alpha.size)
        soft.paste(alpha, (dx, dy))
        soft = soft.filter(ImageFilter.GaussianBlur(blur)).point([round(v * strength) for v in range(256)])
        ground.paste(SHADOW, mask=soft)
    if pose == "stand":
        ground.paste(SHADOW, mask=_footing(alpha))
    ground.paste(placed.convert("RGB"), mask=alpha)
    return ground


# Offsets in pixels of the finished picture, blur radius and strength of each shadow.
SHADOWS: Final[dict[str, tuple[tuple[int, int, float, float], ...]]] = {
    "flat": ((5, 7, 6.0, 0.26), (2, 2, 2.0, 0.22)),
    "hang": ((10, 13, 9.0, 0.24),),
    "ceiling": ((10, 13, 9.0, 0.2),),
    "air": ((3, 4, 5.0, 0.12),),
    "stand": (),
}


def _footing(alpha: Picture) -> Picture:
    """Return the shadow of a standing thing: dark where it touches the floor, long and faint beside it."""
    left, top, right, bottom = alpha.getbbox() or (0, 0, *alpha.size)
    shadow = Image.new("L", alpha.size)
    flat = alpha.crop((left, top, right, bottom))
    low = max(6, (bottom - top) // 7)
    lean = flat.resize((right - left, low)).transform(
        (right - left + low * 3, low),
        Image.Transform.AFFINE,
        (1, 3, -low * 3, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )
    shadow.paste(lean.point([round(v * 0.22) for v in range(256)]), (left, bottom - low + 2))
    shadow = shadow.filter(ImageFilter.GaussianBlur(5))
    foot = alpha.crop((left, max(top, bottom - 10), right, bottom)).getbbox() or (0, 0, right - left, 1)
    contact = Image.new("L", alpha.size)
    pen = ImageDraw.Draw(contact)
    pen.ellipse((left + foot[0] - 3, bottom - 5, left + foot[2] + 7, bottom + 5), fill=120)
    contact = contact.filter(ImageFilter.GaussianBlur(3.5))
    return Image.fromarray(np.maximum(np.asarray(shadow), np.asarray(contact)))


def _relit(picture: Picture, rng: Random) -> Picture:
    """Return the picture under warm, cool or evening light from one side."""
    x, y = axes(picture.size)
    angle = rng.uniform(0, 2 * math.pi)
    across = (x * math.cos(angle) + y * math.sin(angle)) * rng.uniform(0.05, 0.14)
    tint = np.asarray(rng.choice(((1.05, 1.0, 0.92), (0.95, 0.99, 1.06), (1.0, 1.0, 1.0), (0.9, 0.88, 0.9))))
    lit = np.asarray(picture, dtype=np.float32) * (1 + across)[:, :, None] * tint.astype(np.float32)
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
