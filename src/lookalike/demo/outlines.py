"""Outlines: closed curves on a canvas that is 100 wide and 100 high, x to the right and y down.

Every function returns an `Outline`, float64 `[n, 2]`. A point written `(x, y)` is a corner, `(x, y, R)` is rounded.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
Point = tuple[float, float] | tuple[float, float, bool]

R: Final = True  # third member of a rounded point


def path(*points: Point, closed: bool = True) -> Outline:
    """Return the curve through `points`: straight at corners, Catmull-Rom through rounded points."""
    flat = [(float(p[0]), float(p[1])) for p in points]
    rounded = [len(p) == 3 for p in points]
    count = len(flat)
    spans: list[Outline] = []
    for i in range(count if closed else count - 1):
        j = (i + 1) % count
        start, end = np.array(flat[i]), np.array(flat[j])
        if not rounded[i] and not rounded[j]:
            spans.append(start[None, :])
            continue
        # A corner has no neighbour on its far side: the curve arrives there with no bend of its own.
        before = np.array(flat[i - 1]) if rounded[i] and (closed or i > 0) else start
        after = np.array(flat[(j + 1) % count]) if rounded[j] and (closed or j + 1 < count) else end
        spans.append(_catmull_rom(before, start, end, after))
    if not closed:
        spans.append(np.array(flat[-1])[None, :])
    return np.concatenate(spans)


def _catmull_rom(before: Outline, start: Outline, end: Outline, after: Outline, steps: int = 10) -> Outline:
    t = np.arange(steps)[:, None] / steps
    in_slope, out_slope = (end - before) / 2, (after - start) / 2
    return np.asarray(
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * in_slope
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * out_slope
    )


def symmetric(*left: Point, axis: float = 50.0) -> Outline:
    """Return a closed outline from its left half, listed from top to bottom; the right half is its mirror."""
    right = [_mirrored(p, axis) for p in reversed(left) if abs(p[0] - axis) > 1e-9]
    return path(*left, *right)


def _mirrored(point: Point, axis: float) -> Point:
    x = 2 * axis - point[0]
    return (x, point[1], R) if len(point) == 3 else (x, point[1])


def ellipse(cx: float, cy: float, rx: float, ry: float, arc: tuple[float, float] = (0.0, 360.0)) -> Outline:
    """Return an ellipse, or the part of it between two angles in degrees (0 is right, 90 is down)."""
    angles = np.radians(np.linspace(arc[0], arc[1], 64, endpoint=arc != (0.0, 360.0)))
    return np.stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)], axis=1)


def box(x0: float, y0: float, x1: float, y1: float, corner: float = 0.0) -> Outline:
    """Return a rectangle, its corners rounded by `corner`."""
    corner = min(corner, (x1 - x0) / 2, (y1 - y0) / 2)
    if corner <= 0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
    left, right, top, bottom = x0 + corner, x1 - corner, y0 + corner, y1 - corner
    corners = ((right, bottom, 0), (left, bottom, 90), (left, top, 180), (right, top, 270))
    return np.concatenate([_quarter(cx, cy, corner, start) for cx, cy, start in corners])


def _quarter(cx: float, cy: float, radius: float, start: float) -> Outline:
    angles = np.radians(np.linspace(start, start + 90, 9))
    return np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], axis=1)


def ribbon(line: Outline, width: float, end_width: float | None = None) -> Outline:
    """Return a band along `line` (float64 `[n, 2]`, open), tapering to `end_width`, with round ends."""
    end_width = width if end_width is None else end_width
    keep = np.ones(len(line), dtype=bool)
    keep[1:] = np.linalg.norm(np.diff(line, axis=0), axis=1) > 1e-6
    line = line[keep]
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    half = np.linspace(width / 2, end_width / 2, len(line))[:, None]
    far_cap = _cap(line[-1], along[-1], end_width / 2)
    near_cap = _cap(line[0], -along[0], width / 2)
    return np.concatenate([line + across * half, far_cap, (line - across * half)[::-1], near_cap])


def _cap(tip: Outline, direction: Outline, radius: float) -> Outline:
    heading = math.atan2(direction[1], direction[0])
    angles = heading + np.linspace(math.pi / 2, -math.pi / 2, 9)
    return np.stack([tip[0] + radius * np.cos(angles), tip[1] + radius * np.sin(angles)], axis=1)


def spaced(line: Outline, gap: float) -> list[tuple[float, float]]:
    """Return points along an open line, `gap` apart."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    where = np.arange(0.0, lengths[-1], gap)
    xs, ys = np.interp(where, lengths, line[:, 0]), np.interp(where, lengths, line[:, 1])
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def dashes(line: Outline, length: float, gap: float, width: float) -> list[Outline]:
    """Return the stitches of a seam along `line`: short ribbons `length` long, `gap` apart."""
    dots = spaced(line, (length + gap) / 4)
    share = round(4 * length / (length + gap))
    starts = range(0, len(dots) - share, 4)
    return [ribbon(np.array(dots[start : start + share + 1]), width) for start in starts]


def turned(outline: Outline, degrees: float, about: tuple[float, float] = (50.0, 50.0)) -> Outline:
    """Return `outline` turned clockwise by `degrees` about a point."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray((outline - about) @ turn + about)


def moved(outline: Outline, dx: float, dy: float) -> Outline:
    """Return `outline` moved by `(dx, dy)`."""
    return np.asarray(outline + np.array([dx, dy]))


def flipped(outline: Outline, axis: float = 50.0) -> Outline:
    """Return the mirror image of `outline` in the vertical line at `axis`."""
    return np.stack([2 * axis - outline[:, 0], outline[:, 1]], axis=1)


def both(outline: Outline, axis: float = 50.0) -> list[Outline]:
    """Return `outline` and its mirror image: sleeves, straps and legs come in pairs."""
    return [outline, flipped(outline, axis)]


def star(cx: float, cy: float, radius: float, points: int = 5, inner: float = 0.45) -> Outline:
    """Return a star with `points` tips, the inner corners at `inner` of the radius."""
    angles = np.radians(-90 + np.arange(points * 2) * 180 / points)
    radii = np.where(np.arange(points * 2) % 2 == 0, radius, radius * inner)
    return np.stack([cx + radii * np.cos(angles), cy + radii * np.sin(angles)], axis=1)
