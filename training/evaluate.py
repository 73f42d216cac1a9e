"""Measure encoders on what was held out of training, by the product's own `lookalike eval`, beside plain floors.

    python -m training.evaluate --data DIR --work DIR [--mobilenet TFLITE] [--encoder builtin mobilenet hsv mix X=DIR/X.toml]

Catalogues, shops and judged queries are kept in the work folder, so that a later run encodes only what is new; any line
can be run again by hand: `lookalike eval WORK/queries/LINE.jsonl --shop WORK/shops/...`. The results, with 95 % intervals,
go to WORK/results.json, where those of other encoders stay. Text lines are for encoders that compare words with pictures.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import lookalike
from lookalike import wiring
from lookalike.core.errors import InputError
from lookalike.core.judgments import JudgmentProblem
from lookalike.core.ports import Encoder
from lookalike.engine.evaluation import EvaluationOptions, Failure
from training import floors
from training.exams import EXAMS, Exam, Line

log = logging.getLogger(__name__)

FLOORS: Mapping[str, Callable[[Path], Encoder]] = {
    "mobilenet": floors.mobilenet,
    "hsv": lambda model: floors.hsv(),
    "mix": floors.mix,
}
OPTIONS = EvaluationOptions(cutoffs=(1, 5, 10))  # as `lookalike eval` has them
NO_TEXTS = {"title": "@none", "description": "@none"}
"""Columns that must not be recognised."""

Results = dict[str, dict[str, Any]]
"""By line, what `measure` returns."""


def main() -> None:
    """Parse, measure, write and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--work", type=Path, required=True, help="folder to keep everything in")
    parser.add_argument("--mobilenet", type=Path, help="TensorFlow Lite file, for the floors that need it")
    parser.add_argument(
        "--encoder",
        nargs="+",
        default=["builtin"],
        help="names, presets, or presets with the name to file them under, small=DIR/builtin.toml (default builtin)",
    )
    parser.add_argument("--exam", nargs="+", default=list(EXAMS), choices=list(EXAMS), help="default all")
    asked = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    try:
        encoders = {name: load(given, asked.mobilenet) for name, given in map(named, asked.encoder)}
    except InputError as error:
        parser.error(f"{error}. {error.hint}")
    sys.stdout.write(evaluate(asked.data, asked.work, encoders, asked.exam))


def evaluate(
    data: Path, work: Path, encoders: Mapping[str, Encoder], names: Sequence[str] = tuple(EXAMS)
) -> str:
    """Put encoders through exams; keep the results in `work` / results.json, and return them laid out."""
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    exams = {name: EXAMS[name](data, work / "pictures") for name in names}
    table = {name: examine(encoder, exams, work) for name, encoder in encoders.items()}
    record(work / "results.json", encoders, table)
    shown = rows(table, [line for exam in exams.values() for line in exam.lines])
    return "\n".join([*shown, ""])


def named(given: str) -> tuple[str, str]:
    """Part NAME=PATH; what comes without a name is called after its file."""
    name, equals, path = given.partition("=")
    return (name, path) if equals else (Path(given).stem, given)


def load(name: str, model: Path | None) -> Encoder:
    """Return a floor or an encoder of the product by name, or the one a preset file describes."""
    if name in FLOORS:
        if model is None and name != "hsv":
            raise InputError(f"the floor {name} needs its model", hint="Give it with --mobilenet.")
        return FLOORS[name](model or Path())
    if name.endswith(".toml"):
        preset: Encoder = wiring.load("lookalike.adapters.encoder_onnx:OnnxEncoder").from_preset(Path(name))
        return preset
    return wiring.load_encoder(name)


def examine(encoder: Encoder, exams: Mapping[str, Exam], work: Path) -> Results:
    """Index the catalogue of each exam with an encoder and measure every line that it can answer."""
    results: Results = {}
    for name, exam in exams.items():
        with indexed(encoder, name, exam, work) as shop:
            for line in exam.lines:
                if encoder.aligned or not line.by_text:
                    log.info("%s: %s", encoder.name, line.name)
                    results[line.name] = measure(shop, line, work / "queries")
    return results


def indexed(encoder: Encoder, name: str, exam: Exam, work: Path) -> lookalike.Shop:
    """Open the shop of an exam's catalogue, embedded by an encoder; raise InputError unless it holds all of it."""
    place = work / "shops" / f"{_slug(encoder.fingerprint)}-{name}.db"
    place.parent.mkdir(parents=True, exist_ok=True)
    shop = lookalike.open(place, encoder=encoder)
    shop.index(_kept(exam.catalog, work / f"{name}.parquet"), columns=NO_TEXTS, prune=True)
    if len(shop) != len(exam.catalog):
        shop.close()
        raise InputError(f"{place} holds {len(shop)} of {len(exam.catalog)} products", hint="Delete it.")
    return shop


def measure(shop: lookalike.Shop, line: Line, out: Path) -> dict[str, Any]:
    """Run one line from its file of judged queries; return how many there were, all measures, and the latency.

    Raises InputError unless every query could be run.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{_slug(line.name)}.jsonl"
    path.write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in line.queries), encoding="utf-8")
    found = shop.evaluate(path, options=OPTIONS)
    lost: list[Failure | JudgmentProblem] = [*found.failures, *found.problems]
    if lost:
        raise InputError(f"{len(lost)} queries of {path} failed: {lost[0].reason}", hint=lost[0].hint)
    return {
        "queries": len(found.outcomes),
        "short": found.cut,
        "measures": {name: asdict(estimate) for name, estimate in found.measures.items()},
        "total_ms": asdict(found.latency["total"]) if "total" in found.latency else None,
    }


def record(path: Path, encoders: Mapping[str, Encoder], table: Mapping[str, Results]) -> None:
    """Write the results, each under its encoder's name, beside those that a former run left there."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, results in table.items():
        encoder = encoders[name]
        same = held.get(name, {}).get("fingerprint") == encoder.fingerprint
        lines = held[name]["lines"] | results if same else results
        held[name] = {"fingerprint": encoder.fingerprint, "dim": encoder.dim, "lines": lines}
    path.write_text(json.dumps(held, indent=1), encoding="utf-8")


def rows(table: Mapping[str, Results], lines: Sequence[Line]) -> list[str]:
    """Lay the results out: a row for each measure of each line, a column for each encoder."""
    shown = [f"{'':<58}{'queries':>8}" + "".join(f"{name:>12}" for name in table)]
    for line in lines:
        for measure_ in line.measures:
            cells = [_cell(results.get(line.name), measure_) for results in table.values()]
            shown.append(f"{f'{line.name}, {measure_}':<58}{len(line.queries):>8}" + "".join(cells))
    return shown


def _cell(result: Mapping[str, Any] | None, name: str) -> str:
    return f"{'—':>12}" if result is None else f"{result['measures'][name]['mean']:>12.3f}"


def _kept(catalog: pa.Table, path: Path) -> Path:
    pq.write_table(catalog, path)
    return path


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-")


if __name__ == "__main__":
    main()
