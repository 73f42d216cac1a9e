"""Invented brands, each with a price level, departments and a house style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Brand:
    """A brand: `level` multiplies a category's usual price; it prefers some colours and patterns."""

    name: str
    level: float
    departments: tuple[str, ...]
    colors: tuple[str, ...]
    patterns: tuple[str, ...]
    says: str


_CLOTHES = ("Women", "Men")

BRANDS: Final[tuple[Brand, ...]] = (
    Brand(
        "Marisande",
        1.7,
        ("Women", "Jewellery"),
        ("burgundy", "black", "pink"),
        ("floral", "plain"),
        "Made to be worn for years.",
    ),
    Brand(
        "Tovah Loom",
        1.2,
        ("Women", "Accessories"),
        ("terracotta", "beige", "olive"),
        ("stripes", "zigzag"),
        "Woven in small runs.",
    ),
    Brand(
        "Petal & Quay",
        0.8,
        ("Women", "Bags"),
        ("pink", "mint", "lilac", "yellow"),
        ("floral", "dots"),
        "Cheerful by design.",
    ),
    Brand(
        "Ostrelle",
        2.1,
        ("Women", "Shoes", "Bags"),
        ("black", "white", "beige"),
        ("plain", "leopard"),
        "Quiet lines, fine finish.",
    ),
    Brand(
        "Brindlecote",
        1.1,
        ("Men", "Accessories"),
        ("olive", "brown", "navy"),
        ("tartan", "checks"),
        "Country cloth for town days.",
    ),
    Brand(
        "Dapperlyn",
        1.5,
        ("Men", "Accessories"),
        ("navy", "burgundy", "grey"),
        ("pinstripes", "diamonds", "dots"),
        "Tailored in spirit.",
    ),
    Brand("Rovanto", 0.7, _CLOTHES, ("grey", "black", "blue"), ("plain", "stripes"), "Basics that behave."),
    Brand(
        "Fjellmarka",
        1.3,
        ("Men", "Women", "Sport"),
        ("teal", "orange", "navy"),
        ("zigzag", "colour block"),
        "Ready for weather.",
    ),
    Brand(
        "Strandkin",
        0.9,
        ("Men", "Shoes", "Sport"),
        ("sky blue", "white", "mustard"),
        ("stripes", "waves"),
        "From a town by the sea.",
    ),
    Brand(
        "Cobblewick",
        1.0,
        ("Shoes",),
        ("brown", "black", "burgundy"),
        ("plain",),
        "Lasted by people who walk.",
    ),
    Brand(
        "Zephyrine",
        1.4,
        ("Shoes", "Accessories"),
        ("red", "purple", "yellow"),
        ("plain", "gradient", "dots"),
        "Light on its feet.",
    ),
    Brand(
        "Hopscotta",
        0.6,
        ("Shoes", "Toys"),
        ("red", "blue", "yellow", "green"),
        ("stars", "stripes"),
        "Made for running about.",
    ),
    Brand(
        "Sable & Thistle",
        1.8,
        ("Bags", "Accessories"),
        ("burgundy", "green", "brown"),
        ("tartan", "plain"),
        "Heirlooms in waiting.",
    ),
    Brand(
        "Vintlo",
        0.8,
        ("Bags", "Accessories"),
        ("mustard", "teal", "orange"),
        ("colour block", "camouflage"),
        "Carries more than it shows.",
    ),
    Brand("Glimmerdale", 1.3, ("Jewellery",), ("teal", "purple", "red", "mint"), ("plain",), "Set by hand."),
    Brand(
        "Aurelisse",
        2.4,
        ("Jewellery", "Accessories"),
        ("blue", "green", "white"),
        ("plain",),
        "A little ceremony for every day.",
    ),
    Brand(
        "Mossgrove",
        1.0,
        ("Home", "Kitchen"),
        ("green", "olive", "mint", "beige"),
        ("floral", "terrazzo"),
        "Things that grow on you.",
    ),
    Brand(
        "Krukkus",
        1.2,
        ("Home", "Kitchen"),
        ("terracotta", "white", "navy"),
        ("stripes", "waves", "dots"),
        "Fired in our own kiln.",
    ),
    Brand(
        "Eldermere",
        2.0,
        ("Home",),
        ("grey", "beige", "teal"),
        ("plain", "marble", "diamonds"),
        "Rooms with room to breathe.",
    ),
    Brand(
        "Pommelune",
        0.7,
        ("Home", "Kitchen"),
        ("yellow", "orange", "pink", "sky blue"),
        ("checks", "dots", "zigzag"),
        "Colour for small kitchens.",
    ),
    Brand(
        "Tinderbell",
        0.9,
        ("Toys",),
        ("red", "yellow", "purple"),
        ("stars", "dots", "stripes"),
        "Tested by a class of six-year-olds.",
    ),
    Brand(
        "Kitewren",
        1.1,
        ("Toys", "Sport"),
        ("sky blue", "orange", "green"),
        ("colour block", "gradient"),
        "Best used outdoors.",
    ),
    Brand("Sonaveil", 1.6, ("Music",), ("black", "white", "teal"), ("plain", "gradient"), "Tuned by ear."),
    Brand(
        "Larkspire",
        1.0,
        ("Music", "Sport"),
        ("red", "blue", "mustard"),
        ("plain", "stripes", "stars"),
        "Loud where it counts.",
    ),
)
