"""Encoders that are ONNX models: a TOML (see `encoder_onnx_preset`) and two graphs, run by ONNX Runtime on the CPU.

A vector is the same to 1e-6 whatever else is in its batch: ONNX Runtime picks its kernels by the size of a batch, and they
round differently. The same batch gives the same bits each time on the same machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx_pixels import RESIZES
from lookalike.adapters.encoder_onnx_preset import (
    CODE,
    TOKENIZERS,
    Graph,
    ImageGraph,
    Preset,
    pattern,
    read_preset,
    verified,
)
from lookalike.adapters.encoder_onnx_words import Features
from lookalike.core.errors import InputError
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows

IMAGES_AT_ONCE: Final = 32
TEXTS_AT_ONCE: Final = 256
WORDS_AT_ONCE: Final = 512
"""What a graph makes of a word on its way takes some 15 KB. Texts of one length go together, so that none is padded: padding
costs time, and changes how sums are rounded."""
MOST_THREADS: Final = 8


class Session:
    """One graph, opened when it is first run. Safe to use from several threads."""

    def __init__(self, graph: Graph, folder: Path, threads: int) -> None:
        self._graph = graph
        self._file = folder / graph.file
        self._threads = threads
        self._lock = Lock()
        self._session: Any = None

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Return what the graph makes of a batch; raise InputError when its file or its names are not as the TOML says."""
        if self._session is None:
            with self._lock:
                if self._session is None:
                    self._session = self._open()
        [result] = self._session.run([self._graph.output], {self._graph.input: batch})
        found: NDArray[Any] = result
        return found

    def _open(self) -> Any:
        # Here and not at the top: it takes 0.1 s to import, and a shop whose vectors are all made never needs it.
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Threads that spin while they wait take the cores from everything else here, other sessions included.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        file = verified(self._file, self._graph.sha256)
        try:
            session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes have no common ancestor but this
            raise self._wrong(f"ONNX Runtime {ort.__version__} cannot open it: {error}") from error
        for field, slots in (("input", session.get_inputs()), ("output", session.get_outputs())):
            names = [slot.name for slot in slots]
            if getattr(self._graph, field) not in names:
                raise self._wrong(
                    f"the .toml calls its {field} {getattr(self._graph, field)!r}, it has {names}"
                )
        return session

    def _wrong(self, reason: str) -> InputError:
        return InputError(
            f"model file {self._file}: {reason}",
            hint="The .toml and the file must be of one model.",
            code=CODE,
        )


class OnnxEncoder:
    """Implements the `Encoder` port with a model's two graphs, neither of which is opened before it is needed.

    `folder` is where relative file names start; `threads` is how many cores one call may use, 0 for all (up to 8).
    """

    def __init__(self, preset: Preset, folder: Path, threads: int = 0) -> None:
        threads = threads or min(cores(), MOST_THREADS)
        self.preset = preset
        self.name = preset.name
        self.fingerprint = preset.fingerprint
        self.dim = preset.dim
        self.aligned = preset.aligned
        self._seeing = Session(preset.image, folder, threads)
        self._reading = Session(preset.text, folder, threads)

    @classmethod
    def from_preset(cls, path: Path | None = None, threads: int = 0) -> OnnxEncoder:
        """Open the model a TOML describes, or without one the model in this package; raise InputError if it is wrong."""
        if path is not None:
            return cls(read_preset(path), path.parent, threads)
        return cls.from_preset(Path(str(files("lookalike.models") / "builtin.toml")), threads)

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] RGB pictures of any size -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), IMAGES_AT_ONCE):
            batch = prepared(images[start : start + IMAGES_AT_ONCE], self.preset.image)
            out[start : start + len(batch)] = self._checked(self._seeing.run(batch), "image")
        return out

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(texts), self.dim), np.float32)
        tokenize = TOKENIZERS[self.preset.text.tokenizer]
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            tokens = tokenize(texts[start : start + TEXTS_AT_ONCE])
            for rows, batch in by_length(tokens):
                out[start + rows] = self._checked(self._reading.run(batch), "text")
        return out

    def verify(self) -> float:
        """Encode the golden inputs; return the largest difference, or raise InputError if it is beyond the tolerance."""
        golden = self.preset.golden
        seen = pattern(golden.image.height, golden.image.width, golden.image.seed)
        vectors = np.concatenate(
            [self.encode_images([seen]), self.encode_texts([known.text for known in golden.texts])]
        )
        wanted = np.array([golden.image.values, *(known.values for known in golden.texts)])
        differences = np.abs(vectors[:, : wanted.shape[1]] - wanted).max(axis=1)
        worst = int(differences.argmax())
        if differences[worst] > golden.tolerance:
            what = f"the text {golden.texts[worst - 1].text!r}" if worst else "the picture"
            raise InputError(
                f"model {self.name}: golden.{'texts' if worst else 'image'}: {what} gives values that are off by"
                f" {differences[worst]:.2g}, more than {golden.tolerance:g}",
                hint="The .toml is not of these files, or this version of ONNX Runtime computes them wrongly.",
                code=CODE,
            )
        return float(differences[worst])

    def _checked(self, vectors: NDArray[Any], kind: str) -> Vectors:
        return unit_rows(vectors, self.dim, f"{kind} vectors of model {self.name}")


def builtin() -> OnnxEncoder:
    """Return the encoder in this package."""
    return OnnxEncoder.from_preset()


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def prepared(images: Sequence[Pixels], graph: ImageGraph) -> NDArray[np.float32]:
    """Resize and normalise pictures as a graph wants them -> float32 [n, 3, size_px, size_px]."""
    resize = RESIZES[graph.resize]
    out = np.empty((len(images), 3, graph.size_px, graph.size_px), np.float32)
    gain = np.array([1 / (255 * std) for std in graph.std], np.float32)[:, None, None]
    offset = np.array([m / std for m, std in zip(graph.mean, graph.std, strict=True)], np.float32)[
        :, None, None
    ]
    for planes, pixels in zip(out, images, strict=True):
        square = resize(pixels, graph.size_px, graph.fill)
        np.multiply(square.transpose(2, 0, 1), gain, out=planes)
        planes -= offset
    return out


def by_length(tokens: Features) -> Iterator[tuple[NDArray[np.intp], Features]]:
    """Part int64 [n, length, ...] into batches of equal length, without the padding -> (rows, tokens) of each."""
    longest = tokens.shape[1]
    used: NDArray[np.bool_] = np.any(tokens.reshape(*tokens.shape[:2], -1), axis=2)
    lengths = longest - np.argmax(used[:, ::-1], axis=1)
    for length in sorted(set(lengths.tolist())):
        same = np.flatnonzero(lengths == length)
        step = max(1, WORDS_AT_ONCE // length)
        for start in range(0, len(same), step):
            rows = same[start : start + step]
            yield rows, tokens[rows, :length]
