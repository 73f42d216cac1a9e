"""Silhouettes of accessories: watches, sunglasses, hats, beanies and umbrellas."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import (
    Outline,
    Point,
    R,
    both,
    box,
    ellipse,
    moved,
    path,
    ribbon,
    symmetric,
    turned,
)
from lookalike.demo.palette import Rgb, darker, lighter
from lookalike.demo.sketch import BALL, FAINT, FLAT, SLOPE, Light, Paint, Part, Sketch


def watch(s: Sketch, look: Look) -> None:
    """A wrist watch: round or square, on a strap or a link bracelet."""
    half = look.vary(8, 9.5)
    upper = path(
        (50 - half, 34),
        (50 - half + 1.2, 14, R),
        (50 - half + 1.6, 5),
        (50 + half - 1.6, 5),
        (50 + half - 1.2, 14, R),
        (50 + half, 34),
    )
    lower = path(
        (50 - half, 66),
        (50 - half + 1.2, 84, R),
        (50 - half + 2.5, 95),
        (50 + half - 2.5, 95),
        (50 + half - 1.2, 84, R),
        (50 + half, 66),
    )
    metal_band = look.style == "bracelet"
    for band in (upper, lower):
        part = s.fill(band, look.metal if metal_band else look.cloth)
        if metal_band:
            gaps = [box(30, y, 70, y + 0.7) for y in range(4, 96, 4)] + [
                box(46, 0, 46.6, 100),
                box(53.4, 0, 54, 100),
            ]
            s.shade(gaps, 0.55, 0.15, part)
        else:
            for x in (50 - half + 2.2, 50 + half - 2.2):
                s.stitch(path((x, 6), (x, 94), closed=False), look.thread, part)
    if not metal_band:
        s.fill([ellipse(50, y, 0.9, 1.1) for y in (78, 83, 88)], Paint(darker(look.ground, 0.6)), FLAT)
    square = look.style == "square"
    size = look.vary(18, 20.5)
    s.fill(box(50 + size - 1, 47.5, 50 + size + 3, 52.5, 1), look.metal)
    outline = (
        box(50 - size, 50 - size, 50 + size, 50 + size, 6)
        if square
        else ellipse(50, 50, size + 1.5, size + 1.5)
    )
    s.shade(outline + 0.9, 0.35, 1.2)
    s.fill(outline, look.metal, Light("pillow", 1.4))
    dial_paint = Paint(
        look.colors.main
        if metal_band
        else look.shape.choice(((248, 246, 240), look.colors.third, (36, 38, 46)))
    )
    inset = size - 2.6
    dial_outline = (
        box(50 - inset, 50 - inset, 50 + inset, 50 + inset, 4)
        if square
        else ellipse(50, 50, inset + 1, inset + 1)
    )
    dial = s.fill(dial_outline, dial_paint, SLOPE)
    _watch_face(s, dial, inset, _ink(dial_paint), look)


def _ink(paint: Paint) -> Rgb:
    base = paint.base if isinstance(paint.base, tuple) else (128, 128, 128)
    return (245, 243, 236) if sum(base) < 380 else (40, 40, 48)


def _watch_face(s: Sketch, dial: Part, size: float, ink: Rgb, look: Look) -> None:
    marks = [
        turned(box(49.6, 50 - size + 1, 50.4, 50 - size + (4.2 if i % 3 == 0 else 2.6)), i * 30)
        for i in range(12)
    ]
    s.fill(marks, Paint(ink), FLAT, dial)
    hour, minute = look.vary(0, 360), look.vary(0, 360)
    for angle, length, width in ((hour, size * 0.5, 1.5), (minute, size * 0.78, 1.1)):
        hand = turned(ribbon(path((50, 52), (50, 50 - length), closed=False), width, width * 0.6), angle)
        s.shade(hand + 0.5, 0.25, 0.4, dial)
        s.fill(hand, Paint(ink), FLAT)
    s.fill(turned(box(49.85, 50 - size * 0.82, 50.15, 54), look.vary(0, 360)), Paint((208, 62, 52)), FLAT)
    s.fill(ellipse(50, 50, 1.4, 1.4), look.metal, BALL)
    s.gleam(
        path(
            (50 - size * 0.7, 50 - size),
            (50 - size * 0.1, 50 - size),
            (50 - size, 50 + size * 0.4),
            (50 - size, 50 - size * 0.4),
        ),
        0.16,
        0.5,
        dial,
    )


def sunglasses(s: Sketch, look: Look) -> None:
    """Sunglasses seen from the front: round, square, cat-eye or aviator."""
    y = 50.0
    lens = _lens(look)
    for arm in both(path((10, y - 7), (5.5, y - 12, R), (7.5, y - 17), closed=False)):
        s.fill(ribbon(arm, 2.4, 1.4), look.trim)
    thin = look.style == "aviator" or (look.style == "round" and look.chance(0.5))
    frame = look.metal if thin else look.cloth
    s.fill(
        ribbon(path((44, y - 4), (50, y - 8.5, R), (56, y - 4), closed=False), 1.6 if thin else 3.4), frame
    )
    if look.style == "aviator":
        s.fill(ribbon(path((40, y - 12), (50, y - 13, R), (60, y - 12), closed=False), 1.5), frame)
    middle = lens.mean(axis=0)
    rim = (lens - middle) * (1.08 if thin else 1.22) + middle
    tint = look.colors.second if look.chance(0.3) else (52, 54, 62)
    for side, glass in zip(both(rim), both(lens), strict=True):
        s.fill(side, frame, Light("pillow", 1.3))
        pane = s.fill(glass, Paint(darker(tint, 0.3)), FLAT)
        s.shade(moved(glass, 0, 13), 0.85, 5, pane, lighter(tint, 0.45))
        cx = float(glass[:, 0].mean())
        s.gleam(path((cx - 9, y + 14), (cx + 2, y - 18), (cx + 7, y - 18), (cx - 4, y + 14)), 0.3, 0.5, pane)
    for hinge in both(ellipse(12, y - 8, 0.9, 0.9)):
        s.fill(hinge, look.metal if not thin else look.trim, FLAT)


def _lens(look: Look) -> Outline:
    y = 50.0
    if look.style == "round":
        radius = look.vary(14, 16.5)
        return ellipse(28, y, radius, radius)
    if look.style == "square":
        return path(
            (13.5, y - 11, R),
            (28, y - 12.5, R),
            (42.5, y - 11, R),
            (43, y + 2, R),
            (40, y + 12, R),
            (28, y + 13, R),
            (16, y + 11, R),
            (12.5, y, R),
        )
    if look.style == "cat-eye":
        return path(
            (10, y - 14),
            (28, y - 12, R),
            (43, y - 8, R),
            (42, y + 5, R),
            (30, y + 12, R),
            (17, y + 8, R),
            (12, y - 4, R),
        )
    return path(
        (14, y - 10, R),
        (30, y - 12.5, R),
        (43, y - 9, R),
        (44, y + 2, R),
        (36, y + 15, R),
        (23, y + 15, R),
        (13.5, y + 4, R),
    )


def hat(s: Sketch, look: Look) -> None:
    """A hat with a brim: fedora, wide-brimmed sun hat, or a bucket hat."""
    if look.style == "bucket":
        s.fill(symmetric((50, 60, R), (26, 60, R), (11, 76, R), (28, 82, R), (50, 83.5, R)), look.cloth)
        crown = s.fill(
            symmetric((50, 30, R), (34, 31, R), (30, 36, R), (26, 60), (38, 64.5, R), (50, 66, R)), look.cloth
        )
        for drop in (3.0, 8.0, 13.0):
            s.stitch(
                path((24 - drop, 62 + drop), (50, 66.5 + drop, R), (76 + drop, 62 + drop), closed=False),
                look.thread,
            )
        s.fill(both(ellipse(34, 54, 0.9, 0.9)), look.metal, FLAT, crown)
        return
    wide = look.style == "wide-brim"
    reach, drop = (44.0, 8.0) if wide else (35.0, 5.0)
    y = 66.0
    brim = (
        ellipse(50, y, reach, 12 if wide else 9)
        if wide
        else path(
            (15, y - 3, R),
            (30, y + 4, R),
            (50, y + 7, R),
            (70, y + 4, R),
            (86, y - 5, R),
            (80, y - 8, R),
            (50, y - 6, R),
            (22, y - 7, R),
        )
    )
    s.fill(brim, look.cloth, Light("pillow", 1.2))
    s.shade(ellipse(50, y + 1.5, 25, drop), 0.4, 1.8)
    if wide:
        outline = symmetric(
            (50, 30, R), (36, 33, R), (29, 46, R), (27, y - 2), (38, y + 3, R), (50, y + 4.4, R)
        )
    else:
        outline = symmetric(
            (50, 36, R),
            (42, 31, R),
            (33, 33, R),
            (29, 46, R),
            (26.5, y - 3),
            (38, y + 2, R),
            (50, y + 3.4, R),
        )
    crown = s.fill(outline, look.cloth)
    if not wide:
        s.crease(path((44, 33), (50, 40, R), (55, 33), closed=False), 0.4, 3.2, crown)
    low = path((20, y - 3), (38, y + 1.6, R), (50, y + 3, R), (62, y + 1.6, R), (80, y - 3), closed=False)
    s.fill(ribbon(low - (0, 4.2), 6.4), look.accent, FAINT, crown)
    if look.chance(0.5):
        for tail in (
            path((70, y - 5), (76, y + 2, R), (79, y + 8), closed=False),
            path((70, y - 5), (72, y + 4, R), (70, y + 11), closed=False),
        ):
            s.fill(ribbon(tail, 2.6, 3.4), look.accent)
        s.fill(ellipse(70, y - 4, 2.6, 3), look.accent)


def beanie(s: Sketch, look: Look) -> None:
    """A knitted cap with a turned-up edge, and often a bobble."""
    if look.style == "bobble":
        ball = [
            turned(
                ribbon(path((50, 20), (50, 9.5 + look.vary(-0.8, 0.8)), closed=False), 2.4, 1.2),
                i * 15,
                (50, 20),
            )
            for i in range(24)
        ]
        s.fill(ball, Paint(look.accent.base, "plush"), BALL)
        s.fill(ellipse(50, 20, 9, 9), Paint(look.accent.base, "plush"), BALL)
    tall = 20.0 if look.style == "slouchy" else 26.0
    lean = 7.0 if look.style == "slouchy" else 0.0
    cap = path(
        (22, 66),
        (22.5, 46, R),
        (34 + lean, tall + 4, R),
        (50 + lean * 1.6, tall, R),
        (66 + lean * 1.6, tall + 4, R),
        (77.5, 46, R),
        (78, 66),
    )
    body = s.fill(cap, look.cloth)
    for i in range(-3, 4):
        rib = path(
            (50 + i * 8.6, 66),
            (50 + i * 8 + lean * 0.6, 42, R),
            (50 + i * 2.5 + lean * 1.5, tall + 1),
            closed=False,
        )
        s.crease(rib, 0.18, 1.8, body)
    fold = symmetric((50, 60, R), (21, 58.5, R), (19.5, 62, R), (20, 76, R), (22, 79, R), (50, 81, R))
    s.shade(fold - (0, 1.4), 0.35, 1.2, body)
    edge = s.fill(fold, look.accent if look.chance(0.5) else look.trim)
    s.shade([ribbon(path((x, 58), (x, 82), closed=False), 0.7) for x in range(20, 82, 3)], 0.3, 0.3, edge)
    if look.chance(0.5):
        s.fill(box(44, 67, 56, 74, 0.6), look.tan, FAINT)


def umbrella(s: Sketch, look: Look) -> None:
    """An open umbrella from the side, or a slim one rolled up."""
    if look.style == "rolled":
        s.fill(ribbon(path((50, 3), (50, 96), closed=False), 1.6), look.metal)
        s.fill(
            ribbon(path((50, 66), (50, 88, R), (55, 95, R), (61, 90, R), (61, 86), closed=False), 3.2),
            look.wood,
        )
        body = s.fill(symmetric((50, 8), (48, 12, R), (43, 50, R), (45.5, 68), (50, 69)), look.cloth)
        for dx in (-3.5, 0.5, 3.5):
            s.crease(path((50, 10), (50 + dx, 40, R), (50 + dx * 0.8, 67), closed=False), 0.35, 1.6, body)
        s.fill(path((42, 50), (58, 54), (58, 57), (42, 53)), look.trim, FAINT, body)
        return
    s.fill(ribbon(path((50, 6), (50, 84), closed=False), 1.5), look.metal)
    s.fill(
        ribbon(path((50, 66), (50, 84, R), (54, 91.5, R), (60, 88.5, R), (60.5, 84), closed=False), 3),
        look.wood,
    )
    rim = 52.0
    scallops: tuple[Point, ...] = (
        (90, rim),
        (79.5, 46.5, R),
        (69, rim),
        (50, 47, R),
        (31, rim),
        (20.5, 46.5, R),
    )
    dome = path((50, 11), (68, 15, R), (84, 31, R), *scallops, (10, rim), (16, 31, R), (32, 15, R))
    body = s.fill(dome, look.cloth)
    if look.style == "two-tone":
        s.fill(
            path((50, 11), (66, 24, R), (69, rim + 1), (31, rim + 1), (34, 24, R)), look.accent, FAINT, body
        )
    for x, bend in ((31, 35.5), (69, 64.5)):
        s.crease(path((50, 11), (bend, 27, R), (x, rim), closed=False), 0.4, 1.2, body)
    s.gleam(path((44, 16), (28, 26, R), (19, 40), (24, 40), (36, 26, R)), 0.18, 1.6, body)
    s.fill(box(49, 5.5, 51, 12, 1), look.metal)
