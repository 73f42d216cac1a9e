"""A new price for every product of a shop: what is embedded (nothing), how long it takes, and when it is searchable (at once).

    lookalike index fashion.parquet --shop fashion.db
    python benchmarks/price_change.py --shop fashion.db

Works on a copy of the shop's file.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import lookalike
from lookalike.core.ports import Encoder
from lookalike.core.types import Pixels, Vectors
from record import record


class Counting:
    """An encoder that counts what it is asked."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dim, self.aligned = encoder.dim, encoder.aligned
        self.sees, self.reads = encoder.sees, encoder.reads
        self.asked = 0

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        self.asked += len(images)
        return self._encoder.encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.asked += len(texts)
        return self._encoder.encode_texts(texts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shop", default="fashion.db")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "shop.db"
        shutil.copy(arguments.shop, place)
        encoder = Counting(lookalike.load_encoder())
        with lookalike.open(place, encoder=encoder) as shop:
            products = shop.get(shop.select("id exists"))
            started = perf_counter()
            report = shop.upsert(replace(product, price=12.5) for product in products.values())
            took_s = perf_counter() - started
            matched = shop.search(where="price = 12.5").matched
    record(
        "price_change",
        products=len(products),
        encoded=encoder.asked,
        changed=report.changed,
        matched=matched,
        took_s=took_s,
    )
    print(f"{report.changed:,} prices changed in {took_s:.1f} s; {encoder.asked} pictures and texts encoded;")
    print(f"the next search with price = 12.5 matches {matched:,} products")


if __name__ == "__main__":
    main()
