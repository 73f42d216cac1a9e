"""Silhouettes of furnishings: lamps, chairs, cushions, rugs and clocks."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, box, ellipse, path, ribbon, symmetric, turned
from lookalike.demo.palette import darker
from lookalike.demo.sketch import BALL, FAINT, FLAT, TUBE, Light, Paint, Sketch

GLOW = (255, 236, 186)


def lamp(s: Sketch, look: Look) -> None:
    """A lamp: a table lamp with a shade, a tall floor lamp or a hanging pendant."""
    if look.style == "pendant":
        s.fill(box(49.5, 2, 50.5, 40), Paint((56, 54, 58)))
        s.fill(box(47, 36, 53, 45, 1.5), look.metal, TUBE)
        half = look.vary(27, 34)
        s.fill(ellipse(50, 73, 7.5, 7.5), Paint(GLOW), BALL)
        dome = symmetric((50, 43, R), (44, 44, R), (50 - half * 0.7, 54, R), (50 - half, 72), (50, 74.5, R))
        shade = s.fill(dome, look.cloth, TUBE)
        s.shade(box(10, 66, 90, 78), 0.4, 5, shade, GLOW)
        s.fill(ellipse(50, 72.2, half, 2.6), look.trim, FLAT)
        s.fill(ellipse(50, 72.4, half - 1.2, 1.9), Paint((255, 244, 214)), FLAT)
        return
    tall = look.style == "floor"
    top, bottom, wide, narrow = (
        (6.0, 28.0, 17.0, look.vary(9, 15)) if tall else (10.0, 47.0, look.vary(25, 30), look.vary(13, 22))
    )
    foot = 94.0 if tall else 90.0
    if tall:
        s.fill(box(49.2, bottom - 2, 50.8, foot - 1), look.metal, TUBE)
        if look.chance(0.5):
            for leg in both(path((50, 56), (38, foot), closed=False)):
                s.fill(ribbon(leg, 2), look.wood)
        else:
            s.fill(ellipse(50, foot - 1.5, 13, 2.6), look.metal)
    else:
        s.fill(box(48.8, bottom - 4, 51.2, 58), look.metal, TUBE)
        belly = look.vary(9, 16)
        base = symmetric(
            (50, 54),
            (46, 54, R),
            (50 - belly, 70 + look.vary(-5, 5), R),
            (50 - belly * 0.62, 88, R),
            (50 - belly * 0.7, foot),
            (50, foot + 1, R),
        )
        s.fill(base, look.wood if look.chance(0.3) else look.accent, TUBE)
    shade = s.fill(
        symmetric((50, top - 0.6, R), (50 - narrow, top), (50 - wide, bottom), (50, bottom + 2.2, R)),
        look.cloth,
        TUBE,
    )
    s.shade(ellipse(50, bottom - 2, wide * 0.8, (bottom - top) * 0.5), 0.5, 5, shade, GLOW)
    s.fill(
        ribbon(path((50 - wide, bottom), (50, bottom + 2.2, R), (50 + wide, bottom), closed=False), 1.2),
        look.trim,
        FLAT,
        shade,
    )
    s.fill(
        ribbon(path((50 - narrow, top), (50, top - 0.6, R), (50 + narrow, top), closed=False), 1.0),
        look.trim,
        FLAT,
        shade,
    )
    s.line(path((50 + wide * 0.35, bottom), (50 + wide * 0.35, bottom + 9), closed=False), 0.5, look.metal)
    s.fill(ellipse(50 + wide * 0.35, bottom + 9.5, 1, 1), look.metal, BALL)


def chair(s: Sketch, look: Look) -> None:
    """A chair: an upholstered armchair, a wooden dining chair or a shell on splayed legs."""
    if look.style == "armchair":
        _armchair(s, look)
        return
    seat = 58.0
    for leg in (path((33, seat), (29, 90), closed=False), path((67, seat), (71, 90), closed=False)):
        s.fill(ribbon(leg, 3, 2), Paint(darker(_rgb(look.wood), 0.3), "wood"))
    if look.style == "dining":
        for post in both(path((30, 60), (28.5, 30, R), (30, 8), closed=False)):
            s.fill(ribbon(post, 3.2), look.wood, TUBE)
        rails = (14, 24, 34) if look.chance(0.5) else (12,)
        for y in rails:
            s.fill(
                path((30, y), (50, y - 2, R), (70, y), (70, y + 6), (50, y + 4, R), (30, y + 6)), look.wood
            )
        if len(rails) == 1:
            s.fill([box(x - 1, 17, x + 1, 58) for x in (38, 46, 54, 62)], look.wood, TUBE)
    else:
        back = symmetric(
            (50, 10, R), (34, 13, R), (27, 30, R), (25, 48, R), (22, 56, R), (28, 64, R), (50, 66, R)
        )
        shell = s.fill(back, look.cloth, Light("pillow", 1.3))
        s.shade(ellipse(50, 50, 19, 6), 0.28, 3, shell)
    for leg in both(path((27, seat + 4), (20, 94), closed=False)):
        s.fill(ribbon(leg, 4, 2.4), look.wood)
    cushion = path(
        (28, seat - 4),
        (72, seat - 4),
        (79, seat + 3, R),
        (78, seat + 8, R),
        (22, seat + 8, R),
        (21, seat + 3, R),
    )
    s.shade(cushion - (0, 2), 0.3, 1.4)
    s.fill(cushion, look.cloth)


def _rgb(paint: Paint) -> tuple[int, int, int]:
    return paint.base if isinstance(paint.base, tuple) else (128, 128, 128)


def _armchair(s: Sketch, look: Look) -> None:
    for leg in both(path((24, 82), (21, 93), closed=False)):
        s.fill(ribbon(leg, 3.4, 2.2), look.wood)
    back = symmetric((50, 14, R), (34, 15.5, R), (26, 24, R), (24, 60), (50, 62))
    s.fill(back, look.cloth, Light("pillow", 1.2))
    if look.chance(0.5):
        for x in (40, 50, 60):
            for y in (28, 40):
                s.shade(ellipse(x, y, 1.8, 1.8), 0.5, 0.8)
                s.fill(ellipse(x, y, 0.9, 0.9), look.trim, BALL)
    s.fill(box(22, 66, 78, 84, 3), look.cloth)
    cushion = box(26, 55, 74, 69, 5)
    s.shade(cushion - (0, 1.6), 0.35, 1.4)
    s.fill(cushion, look.cloth)
    arm = path(
        (12, 52, R), (15, 46, R), (22, 45, R), (27, 50, R), (28, 84, R), (26, 86), (14, 86, R), (11.5, 82, R)
    )
    for side in both(arm):
        s.shade(side + 0.5, 0.3, 1.2)
        s.fill(side, look.cloth)
    if look.chance(0.5):
        pillow = turned(
            path((37, 40), (50, 42, R), (62, 39), (61, 50, R), (63, 61), (50, 59, R), (37, 62), (39, 50, R)),
            -8,
        )
        s.shade(pillow + 1, 0.3, 1.2)
        s.fill(pillow, look.accent)


def cushion(s: Sketch, look: Look) -> None:
    """A cushion: square, round or oblong, with piping, tassels or a button."""
    if look.style == "round":
        body = s.fill(ellipse(50, 50, 38, 37), look.cloth, Light("pillow", 1.2))
        for index in range(12):
            s.crease(turned(path((50, 45), (50, 22), closed=False), index * 30), 0.28, 2.4, body)
        s.fill(ellipse(50, 50, 4, 4), look.accent, BALL)
        return
    half = 25.0 if look.style == "oblong" else 38.0
    left, right, top, low = 9.0, 91.0, 50 - half, 50 + half
    if look.style == "square":
        left, right = 12.0, 88.0
    sag = look.vary(2.5, 4.5)
    outline = path(
        (left, top),
        (50, top + sag, R),
        (right, top),
        (right - sag, 50, R),
        (right, low),
        (50, low - sag, R),
        (left, low),
        (left + sag, 50, R),
    )
    if look.chance(0.4):
        for x, y, angle in ((left, top, -45), (right, top, 45), (right, low, 135), (left, low, 225)):
            threads = [
                turned(ribbon(path((x, y), (x + i * 0.8, y - 6.5), closed=False), 1.0), angle, (x, y))
                for i in (-2, -1, 0, 1, 2)
            ]
            s.fill(threads, look.accent)
    s.fill((outline - 50) * 1.02 + 50, look.accent if look.chance(0.6) else look.trim)
    body = s.fill(outline, look.cloth, Light("pillow", 1.2))
    for fold in (
        path((left + 3, top + 3), (left + 12, top + 10, R), (left + 18, top + 20), closed=False),
        path((right - 3, low - 3), (right - 12, low - 9, R), (right - 19, low - 17), closed=False),
    ):
        s.crease(fold, 0.3, 2.6, body)


def rug(s: Sketch, look: Look) -> None:
    """A rug from above: oblong with fringes, round, or a runner; borders in a second colour."""
    if look.style == "round":
        s.fill(ellipse(50, 50, 42, 42), look.accent, FLAT)
        s.fill(ellipse(50, 50, 39.5, 39.5), look.trim, FLAT)
        body = s.fill(ellipse(50, 50, 37.5, 37.5), look.cloth, FAINT)
        s.stitch(ellipse(50, 50, 40.8, 40.8), look.thread)
        if look.pattern == "plain":
            for radius in (29, 20, 11):
                s.fill(
                    ellipse(50, 50, radius, radius),
                    look.third,
                    FLAT,
                    body,
                    [ellipse(50, 50, radius - 2.4, radius - 2.4)],
                )
        return
    half = 20.0 if look.style == "runner" else look.vary(29, 32)
    left, right = 50 - half, 50 + half
    for x in range(int(left) + 1, int(right), 2):
        s.fill(
            [
                ribbon(path((x, 8), (x + look.vary(-0.5, 0.5), 3.5), closed=False), 0.8),
                ribbon(path((x, 92), (x + look.vary(-0.5, 0.5), 96.5), closed=False), 0.8),
            ],
            Paint((236, 226, 206)),
            FLAT,
        )
    s.fill(box(left, 7, right, 93, 0.6), look.accent, FAINT)
    s.fill(box(left + 2, 9, right - 2, 91), look.trim, FLAT)
    body = s.fill(box(left + 4.5, 11.5, right - 4.5, 88.5), look.cloth, FAINT)
    if look.pattern == "plain":
        for size, paint in ((1.0, look.accent), (0.76, look.plain), (0.5, look.third)):
            medallion = path(
                (50, 50 - 30 * size),
                (50 + (half - 7) * size, 50),
                (50, 50 + 30 * size),
                (50 - (half - 7) * size, 50),
            )
            s.fill(medallion, paint, FLAT, body)


def clock(s: Sketch, look: Look) -> None:
    """A wall clock: round, sunburst or square."""
    size = look.vary(33, 37)
    if look.style == "sunburst":
        size = 23.0
        rays = [
            turned(ribbon(path((50, 26), (50, 8 if i % 2 else 14), closed=False), 2.2, 1.0), i * 15)
            for i in range(24)
        ]
        s.fill(rays, look.wood if look.chance(0.5) else look.metal)
    square = look.style == "square"
    rim = box(50 - size, 50 - size, 50 + size, 50 + size, 5) if square else ellipse(50, 50, size, size)
    s.fill(rim, look.cloth if look.pattern == "plain" else look.trim, Light("pillow", 1.2))
    inner = (rim - 50) * 0.89 + 50
    dial = s.fill(inner, look.cloth if look.pattern != "plain" else Paint((248, 245, 238)), FAINT)
    s.shade(ribbon(ellipse(50, 50, size * 0.92, size * 0.92, (160, 300)), 2.4), 0.25, 1.2, dial)
    pale = look.pattern == "plain" or sum(look.ground) > 420
    ink = Paint((44, 44, 52) if pale else (246, 243, 236))
    reach = size * 0.8
    s.fill(
        [
            turned(box(49.1, 50 - reach, 50.9, 50 - reach + (5 if i % 3 == 0 else 3)), i * 30)
            for i in range(12)
        ],
        ink,
        FLAT,
    )
    for angle, length, width in ((look.vary(0, 360), 0.5, 2.6), (look.vary(0, 360), 0.74, 1.8)):
        hand = turned(
            ribbon(path((50, 53), (50, 50 - size * length), closed=False), width, width * 0.7), angle
        )
        s.shade(hand + 0.7, 0.25, 0.6)
        s.fill(hand, ink, FLAT)
    s.fill(ellipse(50, 50, 2.2, 2.2), look.accent, BALL)
