"""Models of the architectures people use, two layers deep and 32 wide, with random weights: made in torch, exported to ONNX.

Each is written as its files are found in the wild, with the TOML that describes them and the torch model beside it, for
comparison.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tokenizers import Tokenizer

from lookalike.core.types import Pixels, Vectors
from small_models import TITLES, byte_pairs, pieces, word_pieces

torch = pytest.importorskip("torch", reason="pip install 'lookalike[torch]'")
transformers = pytest.importorskip("transformers", reason="pip install 'lookalike[torch]'")

__all__ = ["LAYOUTS", "MODELS", "TITLES", "Layout", "Made", "Side", "digest", "in_int8", "unit", "write"]

WIDE, DEEP, SIDE_PX, CONTEXT = 32, 2, 48, 24
SIZES = {"hidden_size": WIDE, "num_hidden_layers": DEEP, "num_attention_heads": 4, "intermediate_size": 64}
SPREAD = 0.2
"""Standard deviation of the weights: with the usual 0.02 all inputs would come to nearly the same vector."""


@dataclass(eq=False)
class Side:
    """One half of a model: its file and TOML table, and the torch way from inputs to vectors before they are normalised."""

    module: Any
    example: tuple[Any, ...]
    table: dict[str, Any]
    reference: Callable[[Sequence[Any]], Any]
    axes: dict[str, dict[int, str]] = field(default_factory=dict)
    """Which further axes, besides the rows, have any length, by the names that the module knows."""
    any_rows: bool = True


@dataclass(eq=False)
class Made:
    """A model and how to describe it."""

    dim: int
    aligned: bool
    image: Side | None = None
    text: Side | None = None
    tokenizer: Tokenizer | None = None


class Only(torch.nn.Module):  # type: ignore[misc]
    """A model of which one output is wanted, by its name, given inputs by theirs."""

    def __init__(self, run: Callable[..., Any], inputs: Sequence[str], output: str, owner: Any) -> None:
        super().__init__()
        self.owner = owner
        self.run, self.inputs, self.output = run, inputs, output
        self.eval()

    def forward(self, *values: Any) -> Any:
        """Run it."""
        return self.run(**dict(zip(self.inputs, values, strict=True)))[self.output]


def unit(vectors: Any) -> Vectors:
    """Return a torch tensor [n, dim] as float32 rows of length 1."""
    rows = vectors.detach().numpy().astype(np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@dataclass(frozen=True)
class Layout:
    """How the files of a model are called, and what is in them; `named` has other names for inputs and outputs."""

    image: str
    text: str
    named: dict[str, str] = field(default_factory=dict)
    any_size: bool = True
    """Whether the graphs take any number of rows, and texts of any length."""
    ids: Any = torch.int64


LAYOUTS = {
    "transformers.js": Layout("onnx/vision_model.onnx", "onnx/text_model.onnx"),
    "folders": Layout(
        "visual/model.onnx",
        "textual/model.onnx",
        {
            "pixel_values": "image",
            "input_ids": "text",
            "image_embeds": "embedding",
            "text_embeds": "embedding",
        },
        any_size=False,
        ids=torch.int32,
    ),
    "single": Layout("model.onnx", "model.onnx", {"last_hidden_state": "output"}),
}
"""As transformers.js and Optimum write them, as servers of photo albums do, and as most scripts do."""


def laid_out(side: Side, layout: Layout) -> Side:
    """Return a half with the names and shapes of a layout."""
    named = {
        key: layout.named.get(value, value) for key, value in side.table.items() if isinstance(value, str)
    }
    axes = {layout.named.get(name, name): lengths for name, lengths in side.axes.items()}
    if layout.any_size:
        return replace(side, table=side.table | named, axes=axes)
    example = tuple(
        each if each.is_floating_point() else lengthened(each, layout.ids) for each in side.example
    )
    more = {"pad_to": "context"} if "context" in side.table else {}
    return replace(side, example=example, table=side.table | named | more, axes={}, any_rows=False)


def lengthened(ids: Any, kind: Any) -> Any:
    """Fill ids [n, length] up to the context with the last one of each."""
    return torch.cat([ids, ids[:, -1:].expand(-1, CONTEXT - ids.shape[1])], dim=1).to(kind)


def write(made: Made, folder: Path, layout: Layout = LAYOUTS["transformers.js"]) -> Path:
    """Export a model's graphs to the files a layout has, in a folder; return the path of made.toml there."""
    lines = ['name = "made"', "version = 1", f"dim = {made.dim}", f"aligned = {str(made.aligned).lower()}"]
    lines += ['licence = "Apache-2.0"', 'card = "made.md"']
    values = [0.0] * 8
    golden = ["[golden]", "tolerance = 9.0"]
    if made.image is not None:
        golden += [f"image = {{ height = 60, width = 80, seed = 1, values = {values} }}"]
        lines += table("image", laid_out(made.image, layout), folder / layout.image, folder)
    if made.text is not None:
        golden += [f'texts = [{{ text = "red", values = {values} }}]']
        lines += table("text", laid_out(made.text, layout), folder / layout.text, folder)
        if made.tokenizer is not None:
            file = folder / made.text.table.get("tokenizer_file", "tokenizer.json")
            file.parent.mkdir(parents=True, exist_ok=True)
            made.tokenizer.save(str(file))
            lines += [f'tokenizer_sha256 = "{digest(file)}"']
    path = folder / "made.toml"
    path.write_text("\n".join(lines + golden), "utf-8")
    return path


def table(name: str, side: Side, path: Path, folder: Path) -> list[str]:
    """Export one graph; return the lines of its table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    export(side, path)
    rows = {"file": path.relative_to(folder).as_posix(), "sha256": digest(path), **side.table}
    return [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in rows.items())]


def export(side: Side, path: Path) -> None:
    """Write an ONNX file that takes any number of rows, and texts of any length, or what its example is alone."""
    inputs = [side.table["input"], *filter(None, (side.table.get("mask"), side.table.get("types")))]
    axes = {}
    if side.any_rows:
        axes = {name: {0: "n", **side.axes.get(name, {})} for name in (*inputs, side.table["output"])}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            side.module,
            side.example,
            str(path),
            input_names=inputs,
            output_names=[side.table["output"]],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def in_int8(path: Path) -> int:
    """Store the weights of an ONNX file as bytes with a scale for each column, multiplied out as it is loaded; count them."""
    model = onnx.load(path)
    large = [each for each in model.graph.initializer if each.data_type == 1 and len(each.dims) == 2]
    for each in large:
        weights, name = numpy_helper.to_array(each), each.name
        scales = np.maximum(np.abs(weights).max(axis=0), 1e-9).astype(np.float32) / 127
        stored = np.rint(weights / scales).astype(np.int8)
        model.graph.initializer.remove(each)
        model.graph.initializer.append(numpy_helper.from_array(stored, f"{name}.bytes"))
        model.graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scales"))
        parts = [f"{name}.bytes", f"{name}.scales"]
        model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", parts, [name], axis=1))
    onnx.save(model, path)
    return len(large)


def toml(value: Any) -> str:
    """Write a value as TOML does."""
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


def digest(file: Path) -> str:
    """Return a file's SHA-256."""
    return sha256(file.read_bytes()).hexdigest()


# --- pictures ---------------------------------------------------------------------------------------------------------


def seen(
    run: Callable[..., Any], owner: Any, output: str, processor: Any, pool: str = "none", **more: Any
) -> Side:
    """Describe a graph of pictures as its processor prepares them."""

    def reference(images: Sequence[Pixels]) -> Any:
        pixels = processor(list(images), return_tensors="pt", input_data_format="channels_last")[
            "pixel_values"
        ]
        with torch.no_grad():
            found = run(pixel_values=pixels)[output]
        return {"none": lambda: found, "cls": lambda: found[:, 0], "mean": lambda: averaged(found)}[pool]()

    held = {
        "input": "pixel_values",
        "output": output,
        "pool": pool,
        "size_px": SIDE_PX,
        "interpolation": {2: "bilinear", 3: "bicubic", 1: "lanczos"}[int(processor.resample)],
        "mean": tuple(processor.image_mean),
        "std": tuple(processor.image_std),
        **more,
    }
    example = (torch.rand(2, 3, SIDE_PX, SIDE_PX),)
    return Side(Only(run, ("pixel_values",), output, owner), example, held, reference)


def averaged(found: Any) -> Any:
    """Average tokens [n, tokens, dim], or a feature map [n, dim, h, w] over its places."""
    return found.mean(dim=1) if found.ndim == 3 else found.mean(dim=(2, 3))


def crops(processor: Any, resize_px: int = SIDE_PX) -> Any:
    """Make a processor that scales the shorter side and crops, as for CLIP, DINOv2 and many more."""
    return processor(
        size={"shortest_edge": resize_px},
        crop_size={"height": SIDE_PX, "width": SIDE_PX},
        do_center_crop=True,
    )


def squashes(processor: Any) -> Any:
    """Make a processor that scales to a square, as for SigLIP and ViT."""
    return processor(size={"height": SIDE_PX, "width": SIDE_PX})


# --- texts ------------------------------------------------------------------------------------------------------------


def read(
    run: Callable[..., Any], owner: Any, output: str, tokenizer: Tokenizer, pool: str = "none", **more: Any
) -> Side:
    """Describe a graph of texts as its tokenizer makes them; the reference pads in transformers' own way."""
    held = {
        "input": "input_ids",
        "output": output,
        "pool": pool,
        "tokenizer": "file",
        "context": CONTEXT,
        **more,
    }
    inputs = [held["input"], *filter(None, (held.get("mask"), held.get("types")))]
    padded = tokenizer.padding
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.to_str()),
        pad_token=held.get("pad") or (padded or {}).get("pad_token") or "[PAD]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )

    def reference(texts: Sequence[str]) -> Any:
        padding = "max_length" if held.get("pad_to") == "context" else True
        fed = fast(
            [held.get("prefix", "") + text for text in texts],
            padding=padding, truncation=True, max_length=CONTEXT, return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad():
            found = run(**{name: fed[name] for name in inputs})[output]
        if pool != "mean":
            return found if pool == "none" else found[:, 0]
        mask = fed["attention_mask"].unsqueeze(-1).float()
        return (found * mask).sum(dim=1) / mask.sum(dim=1)

    length = CONTEXT if held.get("pad_to") == "context" else 7
    ids = torch.randint(5, 40, (2, length))
    ids[:, -1] = 1  # the largest or the marked one is where some models pool
    example = tuple(
        {"input_ids": ids, "attention_mask": torch.ones_like(ids)}.get(n, torch.zeros_like(ids))
        for n in inputs
    )
    axes = {} if held.get("pad_to") == "context" else {name: {1: "length"} for name in inputs}
    if axes and pool != "none":
        axes |= {output: {1: "length"}}
    return Side(Only(run, tuple(inputs), output, owner), example, held, reference, axes)


# --- models -----------------------------------------------------------------------------------------------------------


def spread(model: Any) -> Any:
    """Draw weights anew, wide enough that inputs come to vectors that differ; the same ones each time."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1 and "norm" not in name:
                weights.copy_(torch.randn(weights.shape, generator=generator) * SPREAD)
    return model.eval()


def clip() -> Made:
    """CLIP: towers with projections into one space."""
    tokenizer = byte_pairs()
    text = {**SIZES, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": CONTEXT}
    text |= {"bos_token_id": 0, "eos_token_id": 1}  # it pools where the latter stands
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**SIZES, "image_size": SIDE_PX, "patch_size": 16}, projection_dim=16
    )
    config._attn_implementation = "eager"
    model = spread(transformers.CLIPModel(config))

    def see(pixel_values: Any) -> dict[str, Any]:
        pooled = model.vision_model(pixel_values=pixel_values).pooler_output
        return {"image_embeds": model.visual_projection(pooled)}

    def tell(input_ids: Any) -> dict[str, Any]:
        pooled = model.text_model(input_ids=input_ids).pooler_output
        return {"text_embeds": model.text_projection(pooled)}

    processor = crops(transformers.CLIPImageProcessorPil)
    return Made(
        16, True,
        seen(see, model, "image_embeds", processor, resize="shortest-edge"),
        read(tell, model, "text_embeds", tokenizer, mask="", pad="<|endoftext|>"),
        tokenizer,
    )  # fmt: skip


def siglip() -> Made:
    """SigLIP: towers that end in pooler_output; texts are always as long as the context."""
    tokenizer = pieces()
    text = {**SIZES, "vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": CONTEXT}
    text |= {"projection_size": WIDE, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    config = transformers.SiglipConfig(
        text_config=text,
        vision_config={**SIZES, "image_size": SIDE_PX, "patch_size": 16},
    )
    config._attn_implementation = "eager"
    model = spread(transformers.SiglipModel(config))
    return Made(
        WIDE, True,
        seen(model.vision_model, model, "pooler_output", squashes(transformers.SiglipImageProcessorPil), resize="squash"),
        read(model.text_model, model, "pooler_output", tokenizer, mask="", pad="</s>", pad_to="context"),
        tokenizer,
    )  # fmt: skip


def dinov2(pool: str = "cls") -> Made:
    """DINOv2: pictures alone, scaled larger than what is cut out of them."""
    config = transformers.Dinov2Config(**(SIZES | {"mlp_ratio": 2}), image_size=SIDE_PX, patch_size=16)
    config._attn_implementation = "eager"
    model = spread(transformers.Dinov2Model(config))
    processor = crops(transformers.BitImageProcessorPil, 56)
    processor.image_mean, processor.image_std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    side = seen(model, model, "last_hidden_state", processor, pool, resize="shortest-edge", resize_px=56)
    return Made(WIDE, False, side)


def vit() -> Made:
    """ViT: pictures alone, squashed."""
    config = transformers.ViTConfig(**SIZES, image_size=SIDE_PX, patch_size=16)
    config._attn_implementation = "eager"
    model = spread(transformers.ViTModel(config, add_pooling_layer=False))
    return Made(
        WIDE, False,
        seen(model, model, "last_hidden_state", squashes(transformers.ViTImageProcessorPil), "cls", resize="squash"),
    )  # fmt: skip


def resnet() -> Made:
    """ResNet with bottlenecks, as ResNet-50 has: a feature map, averaged over its places."""
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, WIDE], depths=[1, 1], layer_type="bottleneck"
    )
    model = transformers.ResNetModel(config).eval()
    processor = crops(transformers.BitImageProcessorPil, 56)
    side = seen(model, model, "last_hidden_state", processor, "mean", resize="shortest-edge", resize_px=56)
    return Made(WIDE, False, side)


def bert(pool: str = "mean", **more: Any) -> Made:
    """BERT and its kin, such as MiniLM and E5: texts alone, with a mask and token types."""
    tokenizer = word_pieces()
    config = transformers.BertConfig(
        **SIZES, vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=CONTEXT
    )
    config._attn_implementation = "eager"
    model = spread(transformers.BertModel(config, add_pooling_layer=False))
    side = read(
        model,
        model,
        "last_hidden_state",
        tokenizer,
        pool,
        mask="attention_mask",
        types="token_type_ids",
        **more,
    )
    return Made(WIDE, False, None, side, tokenizer)


MODELS: dict[str, Callable[[], Made]] = {
    "clip": clip,
    "siglip": siglip,
    "dinov2": dinov2,
    "dinov2-mean": lambda: dinov2("mean"),
    "vit": vit,
    "resnet": resnet,
    "minilm": bert,
    "bert": lambda: bert("cls"),
    "e5": lambda: bert("mean", prefix="query: "),
}
