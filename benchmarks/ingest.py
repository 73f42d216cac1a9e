"""What indexing costs besides the encoder, and whether its memory stays flat.

    python benchmarks/ingest.py fashion.parquet

Each run is a process of its own. `alone` decodes and encodes everything the source holds, with as many threads and nothing
else: no reading of other columns, no thumbnails, no database. `index` is a whole `Shop.index` into a new catalogue. Peak memory
is that of the process when the last row is written, before anything is learned or searched.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import lookalike
from lookalike import wiring
from lookalike.core.images import decode
from lookalike.core.ports import Row
from lookalike.core.rows import SAMPLE_ROWS, columns_of, read_row, recognise
from lookalike.engine.ahead import ahead
from lookalike.settings import load_settings
from record import record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--map", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs; medians are reported")
    parser.add_argument(
        "--head", type=int, default=3000, help="rows of the short run for the memory comparison"
    )
    parser.add_argument("--as", dest="part", choices=("alone", "index"), help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    overrides = dict(each.split("=", 1) for each in arguments.map)
    if arguments.part:
        print(
            json.dumps(
                {"alone": alone, "index": index}[arguments.part](arguments.source, overrides, arguments.rows)
            )
        )
        return
    compare(arguments, overrides)


def compare(arguments: argparse.Namespace, overrides: dict[str, str]) -> None:
    runs = [(run("alone", arguments), run("index", arguments)) for _ in range(arguments.runs)]
    short = run("index", arguments, rows=arguments.head)
    bare = float(np.median([a["took_s"] for a, _ in runs]))
    whole = float(np.median([i["took_s"] for _, i in runs]))
    own = float(np.median([1 - a["took_s"] / i["took_s"] for a, i in runs]))
    peak = max(i["peak_mb"] for _, i in runs)
    figures = {
        "source": Path(arguments.source).name,
        "rows": runs[0][1]["rows"],
        "images": runs[0][1]["images"],
        "alone_s": bare,
        "index_s": whole,
        "own_share": own,
        "rows_per_s": runs[0][1]["rows"] / whole,
        "peak_mb": peak,
        "head_rows": arguments.head,
        "head_peak_mb": short["peak_mb"],
        "peak_ratio": peak / short["peak_mb"],
    }
    record("ingest", **figures)
    print(f"{figures['source']}: {figures['rows']:,} rows, {figures['images']:,} images")
    print(
        f"decode + encode alone {bare:.1f} s, whole indexing {whole:.1f} s: "
        f"the pipeline itself takes {own:.1%} of the indexing time (median of pairs)"
    )
    print(
        f"{figures['rows_per_s']:,.0f} rows/s; peak {peak:,.0f} MB, of the first {arguments.head:,} rows "
        f"{short['peak_mb']:,.0f} MB: ratio {figures['peak_ratio']:.2f}"
    )


def run(part: str, arguments: argparse.Namespace, rows: int | None = None) -> dict[str, Any]:
    command = [sys.executable, __file__, arguments.source, "--as", part]
    command += [word for each in arguments.map for word in ("--map", each)]
    command += ["--rows", str(rows)] if rows else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def alone(source: str, overrides: dict[str, str], rows: int | None) -> dict[str, Any]:
    """Decode and encode what indexing would, with decoding ahead in as many threads, and nothing else."""
    opened, _ = wiring.open_source(source)
    good = [row for row in islice(opened.rows(), rows) if isinstance(row, Row)]
    columns = recognise(
        columns_of(r.values for r in good[:SAMPLE_ROWS]), [r.values for r in good[:SAMPLE_ROWS]], overrides
    )
    products = [product for row in good if (product := read_row(row, columns)[0])]
    images = [image.data for product in products for image in product.images if image.data]
    texts = [text for product in products for text in (product.title, product.description) if text]
    encoder, settings = wiring.load_encoder(), load_settings()
    started = perf_counter()
    with ThreadPoolExecutor(settings.workers) as pool:
        chunks = (list(pool.map(decode, images[at : at + 64])) for at in range(0, len(images), 64))
        for chunk in ahead(chunks, 2):
            encoder.encode_images(chunk)
        for at in range(0, len(texts), 64):
            encoder.encode_texts(texts[at : at + 64])
    return {"took_s": perf_counter() - started, "images": len(images), "texts": len(texts)}


def index(source: str, overrides: dict[str, str], rows: int | None) -> dict[str, Any]:
    """Index into a new catalogue; only the rows part, without learning."""
    with tempfile.TemporaryDirectory() as folder, lookalike.open(Path(folder) / "shop.db") as shop:
        peak = 0.0

        def note(done: int) -> None:
            nonlocal peak
            peak = max(peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

        started = perf_counter()
        report = shop.index(_head(source, rows), columns=overrides, progress=note)
        whole = perf_counter() - started
    return {
        "took_s": report.took_s,
        "with_learning_s": whole,
        "rows": report.read,
        "images": report.images,
        "peak_mb": peak,
    }


def _head(source: str, rows: int | None) -> Any:
    """Return the source, or a copy of its first rows in a file of its own."""
    if rows is None:
        return source
    import pyarrow as pa
    import pyarrow.parquet as pq

    head = pa.Table.from_batches(islice(pq.ParquetFile(source).iter_batches(rows), 1))
    path = Path(tempfile.mkdtemp()) / "head.parquet"
    pq.write_table(head, path)
    return path


if __name__ == "__main__":
    main()
