"""The page of results: it shows what was asked and found, loads nothing from outside, and trusts no word of a shop."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.filter_text import parse
from lookalike.core.query import Because, FacetValue, Hit, SearchResult
from lookalike.core.types import Product
from lookalike.pages import Shown, local_picture, results_page
from lookalike.questions import Question

HOSTILE = '<script>alert(\'x\')</script>"><img src=https://evil.example/x.png onerror="alert(1)">'

POT = Product("P1", title="Terrazzo planter", price=1010.95, currency="EUR", brand="Mossgrove", rating=4.33)
GONE = Product("P2", title="Striped planter", price=10, currency="SEK", availability=False)
BARE = Product("P3")
WHY = (
    Because("image", '"pot"', 0.8, 0.5, 0.4, 0.91),
    Because("attributes.color", '"pot"', 0.2, 0.5, 0.1, 0.2),
    Because("title", '"striped"', 0.5, -0.2, -0.1, 0.5),
    Because("popularity", "", 0.5, 0.1, 0.05),
)
RESULT = SearchResult(
    hits=(Hit(POT, 0.45, WHY), Hit(GONE, 0.2), Hit(BARE, -0.01)),
    matched=1248,
    plan="exact",
    took_ms={"encode": 10.25, "diversify": 0.001, "total": 12.0},
    facets={"color": (FacetValue("teal", 1200), FacetValue(True, 3), FacetValue(0.5, 2)), "brand": ()},
    cursor="abc",
    snapshot="seq-1",
    notes=("Nothing could be said of “xyzzy”.",),
)


def png(size: tuple[int, int] = (60, 90), color: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    data = BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return data.getvalue()


def pictures(product: Product) -> bytes | None:
    return png() if product.id == "P1" else None


def products(ids: Iterable[str]) -> dict[str, Product]:
    return {id_: POT for id_ in ids if id_ == "P1"}


class Page(HTMLParser):
    """Collects what a browser would see: elements with their attributes, and the text outside styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.elements[-1][0] != "style":
            self.texts.append(" ".join(data.split()))

    def all(self, tag: str, of: str = "") -> list[dict[str, str]]:
        return [
            held
            for name, held in self.elements
            if name == tag and of in [*held.get("class", "").split(" "), ""]
        ]


def page(question: Question, result: SearchResult = RESULT, title: str = "") -> Page:
    return Page(results_page([Shown.of(question, result, title)], pictures=pictures, products=products))


def test_shows_the_hits_the_facets_and_how_they_were_found() -> None:
    shown = page({"text": "pot"}, title="A pot, asked in words")
    for words in (
        "A pot, asked in words",
        "“pot”",
        "Terrazzo planter",
        "Mossgrove",
        "€1,010.95",
        "★ 4.3",
        "10.00 SEK",
        "out of stock",
        "0.45",
        "-0.01",
        "teal",
        "1,200",
        "yes",
        "0.5",
        "no values",
        "Nothing could be said of “xyzzy”.",
    ):
        assert words in shown.texts, words
    told = shown.texts[-1]
    assert (
        told
        == "1,248 products, each of them compared (exact) · encode 10.2 · 12.0 ms in all · more on the next page"
    )
    assert "diversify" not in told  # it took no time worth telling
    assert shown.texts.count("out of stock") == 1 and shown.texts.count("Mossgrove") == 1
    assert len(shown.all("article", "card")) == 3


def test_pictures_are_small_jpegs_inside_the_page_with_alternative_texts() -> None:
    shown = page({"like": "P1"})
    images = shown.all("img")
    assert [image["alt"] for image in images] == ["Terrazzo planter"] * 2  # the liked product, and the hit
    data = base64.b64decode(images[0]["src"].removeprefix("data:image/jpeg;base64,"))
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "JPEG" and picture.size == (60, 90)
    assert images[0]["style"].startswith("background:linear-gradient(to bottom,#c81e1e,")
    blanks = len(shown.all("span", "blank"))
    assert blanks == 2  # without a picture: its title, or its id
    assert shown.texts.count("Striped planter") == 2 and shown.texts.count("P3") == 2


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (640, 640)])
def test_pictures_of_any_shape_are_framed(size: tuple[int, int]) -> None:
    html = results_page([Shown.of({}, RESULT)], pictures=lambda product: png(size), products=products)
    styles = [image["style"] for image in Page(html).all("img")]
    assert len(styles) == 3
    direction = "right" if size[0] > size[1] else "bottom"
    for style in styles:
        assert re.fullmatch(
            rf"background:(linear-gradient\(to {direction}(,#[0-9a-f]{{6}}){{2,}}\)[^,]*,?){{2}}", style
        )


def test_a_broken_picture_leaves_words() -> None:
    html = results_page([Shown.of({}, RESULT)], pictures=lambda product: b"no picture", products=products)
    assert not Page(html).all("img")


def test_terms_of_a_score_are_signed_bars_and_add_up_in_the_stack() -> None:
    shown = page({"text": "pot", "parts": [{"text": "striped", "weight": -0.5}]})
    bars = [held["style"] for tag, held in shown.elements if tag == "i" and "left" in held.get("style", "")]
    assert bars == [
        "left:20.0%;width:80.0%;background:var(--image)",  # the scale runs from -0.1 to 0.4
        "left:20.0%;width:20.0%;background:var(--attributes)",
        "left:0.0%;width:20.0%;background:var(--red)",
        "left:20.0%;width:10.0%;background:var(--ranking)",
    ]
    for words in ('image · "pot"', 'color · "pot"', 'title · "striped"', "popularity", "+0.40", "-0.10"):
        assert words in shown.texts, words
    stacks = [
        held["style"]
        for tag, held in shown.elements
        if tag == "i" and held.get("style", "").startswith("width")
    ]
    widths = [float(style[6:].partition("%")[0]) for style in stacks]
    assert widths == [72.7, 18.2, 9.1]  # what adds to the best score fills its line
    assert {"image", "attributes", "ranking"} <= set(shown.texts)  # the key names the kinds that occur
    assert "description" not in shown.texts


def test_with_one_part_its_name_is_not_repeated_and_many_terms_are_cut() -> None:
    terms = tuple(Because(f"attributes.f{n}", '"pot"', 1.0, 0.1, 0.01 * (n + 1)) for n in range(9))
    shown = page({"text": "pot"}, replace(RESULT, hits=(Hit(POT, 0.45, terms),)))
    assert [text for text in shown.texts if re.fullmatch(r"f\d", text)] == [
        "f8",
        "f7",
        "f6",
        "f5",
        "f4",
        "f3",
    ]
    assert "and 3 more" in shown.texts and "+0.06" in shown.texts


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"text": ["red", "shoe"], "mode": "any"}, ["“red”", "or", "“shoe”"]),
        ({"text": ["red", "shoe"], "mode": "all"}, ["“red”", "and", "“shoe”"]),
        ({"like": "P1", "parts": [{"text": "blue", "weight": 0.5}]}, ["+", "weight 0.5", "“blue”"]),
        ({"text": "dress", "parts": [{"text": "floral", "weight": -2}]}, ["−", "weight 2", "“floral”"]),
        ({"parts": [{"space": "title", "vector": np.ones(3)}]}, ["title vector"]),
        ({"image": "https://shop.example/a/b.jpg"}, ["b.jpg"]),
        ({"like": "nowhere"}, ["this product: nowhere"]),
        ({"where": "price < 5"}, ["Everything", "only where", "price < 5"]),
        ({"where": parse("not color = 'red'")}, ['not color = "red"']),
        ({"where": {"field": "price", "op": "<", "value": 5}}, ["only where", "price < 5.0"]),
        (
            {"text": "a", "rerank": "new", "group": True, "diversity": 0.3},
            ["ranking: new", "one per family", "variety 0.3"],
        ),
        (
            {
                "text": "a",
                "rerank": {"rating": 0.1},
                "weights": {"title": 1},
                "max_per_category": 2,
                "cursor": "x",
            },
            ["ranking: rating × 0.1", "looking at title × 1", "at most 2 per category", "a later page"],
        ),
        ({}, ["Everything"]),
    ],
)
def test_what_was_asked_is_drawn(question: Question, said: list[str]) -> None:
    texts = page(question).texts
    for words in said:
        assert words in texts, (words, texts)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ({"text": "red dress"}, "“red dress”"),
        ({"image": ["x/a.jpg", b"..."], "mode": "all"}, "a.jpg and a photo"),
        ({"like": "P1", "parts": [{"text": "floral", "weight": -1}]}, "like P1 + not “floral”"),
        ({}, "Everything"),
    ],
)
def test_a_search_without_a_title_is_called_by_what_it_asks(question: Question, title: str) -> None:
    assert Shown.of(question, RESULT).title == title


def test_nothing_found_says_why() -> None:
    none = replace(RESULT, hits=(), facets={}, notes=(), matched=0, cursor=None)
    assert "No product satisfies the filter." in page({"where": "price < 0"}, none).texts
    assert "The shop is empty." in page({"text": "x"}, none).texts
    assert "Nothing comes near." in page({"text": "x"}, replace(none, matched=3)).texts
    assert not page({"text": "x"}, none).all("ol")


def test_counts_agree_with_their_verbs() -> None:
    one = page({"where": "price < 5"}, replace(RESULT, matched=1)).texts[-1]
    assert one.startswith("1 product satisfies the filter, each")
    assert page({"where": "price < 5"}).texts[-1].startswith("1,248 products satisfy the filter, each")


def test_page_loads_nothing_from_outside_and_needs_no_script() -> None:
    shown = page({"image": ["https://shop.example/a.jpg", png()], "like": "P1", "facets": ["color"]})
    policy = next(held for held in shown.all("meta") if held.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "http://" not in shown.html and "https://" not in shown.html
    assert "url(" not in shown.html and "@import" not in shown.html
    for tag, held in shown.elements:
        assert tag not in ("script", "link", "iframe", "object", "base", "form")
        assert not {"href", "srcset", "action", "background", "data"} & held.keys()
        assert held.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")


def test_hostile_words_stay_words() -> None:
    product = Product(HOSTILE, title=HOSTILE, brand=HOSTILE, price=1, currency=HOSTILE)
    result = replace(
        RESULT,
        hits=(Hit(product, 1.0, (Because(HOSTILE, HOSTILE, 1.0, 1.0, 1.0),)),),
        plan=HOSTILE,
        took_ms={HOSTILE: 1.0},
        facets={HOSTILE: (FacetValue(HOSTILE, 1),)},
        notes=(HOSTILE,),
    )
    question: Question = {
        "image": HOSTILE,
        "text": HOSTILE,
        "like": HOSTILE,
        "where": HOSTILE,
        "rerank": HOSTILE,
        "weights": {HOSTILE: 1},
    }
    search = Shown.of(question, result, HOSTILE)
    shown = Page(results_page([search], pictures=pictures, products=lambda ids: {HOSTILE: product}))
    assert not [tag for tag, held in shown.elements if tag in ("script", "img") or "onerror" in held]
    assert "<script" not in shown.html and shown.html.count("&lt;script&gt;") >= 15


def test_cards_can_be_opened_with_the_keyboard_and_say_what_they_are() -> None:
    shown = page({"text": "pot"})
    assert [held["aria-label"] for held in shown.all("summary")] == [
        "Score 0.45: what it is made of",
        "Score 0.20: what it is made of",
        "Score -0.01: what it is made of",
    ]
    labelled = {held["aria-labelledby"] for held in shown.all("section")}
    assert labelled == {held["id"] for held in shown.all("h2")} == {"search-1"}
    assert shown.elements[0] == ("html", {"lang": "en"}) and len(shown.all("h1")) == 1


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_stands_out_from_what_is_behind_it(scheme: int) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for bars against the card."""
    blocks = re.findall(r":root \{(.*?)\}", page({}).html, re.DOTALL)
    color = {name: value for name, value in re.findall(r"--([\w-]+): (#\w+)", blocks[scheme])}
    for ink, ground in (
        *(("ink", g) for g in ("page", "card")),
        *(("soft", g) for g in ("page", "card", "track")),
        *(("red", "card"), ("page", "ink"), ("amber", "amber-page")),
    ):
        assert contrast(color[ink], color[ground]) >= 4.5, (ink, ground)
    for bar in ("image", "title", "description", "attributes", "ranking", "red"):
        assert contrast(color[bar], color["card"]) >= 3, bar


def contrast(one: str, other: str) -> float:
    def luminance(color: str) -> float:
        digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
        parts = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_local_picture_reads_what_is_at_hand_and_never_the_network(tmp_path: Path) -> None:
    data = png()
    file = tmp_path / "a b.png"
    file.write_bytes(data)
    assert local_picture(data) == local_picture(file) == local_picture(str(file)) == data
    assert local_picture("data:image/png;base64," + base64.b64encode(data).decode()) == data
    drawn = local_picture(np.full((4, 5, 3), 200, np.uint8))
    assert drawn is not None
    with Image.open(BytesIO(drawn)) as picture:
        assert picture.size == (5, 4) and picture.getpixel((0, 0)) == (200, 200, 200)
    for absent in (
        "https://shop.example/a.jpg",
        str(tmp_path),
        "nowhere.jpg",
        "data:,%%%",
        "a\0b",
        "x" * 5000,
    ):
        assert not local_picture(absent)


def test_several_searches_stand_one_below_the_other() -> None:
    html = results_page(
        [Shown.of({"text": "a"}, RESULT, "First"), Shown.of({"text": "b"}, RESULT, "Second")],
        pictures=pictures,
        products=products,
    )
    assert html.index("First") < html.index("Second") and "<title>Search results · lookalike" in html
    assert Page(results_page([], pictures=pictures, products=products)).all("h1")
