"""Quality and cost of the builtin encoder on real product photos, beside a plain HSV histogram.

    python benchmarks/builtin_encoder.py --data DIR

DIR holds Parquet files with JPEG bytes; a set whose file is missing is skipped. Weights were searched on one half of the
products, senders and titles (and on the grocery photos of the other split). The column "2nd half" is the rest, but it is
not a clean test: it was watched while the last weights were chosen, and the palettes were chosen on all of luma. Expect a
little less on new data. The HSV columns are the same queries. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from lookalike.adapters.encoder_builtin import BuiltinEncoder
from lookalike.core.types import Pixels, Vectors

Embed = Callable[[Sequence[Pixels]], Vectors]
Outcome = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Score of each query in [0, 1], and whether the query is in the half that the weight search did not use."""
Outcomes = dict[str, Outcome]


def rows_of(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def decoded(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def second_half(names: Sequence[object]) -> NDArray[np.bool_]:
    return np.array([zlib.crc32(str(name).encode()) % 2 == 1 for name in names])


def first(similarities: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return np.argsort(-similarities, axis=1, kind="stable")[:, :k]


def hsv_histogram(images: Sequence[Pixels]) -> Vectors:
    """Count hue, saturation and value in 8 x 4 x 4 bins, compare square roots: the floor to beat."""
    out = np.empty((len(images), 128), np.float32)
    for row, pixels in zip(out, images, strict=True):
        small = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX).convert("HSV")
        hue, saturation, value = np.asarray(small).reshape(-1, 3).T.astype(np.int64)
        row[:] = np.bincount((hue >> 5) * 16 + (saturation >> 6) * 4 + (value >> 6), minlength=128)
    return np.sqrt(out / out.sum(axis=1, keepdims=True))


def luma(folder: Path, embed: Embed) -> Outcomes:
    shots = [(row["id"], row["product_id"], view, data) for row in rows_of(folder / "luma.parquet")
             for view, data in enumerate(row["images"])]  # fmt: skip
    ids, families, views = (np.array([shot[i] for shot in shots]) for i in range(3))
    vectors = embed([decoded(shot[3]) for shot in shots])
    found = first(vectors[views > 0] @ vectors[views == 0].T, 1)[:, 0]
    hit = ids[views == 0][found] == ids[views > 0]
    return {"luma: other view -> variant, R@1": (hit.astype(float), second_half(families[views > 0]))}


def grocery(folder: Path, embed: Embed) -> Outcomes:
    catalog = rows_of(folder / "grocery_catalog.parquet")
    photos = [row for row in rows_of(folder / "grocery_photos.parquet") if row["split"] == "val"]
    shelf, clean = (embed([decoded(row["image"]) for row in rows]) for rows in (photos, catalog))
    ids = np.array([row["id"] for row in catalog])
    hit = ids[first(shelf @ clean.T, 5)] == np.array([row["catalog_id"] for row in photos])[:, None]
    unseen = np.ones(len(photos), bool)
    name = "grocery: photo -> product, R@"
    return {
        f"{name}1": (hit[:, 0].astype(float), unseen),
        f"{name}5": (hit.any(axis=1).astype(float), unseen),
    }


def clothing(folder: Path, embed: Embed) -> Outcomes:
    photos = [
        row
        for row in rows_of(folder / "clothing.parquet")
        if row["label"] not in ("Not sure", "Skip", "Other")
    ]
    labels, senders = (np.array([row[key] for row in photos]) for key in ("label", "sender"))
    vectors = embed([decoded(row["image"]) for row in photos])
    similarities = np.where(senders[:, None] == senders, -np.inf, vectors @ vectors.T)
    same = labels[first(similarities, 10)] == labels[:, None]
    return {"clothing: label, other senders, P@10": (same.mean(axis=1), second_half(senders))}


def fashion(folder: Path, embed: Embed) -> Outcomes:
    rows = rows_of(folder / "fashion.parquet")
    vectors = embed([decoded(row["image"]) for row in rows])
    queries = np.random.default_rng(0).choice(len(rows), 2000, replace=False)
    similarities = vectors[queries] @ vectors.T
    similarities[np.arange(len(queries)), queries] = -np.inf
    found, unseen = first(similarities, 10), second_half([rows[i]["title"] for i in queries])
    same = {}
    for key in ("category", "color"):
        values = np.array([row[key] or "" for row in rows])
        same[f"fashion: same {key}, P@10"] = (
            (values[found] == values[queries][:, None]).mean(axis=1),
            unseen,
        )
    return same


IMAGE_SETS = {
    "luma.parquet": luma,
    "grocery_photos.parquet": grocery,
    "clothing.parquet": clothing,
    "fashion.parquet": fashion,
}


def titles(folder: Path, encoder: BuiltinEncoder) -> dict[str, float]:
    """Score titles as queries among other titles, and colour-and-article phrases among all titles."""
    rows = rows_of(folder / "fashion.parquet")
    names = np.array([row["title"] for row in rows])
    kinds = np.array([row["category"].split("/")[-1] for row in rows])
    colors = np.array([row["color"] or "" for row in rows])
    vectors = encoder.encode_texts(names.tolist())
    queries = np.random.default_rng(0).choice(len(rows), 2000, replace=False)
    similarities = np.where(names[queries][:, None] == names, -np.inf, vectors[queries] @ vectors.T)
    same = kinds[first(similarities, 10)] == kinds[queries][:, None]

    pairs = sorted({(color, kind) for color, kind in zip(colors, kinds, strict=True) if color})
    pairs = [(c, k) for c, k in pairs if ((colors == c) & (kinds == k)).sum() >= 20]
    found = first(encoder.encode_texts([f"{color} {kind}".lower() for color, kind in pairs]) @ vectors.T, 10)
    wanted = np.array(pairs)
    right_kind, right_color = kinds[found] == wanted[:, 1:], colors[found] == wanted[:, :1]
    return {
        "title -> other titles: same kind, P@10": same.mean(),
        f"phrase -> title ({len(pairs)} of colour and kind): kind, P@10": right_kind.mean(),
        "phrase -> title: colour, P@10": right_color.mean(),
        "phrase -> title: both, P@10": (right_kind & right_color).mean(),
    }


def cost(encoder: BuiltinEncoder) -> dict[str, float]:
    """Measure processor time (of all threads) in milliseconds each, on noise, after warming up."""
    noise = np.random.default_rng(0)
    shapes = {"320 x 320 picture, 64 at once": ((320, 320, 3), 64), "60 x 80 thumbnail, 64 at once": ((80, 60, 3), 64),
              "320 x 320 picture, alone": ((320, 320, 3), 1)}  # fmt: skip
    spent = {}
    for name, (shape, batch) in shapes.items():
        images = [noise.integers(0, 256, shape, np.uint8) for _ in range(batch)]
        spent[f"{name}, ms"] = per_call(lambda images=images: encoder.encode_images(images)) / batch
    words = ["red", "check", "shirt", "women", "cotton", "casual", "blue", "slim", "fit", "leather", "watch"]
    phrases = [" ".join(noise.choice(words, 6)) for _ in range(200)]
    spent["title of six known words, ms"] = per_call(lambda: encoder.encode_texts(phrases)) / len(phrases)
    fresh = iter(range(10**9))
    spent["title of six new words, ms"] = per_call(
        lambda: encoder.encode_texts([" ".join(f"word{next(fresh)}" for _ in range(6))])
    )
    return spent


def cost_on_one_thread() -> dict[str, float]:
    """Measure in a fresh process, because BLAS reads its thread count only once, when it is loaded."""
    command = [sys.executable, __file__, "--cost"]
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))


def per_call(call: Callable[[], object], rounds: int = 15) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time_ns()
        call()
        times.append((time.process_time_ns() - start) / 1e6)
    return float(np.median(times))


def commit() -> str:
    here = Path(__file__).parent
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "none"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--cost", action="store_true", help="print only what it costs, as JSON")
    arguments = parser.parse_args()
    folder = arguments.data
    encoder = BuiltinEncoder()
    if arguments.cost:
        print(json.dumps(cost(encoder)))
        return
    report: dict[str, object] = {"benchmark": "builtin_encoder", "encoder": encoder.fingerprint, "commit": commit(),
                                 "machine": platform.processor() or platform.machine()}  # fmt: skip
    print(
        f"{encoder.fingerprint}\n{'images':<44}{'2nd half':>10}{'HSV':>8}{'all':>8}{'HSV':>8}{'queries':>9}"
    )
    for file, measure in IMAGE_SETS.items():
        if not (folder / file).exists():
            print(f"{file} is not in {folder}: skipped")
            continue
        floor = measure(folder, hsv_histogram)
        for name, (score, unseen) in measure(folder, encoder.encode_images).items():
            hsv = floor[name][0]
            row = (score[unseen].mean(), hsv[unseen].mean(), score.mean(), hsv.mean())
            print(
                f"{name:<44}{row[0]:>10.3f}{row[1]:>8.3f}{row[2]:>8.3f}{row[3]:>8.3f}{len(score):>9}",
                flush=True,
            )
            keys = ("second_half", "hsv_second_half", "all", "hsv_all")
            report[name] = dict(zip(keys, (round(float(value), 4) for value in row), strict=True))
    plain = titles(folder, encoder) if (folder / "fashion.parquet").exists() else {}
    for name, value in (plain | cost_on_one_thread()).items():
        print(f"{name:<70}{value:>9.3f}")
        report[name] = round(float(value), 4)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
