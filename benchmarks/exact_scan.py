"""Ways to scan all vectors exactly, one thread: which one the exact index should use, and where gathering beats scanning.

    python benchmarks/exact_scan.py [--products 30000 100000] [--dim 256]

The vectors are made up: clusters on the unit sphere. Ways are interleaved query by query, so that a busy machine slows all
alike; times are medians in milliseconds, beside each way's ratio to FAISS flat float32 and its recall@10.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import faiss
import numpy as np

from lookalike.adapters.index_exact import ExactIndex
from lookalike.core.types import Allowed
from record import record

K = 10
Search = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=int, nargs="+", default=[30_000, 100_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    for products in arguments.products:
        vectors, queries = made(products, arguments.queries, arguments.dim)
        compare(f"{products:,} x {arguments.dim}", ways(vectors), queries)
        for share in (0.5, 0.1, 0.05, 0.02, 0.01):
            compare(f"{products:,} x {arguments.dim}, filter {share:.0%}", filtered(vectors, share), queries)


def made(products: int, queries: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, dim))
    rows = centres[rng.integers(200, size=products + queries)] + 0.7 * rng.standard_normal(
        (products + queries, dim)
    )
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return rows[queries:], rows[:queries]


def ways(vectors: np.ndarray) -> dict[str, Search]:
    dim, kinds = vectors.shape[1], faiss.ScalarQuantizer
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    index = ExactIndex(dim)
    index.upsert(np.arange(len(vectors)), vectors)
    found: dict[str, Search] = {
        "FAISS flat float32": lambda q: flat.search(q[None], K)[1][0],
        "ExactIndex": lambda q: index.search(q[None], K).keys[0],
        "NumPy float32": lambda q: np.argpartition(-(vectors @ q), K)[:K],
    }
    for name, kind in (("fp16", kinds.QT_fp16), ("bf16", kinds.QT_bf16), ("int8", kinds.QT_8bit)):
        codes = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
        codes.train(vectors)
        codes.add(vectors)
        found[f"FAISS {name}, unrefined"] = lambda q, codes=codes: codes.search(q[None], K)[1][0]  # type: ignore[misc]
    return found


def filtered(vectors: np.ndarray, share: float) -> dict[str, Search]:
    mask = np.random.default_rng(1).random(len(vectors)) < share
    allowed = Allowed(mask, int(mask.sum()))
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    index = ExactIndex(vectors.shape[1])
    index.upsert(np.arange(len(vectors)), vectors)
    bits, ids = np.packbits(mask, bitorder="little"), np.flatnonzero(mask)

    def with_selector(selector: Callable[[], object]) -> Search:
        def search(q: np.ndarray) -> np.ndarray:
            parameters = faiss.SearchParameters(sel=selector())
            return np.asarray(flat.search(q[None], K, params=parameters)[1][0])

        return search

    return {
        "FAISS flat float32": with_selector(lambda: faiss.IDSelectorBitmap(bits)),
        "FAISS flat, id array": with_selector(lambda: faiss.IDSelectorArray(ids)),
        "ExactIndex": lambda q: index.search(q[None], K, allowed).keys[0],
    }


def compare(what: str, searches: dict[str, Search], queries: np.ndarray) -> None:
    took: dict[str, list[float]] = {name: [] for name in searches}
    right: dict[str, list[float]] = {name: [] for name in searches}
    for query in queries:
        truth: set[int] | None = None
        for name, search in searches.items():
            started = perf_counter()
            found = search(query)
            took[name].append((perf_counter() - started) * 1e3)
            truth = truth or set(found.tolist())
            right[name].append(len(truth & set(found.tolist())) / len(truth))
    base = float(np.median(took["FAISS flat float32"]))
    print(f"\n{what}")
    for name in searches:
        ms, recall = float(np.median(took[name])), float(np.mean(right[name]))
        record("exact_scan", vectors=what, way=name, p50_ms=ms, ratio=ms / base, recall=recall)
        print(f"  {name:<24}{ms:>8.3f} ms{ms / base:>7.2f} x{recall:>8.4f}")


if __name__ == "__main__":
    main()
