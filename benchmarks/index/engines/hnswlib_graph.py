"""hnswlib: a graph, filtered by a Python function it calls for each candidate (that is its only way)."""

from __future__ import annotations

from pathlib import Path

import hnswlib
import numpy as np

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query, widths


class Engine:
    """M 32, ef_construction 200. `ef` is a setting of the whole index, so it is set only when it changes."""

    builds: tuple[Params, ...] = ({"m": 32, "ef_construction": 200},)

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder, self.ef = folder, 0
        self.masks: dict[str, Mask] = {}

    def efforts(self, k: int, share: float) -> list[Params]:
        return widths(10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.index = hnswlib.Index("ip", dataset.dim)
        self.index.init_index(
            dataset.count, M=params["m"], ef_construction=params["ef_construction"], random_seed=0
        )
        for start, rows in dataset.chunks():
            self.index.add_items(rows, np.arange(start, start + len(rows)), num_threads=THREADS)

    def ready(self, name: str, mask: Mask) -> None:
        self.masks[name] = mask

    fresh = ready  # a mask needs no preparation

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        if effort["ef"] != self.ef:
            self.ef = effort["ef"]
            self.index.set_ef(max(self.ef, k))
        keep = None if where is None else self.masks[where].__getitem__
        try:
            ids, _ = self.index.knn_query(query[None], k, num_threads=1, filter=keep)
        except RuntimeError:  # "Cannot return the results in a contiguous 2D array": it found fewer than k
            return np.empty(0, np.int64)
        return ids[0].astype(np.int64)

    def save(self) -> Path:
        self.index.save_index(str(self.folder / "index.hnswlib"))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
