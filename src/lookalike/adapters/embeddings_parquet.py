"""Embeddings in Parquet files: made on one machine, read on another.

One row for each content of each product:

    id            string                the product
    space         string                image, title or description
    content_hash  string                of what was embedded (`core.types.content_hash`): of a picture's bytes, or of a text
    ref           string                of a picture: its path or URL; null of a text
    vector        float32 [dim]         of length 1 (or float16)

`vector` is a fixed-size list, or one of any length where spaces have vectors of several lengths. Under the key "lookalike" the
metadata of the file says who made the vectors of each space:

    {"format": 1, "spaces": {"image": {"encoder": "clip-vit-b32", "fingerprint": "clip-vit-b32-1-0c2f...", "dim": 512}, ...}}
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lookalike.core.errors import InputError, SourceError, VectorError

FORMAT: Final = 1
KEY: Final = b"lookalike"
ROWS_AT_ONCE: Final = 4_096
NAMES: Final = ("id", "space", "content_hash", "ref")
AGAIN: Final = (
    "It may be cut off, or no Parquet at all: copy it again, or take it away and run `lookalike embed` again."
)
WRITTEN_BY: Final = "Vectors that can be brought in are written by `lookalike embed`."


@dataclass(frozen=True, slots=True)
class MadeBy:
    """Who made the vectors of one space, and how long these are."""

    encoder: str
    fingerprint: str
    dim: int


Embedded = tuple[str, str, str, str | None, NDArray[np.float32]]
"""One row: id, space, content hash, ref, and the vector [dim]."""


# --- writing ------------------------------------------------------------------------------------------------------------


def write(path: Path, spaces: Mapping[str, MadeBy], rows: Iterable[Embedded], *, half: bool = False) -> int:
    """Write a file, as a whole or not at all; `half` keeps numbers in 16 bits. Return how many rows there are."""
    value = pa.float16() if half else pa.float32()
    dims = {made_by.dim for made_by in spaces.values()}
    vector = pa.list_(value, dims.pop()) if len(dims) == 1 else pa.list_(value)
    about = {"format": FORMAT, "spaces": {space: _said(made_by) for space, made_by in spaces.items()}}
    schema = pa.schema(
        [*((name, pa.string()) for name in NAMES), ("vector", vector)], {KEY: json.dumps(about).encode()}
    )
    written = 0
    with _replacing(path) as part, pq.ParquetWriter(part, schema, use_dictionary=["space"]) as writer:
        for some in _batches(rows):
            *said, vectors = zip(*some, strict=True)
            columns = [pa.array(cells, pa.string()) for cells in said]
            # float16 cannot be made of lists, so the numbers go in as one array, and their ends beside it
            numbers = np.concatenate(vectors).astype(np.float16 if half else np.float32)
            columns.append(_lists(numbers, [len(each) for each in vectors], vector))
            writer.write_batch(pa.record_batch(columns, schema=schema))
            written += len(some)
    return written


def write_array(source: Path, array: Path, names: Path) -> tuple[int, int]:
    """Write the vectors of a file as one array [rows, dim] for `numpy.load`, and the other columns as CSV; return its shape.

    Raises VectorError where there are vectors of several lengths: they are no array.
    """
    with opened(source) as file:
        dims = {made_by.dim for made_by in makers(file, source).values()}
        if len(dims) > 1:
            raise VectorError(
                f"{source} has vectors of several lengths, {', '.join(map(str, sorted(dims)))}: they are no array",
                hint="Embed pictures and texts by themselves: leave out --text-encoder.",
            )
        shape = (file.metadata.num_rows, dims.pop() if dims else 0)
        half = file.schema_arrow.field("vector").type.value_type == pa.float16()
        with _replacing(array) as made, _replacing(names) as listed:
            kind = np.float16 if half else np.float32
            rows = np.lib.format.open_memmap(made, "w+", dtype=kind, shape=shape)
            with listed.open("w", newline="", encoding="utf-8") as stream:
                lines = csv.writer(stream)
                lines.writerow(NAMES)
                start = 0
                for batch in batches(file, source):
                    numbers = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
                    rows[start : start + batch.num_rows] = numbers.reshape(batch.num_rows, -1)
                    lines.writerows(zip(*(batch.column(name).to_pylist() for name in NAMES), strict=True))
                    start += batch.num_rows
            rows.flush()
    return shape


def _said(made_by: MadeBy) -> dict[str, object]:
    return {"encoder": made_by.encoder, "fingerprint": made_by.fingerprint, "dim": made_by.dim}


def _batches(rows: Iterable[Embedded]) -> Iterator[list[Embedded]]:
    some: list[Embedded] = []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _lists(numbers: NDArray[Any], lengths: Sequence[int], kind: Any) -> Any:
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), kind.list_size)
    ends = np.cumsum([0, *lengths]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a file beside it that takes its place at the end, if nothing goes wrong."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# --- reading ------------------------------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield an open Parquet file; raise SourceError for what is none."""
    with _reading(path):
        file = pq.ParquetFile(path)
    with file:
        yield file


def batches(file: Any, path: Path) -> Iterator[Any]:
    """Yield the rows of an open file, so many at once; raise SourceError where they cannot be read."""
    with _reading(path):
        for group in range(file.num_row_groups):
            yield from file.iter_batches(ROWS_AT_ONCE, row_groups=[group])


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} cannot be read as Parquet: {reason}", hint=AGAIN) from None


def makers(file: Any, path: Path) -> dict[str, MadeBy]:
    """Return who made the vectors of each space of an open file; raise InputError for a file of another kind."""
    held = file.schema_arrow.metadata or {}
    try:
        said = json.loads(held[KEY])
        found = {space: MadeBy(**each) for space, each in said["spaces"].items()}
        known = said["format"] == FORMAT
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{path} does not say which encoder made its vectors", hint=WRITTEN_BY, code="vector"
        ) from None
    kinds = {field.name: field.type for field in file.schema_arrow}
    lacking = [name for name in NAMES if not _is_text(kinds.get(name))]
    if not _is_numbers(kinds.get("vector")):
        lacking.append("vector")
    if lacking or not known:
        raise InputError(
            f"{path} has no column {lacking[0]!r}, or one of another type"
            if lacking
            else f"{path} is of format {said['format']}, and {FORMAT} is known here",
            hint=WRITTEN_BY,
            code="vector",
        )
    return found


def _is_text(kind: Any) -> bool:
    return kind is not None and bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_numbers(kind: Any) -> bool:
    types = pa.types
    is_list = kind is not None and (
        types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)
    )
    return bool(is_list and types.is_floating(kind.value_type))
