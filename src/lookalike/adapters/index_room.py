"""Where the rows of a large segment are kept: in memory, in single precision, or in a file, in half precision.

A room has place behind its rows, so that more can be written there while readers look at those before. The file of a room has
no name: it is gone when nobody has it open any more, however the process ends. It is mapped for reading, and written to by
`pwrite`: a full disk is an OSError then, where writing to a mapping would end the process.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from weakref import finalize

import numpy as np

from lookalike.adapters.index_rows import Stored

KEPT_PART, RECENT_PART, TRAINED_PART, EXACT_PART = 4, 8, 4, 4
"""The part of a memory budget (one in so many) for cells with their vectors, of which there are two while new ones are made;
for recent rows; for the sample that centroids are learned from; and for the rows that are still scanned exactly."""
LEAST_RECENT, LEAST_EXACT = 256, 5000
"""However small a budget is, so many rows are worth keeping in memory."""
PER_ROW = 45
"""Bytes of memory for each row beside its vector and its code: key, product, place, cell, number, whether it is alive."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Room:
    """Place for rows of vectors: float32 in memory, or float16 in a file. Only its newest owner may write to it."""

    array: Stored
    """[size, dim]; what was not written yet takes no memory, and no place on the disk."""
    file: int | None = None
    """The descriptor that is written to; None for memory."""

    def put(self, at: int, rows: Stored) -> None:
        """Write rows so that the first is number `at`. Raises OSError when the disk is full."""
        if self.file is None:
            self.array[at : at + len(rows)] = rows
            return
        data = memoryview(np.ascontiguousarray(rows, self.array.dtype).reshape(-1).view(np.uint8).data)
        place = at * self.array.strides[0]
        while len(data):
            written = os.pwrite(self.file, data, place)
            place, data = place + written, data[written:]

    @property
    def writable(self) -> bool:
        """Whether there can be written to it: not to files of a snapshot."""
        return self.file is not None or self.array.flags.writeable

    @property
    def on_disk(self) -> bool:
        """Whether the rows are in half precision, which is what files have."""
        return self.array.dtype == np.float16


@dataclass(frozen=True, slots=True)
class Rooms:
    """How much memory an index may take for its cells, in bytes (None: as much as it needs), and where files go beyond that."""

    memory_bytes: int | None = None
    folder: Path | None = None

    def on_disk(self, rows: int, dim: int) -> bool:
        """Say whether so many rows are too many to be kept in memory beside their codes."""
        if self.memory_bytes is None:
            return False
        return held_bytes(rows, dim, on_disk=False) > self.memory_bytes // KEPT_PART

    def make(self, rows: int, size: int, dim: int) -> Room:
        """Return a room for so many rows, with place for `size`. Raises OSError where there can be no file."""
        if not self.on_disk(rows, dim):
            return Room(np.empty((size, dim), np.float32))
        return _in_a_file(size, dim, self.folder)

    def recent_rows(self, dim: int) -> int | None:
        """Return how many recent rows may wait in memory until writers have to; None for any number."""
        return self._rows(RECENT_PART, 4 * dim, LEAST_RECENT)

    def trained_rows(self, dim: int) -> int | None:
        """Return how many rows may be learned from at most."""
        return self._rows(TRAINED_PART, 4 * dim, LEAST_EXACT)

    def exact_rows(self, dim: int) -> int | None:
        """Return how many rows may be scanned exactly, which takes both precisions in memory."""
        return self._rows(EXACT_PART, 6 * dim, LEAST_EXACT)

    def _rows(self, part: int, bytes_each: int, least: int) -> int | None:
        if self.memory_bytes is None:
            return None
        return max(self.memory_bytes // part // bytes_each, least)


def held_bytes(rows: int, dim: int, *, on_disk: bool) -> int:
    """Return the bytes of memory that cells of so many rows take once they are made, centroids left out."""
    code = dim // 4 if dim % 2 == 0 else dim // 2
    return rows * (code + PER_ROW + (0 if on_disk else 4 * dim))


def _in_a_file(size: int, dim: int, folder: Path | None) -> Room:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if not hasattr(os, "pwrite"):  # Windows: half the memory, at least
        return Room(np.empty((size, dim), np.float16))
    with TemporaryFile(dir=folder or gettempdir()) as file:
        descriptor = os.dup(file.fileno())
    try:
        os.ftruncate(descriptor, size * dim * 2)
        mapped = mmap.mmap(descriptor, size * dim * 2, mmap.MAP_SHARED, mmap.PROT_READ)
    except BaseException:
        os.close(descriptor)
        raise
    if hasattr(mmap, "MADV_RANDOM"):
        mapped.madvise(mmap.MADV_RANDOM)  # else rows nobody asked for are read as well
    room = Room(np.frombuffer(mapped, np.float16).reshape(size, dim), descriptor)
    finalize(room, os.close, descriptor)
    return room
