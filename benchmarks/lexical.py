"""Measure what the space of words adds to text search, and choose its weight.

    lookalike index DATA/fashion.parquet --shop SHOP
    python benchmarks/lexical.py --data DATA --shop SHOP

Asked are titles, three words of a title, "colour article" phrases, and each of these with a typing error in one word of four
letters or more. Right for a title are the products of exactly that title; for a phrase those of that colour and article.
Every query's similarities are computed once, for all products in all spaces, and fused under each weight: what the product's
own search finds, since that is exact. One line per weight goes to results/lexical.jsonl.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import lookalike
from lookalike.core.fusion import DEFAULT_WEIGHTS
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE
from record import percentiles, record

SEED, COMMON = 20, 20
ALONE = -1.0
"""Stands for the words without the vectors, among weights."""
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.9, 1.5)


@dataclass(frozen=True)
class Asked:
    """A phrase and which rows of the catalogue are right."""

    text: str
    right: frozenset[int]


def main() -> None:
    """Parse, ask, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shop", required=True)
    parser.add_argument("--queries", type=int, default=150, help="of each kind")
    arguments = parser.parse_args()
    columns = ["id", "title", "category", "color"]
    rows = pq.read_table(arguments.data / "fashion.parquet", columns=columns).to_pylist()
    with lookalike.open(arguments.shop, create=False) as shop:
        keys = shop._catalog.keys([str(row["id"]) for row in rows])
        for row in rows:
            row["key"] = keys[str(row["id"])]
        for name, asked in questions(rows, arguments.queries).items():
            measured(shop, name, asked)


def questions(rows: Sequence[dict[str, Any]], count: int) -> dict[str, list[Asked]]:
    """Return the phrases of each kind."""
    rng = random.Random(SEED)
    by_title: dict[str, set[int]] = {}
    by_look: dict[str, set[int]] = {}
    for row in rows:
        by_title.setdefault(row["title"], set()).add(row["key"])
        if row["color"]:
            phrase = f"{row['color']} {row['category'].rpartition('/')[2]}".lower()
            by_look.setdefault(phrase, set()).add(row["key"])
    titles = rng.sample(sorted(title for title in by_title if len(title.split()) > 3), count)
    looks = sorted(phrase for phrase, right in by_look.items() if len(right) >= COMMON)
    asked = {
        "titles": [Asked(title, frozenset(by_title[title])) for title in titles],
        "three words of a title": [
            Asked(" ".join(rng.sample(title.split(), 3)), frozenset(by_title[title])) for title in titles
        ],
        "colour article": [
            Asked(phrase, frozenset(by_look[phrase])) for phrase in rng.sample(looks, min(count, len(looks)))
        ],
    }
    return asked | {
        f"{name}, one typo": [Asked(with_typo(one.text, rng), one.right) for one in several]
        for name, several in asked.items()
    }


def with_typo(text: str, rng: random.Random) -> str:
    """Swap, drop, double or replace a letter of one word."""
    words = text.split()
    long = [at for at, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if not long:
        return text
    at = rng.choice(long)
    word = words[at]
    spot = rng.randrange(1, len(word) - 1)
    words[at] = rng.choice(
        [
            word[:spot] + word[spot + 1] + word[spot] + word[spot + 2 :],
            word[:spot] + word[spot + 1 :],
            word[:spot] + word[spot] + word[spot:],
            word[:spot] + rng.choice("aeiourstn") + word[spot + 1 :],
        ]
    )
    return " ".join(words)


def measured(shop: lookalike.Shop, name: str, asked: Sequence[Asked]) -> None:
    """Ask, judge the first ten under each weight, and record it."""
    live = shop._live
    keys = np.flatnonzero(live.columns.live)
    view, measure = live.view, MEASURES["colour" in name]
    spaces = [space for space in (IMAGE, TITLE, DESCRIPTION) if len(view.spaces[space])]
    found: dict[float, list[float]] = {weight: [] for weight in WEIGHTS}
    took_ms: list[float] = []
    matched = 0
    for one in asked:
        vector = shop.encoder.encode_texts([one.text])
        base = np.zeros(len(keys))
        for space in spaces:
            similarities = view.spaces[space].similarities(vector, keys)[0]
            base += DEFAULT_WEIGHTS[space] * view.calibration(f"{space}:text")(similarities)
        base /= sum(DEFAULT_WEIGHTS[space] for space in spaces)
        started = process_time()
        scores = view.words.scores(one.text, keys)
        took_ms.append((process_time() - started) * 1e3)
        words = np.nan_to_num(scores.astype(np.float64))
        matched += bool(np.any(words))
        total = sum(DEFAULT_WEIGHTS[space] for space in spaces)
        for weight in WEIGHTS:
            fused = (total * base + weight * words) / (total + weight)
            best = keys[np.lexsort((keys, -fused))[:10]]
            found[weight].append(measure(best.tolist(), one.right))
        found.setdefault(ALONE, []).append(measure(keys[np.lexsort((keys, -words))[:10]].tolist(), one.right))
    figures = {
        f"{weight:g}" if weight != ALONE else "words alone": round(float(np.mean(v)), 3)
        for weight, v in found.items()
    }
    print(f"{name:32}", figures, flush=True)
    record(
        "lexical",
        asked=name,
        queries=len(asked),
        products=len(keys),
        by_weight=figures,
        matched_something=matched,
        scores=percentiles(took_ms),
    )


def success(best: Sequence[int], right: frozenset[int]) -> float:
    """Say whether any of the first ten is right."""
    return float(any(key in right for key in best))


def precision(best: Sequence[int], right: frozenset[int]) -> float:
    """Return the share of the first ten that is right."""
    return sum(key in right for key in best) / len(best)


MEASURES: dict[bool, Callable[[Sequence[int], frozenset[int]], float]] = {False: success, True: precision}

if __name__ == "__main__":
    main()
