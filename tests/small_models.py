"""Real but untrained ONNX models of a few layers, with the TOML that describes them, and tokenizers trained on a few titles."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from lookalike.adapters.encoder_onnx_words import BUCKETS, FEATURES

DIM, SIDE_PX, TABLE = 24, 32, 8
TITLES = tuple(
    f"{colour} {pattern} {thing} {rest}"
    for colour in ("red", "navy blue", "weiß", "赤い", "зелёный")
    for pattern in ("striped", "check", "plain", "floral")
    for thing in ("shirt", "running shoe", "women's dress", "T-shirt", "lamp", "mug", "рубашка", "シャツ")
    for rest in ("", "size 42, 100% cotton", "for men & boys", "👗 new!")
)

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


def half_model(folder: Path, half: str) -> Path:
    """Write the small model with one of its tables alone, "image" or "text"; return the path of half.toml."""
    text = small_model(folder).read_text("utf-8").replace("aligned = true", "aligned = false")
    other = "text" if half == "image" else "image"
    text = re.sub(rf"^\[{other}\]$.*?(?=^\[)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(rf"^{'texts' if half == 'image' else 'image'} = .*\n", "", text, flags=re.MULTILINE)
    path = folder / "half.toml"
    path.write_text(text, "utf-8")
    return path


def hub_model(folder: Path, models_dir: Path) -> Path:
    """Write small.toml of a model from a hub, and its files with their lock where fetching puts them; return its path."""
    text = small_model(folder).read_text("utf-8")
    text = re.sub(r"^(sha256 = .*|\[golden\](.|\n)*)\n", "", text, flags=re.MULTILINE)
    text = text.replace("card = ", 'hub = "shop/small"\ncard = ').replace('file = "', 'file = "onnx/')
    fetched = models_dir / "small"
    (fetched / "onnx").mkdir(parents=True)
    files = {}
    for name in ("image.onnx", "text.onnx"):
        data = (folder / name).read_bytes()
        (folder / name).rename(fetched / "onnx" / name)
        files[f"onnx/{name}"] = {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    (fetched / "lock.json").write_text(
        json.dumps({"hub": "shop/small", "commit": "0123abcd", "files": files}), "utf-8"
    )
    (folder / "small.toml").write_text(text, "utf-8")
    return folder / "small.toml"


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


def byte_pairs() -> Tokenizer:
    """Train a tokenizer as CLIP's is: lower case, byte-level pairs with word ends, a mark before and behind."""
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    made.train_from_iterator(TITLES, trainer)
    made.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False
    )
    return made


def word_pieces() -> Tokenizer:
    """Train a tokenizer as BERT's is; like the files of sentence transformers it pads and truncates of its own accord."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    made.train_from_iterator(
        TITLES, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    made.enable_padding(pad_id=0, pad_token="[PAD]", length=16)
    made.enable_truncation(8)
    return made


def pieces() -> Tokenizer:
    """Train a tokenizer as SigLIP's is: sentence pieces, lower case, one mark behind, which is also what it pads with."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(
        TITLES,
        trainers.UnigramTrainer(
            vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
        ),
    )
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made
