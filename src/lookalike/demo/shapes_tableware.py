"""Silhouettes of crockery: mugs, teapots and plates."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, box, ellipse, path, ribbon, symmetric, turned
from lookalike.demo.palette import lighter
from lookalike.demo.sketch import BALL, BOWL, FLAT, TUBE, Light, Paint, Sketch

GLOW = (255, 236, 186)


def mug(s: Sketch, look: Look) -> None:
    """A mug: straight, tapered or a round-bellied cup."""
    top, bottom = look.vary(26, 32), look.vary(80, 84)
    half = look.vary(22, 26)
    low = {"straight": half, "tapered": half * 0.74, "rounded": half * 0.62}[look.style]
    cx = 44.0
    x = cx + half
    s.fill(
        ribbon(
            path(
                (x - 5, top + 12),
                (x + 9, top + 10, R),
                (x + 17, top + 21, R),
                (x + 12, top + 34, R),
                (x - 6, top + 39),
                closed=False,
            ),
            look.vary(4.6, 6),
        ),
        look.accent if look.chance(0.3) else look.plain,
    )
    bulge = half * (1.06 if look.style == "rounded" else 1.0)
    outline = symmetric(
        (cx, top, R),
        (cx - half, top),
        (cx - (bulge if look.style == "rounded" else (half + low) / 2), (top + bottom) / 2, R),
        (cx - low, bottom - 3, R),
        (cx - low + 3, bottom, R),
        (cx, bottom + 1.4, R),
        axis=cx,
    )
    body = s.fill(outline, look.cloth, TUBE)
    if look.chance(0.35):
        s.fill(box(0, bottom - 12, 100, 100), Paint(lighter((214, 190, 160), 0.2), "glaze"), TUBE, body)
    s.gleam(
        ribbon(
            path(
                (cx - half * 0.66, top + 8),
                (cx - half * 0.68, (top + bottom) / 2, R),
                (cx - low * 0.62, bottom - 9),
                closed=False,
            ),
            2.4,
            1.2,
        ),
        0.45,
        0.8,
        body,
    )
    s.fill(ellipse(cx, top, half, 5.4), Paint(lighter(look.ground, 0.35), "glaze"), FLAT)
    inside = s.fill(ellipse(cx, top + 0.4, half - 2, 4.3), Paint(lighter(look.ground, 0.6)), BOWL)
    if look.chance(0.5):
        s.fill(ellipse(cx, top + 2.6, half - 3.2, 3.4), Paint((88, 56, 36)), BOWL, inside)


def teapot(s: Sketch, look: Look) -> None:
    """A teapot: a round pot with a spout, lid and handle, or a low one with a hoop."""
    hoop = look.style == "hoop handle"
    cy, rx, ry = 60.0, look.vary(24, 27), look.vary(19, 23)
    if look.style == "tall":
        cy, rx, ry = 57.0, 21.0, 29.0
    handle_paint = look.wood if hoop else look.plain
    if hoop:
        s.fill(
            ribbon(
                path(
                    (31, cy - ry + 6), (33, 20, R), (50, 12, R), (67, 20, R), (69, cy - ry + 6), closed=False
                ),
                3,
            ),
            handle_paint,
        )
    else:
        grip = path(
            (50 + rx - 4, cy - ry * 0.55),
            (50 + rx + 11, cy - ry * 0.7, R),
            (50 + rx + 15, cy, R),
            (50 + rx - 2, cy + ry * 0.5),
            closed=False,
        )
        s.fill(ribbon(grip, 4.4), handle_paint)
    lip = (50 - rx - 14, cy - ry * 0.78)
    spout = path(
        (50 - rx + 6, cy + 7), (50 - rx - 3, cy + 3, R), (50 - rx - 8, cy - ry * 0.4, R), lip, closed=False
    )
    s.fill(ribbon(spout, 11, 4.2), look.plain)
    s.fill(turned(ellipse(lip[0] - 0.4, lip[1] - 0.6, 2.6, 1.1), -35, lip), look.inner, FLAT)
    body = s.fill(ellipse(50, cy, rx, ry), look.cloth, BALL)
    s.fill(
        symmetric(
            (50, cy + ry - 2),
            (50 - rx * 0.5, cy + ry - 2),
            (50 - rx * 0.55, cy + ry + 2.6),
            (50, cy + ry + 3),
        ),
        look.trim,
        TUBE,
    )
    s.gleam(
        turned(ellipse(50 - rx * 0.45, cy - ry * 0.4, 2.4, 6), 30, (50 - rx * 0.45, cy - ry * 0.4)),
        0.55,
        0.9,
        body,
    )
    lid_y = cy - ry * 0.86
    s.shade(ellipse(50, lid_y + 2, rx * 0.56, 3), 0.4, 0.9)
    s.fill(
        symmetric(
            (50, lid_y - 6.5, R),
            (50 - rx * 0.34, lid_y - 4, R),
            (50 - rx * 0.54, lid_y + 1.4),
            (50, lid_y + 3.6, R),
        ),
        look.accent if look.chance(0.3) else look.cloth,
        TUBE,
    )
    s.fill(ellipse(50, lid_y - 8.4, 3, 3), handle_paint if hoop else look.accent, BALL)


def plate(s: Sketch, look: Look) -> None:
    """A plate from above: a wide rim, a pattern in the middle or around it."""
    radius = look.vary(38, 42)
    rim_paint = look.cloth if look.style != "coupe" else look.plain
    s.fill(ellipse(50, 50, radius, radius), rim_paint, Light("pillow", 0.9))
    well = 0.66 if look.style == "rimmed" else 0.86
    middle = look.cloth if look.style == "coupe" else Paint(lighter(look.ground, 0.82), "glaze")
    s.shade(ellipse(50.4, 50.6, radius * well + 0.6, radius * well + 0.6), 0.22, 1.0)
    inner = s.fill(ellipse(50, 50, radius * well, radius * well), middle, Light("bowl", 0.4))
    s.gleam(ribbon(ellipse(50, 50, radius * well - 3, radius * well - 3, (20, 80)), 2.2), 0.4, 1.2, inner)
    s.gleam(ribbon(ellipse(50, 50, radius - 2, radius - 2, (195, 255)), 1.6), 0.6, 0.6)
    if look.chance(0.5):
        s.fill(
            ellipse(50, 50, radius, radius),
            look.metal,
            FLAT,
            None,
            [ellipse(50, 50, radius - 0.9, radius - 0.9)],
        )
    if look.style == "rimmed" and look.chance(0.6):
        s.fill(ellipse(50, 50, radius * 0.2, radius * 0.2), look.accent, FLAT, inner)
        leaves = [turned(ellipse(50, 50 - radius * 0.3, 1.6, 4), a) for a in range(0, 360, 45)]
        s.fill(leaves, look.accent, FLAT, inner)
