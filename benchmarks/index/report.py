"""Results -> a Markdown table of speed per cell and engine, and a plot of recall against speed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.index.results import Line, Results


def tables(path: Path) -> str:
    """Return Markdown: for each set, kind of queries and target a table of QPS, and one of the builds."""
    lines = Results(path).lines
    parts = []
    for name in _distinct(lines, "set"):
        here = [line for line in lines if line["set"] == name]
        parts.append(f"## {name}\n\n{_builds(here)}")
        cells = [line for line in here if line["what"] == "cell"]
        for queries in _distinct(cells, "queries"):
            for target in sorted(set(_distinct(cells, "target"))):
                chosen = [c for c in cells if c["queries"] == queries and c["target"] == target]
                parts.append(
                    f"### {queries} queries, recall@{chosen[0]['k']} >= {target}\n\n{_speeds(chosen)}"
                )
        parts += [_live(line) for line in here if line["what"] == "live"]
    return "\n\n".join(parts) + "\n"


def _speeds(cells: Sequence[Line]) -> str:
    engines = _distinct(cells, "engine")
    rows = [f"| filter | {' | '.join(engines)} |", "|---" * (len(engines) + 1) + "|"]
    for wanted in _distinct(cells, "filter"):
        best = [_best(c for c in cells if c["filter"] == wanted and c["engine"] == e) for e in engines]
        rows.append(f"| {wanted} | {' | '.join(best)} |")
    legend = "queries/s, one thread (two threads), p50 / p99 ms, recall; in italics what misses the target; ! filter violated"
    return "\n".join([*rows, "", legend])


def _best(cells: Iterable[Line]) -> str:
    """Show the fastest build that reaches the target, or the one that comes nearest."""
    every = list(cells)
    if not every:
        return ""
    cell = max(every, key=lambda c: (c["reached"], c["qps"] if c["reached"] else c["recall"]))
    both = f" ({cell['qps_2_threads']:,.0f})" if "qps_2_threads" in cell else ""
    speed = f"{cell['qps']:,.0f}{both}"
    shown = f"{speed}, {cell['p50_ms']:.2f} / {cell['p99_ms']:.2f}, {cell['recall']:.3f}"
    return (shown if cell["reached"] else f"*{shown}*") + ("!" if cell["violations"] else "")


def _builds(lines: Sequence[Line]) -> str:
    newest = {(line["engine"], str(line["build"])): line for line in lines if line["what"] == "build"}
    head = "| engine | build | s | peak MB | held MB | disk MB | bytes per vector | commit, machine |"
    rows = [head, "|---" * 8 + "|"]
    for line in newest.values():
        params = ", ".join(f"{name} {value}" for name, value in line["build"].items()) or "as it comes"
        grown = (line["held_mb"] - line["start_mb"]) * 2**20 / line["count"]
        rows.append(
            f"| {line['engine']} | {params} | {line['build_s']:,.1f} | {line['peak_mb']:,.0f} | {line['held_mb']:,.0f} "
            f"| {line['disk_mb']:,.0f} | {grown:,.0f} | {line['commit']}, {line['cores']} x {line['cpu']} |"
        )
    return "\n".join(rows)


def _live(line: Line) -> str:
    """Show one run of changes beside searches."""
    recall = ", ".join(f"{name} {value:.3f}" for name, value in line["recall"].items())
    rows = [
        f"### {line['upserts_per_s']} upserts and {line['deletes_per_s']} deletes a second for {line['minutes']:g} minutes",
        "",
        "| searches | p50 ms | p99 ms |",
        "|---|---|---|",
        *(
            f"| {name}: {line[name]['searches']:,} | {line[name]['p50_ms']:.2f} | {line[name]['p99_ms']:.2f} |"
            for name in ("idle", "live")
        ),
        "",
        f"p99 {line['p99_times']:.2f} times idle; accepted to searchable p99 {line['searchable_p99_s']:.2f} s; deleted "
        f"products found {line['gone_found']}; recall@10 at the end {recall}; own memory {line['before_mb']:,} MB before, "
        f"{line['peak_mb']:,} at most, {line['after_mb']:,} after ({line['after_times']:.2f} times).",
    ]
    return "\n".join(rows)


def _distinct(lines: Iterable[Line], name: str) -> list[Any]:
    return list(dict.fromkeys(line[name] for line in lines))


def plot(path: Path, out: Path) -> None:
    """Draw recall against queries/s (log) of every curve, a panel for each filter, to a PNG or SVG by its name.

    Raises ModuleNotFoundError without matplotlib, which comes with the train extra.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    curves = [line for line in Results(path).lines if line["what"] == "curve"]
    panels = list(dict.fromkeys((c["set"], c["queries"], c["filter"]) for c in curves))
    colors = {engine: f"C{number}" for number, engine in enumerate(_distinct(curves, "engine"))}
    wide = min(4, len(panels))
    deep = -(-len(panels) // wide)
    figure, axes = pyplot.subplots(
        deep, wide, figsize=(4.5 * wide, 3.5 * deep), squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes.flat, panels, strict=False):
        axis.set(title=", ".join(panel[1:]), xlabel="recall", ylabel="queries/s, one thread", yscale="log")
        for curve in curves:
            if (curve["set"], curve["queries"], curve["filter"]) == panel:
                front = _front(curve["points"])
                axis.plot(
                    *zip(*front, strict=True),
                    "o-",
                    ms=3,
                    color=colors[curve["engine"]],
                    label=curve["engine"],
                )
    for axis in list(axes.flat)[len(panels) :]:
        axis.remove()
    handles = {
        label: h for axis in figure.axes for h, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=min(7, len(handles) or 1)
    )
    figure.savefig(out)
    pyplot.close(figure)


def _front(points: Sequence[Line]) -> list[tuple[float, float]]:
    """Keep the points that no other beats in both recall and speed, by recall."""
    kept: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if not kept or point["qps"] > kept[-1][1]:
            kept.append((point["recall"], point["qps"]))
    return kept[::-1]


def growth(path: Path, out: Path) -> None:
    """Draw what grows with the number of vectors, by engine, of all sets in a file: time to build, memory, and p99 of a search.

    Raises ModuleNotFoundError without matplotlib, which comes with the train extra.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = Results(path).lines
    counts = {line["set"]: line["count"] for line in lines if line["what"] == "build"}
    builds = [line for line in lines if line["what"] == "build"]
    cells = [line for line in lines if line["what"] == "cell" and line["set"] in counts and line["reached"]]
    panels = [
        ("build, s", [(each["engine"], each["count"], each["build_s"]) for each in builds]),
        ("memory held, MB", [(each["engine"], each["count"], each["held_mb"]) for each in builds]),
        *(
            (
                f"p99 ms, {wanted}",
                [(c["engine"], counts[c["set"]], c["p99_ms"]) for c in cells if c["filter"] == wanted],
            )
            for wanted in ("none", "random:0.01", "far:0.01")
        ),
    ]
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4 * len(panels), 3.5), layout="constrained")
    for axis, (title, points) in zip(axes, panels, strict=True):
        axis.set(title=title, xlabel="vectors", xscale="log", yscale="log")
        for number, engine in enumerate(_distinct(builds, "engine")):
            best: dict[int, float] = {}
            for name, count, value in points:
                if name == engine:
                    best[count] = min(value, best.get(count, value))
            if best:
                axis.plot(*zip(*sorted(best.items()), strict=True), "o-", color=f"C{number}", label=engine)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(7, len(handles) or 1))
    figure.savefig(out)
    pyplot.close(figure)
