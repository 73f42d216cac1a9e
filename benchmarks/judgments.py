"""Make judged queries from public product photos, for `lookalike eval`.

    python benchmarks/judgments.py {luma,grocery,clothing,fashion,all} --data DIR --out DIR

DIR holds the sets as Parquet files. What is asked of each:

    luma       another view of a colour variant -> that variant; the catalogue keeps one picture per variant
    grocery    a photo taken at the shelf -> its clean catalogue picture; val photos and train photos apart
    clothing   a photo taken at home -> the same kind of garment from another sender (or the background is matched)
    fashion    a title -> the products of exactly that title; and a product's looks -> others of its category

Samples are seeded. Nothing made here belongs in the repository.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20
CLOTHING_QUERIES = 600
FASHION_QUERIES = 1_000
PICTURES_ONLY = {"image": 1, "title": 0, "description": 0, "attributes": 0}
"""Weights by which a product is compared by its looks: its attributes hold the category, which is the answer."""
NO_LABEL = ("Not sure", "Skip", "Other")

Judged = dict[str, Any]
Row = TypeVar("Row")


def main() -> None:
    """Parse, make the sets asked for, and say what to run next."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=[*SETS, "all"])
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in SETS if arguments.set == "all" else [arguments.set]:
        SETS[name](arguments.data.resolve(), arguments.out.resolve())


def luma(data: Path, out: Path) -> None:
    """Ask with each further view. A view that is also some variant's catalogue picture, byte for byte, asks nothing."""
    table = pq.read_table(data / "luma.parquet")
    catalog = out / "luma_catalog.parquet"
    pq.write_table(first_pictures(table), catalog)
    queries = view_queries(table.select(["id", "images"]).to_pylist(), out / "luma")
    _finish(out, catalog, "luma", {"luma": queries})


def first_pictures(table: pa.Table) -> pa.Table:
    """Keep of each luma row the first picture alone."""
    first = pa.array([images.as_py()[:1] for images in table["images"]], table.schema.field("images").type)
    return table.set_column(table.schema.get_field_index("images"), "images", first)


def view_queries(rows: Sequence[Mapping[str, Any]], out: Path) -> list[Judged]:
    """Ask with each further view among luma rows, for the variants that have it."""
    shown = {_hash(row["images"][0]) for row in rows}
    views: dict[str, tuple[bytes, dict[str, int]]] = {}
    for row in rows:
        for view in row["images"][1:]:
            views.setdefault(_hash(view), (view, {}))[1][row["id"]] = 1
    asked = [(view, list(ids)) for key, (view, ids) in views.items() if key not in shown]
    print(f"luma: {len(views) - len(asked)} further views are catalogue pictures too and are left out")
    return [
        {"id": f"{ids[0]} view {number}", "query": {"image": save(out, number, view)}, "relevant": ids}
        for number, (view, ids) in enumerate(asked)
    ]


def grocery(data: Path, out: Path) -> None:
    """Ask with each shelf photo, for the one product it shows."""
    photos = pq.read_table(data / "grocery_photos.parquet").to_pylist()
    names = {split: f"grocery-{split}" for split in ("val", "train")}
    runs = {name: shelf_queries(photos, split, out / name) for split, name in names.items()}
    _finish(out, data / "grocery_catalog.parquet", "grocery", runs)


def shelf_queries(photos: Sequence[Mapping[str, Any]], split: str, out: Path) -> list[Judged]:
    """Ask with each grocery photo of a split."""
    return [
        {
            "id": f"photo {number}",
            "query": {"image": save(out, number, photo["image"])},
            "relevant": [str(photo["catalog_id"])],
        }
        for number, photo in enumerate(photos)
        if photo["split"] == split
    ]


def clothing(data: Path, out: Path) -> None:
    """Ask with a sample of the labelled photos; everything its sender sent, the photo too, does not count."""
    rows = labelled(pq.read_table(data / "clothing.parquet").to_pylist())
    queries = sender_queries(sample(rows, CLOTHING_QUERIES), out / "clothing")
    _finish(out, data / "clothing.parquet", "clothing", {"clothing": queries})


def labelled(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Keep the clothing photos whose label is a kind of garment that more than one sender sent."""
    senders: dict[str, set[int]] = {}
    for row in rows:
        senders.setdefault(row["label"], set()).add(row["sender"])
    return [row for row in rows if row["label"] not in NO_LABEL and len(senders[row["label"]]) > 1]


def sender_queries(rows: Iterable[Mapping[str, Any]], out: Path) -> list[Judged]:
    """Ask with each of these clothing photos for its label, from other senders."""
    return [
        {
            "id": row["id"],
            "query": {"image": save(out, number, row["image"])},
            "relevant_where": f"label = {quoted(row['label'])}",
            "exclude_where": f"sender = {row['sender']}",
        }
        for number, row in enumerate(rows)
    ]


def fashion(data: Path, out: Path) -> None:
    """Ask for a sample of titles, and for products like a sample of products."""
    rows = pq.read_table(data / "fashion.parquet", columns=["id", "title", "category"]).to_pylist()
    by_title: dict[str, list[str]] = {}
    in_category: dict[str, int] = {}
    for row in rows:
        by_title.setdefault(row["title"], []).append(str(row["id"]))
        in_category[row["category"]] = in_category.get(row["category"], 0) + 1
    titles = sample(sorted(title for title in by_title if title), FASHION_QUERIES)
    likes = sample([row for row in rows if in_category[row["category"]] > 1], FASHION_QUERIES)
    runs = {
        "fashion-titles": [
            {"id": f"title {number}", "query": {"text": title}, "relevant": by_title[title]}
            for number, title in enumerate(titles)
        ],
        "fashion-likes": [
            {
                "id": f"like {row['id']}",
                "query": {"like": str(row["id"]), "weights": PICTURES_ONLY},
                "relevant_where": f"category = {quoted(row['category'])}",
                "exclude": [str(row["id"])],
            }
            for row in likes
        ],
    }
    _finish(out, data / "fashion.parquet", "fashion", runs)


SETS: Mapping[str, Callable[[Path, Path], None]] = {
    "luma": luma,
    "grocery": grocery,
    "clothing": clothing,
    "fashion": fashion,
}


def _finish(out: Path, catalog: Path, shop: str, runs: Mapping[str, Iterable[Judged]]) -> None:
    """Write OUT/<run>/queries.jsonl and print the commands that index the catalogue and measure each run."""
    shop_path = out / f"{shop}-shop"
    print(shlex.join(["lookalike", "index", str(catalog), "--shop", str(shop_path)]))
    for name, queries in runs.items():
        folder = out / name
        folder.mkdir(exist_ok=True)
        lines = [json.dumps(query, ensure_ascii=False) + "\n" for query in queries]
        (folder / "queries.jsonl").write_text("".join(lines), encoding="utf-8")
        command = ["lookalike", "eval", str(folder / "queries.jsonl"), "--shop", str(shop_path), "--k", "10"]
        reports = ["--html", str(folder / "report.html"), "--json", str(folder / "report.json")]
        print(f"{shlex.join(command + reports)}  # {len(lines):,} queries")


def save(folder: Path, number: int, image: bytes) -> str:
    """Write a query's picture and return its absolute path, which holds from wherever the evaluation is run."""
    path = folder / "images" / f"{number:05}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    return str(path)


def sample(rows: Sequence[Row], n: int) -> list[Row]:
    """Draw n of the rows, or all if there are fewer; the same rows every time."""
    return random.Random(SEED).sample(rows, min(n, len(rows)))


def _hash(image: bytes) -> str:
    return blake2b(image, digest_size=16).hexdigest()


def quoted(text: str) -> str:
    """Quote a string for a filter, where a quote inside is written twice."""
    return '"' + text.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
