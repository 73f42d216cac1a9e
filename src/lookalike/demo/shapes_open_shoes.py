"""Silhouettes of sandals and heels, seen from the side with the toe to the left."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, box, ellipse, path, ribbon
from lookalike.demo.palette import darker, lighter
from lookalike.demo.sketch import BAR, FAINT, FLAT, PILLOW, Light, Paint, Sketch

WHITE = Paint((244, 241, 234), "felt")


def sandal(s: Sketch, look: Look) -> None:
    """An open sandal: straps over a flat or a wedge sole, or a slide with one broad band."""
    wedge = look.style == "wedge"
    heel = look.vary(19, 23) if wedge else look.vary(5, 6.5)
    ground = 78.0
    back, fore = ground - heel, ground - 5.5
    if look.style != "slide":
        _ankle_straps(s, look, back)
    end = 58 if wedge else 70
    sole = path(
        (5, fore - 1.5),
        (14, fore, R),
        (34, fore - 0.5, R),
        (54, (fore + back) / 2, R),
        (78, back, R),
        (95, back - 1),
        (93.5, ground),
        (end, ground),
        (30, ground),
        (9, ground - 1, R),
    )
    woven = wedge or look.chance(0.4)
    s.fill(sole, Paint((206, 168, 116), "straw") if woven else Paint((92, 66, 50), "felt"), BAR)
    bed = path(
        (6, fore - 2.4),
        (16, fore - 1, R),
        (34, fore - 1.6, R),
        (54, (fore + back) / 2 - 1.2, R),
        (78, back - 1.4, R),
        (94, back - 2.6),
        closed=False,
    )
    s.fill(ribbon(bed, 3.2), Paint((190, 140, 96), "leather"), FAINT)
    if look.style == "slide":
        band = path(
            (15, fore),
            (19, fore - 12, R),
            (30, fore - 18, R),
            (44, fore - 19.5, R),
            (50, fore - 17),
            (57, fore - 1),
        )
        part = s.fill(band, look.cloth, Light("pillow", 1.2))
        for seam in (
            path((18, fore), (22, fore - 11, R), (31, fore - 15.6, R), (47, fore - 16.6), closed=False),
            path((47, fore - 17), (53, fore), closed=False),
        ):
            s.stitch(seam, look.thread, part)
        s.fill(
            box(33, fore - 12, 41, fore - 6, 1),
            look.metal,
            PILLOW,
            None,
            [box(34.6, fore - 10.4, 39.4, fore - 7.6)],
        )
        return
    for start, width, rise in ((13.0, 7.0, 9.0), (27.0, 8.5, 13.0)):
        lift = fore - 1 - max(0.0, start - 20) * (fore - back) / 90
        strap = path(
            (start, lift + 1),
            (start + 2.5, lift - rise * 0.75, R),
            (start + 8, lift - rise, R),
            (start + 8 + width, lift - rise * 0.9),
            (start + 5 + width, lift - rise * 0.55, R),
            (start + 2 + width, lift + 1),
        )
        part = s.fill(strap, look.cloth, Light("pillow", 1.2))
        s.stitch(
            path((start + 4.4, lift - rise * 0.7), (start + 6 + width, lift - rise * 0.74), closed=False),
            look.thread,
            part,
        )


def _ankle_straps(s: Sketch, look: Look, back: float) -> None:
    """Draw a closed heel and a buckled strap around the ankle."""
    far = path((70, back - 20), (80, back - 23.5, R), (91, back - 20), closed=False)
    s.fill(ribbon(far - (0, 1.6), 3.4), look.inner)
    cup = path(
        (74, back - 1),
        (80, back - 9, R),
        (84, back - 20, R),
        (85, back - 24),
        (92, back - 23),
        (93.5, back - 12, R),
        (93, back - 1),
    )
    s.fill(cup, look.cloth, Light("pillow", 1.2))
    strap = path((68, back - 18), (78, back - 17, R), (91.5, back - 20.5), closed=False)
    s.shade(ribbon(strap + 0.6, 3.6), 0.3, 0.6)
    s.fill(ribbon(strap, 3.6), look.cloth)
    s.fill(
        box(70, back - 21, 75.4, back - 14.6, 0.8),
        look.metal,
        PILLOW,
        None,
        [box(71.4, back - 19.4, 74, back - 16.2)],
    )


def heels(s: Sketch, look: Look) -> None:
    """A court shoe with a stiletto, block or kitten heel."""
    height = {"stiletto": look.vary(28, 32), "block": look.vary(20, 25), "kitten": look.vary(12, 15)}[
        look.style
    ]
    ground = 84.0
    back = ground - height
    _heel(s, look, back, ground)
    instep = ground - height * 0.52
    far = path(
        (33, ground - 13.5),
        (48, instep - 7, R),
        (64, back - 7.5, R),
        (78, back - 13.5, R),
        (89, back - 20),
        (89, back - 6),
        (62, back + 8, R),
        (44, ground - 5, R),
    )
    s.fill(far, look.inner, FAINT)
    upper = path(
        (4.5, ground - 2.2),
        (11, ground - 7.5, R),
        (22, ground - 13, R),
        (33, ground - 15),
        (40, ground - 10.5, R),
        (52, instep - 3.2, R),
        (66, back - 2.5, R),
        (78, back - 8.5, R),
        (86, back - 17, R),
        (91, back - 20.5),
        (93.4, back - 13, R),
        (92, back - 1, R),
        (84, back + 3.2, R),
        (72, back + height * 0.3, R),
        (58, instep + height * 0.24, R),
        (44, ground - 3.2, R),
        (26, ground - 1),
    )
    body = s.fill(upper, look.cloth, Light("pillow", 1.1))
    s.gleam(
        ribbon(path((12, ground - 5.5), (20, ground - 9.6, R), (30, ground - 11.4), closed=False), 1.6, 0.6),
        0.5,
        0.9,
        body,
    )
    s.gleam(ribbon(path((88.5, back - 15), (89.5, back - 5), closed=False), 1.6), 0.35, 0.9, body)
    sole = path(
        (4, ground - 1.8),
        (26, ground - 0.8, R),
        (44, ground - 2.9, R),
        (58, instep + height * 0.26, R),
        (72, back + height * 0.32, R),
        (84, back + 3.4),
        closed=False,
    )
    s.line(sole, 1.5, Paint(lighter(look.trim_color, 0.1)) if look.chance(0.5) else Paint((176, 44, 50)))
    if look.chance(0.4):
        strap = path((60, back + 1), (67, back - 14, R), (76, back - 18, R), (87, back - 16), closed=False)
        s.fill(ribbon(strap, 2.4), look.trim)
        s.fill(box(70, back - 19, 74, back - 14, 0.6), look.metal)
    elif look.chance(0.5):
        knot = (27.0, ground - 14.2)
        wing = path(knot, (18, ground - 20, R), (16, ground - 11, R))
        for side in both(wing, knot[0]):
            s.fill(side, look.accent)
        s.fill(ellipse(*knot, 2, 2), look.trim)


def _heel(s: Sketch, look: Look, back: float, ground: float) -> None:
    height = ground - back
    stem = path(
        (72, back + 1),
        (92, back - 3),
        (90, back + height * 0.4, R),
        (90.5, ground),
        (87.8, ground),
        (84.5, back + height * 0.45, R),
    )
    if look.style == "block":
        stem = path((72, back + 1), (92.5, back - 3), (91.5, ground), (77, ground))
    heel = s.fill(stem, look.trim)
    s.fill(box(70, ground - 1.6, 95, ground + 1), Paint(darker(look.ground, 0.55)), FLAT, heel)
