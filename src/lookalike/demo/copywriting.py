"""Titles and descriptions: the words a shop would write about a design."""

from __future__ import annotations

from random import Random
from typing import Final

from lookalike.demo.brands import Brand
from lookalike.demo.categories import Category

DESIGN_NAMES: Final[tuple[str, ...]] = (
    *(
        "Alma",
        "Bergen",
        "Celeste",
        "Dune",
        "Edith",
        "Faro",
        "Greta",
        "Harbour",
        "Iris",
        "Juno",
        "Kasper",
        "Linnea",
    ),
    *(
        "Mira",
        "Nell",
        "Odile",
        "Pim",
        "Quinn",
        "Rosa",
        "Soren",
        "Tilda",
        "Ulla",
        "Vesper",
        "Wren",
        "Yara",
        "Zora",
    ),
    *(
        "Arlo",
        "Birch",
        "Clover",
        "Delft",
        "Ember",
        "Fable",
        "Grove",
        "Hazel",
        "Indra",
        "Jasper",
        "Kelp",
        "Luna",
    ),
    *(
        "Marlow",
        "Nova",
        "Otis",
        "Poppy",
        "Reed",
        "Sage",
        "Thea",
        "Umber",
        "Vale",
        "Willow",
        "Yves",
        "Ada",
        "Bo",
    ),
    *(
        "Cleo",
        "Dora",
        "Enzo",
        "Flora",
        "Gus",
        "Hedda",
        "Inga",
        "Jules",
        "Kit",
        "Lou",
        "Maud",
        "Nico",
        "Olive",
    ),
)

# How a pattern is said before a noun, and after one; {second} is the name of its second colour.
SPOKEN: Final[dict[str, tuple[str, str]]] = {
    "plain": ("plain", "in one even colour"),
    "stripes": ("striped", "with {second} stripes"),
    "pinstripes": ("pinstriped", "with fine {second} pinstripes"),
    "checks": ("checked", "in a {second} gingham check"),
    "tartan": ("tartan", "in a tartan with {second} lines"),
    "dots": ("dotted", "with {second} dots"),
    "zigzag": ("zigzag", "with a {second} zigzag"),
    "waves": ("wave-print", "with {second} waves"),
    "camouflage": ("camouflage", "in a camouflage print"),
    "gradient": ("ombre", "fading into {second}"),
    "diamonds": ("diamond-patterned", "with {second} diamonds"),
    "colour block": ("colour-block", "with a block of {second}"),
    "floral": ("floral", "with {second} flowers"),
    "leopard": ("leopard-print", "in a leopard print"),
    "stars": ("star-print", "with {second} stars"),
    "terrazzo": ("terrazzo", "in a terrazzo of {second} chips"),
    "marble": ("marbled", "with marble veins"),
}

UNPATTERNED: Final = ("in one even colour", "without any pattern", "kept plain", "the same all over")

# A style that already names the thing replaces the noun: jeans are not "jeans trousers".
COMPLETE: Final[dict[str, str]] = {
    "jeans": "jeans",
    "chinos": "chinos",
    "shorts": "shorts",
    "armchair": "armchair",
    "fedora": "fedora",
    "football": "football",
    "basketball": "basketball",
    "hoop": "hoop earrings",
    "drop": "drop earrings",
    "stud": "stud earrings",
    "bear": "teddy bear",
    "rabbit": "plush rabbit",
    "cat": "plush cat",
    "runner": "runner rug",
    "longboard": "longboard",
    "trench": "trench coat",
    "open": "tote bag",
    "bow": "bow tie",
    "buttoned": "",
    "dome": "",
}


def stem(category: Category, style: str, rng: Random) -> str:
    """Return what all colours of one design are called, such as "Alma wrap dress"."""
    name, noun = rng.choice(DESIGN_NAMES), rng.choice(category.nouns)
    if style == "bow" and noun != "tie":
        return f"{name} bow {noun}"
    complete = COMPLETE.get(style, f"{style} {noun}")
    return f"{name} {complete or noun}"


def title(stem: str, color: str, second: str, pattern: str, rng: Random) -> str:
    """Return a product title: the stem, its colour and its pattern, in one of several orders."""
    before, after = SPOKEN[pattern]
    after = after.format(second=second)
    if pattern == "plain":
        return rng.choice(
            (f"{stem} in {color}", f"{color.capitalize()} {stem}", f"{stem}, {color}", f"{stem} – {color}")
        )
    return rng.choice(
        (
            f"{stem} in {color} {after}",
            f"{color.capitalize()} {before} {stem}",
            f"{stem}, {before}, {color}",
            f"{before.capitalize()} {stem} in {color}",
            f"{stem} – {before} {color}",
        )
    )


OPENINGS_OF_PAIRS: Final[tuple[str, ...]] = (
    "{Color} {material} {noun}, {after}.",
    "{Material} {noun} in {color}, {after}, for {use}.",
)
OPENINGS_OF_ONE: Final[tuple[str, ...]] = (
    "{A} {noun} in {color} {material}, {after}.",
    "This {noun} comes in {color} {material}, {after}.",
    "Our {noun} for {use}: {color} {material}, {after}.",
)
MIDDLES: Final[tuple[str, ...]] = (
    "Made for {use}.",
    "We like it for {use}.",
    "A favourite for {use}.",
    "The {style} shape suits {use}.",
    "Easy to pair, hard to wear out.",
    "It holds its colour and its shape.",
)
GREEN: Final[tuple[str, ...]] = (
    "Made with recycled or certified materials.",
    "Produced with renewable energy and little waste.",
    "Comes without plastic packaging.",
)


def description(
    category: Category, facts: dict[str, str], brand: Brand, sustainable: bool, rng: Random
) -> str:
    """Return one to three sentences about a product.

    `facts` holds color, second, pattern, material, style and noun.
    """
    noun = facts["noun"]
    after = SPOKEN[facts["pattern"]][1].format(second=facts["second"])
    words = {
        **facts,
        "A": "An" if noun[0] in "aeiouAEIOU" else "A",
        "Color": facts["color"].capitalize(),
        "Material": facts["material"].capitalize(),
        "after": rng.choice(UNPATTERNED) if facts["pattern"] == "plain" else after,
        "use": rng.choice(category.uses),
    }
    # A pair has no "a" and no "this".
    openings = OPENINGS_OF_PAIRS if noun.endswith("s") else (*OPENINGS_OF_PAIRS, *OPENINGS_OF_ONE)
    sentences = [rng.choice(openings).format(**words)]
    if rng.random() < 0.7:
        words["use"] = rng.choice([use for use in category.uses if use != words["use"]] or category.uses)
        sentences.append(rng.choice(MIDDLES).format(**words))
    if sustainable and rng.random() < 0.7:
        sentences.append(rng.choice(GREEN))
    elif rng.random() < 0.5:
        sentences.append(brand.says)
    return " ".join(sentences)
