"""What an encoder is asked: catalogues of pictures alone, and judged queries on what was held out of training.

A catalogue keeps no title, no description and no category that a search could use: pictures decide, for words too.

    fashion    held-out products. A title, a colour and article ("red tshirts"), an article -> its pictures; picture -> its kin
    grocery    a val photo taken at the shelf -> its clean picture among all 81
    clothing   a held-out sender's photo -> the same label, from other held-out senders
    luma       another view of a variant -> that variant among all 461; of held-out families, and of all
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.judgments import (
    Judged,
    first_pictures,
    labelled,
    quoted,
    sample,
    save,
    sender_queries,
    shelf_queries,
    view_queries,
)
from training.splits import held_out_family, held_out_fashion, held_out_sender

TITLES = 2_000
PICTURES = 1_000
COMMON = 10
"""Articles, and pairs of colour and article, are asked for if so many held-out products are of them."""

PICTURES_ALONE = {"image": 1}
"""What phrases are compared with: a catalogue's labels are words too, and would be found without any model."""

Row = Mapping[str, Any]
Truth = Mapping[str, Callable[[str, str], str]]

TRUTHS: Truth = {
    "article": lambda kind, color: f"kind = {quoted(kind)}",
    "colour": lambda kind, color: f"color = {quoted(color)}",
    "both": lambda kind, color: f"kind = {quoted(kind)} and color = {quoted(color)}",
}
"""What may have to be right, as a filter on the fashion catalogue."""


@dataclass(frozen=True, slots=True)
class Line:
    """Judged queries that are measured together, and the measures that matter for them."""

    name: str
    queries: Sequence[Judged]
    measures: tuple[str, ...]
    by_text: bool = False


@dataclass(frozen=True, slots=True)
class Exam:
    """A catalogue and what is asked of it."""

    catalog: pa.Table
    lines: Sequence[Line]


def fashion(data: Path, out: Path) -> Exam:
    """Index the held-out products only: none of their titles was seen in training."""
    table = pq.read_table(data / "fashion.parquet", columns=["id", "title", "category", "color", "image"])
    rows = [_product(row) for row in table.to_pylist() if held_out_fashion(row["title"])]
    catalog = pa.Table.from_pylist([{k: row[k] for k in ("id", "kind", "color", "image")} for row in rows])
    kinds = Counter(row["kind"] for row in rows)
    pairs = Counter((row["kind"], row["color"]) for row in rows)
    asked = sorted(pair for pair, n in pairs.items() if n >= COMMON and pair[1])
    pictures = sample(
        [row for row in rows if row["color"] and pairs[row["kind"], row["color"]] > 1], PICTURES
    )
    articles = sorted((kind, "") for kind, n in kinds.items() if n >= COMMON)
    return Exam(
        catalog,
        [
            Line("fashion: title -> picture", _titles(rows), ("Success@10", "R@10"), by_text=True),
            *(
                Line(f'fashion: "colour article" -> {right}', _phrases(asked, truth), ("P@10",), by_text=True)
                for right, truth in TRUTHS.items()
            ),
            Line(
                'fashion: "article" -> article',
                _phrases(articles, TRUTHS["article"]),
                ("P@10",),
                by_text=True,
            ),
            *(
                Line(f"fashion: picture -> {right}", _kin(pictures, truth, out / "fashion"), ("P@10",))
                for right, truth in TRUTHS.items()
            ),
        ],
    )


def grocery(data: Path, out: Path) -> Exam:
    """Ask with the val photos."""
    photos = pq.read_table(data / "grocery_photos.parquet", filters=[("split", "=", "val")]).to_pylist()
    queries = shelf_queries(photos, "val", out / "grocery")
    catalog = pq.read_table(data / "grocery_catalog.parquet", columns=["id", "image"])
    return Exam(catalog, [Line("grocery: shelf photo -> product", queries, ("R@1", "R@5"))])


def clothing(data: Path, out: Path) -> Exam:
    """Index and ask with the labelled photos of held-out senders."""
    rows = pq.read_table(data / "clothing.parquet", columns=["id", "label", "sender", "image"]).to_pylist()
    rows = labelled([row for row in rows if held_out_sender(row["sender"])])
    queries = sender_queries(rows, out / "clothing")
    return Exam(pa.Table.from_pylist(rows), [Line("clothing: photo -> label", queries, ("P@10",))])


def luma(data: Path, out: Path) -> Exam:
    """Index all variants, one picture each. A view counts as held out if every family that shows it is."""
    table = pq.read_table(data / "luma.parquet", columns=["id", "product_id", "images"])
    rows = table.to_pylist()
    family = {row["id"]: row["product_id"] for row in rows}
    queries = view_queries(rows, out / "luma")
    unseen = [query for query in queries if all(held_out_family(family[id_]) for id_ in query["relevant"])]
    return Exam(
        first_pictures(table.drop_columns("product_id")),
        [
            Line("luma: view -> variant, held-out families", unseen, ("Success@1",)),
            Line("luma: view -> variant, all families", queries, ("Success@1",)),
        ],
    )


EXAMS: Mapping[str, Callable[[Path, Path], Exam]] = {
    "fashion": fashion,
    "grocery": grocery,
    "clothing": clothing,
    "luma": luma,
}


def _product(row: Row) -> dict[str, Any]:
    return {
        **row,
        "id": str(row["id"]),
        "kind": row["category"].rpartition("/")[2],
        "color": row["color"] or "",
    }


def _titles(rows: Iterable[Row]) -> list[Judged]:
    """Ask for a sample of titles, each for the products of exactly that title."""
    of_title: dict[str, list[str]] = {}
    for row in rows:
        of_title.setdefault(row["title"], []).append(row["id"])
    return [
        {
            "id": f"title {number}",
            "query": {"text": title, "weights": PICTURES_ALONE},
            "relevant": of_title[title],
        }
        for number, title in enumerate(sample(sorted(filter(None, of_title)), TITLES))
    ]


def _phrases(pairs: Iterable[tuple[str, str]], truth: Callable[[str, str], str]) -> list[Judged]:
    """Ask for each kind, after its colour if it has one, the way a customer types it."""
    return [
        {
            "id": f"{color} {kind}".strip(),
            "query": {"text": f"{color} {kind}".strip().lower(), "weights": PICTURES_ALONE},
            "relevant_where": truth(kind, color),
        }
        for kind, color in pairs
    ]


def _kin(rows: Iterable[Row], truth: Callable[[str, str], str], out: Path) -> list[Judged]:
    """Ask with pictures of products, each for other products like it."""
    return [
        {
            "id": f"picture of {row['id']}",
            "query": {"image": save(out, number, row["image"])},
            "relevant_where": truth(row["kind"], row["color"]),
            "exclude": [row["id"]],
        }
        for number, row in enumerate(rows)
    ]
