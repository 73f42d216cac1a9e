"""Silhouettes of toys, sports gear and musical things."""

from __future__ import annotations

import math

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, box, ellipse, path, ribbon, star, symmetric, turned
from lookalike.demo.palette import darker, lighter, mix
from lookalike.demo.sketch import BALL, BAR, FAINT, FLAT, SLOPE, TUBE, Light, Paint, Sketch

INK = Paint((46, 44, 52))


def ball(s: Sketch, look: Look) -> None:
    """A ball: a beach ball in gores, a football in patches or a basketball with seams."""
    body = s.fill(ellipse(50, 50, 40, 40), look.plain if look.style == "beach" else look.cloth, Light("flat"))
    if look.style == "beach":
        paints = (
            look.cloth,
            Paint((248, 246, 240)),
            look.accent,
            Paint((248, 246, 240)),
            look.third,
            Paint((248, 246, 240)),
        )
        hub = (44.0, 38.0)
        tilt = look.vary(0, 60)
        for index, paint in enumerate(paints):
            start, end = math.radians(tilt + index * 60), math.radians(tilt + (index + 1) * 60)
            gore = path(
                hub,
                *(
                    (hub[0] + 70 * math.cos(a), hub[1] + 70 * math.sin(a))
                    for a in (start, (start + end) / 2, end)
                ),
            )
            s.fill(gore, paint, FLAT, body)
        s.fill(ellipse(*hub, 5, 4.6), Paint((248, 246, 240)), FLAT, body)
    elif look.style == "football":
        tilt = look.vary(0, 72)
        around = [math.radians(tilt + turn) for turn in range(0, 360, 72)]
        places = [(50 + 36 * math.cos(angle), 50 + 36 * math.sin(angle)) for angle in around]
        for place in places:
            s.line(path((50, 50), place, closed=False), 0.9, Paint(look.trim_color), body)
        for x, y in places:
            s.fill(turned(star(x, y, 12, 5, 0.81), tilt + 90, (x, y)), look.accent, FLAT, body)
        s.fill(turned(star(50, 50, 13, 5, 0.81), tilt + 18), look.accent, FLAT, body)
    else:
        seams = (
            path((10, 46), (50, 54, R), (90, 46), closed=False),
            path((46, 10), (54, 50, R), (46, 90), closed=False),
            path((22, 18), (36, 50, R), (20, 82), closed=False),
            path((80, 20), (68, 52, R), (82, 80), closed=False),
        )
        for seam in seams:
            s.line(seam, 1.6, INK, body)
    _round_light(s, body_center=(50, 50), radius=40)


def _round_light(s: Sketch, body_center: tuple[float, float], radius: float) -> None:
    """Shade a finished disc into a ball."""
    cx, cy = body_center
    rim = ribbon(ellipse(cx, cy, radius, radius, (-40, 140)), radius * 0.34)
    s.shade(rim, 0.55, radius * 0.16)
    s.gleam(ellipse(cx - radius * 0.36, cy - radius * 0.42, radius * 0.22, radius * 0.16), 0.6, radius * 0.1)


def kite(s: Sketch, look: Look) -> None:
    """A kite with a tail of bows: a diamond, a delta or a box of two colours."""
    tail = path((52, 68), (62, 76, R), (50, 83, R), (60, 90, R), (72, 95), closed=False)
    s.line(tail, 0.7, INK)
    for share in (0.3, 0.55, 0.8, 0.98):
        x, y = (float(v) for v in tail[int(share * (len(tail) - 1))])
        wing = path((x, y), (x - 4.5, y - 3, R), (x - 4.5, y + 3, R))
        s.fill([wing, turned(wing, 180, (x, y))], look.accent if share < 0.6 else look.third)
    if look.style == "delta":
        left, right = (
            path((50, 8), (4, 52), (36, 48, R), (50, 60)),
            path((50, 8), (96, 52), (64, 48, R), (50, 60)),
        )
        s.fill(left, look.cloth, SLOPE)
        s.fill(right, look.cloth, Light("slope", -1.2))
        keel = path((50, 20), (58, 40, R), (50, 56))
        s.shade(keel + 0.8, 0.3, 0.8)
        s.fill(keel, look.accent)
        s.line(path((50, 8), (50, 62), closed=False), 1.0, look.wood)
        return
    half, mid = (30.0, 32.0) if look.style == "diamond" else (26.0, 38.0)
    quarters = (
        (-1, 6.0, look.cloth),
        (1, 6.0, look.accent if look.style == "two-tone" else look.cloth),
        (-1, 70.0, look.accent if look.style == "two-tone" else look.cloth),
        (1, 70.0, look.cloth),
    )
    for side, tip, paint in quarters:
        s.fill(path((50, tip), (50 + side * half, mid), (50, mid)), paint, Light("slope", 1.2 * side))
    s.line(path((50, 5), (50, 71), closed=False), 1.2, look.wood)
    s.line(path((50 - half - 1, mid), (50, mid - 1.4, R), (50 + half + 1, mid), closed=False), 1.2, look.wood)
    rim = path((50, 6), (50 + half, mid), (50, 70), (50 - half, mid), (50, 6), closed=False)
    s.line(rim, 1.0, look.trim)


def soft_toy(s: Sketch, look: Look) -> None:
    """A sitting plush animal: a bear, a rabbit or a cat."""
    fur = Paint(look.cloth.base, "plush")
    belly = Paint(lighter(look.ground, 0.5), "plush")
    _ears(s, look.style, fur, belly)
    s.fill(both(turned(ellipse(30, 84, 11, 9), -15, (30, 84))), fur)
    for arm in both(turned(ellipse(27, 60, 7, 13), 28, (27, 60))):
        s.fill(arm, fur)
    s.fill(ellipse(50, 70, 21, 22), fur)
    s.fill(ellipse(50, 72, 13, 14.5), belly, FAINT)
    for pad in both(turned(ellipse(28.5, 85, 6.4, 5.4), -15, (30, 84))):
        s.fill(pad, belly, FAINT)
    s.shade(ellipse(50, 51, 19, 5), 0.3, 1.5)
    s.fill(ellipse(50, 34, 23, 20), fur)
    s.fill(ellipse(50, 41, 10.5, 8), belly, FAINT)
    s.fill(both(ellipse(41.5, 31.5, 2.1, 2.4)), INK, FLAT)
    s.fill([ellipse(41, 30.6, 0.7, 0.7), ellipse(58, 30.6, 0.7, 0.7)], Paint((255, 255, 255)), FLAT)
    s.fill(path((46.6, 36.6, R), (50, 35.8, R), (53.4, 36.6, R), (50, 40.6, R)), INK)
    for smile in both(path((50, 40), (48.4, 44, R), (45, 43.6), closed=False)):
        s.line(smile, 0.8, INK)
    if look.chance(0.65):
        for wing in both(path((50, 54), (40, 49, R), (39.5, 58.5, R))):
            s.fill(wing, look.accent)
        s.fill(ellipse(50, 54, 2.6, 2.8), look.accent)


def _ears(s: Sketch, animal: str, fur: Paint, lining: Paint) -> None:
    if animal == "rabbit":
        outer, inner = (
            turned(ellipse(41, 12, width, height), -10, (41, 24))
            for width, height in ((5.4, 15), (2.6, 10.5))
        )
    elif animal == "cat":
        outer, inner = path((30, 34), (30.5, 12), (45, 24)), path((33, 29), (32.6, 17), (40, 24))
    else:
        outer, inner = ellipse(33, 19, 8, 8), ellipse(33.6, 19.8, 4.6, 4.6)
    for shape, paint in ((outer, fur), (inner, lining)):
        for ear in both(shape):
            s.fill(ear, paint)


def water_bottle(s: Sketch, look: Look) -> None:
    """A drinking bottle: screw cap with loop, sport spout or a wide flask with a bamboo lid."""
    half = look.vary(12, 14) if look.style != "flask" else 16.0
    top = 28.0
    body_paint = look.cloth
    s.fill(box(50 - half * 0.66, 20, 50 + half * 0.66, top + 6, 1.5), look.metal, TUBE)
    shoulder = half * (0.98 if look.style == "flask" else 0.62)
    body = s.fill(
        symmetric(
            (50, top),
            (50 - shoulder, top, R),
            (50 - half, top + 10, R),
            (50 - half, 60),
            (50 - half, 90, R),
            (50 - half + 2.5, 94, R),
            (50, 94.6),
        ),
        body_paint,
        TUBE,
    )
    s.fill(box(0, 88, 100, 97), look.metal if look.chance(0.5) else look.trim, TUBE, body)
    s.gleam(box(50 - half * 0.66, top + 13, 50 - half * 0.5, 84, 1), 0.55, 0.5, body)
    if look.style == "sport":
        s.fill(
            symmetric((50, 12), (50 - half * 0.6, 13, R), (50 - half * 0.78, 22), (50, 23)), look.accent, TUBE
        )
        s.fill(box(46.6, 5, 53.4, 13, 2), look.trim, TUBE)
    elif look.style == "flask":
        s.fill(box(50 - half * 0.8, 12, 50 + half * 0.8, 24, 1.6), look.wood, TUBE)
    else:
        s.fill(ribbon(path((43, 16), (43, 7, R), (57, 7, R), (57, 16), closed=False), 2.4), look.trim)
        s.fill(box(50 - half * 0.74, 13, 50 + half * 0.74, 23, 2), look.trim, TUBE)
    if look.pattern == "plain" and look.chance(0.7):
        label = box(0, 52, 100, 66)
        s.fill(label, look.accent, TUBE, body)
        s.fill(ellipse(50, 59, 4.4, 4.4), look.third, FLAT, body)


def skateboard(s: Sketch, look: Look) -> None:
    """A skateboard from below: a deck with its art, two trucks and four wheels."""
    half, nose = (13.0, 6.0) if look.style == "classic" else (11.0, 14.0)
    if look.style == "longboard":
        half, nose = 11.5, 2.5
    deck = symmetric(
        (50, nose, R),
        (50 - half * 0.7, nose + 3, R),
        (50 - half, nose + 14, R),
        (50 - half, 100 - nose - 14, R),
        (50 - half * 0.7, 97 - nose, R),
        (50, 100 - nose, R),
    )
    wheels = Paint(look.colors.third if look.chance(0.6) else (244, 240, 230))
    for y in (nose + 17, 83 - nose):
        for x in (50 - half - 1.5, 50 + half + 1.5):
            s.fill(box(x - 2.6, y - 4.4, x + 2.6, y + 4.4, 1.6), wheels, TUBE)
    s.fill((deck - 50) * 1.03 + 50, look.wood, FLAT)
    body = s.fill(deck, look.cloth, Light("pillow", 0.8))
    if look.pattern == "plain":
        s.fill(ellipse(50, 50, 8.5, 8.5), look.accent, FLAT, body)
        s.fill(path((36, 58), (50, 40), (64, 58), (64, 62), (50, 45), (36, 62)), look.third, FLAT, body)
    for y in (nose + 17, 83 - nose):
        s.shade(box(44, y - 4, 57.5, y + 6, 1), 0.4, 0.9)
        s.fill(box(44.5, y - 5, 55.5, y + 5, 1.4), look.metal)
        s.fill(ribbon(path((50 - half + 1, y), (50 + half - 1, y), closed=False), 3), look.metal, BAR)
        s.fill([ellipse(x, y + dy, 0.8, 0.8) for x in (46, 54) for dy in (-3.4, 3.4)], INK, FLAT)
        s.fill(ellipse(50, y, 2.2, 2.2), look.accent, BALL)


def guitar(s: Sketch, look: Look) -> None:
    """A guitar: acoustic with a round sound hole, or electric with horns and pick-ups."""
    neck = Paint(mix((120, 80, 52), (74, 50, 38), look.vary(0, 1)), "wood")
    electric = look.style == "electric"
    if electric:
        outline = path(
            (43, 52),
            (34, 46, R),
            (33, 55, R),
            (36, 63, R),
            (29, 76, R),
            (33, 91, R),
            (50, 95, R),
            (67, 91, R),
            (71, 76, R),
            (63, 64, R),
            (66, 56, R),
            (65, 50, R),
            (57, 54),
            (50, 58),
        )
    else:
        outline = symmetric(
            (50, 44.5, R), (39.5, 45, R), (33.5, 53, R), (37, 63, R), (28.5, 77, R), (34, 91, R), (50, 95, R)
        )
    s.fill((outline - (50, 70)) * 1.035 + (50, 70), Paint(darker(look.ground, 0.5)))
    body = s.fill(outline, look.cloth if electric else Paint(look.cloth.base, "wood"), Light("pillow", 0.9))
    s.gleam(path((36, 50), (44, 46), (38, 62, R), (34, 66)), 0.16, 1.6, body)
    if electric:
        guard = path((50, 58), (61, 60, R), (59, 70, R), (64, 82, R), (55, 88, R), (50, 84), (43, 62))
        s.fill(guard, Paint((246, 242, 232)) if look.chance(0.6) else look.accent, FAINT, body)
        s.fill([box(45, y, 55, y + 3.2, 1.2) for y in (64, 71.5)], INK)
        s.fill([ellipse(60.5, y, 1.5, 1.5) for y in (76, 81)], look.metal, BALL)
        s.fill(box(44.5, 80, 55.5, 84, 1), look.metal)
    else:
        s.fill(ellipse(50, 63, 7.4, 7.4), look.accent, FLAT)
        s.fill(ellipse(50, 63, 6, 6), Paint((40, 28, 24)), BALL)
        s.fill(
            path((55, 60), (62, 62, R), (62, 72, R), (55, 70)), Paint(darker(look.ground, 0.55)), FAINT, body
        )
        s.fill(box(42, 80, 58, 83.4, 1), neck)
    s.fill(
        path((47.8, 16), (52.2, 16), (52.8, 62 if electric else 57), (47.2, 62 if electric else 57)),
        neck,
        TUBE,
    )
    s.fill(
        [box(47.4, y, 52.6, y + 0.5) for y in (20, 24.5, 28.7, 32.7, 36.4, 39.9, 43.2, 46.3, 49.2, 52)],
        look.metal,
        FLAT,
    )
    s.fill([ellipse(50, y, 0.6, 0.6) for y in (26.6, 34.6, 41.6, 50.6)], Paint((244, 240, 230)), FLAT)
    s.fill(
        path((46.8, 16.4), (45, 6.5, R), (46.4, 4), (54, 5), (54.6, 7, R), (53.2, 16.4)),
        look.cloth if electric else neck,
    )
    s.fill([ellipse(x, y, 1.2, 1) for x in (43.8, 56.2) for y in (7.5, 10.5, 13.5)], look.metal, BALL)
    bridge = 82.0
    s.fill(
        [box(50 + dx - 0.12, 6, 50 + dx + 0.12, bridge) for dx in (-2, -1.2, -0.4, 0.4, 1.2, 2)],
        Paint((226, 222, 214)),
        FLAT,
    )


def headphones(s: Sketch, look: Look) -> None:
    """Over-ear headphones, on-ear ones, or a gaming set with a microphone."""
    wide = look.vary(29, 32)
    arch = path(
        (50 - wide, 58),
        (50 - wide - 1, 36, R),
        (50 - wide * 0.55, 15, R),
        (50, 10.5, R),
        (50 + wide * 0.55, 15, R),
        (50 + wide + 1, 36, R),
        (50 + wide, 58),
        closed=False,
    )
    s.fill(ribbon(arch, 4.6), look.cloth)
    pad = path(
        (50 - wide * 0.62, 18),
        (50 - wide * 0.3, 13.4, R),
        (50, 12.6, R),
        (50 + wide * 0.3, 13.4, R),
        (50 + wide * 0.62, 18),
        closed=False,
    )
    s.fill(ribbon(pad, 6.4), look.trim)
    for slider in both(box(50 - wide - 2, 42, 50 - wide + 1.6, 56, 1)):
        s.fill(slider, look.metal, TUBE)
    tall = 12.0 if look.style == "on-ear" else 17.0
    for cup in both(box(50 - wide + 1, 64 - tall * 0.9, 50 - wide + 9.5, 64 + tall * 0.9, 4)):
        s.fill(cup, Paint((58, 56, 62), "leather"))
    shell = path(
        (50 - wide + 2, 64 - tall),
        (50 - wide - 5, 64 - tall, R),
        (50 - wide - 9.5, 64, R),
        (50 - wide - 5, 64 + tall, R),
        (50 - wide + 2, 64 + tall),
    )
    for side in both(shell):
        s.fill(side, look.cloth, Light("pillow", 1.3))
    stripe = path(
        (50 - wide - 4, 64 - tall * 0.7),
        (50 - wide - 7, 64, R),
        (50 - wide - 4, 64 + tall * 0.7),
        closed=False,
    )
    for line in both(stripe):
        s.line(line, 1.6, look.accent)
    if look.style == "gaming":
        s.fill(ribbon(path((50 - wide - 4, 74), (26, 88, R), (42, 90), closed=False), 1.6), INK)
        s.fill(turned(box(40, 87.4, 48, 92.4, 2.4), -4, (44, 90)), look.trim)
    elif look.chance(0.4):
        s.line(path((50 - wide - 2, 64 + tall), (22, 90, R), (46, 93, R), (70, 96), closed=False), 0.9, INK)
