"""Vectors that were embedded elsewhere, taken from Parquet files (see `embeddings_parquet`) by what was embedded.

The files are read once and checked as a whole, so that nothing is brought in of one that is wrong. Vectors wait in a file
without a name, only their hashes in memory: 32 bytes for each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lookalike.adapters.embeddings_parquet import (
    ROWS_AT_ONCE,
    WRITTEN_BY,
    MadeBy,
    batches,
    makers,
    opened,
)
from lookalike.core.errors import EncoderMismatch, InputError, SourceError, VectorError
from lookalike.core.types import Vectors, content_hash

UNIT: Final = 2e-3
"""How far from 1 the length of a vector may be: 16-bit numbers move it by a tenth of this at most."""
SAME_COSINE: Final = 0.999


@dataclass(slots=True)
class _Shelf:
    """What was read of one space: vectors one after the other in a file that has no name, and the hash of each."""

    made_by: MadeBy
    stream: IO[bytes]
    hashes: bytearray = field(default_factory=bytearray)
    owners: bytearray = field(default_factory=bytearray)
    order: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    sorted: NDArray[np.bytes_] = field(default_factory=lambda: np.empty(0, "S16"))
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


class GivenVectors:
    """Vectors from files, by what was embedded; read once, checked, and kept on disk. Is an `engine.ingest.Given`.

    `wanted` says whose vectors they must be, by space; a space that is not in it is left out. Raises EncoderMismatch for those
    of another encoder, VectorError for vectors that are of another length, not finite or not of length 1, InputError for rows
    that come twice and files that were written by something else, SourceError for files that cannot be read.
    """

    def __init__(self, paths: Sequence[Path], wanted: Mapping[str, MadeBy]) -> None:
        self._shelves: dict[str, _Shelf] = {}
        try:
            for path in files_of(paths):
                self._read(path, wanted)
            for space, shelf in self._shelves.items():
                _settle(space, shelf)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Count the contents there are vectors of."""
        return sum(len(shelf.sorted) for shelf in self._shelves.values())

    def close(self) -> None:
        """Let go of what was read."""
        for shelf in self._shelves.values():
            shelf.stream.close()

    def __call__(
        self, wanted: Collection[tuple[str, str]], fingerprints: Mapping[str, str]
    ) -> dict[tuple[str, str], Vectors]:
        """Return the vectors that are here, float32 [dim] each, of these contents under fingerprints[space]."""
        found: dict[tuple[str, str], Vectors] = {}
        for space, shelf in self._shelves.items():
            contents = [content for content in wanted if content[0] == space]
            if not len(shelf.sorted) or shelf.made_by.fingerprint != fingerprints.get(space):
                continue
            asked = np.array([bytes.fromhex(digest) for _, digest in contents], "S16")
            places = np.minimum(np.searchsorted(shelf.sorted, asked), len(shelf.sorted) - 1)
            there = shelf.sorted[places] == asked
            rows = shelf.order[places]
            for content, row, is_there in zip(contents, rows.tolist(), there.tolist(), strict=True):
                if is_there:
                    found[content] = np.array(shelf.vectors[row])
        return found

    def _read(self, path: Path, wanted: Mapping[str, MadeBy]) -> None:
        with opened(path) as file:
            spaces = {space: made_by for space, made_by in makers(file, path).items() if space in wanted}
            for space, made_by in spaces.items():
                _require_same(path, space, made_by, wanted[space])
                if space not in self._shelves:
                    self._shelves[space] = _Shelf(wanted[space], tempfile.TemporaryFile())  # noqa: SIM115 - `close` does
            for batch in batches(file, path):
                for space in spaces:
                    self._take(path, space, batch.filter(pc.equal(batch.column("space"), space)))

    def _take(self, path: Path, space: str, batch: Any) -> None:
        """Check the rows of one space, and keep them."""
        shelf = self._shelves[space]
        dim, column = shelf.made_by.dim, batch.column("vector")
        if any(batch.column(name).null_count for name in ("id", "content_hash", "vector")):
            raise InputError(
                f"{path}: a row has no id, content hash or vector", hint=WRITTEN_BY, code="vector"
            )
        if not pc.all(pc.equal(pc.list_value_length(column), dim)).as_py() and batch.num_rows:
            raise VectorError(
                f"{path}: a {space} vector is not of {dim} numbers",
                hint=f"{shelf.made_by.encoder} makes vectors of {dim}. {WRITTEN_BY}",
            )
        numbers = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        vectors = numbers.reshape(batch.num_rows, dim)
        ids, digests = batch.column("id").to_pylist(), batch.column("content_hash").to_pylist()
        lengths = np.linalg.norm(vectors, axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1) < UNIT))
        if len(wrong):
            what = (
                "NaN or infinite numbers" if not np.isfinite(lengths[wrong[0]]) else "a length other than 1"
            )
            raise VectorError(
                f"{path}: the {space} vector of {ids[wrong[0]]!r} has {what}",
                hint="Embed that product again; what is stored must be finite and of length 1.",
            )
        shelf.hashes += b"".join(_digest(path, digest) for digest in digests)
        shelf.owners += b"".join(
            bytes.fromhex(content_hash(f"{digest} {id_}")) for id_, digest in zip(ids, digests, strict=True)
        )
        # As the encoder gives them: to the last bit in 32 bits, of length 1 again in 16.
        half = batch.schema.field("vector").type.value_type == pa.float16()
        shelf.stream.write((vectors / lengths[:, None] if half else vectors).tobytes())


def _require_same(path: Path, space: str, held: MadeBy, wanted: MadeBy) -> None:
    if held.fingerprint != wanted.fingerprint:
        raise EncoderMismatch(
            f"the {space} vectors of {path} were made by {held.encoder} ({held.fingerprint}), not by"
            f" {wanted.encoder} ({wanted.fingerprint})",
            hint="Vectors of different encoders cannot be compared: name that encoder, or embed with this one.",
        )
    if held.dim != wanted.dim:
        raise VectorError(
            f"the {space} vectors of {path} have {held.dim} numbers, those of {wanted.encoder} {wanted.dim}",
            hint=WRITTEN_BY,
        )


def _digest(path: Path, digest: str) -> bytes:
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise InputError(f"{path}: {digest!r} is no content hash", hint=WRITTEN_BY, code="vector")
    return raw


def _settle(space: str, shelf: _Shelf) -> None:
    """Put the hashes in order; raise InputError if a product has a content twice, or a content two vectors."""
    owners = np.sort(np.frombuffer(shelf.owners, "V16").view("S16"))
    twice = int(np.count_nonzero(owners[1:] == owners[:-1]))
    if twice:
        raise InputError(
            f"{twice:,} {space} vectors are there twice, of the same product and content",
            hint="Name each file once; ids must be unique over all parts of a source.",
            code="vector",
        )
    shelf.owners.clear()
    hashes = np.frombuffer(bytes(shelf.hashes), "S16")
    shelf.order = np.argsort(hashes, kind="stable")
    shelf.sorted = hashes[shelf.order]
    shelf.stream.flush()
    if len(hashes):
        shape = (len(hashes), shelf.made_by.dim)
        shelf.vectors = np.memmap(shelf.stream, np.float32, "r", shape=shape)
    for start in range(0, len(hashes) - 1, ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, len(hashes) - 1)
        same = start + np.flatnonzero(shelf.sorted[start:end] == shelf.sorted[start + 1 : end + 1])
        pairs = shelf.vectors[shelf.order[same]], shelf.vectors[shelf.order[same + 1]]
        if (np.einsum("nd,nd->n", *pairs) < SAME_COSINE).any():
            raise InputError(
                f"one and the same {space} has two different vectors",
                hint="Files of several runs do not fit together: embed again.",
                code="vector",
            )


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return these files, and those in folders among them; raise SourceError where there is nothing."""
    found: list[Path] = []
    for path in paths:
        some = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        missing = not some or not some[0].is_file()
        if missing:
            what = "no .parquet files in" if path.is_dir() else "no file"
            raise SourceError(f"there is {what} {path}", hint="Check the path.")
        found += some
    return found
