"""In-process search, one thread: latency per kind of query, recall against a brute force in float64, and the whole path of a
vector query against the bare exact scan of the same vectors, in the same run. Then photo queries from two threads, and what the
indexes take to make and to keep.

    lookalike index fashion.parquet --shop fashion.db
    python benchmarks/search.py --shop fashion.db
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np

import lookalike
from lookalike.core.filters import matches
from lookalike.core.fusion import Signal, fuse
from lookalike.core.images import decode
from lookalike.core.types import IMAGE
from lookalike.engine.probes import Probe
from lookalike.questions import QuestionReader
from lookalike.wiring import make_index, make_snapshots
from record import percentiles, record

K = 10
FILTERS = {"filter ~50 %": 0.5, "filter ~10 %": 0.1, "filter ~1 %": 0.01}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shop", default="fashion.db")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with lookalike.open(arguments.shop, create=False) as shop:
        bench = Bench(shop, Path(f"{arguments.shop}.index"), arguments.queries, arguments.seed)
        print(f"{len(shop):,} products; {arguments.queries} queries of each kind, one thread, k = {K}")
        print(
            f"{'kind':<22}{'p50 ms':>8}{'p95':>8}{'p99':>8}{'encode':>8}{'rank':>8}{'enrich':>8}{'recall@10':>11}"
        )
        for kind, questions in bench.kinds().items():
            bench.run(kind, questions)
        bench.against_bare_scan()
        bench.as_a_whole()


class Bench:
    """Questions drawn from a shop's own products, and what came of them."""

    def __init__(self, shop: lookalike.Shop, folder: Path, count: int, seed: int) -> None:
        self.shop, self.folder, self.count = shop, folder, count
        self.rng = np.random.default_rng(seed)
        self.live = shop._live
        self.ids = sorted(shop.select("id exists"))
        self.products = shop.get(self.ids)

    def draw(self, count: int | None = None) -> list[lookalike.Product]:
        chosen = self.rng.choice(len(self.ids), count or self.count, replace=False)
        return [self.products[self.ids[i]] for i in chosen]

    def pixels(self) -> list[np.ndarray]:
        return [decode(data) for p in self.draw(self.count * 2) if (data := self.shop.picture(p))][
            : self.count
        ]

    def kinds(self) -> dict[str, list[dict[str, Any]]]:
        pixels, others = self.pixels(), self.pixels()
        titles = [p.title for p in self.draw() if p.title]
        likes = [p.id for p in self.draw()]
        vectors = [
            self.live.spaces[IMAGE].get(np.array([k]))[1]
            for k in self.rng.choice(len(self.ids), self.count) + 1
        ]
        noisy = [
            v[0] + 0.02 * self.rng.standard_normal(v.shape[1]).astype(np.float32) for v in vectors if len(v)
        ]
        kinds: dict[str, list[dict[str, Any]]] = {
            "vector": [{"parts": [{"space": IMAGE, "vector": v}]} for v in noisy],
            "image": [{"image": p} for p in pixels],
            "text": [{"text": t} for t in titles],
            "image + text": [{"image": p, "text": t} for p, t in zip(pixels, titles, strict=False)],
            "like": [{"like": i} for i in likes],
            "two images, all": [
                {"image": [p, q], "mode": "all"} for p, q in zip(pixels, others, strict=False)
            ],
            "signed": [
                {"parts": [{"like": i}, {"text": t, "weight": -0.5}]}
                for i, t in zip(likes, titles, strict=False)
            ],
        }
        for name, share in FILTERS.items():
            where = self.filter_keeping(share)
            kinds[f"vector, {name}"] = [question | {"where": where} for question in kinds["vector"]]
        kinds["like, filter ~10 %"] = [q | {"where": self.filter_keeping(0.1)} for q in kinds["like"]]
        return kinds

    def filter_keeping(self, share: float) -> str:
        """Return a filter over the shop's own columns that keeps about this share of the products."""
        best, miss = "", 1.0
        for name, values in self.live.columns.facets(
            list(self.shop.columns), self.live.columns.allowed(None)
        ).items():
            for value in values:
                if isinstance(value.value, str) and name != "id":
                    off = abs(np.log(value.count / (share * len(self.ids))))
                    if not best or off < miss:
                        quoted = value.value.replace('"', '""')
                        # Counts of categories are of all that is below them.
                        is_ = "prefix" if name == "category" else "="
                        best, miss = f'`{name}` {is_} "{quoted}"', float(off)
        return best

    def run(self, kind: str, questions: Sequence[dict[str, Any]]) -> None:
        for question in questions[:5]:
            self.shop.search(**question, k=K)
        total, stages, recalls = [], [], []
        for question in questions:
            started = perf_counter()
            result = self.shop.search(**question, k=K)
            total.append((perf_counter() - started) * 1e3)
            stages.append(result.took_ms)
        for question in questions[:100]:
            recalls.append(self.recall(question))
        median = {stage: float(np.median([s[stage] for s in stages])) for stage in stages[0]}
        times, recall = percentiles(total), float(np.mean(recalls))
        record(
            "search",
            kind=kind,
            products=len(self.ids),
            queries=len(questions),
            **times,
            stages_ms=median,
            recall=recall,
        )
        print(
            f"{kind:<22}{times['p50_ms']:>8.2f}{times['p95_ms']:>8.2f}{times['p99_ms']:>8.2f}"
            f"{median['encode']:>8.2f}{median['rank']:>8.2f}{median['enrich']:>8.2f}{recall:>11.4f}"
        )

    def recall(self, question: dict[str, Any]) -> float:
        """Share of the true best among those found; products tied with the last of them count as true."""
        reader = QuestionReader(
            self.shop._queries_from, self.shop._settings.images, self.live.columns.types()
        )
        query = reader.read(question | {"k": K})  # type: ignore[typeddict-item,arg-type]
        [asked] = self.shop._searcher._asked([query])
        keys = np.flatnonzero(self.live.columns.live)
        where = query.where
        if where is not None:
            names = self.live.columns.values("id", self.live.columns.codes("id", keys).tolist())
            keys = keys[[matches(where, self.products[str(name[0])]) for name in names]]
        keys = np.setdiff1d(keys, asked.itself)
        relevance = fuse([self.in_float64(probe, keys) for probe in asked.probes], query.mode)
        found = self.shop.search(**question, k=K)
        best = np.sort(relevance)[::-1][: len(found.hits)]
        held = self.shop._catalog.keys([hit.product.id for hit in found.hits])
        ours = relevance[np.searchsorted(keys, list(held.values()))]
        # float32 and float64 may order equals differently; a millionth is far below what any rank means.
        return float(np.mean(ours >= best[-1] - 1e-6)) if len(best) else 1.0

    def in_float64(self, probe: Probe, keys: np.ndarray) -> Signal:
        if isinstance(probe.looks_for, str):  # words are counted, in whole numbers, whichever way one looks
            similarities = self.live.view.words.scores(probe.looks_for, keys)
        else:
            similarities = self.products_in_float64(probe.space, probe.looks_for, keys)
        return Signal(
            probe.part, probe.part_weight, probe.space, probe.weight, probe.calibration, similarities
        )

    def products_in_float64(self, space: str, looked_for: np.ndarray, keys: np.ndarray) -> np.ndarray:
        held, vectors = self.live.spaces[space].get(keys)
        products = np.einsum("nd,md->mn", vectors.astype(np.float64), looked_for.astype(np.float64)).max(
            axis=0
        )
        firsts = np.flatnonzero(np.append(True, held[1:] != held[:-1]))
        similarities = np.full(len(keys), np.nan)
        if len(held):
            similarities[np.searchsorted(keys, held[firsts])] = np.maximum.reduceat(products, firsts)
        return similarities

    def against_bare_scan(self) -> None:
        """Interleave the whole path with bare scans of the same vectors, so that a busy machine slows all alike."""
        _, vectors = self.live.spaces[IMAGE].get(np.flatnonzero(self.live.columns.live))
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        queries = [q["parts"][0]["vector"] for q in self.kinds()["vector"]]
        ways: dict[str, Callable[[np.ndarray], object]] = {
            "whole path": lambda v: self.shop.search(parts=[{"space": IMAGE, "vector": v}], k=K),
            "FAISS flat float32": lambda v: flat.search(v[None], K),
            "NumPy": lambda v: np.argpartition(vectors @ v, -K)[-K:],
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for query in queries:
            for name, way in ways.items():
                started = perf_counter()
                way(query)
                took[name].append((perf_counter() - started) * 1e3)
        medians = {name: float(np.median(times)) for name, times in took.items()}
        ratios = {name: medians["whole path"] / ms for name, ms in medians.items() if name != "whole path"}
        record(
            "search_against_scan",
            medians_ms=medians,
            ratios=ratios,
            vectors=len(vectors),
            dim=vectors.shape[1],
        )
        print(
            "\np50 of a vector query, interleaved: "
            + ", ".join(f"{n} {ms:.2f} ms" for n, ms in medians.items())
        )
        print(
            "whole path / bare scan: " + ", ".join(f"{ratio:.2f} x {name}" for name, ratio in ratios.items())
        )

    def as_a_whole(self) -> None:
        """Photo queries, the indexes of all spaces made anew, and their snapshot on disk."""
        questions = self.kinds()["image"]
        started = perf_counter()
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda question: self.shop.search(**question, k=K), questions * 3))
        per_s = 3 * len(questions) / (perf_counter() - started)
        snapshots = sorted(self.folder.glob("snapshot-*"))
        whole = {
            "two_threads_per_s": per_s,
            "build_s": sum(self.built_s(space) for space in self.live.spaces),
            "disk_mb": sum(file.stat().st_size for file in snapshots[-1].iterdir()) / 1e6
            if snapshots
            else None,
        }
        record("search_whole", products=len(self.ids), **whole)
        print(", ".join(f"{name} {value:,.1f}" for name, value in whole.items() if value is not None))

    def built_s(self, space: str) -> float:
        """Return how long it takes to make the index of a space from its vectors, tuned and ready."""
        keys, vectors = self.live.spaces[space].get(np.flatnonzero(self.live.columns.live))
        started = perf_counter()
        index = make_index(self.live.spaces[space].dim)
        if len(keys):
            index.upsert(keys, vectors)
        make_snapshots(self.folder, make_index).settle({space: index})
        return perf_counter() - started


if __name__ == "__main__":
    main()
