"""What the demo asks its drawn shop: a telling set of questions, chosen from the plan the shop was drawn by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lookalike.demo.categories import CATEGORIES, Category
from lookalike.demo.copywriting import SPOKEN
from lookalike.demo.palette import COLORS
from lookalike.demo.plan import Planned, plan_drawings
from lookalike.demo.shop import draw_product
from lookalike.questions import Question

PHOTO = "query-photo.jpg"
PHOTO_QUALITY = 80
HITS = 10
LOUD = ("zigzag", "floral", "stripes", "diamonds", "dots", "checks", "tartan", "terrazzo", "waves", "stars")
"""Patterns that are told apart at a glance."""
AT_HOME = ("Home/Plant pots", "Kitchen/Mugs", "Kitchen/Teapots", "Home/Vases", "Bags/Backpacks")
"""What people photograph at home, and what its outline alone tells from other things."""
AFFORDABLE = 0.6
"""The filtered question's price leaves about this share of its department."""


def demo_questions(directory: Path, products: int, seed: int) -> list[tuple[str, Question]]:
    """Return titles and questions for the shop that `draw_shop(directory, products, seed)` drew.

    The same shop gives the same questions. The photo asked with is drawn anew, a view of a product in surroundings the
    catalogue has not seen it in, and written to `directory`.
    """
    plan = [planned for planned in plan_drawings(products, seed) if planned.record["active"]]
    if not plan:
        return []
    choose = _Chooser(plan)
    return [
        _photo(choose, directory),
        _phrase(choose),
        _filtered(choose),
        _other_color(choose),
        _without_pattern(choose),
    ]


class _Chooser:
    """Picks the products the questions are about, each from another category as long as there are any."""

    def __init__(self, plan: Sequence[Planned]) -> None:
        self.plan = plan
        self.cousins = Counter((planned.category, planned.pattern) for planned in plan)
        self.siblings = Counter(str(planned.record["family"]) for planned in plan)
        self._used: set[int] = set()

    def best(self, *merits: Callable[[Planned], int]) -> Planned:
        """Return the product in stock with the greatest merits, the first before the second; the earliest of equals."""
        fresh = [planned for planned in self.plan if planned.category not in self._used] or self.plan
        chosen = max(fresh, key=lambda p: (p.record["availability"], *(merit(p) for merit in merits)))
        self._used.add(chosen.category)
        return chosen

    def siblings_of(self, planned: Planned) -> int:
        """Count the colours of a design, up to three: more tell no more."""
        return min(self.siblings[str(planned.record["family"])], 3)

    def loudness(self, planned: Planned) -> int:
        """Count the products of this kind and pattern, if the pattern is one that strikes the eye."""
        return self.cousins[planned.category, planned.pattern] if planned.pattern in LOUD else 0


def _photo(choose: _Chooser, directory: Path) -> tuple[str, Question]:
    wanted = choose.best(
        lambda p: "lifestyle" not in p.views and p.views[0] == "front",
        lambda p: _category(p).path in AT_HOME,
        choose.siblings_of,
        choose.loudness,
    )
    # One more view than the catalogue has: the same thing, in other surroundings and another light.
    picture = draw_product(replace(wanted, views=(*wanted.views, "lifestyle")))[-1]
    picture.save(directory / PHOTO, quality=PHOTO_QUALITY)
    title = f"A photo from home: what looks like {_this(_noun(wanted))}?"
    return title, Question(image=str(directory / PHOTO), k=HITS)


def _phrase(choose: _Chooser) -> tuple[str, Question]:
    wanted = choose.best(choose.loudness)
    text = f"{SPOKEN[wanted.pattern][0]} {_noun(wanted)} for {_category(wanted).uses[0]}"
    return f"A phrase: “{text}”", Question(text=text, k=HITS)


def _filtered(choose: _Chooser) -> tuple[str, Question]:
    department = Counter(_category(planned).department for planned in choose.plan).most_common(1)[0][0]
    inside = [p for p in choose.plan if _category(p).department == department]
    color = _commonest_color(inside)
    left = [p for p in inside if p.color != color and p.record["availability"]] or inside
    price = _round_price(p.record["price"] for p in left)
    kinds = Counter(p.category for p in left if float(str(p.record["price"])) < price)
    wanted = choose.best(lambda p: kinds[p.category])
    text = f"{_noun(wanted)} for {_category(wanted).uses[0]}"
    where = f'category prefix "{department}" and price < {price} and availability = true and not color = "{color}"'
    title = f"“{text}”, in stock, under {price} euros, and anything but {color}"
    return title, Question(text=text, where=where, facets=("color", "brand", "material"), k=HITS)


def _other_color(choose: _Chooser) -> tuple[str, Question]:
    liked = choose.best(choose.siblings_of, choose.loudness)
    family = [p for p in choose.plan if p.record["family"] == liked.record["family"]]
    family.sort(key=lambda p: not p.record["availability"])
    color = next(color for color in (*(p.color for p in family), *COLORS) if color != liked.color)
    parts = ({"like": liked.record["id"]}, {"text": color, "weight": 0.7})
    return f"This {_noun(liked)}, but in {color}", Question(parts=parts, group=False, k=HITS)


def _without_pattern(choose: _Chooser) -> tuple[str, Question]:
    liked = choose.best(choose.loudness)
    pattern = SPOKEN[liked.pattern][0]
    parts = ({"like": liked.record["id"]}, {"text": pattern, "weight": -1.0})
    return f"Like {_this(_noun(liked))}, but not {pattern}", Question(parts=parts, k=HITS)


def _category(planned: Planned) -> Category:
    return CATEGORIES[planned.category]


def _noun(planned: Planned) -> str:
    return _category(planned).nouns[0]


def _this(noun: str) -> str:
    pair = noun.endswith("s") and not noun.endswith("ss")
    return f"these {noun}" if pair else f"this {noun}"


def _commonest_color(plan: Sequence[Planned]) -> str:
    """Return the colour most products have, but not if all have it."""
    counts = Counter(planned.color for planned in plan)
    if len(counts) == 1:
        return next(color for color in COLORS if color not in counts)
    return min(counts, key=lambda color: (-counts[color], color))


def _round_price(prices: Iterable[object]) -> int:
    """Return a price, in whole tens, that about a share `AFFORDABLE` of these prices, and at least one, lies below."""
    ordered = sorted(float(str(price)) for price in prices)
    return (int(ordered[int(len(ordered) * AFFORDABLE)]) // 10 + 1) * 10
