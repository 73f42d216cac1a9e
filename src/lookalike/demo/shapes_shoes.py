"""Silhouettes of sneakers and boots, seen from the side with the toe to the left."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, box, ellipse, path, ribbon
from lookalike.demo.palette import darker
from lookalike.demo.sketch import BAR, FAINT, FLAT, PILLOW, Paint, Sketch

WHITE = Paint((244, 241, 234), "felt")


def sneaker(s: Sketch, look: Look) -> None:
    """A sneaker: low, high-top or a chunky runner."""
    high = look.style == "high-top"
    chunky = look.style == "chunky"
    collar = 22.0 if high else 37.0
    sole = 10.0 if chunky else look.vary(6, 7.5)
    ground = 74.0
    s.fill(ellipse(72, collar + 3, 12, 4), look.inner, FLAT)
    tongue = path((50, collar - 5), (60, collar - 7, R), (63, collar + 8), (40, 56), (36, 52))
    s.fill(tongue, look.accent)
    upper = path(
        (8, 70),
        (8.5, 62, R),
        (16, 56, R),
        (30, 52, R),
        (42, 46, R),
        (58, collar + 1, R),
        (64, collar + 4, R),
        (74, collar + 5, R),
        (84, collar - 2),
        (88, collar + 6, R),
        (87, 55, R),
        (90, 70),
    )
    body = s.fill(upper, look.cloth)
    trim = look.trim if look.chance(0.5) else look.third
    s.fill(
        path((5, 72), (7, 60), (16, 55), (24, 60, R), (25, 72)),
        trim if look.chance(0.6) else look.plain,
        PILLOW,
        body,
    )
    s.fill(
        path((76, 72), (78, 58, R), (82, collar - 4), (94, collar - 4), (94, 72)), look.accent, FAINT, body
    )
    if look.chance(0.55):
        for dx in (0, 9) if look.chance(0.5) else (4,):
            s.fill(path((46 + dx, 72), (56 + dx, 48), (60 + dx, 48), (51 + dx, 72)), look.third, FAINT, body)
    else:
        lozenge = path((58, 63), (64, 55), (70, 63), (64, 71))
        s.fill(lozenge, look.accent, FAINT, body)
        s.fill((lozenge - (64, 63)) * 0.5 + (64, 63), look.third, FLAT, body)
    s.stitch(
        path((27, 57), (44, 51, R), (60, collar + 7, R), (84, collar + 3), closed=False), look.thread, body
    )
    _laces(s, collar, high)
    _sneaker_sole(s, look, ground - 4, sole)


def _laces(s: Sketch, collar: float, high: bool) -> None:
    count = 6 if high else 4
    for index in range(count):
        share = index / (count - 1)
        x, y = 38 + share * 19, 50 - share * (50 - collar - 1)
        lace = path((x - 3, y - 2.5), (x + 2, y - 0.5, R), (x + 6, y + 4), closed=False)
        s.shade(ribbon(lace + 0.5, 1.8), 0.3, 0.4)
        s.line(lace, 1.7, WHITE)


def _sneaker_sole(s: Sketch, look: Look, top: float, thick: float) -> None:
    outline = path(
        (6, top),
        (50, top + 0.5, R),
        (92, top - 1),
        (93.5, top + thick * 0.7, R),
        (90, top + thick),
        (14, top + thick),
        (6.5, top + thick * 0.55, R),
    )
    if look.style == "chunky":
        outline = path(
            (6, top + 1),
            (24, top + 2, R),
            (50, top, R),
            (78, top - 4, R),
            (93, top - 3),
            (96, top + 5, R),
            (92, top + thick),
            (12, top + thick),
            (5, top + 6, R),
        )
    sole = s.fill(outline, WHITE, BAR)
    s.fill(
        box(0, top + thick - 2.2, 100, top + thick + 1),
        look.trim if look.chance(0.6) else Paint((176, 126, 80), "felt"),
        FAINT,
        sole,
    )
    if look.chance(0.6):
        s.fill(box(0, top + thick * 0.35, 100, top + thick * 0.35 + 0.9), look.accent, FLAT, sole)


def boot(s: Sketch, look: Look) -> None:
    """A boot: Chelsea, laced, or knee-high."""
    shaft = {"Chelsea": 32.0, "lace-up": look.vary(24, 30), "knee-high": 8.0}[look.style]
    heel = look.vary(8, 12) if look.style == "knee-high" else look.vary(4, 7)
    ground = 88.0
    top = ground - heel
    s.fill(ellipse(67, shaft + 0.5, 14.5, 2.6), look.inner, FLAT)
    upper = path(
        (15, top - 1),
        (15.5, top - 10, R),
        (24, top - 17, R),
        (40, top - 21, R),
        (50, top - 30, R),
        (53, shaft + 14, R),
        (52, shaft),
        (67, shaft + 2, R),
        (82, shaft),
        (82.5, shaft + 14, R),
        (80, top - 26, R),
        (83, top - 10, R),
        (82, top),
    )
    body = s.fill(upper, look.cloth)
    s.crease(path((52, top - 24), (62, top - 19, R), (74, top - 21), closed=False), 0.28, 2.4, body)
    s.crease(path((50, top - 30), (58, top - 28, R), (66, top - 30), closed=False), 0.2, 2.0, body)
    if look.style == "Chelsea":
        gore = path((60, shaft - 2), (74, shaft - 2), (71, top - 20, R), (67, top - 15, R), (63, top - 20, R))
        part = s.fill(gore, look.trim, FAINT, body)
        lines = [ribbon(path((x, shaft), (x, top - 14), closed=False), 0.45) for x in range(61, 75, 2)]
        s.shade(lines, 0.4, 0.15, part)
        s.line(
            path((80, shaft + 1), (85, shaft - 5, R), (78, shaft - 6, R), (79, shaft + 4), closed=False),
            1.5,
            look.trim,
        )
    elif look.style == "lace-up":
        s.fill(
            path((14, top + 1), (14, top - 13), (27, top - 19), (32, top - 8, R), (30, top + 1)),
            look.trim,
            PILLOW,
            body,
        )
        for index in range(6):
            y = shaft + 4 + index * (top - 24 - shaft - 4) / 5
            lace = path(
                (51 - max(0, index - 3) * 2.4, y - 1),
                (55, y + 0.5, R),
                (60 - max(0, index - 3) * 2, y + 2.5),
                closed=False,
            )
            s.shade(ribbon(lace + 0.5, 1.6), 0.3, 0.4)
            s.line(lace, 1.4, Paint((214, 176, 104)))
        s.fill(box(50, shaft - 1, 84, shaft + 3.4), look.trim, FAINT, body)
    else:
        s.stitch(path((76, shaft + 4), (75, top - 20, R), (77, top - 4), closed=False), look.thread, body)
        s.fill(box(45, shaft - 1, 90, shaft + 4), look.trim, FAINT, body)
        if look.chance(0.6):
            strap = s.fill(
                path((46, top - 22), (84, top - 18), (84, top - 14.5), (44, top - 18.5)),
                look.trim,
                PILLOW,
                body,
            )
            s.fill(
                box(60, top - 22, 66, top - 14.6, 0.8),
                look.metal,
                PILLOW,
                None,
                [box(61.5, top - 20.4, 64.5, top - 16.2)],
            )
            s.stitch(path((46, top - 20.2), (84, top - 16.2), closed=False), look.thread, strap)
    dark = Paint(darker(look.colors.main, 0.65), "felt")
    s.fill(
        path(
            (13.5, top - 1.6),
            (60, top - 0.4, R),
            (83.5, top - 1),
            (83.5, ground),
            (64, ground),
            (62, top + 2.5),
            (34, top + 2.6, R),
            (15, top + 2.2),
        ),
        dark,
        BAR,
    )
