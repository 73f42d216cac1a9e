"""Silhouettes of vases and plant pots, and what grows in them."""

from __future__ import annotations

from lookalike.demo.look import Look
from lookalike.demo.outlines import Outline, R, both, ellipse, path, ribbon, symmetric, turned
from lookalike.demo.palette import Rgb, darker, lighter, mix
from lookalike.demo.sketch import BALL, FLAT, TUBE, Paint, Sketch

GLOW = (255, 236, 186)


def vase(s: Sketch, look: Look) -> None:
    """A vase: bottle-necked, round-bellied or a tall cylinder; some hold a few stems."""
    neck, belly = look.vary(4, 6), look.vary(17, 22)
    top = look.vary(34, 40)
    shapes: dict[str, Outline] = {
        "bottle": symmetric(
            (50, top, R),
            (50 - neck - 2, top),
            (50 - neck, top + 14, R),
            (50 - belly, 70, R),
            (50 - belly * 0.7, 88, R),
            (50 - belly * 0.55, 91),
            (50, 92.4, R),
        ),
        "round": symmetric(
            (50, top + 4, R),
            (50 - neck - 5, top + 4),
            (50 - neck - 4, top + 9, R),
            (50 - belly - 6, 66, R),
            (50 - belly * 0.8, 87, R),
            (50 - belly * 0.5, 91),
            (50, 92.4, R),
        ),
        "cylinder": symmetric(
            (50, top - 4, R),
            (50 - belly * 0.62, top - 4),
            (50 - belly * 0.66, 66, R),
            (50 - belly * 0.62, 90, R),
            (50, 92.4, R),
        ),
    }
    mouth, rim = {
        "bottle": (neck + 2, top),
        "round": (neck + 5, top + 4),
        "cylinder": (belly * 0.62, top - 4),
    }[look.style]
    if look.chance(0.55):
        _stems(s, look, rim, mouth)
    body = s.fill(shapes[look.style], look.cloth, TUBE)
    s.gleam(
        ribbon(
            path((50 - belly * 0.45, 60), (50 - belly * 0.6, 70, R), (50 - belly * 0.4, 82), closed=False),
            2.2,
            1,
        ),
        0.45,
        0.8,
        body,
    )
    s.fill(ellipse(50, rim, mouth, 1.9), Paint(lighter(look.ground, 0.3)), FLAT)
    s.fill(ellipse(50, rim + 0.2, mouth - 1, 1.3), Paint(darker(look.ground, 0.5)), FLAT)


def _stems(s: Sketch, look: Look, rim: float, mouth: float) -> None:
    kind = look.shape.choice(("leaf", "bloom", "grass"))
    green = mix((92, 132, 84), (150, 150, 96), look.vary(0, 1))
    for index in range(5):
        lean = (index - 2) * look.vary(7, 10)
        tip = (50 + lean, rim - look.vary(18, 27) + abs(index - 2) * 3)
        stem = path(
            (50 + lean * 0.1 * min(1.0, mouth / 6), rim + 4),
            (50 + lean * 0.45, rim - 9, R),
            tip,
            closed=False,
        )
        s.line(stem, 0.8, Paint(green))
        if kind == "bloom":
            petals = [turned(ellipse(tip[0], tip[1] - 2.6, 1.9, 2.8), a, tip) for a in range(0, 360, 60)]
            s.fill(petals, look.accent)
            s.fill(ellipse(*tip, 1.4, 1.4), Paint((238, 190, 84)), BALL)
        elif kind == "grass":
            s.fill(
                ribbon(path((tip[0] - lean * 0.12, tip[1] + 10), tip, closed=False), 3, 0.8),
                Paint((214, 182, 128), "plush"),
            )
        else:
            for share in (0.35, 0.6, 0.85, 1.0):
                x, y = stem[int(share * (len(stem) - 1))]
                s.fill(
                    [
                        turned(ellipse(float(x) + 3.4, float(y), 3.6, 1.5), a, (float(x), float(y)))
                        for a in (-30, 210)
                    ],
                    Paint(green),
                )


def plant_pot(s: Sketch, look: Look) -> None:
    """A plant pot with a plant in it: tapered, rounded or on a stand."""
    top = look.vary(58, 62)
    half = look.vary(17, 20)
    _plant(s, look, top)
    if look.style == "on legs":
        for leg in both(path((50 - half * 0.72, 74), (50 - half * 0.9, 95), closed=False)):
            s.fill(ribbon(leg, 2.2), look.wood)
    low = half * (0.98 if look.style == "rounded" else 0.72)
    foot = 86.0 if look.style == "on legs" else 92.0
    middle = half * 1.12 if look.style == "rounded" else (half + low) / 2
    s.fill(ellipse(50, top, half, 3), Paint((74, 54, 42), "felt"), FLAT)
    body = s.fill(
        symmetric(
            (50, top + 2.6, R),
            (50 - half, top),
            (50 - middle, (top + foot) / 2, R),
            (50 - low, foot - 2, R),
            (50 - low + 3, foot, R),
            (50, foot + 1, R),
        ),
        look.cloth,
        TUBE,
    )
    if look.style == "tapered":
        s.fill(
            symmetric(
                (50, top + 2, R), (50 - half - 1.6, top - 0.6), (50 - half - 1.2, top + 6), (50, top + 9.4, R)
            ),
            look.cloth,
            TUBE,
        )
        s.shade(
            ribbon(path((50 - half, top + 7), (50, top + 10, R), (50 + half, top + 7), closed=False), 1.4),
            0.4,
            0.7,
            body,
        )
    s.gleam(
        ribbon(path((50 - half * 0.6, top + 12), (50 - low * 0.62, foot - 7), closed=False), 2, 1),
        0.3,
        0.8,
        body,
    )


def _plant(s: Sketch, look: Look, top: float) -> None:
    """Draw a cactus, a snake plant, a palm or a rubber plant that grows from `top`."""
    green = mix((52, 122, 74), (122, 160, 92), look.vary(0, 1))
    kind = look.shape.choice(("cactus", "snake", "palm", "rubber"))
    if kind == "cactus":
        _cactus(s, green, top)
        return
    leaves = {"snake": 7, "palm": 9, "rubber": 8}[kind]
    # The outer leaves first: they stand behind the middle ones.
    for index in sorted(range(leaves), key=lambda i: -abs(i - (leaves - 1) / 2)):
        lean = (index - (leaves - 1) / 2) / leaves
        tone = Paint(mix(green, (34, 84, 58), look.vary(0, 0.6)))
        if kind == "snake":
            tip = (50 + lean * 46, 14 + abs(lean) * 40 + look.vary(0, 5))
            _blade(s, tip, tone, lighter(green, 0.4), (50 + lean * 16, top))
            continue
        reach = 27.0 if kind == "palm" else 21.0
        tip = (50 + lean * 2 * reach, 18 + abs(lean) * 44 + look.vary(-3, 3))
        stem = path((50, top + 2), (50 + lean * reach * 0.8, tip[1] + 10, R), tip, closed=False)
        s.line(stem, 1.0, Paint(darker(green, 0.2)))
        _leaves(s, stem, tone, lean * 90, kind == "palm")


def _cactus(s: Sketch, green: Rgb, top: float) -> None:
    paint = Paint(green, "felt")
    stem = s.fill(path((42, top + 2), (41, 30, R), (50, 20, R), (59, 30, R), (58, top + 2)), paint, TUBE)
    s.fill(ribbon(path((42, 48), (32, 47, R), (32, 36), closed=False), 7), paint)
    ribs = [ribbon(path((x, 24), (x, top), closed=False), 0.6) for x in (44.5, 48, 52, 55.5)]
    s.shade(ribs, 0.35, 0.3, stem)
    petals = [turned(ellipse(52, 16.5, 1.8, 3), angle, (52, 19)) for angle in (-50, 0, 50)]
    s.fill(petals, Paint((232, 110, 140)))


def _blade(s: Sketch, tip: tuple[float, float], paint: Paint, vein: Rgb, foot: tuple[float, float]) -> None:
    x, y = foot[0] + (tip[0] - foot[0]) * 0.53, (foot[1] + tip[1]) / 2
    outline = path(
        (foot[0] - 2.6, foot[1] + 2), (x - 3.2, y, R), tip, (x + 3.2, y, R), (foot[0] + 2.6, foot[1] + 2)
    )
    part = s.fill(outline, paint)
    s.fill(ribbon(path(foot, (x, y, R), tip, closed=False), 0.8), Paint(vein), FLAT, part)


def _leaves(s: Sketch, stem: Outline, paint: Paint, heading: float, palm: bool) -> None:
    size, bulge = (8.0, 0.2) if palm else (7.5, 0.42)
    for share in (0.45, 0.6, 0.75, 0.9) if palm else (0.55, 1.0):
        x, y = (float(value) for value in stem[int(share * (len(stem) - 1))])
        belly = x + size * 0.5
        leaf = path((x, y), (belly, y - size * bulge, R), (x + size * 1.4, y), (belly, y + size * bulge, R))
        for angle in (-70, -150, -20):
            s.fill(turned(leaf, heading + angle, (x, y)), paint)
