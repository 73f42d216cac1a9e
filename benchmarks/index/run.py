"""Measure engines side by side, with a progress bar; what a results file has already is not measured again.

The file has three kinds of lines: `build` (an engine, built once), `curve` (a cell at every search parameter: recall and speed
on the tuning queries) and `cell` (the fastest parameter that reaches the target, on the timed queries); and `failed`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.index import filters, truth
from benchmarks.index.child import EngineFailed
from benchmarks.index.dataset import Mask
from benchmarks.index.measure import Known, Plan, measure
from benchmarks.index.results import Results


def run(plan: Plan, out: Path, console: Console | None = None) -> None:
    """Measure what the plan asks for and the file does not have; an engine that fails is reported, and the next one begins."""
    console = console or Console()
    results = Results(out)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        known = Known(_truth(plan, progress), _write_masks(plan))
        cells = len(plan.kinds) * len(plan.filters)
        task = progress.add_task("", total=len(plan.engines) * cells)
        for number, engine in enumerate(plan.engines):
            progress.update(task, description=engine, completed=number * cells)
            try:
                measure(plan, engine, known, results, lambda: progress.advance(task))
            except EngineFailed as failed:
                console.print(f"{engine}: {failed}", style="red", markup=False)
        progress.update(task, description="done", completed=len(plan.engines) * cells)


def _truth(plan: Plan, progress: Progress) -> dict[str, dict[str, truth.Similarities]]:
    found = {}
    for kind in plan.kinds:
        task = progress.add_task(f"true answers, {kind}", total=1.0)

        def seen(share: float, task: object = task) -> None:
            progress.update(task, completed=share)  # type: ignore[arg-type]

        found[kind] = truth.similarities(plan.dataset, kind, plan.filters, seen)
        progress.remove_task(task)
    return found


def _write_masks(plan: Plan) -> dict[str, Mask]:
    """Write the packed masks of all filters where the engines read them; return them by name."""
    folder = plan.dataset.folder / "masks"
    folder.mkdir(exist_ok=True)
    every: dict[str, Mask] = {}
    for wanted in {f.name: f for f in plan.filters}.values():
        for name, mask in zip(filters.mask_names(wanted), filters.masks(plan.dataset, wanted), strict=True):
            every[name] = mask
            np.save(folder / f"{name}.npy", np.packbits(mask, bitorder="little"))
    return every
