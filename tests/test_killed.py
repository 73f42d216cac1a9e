"""`kill -9` at random moments of an indexing run, then the same command again: everything equals an undisturbed run's.

LOOKALIKE_KILLS sets how many moments are tried, LOOKALIKE_KILL_ROWS how long a run is.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from shop_contents import contents_of

KILLS = int(os.environ.get("LOOKALIKE_KILLS", "3"))
STARTING_S = 1.5
ROWS = int(os.environ.get("LOOKALIKE_KILL_ROWS", "700"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue whose pictures come inside it, some of them broken, some rows without id."""
    path = tmp_path_factory.mktemp("killed") / "products.jsonl"
    rng = random.Random(5)
    with path.open("w") as file:
        for number in range(ROWS):
            image = Image.new("RGB", (48, 64), tuple(rng.randrange(256) for _ in range(3)))
            ImageDraw.Draw(image).ellipse(
                (rng.randrange(24), 8, 40, 50), fill=tuple(rng.randrange(256) for _ in range(3))
            )
            data = io.BytesIO()
            image.save(data, "JPEG")
            raw = data.getvalue() if number % 97 else data.getvalue()[:100]
            row = {
                "id": f"P{number}",
                "title": f"{rng.choice(['red', 'blue'])} thing {number % 40}",
                "description": f"made of {rng.choice(['wool', 'linen'])}, number {number}",
                "price": rng.randrange(100) + 0.5,
                "brand": rng.choice("ABCDE"),
                "image": "data:image/jpeg;base64," + base64.b64encode(raw).decode(),
            }
            if number % 311 == 7:
                del row["id"]
            file.write(json.dumps(row) + "\n")
    return path


def index(source: Path, shop: Path, kill_after_s: float | None = None) -> int:
    command = [sys.executable, "-m", "lookalike", "index", str(source), "--shop", str(shop)]
    command += ["--failures", str(shop.with_suffix(".csv"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    while not shop.exists() and process.poll() is None:
        time.sleep(0.01)  # the time Python takes to start is no moment of the run
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert kill_after_s is not None or process.returncode == 0, errors.decode()
    return process.returncode


def test_a_killed_run_is_resumed_to_the_same_catalogue(source: Path, tmp_path: Path) -> None:
    index(source, tmp_path / "whole.db")
    started = time.perf_counter()
    index(source, tmp_path / "again.db")
    took = time.perf_counter() - started - STARTING_S
    whole = contents_of(tmp_path / "whole.db")
    rng, cut, partial = random.Random(11), 0, 0
    for attempt in range(KILLS):
        shop = tmp_path / f"killed{attempt}.db"
        # Also twice in a row: a resumed run may be killed as well.
        for _ in range(1 + attempt % 2):
            cut += index(source, shop, rng.uniform(0.0, 1.0) * max(took, 0.5)) == -signal.SIGKILL
        if shop.exists():
            partial += 0 < _count(shop) < len(whole.exact["products"])
        index(source, shop)
        contents_of(shop).assert_same(whole)
    print(f"{KILLS} shops, {cut} runs cut short, {partial} of them with part of the rows")
    assert cut > 0


def _count(shop: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(shop) as connection:
            return int(connection.execute("select count(*) from products").fetchone()[0])
    except sqlite3.Error:
        return 0
