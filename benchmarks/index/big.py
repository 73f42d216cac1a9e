"""Ten million vectors on a small machine: built in chunks within a memory budget, searched one query at a time.

Each stage leaves its result on disk, and what is there is not made again: the data set, the true answers, the index as a
snapshot. Building and searching each run in a process of their own, so that each has a peak of memory of its own.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.index import filters, truth
from benchmarks.index.dataset import Dataset, Filter, Rows
from benchmarks.index.memory import Peak, memory_mb
from benchmarks.index.results import Line, Results
from lookalike.adapters.index_store import IndexStore
from lookalike.core.types import Allowed
from lookalike.wiring import make_index

ASKED = ("none", "random:0.01", "far:0.01")
QUERIES = 200
CHUNK = 8192
FROM = "lookalike:auto"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured: of which data set, the memory the index may take, and the recall of k it is tuned for (of ten)."""

    dataset: Dataset
    memory_gib: float = 6.0
    recall: float = 0.95
    k: int = 100
    seconds: float = 60.0

    @property
    def folder(self) -> Path:
        """Return where the snapshot is."""
        return self.dataset.folder / f"built-{self.memory_gib:g}-{self.recall:g}"

    @property
    def build(self) -> Line:
        """Return how it is built."""
        return {"recall": self.recall, "memory_gib": self.memory_gib}

    def store(self) -> IndexStore:
        """Return where the index is kept, and how it is made."""

        def empty(dim: int) -> Any:
            rooms = self.folder / "rooms"
            return make_index(
                dim, "auto", self.recall, memory_bytes=int(self.memory_gib * 2**30), folder=rooms
            )

        return IndexStore(self.folder, empty)


def run(wanted: Wanted, out: Path, say: Callable[[str], None]) -> None:
    """Build and search what the file has no line for; each in a process of its own."""
    results = Results(out)
    dataset, key = wanted.dataset, {"set": wanted.dataset.name, "engine": FROM, "build": wanted.build}
    some = slice(dataset.tuning, dataset.tuning + QUERIES)
    say(f"true answers of {QUERIES} queries")
    truth.similarities(dataset, "in", [Filter.read(name) for name in ASKED], some=some)
    if not results.has("build", **key) or not any(wanted.folder.glob("snapshot-*")):
        say(f"building {dataset.count:,} x {dataset.dim} with {wanted.memory_gib:g} GiB")
        built = _apart(_built, wanted)
        results.add("build", **key, count=dataset.count, dim=dataset.dim, filters=0, versions={}, **built)
    if not results.has("cell", **key, k=wanted.k):
        say("searching")
        for cell in _apart(_searched, wanted):
            results.add("cell", **key, queries="in", k=wanted.k, target=0.9, **cell)


def _apart(work: Callable[[Wanted], Any], wanted: Wanted) -> Any:
    """Do something in a new process; what goes wrong there is raised here."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, [wanted])


def _built(wanted: Wanted) -> Line:
    store, dataset, before = wanted.store(), wanted.dataset, memory_mb()
    index = make_index(
        dataset.dim,
        "auto",
        wanted.recall,
        memory_bytes=int(wanted.memory_gib * 2**30),
        folder=wanted.folder / "rooms",
    )
    started, cpu = perf_counter(), process_time()
    with Peak() as peak:
        for start, rows in dataset.chunks(CHUNK):
            index.upsert(np.arange(start, start + len(rows)), rows)
        store.settle({"image": index})
        built_s, cpu_s = perf_counter() - started, process_time() - cpu
        held = memory_mb()
        store.frozen({"image": index})(lambda heads: {"seq": 1}, lambda head: None)
    newest = max(wanted.folder.glob("snapshot-*"))
    on_disk = sum(path.stat().st_size for path in newest.iterdir())
    return {
        "build_s": round(built_s, 1),
        "cpu_s": round(cpu_s, 1),
        "save_s": round(perf_counter() - started - built_s, 1),
        "start_mb": round(before["own"]),
        "peak_mb": round(peak.all),
        "peak_own_mb": round(peak.own),
        "held_mb": round(held["own"]),
        "disk_mb": round(on_disk / 2**20),
    }


def _searched(wanted: Wanted) -> list[Line]:
    """Open the snapshot and search it: QUERIES queries judged, after as many to warm up, then for `seconds` more to time."""
    opened = wanted.store().open(lambda head: "")
    if opened is None:
        raise RuntimeError(f"the snapshot in {wanted.folder} cannot be opened")
    index, dataset = opened[1]["image"], wanted.dataset
    return [_cell(wanted, index, Filter.read(name), dataset.queries("in", "timed")) for name in ASKED]


def _cell(wanted: Wanted, index: Any, asked: Filter, queries: Rows) -> Line:
    dataset, judged = wanted.dataset, queries[:QUERIES]
    masks, turns = filters.masks(dataset, asked), filters.assigned(dataset, asked, queries)
    allowed = [Allowed(mask, int(mask.sum())) for mask in masks]

    def search(number: int) -> Any:
        where = allowed[turns[number]] if masks else None
        return index.search(queries[number][None], wanted.k, where).keys[0]

    with Peak() as peak:
        first_ms, found = [], []
        for number in range(QUERIES):
            began = perf_counter()
            found.append(search(number))
            first_ms.append((perf_counter() - began) * 1e3)
        took_ms, over = [], perf_counter() + wanted.seconds
        for number in range(len(queries)):
            began = perf_counter()
            search(number)
            took_ms.append((perf_counter() - began) * 1e3)
            if perf_counter() > over:
                break
    some = slice(dataset.tuning, dataset.tuning + QUERIES)
    true = truth.similarities(dataset, "in", [asked], some=some)[asked.name]
    verdict = truth.judged(
        dataset, judged, np.array(found), true, [masks[turn] if masks else None for turn in turns[:QUERIES]]
    )
    p50, p95, p99 = np.percentile(took_ms, [50, 95, 99])
    return {
        "filter": str(asked),
        "effort": {},
        "reached": verdict.recall >= 0.9,
        "recall": round(verdict.recall, 4),
        "violations": verdict.violations,
        "short": verdict.short,
        "done": len(took_ms),
        "qps": round(1e3 / float(np.mean(took_ms)), 1),
        "p50_ms": round(float(p50), 3),
        "p95_ms": round(float(p95), 3),
        "p99_ms": round(float(p99), 3),
        "first_p99_ms": round(float(np.percentile(first_ms, 99)), 3),
        "peak_mb": round(peak.all),
        "peak_own_mb": round(peak.own),
    }
