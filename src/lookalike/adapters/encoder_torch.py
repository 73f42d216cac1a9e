"""Encoders that run in PyTorch: the presets of the ONNX adapter, with the weights that their `source` names.

For embedding many pictures on a GPU. Pictures and texts are prepared by the functions of the ONNX adapter. In float32, where
the preset's graphs are there as well, vectors are those of the graphs, to a cosine of .99999: that is tried when the weights
are read, and so they have one fingerprint, and what torch embedded is searched with ONNX Runtime. In bfloat16, the default on
CUDA, or without the graphs, the fingerprint is one of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx import TEXTS_AT_ONCE, OnnxEncoder
from lookalike.adapters.encoder_onnx_files import found
from lookalike.adapters.encoder_onnx_pixels import prepared
from lookalike.adapters.encoder_onnx_preset import ImageGraph, Preset, TextGraph, pattern, read_preset
from lookalike.adapters.encoder_onnx_session import cores
from lookalike.adapters.encoder_onnx_tokens import TOKENIZERS
from lookalike.adapters.encoder_torch_weights import (
    CODE,
    ImageTower,
    TextTower,
    located,
    opened,
    sha256_of,
    split,
    torch,
    weights_hash,
)
from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.ports import Encoder
from lookalike.core.types import Pixels, Vectors
from lookalike.core.vectors import unit_rows

IMAGES_AT_ONCE: Final = {"cpu": 32, "mps": 64, "cuda": 256}
"""Pictures of a batch, by kind of device; batches of texts grow alike."""
PREPARED_AT_ONCE: Final = 16
"""Pictures that one thread prepares for a GPU."""
DTYPES: Final = ("float32", "bfloat16", "float16")
SAME_COSINE: Final = 0.99999
TRIED_TEXTS: Final = ("red checked shirt", "T-Shirt", "sneakers for women with a white sole", "rojo", "a")
TRIED_PICTURES: Final = ((120, 90, 7), (64, 300, 3), (500, 400, 1))
"""Height, width and seed of the pictures of which two encoders are asked whether they are the same."""
_log = logging.getLogger(__name__)


class TorchEncoder:
    """Implements the `Encoder` port with the torch weights of a model, which are read when they are first needed.

    `places` are folders in which `preset.source` is looked for; `folder` is where the files of the preset are, None when they
    are not there. `device` is auto (the first of cuda, mps, cpu that is there) or what torch calls one, such as cuda:1; `dtype`
    is auto (bfloat16 on CUDA, else float32) or one of DTYPES.
    """

    def __init__(
        self,
        preset: Preset,
        folder: Path | None,
        places: Sequence[Path],
        *,
        device: str = "auto",
        dtype: str = "auto",
    ) -> None:
        if not preset.source:
            raise InputError(
                f"the model {preset.name} names no torch weights",
                hint=f'Run it without torch, as {preset.name}, or add source = "OWNER/NAME" to its .toml.',
                code=CODE,
            )
        self.device = chosen_device(device)
        kind = self.device.partition(":")[0]
        self.dtype = ("bfloat16" if kind == "cuda" else "float32") if dtype == "auto" else dtype
        if self.dtype not in DTYPES:
            raise InputError(f"no number format {dtype!r}", hint=f"There are: auto, {', '.join(DTYPES)}.")
        self.preset = preset
        self.name = f"torch:{preset.name}"
        self.dim = preset.dim
        self.aligned = preset.aligned
        self.sees = preset.image is not None
        self.reads = preset.text is not None
        self._folder = folder
        self._places = tuple(places)
        self._source = preset.source
        self._lock = RLock()  # comparing, which is part of opening, encodes
        self._is_open = False
        self._towers: dict[str, Any] = {}
        self._tokenizer: Any = None
        self.images_at_once = IMAGES_AT_ONCE.get(kind, IMAGES_AT_ONCE["cpu"])
        self._times = self.images_at_once // IMAGES_AT_ONCE["cpu"]
        self._room = 2**31
        """Rows that are known to be too many for the device are more than this."""

    @classmethod
    def from_preset(
        cls,
        path: Path,
        threads: int = 0,
        *,
        models_dir: Path | None = None,
        providers: Sequence[str] = (),
        device: str = "auto",
        dtype: str = "auto",
    ) -> TorchEncoder:
        """Take the model a TOML describes; weights are looked for beside it, in `models_dir` and in the hub client's cache.

        `threads` is how many of the processor torch may use in this process, 0 for as many as it likes. The first of
        `providers` that is a device of torch is taken where `device` says nothing.
        """
        if threads:
            torch.set_num_threads(threads)
        if device == "auto":
            device = next((name for name in providers if name in IMAGES_AT_ONCE), "auto")
        preset, folder = read_preset(path), None
        try:
            preset, folder = found(preset, path.parent, models_dir)
        except InputError as error:
            _log.info("%s: %s: the torch weights will do without", preset.name, error)
        places = [path.parent, *([models_dir] if models_dir else [])]
        return cls(preset, folder, places, device=device, dtype=dtype)

    @cached_property
    def fingerprint(self) -> str:
        """That of the preset where vectors are the same; else one made of the weights and the number format."""
        if self._is_the_same:
            return self.preset.fingerprint
        weights = weights_hash(self._source, located(split(self._source)[1], self._places))
        shaped = blake2b(repr((self.preset.fingerprint, weights)).encode(), digest_size=4).hexdigest()
        return f"{self.preset.name}-{self.preset.version}-torch-{self.dtype}-{shaped}"

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] RGB pictures of any size -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), self.images_at_once):
            if self.preset.image is None:
                raise self._cannot("pictures")
            self.open()
            batch = self._prepared(images[start : start + self.images_at_once], self.preset.image)
            out[start : start + len(batch)] = self._vectors("image", batch)
        return out

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, dim], unit rows, in order."""
        out = np.empty((len(texts), self.dim), np.float32)
        step = TEXTS_AT_ONCE * self._times
        for start in range(0, len(texts), step):
            graph = self.preset.text
            if graph is None:
                raise self._cannot("texts")
            self.open()
            for batch in self._tokenizer.batches(texts[start : start + step], self._times):
                fed = {"input_ids": batch.ids, "attention_mask": batch.used.astype(np.int64)}
                fed["token_type_ids"] = np.zeros_like(batch.ids)
                out[start + batch.rows] = self._vectors("text", *(fed[name] for name in inputs_of(graph)))
        return out

    def open(self) -> None:
        """Read the weights, unless they are read; raise InputError if they are not here, or not those of the preset."""
        if self._is_open:
            return
        with self._lock:
            if self._towers:
                return
            self._towers = self._open()
            try:
                self._compare()
            except BaseException:
                self._towers = {}
                raise
            self._is_open = True

    def warm_up(self) -> None:
        """Read the weights and run each tower once, so that whoever asks first does not wait for that."""
        if self.sees:
            self.encode_images([pattern(64, 64, 0)])
        if self.reads:
            self.encode_texts(["red check shirt"])

    # --- weights ----------------------------------------------------------------------------------------------------

    @property
    def _is_the_same(self) -> bool:
        return self.dtype == "float32" and self._folder is not None

    def _open(self) -> dict[str, Any]:
        model, weights = opened(self._source, self._places)
        model = model.to(device=self.device, dtype=getattr(torch, self.dtype))
        towers: dict[str, Any] = {}
        if self.preset.image is not None:
            towers["image"] = ImageTower(model, self.preset.image.pool)
        if (graph := self.preset.text) is not None:
            towers["text"] = TextTower(model, graph.pool, inputs_of(graph))
            folder = self._folder
            if folder is None:  # nothing was fetched: the tokenizer is that of the weights
                folder, file = weights, "tokenizer.json"
                graph = replace(graph, tokenizer_file=file, tokenizer_sha256=sha256_of(folder / file))
            self._tokenizer = TOKENIZERS[graph.tokenizer](graph, folder, "Fetch the model once more.")
        return towers

    def _compare(self) -> None:
        """Make sure that vectors are those of the preset's graphs, where the fingerprint says so."""
        if not self._is_the_same or self._folder is None:
            return
        graphs = OnnxEncoder(self.preset, self._folder)
        for kind, cosine in agreement(self, graphs).items():
            if cosine < SAME_COSINE:
                raise InputError(
                    f"the torch weights {self._source!r} are not those of the model {self.preset.name}:"
                    f" their {kind} vectors have a cosine of {cosine:.5f} with those of its graphs",
                    hint="Take the preset these weights belong to; one in int8 has none, take that in float32.",
                    code=CODE,
                )

    # --- batches ----------------------------------------------------------------------------------------------------

    def _prepared(self, images: Sequence[Pixels], graph: ImageGraph) -> NDArray[np.float32]:
        """Resize and normalise pictures, on all cores where a GPU would wait for them."""
        if self.device == "cpu":
            return prepared(images, graph)
        few = [images[at : at + PREPARED_AT_ONCE] for at in range(0, len(images), PREPARED_AT_ONCE)]
        with ThreadPoolExecutor(min(cores(), len(few)), "prepare") as pool:
            return np.concatenate(list(pool.map(lambda each: prepared(each, graph), few)))

    def _vectors(self, kind: str, *inputs: NDArray[Any]) -> Vectors:
        """Run a tower on a batch, in as many parts as the device's memory asks for."""
        count, start = len(inputs[0]), 0
        parts = []
        while start < count:
            size = min(self._room, count - start)
            try:
                parts.append(self._run(kind, [each[start : start + size] for each in inputs]))
                start += size
            except torch.OutOfMemoryError as error:
                self._make_room(size, error)
        return unit_rows(np.concatenate(parts), self.dim, f"{kind} vectors of model {self.name}")

    def _run(self, kind: str, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        dtype = getattr(torch, self.dtype)
        with torch.inference_mode():
            tensors = [torch.from_numpy(np.ascontiguousarray(each)).to(self.device) for each in inputs]
            fed = [each.to(dtype) if each.is_floating_point() else each for each in tensors]
            vectors: NDArray[np.float32] = self._towers[kind](*fed).float().cpu().numpy()
        return vectors

    def _make_room(self, size: int, error: Exception) -> None:
        """Halve batches, now and later, when the memory of the device was too small for one of `size` rows."""
        if size == 1:
            raise LookalikeError(
                f"{self.device} has no memory for a single input of {self.name}: {error}",
                hint="Free some, or take the device cpu.",
                code="memory",
            ) from error
        self._room = min(self._room, size // 2)
        _log.warning(
            "%s: no memory on %s for %d at once, going on with %d", self.name, self.device, size, self._room
        )
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _cannot(self, what: str) -> InputError:
        return InputError(
            f"the model {self.name} cannot encode {what}",
            hint="Take a model that can: `lookalike models list` says what each does.",
            code=CODE,
        )


def chosen_device(device: str) -> str:
    """Return a device that is there, as torch calls it; raise InputError for one that is not."""
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there[:0] = ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if device == "auto":
        return there[0]
    if device not in there:
        raise InputError(f"torch has no device {device!r} here", hint=f"There are: {', '.join(there)}.")
    return device


def inputs_of(graph: TextGraph) -> tuple[str, ...]:
    """Return what a text tower is given, by the names of transformers: what the preset's graph is given."""
    return (
        "input_ids",
        *(("attention_mask",) if graph.mask else ()),
        *(("token_type_ids",) if graph.types else ()),
    )


def agreement(one: Encoder, other: Encoder) -> dict[str, float]:
    """Return the least cosine between what two encoders make of a few pictures and texts, by "image" and "text"."""
    cosines = {}
    if one.sees:
        pictures = [pattern(*size) for size in TRIED_PICTURES]
        cosines["image"] = least_cosine(one.encode_images(pictures), other.encode_images(pictures))
    if one.reads:
        cosines["text"] = least_cosine(one.encode_texts(TRIED_TEXTS), other.encode_texts(TRIED_TEXTS))
    return cosines


def least_cosine(one: Vectors, other: Vectors) -> float:
    """Return the least cosine of rows of length 1 that belong together."""
    return float(np.einsum("nd,nd->n", one, other, dtype=np.float64).min())
