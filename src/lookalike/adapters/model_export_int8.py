"""An exported model in 8-bit whole numbers, its scales fixed by pictures and titles of the shop it is for.

Weights have a scale for each channel, activations one for each tensor, measured on what it is calibrated with (static
quantisation, by ONNX Runtime). So no row depends on the other rows of its batch, as it would with scales found while a graph
runs. Products of two activations, as in attention, stay in float32: they lose the most and cost the least.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_pixels import prepared
from lookalike.adapters.encoder_onnx_preset import CODE, Preset, read_preset
from lookalike.adapters.encoder_onnx_tokens import TOKENIZERS
from lookalike.adapters.encoder_torch_weights import sha256_of
from lookalike.adapters.model_export_toml import write_golden, write_unchecked
from lookalike.core.errors import InputError, MissingExtra
from lookalike.core.types import Pixels, Vectors

TOLERANCE: Final = 0.03
"""Of golden values: processors without VNNI add bytes in 16 bits, which may overflow."""
CALIBRATED_WITH: Final = 128
"""Pictures, and titles; loss is measured on the others, where there are as many."""
NEAREST: Final = 10
OPERATORS: Final = ("Conv", "MatMul", "Gemm")

Feeds = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of vectors: cosines of each with the one in float32, and how much of its ten nearest others stayed."""

    count: int
    mean_cosine: float
    least_cosine: float
    overlap: float


def quantise(
    path: Path,
    pictures: Sequence[Pixels],
    titles: Sequence[str],
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Path, dict[str, Loss]]:
    """Write NAME-int8.toml and its graphs beside an exported preset -> (its path, what was lost, by "image" and "text").

    Raises InputError when there is nothing to calibrate a tower with.
    """
    preset, table = read_preset(path), tomllib.loads(path.read_text("utf-8"))
    del table["golden"]
    table["name"] = name = f"{preset.name}-int8"
    samples = {"image": _feeds_of_pictures(preset, pictures), "text": _feeds_of_titles(preset, path, titles)}
    for kind, what in (("image", pictures), ("text", titles)):
        if kind not in table:
            continue
        if not what:
            raise InputError(
                f"there are no {'pictures' if kind == 'image' else 'titles'} to calibrate {name} with",
                hint="Give --calibrate a shop that has some.",
                code=CODE,
            )
        file = path.with_name(f"{name}-{kind}.onnx")
        say(f"calibrating {file.name} with {min(len(what), CALIBRATED_WITH)} of {len(what)}")
        _quantise_graph(path.with_name(table[kind]["file"]), file, samples[kind])
        table[kind] |= {"file": file.name, "sha256": sha256_of(file)}
    made = path.with_name(f"{name}.toml")
    write_unchecked(made, table)
    write_golden(made, table, TOLERANCE)
    say("measuring what was lost")
    whole, small = OnnxEncoder.from_preset(path), OnnxEncoder.from_preset(made)
    lost = {}
    if whole.sees:
        held_out = _held_out(pictures)
        lost["image"] = loss(whole.encode_images(held_out), small.encode_images(held_out))
    if whole.reads:
        held_out_titles = _held_out(titles)
        lost["text"] = loss(whole.encode_texts(held_out_titles), small.encode_texts(held_out_titles))
    return made, lost


def loss(whole: Vectors, small: Vectors) -> Loss:
    """Compare vectors [n, dim] in float32 with those of the same inputs in int8."""
    cosines = np.einsum("nd,nd->n", whole, small, dtype=np.float64)
    nearest = min(NEAREST, len(whole) - 1)
    shared = [
        len(set(one) & set(other)) / nearest
        for one, other in zip(_nearest(whole, nearest), _nearest(small, nearest), strict=True)
        if nearest
    ]
    return Loss(
        len(whole), float(cosines.mean()), float(cosines.min()), float(np.mean(shared)) if shared else 1.0
    )


def _nearest(vectors: Vectors, count: int) -> list[list[int]]:
    """Return for each vector the rows of the `count` nearest others."""
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    rows: list[list[int]] = np.argsort(-similarities, axis=1, kind="stable")[:, :count].tolist()
    return rows


def _held_out(inputs: Sequence[Any]) -> Sequence[Any]:
    """Return what was not calibrated with; all, where too little would be left."""
    rest = inputs[CALIBRATED_WITH:]
    return rest if len(rest) >= CALIBRATED_WITH else inputs


def _feeds_of_pictures(preset: Preset, pictures: Sequence[Pixels]) -> Iterator[Feeds]:
    if preset.image is not None:
        for picture in pictures[:CALIBRATED_WITH]:
            yield {preset.image.input: prepared([picture], preset.image)}


def _feeds_of_titles(preset: Preset, path: Path, titles: Sequence[str]) -> Iterator[Feeds]:
    if preset.text is not None:
        tokenizer = TOKENIZERS[preset.text.tokenizer](preset.text, path.parent, "")
        for batch in tokenizer.batches(titles[:CALIBRATED_WITH]):
            yield {preset.text.input: batch.ids, **tokenizer.inputs(batch)}


def _quantise_graph(whole: Path, small: Path, feeds: Iterator[Mapping[str, NDArray[Any]]]) -> None:
    try:
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{error.name} is not installed", hint='pip install "lookalike[torch]"') from error

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> Mapping[str, NDArray[Any]] | None:
            return next(feeds, None)

    said = logging.getLogger()
    level = said.level
    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        said.setLevel(logging.ERROR)  # it warns of every tensor that stays as it is
        try:
            quant_pre_process(whole, ready, skip_symbolic_shape=True)
            quantization.quantize_static(
                ready,
                small,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            said.setLevel(level)
