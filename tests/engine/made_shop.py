"""A shop of made-up products with made-up vectors: searches can be checked against arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.lexical_postings import PostingsIndex
from lookalike.core.ports import Catalog, VectorIndex
from lookalike.core.types import (
    DESCRIPTION,
    IMAGE,
    TITLE,
    Embedding,
    ImageRef,
    Pixels,
    Product,
    Record,
    Vectors,
    content_hash,
    contents,
)
from lookalike.engine.encoders import Encoders
from lookalike.engine.indexing import LiveIndex, learn_from
from lookalike.engine.search import Searcher, SearchLimits

DIM = 16
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BRANDS = ("Aro", "Belka", "Cinder", "Dune")
COLORS = ("red", "blue", "green", "black", "navy")
CATEGORIES = ("Men/Shoes", "Men/Shirts", "Women/Shoes", "Women/Dresses", "Home/Lamps")


class LetterEncoder:
    """Counts letters, and averages colours: crude, but a real function of what it is given."""

    name = "letters"
    fingerprint = "letters-1"
    dim = DIM
    aligned = False
    sees, reads = True, True

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        self.calls.append(len(images))
        rows = [np.resize(image.reshape(-1, 3).mean(axis=0) + 1.0, DIM) for image in images]
        return _unit(np.array(rows, np.float32).reshape(-1, DIM))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(len(texts))
        rows = [[1 + sum(ord(c) % DIM == i for c in text) for i in range(DIM)] for text in texts]
        return _unit(np.array(rows, np.float32).reshape(-1, DIM))


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def made_records(count: int, seed: int = 0) -> list[Record]:
    """Return products with holes of every kind: no image, several images, no description, inactive, no family."""
    rng = np.random.default_rng(seed)
    encoder = LetterEncoder()
    centres = _unit(rng.standard_normal((12, DIM)).astype(np.float32))
    records = []
    for number in range(count):
        kind = int(rng.integers(12))
        images = tuple(
            ImageRef(f"{number}-{i}.jpg", content_hash(f"{number}-{i}"))
            for i in range(int(rng.integers(0, 4)))
        )
        product = Product(
            id=f"P{number:04d}",
            family=f"F{number // 3}" if rng.random() < 0.7 else None,
            title=f"{COLORS[kind % 5]} thing number {kind}" if rng.random() < 0.95 else "",
            description=f"A thing of kind {kind}." if rng.random() < 0.6 else "",
            price=round(float(rng.lognormal(3, 1)), 2) if rng.random() < 0.9 else None,
            brand=BRANDS[kind % 4] if rng.random() < 0.8 else None,
            categories=(CATEGORIES[kind % 5],),
            attributes={"color": COLORS[kind % 5], "sizes": ("S", "M")} if rng.random() < 0.9 else {},
            images=images,
            availability=bool(rng.random() < 0.8) if rng.random() < 0.9 else None,
            popularity=float(rng.pareto(1.0)) if rng.random() < 0.7 else None,
            rating=round(float(rng.uniform(1, 5)), 1) if rng.random() < 0.7 else None,
            added=NOW - timedelta(days=float(rng.uniform(0, 700))),
            active=bool(rng.random() < 0.95),
        )
        embeddings = []
        for space, hashes in contents(product).items():
            for digest in hashes:
                if space == IMAGE:
                    vector = _unit(
                        centres[kind][None] + 0.3 * rng.standard_normal((1, DIM)).astype(np.float32)
                    )[0]
                else:
                    text = {TITLE: product.title, DESCRIPTION: product.description}[space]
                    vector = encoder.encode_texts([text])[0]
                embeddings.append(Embedding(space, encoder.fingerprint, digest, vector))
        records.append(Record(product, content_hash(repr(product)), "all", tuple(embeddings)))
    return records


class MadeShop:
    """The parts of a shop, wired by hand."""

    def __init__(
        self,
        records: Sequence[Record],
        make_index: Callable[[int], VectorIndex],
        catalog: Catalog | None = None,
        limits: SearchLimits | None = None,
    ) -> None:
        self.records = list(records)
        self.catalog: Catalog = catalog or MemoryCatalog()
        self.catalog.write(self.records)
        self.encoder = LetterEncoder()
        self.live = LiveIndex(self.catalog, Encoders(self.encoder), make_index, PostingsIndex())
        learn_from(self.catalog, self.live)
        self.searcher = Searcher(self.live, self.catalog, NOW.timestamp, limits)
        self.products = {record.product.id: record.product for record in self.records}
