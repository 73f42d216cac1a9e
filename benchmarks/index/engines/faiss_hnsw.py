"""FAISS HNSW with an id selector, as published: the selector is asked at each candidate, the graph is walked regardless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query, widths


class Selected:
    """Filters of FAISS: a bitmap, packed once where the filter is used again."""

    def __init__(self) -> None:
        self.selectors: dict[str, Any] = {}
        self.unpacked: dict[str, Mask] = {}

    def ready(self, name: str, mask: Mask) -> None:
        self.unpacked.pop(name, None)
        self.selectors[name] = selector(mask)

    def fresh(self, name: str, mask: Mask) -> None:
        self.unpacked[name] = mask

    def selected(self, where: str | None) -> Any:
        """Return what goes into `sel`: made now if the filter is to be fresh."""
        if where is None:
            return None
        mask = self.unpacked.get(where)
        return self.selectors[where] if mask is None else selector(mask)


def selector(mask: Mask) -> Any:
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


class Engine(Selected):
    """M 32 and efConstruction 200: what its papers and the public benchmarks use at this length."""

    builds: tuple[Params, ...] = ({"m": 32, "ef_construction": 200},)

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return widths(10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)

    def empty(self, dim: int, params: Params) -> Any:
        return faiss.IndexHNSWFlat(dim, params["m"], faiss.METRIC_INNER_PRODUCT)

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        faiss.omp_set_num_threads(THREADS)
        self.index = self.empty(dataset.dim, params)
        self.index.hnsw.efConstruction = params["ef_construction"]
        for start, rows in dataset.chunks():
            if not start and not self.index.is_trained:
                self.index.train(rows)
            self.index.add(rows)

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        faiss.omp_set_num_threads(1)  # each thread has its own setting
        parameters = faiss.SearchParametersHNSW(efSearch=max(effort["ef"], k), sel=self.selected(where))
        return self.index.search(query[None], k, params=parameters)[1][0]

    def save(self) -> Path:
        faiss.write_index(self.index, str(self.folder / "index.faiss"))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
