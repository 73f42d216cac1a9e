"""Write the measured tables of the README from the newest lines in results/.

    python benchmarks/tables.py

A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from record import RESULTS

README = Path(__file__).parents[1] / "README.md"


def newest(name: str, key: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the newest line of a benchmark for each value of `key` ("" without one)."""
    lines = [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]
    return {str(line[key]) if key else "": line for line in lines}


def first_screen() -> str:
    ingest, kinds = newest("ingest", "source")["fashion.parquet"], newest("search", "kind")
    against = newest("search_against_scan")[""]
    rows = [
        (
            f"{ingest['rows']:,} fashion products, {ingest['cores']} cores of an {ingest['cpu']}, "
            f"{_commits([ingest, *kinds.values()])}",
            "",
        ),
        (
            "reading, embedding and storing, from Parquet",
            f"{ingest['rows_per_s']:,.0f} products/s, {ingest['peak_mb']:,.0f} MB at most",
        ),
        *((f"{words}, p50 / p99", _times(kinds[kind])) for words, kind in SHOWN),
        (
            "recall@10 of each kind of query, at least, against brute force in float64",
            f"{min(k['recall'] for k in kinds.values()):.3f}",
        ),
        (
            "a vector query through everything / a bare FAISS scan",
            f"{against['ratios']['FAISS flat float32']:.1f} ×",
        ),
    ]
    head, *body = rows
    return "\n".join([f"| {head[0]} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in body)])


def _commits(lines: list[dict[str, Any]]) -> str:
    """Name the commits that lines were measured at, the earliest first."""
    distinct = dict.fromkeys(line["commit"] for line in lines)
    return f"commit{'s' * (len(distinct) > 1)} {', '.join(distinct)}"


SHOWN = (
    ("photo query", "image"),
    ("phrase query", "text"),
    ("photo and phrase", "image + text"),
    ("similar to a product (image, title, attributes)", "like"),
    ("under a filter that keeps 1 %", "vector, filter ~1 %"),
)


def _times(line: dict[str, Any]) -> str:
    return f"{line['p50_ms']:.1f} / {line['p99_ms']:.1f} ms"


def all_kinds() -> str:
    rows = ["| query | p50 | p95 | p99 | recall@10 |", "|---|---|---|---|---|"]
    for kind, line in newest("search", "kind").items():
        times = " | ".join(f"{line[f'{p}_ms']:.1f} ms" for p in ("p50", "p95", "p99"))
        rows.append(f"| {kind} | {times} | {line['recall']:.4f} |")
    whole = newest("search_whole")[""]
    told = (
        f"{whole['products']:,} products, one thread of an {whole['cpu']}, commit {whole['commit']}. Photos from two threads: "
        f"{whole['two_threads_per_s']:,.0f}/s. The indexes of all spaces are made in {whole['build_s']:,.0f} s, and take "
        f"{whole['disk_mb']:,.0f} MB on disk."
    )
    return "\n".join([*rows, "", told])


SERVED = (
    ("similar", "products like one", "per_s", "p99_ms"),
    ("similar", "the same at 500 requests/s", "fixed_per_s", "fixed_p99_ms"),
    ("text", "phrases", "per_s", "p99_ms"),
    ("image", "photos of 600 × 800", "per_s", "p99_ms"),
    ("filtered", "phrases under filters, with facets", "per_s", "p99_ms"),
    ("mix", "60 % like one, 25 % phrases, 10 % filtered, 5 % photos", "per_s", "p99_ms"),
    ("warm", "questions that come again", "per_s", "p99_ms"),
    ("overload", "four times what it can do: served", "served_per_s", "served_p99_ms"),
)


def serving() -> str:
    """Return the table of the service under load: `python -m benchmarks.serve`."""
    lines = newest("serve", "scenario")
    one = next(iter(lines.values()))
    machine = f"{one['cores']} cores of an {one['cpu']}, commit {one['commit']}"
    head = f"{one['products']:,} products, {one['workers']} workers, {machine}"
    rows = [f"| {head} | requests/s | p99 |", "|---|---|---|"]
    for scenario, words, rate, p99 in SERVED:
        if scenario in lines and lines[scenario].get(p99) is not None:
            rows.append(f"| {words} | {lines[scenario][rate]:,.0f} | {lines[scenario][p99]:,.0f} ms |")
    return "\n".join(rows)


FILTERED = {"none": "no filter", "random": "a random", "far": "far from the query, a"}


def index() -> str:
    """Return the table of the index beside its peers, at recall@10 of .95: `python -m benchmarks.index run`."""
    lines = [json.loads(line) for line in (RESULTS / "index.jsonl").read_text().splitlines()]
    cells = [
        line for line in lines if line["what"] == "cell" and (line["queries"], line["target"]) == ("in", 0.95)
    ]
    engines = list(dict.fromkeys(cell["engine"] for cell in cells))
    rows = [f"| vectors | filter | {' | '.join(engines)} |", "|---" * (2 + len(engines)) + "|"]
    for name, asked in dict.fromkeys((cell["set"], cell["filter"]) for cell in cells):
        here = [cell for cell in cells if (cell["set"], cell["filter"]) == (name, asked)]
        best = [_fastest([cell for cell in here if cell["engine"] == engine]) for engine in engines]
        kind, _, share = asked.partition(":")
        words = FILTERED[kind] + (f" {float(share) * 100:g} %" if share else "")
        rows.append(f"| {_size(name)} | {words} | {' | '.join(best)} |")
    machine = f"One thread of an {cells[-1]['cpu']}, {_commits(cells)}"
    return "\n".join([*rows, "", f"{machine}; queries/s (p99 ms, recall); in brackets what misses .95."])


def _size(name: str) -> str:
    """Write the size that the name of a data set tells."""
    count, dim = name.split("-")[1].split("x")
    return f"{int(count):,} × {dim}"


def _fastest(cells: list[dict[str, Any]]) -> str:
    """Show the fastest that reaches its target, or else the one that comes nearest."""
    if not cells:
        return ""
    cell = max(cells, key=lambda each: (each["reached"], each["qps"] if each["reached"] else each["recall"]))
    shown = f"{cell['qps']:,.0f} ({cell['p99_ms']:.1f}, {cell['recall']:.2f})"
    return shown if cell["reached"] else f"[{shown}]"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    tables = {"measured": first_screen(), "queries": all_kinds()}
    if (RESULTS / "serve.jsonl").exists():
        tables["serving"] = serving()
    if (RESULTS / "index.jsonl").exists():
        tables["index"] = index()
    for name, table in tables.items():
        mark = re.compile(f"(<!-- begin {name} -->).*?(<!-- end {name} -->)", re.DOTALL)
        text = mark.sub(lambda found, table=table: f"{found[1]}\n{table}\n{found[2]}", text)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
