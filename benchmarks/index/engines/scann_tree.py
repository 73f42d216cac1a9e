"""ScaNN: a tree of partitions with anisotropic codes, rescored. It takes no filter, so more is fetched and the rest dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scann

from benchmarks.index.dataset import Dataset, Ids
from benchmarks.index.engines.protocol import THREADS, Masks, Params, PostFilter, Query


class Engine(PostFilter):
    """sqrt(n) leaves, 2 dimensions a block, threshold 0.2: the advice of its own guide; leaves and rescoring are swept."""

    builds: tuple[Params, ...] = ({"leaves_per_sqrt": 1, "block": 2}, {"leaves_per_sqrt": 2, "block": 4})

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        if share < 1:
            fetches, parts = (1, 1.5, 2, 3, 5, 8, 12), (0.1, 0.3, 1.0)
            return [{"leaves": part, "fetch": fetch, "rescore": 2} for fetch in fetches for part in parts]
        leaves = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3)
        return [{"leaves": part, "rescore": times} for part in leaves for times in (5, 10, 20)]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.leaves = round(params["leaves_per_sqrt"] * dataset.count**0.5)
        self.count = dataset.count
        rows = dataset.whole()
        builder = scann.scann_ops_pybind.builder(rows, 10, "dot_product").set_n_training_threads(THREADS)
        self.index = (
            builder.tree(self.leaves, max(1, self.leaves // 10), training_sample_size=min(len(rows), 250_000))
            .score_ah(params["block"], anisotropic_quantization_threshold=0.2)
            .reorder(100)
            .build()
        )

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        width = self.width(k, where, effort)
        leaves = max(1, round(effort["leaves"] * self.leaves))
        rescored = min(self.count, round(width * effort["rescore"]))
        ids, _ = self.index.search(
            query, final_num_neighbors=width, pre_reorder_num_neighbors=rescored, leaves_to_search=leaves
        )
        return self.kept(np.asarray(ids, np.int64), k, where)

    def save(self) -> Path:
        self.index.serialize(str(self.folder))
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
