"""What all tops are cut from: measures, outlines, and the parts they share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lookalike.demo.look import Look
from lookalike.demo.outlines import Outline, R, both, box, ellipse, path, ribbon, symmetric
from lookalike.demo.palette import darker
from lookalike.demo.sketch import BALL, FAINT, FLAT, Paint, Part, Sketch


@dataclass(frozen=True)
class Cut:
    """The measures of a top: half widths and heights on the canvas, and its sleeves."""

    shoulder: float = 17.0
    top: float = 15.0
    armpit: float = 33.0
    waist: float = 15.5
    hem: float = 84.0
    hem_half: float = 17.0
    neck: float = 7.5
    depth: float = 6.0
    sleeve: float = 48.0
    sleeve_width: float = 10.0
    angle: float = 17.0


def sleeve_outline(cut: Cut) -> tuple[Outline, Outline]:
    """Return the left sleeve and the line across its cuff."""
    angle = math.radians(cut.angle)
    shoulder = (50 - cut.shoulder + 0.4, cut.top + 4.6)
    armpit = (50 - cut.shoulder + 2.5, cut.armpit + 1)
    end = (shoulder[0] - math.sin(angle) * cut.sleeve, shoulder[1] + math.cos(angle) * cut.sleeve)
    across = (math.cos(angle * 0.6) * cut.sleeve_width, math.sin(angle * 0.6) * cut.sleeve_width)
    inner = (end[0] + across[0], end[1] + across[1])
    bulge = (
        shoulder[0] - math.sin(angle) * cut.sleeve * 0.4 - 1.2,
        shoulder[1] + math.cos(angle) * cut.sleeve * 0.4,
    )
    outline = path((shoulder[0] + 3.4, shoulder[1] - 2.6), (*bulge, R), end, inner, armpit, (50, cut.armpit))
    return outline, path(end, inner, closed=False)


def torso_outline(cut: Cut) -> Outline:
    """Return the body of a top, neckline included."""
    side = 50 - cut.shoulder
    return symmetric(
        (50, cut.top + cut.depth, R),
        (50 - cut.neck * 0.8, cut.top + cut.depth * 0.45, R),
        (50 - cut.neck, cut.top - 1.5),
        (side + 1.2, cut.top + 3.2),
        (side + 0.2, cut.top + 9, R),
        (side + 1.5, cut.armpit),
        (50 - cut.waist, (cut.armpit + cut.hem) / 2, R),
        (50 - cut.hem_half, cut.hem),
        (50, cut.hem + 1.2, R),
    )


def top(s: Sketch, look: Look, cut: Cut) -> Part:
    """Draw the back of the neck, both sleeves and the body, with folds; return the body."""
    back = symmetric(
        (50, cut.top - 0.2, R),
        (50 - cut.neck, cut.top - 1.5),
        (50 - cut.neck * 0.8, cut.top + cut.depth * 0.45, R),
        (50, cut.top + cut.depth + 2),
    )
    s.fill(back, look.inner, FLAT)
    if cut.sleeve > 0:
        sleeve, _ = sleeve_outline(cut)
        for side in both(sleeve):
            arm = s.fill(side, look.cloth)
            s.shade(torso_outline(cut), 0.35, 1.6, arm)
    body = s.fill(torso_outline(cut), look.cloth)
    for start in (50 - cut.waist * 0.62, 50 + cut.waist * 0.5):
        bend = look.vary(-4, 4)
        fold = path(
            (start, cut.hem + 3),
            (start + bend * 0.4, cut.hem - 10, R),
            (start + bend, cut.hem - 22),
            closed=False,
        )
        s.crease(fold, 0.13, 3.0, body)
    return body


def cuffs(s: Sketch, cut: Cut, paint: Paint, width: float) -> None:
    """Draw a band across the end of each sleeve."""
    _, line = sleeve_outline(cut)
    (x0, y0), (x1, y1) = line[0], line[-1]
    along = np.array([y1 - y0, x0 - x1]) / np.hypot(x1 - x0, y1 - y0) * width  # towards the shoulder
    band = np.stack([line[0] - 0.06 * along, line[-1] - 0.06 * along, line[-1] + along, line[0] + along])
    for cuff in both((band - band.mean(axis=0)) * 1.05 + band.mean(axis=0)):
        s.shade(cuff, 0.3, 0.6)
        s.fill(cuff, paint)


def collar(s: Sketch, cut: Cut, paint: Paint, drop: float = 9.0) -> None:
    """Draw a turned-down shirt collar."""
    back = ribbon(
        path(
            (50 - cut.neck, cut.top - 1), (50, cut.top - 3.2, R), (50 + cut.neck, cut.top - 1), closed=False
        ),
        3,
    )
    s.fill(back, paint, FAINT)
    leaf = path(
        (50 - cut.neck - 0.5, cut.top - 3),
        (50, cut.top + 6),
        (50 - 5.5, cut.top + drop),
        (50 - cut.neck - 4, cut.top + 3),
    )
    for side in both(leaf):
        s.shade(side + 0.9, 0.3, 0.8)
        s.fill(side, paint)


def buttons(s: Sketch, start: float, end: float, count: int, paint: Paint) -> None:
    """Draw a row of buttons down the middle."""
    for index in range(count):
        y = start + (end - start) * index / max(1, count - 1)
        s.shade(ellipse(50.2, y + 0.4, 1.3, 1.3), 0.4, 0.4)
        s.fill(ellipse(50, y, 1.1, 1.1), paint, BALL)
        s.fill(both(ellipse(49.65, y, 0.2, 0.2)), Paint(darker(look_rgb(paint), 0.5)), FLAT)


def look_rgb(paint: Paint) -> tuple[int, int, int]:
    """Return the colour of a one-colour paint (grey for a picture)."""
    return paint.base if isinstance(paint.base, tuple) else (150, 150, 150)


def placket(s: Sketch, look: Look, cut: Cut, body: Part, count: int) -> None:
    """Draw the buttoned front of a shirt."""
    start, end = cut.top + cut.depth + 1, cut.hem
    s.fill(box(48, start, 52, end + 2), look.cloth, FAINT, body)
    s.shade(box(52, start, 52.6, end + 2), 0.3, 0.5, body)
    s.stitch(path((48.5, start), (48.5, end), closed=False), look.thread, body)
    buttons(s, start + 3, end - 7, count, Paint((240, 236, 226)))
