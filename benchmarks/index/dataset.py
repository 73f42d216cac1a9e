"""A data set as it lies on disk, and what a filter is called. NumPy only: this is also read in the peers' environments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Kind = Literal["none", "random", "far", "near"]

CHUNK = 32_768
SHARES = (0.5, 0.1, 0.01, 0.001)
KINDS = ("in", "cross")
"""Queries like the base, and queries from another modality than the base."""


def home() -> Path:
    """Return where everything is kept unless said otherwise."""
    return Path(os.environ.get("LOOKALIKE_BENCH") or Path.home() / ".cache" / "lookalike-bench")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which filter a cell is about: `none`, `random:0.01`, `far:0.1`, `near:0.5`; `:fresh` means never seen before."""

    kind: Kind
    share: float = 1.0
    fresh: bool = False

    @classmethod
    def read(cls, text: str) -> Filter:
        """Read the written form; raise ValueError for anything else."""
        kind, *rest = text.split(":")
        if kind == "none" and not rest:
            return cls("none")
        if kind not in ("random", "far", "near") or not rest or rest[1:] not in ([], ["fresh"]):
            raise ValueError(
                f"no filter {text!r}: write none, random:0.01, far:0.01, near:0.01, each also with :fresh"
            )
        share = float(rest[0])
        if not 0 < share <= 1:
            raise ValueError(f"{text!r}: the share is above 0 and at most 1")
        return cls(kind, share, bool(rest[1:]))  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """Return what its masks are kept under; a fresh filter has those of the one that is not."""
        return "none" if self.kind == "none" else f"{self.kind}:{self.share:g}"

    def __str__(self) -> str:
        return self.name + (":fresh" if self.fresh else "")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Unit vectors [count, dim] in `folder`/base.npy (half or single precision), with queries, regions and true answers."""

    folder: Path
    count: int
    dim: int

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Open a finished data set; raise FileNotFoundError when it is not finished."""
        facts = json.loads((folder / "meta.json").read_text())
        return cls(folder, facts["count"], facts["dim"])

    @property
    def name(self) -> str:
        """Return what it is called in results."""
        return self.folder.name

    def mapped(self) -> NDArray[np.floating]:
        """Return the stored rows, mapped; half precision rows are not exactly of unit length (see `take`)."""
        rows: NDArray[np.floating] = np.load(self.folder / "base.npy", mmap_mode="r")
        return rows

    def take(self, ids: Ids) -> Rows:
        """Return some rows, float32 of unit length."""
        return _as_unit(self.mapped()[ids])

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[int, Rows]]:
        """Read all rows in order as (first id, float32 [<= size, dim]), through a file, so that no mapping counts as memory."""
        stored = self.mapped()
        with (self.folder / "base.npy").open("rb") as file:
            file.seek(stored.offset)  # type: ignore[attr-defined]
            for start in range(0, self.count, size):
                length = min(size, self.count - start)
                raw = np.fromfile(file, stored.dtype, length * self.dim)
                if hasattr(
                    os, "posix_fadvise"
                ):  # what was read once is not worth the place of what is searched
                    os.posix_fadvise(file.fileno(), 0, file.tell(), os.POSIX_FADV_DONTNEED)
                yield start, _as_unit(raw.reshape(length, self.dim))

    def whole(self) -> Rows:
        """Return all rows in memory, for engines that take nothing else."""
        rows = np.empty((self.count, self.dim), np.float32)
        for start, part in self.chunks():
            rows[start : start + len(part)] = part
        return rows

    def queries(self, kind: str, part: str) -> Rows:
        """Return the queries of a kind ("in", "cross") for a part ("tuning", "timed"), float32 [n, dim]."""
        every: Rows = np.load(self.folder / f"queries-{kind}.npy")
        return every[self.part(part)]

    @property
    def tuning(self) -> int:
        """Return how many of the queries, the first ones, are for choosing parameters."""
        return int(json.loads((self.folder / "meta.json").read_text())["tuning"])

    def part(self, part: str) -> slice:
        """Return which of the queries belong to a part."""
        return slice(0, self.tuning) if part == "tuning" else slice(self.tuning, None)


def _as_unit(stored: NDArray[np.floating]) -> Rows:
    """Return float32 rows of unit length; single precision rows have it already and stay as they are, to the bit."""
    return stored if stored.dtype == np.float32 else unit(stored)


def unit(rows: NDArray[np.floating]) -> Rows:
    """Return the rows as float32, scaled to length 1."""
    out = np.asarray(rows, np.float32)
    lengths: Rows = np.sqrt(np.einsum("nd,nd->n", out, out))
    return out / lengths[:, None]
