"""The TOML that describes the exported model: hashes of its files, how inputs are prepared, and what it must answer."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_preset import pattern
from training.augment import MEAN, STD
from training.recipe import NAME, Recipe

VERSION = 3
LICENCE = "Apache-2.0"
FILL = 255
GOLDEN_TEXTS = ("red checked shirt", "T-Shirt", "sneakers for women", "zapatos rojos", "")
GOLDEN_PICTURE = {"height": 120, "width": 90, "seed": 7}
TOLERANCE = 2e-3
"""Of values of about 0.06: kernels of other processors round otherwise."""


def write_preset(folder: Path, recipe: Recipe) -> Path:
    """Write builtin.toml beside builtin-image.onnx and builtin-text.onnx; the golden values are what these answer here."""
    path = folder / f"{NAME}.toml"
    blank = "[" + ", ".join(["0.0"] * 8) + "]"
    _write(path, folder, recipe, {text: blank for text in GOLDEN_TEXTS}, blank)
    encoder = OnnxEncoder.from_preset(path)
    texts = {text: _row(encoder.encode_texts([text])[0]) for text in GOLDEN_TEXTS}
    picture = encoder.encode_images([pattern(**GOLDEN_PICTURE)])[0]
    _write(path, folder, recipe, texts, _row(picture))
    OnnxEncoder.from_preset(path).verify()
    return path


def _row(vector: object) -> str:
    return "[" + ", ".join(f"{value:.5f}" for value in vector[:8]) + "]"  # type: ignore[index]


def _write(path: Path, folder: Path, recipe: Recipe, texts: dict[str, str], picture: str) -> None:
    golden = "\n".join(f'  {{ text = "{text}", values = {values} }},' for text, values in texts.items())
    seen = ", ".join(f"{name} = {value}" for name, value in GOLDEN_PICTURE.items())
    path.write_text(
        f"""# Written by `python -m training`; see {NAME}.md for what the model is.
name = "{NAME}"
version = {VERSION}
dim = {recipe.dim}
aligned = true
licence = "{LICENCE}"
card = "{NAME}.md"

[image]
file = "{NAME}-image.onnx"
sha256 = "{_sha256(folder / f"{NAME}-image.onnx")}"
input = "pictures"
output = "vectors"
size_px = {recipe.size_px}
resize = "letterbox"
fill = {FILL}
mean = [{MEAN}, {MEAN}, {MEAN}]
std = [{STD}, {STD}, {STD}]

[text]
file = "{NAME}-text.onnx"
sha256 = "{_sha256(folder / f"{NAME}-text.onnx")}"
input = "words"
output = "vectors"
tokenizer = "hashed-words"

[golden]
tolerance = {TOLERANCE}
texts = [
{golden}
]
image = {{ {seen}, values = {picture} }}
""",
        encoding="utf-8",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
