"""Named colours, and which of them look well together."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import Final

Rgb = tuple[int, int, int]

# The names a shopper would type. Order matters only for reading: neutrals first, then around the wheel.
COLORS: Final[dict[str, Rgb]] = {
    "black": (42, 42, 48),
    "white": (243, 241, 236),
    "grey": (150, 153, 158),
    "beige": (222, 203, 174),
    "brown": (128, 84, 56),
    "navy": (35, 52, 96),
    "blue": (47, 106, 190),
    "sky blue": (137, 190, 228),
    "teal": (24, 128, 130),
    "mint": (160, 216, 192),
    "green": (58, 142, 84),
    "olive": (120, 122, 66),
    "yellow": (247, 205, 70),
    "mustard": (211, 156, 44),
    "orange": (236, 126, 52),
    "terracotta": (196, 98, 70),
    "red": (206, 48, 54),
    "burgundy": (122, 32, 54),
    "pink": (240, 160, 182),
    "purple": (116, 74, 158),
    "lilac": (194, 172, 222),
}

# For each colour the second and third colours a designer might set beside it.
COMPANIONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "black": (("white", "red"), ("beige", "mustard"), ("grey", "pink")),
    "white": (("navy", "red"), ("sky blue", "yellow"), ("black", "grey"), ("green", "pink")),
    "grey": (("white", "navy"), ("yellow", "black"), ("pink", "white")),
    "beige": (("brown", "white"), ("terracotta", "olive"), ("navy", "white")),
    "brown": (("beige", "mustard"), ("sky blue", "white"), ("orange", "beige")),
    "navy": (("white", "red"), ("mustard", "sky blue"), ("pink", "white")),
    "blue": (("white", "yellow"), ("sky blue", "orange"), ("white", "red")),
    "sky blue": (("white", "navy"), ("pink", "yellow"), ("blue", "white")),
    "teal": (("beige", "orange"), ("mint", "white"), ("yellow", "white")),
    "mint": (("white", "teal"), ("pink", "white"), ("green", "yellow")),
    "green": (("white", "yellow"), ("beige", "pink"), ("mint", "white")),
    "olive": (("beige", "black"), ("mustard", "white"), ("pink", "beige")),
    "yellow": (("white", "orange"), ("blue", "white"), ("black", "white")),
    "mustard": (("navy", "white"), ("beige", "burgundy"), ("white", "teal")),
    "orange": (("white", "yellow"), ("navy", "beige"), ("purple", "pink")),
    "terracotta": (("beige", "white"), ("pink", "burgundy"), ("teal", "beige")),
    "red": (("white", "navy"), ("pink", "burgundy"), ("beige", "black")),
    "burgundy": (("pink", "beige"), ("mustard", "white"), ("sky blue", "white")),
    "pink": (("red", "white"), ("burgundy", "beige"), ("green", "white"), ("orange", "yellow")),
    "purple": (("lilac", "white"), ("yellow", "pink"), ("mint", "white")),
    "lilac": (("purple", "white"), ("yellow", "white"), ("green", "beige")),
}

WOODS: Final[tuple[Rgb, ...]] = ((201, 160, 112), (160, 108, 66), (112, 74, 48), (222, 190, 148))
METALS: Final[dict[str, Rgb]] = {
    "gold": (218, 176, 88),
    "silver": (190, 194, 202),
    "rose gold": (214, 156, 136),
    "brass": (184, 146, 74),
    "steel": (158, 164, 172),
}


@dataclass(frozen=True)
class Swatch:
    """The three colours of one design: the named one, and two beside it."""

    main: Rgb
    second: Rgb
    third: Rgb


def swatch(color: str, scheme: int, rng: Random) -> Swatch:
    """Return the colours of a design in `color`, shifted a little so that no two reds are the same."""
    pairs = COMPANIONS[color]
    second, third = pairs[scheme % len(pairs)]
    return Swatch(jitter(COLORS[color], rng), jitter(COLORS[second], rng), jitter(COLORS[third], rng))


def jitter(rgb: Rgb, rng: Random) -> Rgb:
    """Return a neighbour of `rgb` that a shopper would still call by the same name."""
    hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in rgb))
    hue = (hue + rng.uniform(-0.012, 0.012)) % 1.0
    light = min(0.96, max(0.1, light + rng.uniform(-0.025, 0.025)))
    saturation = min(1.0, saturation * rng.uniform(0.9, 1.08))
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Return the colour `share` (0..1) of the way from `one` to `other`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def darker(rgb: Rgb, share: float = 0.35) -> Rgb:
    """Return `rgb` moved towards a warm near-black; pure black would look like a hole."""
    return mix(rgb, (28, 24, 34), share)


def lighter(rgb: Rgb, share: float = 0.45) -> Rgb:
    """Return `rgb` moved towards a warm white."""
    return mix(rgb, (255, 252, 246), share)


def brightness(rgb: Rgb) -> float:
    """Return the perceived brightness of `rgb`, 0..1."""
    red, green, blue = rgb
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255
