"""The made models with their torch weights saved beside their graphs, as a preset with a `source` finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from made_models import MODELS, crops, squashes, transformers, write


def imagenet(processor: Any) -> Any:
    """Normalise as for ImageNet, which the made DINOv2 does as the real one."""
    processor.image_mean, processor.image_std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    return processor


PROCESSORS = {
    "clip": lambda: crops(transformers.CLIPImageProcessorPil),
    "siglip": lambda: squashes(transformers.SiglipImageProcessorPil),
    "dinov2": lambda: imagenet(crops(transformers.BitImageProcessorPil, 56)),
    "vit": lambda: squashes(transformers.ViTImageProcessorPil),
    "resnet": lambda: crops(transformers.BitImageProcessorPil, 56),
}
"""What each model's own files say of its pictures."""


def with_weights(kind: str, folder: Path) -> Path:
    """Write a made model, its graphs and its weights in the folder `weights`; return the path of made.toml."""
    made = MODELS[kind]()
    path = write(made, folder)
    side = made.image or made.text
    assert side is not None
    weights = folder / "weights"
    side.module.owner.save_pretrained(weights)
    if made.tokenizer is not None:
        made.tokenizer.save(str(weights / "tokenizer.json"))
    if kind == "siglip":
        (weights / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    if kind in PROCESSORS:
        PROCESSORS[kind]().save_pretrained(weights)
    path.write_text('source = "weights"\n' + path.read_text("utf-8"), "utf-8")
    return path
