"""Look at what a model finds: sheets of queries with their first ten hits, on what was held out of training.

    python -m training.sheets --data DIR --preset builtin.toml --work DIR

Each query goes through the product, into a catalogue that knows pictures alone: words typed, products photographed in a studio,
and things photographed at home or at the shelf. A green rim is around hits of the right kind, as far as labels tell (a label
does not say "checked", nor which sole is for running). The sheets go to WORK/sheets; the catalogues are those of `evaluate`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont, ImageOps

import lookalike
from lookalike.core.ports import Encoder
from training.evaluate import indexed, load
from training.exams import EXAMS
from training.splits import fold, held_out_sender

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
"""A product of a catalogue, or a photo to ask with."""
Right = Callable[[Row], bool]

HITS = 10
ROWS = 8
"""Of a sheet."""
CELL_PX, PICTURE_PX, QUERY_PX, ROW_PX, MARGIN_PX = 116, 106, 226, 150, 12
HEAD_PX = 34
WIDTH_PX = 2 * MARGIN_PX + QUERY_PX + HITS * CELL_PX
INK, FAINT, PAPER, GREEN = "#1a1a1a", "#6b6b6b", "#ffffff", "#159947"


@dataclass(frozen=True)
class Ask:
    """One row of a sheet: what is asked of which catalogue, and which of its products are of the right kind."""

    shop: str
    words: str
    right: Right = field(repr=False)
    picture: bytes | None = field(default=None, repr=False)
    """What is asked with; without it, the words are."""
    but: str = ""
    """The product asked with, which is no answer."""


SHOES = ("Casual Shoes", "Sports Shoes", "Formal Shoes")
TYPED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("red checked shirt", ("Shirts",), ("Red", "Maroon")),
    ("black high heels", ("Heels",), ("Black",)),
    ("blue jeans", ("Jeans",), ("Blue", "Navy Blue")),
    ("brown leather handbag", ("Handbags",), ("Brown", "Tan", "Coffee Brown")),
    ("sunglasses", ("Sunglasses",), ()),
    ("white running shoes for women", SHOES[:2], ("White", "Off White")),
    ("yellow t-shirt", ("Tshirts",), ("Yellow", "Mustard")),
    ("watch with a leather strap", ("Watches",), ()),
    ("pink nail polish", ("Nail Polish",), ("Pink",)),
    ("grean bakpack", ("Backpacks",), ("Green", "Olive", "Sea Green")),
)
"""What is typed, and the labels of what is meant; no colours where any will do."""
STUDIO: tuple[tuple[str, str], ...] = (
    ("Handbags", "Red"),
    ("Sports Shoes", "Blue"),
    ("Kurtas", "Green"),
    ("Watches", "Silver"),
)
"""Fashion products to ask with: the first of each article and colour, in order of hashes."""
GEAR = ("24-MB02", "24-UG07", "24-UB02")
"""Products of luma to ask with: a backpack and a ball by their second view, and a travel bag, which has but one."""
HOME: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("T-Shirt", ("Tshirts",)),
    ("Dress", ("Dresses",)),
    ("Shoes", SHOES),
    ("Pants", ("Trousers", "Jeans", "Track Pants")),
    ("Hoodie", ("Sweatshirts",)),
)
"""Labels of photos taken at home, and the articles of the shop that are the same."""
SHELF = (7, 45)
"""Numbers of grocery products to ask for."""


def main() -> None:
    """Parse, ask, and write the sheets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--preset", required=True, help="the model's TOML, or the name of an encoder")
    parser.add_argument("--work", type=Path, required=True, help="folder to keep everything in")
    asked = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    work = asked.work.resolve()
    (work / "sheets").mkdir(parents=True, exist_ok=True)
    encoder = load(asked.preset, None)
    rows = draw_rows(asked.data, encoder, work)
    about = f"{encoder.fingerprint}: what is asked, and the ten nearest by pictures alone. Green: the right kind, by its label."
    for number, start in enumerate(range(0, len(rows), ROWS), 1):
        path = work / "sheets" / f"{number}.png"
        stacked(about, rows[start : start + ROWS]).save(path, optimize=True)
        log.info("%s", path)


def draw_rows(data: Path, encoder: Encoder, work: Path) -> list[Image.Image]:
    """Ask everything of the three catalogues and draw a row for each, in the order of `asks`."""
    exams = {name: EXAMS[name](data, work / "pictures") for name in ("fashion", "luma", "grocery")}
    known = {name: {str(row["id"]): row for row in exam.catalog.to_pylist()} for name, exam in exams.items()}
    for name, labels in (("luma", "luma"), ("grocery", "grocery_catalog")):
        for row in _read(data / f"{labels}.parquet"):
            known[name][str(row["id"])] |= {"kind": _kind(row), "title": unescape(row["title"])}
    questions = list(asks(data, known))
    drawn: dict[int, Image.Image] = {}
    for name, exam in exams.items():
        with indexed(encoder, name, exam, work) as shop:
            for number, ask in enumerate(questions):
                if ask.shop == name:
                    drawn[number] = row_of(ask, answers(shop, ask), known[name])
    return [drawn[number] for number in range(len(questions))]


def asks(data: Path, known: Mapping[str, Mapping[str, Row]]) -> Iterator[Ask]:
    """Yield ten phrases, seven studio photos, and seven photos from home and from the shelf."""
    for words, kinds, colors in TYPED:
        yield Ask("fashion", f"“{words}”", _of(kinds, colors))
    for kind, color in STUDIO:
        row = _first(filter(_of((kind,), (color,)), known["fashion"].values()))
        words = f"studio photo of a product: {color}, {kind}"
        yield Ask("fashion", words, _of((kind,)), row["image"], row["id"])
    luma = {row["id"]: row for row in _read(data / "luma.parquet")}
    for id_ in GEAR:
        views, kind = luma[id_]["images"], known["luma"][id_]["kind"]
        words = f"studio photo{', another view' if len(views) > 1 else ''}: {luma[id_]['title']}"
        yield Ask("luma", words, _of((kind,)), views[min(1, len(views) - 1)], "" if len(views) > 1 else id_)
    photos = [row for row in _read(data / "clothing.parquet") if held_out_sender(row["sender"])]
    for label, kinds in HOME:
        photo = _first([row for row in photos if row["label"] == label and not row["kids"]])
        yield Ask("fashion", f"photo from home: {label}", _of(kinds), photo["image"])
    shelf = [row for row in _read(data / "grocery_photos.parquet") if row["split"] == "val"]
    for number in SHELF:
        photo = next(row for row in shelf if row["catalog_id"] == number)
        product = known["grocery"][str(number)]
        yield Ask(
            "grocery", f"photo at the shelf: {product['title']}", _of((product["kind"],)), photo["image"]
        )


def answers(shop: lookalike.Shop, ask: Ask) -> list[tuple[str, float]]:
    """Return the ids and scores of the first ten hits, without the product asked with."""
    if ask.picture is None:
        found = shop.search(text=ask.words.strip("“”"), k=HITS)
    else:
        found = shop.search(image=ask.picture, k=HITS + 1)
    return [(hit.product.id, hit.score) for hit in found.hits if hit.product.id != ask.but][:HITS]


def row_of(ask: Ask, hits: Sequence[tuple[str, float]], known: Mapping[str, Row]) -> Image.Image:
    """Draw what is asked, and beside it the hits with their scores and labels."""
    sheet = Image.new("RGB", (WIDTH_PX, ROW_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.line((MARGIN_PX, 0, WIDTH_PX - MARGIN_PX, 0), "#d9d9d9")
    lines = wrap(ask.words, 27 if ask.picture is None else 36)
    size = 17 if ask.picture is None else 12
    top = ROW_PX // 2 - len(lines) * (size + 4) // 2
    if ask.picture is not None:
        _paste(sheet, ask.picture, (MARGIN_PX, 6))
        top = 10 + PICTURE_PX
    _write(draw, (MARGIN_PX, top), lines, size, INK)
    for place, (id_, score) in enumerate(hits):
        left, row = MARGIN_PX + QUERY_PX + place * CELL_PX, known[id_]
        _paste(sheet, row["image"] if "image" in row else row["images"][0], (left, 6))
        if ask.right(row):
            draw.rectangle((left - 3, 3, left + PICTURE_PX + 2, 8 + PICTURE_PX), outline=GREEN, width=3)
        _write(draw, (left, 10 + PICTURE_PX), [f"{score:.2f}"], 13, INK)
        _write(draw, (left, 27 + PICTURE_PX), [_short(_label(row))], 10, FAINT)
    return sheet


def stacked(about: str, rows: Sequence[Image.Image]) -> Image.Image:
    """Put rows below each other, and below what is said about all of them."""
    sheet = Image.new("RGB", (WIDTH_PX, HEAD_PX + ROW_PX * len(rows)), PAPER)
    _write(ImageDraw.Draw(sheet), (MARGIN_PX, 9), [about], 13, FAINT)
    for number, row in enumerate(rows):
        sheet.paste(row, (0, HEAD_PX + number * ROW_PX))
    return sheet


def _of(kinds: Sequence[str], colors: Sequence[str] = ()) -> Right:
    return lambda row: row["kind"] in kinds and (not colors or row["color"] in colors)


def _first(rows: Iterable[Row]) -> Row:
    """Return the first in order of hashes, which is no order that anyone chose."""
    return min(rows, key=lambda row: fold(f"sheet {row['id']}"))


def _kind(row: Row) -> str:
    """Return the second level of a path that says what a luma product is, or the category of a grocery."""
    if "category" in row:
        return str(row["category"])
    paths = [path.split("/") for path in row["categories"]]
    return next((path[1] for path in paths if path[0] in ("Men", "Women", "Gear") and len(path) > 1), "")


def _label(row: Row) -> str:
    return str(row["title"] if "title" in row else f"{row['color']} {row['kind']}".strip())


def _read(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in pq.read_table(path).to_pylist()]


def _paste(sheet: Image.Image, data: bytes, corner: tuple[int, int]) -> None:
    """Show a picture as large as it can be in its square, in the middle."""
    with Image.open(BytesIO(data)) as picture:
        shown = ImageOps.contain(picture.convert("RGB"), (PICTURE_PX, PICTURE_PX), Image.Resampling.LANCZOS)
    sheet.paste(
        shown, (corner[0] + (PICTURE_PX - shown.width) // 2, corner[1] + (PICTURE_PX - shown.height) // 2)
    )


def _write(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], lines: Sequence[str], size: int, ink: str
) -> None:
    draw.multiline_text(corner, "\n".join(lines), ink, font=ImageFont.load_default(size), spacing=3)


def _short(words: str, most: int = 20) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


if __name__ == "__main__":
    main()
