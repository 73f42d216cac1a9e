"""The process of one engine: reads requests as JSON lines, answers in JSON lines, and times each search alone.

    python -m benchmarks.index.engines.worker ENGINE FOLDER

It runs in the engine's own environment, so it imports NumPy and that engine, nothing else.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time
from typing import Any

import numpy as np

from benchmarks.index.dataset import Dataset
from benchmarks.index.engines import spec
from benchmarks.index.engines.protocol import Engine, Masks

Request = dict[str, Any]
WARM_UP = 10
PR_SET_PDEATHSIG = 1


class Worker:
    """An engine and the filters of the run."""

    def __init__(self, name: str, folder: Path) -> None:
        described, kind = spec(name)
        module = import_module(f"benchmarks.index.engines.{described.module}")
        self.engine: Engine = module.Engine(kind, folder)
        self.packages = described.packages

    def describe(self, asked: Request) -> Request:
        """Return the builds there are, and the versions of what is installed."""
        names = [package.split("[")[0].split("=")[0].split(">")[0] for package in self.packages]
        return {"builds": list(self.engine.builds), "versions": {name: version(name) for name in names}}

    def build(self, asked: Request) -> Request:
        """Build; return seconds, the peak of memory while at it, what is held after it, and bytes on disk."""
        dataset = Dataset.open(Path(asked["dataset"]))
        self.masks = Masks(Path(asked["masks"]), asked["names"], dataset.count)
        before = _memory()["VmRSS"]
        _stay_on(PROCESSORS)
        _forget_peak()
        started = perf_counter()
        self.engine.build(dataset, self.masks, asked["params"])
        built = perf_counter()
        gc.collect()
        memory = _memory()
        place = self.engine.save()
        saved = perf_counter()
        return {
            "build_s": round(built - started, 2),
            "save_s": round(saved - built, 2),
            "peak_mb": memory["VmHWM"] / 1024,
            "held_mb": memory["VmRSS"] / 1024,
            "start_mb": before / 1024,
            "disk_mb": _bytes(place) / 2**20,
        }

    def efforts(self, asked: Request) -> Request:
        """Return the search parameters to sweep."""
        return {"efforts": list(self.engine.efforts(asked["k"], asked["share"]))}

    def search(self, asked: Request) -> Request:
        """Search one query after the other for at most `seconds`; write ids int64 [done, k] and times in ns to `out`."""
        queries = np.load(asked["queries"])[slice(*asked["part"])]
        self._make_ready(asked)
        threads = asked["threads"]
        _stay_on(PROCESSORS[-threads:])
        self._some(asked, queries, range(min(WARM_UP, len(queries))), float("inf"))
        shares = [range(number, len(queries), threads) for number in range(threads)]
        found: list[Any] = [None] * threads

        def run(number: int) -> None:
            found[number] = self._some(asked, queries, shares[number], asked["seconds"])

        started, cpu = perf_counter(), process_time()
        _side_by_side([lambda n=n: run(n) for n in range(threads)])  # type: ignore[misc]
        took, cpu = perf_counter() - started, process_time() - cpu
        done = sum(len(ids) for ids, _ in found)
        np.savez(
            asked["out"],
            ids=np.concatenate([ids for ids, _ in found]),
            ns=np.concatenate([ns for _, ns in found]),
        )
        return {
            "done": done,
            "took_s": took,
            "cpu_ms": cpu * 1e3 / max(done, 1),
            "peak_mb": _memory()["VmHWM"] / 1024,
        }

    def close(self, asked: Request) -> Request:
        """Stop the engine."""
        self.engine.close()
        return {}

    def _make_ready(self, asked: Request) -> None:
        self.kept = {name: self.masks[name] for name in set(asked["where"]) if name}
        if not asked["fresh"]:
            for name, mask in self.kept.items():
                self.engine.ready(name, mask)

    def _some(self, asked: Request, queries: Any, numbers: Sequence[int], seconds: float) -> tuple[Any, Any]:
        k, effort, search = asked["k"], asked["effort"], self.engine.search
        ids = np.full((len(numbers), k), -1, np.int64)
        ns = np.zeros(len(numbers), np.int64)
        until = perf_counter() + seconds
        done = 0
        for number in numbers:
            where = asked["where"][number]
            if asked["fresh"] and where:
                self.engine.fresh(where, self.kept[where])
            started = perf_counter_ns()
            found = search(queries[number], k, where, effort)
            ns[done] = perf_counter_ns() - started
            ids[done, : len(found)] = found
            done += 1
            if perf_counter() > until:
                break
        return ids[:done], ns[:done]


def _side_by_side(jobs: Sequence[Callable[[], None]]) -> None:
    if len(jobs) == 1:
        jobs[0]()
        return
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


PROCESSORS = sorted(os.sched_getaffinity(0))


def _stay_on(processors: Sequence[int]) -> None:
    """Let every thread of this process, the engine's own too, run on these processors only: one thread means one."""
    for thread in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(thread.name), processors)
        except OSError:  # it ended meanwhile
            continue


def _memory() -> dict[str, int]:
    """Return the kernel's figures for this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name.startswith("Vm")
    }


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _bytes(place: Path) -> int:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def _end_with_parent() -> None:
    """Have the kernel end this process when the one that asks is gone, in the middle of a build too."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # servers are stopped at exit
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    _end_with_parent()
    # What an engine prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = getattr(worker, asked["do"])(asked)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
