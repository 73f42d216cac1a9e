"""Draw the shop: a products file and a folder of pictures, the same for the same seed on any number of cores."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from lookalike.demo.categories import CATEGORIES
from lookalike.demo.look import Look
from lookalike.demo.palette import swatch
from lookalike.demo.plan import Planned, metal_of, plan_drawings, stable_number
from lookalike.demo.scenes import photograph
from lookalike.demo.sketch import Sketch

QUALITY: Final = 88  # of the JPEGs
CHUNK: Final = 24  # products one process draws before it reports back
ALONE: Final = 48  # a shop this small is drawn sooner than a second process starts

POSES: Final = {"pendant": "ceiling"}  # styles that rest in another way than their category

Progress = Callable[[int, int], None]


def draw_shop(
    directory: Path,
    *,
    products: int = 1248,
    seed: int = 7,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Path:
    """Draw a shop into `directory` and return the path of its products.jsonl.

    Pictures go to `directory/images`. The same `seed` gives the same bytes (with one version of Pillow), whatever
    the number of `workers` (processes; by default one for each core). `progress` is called with the number of
    products drawn so far and in all. The products file is renamed into place last: a run that was stopped leaves
    none, and is simply repeated.
    """
    directory = Path(directory)
    (directory / "images").mkdir(parents=True, exist_ok=True)
    target = directory / "products.jsonl"
    target.unlink(missing_ok=True)  # an older shop's list would not fit the pictures drawn next
    plan = plan_drawings(products, seed)
    _draw_all(directory, plan, workers or os.cpu_count() or 1, progress or _silent)
    unfinished = directory / "products.jsonl.part"
    with unfinished.open("w", encoding="utf-8", newline="\n") as lines:
        for planned in plan:
            lines.write(json.dumps(planned.record, ensure_ascii=False) + "\n")
    unfinished.replace(target)
    return target


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def _draw_all(directory: Path, plan: Sequence[Planned], workers: int, progress: Progress) -> None:
    chunks = [plan[start : start + CHUNK] for start in range(0, len(plan), CHUNK)]
    done = 0
    if workers == 1 or len(plan) <= ALONE:
        for chunk in chunks:
            done += _draw_chunk(directory, chunk)
            progress(done, len(plan))
        return
    # A process that runs other threads (a progress bar) is not safe to fork.
    context = get_context("spawn") if threading.active_count() > 1 else None
    with ProcessPoolExecutor(min(workers, len(chunks)), context) as pool:
        for future in as_completed([pool.submit(_draw_chunk, directory, chunk) for chunk in chunks]):
            done += future.result()
            progress(done, len(plan))


def _draw_chunk(directory: Path, chunk: Sequence[Planned]) -> int:
    """Draw and save the pictures of some products; return how many products."""
    for planned in chunk:
        names = planned.record["images"]
        assert isinstance(names, list)
        for name, picture in zip(names, draw_product(planned), strict=True):
            picture.save(directory / name, quality=QUALITY)
    return len(chunk)


def draw_product(planned: Planned) -> list[Image.Image]:
    """Return the photographs of one product, RGB, in the order of its views."""
    category = CATEGORIES[planned.category]
    own = f"{planned.design_seed} {planned.color}"
    sketch = Sketch()
    category.draw(sketch, _look(planned, own))
    drawing = sketch.picture()
    pose = POSES.get(planned.style, category.pose) if category.pose == "stand" else category.pose
    return [
        photograph(drawing, view, pose, planned.size, Random(f"view {own} {number}"))
        for number, view in enumerate(planned.views)
    ]


def _look(planned: Planned, own: str) -> Look:
    number = stable_number(planned.design_seed)
    return Look(
        colors=swatch(planned.color, planned.scheme, Random(f"swatch {own}")),
        pattern=planned.pattern,
        material=planned.material,
        style=planned.style,
        shape=Random(f"shape {planned.design_seed}"),
        metal_name=metal_of(planned.material, number),
        wood_index=number // 8 % 4,
        print_seed=f"print {planned.design_seed}",
    )
