"""Search results for people: one page with pictures, what was asked, what was found, and what each score is made of.

The page is a single file: styles and pictures are inside, and its own security policy lets it load nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lookalike.core.errors import LookalikeError
from lookalike.core.images import decode, thumbnail
from lookalike.core.query import Because, Hit, SearchResult
from lookalike.core.types import ATTRIBUTES, SPACES, Pixels, Product
from lookalike.pages.asked import forms, image_words, in_words, local_picture, options, where_text
from lookalike.questions import Question

Pictures = Callable[[Product], bytes | None]
"""The picture of a product, in any format `core.images` decodes."""
Products = Callable[[Iterable[str]], Mapping[str, Product]]
"""The products with these ids, as far as there are such."""
QueryPicture = Callable[[object], bytes | None]
"""The bytes of a picture as it was given in a question: a path, URL, bytes or pixels; None if they are not at hand."""

HIT_PX, HIT_BYTES = 256, 24_000
ASKED_PX, ASKED_BYTES = 400, 60_000
STOPS = 5
TERMS_SHOWN = 6
FACET_VALUES_SHOWN = 12
WORTH_TELLING_MS = 0.05

SIGNS: Mapping[str, str] = {"EUR": "€", "USD": "$", "GBP": "£"}
PLANS: Mapping[str, str] = {
    "exact": "each of them compared (exact)",
    "ann": "found by approximate search",
    "escalated": "found by approximate search, widened",
}
JOINTS: Mapping[str, str] = {"mix": "+", "any": "or", "all": "and"}
RANKING = "ranking"
KINDS: tuple[str, ...] = (*SPACES, RANKING)
"""What a score is made of: likeness in the spaces, and the business signals together."""


@dataclass(frozen=True)
class Shown:
    """One search to show: a title in plain words, what was asked, and the answer."""

    title: str
    question: Question
    result: SearchResult

    @classmethod
    def of(cls, question: Question, result: SearchResult, title: str = "") -> Shown:
        """Show this search, called by what it asks for if it has no `title`."""
        return cls(title or in_words(question), question, result)


@dataclass(frozen=True)
class Frame:
    """A picture on the page: its data URI, and the CSS background that fills a square frame around it."""

    uri: str
    surround: str


@dataclass(frozen=True)
class AskedPart:
    """One part of a question as drawn: how it joins those before it, and a picture or a phrase."""

    joint: str
    kind: str
    words: str
    weight: float
    frame: Frame | None = None


@dataclass(frozen=True)
class Bar:
    """One term of a score: a bar from `left` over `width` percent of a line with its zero somewhere on it."""

    term: Because
    label: str
    kind: str
    left: float
    width: float


def results_page(
    shown: Sequence[Shown],
    *,
    pictures: Pictures,
    products: Products,
    query_picture: QueryPicture | None = None,
) -> str:
    """Return one self-contained HTML page of these searches.

    A picture that is missing or cannot be read leaves words in its frame. `query_picture` is by default
    `local_picture`, which opens files and never the network.
    """
    draw = _Drawing(pictures, products, query_picture or local_picture)
    kinds = {_kind(term) for each in shown for hit in each.result.hits for term in hit.because}
    return _template().render(
        searches=[draw.search(each) for each in shown],
        kinds=[kind for kind in KINDS if kind in kinds],
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lookalike.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"price": _price, "value": _value}
    return environment.get_template("results.html.j2")


class _Drawing:
    """Turns searches into what the template shows of them."""

    def __init__(self, pictures: Pictures, products: Products, query_picture: QueryPicture) -> None:
        self._pictures = pictures
        self._products = products
        self._query_picture = query_picture

    def search(self, shown: Shown) -> dict[str, Any]:
        """Gather one search."""
        question, result = shown.question, shown.result
        parts = self._parts(question)
        longest = max((sum(_stack(hit).values()) for hit in result.hits), default=0.0)
        return {
            "title": shown.title,
            "parts": parts,
            "where": where_text(question.get("where")),
            "options": list(options(question)),
            "result": result,
            "plan": PLANS.get(result.plan, result.plan),
            "stages": [
                each for each in result.took_ms.items() if each[0] != "total" and each[1] >= WORTH_TELLING_MS
            ],
            "hits": [self._hit(hit, longest, several=len(parts) > 1) for hit in result.hits],
            "facet_values": FACET_VALUES_SHOWN,
        }

    def _parts(self, question: Question) -> list[AskedPart]:
        mode = question.get("mode", "mix")
        parts: list[AskedPart] = []
        for kind, value, weight in forms(question):
            joint = JOINTS.get(mode, "+") if parts else ""
            words, data = self._asked(kind, value)
            frame = _frame(data, ASKED_PX, ASKED_BYTES)
            parts.append(AskedPart("−" if weight < 0 else joint, kind, words, abs(weight), frame))
        return parts

    def _asked(self, kind: str, value: Any) -> tuple[str, bytes | None]:
        """Return the words and the picture of one part."""
        if kind == "image":
            return image_words(value), self._query_picture(value)
        if kind == "like":
            product = self._products([str(value)]).get(str(value))
            return (product.title or product.id, self._pictures(product)) if product else (str(value), None)
        return str(value), None

    def _hit(self, hit: Hit, longest: float, *, several: bool) -> dict[str, Any]:
        bars = _bars(hit.because, several=several)
        cut = (
            len(bars) if len(bars) <= TERMS_SHOWN + 1 else TERMS_SHOWN
        )  # "and 1 more" takes as much room as the one
        stack = [(kind, 100 * total / longest) for kind, total in _stack(hit).items()] if longest else []
        return {
            "product": hit.product,
            "score": hit.score,
            "frame": _frame(self._pictures(hit.product), HIT_PX, HIT_BYTES),
            "stack": stack,
            "bars": bars[:cut],
            "rest": [bar.term.contribution for bar in bars[cut:]],
        }


def _kind(term: Because) -> str:
    space = term.name.partition(".")[0]
    return space if space in SPACES else RANKING


def _stack(hit: Hit) -> dict[str, float]:
    """Add up what each kind of term adds to a score; terms that take away are left to the bars."""
    totals: dict[str, float] = {}
    for kind in KINDS:
        total = sum(term.contribution for term in hit.because if _kind(term) == kind)
        if total > 0:
            totals[kind] = total
    return totals


def _bars(because: Sequence[Because], *, several: bool) -> list[Bar]:
    """Lay out the terms of one score, those that decide most first; with several parts each says which it is of."""
    low = min((term.contribution for term in because), default=0.0)
    high = max((term.contribution for term in because), default=0.0)
    low, high = min(low, 0.0), max(high, 0.0)
    scale = 100 / (high - low) if high > low else 0.0
    bars = []
    for term in sorted(because, key=lambda term: -abs(term.contribution)):
        label = term.name.removeprefix(f"{ATTRIBUTES}.")
        if several and term.part:
            label = f"{label} · {term.part.removeprefix('product ').removeprefix('image ')}"
        start, end = sorted((0.0, term.contribution))
        bars.append(Bar(term, label, _kind(term), (start - low) * scale, (end - start) * scale))
    return bars


def _frame(data: bytes | None, side_px: int, max_bytes: int) -> Frame | None:
    """Make a picture ready for the page: a small JPEG, whatever it was."""
    if not data:
        return None
    try:
        pixels = decode(data)
        small = thumbnail(data, pixels, side_px, max_bytes)
    except LookalikeError:
        return None
    return Frame(f"data:image/jpeg;base64,{b64encode(small).decode()}", _surround(pixels))


def _surround(pixels: Pixels) -> str:
    """Return a CSS background that goes on from the two edges that a square frame leaves free, `STOPS` colours each."""
    height, width = pixels.shape[:2]
    upright = height >= width
    edges = (pixels[:, 0], pixels[:, -1]) if upright else (pixels[0], pixels[-1])
    towards, half = ("bottom", "50% 100%") if upright else ("right", "100% 50%")
    layers = []
    for edge, place in zip(edges, ("0 0", "100% 100%"), strict=True):
        spots = [
            band.mean(axis=0).round().astype(int).tolist()
            for band in np.array_split(edge, STOPS)
            if len(band)
        ]
        colors = ",".join(
            "#{:02x}{:02x}{:02x}".format(*spot) for spot in (spots if len(spots) > 1 else spots * 2)
        )
        layers.append(f"linear-gradient(to {towards},{colors}) {place}/{half} no-repeat")
    return ",".join(layers)


def _price(product: Product) -> str:
    """Say a price with its currency; "" if there is none."""
    if product.price is None:
        return ""
    currency = product.currency or ""
    if sign := SIGNS.get(currency.upper()):
        return f"{sign}{product.price:,.2f}"
    return f"{product.price:,.2f} {currency}".rstrip()


def _value(value: str | float | bool) -> str:
    """Say the value of a facet."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,.10g}"
