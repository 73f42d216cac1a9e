"""The plan of the shop: every product's record and how it is drawn, decided before anything is drawn."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from lookalike.demo.brands import BRANDS, Brand
from lookalike.demo.categories import CATEGORIES, Category
from lookalike.demo.copywriting import description, stem, title
from lookalike.demo.palette import COLORS, COMPANIONS, METALS

Record = dict[str, object]

TODAY: Final = date(2026, 11, 1)  # the shop's own today: the demo must not change from day to day
TALL: Final = (320, 400)
SQUARE: Final = (320, 320)


@dataclass(frozen=True)
class Design:
    """What all colour variants of one design share."""

    category: Category
    family: str
    brand: Brand
    style: str
    material: str
    pattern: str
    stem: str
    price: float
    added: date
    seed: str


@dataclass(frozen=True)
class Planned:
    """One product: the record the shop publishes, and what only the drawing needs."""

    record: Record
    category: int  # row of CATEGORIES: a function would not travel to another process
    color: str
    scheme: int
    pattern: str
    material: str
    style: str
    stem: str
    design_seed: str
    views: tuple[str, ...]
    size: tuple[int, int]


def plan_shop(products: int = 1248, seed: int = 7) -> list[Record]:
    """Return the records of a shop of `products` products, spread evenly over all categories."""
    return [planned.record for planned in plan_drawings(products, seed)]


def plan_drawings(products: int, seed: int) -> list[Planned]:
    """Return the records together with what the drawing needs, in the order of their ids."""
    rng = Random(f"shop {seed}")
    families: list[tuple[int, int]] = []
    for index in range(len(CATEGORIES)):
        share = products * (index + 1) // len(CATEGORIES) - products * index // len(CATEGORIES)
        families.extend((index, size) for size in _family_sizes(share, rng))
    rng.shuffle(families)
    planned: list[Planned] = []
    for number, (index, size) in enumerate(families):
        design = _design(CATEGORIES[index], f"F{number + 1:05d}", f"{seed} {number}")
        for color in _colors(design, size):
            planned.append(_product(design, index, color, f"D{len(planned) + 1:05d}"))
    return planned


def _family_sizes(products: int, rng: Random) -> Iterator[int]:
    """Yield family sizes that add up to `products`; about a third of products have siblings."""
    while products > 0:
        size = min(products, rng.choices((1, 2, 3, 4), (83, 8, 6, 3))[0])
        yield size
        products -= size


def _design(category: Category, family: str, seed: str) -> Design:
    rng = Random(f"design {seed}")
    fitting = [brand for brand in BRANDS if category.department in brand.departments]
    brand = rng.choice(fitting)
    style = rng.choice(category.styles)
    low, high = category.prices
    # Most things cost little: the square leaves the upper half of the band to few.
    base = low + (high - low) * rng.random() ** 2
    price = max(low * 0.5, round(base * brand.level * rng.uniform(0.9, 1.1)))
    return Design(
        category=category,
        family=family,
        brand=brand,
        style=style,
        material=_material(category, style, rng),
        pattern=_pattern(category, brand, rng),
        stem=stem(category, style, rng),
        price=price + rng.choice((-0.01, -0.05, -0.1, 0.0, -0.5)),
        added=TODAY - timedelta(days=1 + int(729 * rng.random() ** 1.4)),
        seed=seed,
    )


def _material(category: Category, style: str, rng: Random) -> str:
    if style == "jeans":
        return "denim"
    if style == "bracelet":
        return "steel"
    if style == "soft":
        return "nylon"
    if style == "square" and "silk" in category.materials:
        return "silk"
    return rng.choice(category.materials)


def _pattern(category: Category, brand: Brand, rng: Random) -> str:
    if not category.patterns or rng.random() < category.plain_share:
        return "plain"
    liked = [pattern for pattern in brand.patterns if pattern in category.patterns]
    return rng.choice(liked) if liked and rng.random() < 0.35 else rng.choice(category.patterns)


def _colors(design: Design, size: int) -> list[str]:
    """Return the colours of a family, all different; the brand's own are likelier."""
    rng = Random(f"colors {design.seed}")
    weights = {color: 5.0 if color in design.brand.colors else 1.5 for color in COLORS}
    if design.style == "jeans":
        weights = {"blue": 4, "navy": 4, "black": 2, "sky blue": 2, "grey": 1, "white": 0.5}
    elif design.style == "basketball":
        weights["orange"] = 30
    chosen: list[str] = []
    while len(chosen) < size:
        color = rng.choices(list(weights), list(weights.values()))[0]
        del weights[color]
        chosen.append(color)
    return chosen


def _product(design: Design, index: int, color: str, product_id: str) -> Planned:
    rng = Random(f"product {design.seed} {color}")
    category = design.category
    scheme = rng.randrange(60)
    pairs = COMPANIONS[color]
    views = _views(rng)
    size = TALL if category.tall and Random(design.seed).random() < 0.7 else SQUARE
    sustainable = rng.random() < 0.3
    facts = {
        "color": color,
        "second": pairs[scheme % len(pairs)][0],
        "pattern": design.pattern,
        "material": design.material,
        "style": design.style,
        "noun": design.stem.split(" ", 1)[1],
    }
    record: Record = {
        "id": product_id,
        "family": design.family,
        "title": title(design.stem, color, facts["second"], design.pattern, rng),
        "description": description(category, facts, design.brand, sustainable, rng),
        "price": round(design.price, 2),
        "currency": "EUR",
        "brand": design.brand.name,
        "category": category.path,
        "images": [f"images/{product_id}-{number + 1}.jpg" for number in range(len(views))],
        "availability": rng.random() >= 0.08,
        **_reception(rng),
        "added": design.added.isoformat(),
        "active": rng.random() >= 0.01,
        **_attributes(design, facts, sustainable, rng),
    }
    return Planned(
        record=record,
        category=index,
        color=color,
        scheme=scheme,
        pattern=design.pattern,
        material=design.material,
        style=design.style,
        stem=design.stem,
        design_seed=design.seed,
        views=views,
        size=size,
    )


def _views(rng: Random) -> tuple[str, ...]:
    """Return one to three views: mostly a studio front first, then other kinds."""
    first = "front" if rng.random() < 0.86 else "lifestyle"
    others = [view for view in ("turned", "detail", "lifestyle", "lifestyle") if view != first]
    count = rng.choices((0, 1, 2), (36, 40, 24))[0]
    rest: list[str] = []
    while len(rest) < count:
        view = rng.choice(others)
        others = [other for other in others if other != view]
        rest.append(view)
    return (first, *rest)


def _reception(rng: Random) -> Record:
    """Return how shoppers took to a product: a few are loved, most are hardly seen."""
    popularity = rng.random() ** 4
    liking = rng.betavariate(5, 2)
    reception: Record = {"popularity": round(popularity, 4)}
    if rng.random() >= 0.07:
        reception["rating"] = round(1 + 4 * liking, 1)
    reception["conversion_rate"] = round(
        min(0.2, 0.004 + 0.05 * liking * rng.random() + 0.11 * popularity), 4
    )
    return reception


def _attributes(design: Design, facts: dict[str, str], sustainable: bool, rng: Random) -> Record:
    """Return the free attributes; as in a real shop some are missing here and there."""
    category = design.category
    shared = Random(f"attributes {design.seed}")
    attributes: Record = {name: facts[name] for name in ("color", "pattern", "material", "style")}
    if category.genders:
        attributes["gender"] = shared.choice(category.genders)
    attributes["season"] = shared.choice(_seasons(design.material))
    if category.sizes:
        start = shared.randrange(2)
        attributes["sizes"] = list(category.sizes[start : len(category.sizes) - shared.randrange(2)])
    attributes["sustainable"] = sustainable
    attributes["weight_g"] = shared.randint(*category.weight_g)
    return {name: value for name, value in attributes.items() if rng.random() >= MISSING.get(name, 0.0)}


MISSING: Final[dict[str, float]] = {
    "color": 0.03,
    "pattern": 0.03,
    "material": 0.05,
    "season": 0.1,
    "style": 0.04,
    "weight_g": 0.06,
    "sustainable": 0.04,
}


def _seasons(material: str) -> tuple[str, ...]:
    if material in ("wool", "merino", "cashmere", "fleece", "velvet", "suede"):
        return ("winter", "autumn")
    if material in ("linen", "straw", "jute", "silk"):
        return ("summer", "spring")
    return ("spring", "summer", "autumn", "winter", "all year")


def metal_of(material: str, number: int) -> str:
    """Return the metal of buckles and chains: the material itself if it is one, or else by number."""
    if material in METALS:
        return material
    return tuple(METALS)[number % len(METALS)]


def stable_number(text: str) -> int:
    """Return a number that depends on `text` only; `hash` changes from run to run."""
    return zlib.crc32(text.encode())
