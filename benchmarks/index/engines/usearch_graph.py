"""usearch: a graph. Its Python binding takes no filter, so more is fetched and the rest dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from usearch.index import Index

from benchmarks.index.dataset import Dataset, Ids
from benchmarks.index.engines.protocol import THREADS, Masks, Params, PostFilter, Query, post_filter_efforts


class Engine(PostFilter):
    """connectivity 32 and expansion 200 like the other graphs; half precision, its usual storage, or 8-bit integers."""

    builds: tuple[Params, ...] = ({"dtype": "f16", "m": 32}, {"dtype": "i8", "m": 32})

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return post_filter_efforts(share, (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024))

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.index = Index(
            ndim=dataset.dim, metric="ip", dtype=params["dtype"], connectivity=params["m"], expansion_add=200
        )
        for start, rows in dataset.chunks():
            self.index.add(np.arange(start, start + len(rows)), rows, threads=THREADS)

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        width = self.width(k, where, effort)
        self.index.expansion_search = max(effort["ef"], width)
        found = self.index.search(query, width, threads=1)
        return self.kept(found.keys.astype(np.int64), k, where)

    def save(self) -> Path:
        self.index.save(str(self.folder / "index.usearch"))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
