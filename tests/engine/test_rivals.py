"""Two processes that write the same products at once: whoever comes last, every product is whole."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest
from made_shop import LetterEncoder
from PIL import Image

import lookalike
from lookalike import Product
from lookalike.core.ports import Catalog
from lookalike.core.types import ImageRef, Vectors, content_hash, contents
from lookalike.engine.encoders import Encoders
from lookalike.engine.work import signature_of

PRODUCTS, TURNS = 4, 15
WORKER = """
import sys
import test_rivals
test_rivals.rival(*sys.argv[1:])
"""


def picture(*color: int) -> ImageRef:
    """Return a picture that came inside its row, too large to be kept for long."""
    file = io.BytesIO()
    Image.new("RGB", (160, 160), color).save(file, "BMP")
    data = file.getvalue()
    return ImageRef(f"bytes:{content_hash(data)}", content_hash(data), data)


def versions(number: int) -> list[Product]:
    """Return what a product is changed to and fro between: pictures and texts come, go, and are shared."""
    red, blue, green = picture(200, 9, 9), picture(9, 9, 200), picture(9, 200, 9)
    title = f"thing {number}"
    return [
        Product(f"P{number}", title=title, description="first", images=(red, blue)),
        Product(f"P{number}", title=title, description="second", images=(blue,)),
        Product(f"P{number}", title=f"{title} new", description="first", images=(green, red)),
        Product(f"P{number}", title=f"{title} new", images=(red,), price=3.0),
    ]


class Thoughtful(LetterEncoder):
    """Takes its time, as models do: time for others to write."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        sleep(0.01)
        return super().encode_texts(texts)


def incomplete(catalog: Catalog, encoder: LetterEncoder) -> list[str]:
    """Return the products that are marked as complete and are not, leaving out those that change while we look."""
    ids, fingerprints = [f"P{number}" for number in range(PRODUCTS)], Encoders(encoder).fingerprints
    before, keys = catalog.known(ids), catalog.keys(ids)
    held, embedded = catalog.get_many(list(keys.values())), catalog.embedded(ids, fingerprints)
    after = catalog.known(ids)
    return [
        id_
        for id_, known in before.items()
        if known == after.get(id_) and known.embedded and embedded[id_] != wanted_by(held[known.key])
    ]


def wanted_by(product: Product) -> set[tuple[str, str]]:
    return {(space, hash_) for space, each in contents(product).items() for hash_ in each}


def rival(place: str, name: str, turns: str) -> None:
    """Write all products again and again; print what was written last, and what was wrong."""
    ways = [versions(number) for number in range(PRODUCTS)]
    with lookalike.open(place, encoder=Thoughtful()) as shop:
        print("ready", flush=True)
        sys.stdin.readline()
        last: list[int] = []
        problems: list[str] = []
        for turn in range(int(turns)):
            last = [(turn * (3 if name == "b" else 1) + number) % 4 for number in range(PRODUCTS)]
            shop.upsert(
                [ways[number][way] for number, way in enumerate(last)],
                lambda problem: problems.append(problem.reason),
            )
            problems.extend(incomplete(shop._catalog, LetterEncoder()))
            shop.change("PRICE", lambda product: replace(product, price=(product.price or 0.0) + 1.0))
        print(json.dumps({"last": last, "problems": problems}), flush=True)


def start(place: str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, place, name, str(TURNS)]
    here = Path(__file__).parent
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(here)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_processes_that_write_the_same_products_lose_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    place = request.getfixturevalue("postgres_url") if database == "postgres" else str(tmp_path / "shop.db")
    encoder = LetterEncoder()
    with lookalike.open(place, encoder=encoder) as shop:
        shop.upsert([Product("PRICE", title="counted", price=0.0)])
        rivals = [start(place, name) for name in "ab"]
        for process in rivals:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [json.loads(process.communicate(timeout=240)[0]) for process in rivals]
        assert [process.returncode for process in rivals] == [0, 0]
        assert [each["problems"] for each in told] == [[], []]
        require_whole(shop, encoder, [each["last"] for each in told])
        assert shop.get(["PRICE"])["PRICE"].price == 2 * TURNS


def require_whole(shop: lookalike.Shop, encoder: LetterEncoder, last: Sequence[Sequence[int]]) -> None:
    """Require that each product is one of the versions written last, marked as complete, and has all its embeddings."""
    catalog, fingerprints = shop._catalog, Encoders(encoder).fingerprints
    ids = [f"P{number}" for number in range(PRODUCTS)]
    held, known, embedded = shop.get(ids), catalog.known(ids), catalog.embedded(ids, fingerprints)
    for number, id_ in enumerate(ids):
        ways = versions(number)
        assert held[id_] in [replaced(ways[way[number]]) for way in last], id_
        assert known[id_].embedded == signature_of(fingerprints)
        assert embedded[id_] == wanted_by(held[id_]), id_
        assert held[id_].images and shop.picture(held[id_]) is not None
    report = shop.upsert([versions(number)[last[0][number]] for number in range(PRODUCTS)])
    assert report.unchanged + report.changed == PRODUCTS and report.problems == 0


def replaced(product: Product) -> Product:
    """Return a product as it comes back: without the bytes of its pictures."""
    return replace(product, images=tuple(replace(image, data=None) for image in product.images))
