"""Writes the TOML of a preset, with golden values that its own graphs give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_preset import pattern
from lookalike.adapters.encoder_torch import TRIED_PICTURES, TRIED_TEXTS

Table = dict[str, Any]
"""A preset, or one of the tables in it."""
ANYTHING: Final = 10.0
"""A tolerance that no value of a vector of length 1 passes."""


def write_unchecked(path: Path, table: Table) -> None:
    """Write a preset whose golden values say nothing yet: without any it could not be read."""
    given: dict[str, NDArray[np.float32]] = {
        kind: np.zeros((len(TRIED_TEXTS), 8), np.float32) for kind in ("image", "text") if kind in table
    }
    write_preset(path, table | {"golden": _golden(given, ANYTHING)})


def write_golden(path: Path, table: Table, tolerance: float) -> None:
    """Write a preset anew, with what its graphs give for the golden inputs."""
    encoder = OnnxEncoder.from_preset(path)
    given: dict[str, NDArray[np.float32]] = {}
    if encoder.sees:
        given["image"] = encoder.encode_images([pattern(*TRIED_PICTURES[0])])
    if encoder.reads:
        given["text"] = encoder.encode_texts(TRIED_TEXTS)
    write_preset(path, table | {"golden": _golden(given, tolerance)})


def _golden(given: Mapping[str, NDArray[np.float32]], tolerance: float) -> Table:
    """Return the golden table: the first 8 values of the vectors of the golden inputs, to five digits."""
    values = {kind: np.round(vectors[:, :8].astype(float), 5).tolist() for kind, vectors in given.items()}
    table: Table = {"tolerance": tolerance}
    if "text" in given:
        pairs = zip(TRIED_TEXTS, values["text"], strict=True)
        table["texts"] = [{"text": text, "values": first} for text, first in pairs]
    if "image" in given:
        height, width, seed = TRIED_PICTURES[0]
        table["image"] = {"height": height, "width": width, "seed": seed, "values": values["image"][0]}
    return table


def write_preset(path: Path, table: Table) -> None:
    """Write the TOML of a preset: what is of the model first, then its tables."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"# Written by `lookalike models export`; see {plain['card']}.", *map(_line, plain.items())]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += ["", f"[{key}]", *map(_line, value.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _line(item: tuple[str, Any]) -> str:
    return f"{item[0]} = {_value(item[1])}"


def _value(value: Any) -> str:
    """Write a value as TOML, whose strings, numbers and lists are written as those of JSON are."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(map(_line, value.items())) + " }"
    if isinstance(value, list | tuple):
        broken = len(value) > 0 and isinstance(value[0], Mapping)
        start, between, end = ("[\n  ", ",\n  ", ",\n]") if broken else ("[", ", ", "]")
        return start + between.join(map(_value, value)) + end
    return json.dumps(value, ensure_ascii=False)
