"""voyager: hnswlib grown up. It takes no filter, so more is fetched and the rest dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from voyager import Index, Space, StorageDataType

from benchmarks.index.dataset import Dataset, Ids
from benchmarks.index.engines.protocol import THREADS, Masks, Params, PostFilter, Query, post_filter_efforts


class Engine(PostFilter):
    """M 32, ef_construction 200; single precision, or 8-bit floats."""

    builds: tuple[Params, ...] = ({"storage": "Float32", "m": 32}, {"storage": "E4M3", "m": 32})

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return post_filter_efforts(share, (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024))

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        storage = getattr(StorageDataType, params["storage"])
        self.index = Index(
            Space.InnerProduct, dataset.dim, M=params["m"], ef_construction=200, random_seed=0, storage_data_type=storage,
            max_elements=dataset.count,
        )  # fmt: skip
        for start, rows in dataset.chunks():
            self.index.add_items(rows, list(range(start, start + len(rows))), num_threads=THREADS)

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        width = self.width(k, where, effort)
        try:
            ids, _ = self.index.query(query, width, query_ef=max(effort["ef"], width))
        except RuntimeError:  # it found fewer than asked for
            return np.empty(0, np.int64)
        return self.kept(ids.astype(np.int64), k, where)

    def save(self) -> Path:
        self.index.save(str(self.folder / "index.voyager"))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
