"""What the TOML of a model says: its files, how inputs are prepared, and a few vectors it must give.

    name = "small"                  # letters, digits, "-", "_" and "."; with version and hashes it makes the fingerprint
    version = 1
    dim = 256
    aligned = true                  # a phrase and a picture of what it says lie close
    licence = "Apache-2.0"          # an SPDX name, or what its owners call it
    licence_class = "open"          # open (default) | non-commercial | custom
    card = "small.md"               # what it was trained on and what it is good for: a file beside the TOML, or a URL
    summary = "..."                 # one line for lists (default "")
    hub = "owner/name"              # where the files are; without it they lie beside the TOML
    revision = "main"               # branch, tag or commit there (default main)
    source = "owner/name"           # the same weights for torch, where there are any
    size_mb = 600                   # of all files; 0 (default) when nobody counted

    [image]                         # float32 [n, 3, size_px, size_px], RGB; absent in a model of texts alone
    file = "small-image.onnx"       # as seen from the TOML, or in the hub's repository
    sha256 = "..."                  # may be left out with `hub`: then that of the lock file counts
    data = "small-image.onnx_data"  # where a graph keeps its weights, if not in itself (default: FILE_data or FILE.data, if
                                    # it is there)
    data_sha256 = "..."             # of that file; with `hub` like sha256
    input = "pixels"                # names in the graph
    output = "vectors"
    pool = "none"                   # a row of POOLS: what makes one vector of the output (default none)
    size_px = 96
    resize = "letterbox"            # a row of RESIZES
    resize_px = 96                  # what the shorter side becomes for shortest-edge (default size_px)
    interpolation = "bicubic"       # a row of FILTERS (default bicubic)
    fill = 255                      # grey level beside the picture (default 255)
    mean = [0.5, 0.5, 0.5]          # of values from 0 to 1
    std = [0.25, 0.25, 0.25]

    [text]                          # int64 [n, tokens] or [n, words, ...]; absent in a model of pictures alone
    file = "small-text.onnx"
    sha256 = "..."
    input = "input_ids"
    output = "vectors"
    pool = "none"                   # mean: over the tokens that are no padding
    tokenizer = "file"              # hashed-words (default) | file; what follows is for the latter
    tokenizer_file = "tokenizer.json"       # of the `tokenizers` library (default as here)
    tokenizer_sha256 = "..."        # like sha256
    mask = "attention_mask"         # the input that says which tokens are no padding (default as here), "" for none
    types = ""                      # the input of token types, "" (default) for none
    context = 77                    # the most tokens of a text, the marks at its ends included (default 77)
    pad_to = "longest"              # or "context": every text is made so long
    pad = "</s>"                    # the padding token, where the tokenizer file names none (default "": it does)
    prefix = ""                     # before every text (default "")
    lowercase = false               # whether letters are made small first, for models that saw no others (default false)
    punctuation = true              # false takes !"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ away first (default true)

    [golden]                        # may be left out with `hub`
    tolerance = 1e-4
    texts = [{ text = "red check shirt", values = [...] }]              # the first 8 values of the vector
    image = { height = 60, width = 80, seed = 1, values = [...] }       # of the picture that `pattern` draws

No row may depend on the other rows of its batch. So a graph that quantises activations as it runs (dynamic quantisation: one
scale for the whole batch) is of no use here; one with quantised weights, or with scales that were fixed beforehand, is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lookalike.adapters import encoder_onnx_pixels, encoder_onnx_words
from lookalike.adapters.encoder_onnx_pixels import FILTERS, RESIZES
from lookalike.adapters.encoder_onnx_pools import POOLS
from lookalike.adapters.model_lock import BESIDE
from lookalike.core.errors import InputError
from lookalike.core.types import Pixels

VERSION: Final = 1
"""Raise it when the same preset begins to mean something else."""
CODE: Final = "model"
"""The code of every error about a model's files."""
OUTPUT: Final = "vectors"
"""What the output of the first graphs is called."""
TOKENIZERS: Final = ("hashed-words", "file")
"""What a preset can ask for; `encoder_onnx_tokens` has them."""


def _one_of(known: Mapping[str, object] | tuple[str, ...]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name!r} is none of: {', '.join(known)}")
        return name

    return AfterValidator(check)


_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
_HubName = Annotated[str, Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$")]
_File = Annotated[str, Field(min_length=1)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Side = Annotated[int, Field(ge=1, le=4096)]
_Positive = Annotated[float, Field(gt=0)]
_First = Annotated[tuple[float, ...], Field(min_length=8, max_length=8)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Graph:
    """An ONNX file, what its input and output are called, and how the output becomes vectors."""

    file: _File
    sha256: _Sha256 | None = None
    data: _File | None = None
    data_sha256: _Sha256 | None = None
    input: str
    output: str
    pool: Annotated[str, _one_of(POOLS)] = "none"

    @property
    def weights(self) -> str | None:
        """The file beside it that it keeps its weights in, where that is known."""
        return self.data or (self.file + BESIDE[0] if self.data_sha256 is not None else None)

    @property
    def hashes(self) -> str | tuple[str | None, str] | None:
        """What it is: its SHA-256, and that of its weights where they are in a file of their own."""
        return self.sha256 if self.data_sha256 is None else (self.sha256, self.data_sha256)


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class ImageGraph(Graph):
    """Takes pictures, resized and normalised like this."""

    size_px: _Side
    resize: Annotated[str, _one_of(RESIZES)]
    resize_px: _Side | None = None
    interpolation: Annotated[str, _one_of(FILTERS)] = "bicubic"
    fill: Annotated[int, Field(ge=0, le=255)] = 255
    mean: tuple[float, float, float]
    std: tuple[_Positive, _Positive, _Positive]

    def __post_init__(self) -> None:
        """Refuse to crop more than there is."""
        if self.resize_px is not None and self.resize_px < self.size_px:
            raise ValueError(f"resize_px: {self.resize_px} is less than size_px, {self.size_px}")


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class TextGraph(Graph):
    """Takes what this tokenizer makes of phrases."""

    tokenizer: Annotated[str, _one_of(TOKENIZERS)] = "hashed-words"
    tokenizer_file: _File = "tokenizer.json"
    tokenizer_sha256: _Sha256 | None = None
    mask: str = "attention_mask"
    types: str = ""
    context: Annotated[int, Field(ge=1, le=32_768)] = 77
    pad_to: Literal["longest", "context"] = "longest"
    pad: str = ""
    prefix: str = ""
    lowercase: bool = False
    punctuation: bool = True


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
    texts: tuple[GoldenText, ...] = ()
    image: GoldenImage | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Preset:
    """A model as its TOML describes it."""

    name: _Name
    version: Annotated[int, Field(ge=1)]
    dim: Annotated[int, Field(ge=8)]
    aligned: bool
    licence: str
    licence_class: Literal["open", "non-commercial", "custom"] = "open"
    card: str
    summary: str = ""
    hub: _HubName | None = None
    revision: str = "main"
    source: str | None = None
    size_mb: Annotated[int, Field(ge=0)] = 0
    image: ImageGraph | None = None
    text: TextGraph | None = None
    golden: Golden | None = None

    def __post_init__(self) -> None:
        """Refuse a model that does nothing, and what nobody could check."""
        if self.image is None and self.text is None:
            raise ValueError("there must be a table [image] or [text]")
        if self.aligned and (self.image is None or self.text is None):
            raise ValueError("aligned: only a model with [image] and [text] can be")
        if self.golden is not None and (
            (self.golden.texts and self.text is None) or (self.golden.image and self.image is None)
        ):
            raise ValueError("golden: it has values of what the model does not do")
        for wrong in self._unsafe() if self.hub else self._unchecked():
            raise ValueError(wrong)

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The one or two it has."""
        return tuple(graph for graph in (self.image, self.text) if graph is not None)

    def files(self) -> dict[str, str | None]:
        """Return the files it is made of, as the TOML calls them, each with its SHA-256 where the TOML or a lock says it."""
        found = {graph.file: graph.sha256 for graph in self.graphs}
        found |= {graph.weights: graph.data_sha256 for graph in self.graphs if graph.weights is not None}
        if self.text is not None and self.text.tokenizer == "file":
            found[self.text.tokenizer_file] = self.text.tokenizer_sha256
        return found

    @property
    def fingerprint(self) -> str:
        """Name, version and a hash of all that shapes a vector: the files, the preparation, the constants of its code."""
        shaped = (
            VERSION,
            *(() if self.image is None else (_shape_of_images(self.image),)),
            *(() if self.text is None else (_shape_of_texts(self.text),)),
            constants(encoder_onnx_pixels),
            constants(encoder_onnx_words),
        )
        return f"{self.name}-{self.version}-{blake2b(repr(shaped).encode(), digest_size=4).hexdigest()}"

    def _unsafe(self) -> Iterator[str]:
        """Say which files of a hub's repository would lie outside the folder they are fetched to."""
        for file in self.files():
            outside = ".." in PurePosixPath(file).parts or file.startswith("/")
            if outside or "\\" in file or ":" in file:  # C:/ is a place of its own
                yield f"{file!r} is no path inside {self.hub}"

    def _unchecked(self) -> Iterator[str]:
        """Say what a model must have whose files come with its TOML."""
        for file, sha256 in self.files().items():
            if sha256 is None:
                yield f"the SHA-256 of {file} is missing, and there is no hub"
        golden = self.golden
        if golden is None:
            yield "golden: it is missing, and there is no hub"
        elif self.text is not None and not golden.texts:
            yield "golden.texts: there must be one at least"
        elif self.image is not None and golden.image is None:
            yield "golden.image: it is missing"


def _shape_of_images(graph: ImageGraph) -> tuple[object, ...]:
    """Return what of a graph of pictures shapes a vector; what is newer than the first presets only where it is used."""
    held: tuple[object, ...] = (graph.hashes, graph.size_px, graph.resize, graph.fill, graph.mean, graph.std)
    newer = {"pool": graph.pool, "interpolation": graph.interpolation, "resize_px": graph.resize_px}
    plain = {"pool": "none", "interpolation": "bicubic", "resize_px": None}
    held = held if newer == plain else (*held, newer)
    return (*held, *_other_than({"output": OUTPUT}, graph))


def _shape_of_texts(graph: TextGraph) -> tuple[object, ...]:
    """Return what of a graph of texts shapes a vector."""
    held: tuple[object, ...] = (graph.hashes, graph.tokenizer)
    if graph.pool != "none" or graph.prefix:
        held = (*held, graph.pool, graph.prefix)
    if graph.tokenizer == "file":
        held = (*held, graph.tokenizer_sha256, graph.context, graph.pad_to, graph.pad)
    usual = {"output": OUTPUT, "mask": "attention_mask", "types": "", "lowercase": False, "punctuation": True}
    return (*held, *_other_than(usual, graph))


def _other_than(usual: Mapping[str, object], graph: Graph) -> tuple[object, ...]:
    """Return the fields of a graph that are not as usual, by name; nothing where all are, as in the first presets."""
    said = {name: getattr(graph, name) for name, value in usual.items() if getattr(graph, name) != value}
    return (said,) if said else ()


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
        reason = ": ".join(filter(None, (field, first["msg"].removeprefix("Value error, "))))
        hint = "What a model's .toml holds stands at the top of lookalike/adapters/encoder_onnx_preset.py."
    raise InputError(f"model {path}: {reason}", hint=hint, code=CODE)


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
