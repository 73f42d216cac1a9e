"""Snapshots of indexes on disk: files, a manifest, checksums, and folders that appear whole or not at all.

    shop.db.index/
      lock                  whoever writes holds it
      snapshot-00000007/    the one before, to fall back on
      snapshot-00000008/    the newest
        manifest.json       format, what it is of, and the size and checksums of every other file; written last
        image.0.vectors     float32 rows as they are, to be mapped
        ...

A snapshot is written as `partial-...`, every file and the folder itself handed to the disk, and then renamed: one that is there
under its name is whole, unless somebody changed it. Files that matter for safety are read and compared with their checksum when
a snapshot is opened; of those that are `large`, which are only ever compared with, as many blocks as `SAMPLED`, and all of them
later, by `verify`. Nothing is pickled. What indexes put into the files is their own affair.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from io import BufferedWriter
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows; there, only one process may write snapshots
    flock = None  # type: ignore[assignment]

log = logging.getLogger("lookalike.snapshots")

FORMAT = 2
"""Of the manifest and of what indexes put into files: a newer one is left alone. 2: vectors may be in half precision."""
MANIFEST = "manifest.json"
NAMED, PARTIAL = "snapshot-", "partial-"
KEPT = 2
"""Snapshots that stay: the newest, and one to fall back on."""
SAMPLED = 64
BLOCK = 1 << 20
"""Bytes read at a time, and of each sampled block."""


class Unusable(Exception):  # noqa: N818 - it never leaves this package
    """Why a snapshot cannot be used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the manifest says of one file. `sampled` is the checksum of some blocks; None for a file that is always read whole.

    `dtype` and `shape` are those of the array it is; "" and () for other files.
    """

    bytes: int
    blake2b: str
    sampled: str | None = None
    dtype: str = ""
    shape: tuple[int, ...] = ()


class Writing:
    """A snapshot being written: files in a folder, and what the manifest will say of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}

    def array(self, name: str, array: NDArray[Any], *, large: bool = False) -> None:
        """Write an array as its bytes, little-endian, row after row. Of a `large` one, opening looks only at samples."""
        flat = np.ascontiguousarray(array)
        flat = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
        data = memoryview(flat.reshape(-1).view(np.uint8).data)
        with self.stream(name, large=large) as write:
            for start in range(0, len(data), BLOCK):
                write(data[start : start + BLOCK])
        self.entries[name] = replace(self.entries[name], dtype=flat.dtype.str, shape=flat.shape)

    @contextmanager
    def stream(self, name: str, *, large: bool = False) -> Iterator[Callable[[bytes | memoryview], int]]:
        """Write a file piece by piece, by the function that the block gets."""
        with self._file(name) as (file, digest):

            def write(data: bytes | memoryview) -> int:
                digest.update(data)
                return file.write(data)

            yield write
        path = self.folder / name
        size = path.stat().st_size
        sampled = sample_of(path) if large and size > SAMPLED * BLOCK else None
        self.entries[name] = Entry(size, digest.hexdigest(), sampled)

    @contextmanager
    def _file(self, name: str) -> Iterator[tuple[BufferedWriter, Any]]:
        with (self.folder / name).open("xb") as file:
            yield file, blake2b(digest_size=16)
            file.flush()
            os.fsync(file.fileno())

    def finish(self, head: Mapping[str, Any]) -> None:
        """Write the manifest, which says what the snapshot is of (`head`, for JSON)."""
        files = {
            name: {key: getattr(entry, key) for key in Entry.__slots__}
            for name, entry in self.entries.items()
        }
        body = {"format": FORMAT, "head": head, "files": files}
        with self._file(MANIFEST) as (file, _):
            file.write(json.dumps({"blake2b": _digest_of(body), **body}, indent=1).encode())
        sync_folder(self.folder)


@dataclass(frozen=True, slots=True)
class Opened:
    """A snapshot whose manifest was read and whose files were looked at. `head` is what its writer said of it."""

    folder: Path
    head: Mapping[str, Any]
    entries: Mapping[str, Entry] = field(repr=False)

    def array(self, name: str) -> NDArray[Any]:
        """Map an array into memory: read-only, shared with other processes that map it, and read as it is looked at."""
        entry = self.entry(name)
        if not entry.bytes:  # nothing cannot be mapped
            return np.zeros(entry.shape, np.dtype(entry.dtype))
        mapped = np.memmap(self.folder / name, np.dtype(entry.dtype), "r", shape=entry.shape)
        return np.asarray(mapped)

    def path(self, name: str) -> str:
        """Return where a file is, for a library that reads it itself."""
        self.entry(name)
        return str(self.folder / name)

    def entry(self, name: str) -> Entry:
        """Return what the manifest says of a file; raise Unusable if it has no such file."""
        if name not in self.entries:
            raise Unusable(f"it has no file {name}")
        return self.entries[name]

    def check(self, *, whole: bool) -> None:
        """Compare the files with the manifest, with `whole` all of the large ones too; raise Unusable if one differs."""
        for name, entry in self.entries.items():
            path = self.folder / name
            sampled = entry.sampled if not whole else None
            try:
                size = path.stat().st_size
                if size != entry.bytes:
                    raise Unusable(f"{name} has {size:,} bytes instead of {entry.bytes:,}")
                same = sample_of(path) == sampled if sampled else digest_of(path) == entry.blake2b
            except OSError as error:
                raise Unusable(f"{name} cannot be read ({error.strerror})") from error
            if not same:
                raise Unusable(f"{name} is not what was written: its checksum differs")


class SnapshotFolder:
    """The snapshots of one catalogue. Several processes may read them; one at a time writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> Iterator[Opened]:
        """Yield the snapshots that can be read, the newest first, files unseen; say in the log why others cannot."""
        for folder in self._named():
            try:
                yield read_manifest(folder)
            except Unusable as error:
                log.warning("the index snapshot %s is not used: %s", folder, error)

    def write(
        self,
        fill: Callable[[Writing], Mapping[str, Any] | None],
        before: Callable[[Mapping[str, Any]], None],
    ) -> bool:
        """Write a snapshot: `fill` writes its files and returns its head; `before` gets that just before the snapshot counts.

        Return False, with nothing written, while another process is at it, or if `fill` returns None. Raises OSError when
        there is no room; then what was written is gone again, as it is when `fill` or `before` fail.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked() as locked:
            if not locked:
                return False
            self._sweep()
            partial = self.folder / f"{PARTIAL}{uuid4().hex[:12]}"
            try:
                partial.mkdir()
                writing = Writing(partial)
                head = fill(writing)
                if head is None:
                    rmtree(partial, ignore_errors=True)
                    return False
                writing.finish(head)
                before(head)
                numbers = [int(each.name.removeprefix(NAMED)) for each in self._named()]
                final = self.folder / f"{NAMED}{max(numbers, default=0) + 1:08}"
                partial.rename(final)
                sync_folder(self.folder)
            except BaseException:
                rmtree(partial, ignore_errors=True)
                raise
            self._forget_all_but(final)
        return True

    def forget(self, snapshot: Opened) -> None:
        """Take away a snapshot that has turned out to be bad. Those who have mapped it keep what they have."""
        rmtree(snapshot.folder, ignore_errors=True)

    def _named(self) -> list[Path]:
        """Return the folders of snapshots, the newest first."""
        found = [each for each in self.folder.glob(f"{NAMED}*") if each.name.removeprefix(NAMED).isdigit()]
        return sorted(found, key=lambda each: -int(each.name.removeprefix(NAMED)))

    def _sweep(self) -> None:
        """Take away what writers left that were killed: we hold the lock, so none of them is alive."""
        for left in self.folder.glob(f"{PARTIAL}*"):
            rmtree(left, ignore_errors=True)

    def _forget_all_but(self, newest: Path) -> None:
        """Keep the newest and the newest of the others that could be fallen back on."""
        kept = 1
        for folder in self._named():
            if folder == newest:
                continue
            if kept < KEPT:
                with suppress(Unusable):
                    read_manifest(folder).check(whole=False)
                    kept += 1
                    continue
            rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock, which ends with the process however that ends; False if somebody else holds it."""
        with (self.folder / "lock").open("wb") as file:
            if flock is not None:
                try:
                    flock(file, LOCK_EX | LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
            yield True


def read_manifest(folder: Path) -> Opened:
    """Read what a snapshot says of itself; raise Unusable for what this version cannot read or nobody wrote so."""
    try:
        read = json.loads((folder / MANIFEST).read_bytes())
        if read["format"] > FORMAT:
            raise Unusable(
                f"a newer lookalike wrote it (format {read['format']}; this one knows up to {FORMAT})"
            )
        if read.pop("blake2b") != _digest_of(read):
            raise Unusable("its manifest is not what was written: its checksum differs")
        entries = {
            name: Entry(**{**entry, "shape": tuple(entry["shape"])}) for name, entry in read["files"].items()
        }
        return Opened(folder, read["head"], entries)
    except OSError as error:
        raise Unusable(f"its manifest cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unusable(f"its manifest makes no sense ({type(error).__name__})") from error


def _digest_of(body: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()


def digest_of(path: Path) -> str:
    """Return the checksum of a file: 128-bit BLAKE2b, 32 hex digits."""
    digest, block = blake2b(digest_size=16), bytearray(BLOCK)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(block):
            digest.update(memoryview(block)[:size])
    return digest.hexdigest()


def sample_of(path: Path) -> str:
    """Return the checksum of `SAMPLED` blocks of a file: the first, the last, and others evenly between."""
    digest, size = blake2b(digest_size=16), path.stat().st_size
    with path.open("rb", buffering=0) as file:
        for number in range(SAMPLED):
            file.seek(max(size - BLOCK, 0) * number // (SAMPLED - 1))
            digest.update(file.read(BLOCK))
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the disk know which names a folder holds."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
