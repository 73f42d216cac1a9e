"""What there is to learn from: every source's pictures, and what is known of each.

Held-out rows (see `splits`) are left out here, so nothing after this can see them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq

from lookalike.demo.categories import CATEGORIES
from lookalike.demo.plan import Planned, plan_drawings
from lookalike.demo.shop import draw_product
from training import splits

DRAWN_PRODUCTS = 2_400
DRAWN_SEED = 4242  # not the demo's own shop
NO_LABEL = ("Not sure", "Skip", "Other")


@dataclass(frozen=True)
class Item:
    """What is known of one picture. Pictures of one `instance` show the same thing."""

    source: str
    instance: str
    title: str = ""
    article: str = ""
    color: str = ""
    gender: str = ""
    usage: str = ""
    category: str = ""
    description: str = ""
    clean: bool = False
    """The catalogue's own picture, where the others are photos of the thing from elsewhere."""
    dev: bool = False
    """Kept out of training to watch it; not the held-out set."""


Shot = tuple[Item, bytes]

SAME_COLOR = {"Gray": "Grey", "Navy": "Navy Blue", "Lilac": "Lavender", "Terracotta": "Rust"}
"""Colours of different sources that are the same, as the largest of them says it."""


def color_named(color: str | None) -> str:
    """Return one name for a colour whatever its source calls it, "" for none."""
    name = (color or "").title()
    return SAME_COLOR.get(name, name)


def all_shots(data: Path) -> list[Shot]:
    """Read and draw everything there is to learn from."""
    return [*fashion(data), *clothing(data), *grocery(data), *luma(data), *drawn()]


def fashion(data: Path) -> Iterator[Shot]:
    rows = _rows(data / "fashion.parquet")
    # Some products share a picture with one of another title: such a picture stays on the held-out side.
    asked = {row["image"] for row in rows if splits.held_out_fashion(row["title"])}
    for row in rows:
        if row["image"] not in asked:
            yield (
                Item(
                    source="fashion",
                    instance=f"fashion {row['title'].casefold().strip()} {row['color']}",
                    title=row["title"],
                    article=row["category"].split("/")[-1],
                    color=color_named(row["color"]),
                    gender=row["gender"] or "",
                    usage=row["usage"] or "",
                    category=row["category"],
                    dev=splits.fold(f"dev {row['title']}") < 0.04,
                ),
                row["image"],
            )


def clothing(data: Path) -> Iterator[Shot]:
    for row in _rows(data / "clothing.parquet"):
        if not splits.held_out_sender(row["sender"]):
            label = "" if row["label"] in NO_LABEL else row["label"]
            # Two photos of one sender may show one garment, so a photo without a label is an instance by itself.
            yield Item("clothing", f"clothing {label or row['id']}", article=label), row["image"]


def grocery(data: Path) -> Iterator[Shot]:
    catalog = {row["id"]: row for row in _rows(data / "grocery_catalog.parquet")}
    items = {
        number: Item(
            source="grocery",
            instance=f"grocery {number}",
            title=row["title"],
            article=row["category"],
            category=f"{row['department']}/{row['category']}",
            description=row["description"] or "",
        )
        for number, row in catalog.items()
    }
    for number, row in catalog.items():
        yield replace(items[number], clean=True), row["image"]
    for row in _rows(data / "grocery_photos.parquet"):
        if row["split"] == "train":
            yield items[row["catalog_id"]], row["image"]


def luma(data: Path) -> Iterator[Shot]:
    rows = _rows(data / "luma.parquet")
    asked = {image for row in rows if splits.held_out_family(row["product_id"]) for image in row["images"]}
    for row in rows:
        path = next(
            (path for path in row["categories"] if path.split("/")[0] in ("Men", "Women", "Gear")), ""
        )
        item = Item(
            source="luma",
            instance=f"luma {row['id']}",
            title=row["title"],
            article=path.split("/")[-1],
            color=color_named(row["color"]),
            gender=row["gender"][0] if len(row["gender"] or ()) == 1 else "",
            category=path,
            description=row["description"] or "",
        )
        for image in row["images"]:
            if image not in asked:
                yield item, image


def drawn() -> Iterator[Shot]:
    """Draw products, each on white and once in surroundings, from the demo's own pen but another seed."""
    plan = plan_drawings(DRAWN_PRODUCTS, DRAWN_SEED)
    views = ("front", "lifestyle")
    with ProcessPoolExecutor() as pool:
        pictures = pool.map(_draw, [replace(planned, views=views) for planned in plan], chunksize=16)
        for planned, shots in zip(plan, pictures, strict=True):
            record: dict[str, Any] = dict(planned.record)
            path = CATEGORIES[planned.category].path
            item = Item(
                source="drawn",
                instance=f"drawn {record['id']}",
                title=record["title"],
                article=path.split("/")[-1],
                color=color_named(planned.color),
                gender=path.split("/")[0] if path.startswith(("Men/", "Women/")) else "",
                category=path,
                description=record["description"],
            )
            for shot in shots:
                yield item, shot


def _draw(planned: Planned) -> list[bytes]:
    out = []
    for picture in draw_product(planned):
        file = BytesIO()
        picture.save(file, "JPEG", quality=Random(planned.design_seed).choice((60, 75, 88)))
        out.append(file.getvalue())
    return out


def _rows(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in pq.read_table(path).to_pylist()]
