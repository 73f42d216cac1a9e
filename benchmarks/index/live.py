"""The index while products come, change and go: searches before and meanwhile, and what is left of speed, recall and memory.

Everything goes through the index's port; folding is its own affair. Changes arrive evenly and are brought in ten times a
second, as a follower of a catalogue does: half of the upserts are new products, half replace the vector of one that is there.
Their vectors are rows of the data set, moved; they depend on the number of the change alone, so that the exact answers at the
end can be made from the data set and those numbers.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from benchmarks.index import filters
from benchmarks.index.dataset import Dataset, Filter, Ids, Rows, unit
from benchmarks.index.memory import Peak, memory_mb
from benchmarks.index.results import Line, Results
from benchmarks.index.truth import TIE
from lookalike.core.ports import VectorIndex
from lookalike.core.types import Allowed
from lookalike.wiring import make_index

BATCHES_PER_S = 10
MOVED = 0.5
"""Length of what is added to a row to make another of it."""
ASKED = ("none", "random:0.1", "random:0.01")
"""Filters that searches take turns with."""
GIVEN_UP_S = 2.0
K = 10


@dataclass(frozen=True, slots=True)
class Load:
    """How much comes at the index, and for how long; `idle_s` is the time of searches before anything changes."""

    minutes: float = 10.0
    upserts_per_s: int = 500
    deletes_per_s: int = 50
    searches_per_s: int = 100
    idle_s: float = 60.0
    recall: float = 0.95

    @property
    def batches(self) -> int:
        """Return how many times changes are brought in."""
        return round(self.minutes * 60 * BATCHES_PER_S)


@dataclass(slots=True, eq=False)
class Shop:
    """What there should be: by product, the number of the change its vector is from (-1: the data set's), and when it went."""

    count: int
    load: Load
    version: NDArray[np.int64] = field(init=False)
    there: NDArray[np.bool_] = field(init=False)
    gone_at: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        most = self.count + self.load.batches * self.load.upserts_per_s // BATCHES_PER_S
        self.version = np.full(most, -1, np.int64)
        self.there = np.arange(most) < self.count
        self.gone_at = np.full(most, np.inf)


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that are brought in together: `keys` get the vectors that `made` makes of number `number`, `gone` go."""

    number: int
    keys: Ids
    gone: Ids


def batches(shop: Shop) -> Iterator[Batch]:
    """Yield all changes, in order; notes in `shop` what there should be after each."""
    ups, downs = shop.load.upserts_per_s // BATCHES_PER_S, shop.load.deletes_per_s // BATCHES_PER_S
    new = shop.count
    for number in range(shop.load.batches):
        rng = default_rng([31, number])
        kept = rng.choice(new, 4 * (ups + downs), replace=False)
        kept = kept[shop.there[kept]]
        keys = np.concatenate([np.arange(new, new + ups - ups // 2), kept[: ups // 2]])
        gone = kept[ups // 2 : ups // 2 + downs]
        new += ups - ups // 2
        shop.there[keys], shop.version[keys] = True, number * ups + np.arange(len(keys))
        shop.there[gone] = False
        yield Batch(number, keys, gone)


def made(dataset: Dataset, number: int, count: int) -> Rows:
    """Return the vectors of batch `number`."""
    rng = default_rng([32, number])
    rows = dataset.take(rng.integers(dataset.count, size=count))
    return unit(rows + MOVED * unit(rng.standard_normal(rows.shape, np.float32)))


class Searching:
    """Searches at a steady pace; how long each took, and whether any product came that was gone before the search began."""

    def __init__(
        self, index: VectorIndex, shop: Shop, queries: Rows, allowed: Sequence[Allowed | None]
    ) -> None:
        self.index, self.shop, self.queries, self.allowed = index, shop, queries, allowed
        self.took_ms: list[float] = []
        self.gone_found = 0

    def until(self, ended: Callable[[], bool]) -> None:
        """Search until it is over. A search that is late begins at once, and is timed from when it begins."""
        pace_s, turn, due = 1 / self.shop.load.searches_per_s, 0, perf_counter()
        while not ended():
            sleep(max(due - perf_counter(), 0.0))
            due = max(due + pace_s, perf_counter() - pace_s)
            query = self.queries[turn % len(self.queries)][None]
            began = perf_counter()
            found = self.index.search(query, K, self.allowed[turn % len(self.allowed)]).keys[0]
            self.took_ms.append((perf_counter() - began) * 1e3)
            self.gone_found += int((self.shop.gone_at[found[found >= 0]] < began).sum())
            turn += 1

    def speed(self) -> Line:
        """Return the percentiles of the times."""
        p50, p99, most = np.percentile(self.took_ms, [50, 99, 100])
        figures = {"p50_ms": p50, "p99_ms": p99, "most_ms": most}
        return {"searches": len(self.took_ms)} | {name: round(float(ms), 3) for name, ms in figures.items()}


class Writing:
    """Brings batches in when they are due, and looks for one product of each: from accepted to found."""

    def __init__(self, index: VectorIndex, dataset: Dataset, shop: Shop) -> None:
        self.index, self.dataset, self.shop = index, dataset, shop
        self.found_s: list[float] = []
        self.late_s = 0.0
        self.lost = 0
        self.failed: BaseException | None = None

    def run(self, ended: Event) -> None:
        """Do it all; then set `ended`."""
        try:
            started = perf_counter()
            for batch in batches(self.shop):
                # What came in this tenth of a second is brought in at its end; the first of it waited longest.
                accepted = started + batch.number / BATCHES_PER_S
                sleep(max(accepted + 1 / BATCHES_PER_S - perf_counter(), 0.0))
                self.late_s = max(self.late_s, perf_counter() - accepted - 1 / BATCHES_PER_S)
                self._bring_in(batch, accepted)
        except BaseException as error:
            self.failed = error
        finally:
            ended.set()

    def _bring_in(self, batch: Batch, accepted: float) -> None:
        rows = made(self.dataset, batch.number, self.shop.load.upserts_per_s // BATCHES_PER_S)[
            : len(batch.keys)
        ]
        self.index.upsert(batch.keys, rows)
        self.index.delete(batch.gone)
        self.shop.gone_at[batch.gone] = perf_counter()
        given_up = perf_counter() + GIVEN_UP_S
        while batch.keys[0] not in self.index.search(rows[:1], K).keys[0]:
            if perf_counter() > given_up:
                self.lost += 1
                return
        self.found_s.append(perf_counter() - accepted)


def truth(dataset: Dataset, shop: Shop, queries: Rows, mask: NDArray[np.bool_] | None) -> Rows:
    """Return the similarities of the true K best of what there is at the end, float32 [queries, K], a part at a time."""
    best = np.full((len(queries), K), -np.inf, np.float32)

    for keys, rows in held(dataset, shop):
        kept = np.ones(len(keys), bool) if mask is None else mask[keys]
        both = np.concatenate([best, queries @ rows[kept].T], axis=1)
        best = -np.partition(-both, K - 1, axis=1)[:, :K]
    return -np.sort(-best, axis=1)


def held(dataset: Dataset, shop: Shop) -> Iterator[tuple[Ids, Rows]]:
    """Yield all products there should be, with their vectors."""
    unchanged = shop.there & (shop.version < 0)
    for start, rows in dataset.chunks():
        keys = np.arange(start, start + len(rows))
        kept = unchanged[keys]
        yield keys[kept], rows[kept]
    ups = shop.load.upserts_per_s // BATCHES_PER_S
    changed = np.flatnonzero(shop.there & (shop.version >= 0))
    changed = changed[np.argsort(shop.version[changed], kind="stable")]
    number, place = np.divmod(shop.version[changed], ups)
    for one in np.unique(number).tolist():
        part = slice(*np.searchsorted(number, [one, one + 1]))
        yield changed[part], made(dataset, one, ups)[place[part]]


def recalls(index: VectorIndex, dataset: Dataset, shop: Shop, queries: Rows, masks: Any) -> dict[str, float]:
    """Return recall@K of the index as it is, by filter."""
    found = {}
    for name, mask in masks.items():
        true = truth(dataset, shop, queries, mask)[:, -1]
        allowed = None if mask is None else Allowed(mask, int(mask.sum()))
        hits = [
            np.minimum((index.search(query[None], K, allowed).similarities[0] >= least - TIE).sum(), K)
            for query, least in zip(queries, true, strict=True)
        ]
        found[name] = round(float(np.mean(hits)) / K, 4)
    return found


def measure(dataset: Dataset, load: Load, folder: Path) -> Line:
    """Build, search, change and search, and compare with the truth."""
    shop = Shop(dataset.count, load)
    index = make_index(dataset.dim, "auto", load.recall, folder=folder)
    settle: Callable[[], None] = getattr(index, "settle", lambda: None)
    state: Callable[[], Line] = getattr(index, "state", dict)
    began = perf_counter()
    with Peak() as building:
        for start, rows in dataset.chunks(4096):
            index.upsert(np.arange(start, start + len(rows)), rows)
        settle()
    built_s = perf_counter() - began
    masks = _masks(dataset, shop)
    allowed = [None if mask is None else Allowed(mask, int(mask.sum())) for mask in masks.values()]
    queries = dataset.queries("in", "timed")
    gc.collect()
    idle = Searching(index, shop, queries, allowed)
    over = perf_counter() + load.idle_s
    idle.until(lambda: perf_counter() > over)
    before = memory_mb()["own"]
    busy, writing, ended = Searching(index, shop, queries, allowed), Writing(index, dataset, shop), Event()
    with Peak() as changing:
        writer = Thread(target=writing.run, args=[ended], name="writer")
        writer.start()
        busy.until(ended.is_set)
        writer.join()
    if writing.failed is not None:
        raise RuntimeError("changes could not be brought in") from writing.failed
    said = state()
    settle()
    gc.collect()
    after = memory_mb()["own"]
    waited = np.array(writing.found_s or [np.inf])
    return {
        "build": {"recall": load.recall},
        "build_s": round(built_s, 1),
        "build_peak_mb": round(building.own),
        "idle": idle.speed(),
        "live": busy.speed(),
        "p99_times": round(busy.speed()["p99_ms"] / idle.speed()["p99_ms"], 2),
        "searchable_p50_s": round(float(np.quantile(waited, 0.5)), 3),
        "searchable_p99_s": round(float(np.quantile(waited, 0.99)), 3),
        "late_s": round(writing.late_s, 3),
        "lost": writing.lost,
        "gone_found": busy.gone_found,
        "recall": recalls(index, dataset, shop, queries[:400], masks),
        "before_mb": round(before),
        "peak_mb": round(changing.own),
        "after_mb": round(after),
        "after_times": round(after / before, 3),
        "state": said,
        "held": int(shop.there.sum()),
        "found_held": len(index),
    }


def _masks(dataset: Dataset, shop: Shop) -> dict[str, NDArray[np.bool_] | None]:
    """Return one mask of each of `ASKED`, over all keys there will be; new products match by chance, too."""
    masks: dict[str, NDArray[np.bool_] | None] = {}
    for name in ASKED:
        wanted = Filter.read(name)
        if wanted.kind == "none":
            masks[name] = None
            continue
        more = default_rng([33, dataset.count]).random(len(shop.there) - dataset.count) < wanted.share
        masks[name] = np.concatenate([filters.masks(dataset, wanted)[0], more])
    return masks


def run(dataset: Dataset, load: Load, folder: Path, out: Path) -> Line:
    """Measure, unless the file has it; return the line."""
    results = Results(out)
    key = {
        "set": dataset.name,
        "engine": "lookalike:auto",
        "minutes": load.minutes,
        "upserts_per_s": load.upserts_per_s,
    }
    if not results.has("live", **key):
        results.add("live", **key, deletes_per_s=load.deletes_per_s, **measure(dataset, load, folder))
    return next(line for line in results.lines if line["what"] == "live" and key.items() <= line.items())
