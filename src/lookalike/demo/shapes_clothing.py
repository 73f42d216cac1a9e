"""Silhouettes worn below the waist or from head to toe: dresses, skirts, trousers, socks."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import Point, R, both, box, ellipse, moved, path, ribbon, symmetric
from lookalike.demo.palette import lighter
from lookalike.demo.sketch import BALL, FAINT, FLAT, Paint, Part, Sketch
from lookalike.demo.tailoring import Cut, sleeve_outline


def dress(s: Sketch, look: Look) -> None:
    """A dress: strappy, short-sleeved or wrapped; mini, midi or maxi."""
    hem = {"mini": 69.0, "midi": 81.0, "maxi": 93.0, "wrap": 80.0, "slip": 86.0}[look.style]
    flare = look.vary(13, 17) if look.style == "slip" else look.vary(18, 27)
    neck = {"wrap": 26.0, "slip": 22.0}.get(look.style, look.vary(13, 18))
    waist_y, waist = look.vary(38, 42), look.vary(9.5, 11)
    strappy = look.style == "slip" or (look.style == "maxi" and look.chance(0.5))
    s.fill(ellipse(50, 12 if not strappy else 21, 6.5, 2.8), look.inner, FLAT)
    if strappy:
        for strap in both(path((43, 22), (42.6, 14, R), (44.5, 7.5), closed=False)):
            s.fill(ribbon(strap, 1.3), look.trim, FAINT)
    else:
        _dress_sleeves(s, look)
    shoulders: tuple[Point, ...] = ((43.5, 9.5), (36.6, 12), (37.4, 19, R))
    if strappy:
        shoulders = ((41, 21), (38.6, 26, R))
    throat: Point = (50, neck) if look.style == "wrap" else (50, neck, R)
    body = s.fill(
        symmetric(
            throat,
            *shoulders,
            (38.4, 27, R),
            (50 - waist, waist_y, R),
            (50 - waist - flare * 0.45, waist_y + (hem - waist_y) * 0.38, R),
            (50 - waist - flare * 0.85, hem),
            (50 - flare * 0.5, hem + 2, R),
            (50, hem + 2.6, R),
        ),
        look.cloth,
    )
    _skirt_folds(s, look, body, (waist_y + 4, hem), waist + flare * 0.7)
    if look.style == "wrap":
        s.crease(path((44, 10), (51, 27, R), (58.5, waist_y), closed=False), 0.4, 1.6, body)
        s.crease(path((56.5, waist_y), (52, 62, R), (54, hem + 2), closed=False), 0.4, 1.8, body)
    if look.style != "slip":
        s.fill(box(30, waist_y - 1.6, 70, waist_y + 1.6), look.trim, FAINT, body)
    if look.style == "wrap":
        for tail in (
            path((58, waist_y), (62, 50, R), (60.5, 60), closed=False),
            path((58, waist_y), (57, 50, R), (56, 56), closed=False),
        ):
            s.fill(ribbon(tail, 2.2), look.trim)


def _dress_sleeves(s: Sketch, look: Look) -> None:
    length = look.shape.choice((10.0, 14.0, 24.0, 40.0))
    if look.chance(0.2):
        return
    cut = Cut(13.4, 9.4, 26, sleeve=length, sleeve_width=look.vary(8, 11), angle=26)
    outline, cuff = sleeve_outline(cut)
    for sleeve in both(outline):
        s.fill(sleeve, look.cloth)
    for band in both(cuff):
        s.fill(ribbon(band, 1.6), look.trim, FAINT)


def _skirt_folds(s: Sketch, look: Look, body: Part, span: tuple[float, float], reach: float) -> None:
    """Draw folds that fan out from the waist to the hem."""
    start, end = span
    count = look.shape.randint(4, 6)
    for index in range(count):
        where = (index + 0.5) / count * 2 - 1 + look.vary(-0.08, 0.08)
        fold = path(
            (50 + where * reach * 0.95, end + 3),
            (50 + where * reach * 0.62, (start + end) / 2, R),
            (50 + where * 8, start),
            closed=False,
        )
        s.crease(fold, 0.26, 3.2, body)


def skirt(s: Sketch, look: Look) -> None:
    """A skirt: pleated, A-line, or a narrow pencil skirt."""
    hem = {"pleated": look.vary(74, 84), "A-line": look.vary(64, 74), "pencil": look.vary(74, 82)}[look.style]
    flare = {"pleated": look.vary(18, 24), "A-line": look.vary(16, 22), "pencil": 3.0}[look.style]
    waist = look.vary(14, 16.5)
    s.fill(ellipse(50, 20.5, waist, 2.4), look.inner, FLAT)
    half = waist + flare
    outline = symmetric(
        (50, 22, R),
        (50 - waist, 20),
        (50 - waist - max(4.5, flare * 0.42), 40, R),
        (50 - half, hem),
        (50 - half * 0.5, hem + 2.6, R),
        (50, hem + 3.2, R),
    )
    body = s.fill(outline, look.cloth)
    if look.style == "pleated":
        for index in range(-6, 7):
            x = index / 6.5
            fold = path((50 + x * waist, 24), (50 + x * half, hem + 4), closed=False)
            s.crease(fold, 0.42, 1.5, body)
    else:
        _skirt_folds(s, look, body, (30, hem), half * 0.8)
    band = s.fill(
        symmetric((50, 21.6, R), (50 - waist, 19.6), (50 - waist - 0.8, 24.5), (50, 26.6, R)), look.trim
    )
    s.stitch(path((50 - waist, 23.6), (50, 25.4, R), (50 + waist, 23.6), closed=False), look.thread, band)
    if look.style == "A-line" and look.chance(0.7):
        for y in range(30, int(hem) - 2, 8):
            s.shade(ellipse(50.3, y + 0.5, 1.5, 1.5), 0.4, 0.4)
            s.fill(ellipse(50, y, 1.3, 1.3), look.metal, BALL)
    if look.style == "pencil":
        s.shade(path((50, hem - 12), (51, hem + 4), (49, hem + 4)), 0.6, 0.4, body)


def trousers(s: Sketch, look: Look) -> None:
    """Jeans, chinos or shorts, with pockets, a fly and belt loops."""
    hem = look.vary(52, 58) if look.style == "shorts" else look.vary(90, 93)
    leg = {"jeans": look.vary(8.5, 10), "chinos": look.vary(8, 9.5), "shorts": 11.0}[look.style]
    top, waist = (24.0, 17.0) if look.style == "shorts" else (8.0, 13.0)
    crotch = top + 25
    s.fill(ellipse(50, top + 0.8, waist, 2.2), look.inner, FLAT)
    outline = symmetric(
        (50, top + 2.2, R),
        (50 - waist, top),
        (50 - waist - 3.5, top + 13, R),
        (50 - waist - 4.5, crotch, R),
        (50 - 9.5 - leg, hem),
        (50 - 9.5 + leg * 0.55, hem + 1.2),
        (48.6, crotch + 2),
        (50, crotch - 1),
    )
    body = s.fill(outline, look.cloth)
    s.shade(ribbon(path((50, crotch - 2), (50, crotch + 20), closed=False), 5), 0.35, 2.2, body)
    for fold in both(path((43, crotch + 6), (38, crotch + 2, R), (33.5, crotch + 3), closed=False)):
        s.crease(fold, 0.22, 1.8, body)
    if look.style == "chinos":
        for fold in both(path((41.5, top + 8), (40, crotch + 14, R), (41 - leg * 0.12, hem), closed=False)):
            s.crease(fold, 0.26, 1.2, body)
    _trouser_front(s, look, body, top, waist)
    for cuff in both(box(20, hem - 3.5, 49, hem + 3)):
        part = s.fill(cuff, look.cloth if look.style != "jeans" else look.trim, FAINT, body)
        s.stitch(path((20, hem - 2.8), (80, hem - 2.8), closed=False), look.thread, part)


def _trouser_front(s: Sketch, look: Look, body: Part, top: float, waist: float) -> None:
    thread = (222, 160, 84) if look.style == "jeans" else look.thread
    band = s.fill(
        symmetric(
            (50, top + 2, R), (50 - waist - 1, top - 1), (50 - waist - 1.6, top + 4.4), (50, top + 6.6, R)
        ),
        look.cloth,
        FAINT,
        body,
    )
    s.shade(
        ribbon(path((34, top + 4.8), (50, top + 7, R), (66, top + 4.8), closed=False), 0.8), 0.4, 0.5, body
    )
    s.stitch(path((34, top + 3.6), (50, top + 5.8, R), (66, top + 3.6), closed=False), thread, band)
    for pocket in both(path((41.5, top + 6), (40, top + 12, R), (33.5, top + 14), closed=False)):
        s.shade(ribbon(pocket + 0.3, 1.2), 0.4, 0.5, body)
        s.stitch(pocket, thread, body)
    fly = path((50, top + 6), (50, top + 20), closed=False)
    s.shade(ribbon(fly, 0.7), 0.5, 0.3, body)
    s.stitch(path((53.4, top + 6.5), (53, top + 16, R), (50.2, top + 20), closed=False), thread, body)
    for loop in both(box(41, top - 0.6, 42.6, top + 7, 0.5)):
        s.fill(loop, look.cloth, FAINT)
    s.fill(ellipse(50, top + 4.3, 1.3, 1.3), look.metal, BALL)


def socks(s: Sketch, look: Look) -> None:
    """A pair of socks, ankle, crew or knee high, with heel and toe in a second colour."""
    rise = {"ankle": 46.0, "crew": 28.0, "knee-high": 10.0}[look.style]
    for dx, dy in ((13.0, -3.0), (-9.0, 4.0)):
        x, y, cuff = 44 + dx, 68 + dy, rise + dy
        leg = path(
            (x - 1, cuff),
            (x + 15, cuff),
            (x + 15.5, y - 16, R),
            (x + 17, y - 2, R),
            (x + 14.5, y + 10, R),
            (x + 4, y + 14.5, R),
            (x - 13, y + 18, R),
            (x - 25, y + 17, R),
            (x - 27, y + 8.5, R),
            (x - 19, y + 3.5, R),
            (x - 6, y - 3, R),
            (x - 0.5, y - 14, R),
        )
        s.shade(leg + 1.5, 0.3, 1.4)
        body = s.fill(leg, look.cloth)
        s.fill(ellipse(x + 15, y + 8, 10, 9.5), look.accent, FAINT, body)
        s.fill(
            path((x - 30, y - 2), (x - 16, y), (x - 14, y + 10, R), (x - 17, y + 21), (x - 30, y + 21)),
            look.accent,
            FAINT,
            body,
        )
        s.fill(box(x - 3, cuff - 1, x + 18, cuff + 6.5), look.accent, FAINT, body)
        ribs = [
            ribbon(path((x + i * 1.8, cuff), (x + i * 1.8, cuff + 6.5), closed=False), 0.5) for i in range(9)
        ]
        s.shade(ribs, 0.35, 0.2, body)
        s.crease(path((x + 3, y - 6), (x + 9, y - 2, R), (x + 16, y - 2), closed=False), 0.2, 1.6, body)


def tie(s: Sketch, look: Look) -> None:
    """A necktie hanging from its knot, or a bow tie."""
    if look.style == "bow":
        for side in both(path((50, 47), (38, 36, R), (15, 32), (13, 50, R), (15, 68), (38, 62, R), (50, 53))):
            wing = s.fill(side, look.cloth)
            s.crease(path((47, 49), (36, 47, R), (26, 48), closed=False), 0.4, 2.4, wing)
            s.crease(path((53, 51), (64, 49, R), (74, 50), closed=False), 0.4, 2.4, wing)
        s.fill(box(44.5, 41.5, 55.5, 58.5, 3), look.cloth)
        return
    width = look.vary(9.5, 12.5) if look.style == "classic" else look.vary(6, 7.5)
    tail = path((47, 22), (53.5, 22), (58.5, 74), (54.5, 82), (50, 74))
    s.fill(tail, look.inner, FAINT)
    if look.chance(0.6):
        loop = path((45, 18), (33, 8, R), (50, 3.5, R), (67, 8, R), (55, 18), closed=False)
        s.fill(ribbon(loop, 4.2), look.trim)
    blade = path((46.6, 22), (53.4, 22), (50 + width, 82), (50, 94), (50 - width, 82))
    s.shade(blade + 1, 0.3, 1)
    body = s.fill(blade, look.cloth)
    s.crease(path((50.5, 24), (49, 36, R), (50, 54), closed=False), 0.25, 2, body)
    s.shade(ellipse(50, 23.5, 6, 3), 0.4, 1, body)
    s.fill(path((43.2, 11.5), (56.8, 11.5), (53.8, 23), (46.2, 23)), look.cloth)


def scarf(s: Sketch, look: Look) -> None:
    """A scarf: looped once with fringed ends, or a folded square."""
    if look.style == "square":
        _square_scarf(s, look)
        return
    for dx, end, tilt in ((3.0, 83.0, 3.0), (-5.0, look.vary(74, 82), -4.0)):
        x = 50 + dx
        tail = path((x - 7, 30), (x + 7, 30), (x + 9 + tilt, end), (x - 9 + tilt, end))
        fringe = [
            ribbon(
                path(
                    (x + tilt + i * 1.9, end - 1),
                    (x + tilt + i * 2 + look.vary(-0.6, 0.6), end + 7),
                    closed=False,
                ),
                1.0,
            )
            for i in range(-4, 5)
        ]
        s.fill(fringe, look.accent, FLAT)
        s.shade(tail + 1.4, 0.3, 1.2)
        body = s.fill(tail, look.cloth)
        s.crease(path((x - 2, 34), (x + tilt, 56, R), (x + tilt + 2, end), closed=False), 0.3, 2.6, body)
    loop = symmetric((50, 12, R), (34, 14, R), (25, 25, R), (32, 37, R), (50, 42, R))
    s.shade(loop + 1.5, 0.35, 1.4)
    ring = s.fill(loop, look.cloth)
    s.fill(symmetric((50, 16, R), (38, 18, R), (36, 23, R), (50, 27, R)), look.inner, FAINT)
    for fold in (
        path((28, 22), (38, 33, R), (60, 36), closed=False),
        path((34, 32), (50, 39, R), (70, 28), closed=False),
    ):
        s.crease(fold, 0.32, 2.4, ring)


def _square_scarf(s: Sketch, look: Look) -> None:
    """Draw a silk square, one corner turned over to show its wrong side."""
    edge = path(
        (13, 14),
        (50, 12.6, R),
        (87, 14),
        (88.2, 50, R),
        (87, 87),
        (66, 88, R),
        (36, 87),
        (13, 62),
        (12, 40, R),
    )
    body = s.fill(edge, look.cloth, FAINT)
    for inset, width, paint in ((-2.0, 6.0, look.accent), (6.2, 1.2, look.third)):
        outer = box(12 + inset, 13 + inset, 88 - inset, 87.6 - inset)
        inset += width
        s.fill(outer, paint, FLAT, body, [box(12 + inset, 13 + inset, 88 - inset, 87.6 - inset)])
    for fold in (
        path((16, 30), (44, 42, R), (84, 36), closed=False),
        path((70, 18), (60, 50, R), (66, 84), closed=False),
        path((30, 18), (34, 44, R), (22, 60), closed=False),
    ):
        s.crease(fold, 0.2, 3.4, body)
    corner = path((13, 62), (24, 63.5, R), (37, 64.5), (36.6, 76, R), (36, 87))
    s.shade(moved(corner, 1.6, -1.2), 0.4, 1.8, body)
    s.fill(corner, Paint(lighter(look.ground, 0.3), look.grain))
