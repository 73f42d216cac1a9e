"""The index and its peers: data sets, environments, measurements, report.

python -m benchmarks.index data --n 100000
python -m benchmarks.index install qdrant-edge faiss-hnsw
python -m benchmarks.index run --n 100000 --engines lookalike:exact,qdrant-edge --filters none,random:0.01 --out r.jsonl
python -m benchmarks.index live --n 1000000 --minutes 10 --out r.jsonl
python -m benchmarks.index big --n 10000000 --out r.jsonl
python -m benchmarks.index report r.jsonl --plot r.png --growth g.png
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.index import big, data, environments, live, report
from benchmarks.index.dataset import KINDS, SHARES, Dataset, Filter, home
from benchmarks.index.engines import ENGINES, spec
from benchmarks.index.measure import Plan
from benchmarks.index.run import run
from benchmarks.index.truth import DEPTH

TABLE = ["none", *(f"{kind}:{share:g}" for kind in ("random", "far") for share in SHARES)]


def main(arguments: list[str] | None = None) -> int:
    """Parse, do, and return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.do(asked) or 0)
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.index",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=home(), help="where everything is kept (%(default)s)")
    does = parser.add_subparsers(required=True)

    made = does.add_parser("data", help="make a data set")
    _of_a_set(made)
    made.set_defaults(do=_data)

    installed = does.add_parser("install", help="make the environments of peers")
    installed.add_argument("engines", nargs="+", choices=[*ENGINES, "all"], metavar="ENGINE")
    installed.set_defaults(do=_install)

    measured = does.add_parser("run", help="measure engines; what the file has already is not measured again")
    _of_a_set(measured)
    measured.add_argument("--engines", type=_names, required=True, help="such as lookalike:exact,qdrant-edge")
    measured.add_argument(
        "--filters",
        type=_filters,
        default=_filters("table"),
        help="none,random:0.01,far:0.1:fresh ..., or table",
    )
    measured.add_argument("--queries", type=_names, default=list(KINDS), help="in, cross, or both")
    measured.add_argument("--targets", type=_targets, default=[0.95, 0.99], help="recalls to reach")
    measured.add_argument("--k", type=int, default=10)
    measured.add_argument(
        "--seconds", type=float, default=20.0, help="longest for one measurement (%(default)s)"
    )
    measured.add_argument("--first-build", action="store_true", help="each engine's usual build only")
    measured.add_argument("--out", type=Path, required=True, help="JSON lines")
    measured.set_defaults(do=_run)

    changed = does.add_parser(
        "live", help="search while products come, change and go; then compare with the truth"
    )
    _of_a_set(changed)
    changed.add_argument("--minutes", type=float, default=10.0, help="of changes (%(default)s)")
    changed.add_argument("--upserts", type=int, default=500, help="a second (%(default)s)")
    changed.add_argument("--deletes", type=int, default=50, help="a second (%(default)s)")
    changed.add_argument("--searches", type=int, default=100, help="a second (%(default)s)")
    changed.add_argument("--idle-seconds", type=float, default=60.0, help="of searches before (%(default)s)")
    changed.add_argument("--out", type=Path, required=True, help="JSON lines")
    changed.set_defaults(do=_live)

    large = does.add_parser("big", help="build within a memory budget, vectors on disk, and search")
    _of_a_set(large)
    large.add_argument("--memory-gib", type=float, default=6.0, help="for the index (%(default)s)")
    large.add_argument("--recall", type=float, default=0.95, help="of ten, tuned for (%(default)s)")
    large.add_argument("--k", type=int, default=100)
    large.add_argument(
        "--seconds", type=float, default=60.0, help="longest for one measurement (%(default)s)"
    )
    large.add_argument("--out", type=Path, required=True, help="JSON lines")
    large.set_defaults(do=_big)

    reported = does.add_parser("report", help="a table, and a plot if asked for")
    reported.add_argument("results", type=Path)
    reported.add_argument("--plot", type=Path, help="recall against speed: a .png or .svg")
    reported.add_argument("--growth", type=Path, help="what grows with the number of vectors: a .png or .svg")
    reported.set_defaults(do=_report)
    return parser


def _of_a_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=100_000, help="vectors (%(default)s)")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--source", default="auto", help="mobilenet, builtin, synthetic, or auto")
    parser.add_argument("--seed", type=int, default=0)


def _names(text: str) -> list[str]:
    return text.split(",")


def _filters(text: str) -> list[Filter]:
    try:
        return [Filter.read(part) for part in (TABLE if text == "table" else text.split(","))]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _targets(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _set(asked: argparse.Namespace) -> Dataset:
    return data.dataset(asked.n, asked.dim, data=asked.data, source=asked.source, seed=asked.seed)


def _data(asked: argparse.Namespace) -> None:
    made = _set(asked)
    size = (made.folder / "base.npy").stat().st_size / 2**20
    print(f"{made.name}: {made.count:,} x {made.dim}, {size:,.0f} MB, in {made.folder}")


def _install(asked: argparse.Namespace) -> int:
    failed = 0
    for engine in ENGINES if "all" in asked.engines else asked.engines:
        try:
            print(f"{engine}: {environments.install(engine, asked.data)}")
        except RuntimeError as error:
            failed += 1
            print(error, file=sys.stderr)
    return min(failed, 1)


def _run(asked: argparse.Namespace) -> None:
    for engine in asked.engines:
        spec(engine)
    if not 1 <= asked.k <= DEPTH:
        raise ValueError(f"--k {asked.k}: the true answers are kept up to {DEPTH}")
    plan = Plan(
        dataset=_set(asked),
        engines=asked.engines,
        filters=asked.filters,
        kinds=asked.queries,
        targets=asked.targets,
        k=asked.k,
        seconds=asked.seconds,
        first_build_only=asked.first_build,
        data=asked.data,
    )
    run(plan, asked.out)


def _live(asked: argparse.Namespace) -> None:
    load = live.Load(asked.minutes, asked.upserts, asked.deletes, asked.searches, asked.idle_seconds)
    line = live.run(_set(asked), load, asked.data / "built", asked.out)
    print(json.dumps(line, indent=1))


def _big(asked: argparse.Namespace) -> None:
    if not 1 <= asked.k <= DEPTH:
        raise ValueError(f"--k {asked.k}: the true answers are kept up to {DEPTH}")
    wanted = big.Wanted(_set(asked), asked.memory_gib, asked.recall, asked.k, asked.seconds)
    big.run(wanted, asked.out, lambda text: print(text, flush=True))
    print(report.tables(asked.out))


def _report(asked: argparse.Namespace) -> None:
    print(report.tables(asked.results))
    if asked.plot:
        report.plot(asked.results, asked.plot)
    if asked.growth:
        report.growth(asked.results, asked.growth)


if __name__ == "__main__":
    sys.exit(main())
