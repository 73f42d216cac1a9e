"""What is known of files that were fetched: `lock.json` beside them, written last, with the SHA-256 of each.

    {"hub": "owner/name", "commit": "...", "files": {"onnx/vision_model.onnx": {"sha256": "...", "bytes": 123}}}

Also what the file beside a graph is called in which it may keep its weights: an ONNX file has 2 GB at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

LOCK: Final = "lock.json"
GRAPH: Final = ".onnx"
BESIDE: Final = ("_data", ".data")
"""What a graph's name ends in with its weights, as most write it and as torch's exporter does."""


@dataclass(frozen=True, slots=True)
class LockedFile:
    """What a file was when it was fetched."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Lock:
    """What was fetched: from where, at which commit ("" if nobody knows), and each file by its path."""

    hub: str
    commit: str
    files: dict[str, LockedFile]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files.values())


def lock_in(folder: Path) -> Lock:
    """Return what was fetched into a folder; raise OSError where there is no lock, ValueError for one that is damaged."""
    return TypeAdapter(Lock).validate_json((folder / LOCK).read_bytes())


def weights_beside(graphs: Iterable[str], folder: Path) -> list[str]:
    """Return the files in a folder that hold the weights of some of these ONNX files."""
    named = (graph + ending for graph in graphs if graph.endswith(GRAPH) for ending in BESIDE)
    return [file for file in named if (folder / file).is_file()]
