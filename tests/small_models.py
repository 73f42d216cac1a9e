"""Real but untrained ONNX models of a few layers, with the TOML that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lookalike.adapters.encoder_onnx_words import BUCKETS, FEATURES

DIM, SIDE_PX, TABLE = 24, 32, 8

MODEL = """
name = "small"
version = 1
dim = {dim}
aligned = true
licence = "Apache-2.0"
card = "small.md"

[image]
file = "image.onnx"
sha256 = "{image_sha256}"
input = "pixels"
output = "vectors"
size_px = {side_px}
resize = "letterbox"
fill = 255
mean = [0.5, 0.45, 0.4]
std = [0.25, 0.3, 0.35]

[text]
file = "text.onnx"
sha256 = "{text_sha256}"
input = "features"
output = "vectors"
tokenizer = "hashed-words"

[golden]
tolerance = 1e-4
texts = [{{ text = "Women's red check shirts", values = {text_values} }}]
image = {{ height = 50, width = 90, seed = 3, values = {image_values} }}
"""

NO_VALUES = (0.0,) * 8


def small_model(
    folder: Path, image_values: Sequence[float] = NO_VALUES, text_values: Sequence[float] = NO_VALUES
) -> Path:
    """Write image.onnx, text.onnx and small.toml into a folder; return the path of the last. The same each time."""
    hashes = {}
    for name, graph in (("image", image_graph()), ("text", text_graph())):
        # The versions are named, for `onnx` knows newer ones than ONNX Runtime reads.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        (folder / f"{name}.onnx").write_bytes(data)
        hashes[f"{name}_sha256"] = sha256(data).hexdigest()
    values = {"image_values": list(image_values), "text_values": list(text_values)}
    path = folder / "small.toml"
    path.write_text(MODEL.format(dim=DIM, side_px=SIDE_PX, **hashes, **values), "utf-8")
    return path


def weights(name: str, *shape: int) -> onnx.TensorProto:
    """Draw normal weights, float32, that keep the spread of what passes through; the same for the same name."""
    fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
    drawn = np.random.default_rng(list(name.encode())).normal(size=shape) * np.sqrt(2 / fan_in)
    return numpy_helper.from_array(drawn.astype(np.float32), name)


def image_graph() -> onnx.GraphProto:
    """Build two convolutions, the mean over the picture, a linear layer, unit length."""
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE_PX, SIDE_PX])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIM])
    stride = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["pixels", "c1", "c1_bias"], ["a"], **stride),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "c2", "c2_bias"], ["c"], **stride),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "linear", "bias"], ["g"]),
        helper.make_node("LpNormalization", ["g"], ["vectors"], axis=1, p=2),
    ]
    constants = [
        *(weights("c1", 16, 3, 3, 3), weights("c1_bias", 16), weights("c2", 32, 16, 3, 3)),
        *(weights("c2_bias", 32), weights("linear", 32, DIM), weights("bias", DIM)),
    ]
    return helper.make_graph(nodes, "image", [pixels], [vectors], constants)


def text_graph() -> onnx.GraphProto:
    """Build a table row for each hash, the mean over those that are not padding, a linear layer, unit length."""
    features = helper.make_tensor_value_info("features", TensorProto.INT64, ["n", "words", FEATURES])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", DIM])
    nodes = [
        helper.make_node("Gather", ["table", "features"], ["rows"]),
        helper.make_node("Greater", ["features", "zero"], ["used"]),
        helper.make_node("Cast", ["used"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["ones", "last"], ["mask"]),
        helper.make_node("Mul", ["rows", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "over"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "over"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Gemm", ["mean", "linear", "bias"], ["g"]),
        helper.make_node("LpNormalization", ["g"], ["vectors"], axis=1, p=2),
    ]
    constants = [
        weights("table", BUCKETS, TABLE),
        weights("linear", TABLE, DIM),
        weights("bias", DIM),
        numpy_helper.from_array(np.array(0), "zero"),
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1, 2]), "over"),
    ]
    return helper.make_graph(nodes, "text", [features], [vectors], constants)
