"""What the encoder in the package costs: milliseconds for a picture and for a phrase on one thread, and bytes.

    python benchmarks/builtin_encoder.py [--threads 1] [--rounds 200]

A picture is timed from decoded pixels to its vector, alone and in batches of 32; a phrase alone, of words seen before and of
words never seen. The wheel is built anew (with hatchling, which the `dev` extra brings). Indexing as a whole, in products/s,
is measured by `benchmarks/ingest.py`; how well it finds things by `python -m training.evaluate`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from itertools import count, cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from lookalike.adapters.encoder_onnx import OnnxEncoder
from record import percentiles, record

ROOT = Path(__file__).parents[1]
HEIGHT_PX, WIDTH_PX = 800, 600
BATCH = 32
WARM_UP = 20
WORDS = ("red", "check", "shirt", "women", "cotton", "casual", "blue", "slim", "fit", "leather", "watch")
PHRASE_WORDS = 6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of ONNX Runtime; 0 for as many as serve"
    )
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    encoder = OnnxEncoder.from_preset(threads=arguments.threads)
    about = {
        "encoder": encoder.fingerprint,
        "threads": arguments.threads,
        "onnxruntime": version("onnxruntime"),
    }
    print(f"{encoder.fingerprint}, {arguments.threads} thread(s), {arguments.rounds} rounds")
    for what, figures in (times(encoder, arguments.rounds) | sizes(encoder)).items():
        record("builtin_encoder", what=what, **about, **figures)
        print(f"{what:<40}" + ", ".join(f"{name} {value:,}" for name, value in figures.items()))


def times(encoder: OnnxEncoder, rounds: int) -> dict[str, dict[str, float]]:
    """Measure what one picture and one phrase take, in milliseconds of the clock."""
    noise = np.random.default_rng(0)
    photos = [noise.integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), np.uint8) for _ in range(BATCH)]
    known = [" ".join(noise.choice(WORDS, PHRASE_WORDS)) for _ in range(rounds)]
    fresh, phrases = count(), cycle(known)

    def unseen() -> None:
        encoder.encode_texts([" ".join(f"word{next(fresh)}" for _ in range(PHRASE_WORDS))])

    encoder.encode_texts(known)
    size = f"{WIDTH_PX} x {HEIGHT_PX} picture"
    return {
        f"{size}, alone": timed(lambda: encoder.encode_images(photos[:1]), rounds),
        f"{size}, {BATCH} at once": timed(lambda: encoder.encode_images(photos), rounds, BATCH),
        f"{PHRASE_WORDS} known words": timed(lambda: encoder.encode_texts([next(phrases)]), rounds),
        f"{PHRASE_WORDS} new words": timed(unseen, rounds),
    }


def timed(call: Callable[[], object], rounds: int, each: int = 1) -> dict[str, float]:
    """Call over and over; return percentiles of the milliseconds for each of the `each` inputs of a call."""
    for _ in range(-(-WARM_UP // each)):
        call()
    took_ms = []
    for _ in range(rounds):
        started = perf_counter()
        call()
        took_ms.append((perf_counter() - started) * 1e3 / each)
    return percentiles(took_ms)


def sizes(encoder: OnnxEncoder) -> dict[str, dict[str, Any]]:
    """Weigh both graphs, and the wheel they travel in."""
    towers = {"image tower": encoder.preset.image.file, "text tower": encoder.preset.text.file}
    found = {
        name: {"bytes": (Path(str(files("lookalike.models"))) / file).stat().st_size}
        for name, file in towers.items()
    }
    if find_spec("hatchling") is None:
        print('the wheel is not built: pip install ".[dev]" brings hatchling')
        return found
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        [wheel] = Path(folder).glob("*.whl")
        return found | {"wheel": {"bytes": wheel.stat().st_size}}


if __name__ == "__main__":
    main()
