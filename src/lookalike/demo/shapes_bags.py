"""Silhouettes of bags, from the front."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, box, ellipse, moved, path, ribbon, spaced, symmetric
from lookalike.demo.sketch import BALL, FAINT, FLAT, PILLOW, Light, Paint, Sketch


def backpack(s: Sketch, look: Look) -> None:
    """A backpack with a front pocket: a rounded daypack, a roll-top or a flap with straps."""
    half, top = look.vary(22, 25), look.vary(18, 21)
    for strap in both(
        path(
            (50 - half + 3, 36),
            (50 - half - 6, 48, R),
            (50 - half - 5, 70, R),
            (50 - half + 2, 82),
            closed=False,
        )
    ):
        s.fill(ribbon(strap, 4.5), look.trim)
    s.fill(
        ribbon(path((43, top + 3), (43.5, 9, R), (56.5, 9, R), (57, top + 3), closed=False), 2.6), look.trim
    )
    body = s.fill(
        symmetric(
            (50, top, R),
            (50 - half * 0.72, top + 3, R),
            (50 - half, top + 20, R),
            (50 - half - 1.5, 70, R),
            (50 - half + 2, 89, R),
            (50, 91, R),
        ),
        look.cloth,
    )
    if look.style == "roll-top":
        s.fill(box(50 - half + 1, top - 4, 50 + half - 1, top + 7, 3), look.cloth)
        s.fill(box(48, top - 5, 52, 58, 0.8), look.tan)
        s.fill(box(46.5, 40, 53.5, 46, 1), look.metal, PILLOW, None, [box(48, 41.5, 52, 44.5)])
    elif look.style == "flap":
        flap = symmetric(
            (50, top - 1, R),
            (50 - half * 0.75, top + 1.5, R),
            (50 - half - 0.5, top + 20, R),
            (50 - half + 1, 50, R),
            (50, 53, R),
        )
        s.shade(flap + 1.2, 0.35, 1.4, body)
        s.fill(flap, look.plain)
        for strap in both(box(38, 40, 42, 68, 1.2)):
            s.shade(strap + 0.7, 0.3, 0.7)
            s.fill(strap, look.tan)
        for buckle in both(box(37, 52, 43, 58, 1)):
            s.fill(buckle, look.metal, PILLOW, None, [*both(box(38.4, 53.4, 41.6, 56.6))])
    else:
        zip_line = path(
            (50 - half + 2, 48),
            (50 - half * 0.7, top + 11, R),
            (50, top + 7, R),
            (50 + half * 0.7, top + 11, R),
            (50 + half - 2, 48),
            closed=False,
        )
        s.shade(ribbon(zip_line + 0.3, 2), 0.4, 0.6, body)
        s.line(zip_line, 1.1, look.metal, body)
        s.fill(box(50 + half - 5, 45, 50 + half - 2.6, 53, 1), look.accent)
    pocket = box(50 - half + 5, 60, 50 + half - 5, 86, 5)
    s.shade(pocket + 0.6, 0.3, 1.0, body)
    front = s.fill(pocket, look.accent if look.chance(0.35) else look.cloth)
    s.line(path((50 - half + 6, 65), (50 + half - 6, 65), closed=False), 0.9, look.metal, front)
    s.stitch(path((50 - half + 6, 67), (50 + half - 6, 67), closed=False), look.thread, front)
    s.fill(box(46, 72, 54, 78, 1), look.tan, FAINT)


def tote(s: Sketch, look: Look) -> None:
    """An open bag with two long handles."""
    top = look.vary(38, 44)
    half_top, half = look.vary(30, 34), look.vary(26, 31)
    handle = path(
        (37, top + 4), (37.5, 20, R), (44, 9.5, R), (56, 9.5, R), (62.5, 20, R), (63, top + 4), closed=False
    )
    leather = look.tan if look.chance(0.6) else look.trim
    s.fill(ribbon(moved(handle, 2.2, -1.0), 2.8), Paint(look.inner.base, leather.grain))
    s.fill(
        symmetric((50, top - 2, R), (50 - half_top, top), (50 - half_top + 4, top + 6), (50, top + 6)),
        look.inner,
        FAINT,
    )
    body = s.fill(
        symmetric(
            (50, top + 1.6, R),
            (50 - half_top, top),
            (50 - half - 1, 70, R),
            (50 - half, 90, R),
            (50 - half + 4, 91.5, R),
            (50, 92, R),
        ),
        look.cloth,
    )
    for x in (-0.55, 0.5):
        s.crease(
            path(
                (50 + x * half, top + 8),
                (50 + x * half * 0.9, 66, R),
                (50 + x * half * 0.75, 84),
                closed=False,
            ),
            0.16,
            3,
            body,
        )
    if look.style == "two-tone":
        s.fill(box(0, 73, 100, 100), leather, FAINT, body)
        s.stitch(path((10, 74.4), (90, 74.4), closed=False), (232, 214, 180), body)
    s.shade(ribbon(handle + 0.8, 3), 0.25, 0.8)
    s.fill(ribbon(handle, 3), leather)
    for patch in both(box(34.5, top + 1, 39.5, top + 11, 1)):
        s.fill(patch, leather, FAINT)
    s.stitch(
        path(
            (50 - half_top + 1, top + 2.6), (50, top + 4.2, R), (50 + half_top - 1, top + 2.6), closed=False
        ),
        look.thread,
        body,
    )
    if look.style == "pocket":
        pocket = box(38, 56, 62, 78, 2)
        s.shade(pocket + 0.6, 0.3, 0.8, body)
        s.fill(pocket, look.accent, FAINT, body)
    if look.style == "tassel":
        s.line(path((60, top + 5), (61, top + 14), closed=False), 0.8, leather)
        s.fill(
            [
                ribbon(path((61 + i * 0.4, top + 15), (61 + i * 1.2, top + 27), closed=False), 1.1)
                for i in range(-3, 4)
            ],
            look.accent,
        )
        s.fill(ellipse(61, top + 15, 2, 2.2), look.accent, BALL)


def handbag(s: Sketch, look: Look) -> None:
    """A small bag: a flap with a clasp on a chain, a top-handle satchel or a half-moon."""
    top = look.vary(42, 47)
    if look.style == "half-moon":
        strap = path((14, 52), (20, 22, R), (50, 9, R), (80, 22, R), (86, 52), closed=False)
        s.fill(ribbon(strap, 3.4), look.trim)
        body = s.fill(
            symmetric((50, 47, R), (14, 46, R), (11, 52, R), (20, 74, R), (36, 85, R), (50, 87, R)),
            look.cloth,
        )
        s.line(path((15, 52), (50, 53, R), (85, 52), closed=False), 1.1, look.metal, body)
        s.stitch(
            path((16, 55), (28, 76, R), (50, 83, R), (72, 76, R), (84, 55), closed=False), look.thread, body
        )
        s.fill(box(82, 52, 84.4, 62, 1), look.tan)
        return
    if look.style == "chain":
        strap = path((20, top + 3), (24, 20, R), (50, 8, R), (76, 20, R), (80, top + 3), closed=False)
        for x, y in spaced(strap, 3.2):
            s.fill(ellipse(x, y, 1.9, 1.9), look.metal, PILLOW, None, [ellipse(x, y, 1.0, 1.0)])
    else:
        s.fill(
            ribbon(
                path(
                    (34, top + 2),
                    (35, 24, R),
                    (42, 18, R),
                    (58, 18, R),
                    (65, 24, R),
                    (66, top + 2),
                    closed=False,
                ),
                4,
            ),
            look.trim,
        )
    half = look.vary(29, 34)
    body = s.fill(
        symmetric(
            (50, top),
            (50 - half + 3, top, R),
            (50 - half, top + 5, R),
            (50 - half - 3, 82, R),
            (50 - half, 86.5, R),
            (50, 87),
        ),
        look.cloth,
    )
    flap = symmetric(
        (50, top - 1),
        (50 - half + 3, top - 1, R),
        (50 - half - 0.6, top + 5, R),
        (50 - half + 0.5, top + 16, R),
        (38, top + 24, R),
        (50, top + 26, R),
    )
    s.shade(flap + 1.2, 0.4, 1.4, body)
    lid = s.fill(flap, look.plain if look.chance(0.4) else look.cloth)
    s.stitch(
        path(
            (50 - half + 1, top + 4),
            (50 - half + 3, top + 14, R),
            (39, top + 22, R),
            (50, top + 24, R),
            (61, top + 22, R),
            (50 + half - 3, top + 14, R),
            (50 + half - 1, top + 4),
            closed=False,
        ),
        look.thread,
        lid,
    )
    s.shade(box(45.6, top + 20.6, 55.4, top + 30, 2), 0.4, 0.8)
    s.fill(box(45, top + 20, 55, top + 29, 2), look.metal)
    s.fill(ellipse(50, top + 24.5, 2.4, 2.4), look.trim, BALL)


def suitcase(s: Sketch, look: Look) -> None:
    """A case on wheels with a telescopic handle, or a vintage case with corners and straps."""
    if look.style == "vintage":
        _vintage_case(s, look)
        return
    left, right, top = 50 - look.vary(21, 24), 50 + look.vary(21, 24), look.vary(28, 33)
    s.fill([box(41, 7, 43.4, top + 2), box(56.6, 7, 59, top + 2)], look.metal)
    s.fill(box(39, 5.5, 61, 10, 2), Paint((52, 52, 58)))
    for x in (left + 4, right - 8):
        s.fill(box(x, 86, x + 4.5, 93.5, 1.6), Paint((50, 50, 56)))
    body = s.fill(box(left, top, right, 89, 7), look.cloth)
    soft = look.style == "soft"
    if soft:
        pocket = box(left + 5, 54, right - 5, 84, 4)
        s.shade(pocket + 0.5, 0.3, 0.9, body)
        s.fill(pocket, look.cloth, PILLOW, body)
        s.line(path((left + 6, 57.5), (right - 6, 57.5), closed=False), 1, look.metal, body)
        s.line(path((left + 4, top + 8), (right - 4, top + 8), closed=False), 1, look.metal, body)
    else:
        for index in range(5):
            x = left + 7 + index * (right - left - 14) / 4
            s.fill(box(x - 1.6, top + 6, x + 1.6, 83, 1.6), look.cloth, Light("pillow", 1.5), body)
            s.gleam(box(x - 1.2, top + 8, x - 0.5, 80), 0.28, 0.4, body)
    for y in (top + 1, 84):
        for x in (left + 1, right - 6):
            s.fill(box(x, y, x + 5, y + 4, 2), look.trim, FAINT, body)
    s.fill(box(46, top - 1.5, 54, top + 2, 1.2), look.trim)
    s.fill(box(46, top + 4, 54, top + 7, 1), look.metal if look.chance(0.7) else look.accent, FLAT)


def _vintage_case(s: Sketch, look: Look) -> None:
    s.fill(ribbon(path((40, 33), (41, 24, R), (59, 24, R), (60, 33), closed=False), 3.2), look.tan)
    body = s.fill(box(12, 31, 88, 84, 5), look.cloth)
    s.shade(ribbon(path((12, 50), (88, 50), closed=False), 1.0), 0.5, 0.5, body)
    for x in (27, 69):
        s.fill(box(x - 0.2, 30, x + 4.2, 85), look.tan, FAINT, body)
        s.fill(box(x - 1, 46, x + 5, 53, 1), look.metal, PILLOW, None, [box(x + 0.6, 47.6, x + 3.4, 51.4)])
    for corner in (
        ellipse(12, 31, 9, 9),
        ellipse(88, 31, 9, 9),
        ellipse(12, 84, 9, 9),
        ellipse(88, 84, 9, 9),
    ):
        s.fill(corner, look.tan, FAINT, body)
    s.fill(box(45, 47, 55, 53, 1), look.metal)
