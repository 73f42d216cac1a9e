"""Trained towers -> ONNX files: norms folded into convolutions, weights stored in a byte each.

Weights are stored as int8 with one scale for each row or output channel, and multiplied out as the file is loaded: the
arithmetic stays float32, so quality hardly changes, while the file is a quarter of the size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lookalike.adapters.encoder_onnx_words import FEATURES
from training.preset import write_preset
from training.recipe import NAME, Recipe
from training.towers import ImageTower, TextTower

OPSET = 18
SMALL = 2_000
"""Tensors of fewer numbers stay float32."""


def towers(result: Path, recipe: Recipe) -> tuple[ImageTower, TextTower]:
    """Load what `train` wrote, ready to serve."""
    state = torch.load(result, map_location="cpu", weights_only=True)
    image, text = ImageTower(recipe.dim), TextTower(recipe.dim)
    image.load_state_dict(state["image"])
    text.load_state_dict(state["text"])
    return image.eval(), text.eval()


def export(result: Path, out: Path, recipe: Recipe, kind: str = "int8") -> Path:
    """Write both graphs with weights stored as `kind` ("float32", "float16" or "int8") and their TOML; return its path."""
    out.mkdir(parents=True, exist_ok=True)
    image, text = towers(result, recipe)
    paths = out / f"{NAME}-image.onnx", out / f"{NAME}-text.onnx"
    pictures = torch.zeros(2, 3, recipe.size_px, recipe.size_px)
    words = torch.ones(2, 3, FEATURES, dtype=torch.int64)
    _to_onnx(image, pictures, paths[0], "pictures", {0: "n"})
    _to_onnx(text, words, paths[1], "words", {0: "n", 1: "words"})
    for path in paths:
        model = onnx.load(path)
        del model.metadata_props[:]
        for node in model.graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
        if kind != "float32":
            _store(model, np.float16 if kind == "float16" else np.int8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
    return write_preset(out, recipe)


def _to_onnx(tower: nn.Module, sample: torch.Tensor, path: Path, name: str, axes: dict[int, str]) -> None:
    torch.onnx.export(
        tower,
        (sample,),
        path,
        input_names=[name],
        output_names=["vectors"],
        dynamic_axes={name: axes, "vectors": {0: "n"}},
        opset_version=OPSET,
        dynamo=False,
    )


def _store(model: onnx.ModelProto, kind: type[np.generic]) -> None:
    """Replace the large float32 weights by smaller ones, with the nodes that bring them back."""
    kept, nodes, added = [], [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALL:
            kept.append(tensor)
            continue
        small = f"{tensor.name}.stored"
        if kind is np.float16:
            added.append(numpy_helper.from_array(values.astype(np.float16), small))
            nodes.append(helper.make_node("Cast", [small], [tensor.name], to=TensorProto.FLOAT))
            continue
        codes, scale = quantised(values, axis=_channel_axis(model, tensor.name))
        added += [
            numpy_helper.from_array(codes, small),
            numpy_helper.from_array(scale, f"{tensor.name}.scale"),
        ]
        nodes += [
            helper.make_node("Cast", [small], [f"{tensor.name}.codes"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{tensor.name}.codes", f"{tensor.name}.scale"], [tensor.name]),
        ]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, *added])
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


def _channel_axis(model: onnx.ModelProto, name: str) -> int:
    """Return the axis of a weight whose slices get a scale each: rows, but columns of what stands right in a product."""
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] == name:
            return 1
        if node.op_type == "Gemm" and node.input[1] == name:
            return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return 0


def quantised(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to -127 .. 127 steps of the largest value of each slice along `axis` -> codes, and scales that broadcast."""
    others = tuple(a for a in range(values.ndim) if a != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12) / 127
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
