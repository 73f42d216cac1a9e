"""A real `lookalike serve` on a copy of a shop, and what its processes take of the memory."""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import lookalike
from lookalike.engine.snapshots import Snapshots
from lookalike.wiring import make_index, make_snapshots

PAGE_BYTES = resource.getpagesize()
END_S = 60
SNAPSHOT_S = 180
"""How long the indexes may take to be made and written; those of small shops are not."""


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs: where it is, its first process, and the lines it has logged."""

    address: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str) -> Any:
        """Ask for something in JSON."""
        with urllib.request.urlopen(self.address + path, timeout=60) as response:
            return json.load(response)

    def memory_mb(self) -> float:
        """Return what all its processes hold in memory now; pages they share count for each."""
        return sum(_held_bytes(pid) for pid in _family(self.process.pid)) / 1e6


@contextmanager
def serving(place: Path, workers: int = 1, *, index: str = "auto", **settings: object) -> Iterator[Served]:
    """Serve a copy of a shop until the block ends. `settings` are of the service: shadow_share=0.1, batching__images=1."""
    folder = place.parent
    env = {f"LOOKALIKE_SERVICE__{name.upper()}": str(value).lower() for name, value in settings.items()}
    env["LOOKALIKE_INDEX"] = index
    words = ["serve", "--shop", str(place), "--port", "0", "--workers", str(workers)]
    log = folder / "served.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "lookalike", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env=_environment(env),
        ) as process,
    ):
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())  # it says so once it is ready
            if found is None:
                raise RuntimeError(f"the service did not start: {log.read_text()[-2000:]}")
            yield Served(found[0].rstrip("/"), process, log)
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def copied(place: Path, folder: Path) -> Path:
    """Copy a shop's file, and write a snapshot of its indexes once they are done.

    A shop that was indexed has one, and otherwise each process would make its own indexes while it is measured.
    """
    if not place.is_file():
        raise SystemExit(f"there is no shop {place}: make one with: lookalike index SOURCE --shop {place}")
    copy = folder / "shop.db"
    with closing(sqlite3.connect(place)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)  # with what is still in its journal
    snapshots = make_snapshots(Path(f"{copy}.index"), make_index)
    with lookalike.open(copy, create=False) as shop:
        until = monotonic() + SNAPSHOT_S
        while not _saved_as_is(shop, snapshots) and monotonic() < until:
            sleep(0.2)
    return copy


def _saved_as_is(shop: lookalike.Shop, snapshots: Snapshots) -> bool:
    """Tell whether the newest snapshot is of indexes that are done."""
    snapshots.settle(shop.spaces)
    learned = {space: index.learned for space, index in shop.spaces.items()}
    newest = next(iter(snapshots.heads()), {})
    return newest.get("learned") == learned


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without settings of ours: what is measured is what is said."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")} | {**more}


def _family(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return [pid, *(each for child in children for each in _family(child))]


def _held_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:  # it ended meanwhile
        return 0
