"""From Parquet files to the built-in model, in one command that goes on where it stopped.

    python -m training --data DIR --teacher MOBILENET.tflite --work DIR [--seed N] [--steps N] [--size-px N] ...

DIR of --data holds the sets as Parquet files. Everything is written below --work: the prepared arrays (shared by all runs), and
in a folder for each recipe the checkpoint, the log with its plot, the exported model in three storage kinds, and in exam/
what it finds of what was held out, beside plain floors. `--install` copies the int8 model into the package.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

import lookalike.models
from training.evaluate import FLOORS, evaluate, load
from training.export import export
from training.plots import plot_log
from training.prepare import prepare
from training.recipe import KINDS, NAME, Recipe
from training.retell import retell
from training.train import train

log = logging.getLogger("training")


def main() -> None:
    """Parse, then prepare, train, export and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--teacher", type=Path, required=True, help="MobileNetV2 as a TensorFlow Lite file")
    parser.add_argument("--work", type=Path, required=True, help="folder to keep everything in")
    parser.add_argument("--run", default="run", help="name of this run's folder below --work")
    parser.add_argument("--install", action="store_true", help="copy the int8 model into the package")
    for field in fields(Recipe):
        if field.type in ("int", "float"):
            kind = int if field.type == "int" else float
            parser.add_argument(
                f"--{field.name.replace('_', '-')}", type=kind, help=f"default {field.default}"
            )
    parser.add_argument(
        "--no-exam", action="store_true", help="leave the held-out products for another time: for mere tries"
    )
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = {f.name: getattr(asked, f.name, None) for f in fields(Recipe)}
    recipe = replace(Recipe(), **{name: value for name, value in given.items() if value is not None})
    out = asked.work / asked.run
    prepare(asked.data, asked.work / "prepared", asked.teacher)
    train(asked.work / "prepared", out, recipe)
    result = retell(asked.work / "prepared", out, recipe)
    plot_log(out / "log.jsonl", out / "log.png")
    presets = {kind: export(result, out / kind, recipe, kind) for kind in KINDS}
    log.info("%s", json.dumps({kind: str(path) for kind, path in presets.items()}))
    if not asked.no_exam:
        examined = {name: str(path) for name, path in presets.items()} | {name: name for name in FLOORS}
        encoders = {name: load(given, asked.teacher) for name, given in examined.items()}
        sys.stdout.write(evaluate(asked.data, out / "exam", encoders))
    if asked.install:
        folder = Path(lookalike.models.__file__).parent
        for path in presets["int8"].parent.glob(f"{NAME}*"):
            shutil.copy(path, folder / path.name)
        log.info("installed in %s", folder)


if __name__ == "__main__":
    main()
