"""Silhouettes of jewellery: necklaces, earrings and rings."""

from __future__ import annotations

import math

import numpy as np

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, ellipse, flipped, path, ribbon, spaced, turned
from lookalike.demo.palette import Rgb, darker, lighter
from lookalike.demo.sketch import BALL, FAINT, FLAT, PILLOW, Light, Paint, Sketch


def _gem(s: Sketch, cx: float, cy: float, size: float, color: Rgb) -> None:
    """Draw a cut stone: a facetted circle with bright and dark sides."""
    s.fill(ellipse(cx, cy, size, size), Paint(color), BALL)
    for index in range(8):
        facet = path(
            (cx, cy),
            *(
                (cx + size * math.cos(a), cy + size * math.sin(a))
                for a in (index * math.pi / 4, (index + 1) * math.pi / 4)
            ),
        )
        tone = lighter(color, 0.4) if index in (4, 5) else darker(color, 0.22) if index in (0, 1) else color
        s.fill(facet, Paint(tone), FLAT)
    s.fill([ellipse(cx, cy, size * 0.52, size * 0.52)], Paint(lighter(color, 0.25)), FLAT)
    s.gleam(ellipse(cx - size * 0.3, cy - size * 0.35, size * 0.22, size * 0.16), 0.9, 0.2)


def _brilliant(s: Sketch, cx: float, cy: float, size: float, color: Rgb) -> None:
    """Draw a cut stone from the side: a table above, a point below, in facets."""
    top, girdle, point = cy - size * 0.62, cy - size * 0.22, cy + size * 0.85
    xs = [cx + size * share for share in (-1.0, -0.4, 0.4, 1.0)]
    tables = [cx - size * 0.58, cx - size * 0.2, cx + size * 0.2, cx + size * 0.58]
    tones = (lighter(color, 0.55), lighter(color, 0.15), darker(color, 0.18))
    for index, tone in enumerate(tones):
        crown = path(
            (tables[index], top), (tables[index + 1], top), (xs[index + 1], girdle), (xs[index], girdle)
        )
        s.fill(crown, Paint(lighter(tone, 0.3)), FLAT)
        s.fill(path((xs[index], girdle), (xs[index + 1], girdle), (cx, point)), Paint(tone), FLAT)
    s.fill(
        path((cx - size * 0.2, top), (cx + size * 0.2, top), (cx, girdle)), Paint(lighter(color, 0.75)), FLAT
    )
    s.gleam(ellipse(cx - size * 0.5, girdle - size * 0.2, size * 0.2, size * 0.1), 0.9, 0.3)


def necklace(s: Sketch, look: Look) -> None:
    """A necklace: a pendant on a chain, a string of pearls or coloured beads."""
    drop = look.vary(64, 72)
    left = path((28, 8), (20, 26, R), (27, drop - 20, R), (40, drop - 5, R), (50, drop, R), closed=False)
    line = np.concatenate([left, flipped(left)[::-1]])
    if look.style == "pendant":
        for side in both(left):
            s.line(side, 1.1, look.metal)
        for x, y in spaced(line, 2.3):
            s.fill(ellipse(x, y, 1.0, 1.0), look.metal, BALL)
        s.fill(ellipse(50, drop + 1.5, 2, 2.6), look.metal, PILLOW, None, [ellipse(50, drop + 1.5, 1, 1.5)])
        size = look.vary(7, 9.5)
        s.fill(ellipse(50, drop + 4 + size, size + 1.8, size + 1.8), look.metal)
        _gem(s, 50, drop + 4 + size, size, look.colors.main)
        return
    beads = look.style == "bead"
    for index, (x, y) in enumerate(spaced(line, 5.6 if beads else 4.1)):
        size = 1.8 + 2.0 * (y / drop) ** 2 if beads else 2.2
        color = (look.colors.main, look.colors.second, look.colors.main, look.colors.third)[index % 4]
        paint = Paint(color if beads else lighter(look.colors.main, 0.35))
        s.shade(ellipse(x + 0.5, y + 0.6, size, size), 0.3, 0.5)
        s.fill(ellipse(x, y, size, size), paint, Light("ball", 1.5))
        s.gleam(ellipse(x - size * 0.35, y - size * 0.35, size * 0.25, size * 0.22), 0.8, 0.2)


def earrings(s: Sketch, look: Look) -> None:
    """A pair of earrings: hoops, drops or studs."""
    for x in (31.0, 69.0):
        if look.style == "hoop":
            radius = look.vary(17, 17.5)
            s.fill(
                ellipse(x, 54, radius, radius + 3),
                look.metal,
                Light("pillow", 1.5),
                None,
                [ellipse(x, 53.2, radius - 3.4, radius - 0.6)],
            )
            s.fill(ribbon(path((x, 36), (x - 3, 26, R), (x + 2, 23), closed=False), 1.4), look.metal)
            for angle in (50, 70, 90, 110, 130):
                px, py = (
                    x + (radius - 1.7) * math.cos(math.radians(angle)),
                    53.6 + (radius + 1.2) * math.sin(math.radians(angle)),
                )
                s.fill(ellipse(px, py, 2.3, 2.3), Paint(look.colors.main), BALL)
        elif look.style == "drop":
            s.fill(
                ribbon(path((x + 2, 30), (x + 4, 18, R), (x - 2, 14, R), (x - 3, 22), closed=False), 1.3),
                look.metal,
            )
            s.fill(ellipse(x, 33, 3.4, 3.4), look.metal, BALL)
            s.line(path((x, 36), (x, 44), closed=False), 0.9, look.metal)
            tear = path(
                (x, 42), (x - 9, 62, R), (x - 8.5, 70, R), (x, 76, R), (x + 8.5, 70, R), (x + 9, 62, R)
            )
            s.fill((tear - (x, 60)) * 1.14 + (x, 60), look.metal)
            stone = s.fill(tear, Paint(look.colors.main), Light("ball", 1.4))
            s.gleam(ellipse(x - 3, 60, 1.6, 4), 0.6, 0.5, stone)
        else:
            s.fill(ellipse(x, 50, 14, 14), look.metal, Light("pillow", 1.3))
            _gem(s, x, 50, 11.5, look.colors.main)


def ring(s: Sketch, look: Look) -> None:
    """A finger ring: one stone, a band with an inlay, or three stones."""
    cy, radius = 62.0, look.vary(25, 28)
    width = {"solitaire": 4.4, "band": 9.0, "trilogy": 4.6}[look.style]
    hole = ellipse(50, cy + 0.6, radius - width, radius - width)
    band = s.fill(ellipse(50, cy, radius, radius), look.metal, Light("pillow", 1.8), None, [hole])
    for arc, amount in (((195, 250), 0.85), ((20, 60), 0.6), ((120, 150), 0.4)):
        shine = ellipse(50, cy, radius - width * 0.4, radius - width * 0.4, arc)
        s.gleam(ribbon(shine, width * 0.3), amount, 0.5, band)
    s.shade(
        ribbon(ellipse(50, cy, radius - width * 0.5, radius - width * 0.5, (262, 330)), width * 0.4),
        0.3,
        0.8,
        band,
    )
    if look.style == "band":
        middle = radius - width / 2
        s.fill(ribbon(ellipse(50, cy, middle, middle), width * 0.34), Paint(look.colors.main), FAINT, band)
        for angle in range(0, 360, 20):
            stone = turned(ellipse(50, cy - middle, width * 0.13, width * 0.13), angle, (50, cy))
            s.fill(stone, Paint(lighter(look.colors.main, 0.6)), FLAT)
        return
    top = cy - radius
    for dx, size in ((0.0, 15.0),) if look.style == "solitaire" else ((-14.0, 8.5), (14.0, 8.5), (0.0, 11.0)):
        seat = top + 2 + dx * dx * 0.022
        for claw in (-1, 1):
            prong = path(
                (50 + dx, seat + 2), (50 + dx + claw * size * 0.62, seat - size * 0.68), closed=False
            )
            s.fill(ribbon(prong, 2.0, 1.6), look.metal)
        _brilliant(s, 50 + dx, seat - size * 0.62, size, look.colors.main)
