"""That pictures are prepared as transformers prepares them: the same pixels for squares, middles and all filters."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.adapters.encoder_onnx_pixels import prepared
from lookalike.adapters.encoder_onnx_preset import ImageGraph
from lookalike.core.types import Pixels

transformers = pytest.importorskip("transformers", reason="pip install 'lookalike[torch]'")
pytest.importorskip("torch", reason="pip install 'lookalike[torch]'")

DATA = Path(__file__).parents[2].parent / "shared/data"
SIZES = ((224, 224), (225, 223), (640, 427), (427, 640), (1, 1), (3, 2), (31, 500), (511, 257), (1201, 799))
"""Height and width; odd ones, where rounding shows, and some far smaller or longer than what models take."""


@dataclass(frozen=True)
class Recipe:
    """One of transformers' processors, how it is set up, and what a TOML says for the same."""

    processor: str
    set_up: dict[str, Any]
    said: dict[str, Any]


def crop(side: int) -> dict[str, Any]:
    return {"do_center_crop": True, "crop_size": {"height": side, "width": side}}


RECIPES = {
    "CLIP": Recipe("CLIPImageProcessorPil", {}, {"resize": "shortest-edge"}),
    "CLIP, 336 px": Recipe(
        "CLIPImageProcessorPil",
        {"size": {"shortest_edge": 336}, **crop(336)},
        {"resize": "shortest-edge", "size_px": 336},
    ),
    "SigLIP": Recipe("SiglipImageProcessorPil", {}, {"resize": "squash"}),
    "SigLIP, 384 px": Recipe(
        "SiglipImageProcessorPil",
        {"size": {"height": 384, "width": 384}},
        {"resize": "squash", "size_px": 384},
    ),
    "DINOv2": Recipe(
        "BitImageProcessorPil",
        {"size": {"shortest_edge": 256}, **crop(224), "image_mean": [0.485, 0.456, 0.406]},
        {"resize": "shortest-edge", "resize_px": 256},
    ),
    "ViT": Recipe("ViTImageProcessorPil", {}, {"resize": "squash", "interpolation": "bilinear"}),
    "ResNet-50": Recipe(
        "ConvNextImageProcessorPil",
        {"size": {"shortest_edge": 224}, "crop_pct": 0.875},
        {"resize": "shortest-edge", "resize_px": 256},
    ),
    "lanczos": Recipe(
        "BitImageProcessorPil",
        {"resample": Image.Resampling.LANCZOS, "size": {"shortest_edge": 250}, **crop(225)},
        {"resize": "shortest-edge", "resize_px": 250, "size_px": 225, "interpolation": "lanczos"},
    ),
}


def drawn(height: int, width: int) -> Pixels:
    """Draw shades with fine noise: something of all frequencies, as photos have."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    shades = np.stack([rows, columns, np.sin(40 * rows * columns) ** 2], axis=2)
    noise = np.random.default_rng([height, width]).normal(0, 0.15, shades.shape)
    return np.asarray(255 * np.clip(0.15 + 0.7 * shades + noise, 0, 1), np.uint8)


def photos() -> Iterator[Pixels]:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("grocery_photos", "clothing"):
        if not (DATA / f"{name}.parquet").is_file():
            pytest.skip(f"there are no photos: {DATA / name}.parquet is missing")
        group = parquet.ParquetFile(DATA / f"{name}.parquet")
        for batch in group.iter_batches(8, columns=["image"]):
            for each in batch.column("image").to_pylist():
                data = each["bytes"] if isinstance(each, dict) else each
                yield np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            break


def differences(name: str, pictures: list[Pixels]) -> float:
    """Return by how many of 255 steps a pixel differs from what transformers makes, at most."""
    recipe = RECIPES[name]
    processor = getattr(transformers, recipe.processor)(**recipe.set_up)
    graph = ImageGraph(
        file="image.onnx",
        input="pixel_values",
        output="vectors",
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
        **({"size_px": 224} | recipe.said),
    )
    worst = 0.0
    for picture in pictures:
        wanted = processor(picture, return_tensors="np", input_data_format="channels_last")["pixel_values"]
        off = np.abs(prepared([picture], graph) - wanted).max(axis=(0, 2, 3)) * np.array(graph.std) * 255
        worst = max(worst, float(off.max()))
    return worst


@pytest.mark.parametrize("name", RECIPES)
def test_drawn_pictures_come_to_the_same_pixels(name: str) -> None:
    assert differences(name, [drawn(*size) for size in SIZES]) < 1e-3


@pytest.mark.parametrize("name", RECIPES)
def test_photos_come_to_the_same_pixels(name: str) -> None:
    assert differences(name, list(photos())) < 1e-3


def test_a_picture_of_another_size_or_filter_would_show() -> None:
    """Else the two tests above would say nothing."""
    picture = [drawn(511, 257)]
    kept = RECIPES["ViT"]
    for wrong in ({"resize": "shortest-edge"}, {"interpolation": "bicubic"}):
        RECIPES["wrong"] = Recipe(kept.processor, kept.set_up, kept.said | wrong)
        try:
            assert differences("wrong", picture) > 5
        finally:
            del RECIPES["wrong"]
