"""Silhouettes worn above the waist: blouses, shirts, T-shirts, jumpers, hoodies and coats, laid flat."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lookalike.demo.look import Look
from lookalike.demo.outlines import R, both, box, ellipse, path, ribbon, symmetric
from lookalike.demo.palette import darker
from lookalike.demo.sketch import BALL, FAINT, FLAT, PILLOW, Paint, Part, Sketch
from lookalike.demo.tailoring import Cut, buttons, collar, cuffs, placket, top

BLOUSE: Final = Cut(shoulder=17, top=16, armpit=32, neck=8, depth=6, angle=24)
SHIRT: Final = Cut(shoulder=19.5, waist=18.5, neck=7, depth=4, sleeve_width=9.5, angle=19)
T_SHIRT: Final = Cut(shoulder=19.5, top=16, armpit=35, waist=18.5, neck=8.5, angle=32)
JUMPER: Final = Cut(shoulder=19, top=17, armpit=36, waist=18.5, neck=8.5, depth=7, sleeve_width=9.5, angle=19)
HOODIE: Final = Cut(shoulder=19.5, top=23, armpit=42, waist=19.5, neck=9.5, depth=7, angle=18)
COAT: Final = Cut(shoulder=17.5, top=11, armpit=29, neck=7, depth=9, sleeve_width=9, angle=14)


def blouse(s: Sketch, look: Look) -> None:
    """A light top: puffed sleeves, a bow at the neck, or a V-neck with a peplum."""
    cut = replace(
        BLOUSE,
        waist=look.vary(13.5, 15.5),
        hem=look.vary(72, 78),
        hem_half=look.vary(18, 22),
        sleeve=look.vary(28, 42),
        sleeve_width=look.vary(11, 14),
    )
    if look.style == "V-neck":
        cut = replace(
            cut, waist=13.5, hem=look.vary(74, 78), hem_half=22, depth=17, sleeve=look.vary(14, 22), angle=30
        )
    body = top(s, look, cut)
    if look.style == "V-neck":
        waist = 60.0
        s.fill(box(30, waist, 70, waist + 2.4), look.trim, FAINT, body)
        for x in (36, 42, 50, 58, 64):
            s.crease(path((x, waist + 3), (x + (x - 50) * 0.35, cut.hem), closed=False), 0.26, 1.6, body)
        return
    cuffs(s, cut, look.trim, 3.2)
    if look.style == "bow":
        tail = path((50, 24), (46, 33, R), (45.5, 46), (50, 44.5), (50.5, 32, R))
        for side in both(tail):
            s.shade(side + 0.8, 0.25, 0.8)
            s.fill(side, look.plain)
        loop = path((50, 23), (42, 18, R), (37.5, 22, R), (42, 28, R))
        for side in both(loop):
            s.shade(side + 0.8, 0.3, 0.8)
            s.fill(side, look.plain)
        s.fill(ellipse(50, 23.4, 2.4, 2.6), look.trim)
        return
    collar(s, cut, look.plain, 8)
    placket(s, look, cut, body, 6)


def shirt(s: Sketch, look: Look) -> None:
    """A buttoned shirt with a collar, a chest pocket and long or short sleeves."""
    short = look.style == "short-sleeved"
    cut = replace(SHIRT, hem=look.vary(77, 82), hem_half=look.vary(18.5, 20), sleeve=look.vary(50, 54))
    if short:
        cut = replace(cut, sleeve=19, sleeve_width=12.5, angle=29)
    body = top(s, look, cut)
    placket(s, look, cut, body, 7)
    trim = look.trim if look.chance(0.2) else look.cloth
    cuffs(s, cut, trim, 2.2 if short else 4.6)
    if look.chance(0.75):
        pocket = path((56, 38), (64.5, 38), (64.5, 46.5), (60.2, 49), (56, 46.5))
        s.shade(pocket + 0.5, 0.2, 0.6, body)
        s.fill(pocket, look.cloth, FAINT, body)
        s.stitch(path((56, 39.6), (64.5, 39.6), closed=False), look.thread, body)
    collar(s, cut, trim)


def t_shirt(s: Sketch, look: Look) -> None:
    """A T-shirt with a ribbed neck and sometimes a print on the chest."""
    v_neck, long = look.style == "V-neck", look.style == "long-sleeved"
    cut = replace(
        T_SHIRT,
        hem=look.vary(74, 79),
        hem_half=look.vary(18.5, 20),
        depth=13 if v_neck else 6,
        sleeve=look.vary(17, 21),
        sleeve_width=look.vary(12, 14),
    )
    if long:
        cut = replace(cut, sleeve=52, sleeve_width=9.5, angle=20)
    body = top(s, look, cut)
    edge, middle = (50 - cut.neck, cut.top - 1.2), (50 - cut.neck * 0.8, cut.top + cut.depth * 0.45, R)
    rib = path(edge, middle, (50, cut.top + cut.depth, R), closed=False)
    if v_neck:
        rib = path(edge, (50, cut.top + cut.depth), closed=False)
    paint = look.trim if look.chance(0.4) else look.plain
    for side in both(rib):
        s.fill(ribbon(side, 2.0), paint, FAINT)
    s.stitch(
        path(
            (50 - cut.hem_half, cut.hem - 2),
            (50, cut.hem - 0.8, R),
            (50 + cut.hem_half, cut.hem - 2),
            closed=False,
        ),
        look.thread,
        body,
    )
    if look.pattern == "plain" and look.chance(0.6):
        _chest_print(s, look, body)


def _chest_print(s: Sketch, look: Look, body: Part) -> None:
    """A sun over hills, a band or a badge: what a plain T-shirt carries."""
    motif = look.shape.choice(("sun", "band", "badge"))
    if motif == "sun":
        disc = s.fill(ellipse(50, 46, 10, 10), look.accent, FLAT, body)
        hills = path((38, 52), (44, 47, R), (50, 51, R), (56, 46, R), (62, 52), (62, 60), (38, 60))
        s.fill(hills, look.third, FLAT, disc)
    elif motif == "band":
        s.fill(box(20, 40, 80, 48), look.accent, FAINT, body)
        s.fill(box(20, 49.5, 80, 51.5), look.third, FAINT, body)
    else:
        s.fill(ellipse(59, 39, 3.4, 3.4), look.accent, FLAT, body)
        s.fill(ellipse(59, 39, 1.8, 1.8), look.third, FLAT, body)


def jumper(s: Sketch, look: Look) -> None:
    """A jumper with a crew neck or a roll neck, ribbed at the ends."""
    cut = replace(JUMPER, hem=look.vary(73, 78), hem_half=look.vary(17, 18.5), sleeve=look.vary(46, 51))
    _knitted(s, look, cut)
    if look.style == "roll-neck":
        roll = symmetric((50, 8.5, R), (43.5, 9.2), (42, 14, R), (41.5, 20), (50, 22.5, R))
        s.shade(roll + 0.8, 0.3, 1.0)
        neck = s.fill(roll, look.plain, PILLOW)
        fold = path((41, 14.5), (50, 16.5, R), (59, 14.5), closed=False)
        s.shade(ribbon(fold, 0.8), 0.4, 0.5, neck)
        return
    rib = path(
        (50 - cut.neck, cut.top - 1),
        (50 - cut.neck * 0.8, cut.top + 3.4, R),
        (50, cut.top + cut.depth, R),
        closed=False,
    )
    for side in both(rib):
        s.fill(ribbon(side, 3), look.trim, FAINT)


def cardigan(s: Sketch, look: Look) -> None:
    """A cardigan: a deep neck, a ribbed front edge and wooden buttons."""
    cut = replace(JUMPER, hem=look.vary(74, 80), depth=24, sleeve=look.vary(46, 51))
    body = _knitted(s, look, cut)
    left = 50 - cut.neck
    front = path(
        (left, cut.top - 1),
        (left + 1.7, cut.top + 10, R),
        (49.6, cut.top + 24, R),
        (49.6, cut.hem + 1),
        closed=False,
    )
    for side in both(front):
        s.fill(ribbon(side, 3.2), look.trim, FAINT)
    s.shade(ribbon(path((51.4, 42), (51.4, cut.hem), closed=False), 0.6), 0.4, 0.5, body)
    buttons(s, 45, cut.hem - 4, 5, look.wood)
    if look.chance(0.6):
        for pocket in both(box(36, 62, 44.5, 74, 1)):
            s.shade(pocket + 0.5, 0.25, 0.8, body)
            s.fill(pocket, look.cloth, FAINT, body)


def _knitted(s: Sketch, look: Look, cut: Cut) -> Part:
    """Draw a top with ribbed cuffs and a ribbed hem; return the body."""
    body = top(s, look, cut)
    cuffs(s, cut, look.trim, 5)
    band = s.fill(box(20, cut.hem - 5, 80, cut.hem + 3), look.trim, FAINT, body)
    ribs = [path((x, cut.hem - 5), (x, cut.hem + 2), closed=False) for x in range(32, 70, 2)]
    s.shade([ribbon(rib, 0.5) for rib in ribs], 0.3, 0.2, band)
    return body


def hoodie(s: Sketch, look: Look) -> None:
    """A hooded sweatshirt with a pouch pocket and cords."""
    cut = replace(HOODIE, hem=look.vary(80, 84), hem_half=look.vary(18, 19.5), sleeve=look.vary(46, 50))
    body = top(s, look, cut)
    cuffs(s, cut, look.trim, 4.5)
    s.fill(box(20, cut.hem - 4.5, 80, cut.hem + 3), look.trim, FAINT, body)
    hood = symmetric((50, 7, R), (40, 9.5, R), (35.5, 19, R), (38, 28), (44, 32, R), (50, 34, R))
    s.shade(hood + 1.2, 0.3, 1.2)
    s.fill(hood, look.cloth)
    s.fill(symmetric((50, 12, R), (42.5, 14.5, R), (40, 22, R), (45, 29, R), (50, 32.5)), look.inner, FAINT)
    pouch = symmetric((50, 61), (39.5, 61), (35, 71), (35, cut.hem - 5), (50, cut.hem - 5))
    s.shade(pouch + 0.4, 0.2, 0.8, body)
    s.fill(pouch, look.cloth, FAINT, body)
    s.stitch(path((39.5, 61.5), (35.6, 71), closed=False), look.thread)
    s.stitch(path((60.5, 61.5), (64.4, 71), closed=False), look.thread)
    if look.style == "zip":
        s.fill(box(49.2, 34, 50.8, cut.hem), look.metal, FLAT, body)
    for x, end in ((45.5, look.vary(44, 50)), (54.5, look.vary(44, 50))):
        s.line(
            path((x, 29), (x - (50 - x) * 0.1, 38, R), (x, end), closed=False), 0.9, Paint((240, 238, 232))
        )


def coat(s: Sketch, look: Look) -> None:
    """A long coat: lapels, two rows of buttons or one, and a belt on a trench."""
    cut = replace(
        COAT,
        waist=look.vary(14.5, 16.5),
        hem=look.vary(88, 92),
        hem_half=look.vary(19, 23),
        sleeve=look.vary(48, 52),
    )
    body = top(s, look, cut)
    cuffs(s, cut, look.trim, 4)
    s.shade(ribbon(path((52.5, 20), (52.5, cut.hem), closed=False), 0.8), 0.5, 0.5, body)
    lapel = path(
        (50 - cut.neck - 1, cut.top - 2),
        (49, cut.top + 24),
        (41, cut.top + 13),
        (42.5, cut.top + 9),
        (39, cut.top + 6.5),
    )
    for side in both(lapel):
        s.shade(side + 0.9, 0.35, 0.9)
        s.fill(side, look.plain)
    dark = Paint(darker(look.ground, 0.6))
    for x in (45.5, 56.5) if look.style != "single-breasted" else (50.8,):
        for y in (40, 50, 60):
            s.shade(ellipse(x + 0.3, y + 0.5, 1.6, 1.6), 0.4, 0.4)
            s.fill(ellipse(x, y, 1.4, 1.4), dark, BALL)
    for flap in both(path((36, 63), (43.5, 61.5), (44, 65), (36.5, 66.5))):
        s.shade(flap + 0.6, 0.3, 0.6, body)
        s.fill(flap, look.cloth, FAINT, body)
    if look.style == "trench":
        belt = s.fill(box(25, 52, 75, 56), look.trim, PILLOW, body)
        s.fill(box(47, 51, 53.5, 57, 1), look.metal, PILLOW, None, [box(48.6, 52.6, 51.9, 55.4)])
        s.stitch(path((30, 52.8), (70, 52.8), closed=False), look.thread, belt)
