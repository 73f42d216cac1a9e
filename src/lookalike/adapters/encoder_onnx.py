"""Encoders that are ONNX models: a TOML (see `encoder_onnx_preset`) and one or two graphs, run by ONNX Runtime.

A vector is the same to 1e-6 whatever else is in its batch: ONNX Runtime picks its kernels by the size of a batch, and they
round differently. The same batch gives the same bits each time on the same machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx_files import fetch, found
from lookalike.adapters.encoder_onnx_pixels import prepared
from lookalike.adapters.encoder_onnx_pools import POOLS, Used
from lookalike.adapters.encoder_onnx_preset import CODE, Graph, Preset, TextGraph, pattern, read_preset
from lookalike.adapters.encoder_onnx_session import Running, Session, cores
from lookalike.adapters.encoder_onnx_tokens import TOKENIZERS
from lookalike.core.errors import InputError
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows

__all__ = ["IMAGES_AT_ONCE", "TEXTS_AT_ONCE", "OnnxEncoder", "builtin", "cores", "prepared"]

IMAGES_AT_ONCE: Final = 32
TEXTS_AT_ONCE: Final = 256


class OnnxEncoder:
    """Implements the `Encoder` port with the graphs of a model, none of which is opened before it is needed.

    `folder` is where relative file names start; `threads` is how many cores one call may use, 0 for all (up to 8);
    `providers` are names in PROVIDERS, best first.
    """

    def __init__(self, preset: Preset, folder: Path, threads: int = 0, providers: Sequence[str] = ()) -> None:
        self._running = running = Running(tuple(providers) or ("cpu",), threads)
        self.preset = preset
        self.name = preset.name
        self.fingerprint = preset.fingerprint
        self.dim = preset.dim
        self.aligned = preset.aligned
        self.sees = preset.image is not None
        self.reads = preset.text is not None
        self.images_at_once = IMAGES_AT_ONCE * running.times
        hint = fetch(preset)
        if preset.image is not None:
            self._seeing = Session(preset.image, {"input": preset.image.input}, folder, running, hint)
        if preset.text is not None:
            self._tokenizer = TOKENIZERS[preset.text.tokenizer](preset.text, folder, hint)
            self._reading = Session(preset.text, _inputs(preset.text), folder, running, hint)

    @classmethod
    def from_preset(
        cls,
        path: Path | None = None,
        threads: int = 0,
        *,
        models_dir: Path | None = None,
        providers: Sequence[str] = (),
    ) -> OnnxEncoder:
        """Open the model a TOML describes, or without one the model in this package; raise InputError if it is wrong.

        The files of a model from a hub are in the folder of its name in `models_dir`, by default beside the TOML.
        """
        path = path or Path(str(files("lookalike.models") / "builtin.toml"))
        preset, folder = found(read_preset(path), path.parent, models_dir)
        return cls(preset, folder, threads, providers)

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] RGB pictures of any size -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), self.images_at_once):
            graph = self.preset.image
            if graph is None:
                raise self._cannot("pictures")
            batch = prepared(images[start : start + self.images_at_once], graph)
            result = self._seeing.run({graph.input: batch})
            out[start : start + len(batch)] = self._vectors(result, graph, None, "image")
        return out

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(texts), self.dim), np.float32)
        step = TEXTS_AT_ONCE * self._running.times
        for start in range(0, len(texts), step):
            graph = self.preset.text
            if graph is None:
                raise self._cannot("texts")
            for batch in self._tokenizer.batches(texts[start : start + step], self._running.times):
                result = self._reading.run({graph.input: batch.ids, **self._tokenizer.inputs(batch)})
                out[start + batch.rows] = self._vectors(result, graph, batch.used, "text")
        return out

    def warm_up(self) -> None:
        """Open all graphs and run each once, so that whoever asks first does not wait for that."""
        if self.sees:
            self.encode_images([pattern(64, 64, 0)])
        if self.reads:
            self.encode_texts(["red check shirt"])

    def verify(self) -> float:
        """Encode the golden inputs; return the largest difference, or raise InputError if it is beyond the tolerance."""
        golden = self.preset.golden
        if golden is None:
            raise InputError(
                f"model {self.name} has no golden values", hint="Add [golden] to its .toml.", code=CODE
            )
        worst, where, what = 0.0, "texts", ""
        for known in golden.texts:
            off = _off(self.encode_texts([known.text]), known.values)
            worst, where, what = max((worst, where, what), (off, "texts", f"the text {known.text!r}"))
        if golden.image is not None:
            seen = pattern(golden.image.height, golden.image.width, golden.image.seed)
            off = _off(self.encode_images([seen]), golden.image.values)
            worst, where, what = max((worst, where, what), (off, "image", "the picture"))
        if worst > golden.tolerance:
            raise InputError(
                f"model {self.name}: golden.{where}: {what} gives values that are off by"
                f" {worst:.2g}, more than {golden.tolerance:g}",
                hint="The .toml is not of these files, or this version of ONNX Runtime computes them wrongly.",
                code=CODE,
            )
        return worst

    def _vectors(self, result: NDArray[Any], graph: Graph, used: Used | None, kind: str) -> Vectors:
        return unit_rows(POOLS[graph.pool](result, used), self.dim, f"{kind} vectors of model {self.name}")

    def _cannot(self, what: str) -> InputError:
        return InputError(
            f"the model {self.name} cannot encode {what}",
            hint="Take a model that can: `lookalike models list` says what each does.",
            code=CODE,
        )


def builtin() -> OnnxEncoder:
    """Return the encoder in this package."""
    return OnnxEncoder.from_preset()


def _inputs(graph: TextGraph) -> dict[str, str]:
    """Return what a graph of texts is given, by what the TOML calls it."""
    named = {"input": graph.input}
    if graph.tokenizer == "file":
        named |= {"mask": graph.mask, "types": graph.types}
    return {field: name for field, name in named.items() if name}


def _off(vectors: Vectors, values: Sequence[float]) -> float:
    return float(np.abs(vectors[0, : len(values)] - np.array(values)).max())
