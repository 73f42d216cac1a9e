"""What real vectors to start from: features of product photos, or of pictures and titles, computed once and kept.

`mobilenet`: the 1280-d pooled features of a MobileNetV2 (ImageNet, the quantised TensorFlow Lite file beside the data).
`builtin`: the pictures, and as phrases the titles, by the encoder of the package; they share its space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lookalike.core.errors import ImageError
from lookalike.core.images import decode
from lookalike.core.types import Vectors

SHARED = Path(__file__).parents[3] / "shared"
MOBILENET = SHARED / "models" / "mobilenet_v2_1.0_224_quant.tflite"
FILES = ("fashion", "clothing", "grocery_catalog", "grocery_photos", "luma")
PHRASES_FROM = ("fashion", "luma", "grocery_catalog")
CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Pictures float32 [n, width], and phrases float32 [m, width] (or none), in one space; not of unit length."""

    pictures: Vectors
    phrases: Vectors | None = None


def available(source: str, data: Path = SHARED / "data") -> str:
    """Say why these features cannot be computed here, "" if they can."""
    missing = [f"{name}.parquet" for name in FILES if not (data / f"{name}.parquet").exists()]
    if missing:
        return f"there is no {missing[0]} in {data}"
    if source == "mobilenet" and not MOBILENET.exists():
        return f"there is no {MOBILENET}"
    if source == "mobilenet" and find_spec("ai_edge_litert") is None:
        return 'ai-edge-litert is not installed (pip install "lookalike[train]")'
    return ""


def load(source: str, folder: Path, data: Path = SHARED / "data") -> Features:
    """Return the features of a source, from `folder` when they were computed before."""
    pictures, phrases = folder / f"{source}.npy", folder / f"{source}-phrases.npy"
    if not pictures.exists():
        folder.mkdir(parents=True, exist_ok=True)
        encode = partial(_encode, source)
        if source == "builtin":
            _keep(phrases, np.concatenate([_say(part) for part in _chunks(_titles(data))]))
        with ProcessPoolExecutor() as pool:
            _keep(pictures, np.concatenate(list(pool.map(encode, _chunks(_files(data))))))
    return Features(
        np.load(pictures).astype(np.float32),
        np.load(phrases).astype(np.float32) if phrases.exists() else None,
    )


def _keep(path: Path, rows: Vectors) -> None:
    """Write half precision; the name appears when all is there."""
    part = path.with_suffix(".part.npy")
    np.save(part, rows.astype(np.float16))
    part.replace(path)


def _files(data: Path) -> list[bytes]:
    """Return every picture, in the order of the files."""
    found: list[bytes] = []
    for name in FILES:
        column = "images" if name == "luma" else "image"
        for value in pq.read_table(data / f"{name}.parquet", columns=[column])[column].to_pylist():
            found.extend(value if name == "luma" else [value])
    return found


def _titles(data: Path) -> list[str]:
    titles: dict[str, None] = {}
    for name in PHRASES_FROM:
        titles.update(
            dict.fromkeys(pq.read_table(data / f"{name}.parquet", columns=["title"])["title"].to_pylist())
        )
    return [title for title in titles if title]


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))


def _encode(source: str, files: Sequence[bytes]) -> Vectors:
    pixels = []
    for file in files:
        try:
            pixels.append(decode(file))
        except ImageError:
            continue
    return _encoders()[source](pixels)


def _encoders() -> dict[str, Callable[..., Vectors]]:
    from lookalike.wiring import load_encoder
    from training.floors import pooled_features

    return {
        "mobilenet": lambda pixels: pooled_features(MOBILENET, pixels),
        "builtin": lambda pixels: load_encoder().encode_images(pixels),
    }


def _say(titles: Sequence[str]) -> Vectors:
    from lookalike.wiring import load_encoder

    return load_encoder().encode_texts(titles)
