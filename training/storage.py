"""What storing the weights in fewer bits costs: size, closeness to float32, time to open and to embed.

    python -m training.storage --data DIR --work DIR --run FOLDER [--threads N]

FOLDER holds float32/, float16/ and int8/, each with its builtin.toml, as `python -m training` leaves them. Written to
WORK/storage.json. What each finds is measured by `training.evaluate --encoder float32=FOLDER/float32/builtin.toml ...`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as pq

from benchmarks.judgments import sample
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.core.images import decode
from lookalike.core.types import Pixels, Vectors
from training.recipe import KINDS, NAME
from training.splits import held_out_fashion

PRODUCTS = 1_000
OPENED = 5
"""How often each is opened; the median counts."""
TIMED = 200
"""Pictures, and titles, that are embedded one by one for the time it takes."""


def main() -> None:
    """Parse, measure, write and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--work", type=Path, required=True, help="folder to write storage.json to")
    parser.add_argument("--run", type=Path, required=True, help="folder of float32/, float16/ and int8/")
    parser.add_argument("--threads", type=int, default=1, help="cores that one call may use (default 1)")
    asked = parser.parse_args()
    presets = {kind: asked.run / kind / f"{NAME}.toml" for kind in KINDS}
    found = compare(presets, *products(asked.data), asked.threads)
    found["threads"] = asked.threads
    found["onnxruntime"] = onnxruntime.__version__
    asked.work.mkdir(parents=True, exist_ok=True)
    (asked.work / "storage.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def products(data: Path) -> tuple[list[Pixels], list[str]]:
    """Read the pictures and titles of a sample of the held-out fashion products."""
    rows = pq.read_table(data / "fashion.parquet", columns=["title", "image"]).to_pylist()
    chosen = sample([row for row in rows if row["title"] and held_out_fashion(row["title"])], PRODUCTS)
    return [decode(row["image"]) for row in chosen], [row["title"] for row in chosen]


def compare(
    presets: Mapping[str, Path], pictures: Sequence[Pixels], titles: Sequence[str], threads: int
) -> dict[str, Any]:
    """Measure each preset, against the first one, on the same pictures and titles."""
    encoders = {kind: OnnxEncoder.from_preset(path, threads) for kind, path in presets.items()}
    seen = {kind: encoder.encode_images(pictures) for kind, encoder in encoders.items()}
    read = {kind: encoder.encode_texts(titles) for kind, encoder in encoders.items()}
    wanted = next(iter(presets))
    kinds = {
        kind: {
            "bytes": sizes(path),
            "pictures": closeness(seen[kind], seen[wanted]),
            "titles": closeness(read[kind], read[wanted]),
            "open_ms": median(_ms(first, path, threads, pictures[0], titles[0]) for _ in range(OPENED)),
            "picture_ms": median(_ms(encoders[kind].encode_images, [each]) for each in pictures[:TIMED]),
            "title_ms": median(_ms(encoders[kind].encode_texts, [each]) for each in titles[:TIMED]),
        }
        for kind, path in presets.items()
    }
    return {"products": len(pictures), "kinds": kinds}


def sizes(path: Path) -> dict[str, int]:
    """Return the bytes of both graphs beside a preset."""
    return {part: (path.parent / f"{NAME}-{part}.onnx").stat().st_size for part in ("image", "text")}


def closeness(vectors: Vectors, wanted: Vectors) -> dict[str, float]:
    """Return the mean and the least cosine of the rows of one to those of the other, float32 [n, dim] each."""
    # Unit rows of float32 are off by 1e-6, about as much as what is to be seen here.
    one, other = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (vectors.astype(np.float64), wanted.astype(np.float64))
    )
    cosines = np.einsum("nd,nd->n", one, other)
    return {"mean": float(cosines.mean()), "least": float(cosines.min())}


def first(path: Path, threads: int, picture: Pixels, title: str) -> None:
    """Go all the way from a path to the first vector of a picture and of a title."""
    encoder = OnnxEncoder.from_preset(path, threads)
    encoder.encode_images([picture])
    encoder.encode_texts([title])


def _ms(what: Callable[..., object], *given: object) -> float:
    began = time.perf_counter()
    what(*given)
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
