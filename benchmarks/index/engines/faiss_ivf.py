"""FAISS inverted lists with an id selector, plain vectors: every list that is probed is walked, matches or not."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from benchmarks.index.dataset import Dataset, Ids
from benchmarks.index.engines.faiss_hnsw import Selected
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query, widths

PER_LIST = 40
"""Training rows per list; FAISS itself warns below 39."""


class Engine(Selected):
    """4 x sqrt(n) lists, the advice of its own guidelines."""

    builds: tuple[Params, ...] = ({"lists_per_sqrt": 4},)

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return widths(1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, key="nprobe")

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        faiss.omp_set_num_threads(THREADS)
        lists = round(params["lists_per_sqrt"] * dataset.count**0.5)
        self.quantizer = faiss.IndexFlatIP(dataset.dim)
        self.index = faiss.IndexIVFFlat(self.quantizer, dataset.dim, lists, faiss.METRIC_INNER_PRODUCT)
        picks = np.random.default_rng(0).permutation(dataset.count)[: PER_LIST * lists]
        self.index.cp.min_points_per_centroid = 1
        self.index.train(dataset.take(np.sort(picks)))
        for _, rows in dataset.chunks():
            self.index.add(rows)

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        faiss.omp_set_num_threads(1)  # each thread has its own setting
        probes = min(effort["nprobe"], self.index.nlist)
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=self.selected(where))
        return self.index.search(query[None], k, params=parameters)[1][0]

    def save(self) -> Path:
        faiss.write_index(self.index, str(self.folder / "index.faiss"))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
