"""One engine: built, swept to the recalls that are asked for on tuning queries, timed on others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index import filters, truth
from benchmarks.index.child import Child, EngineFailed
from benchmarks.index.dataset import Dataset, Filter, Mask
from benchmarks.index.engines.protocol import Params
from benchmarks.index.results import Line, Results

ENOUGH = 0.9999
"""A sweep stops at this recall: what is more thorough is only slower."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `seconds` is the longest for one measurement; how many queries were done in it is written down."""

    dataset: Dataset
    engines: Sequence[str]
    filters: Sequence[Filter]
    kinds: Sequence[str] = ("in", "cross")
    targets: Sequence[float] = (0.95, 0.99)
    k: int = 10
    seconds: float = 20.0
    first_build_only: bool = False
    data: Path = field(default_factory=Path)


@dataclass(frozen=True, slots=True)
class Known:
    """What answers are judged by: true similarities by kind of queries and filter, and all masks by name."""

    truth: Mapping[str, Mapping[str, truth.Similarities]]
    masks: Mapping[str, Mask]


def measure(plan: Plan, engine: str, known: Known, results: Results, advance: Callable[[], None]) -> None:
    """Measure what there is no line for yet, build by build; raise EngineFailed when the engine cannot go on."""
    with Child(engine, plan.data) as child:
        described = child.ask("describe")
    for build in _builds(plan, described["builds"]):
        key = {"set": plan.dataset.name, "engine": engine, "build": build}
        missing = list(_missing(plan, key, results))
        if not missing:
            continue
        with Child(engine, plan.data) as child:
            built = _build(plan, child, build, sorted(known.masks))
            size = {"count": plan.dataset.count, "dim": plan.dataset.dim, "filters": len(known.masks)}
            results.add("build", **key, **size, versions=described["versions"], **built)
            for kind, wanted in missing:
                _cell(_Asking(plan, child, known, kind, wanted), key, results)
                advance()


def _builds(plan: Plan, every: Sequence[Params]) -> Sequence[Params]:
    """Return the builds to measure: of those that promise a recall, the ones that promise what is asked for."""
    wanted = [build for build in every if build.get("recall", plan.targets[0]) in plan.targets]
    chosen = [build for build in wanted if "recall" in build] or wanted[:1]
    return chosen if plan.first_build_only else wanted


def _missing(plan: Plan, key: Line, results: Results) -> Iterator[tuple[str, Filter]]:
    for kind in plan.kinds:
        for wanted in plan.filters:
            done = key | {"queries": kind, "filter": str(wanted), "k": plan.k}
            if not all(results.has("cell", **done, target=target) for target in plan.targets):
                yield kind, wanted


def _build(plan: Plan, child: Child, build: Params, names: Sequence[str]) -> Line:
    folder = plan.dataset.folder
    built = child.ask("build", dataset=str(folder), masks=str(folder / "masks"), names=names, params=build)
    return {name: round(value, 2) for name, value in built.items()}


def _cell(asking: _Asking, key: Line, results: Results) -> None:
    plan = asking.plan
    cell = key | {"queries": asking.kind, "filter": str(asking.wanted), "k": plan.k}
    try:
        curve = asking.curve()
        results.add("curve", **cell, points=curve)
        timed: dict[str, Line] = {}
        for target in plan.targets:
            if not results.has("cell", **cell, target=target):
                results.add("cell", **cell, target=target, **_reaching(asking, curve, target, timed))
    except EngineFailed as failed:
        results.add("failed", **cell, said=str(failed))
        if asking.child.process.poll() is not None:
            raise


def _reaching(asking: _Asking, curve: Sequence[Line], target: float, timed: dict[str, Line]) -> Line:
    """Take the fastest effort that reached the target; when it falls short on the other queries, the next slower one.

    `timed` keeps what was measured, so that no effort is timed twice for two targets.
    """
    candidates = sorted((p for p in curve if p["recall"] >= target), key=lambda p: -p["qps"])
    candidates = candidates or [max(curve, key=lambda p: (p["recall"], p["qps"]))]
    for point in candidates:
        name = str(point["effort"])
        if name not in timed:
            timed[name] = asking.timed(point["effort"])
        if timed[name]["recall"] >= target:
            break
    figures = timed[name]
    reached = figures["recall"] >= target
    return {"effort": point["effort"], "tuning_recall": point["recall"], "reached": reached, **figures}


@dataclass(frozen=True, slots=True)
class _Asking:
    """An engine, and a cell to ask it about."""

    plan: Plan
    child: Child
    known: Known
    kind: str
    wanted: Filter

    def curve(self) -> list[Line]:
        """Return recall and speed on the tuning queries at each effort."""
        points = []
        for effort in self.child.ask("efforts", k=self.plan.k, share=self.wanted.share)["efforts"]:
            figures = self.searched(effort, "tuning", 1)
            kept = {name: figures[name] for name in ("recall", "qps", "p50_ms", "short")}
            points.append({"effort": effort} | kept)
            if figures["recall"] >= ENOUGH:
                break
        return points

    def timed(self, effort: Params) -> Line:
        """Return everything of one effort on the timed queries, and the throughput with two threads."""
        both = self.searched(effort, "timed", 2)
        return self.searched(effort, "timed", 1) | {"qps_2_threads": both["qps_all"]}

    def searched(self, effort: Params, part: str, threads: int) -> Line:
        """Have the queries of a part searched; judge the answers when they came in order, which is with one thread."""
        dataset = self.plan.dataset
        queries = dataset.queries(self.kind, part)
        names = filters.mask_names(self.wanted)
        turns = filters.assigned(dataset, self.wanted, queries)
        where = [names[turn] if names else None for turn in turns]
        chosen = dataset.part(part)
        with tempfile.NamedTemporaryFile(suffix=".npz") as out:
            answer = self.child.ask(
                "search",
                queries=str(dataset.folder / f"queries-{self.kind}.npy"),
                part=[chosen.start, chosen.stop],
                where=where,
                k=self.plan.k,
                effort=effort,
                threads=threads,
                fresh=self.wanted.fresh,
                seconds=self.plan.seconds,
                out=out.name,
            )
            with np.load(out.name) as found:
                ids, ns = found["ids"], found["ns"]
        figures = _speed(ns, answer)
        if threads == 1:
            true = self.known.truth[self.kind][self.wanted.name][chosen][: len(ids)]
            allowed = [self.known.masks[name] if name else None for name in where[: len(ids)]]
            verdict = truth.judged(dataset, queries[: len(ids)], ids, true, allowed)
            figures |= {
                "recall": round(verdict.recall, 4),
                "violations": verdict.violations,
                "short": verdict.short,
            }
        return figures


def _speed(ns: Any, answer: Line) -> Line:
    p50, p95, p99 = np.percentile(ns / 1e6, [50, 95, 99])
    return {
        "done": len(ns),
        "qps": round(1e9 / float(ns.mean()), 1),
        "qps_all": round(answer["done"] / answer["took_s"], 1),
        "p50_ms": round(float(p50), 4),
        "p95_ms": round(float(p95), 4),
        "p99_ms": round(float(p99), 4),
        "cpu_ms": round(answer["cpu_ms"], 4),
        "peak_mb": round(answer["peak_mb"], 1),
    }
