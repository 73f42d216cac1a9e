"""Measure how a picture and a phrase are best combined in the space of pictures of an aligned encoder.

    lookalike index DATA/fashion.parquet --shop SHOP
    python benchmarks/composed.py --shop SHOP

Asked is a product's picture with "in COLOUR", another colour than its own. Right are products of the same category in that
colour, if there are at least ten. `fused`, what the product does, adds calibrated similarities to both; `linear` adds the two
vectors, `centred` does so after the mean of either modality was taken away, and `slerp` walks the great circle between them.
Each has one parameter, the share of the phrase: it is chosen on one half of the questions and measured on the other. One line
per way goes to results/composed.jsonl.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import lookalike
from lookalike.core.types import IMAGE
from lookalike.engine.indexing import View, one_each
from record import record

SEED, ASKED, K, LEAST_RIGHT = 7, 400, 10, 10
SHARES = tuple(round(float(share), 2) for share in np.arange(0.1, 0.95, 0.05))
Floats = NDArray[np.float32]
Way = Callable[[Floats, Floats, float], Floats]
"""Scores [questions, products] from pictures and phrases [questions, dim] and the share of the phrase."""


def unit(rows: Floats) -> Floats:
    """Return rows of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def slerp(start: Floats, end: Floats, share: float) -> Floats:
    """Walk from unit rows to unit rows along great circles (Shoemake, 1985)."""
    angle = np.arccos(np.clip(np.sum(start * end, axis=1, keepdims=True), -1.0, 1.0))
    return np.asarray((np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle))


def ways(view: View, products: Floats, phrases: Floats) -> dict[str, Way]:
    """Return every way of combining, by name. `phrases` are all there are, to take their mean from."""
    by_picture, by_phrase = view.calibration(IMAGE), view.calibration(f"{IMAGE}:text")
    middle, said = products.mean(axis=0), phrases.mean(axis=0)
    centred = unit(products - middle)

    def fused(pictures: Floats, texts: Floats, share: float) -> Floats:
        return np.asarray(
            (1 - share) * by_picture(pictures @ products.T) + share * by_phrase(texts @ products.T)
        )

    def linear(pictures: Floats, texts: Floats, share: float) -> Floats:
        return unit((1 - share) * pictures + share * texts) @ products.T

    def centred_linear(pictures: Floats, texts: Floats, share: float) -> Floats:
        return unit((1 - share) * unit(pictures - middle) + share * unit(texts - said)) @ centred.T

    return {
        "fused": fused,
        "linear": linear,
        "centred": centred_linear,
        "slerp": lambda pictures, texts, share: slerp(pictures, texts, share) @ products.T,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shop", type=Path, required=True)
    given = parser.parse_args()
    with lookalike.open(given.shop, create=False) as shop:
        ids = shop.select("color exists and category exists")
        held = list(shop.get(ids).values())
        by_id = shop._catalog.keys(ids)
        order = sorted(range(len(held)), key=lambda i: by_id[held[i].id])
        held = [held[i] for i in order]
        keys = np.array([by_id[product.id] for product in held], np.int64)
        vectors = one_each(shop.spaces[IMAGE], keys)
        seen = np.asarray(vectors.any(axis=1))
        held, vectors = [p for p, has in zip(held, seen, strict=True) if has], vectors[seen]
        kinds = np.array([product.categories[0] for product in held])
        colors = np.array([str(product.attributes["color"]) for product in held])
        asked = questions(kinds, colors)
        names = sorted({color for _, color in asked})
        phrases = dict(
            zip(names, shop.encoder.encode_texts([f"in {name.lower()}" for name in names]), strict=True)
        )
        view = shop._live.view
        report(ways(view, vectors, np.stack(list(phrases.values()))), vectors, asked, phrases, kinds, colors)


def questions(kinds: NDArray[np.str_], colors: NDArray[np.str_]) -> list[tuple[int, str]]:
    """Return rows and colours to ask for: another colour, of which the row's category has enough."""
    count: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for kind, color in zip(kinds, colors, strict=True):
        count[kind][color] += 1
    rng = random.Random(SEED)
    found: list[tuple[int, str]] = []
    for row in rng.sample(range(len(kinds)), len(kinds)):
        others = [c for c, n in sorted(count[kinds[row]].items()) if n >= LEAST_RIGHT and c != colors[row]]
        if others and len(found) < ASKED:
            found.append((row, rng.choice(others)))
    return found


def report(
    found: dict[str, Way],
    vectors: Floats,
    asked: list[tuple[int, str]],
    phrases: dict[str, Floats],
    kinds: NDArray[np.str_],
    colors: NDArray[np.str_],
) -> None:
    """Choose each way's share on the even questions, measure on the odd ones, and record."""
    rows = np.array([row for row, _ in asked])
    pictures, texts = vectors[rows], np.stack([phrases[color] for _, color in asked])
    right = np.stack([(kinds == kinds[row]) & (colors == color) for row, color in asked])
    for name, way in found.items():
        hits = np.zeros((len(SHARES), len(asked)))
        parts = {"category": hits.copy(), "color": hits.copy()}
        for at, share in enumerate(SHARES):
            scores = way(pictures, texts, share)
            scores[np.arange(len(asked)), rows] = -np.inf  # a product is no answer to itself
            top = np.argpartition(-scores, K, axis=1)[:, :K]
            hits[at] = np.take_along_axis(right, top, axis=1).mean(axis=1)
            parts["category"][at] = (kinds[top] == kinds[rows][:, None]).mean(axis=1)
            parts["color"][at] = (colors[top] == np.array([c for _, c in asked])[:, None]).mean(axis=1)
        best = int(hits[:, ::2].mean(axis=1).argmax())
        measured = hits[best, 1::2]
        rng = np.random.default_rng(SEED)
        means = rng.choice(measured, (2000, len(measured))).mean(axis=1)
        line = record(
            "composed",
            way=name,
            products=len(vectors),
            questions=len(measured),
            share=SHARES[best],
            precision_at_10=round(float(measured.mean()), 4),
            interval=[round(float(each), 4) for each in np.percentile(means, [2.5, 97.5])],
            category_at_10=round(float(parts["category"][best, 1::2].mean()), 4),
            color_at_10=round(float(parts["color"][best, 1::2].mean()), 4),
        )
        print({name: line[name] for name in list(line)[-7:]} | {"way": name})


if __name__ == "__main__":
    main()
