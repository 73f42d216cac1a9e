"""What the TOML of a model says: its files, how inputs are prepared, and a few vectors it must give.

    name = "small"                  # letters, digits, "-", "_" and "."; with version and hashes it makes the fingerprint
    version = 1
    dim = 256
    aligned = true                  # a phrase and a picture of what it says lie close
    licence = "Apache-2.0"
    card = "small.md"               # what it was trained on and what it is good for

    [image]                         # float32 [n, 3, size_px, size_px], RGB -> float32 [n, dim]
    file = "small-image.onnx"       # as seen from the TOML
    sha256 = "..."
    input = "pixels"                # names in the graph
    output = "vectors"
    size_px = 96
    resize = "letterbox"            # a row of RESIZES
    fill = 255                      # grey level beside the picture
    mean = [0.5, 0.5, 0.5]          # of values from 0 to 1
    std = [0.25, 0.25, 0.25]

    [text]                          # int64 [n, words, ...], 0 is padding -> float32 [n, dim]
    file = "small-text.onnx"
    sha256 = "..."
    input = "features"
    output = "vectors"
    tokenizer = "hashed-words"      # a row of TOKENIZERS

    [golden]
    tolerance = 1e-4
    texts = [{ text = "red check shirt", values = [...] }]              # the first 8 values of the vector
    image = { height = 60, width = 80, seed = 1, values = [...] }       # of the picture that `pattern` draws

No row may depend on the other rows of its batch. So a graph that quantises activations as it runs (dynamic quantisation: one
scale for the whole batch) is of no use here; one with quantised weights, or with scales that were fixed beforehand, is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lookalike.adapters import encoder_onnx_pixels, encoder_onnx_words
from lookalike.adapters.encoder_onnx_pixels import RESIZES
from lookalike.adapters.encoder_onnx_words import Features
from lookalike.core.errors import InputError
from lookalike.core.types import Pixels

VERSION: Final = 1
"""Raise it when the same preset begins to mean something else."""
CODE: Final = "model"
"""The code of every error about a model's files."""

Tokenizer = Callable[[Sequence[str]], Features]
"""Texts -> int64 [n, length, ...], where 0 at the end of a row is padding that changes nothing."""

TOKENIZERS: Final[Mapping[str, Tokenizer]] = {"hashed-words": encoder_onnx_words.features}
"""What a preset can ask for."""


def _one_of(table: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in table:
            raise ValueError(f"{name!r} is none of: {', '.join(table)}")
        return name

    return AfterValidator(check)


_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Name = Annotated[str, Field(pattern=r"^[\w.-]+$")]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Side = Annotated[int, Field(ge=1, le=4096)]
_Positive = Annotated[float, Field(gt=0)]
_First = Annotated[tuple[float, ...], Field(min_length=8, max_length=8)]


@dataclass(frozen=True, slots=True, config=_STRICT)
class Graph:
    """An ONNX file, and what its input and output are called."""

    file: str
    sha256: _Sha256
    input: str
    output: str


@dataclass(frozen=True, slots=True, config=_STRICT)
class ImageGraph(Graph):
    """Takes pictures, resized and normalised like this."""

    size_px: _Side
    resize: Annotated[str, _one_of(RESIZES)]
    fill: Annotated[int, Field(ge=0, le=255)]
    mean: tuple[float, float, float]
    std: tuple[_Positive, _Positive, _Positive]


@dataclass(frozen=True, slots=True, config=_STRICT)
class TextGraph(Graph):
    """Takes what this tokenizer makes of phrases."""

    tokenizer: Annotated[str, _one_of(TOKENIZERS)]


@dataclass(frozen=True, slots=True, config=_STRICT)
class GoldenText:
    """A phrase, and the first values of its vector."""

    text: str
    values: _First


@dataclass(frozen=True, slots=True, config=_STRICT)
class GoldenImage:
    """What `pattern` draws with these three, and the first values of its vector."""

    height: _Side
    width: _Side
    seed: Annotated[int, Field(ge=0, le=65_535)]
    values: _First


@dataclass(frozen=True, slots=True, config=_STRICT)
class Golden:
    """What the model must give, each value to within `tolerance`."""

    tolerance: _Positive
    texts: Annotated[tuple[GoldenText, ...], Field(min_length=1)]
    image: GoldenImage


@dataclass(frozen=True, slots=True, config=_STRICT)
class Preset:
    """A model as its TOML describes it."""

    name: _Name
    version: Annotated[int, Field(ge=1)]
    dim: Annotated[int, Field(ge=8)]
    aligned: bool
    licence: str
    card: str
    image: ImageGraph
    text: TextGraph
    golden: Golden

    @property
    def fingerprint(self) -> str:
        """Name, version and a hash of all that shapes a vector: both files, the preparation, the constants of its code."""
        image, text = self.image, self.text
        shaped = (
            VERSION,
            (image.sha256, image.size_px, image.resize, image.fill, image.mean, image.std),
            (text.sha256, text.tokenizer),
            constants(encoder_onnx_pixels),
            constants(encoder_onnx_words),
        )
        return f"{self.name}-{self.version}-{blake2b(repr(shaped).encode(), digest_size=4).hexdigest()}"


def read_preset(path: Path) -> Preset:
    """Read a model's TOML; raise InputError naming the file and the field that is wrong."""
    try:
        return TypeAdapter(Preset).validate_python(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        reason, hint = error.strerror or str(error), "Give the path of a model's .toml file."
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason, hint = str(error), "It must be TOML, in UTF-8."
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"])
        reason = f"{field}: {first['msg'].removeprefix('Value error, ')}"
        hint = "What a model's .toml holds stands at the top of lookalike/adapters/encoder_onnx_preset.py."
    raise InputError(f"model {path}: {reason}", hint=hint, code=CODE)


def verified(file: Path, sha256: str) -> Path:
    """Return the path of a model's file once its content is what the TOML says; raise InputError otherwise."""
    again = "Install the package, or fetch the model, once more."
    try:
        with file.open("rb") as stream:
            found = file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"model file {file}: {error.strerror}", hint=again, code=CODE) from None
    if found != sha256:
        raise InputError(
            f"model file {file} ({file.stat().st_size:,} bytes) is damaged or of another version:"
            f" its SHA-256 begins with {found[:12]}, the .toml says {sha256[:12]}",
            hint=again,
            code=CODE,
        )
    return file


def pattern(height: int, width: int, seed: int) -> Pixels:
    """Draw a patchwork of colours, 16 pixels a patch, by whole-number arithmetic alone -> uint8 [height, width, 3]."""
    row, column, channel = np.ogrid[:height, :width, :3]
    row, column = row // 16, column // 16
    values = (row * (67 + channel) + column * 151 + row * column * 17 + channel * 43 + seed * 29) % 256
    drawn: Pixels = values.astype(np.uint8)
    return drawn


def constants(module: ModuleType) -> dict[str, str]:
    """Return the numbers, words and patterns that a module's code relies on, by name."""
    plain = (int, float, str, tuple, re.Pattern)
    named = ((name, value) for name, value in sorted(vars(module).items()) if name.isupper())
    return {name: repr(value) for name, value in named if isinstance(value, plain)}
