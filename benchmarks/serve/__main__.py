"""The service under load, scenario by scenario, on this machine: server and clients share its cores.

    lookalike index fashion.parquet --shop fashion.db
    python -m benchmarks.serve --place fashion.db
    python -m benchmarks.serve --place fashion.db --only similar text --seconds 10
    python -m benchmarks.serve --place fashion.db --only mixed --minutes 10
    python -m benchmarks.serve --place fashion.db --profile

Works on a copy of the shop. Needs wrk (`apt-get install wrk`). Each scenario is one line of benchmarks/results/serve.jsonl.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.record import record
from benchmarks.serve import wrk
from benchmarks.serve.material import Material
from benchmarks.serve.process import copied
from benchmarks.serve.profile import profile
from benchmarks.serve.scenarios import Bench, Figures, scenarios


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, and print it beside the goals."""
    asked = _parser().parse_args(arguments)
    wrk.found()
    with TemporaryDirectory(prefix="lookalike-serve-") as folder:
        place = copied(asked.place, Path(folder))
        material = Material.of(place, Path(folder), asked.photos)
        bench = Bench(place, material, asked.seconds, asked.workers, asked.minutes)
        print(f"{len(material.ids):,} products, {asked.workers} workers, {asked.seconds:g} s each")
        if asked.profile:
            for kind, found in profile(bench).items():
                _keep(asked, bench, f"profile {kind}", found)
                print(f"{kind:<9} {found['whole_ms']:.2f} ms: {_shares(found)}")
            return
        every = scenarios()
        for name in asked.only or every:
            figures = every[name].measure(bench)
            _keep(asked, bench, name, figures)
            judged = [goal.judged(figures) for goal in every[name].goals]
            print(f"\n{name}: {'; '.join(judged) or 'no goals'}\n  {_told(figures)}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--place", type=Path, required=True, help="a shop's file")
    parser.add_argument(
        "--only", nargs="+", choices=list(scenarios()), metavar="NAME", help="such as similar"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="for each measurement (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="for mixed (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that serve (%(default)s)")
    parser.add_argument("--photos", type=int, default=400, help="different photos (%(default)s)")
    parser.add_argument("--profile", action="store_true", help="where the time of a request goes")
    parser.add_argument("--no-record", action="store_true", help="write no line of results")
    return parser


def _keep(asked: argparse.Namespace, bench: Bench, name: str, figures: Figures) -> None:
    if not asked.no_record:
        record(
            "serve",
            scenario=name,
            products=len(bench.material.ids),
            workers=bench.workers,
            seconds=bench.seconds,
            **figures,
        )


def _shares(found: Figures) -> str:
    stages, shares = found["stages_ms"], found["shares"]
    return ", ".join(f"{name} {stages[name]:.2f} ({shares[name]:.0%})" for name in stages)


def _told(figures: Figures) -> str:
    def shown(value: object) -> str:
        if isinstance(value, dict):
            return "(" + ", ".join(f"{name} {shown(each)}" for name, each in value.items()) + ")"
        return f"{value:,.2f}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {shown(value)}" for name, value in figures.items())


if __name__ == "__main__":
    main()
