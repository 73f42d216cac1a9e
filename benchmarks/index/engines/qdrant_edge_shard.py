"""qdrant-edge: Qdrant's engine in this process.

Filters are values of one keyword field with an index, made before the graph, so that the graph gets its extra edges for them;
below its own threshold it goes to each matching row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as qe

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query

FIELD = "tags"
BATCH = 2048


class Engine:
    """m 16, ef_construct 100, scan threshold 10 MB: its defaults; 8-bit codes in memory and rescored, or plain.

    One segment, so that nothing is searched twice; no write-ahead log while building. ACORN (more hops under a filter) is
    part of the sweep.
    """

    builds: tuple[Params, ...] = (
        {"m": 16, "ef_construct": 100, "int8": True},
        {"m": 16, "ef_construct": 100, "int8": False},
    )

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder, self.int8 = folder, False
        self.filters: dict[str, Any] = {}

    def efforts(self, k: int, share: float) -> list[Params]:
        efforts: list[Params] = [
            {"ef": ef} for ef in (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
        ]
        if share == 1.0:
            return efforts
        return [e | {"acorn": acorn} for e in efforts[::2] for acorn in (False, True)]  # type: ignore[operator]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.int8 = params["int8"]
        graph = qe.HnswIndexConfig(params["m"], params["ef_construct"], 10_000, max_indexing_threads=THREADS)
        codes = qe.ScalarQuantizationConfig(qe.ScalarType.Int8, quantile=0.99, memory=qe.Memory.Pinned)
        self.shard = qe.EdgeShard.create(
            str(self.folder),
            qe.EdgeConfig(
                qe.EdgeVectorParams(dataset.dim, qe.Distance.Dot, memory=qe.Memory.Cached),
                hnsw_config=graph,
                quantization_config=codes if self.int8 else None,
                optimizers=qe.EdgeOptimizersConfig(
                    default_segment_number=1, max_segment_size=100_000_000, indexing_threshold=1000
                ),
                max_search_threads=THREADS,
                wal_enabled=False,
            ),
        )
        if masks.names:
            index = qe.KeywordIndexParams(memory=qe.Memory.Cached)
            self.shard.update(qe.UpdateOperation.create_field_index(FIELD, index))
        for start, rows in dataset.chunks(BATCH):
            tags = masks.tags(start, start + len(rows))
            points = [
                qe.Point(start + i, row.tolist(), {FIELD: mine} if mine else None)
                for i, (row, mine) in enumerate(zip(rows, tags, strict=True))
            ]
            self.shard.update(qe.UpdateOperation.upsert_points(points))
        self.shard.optimize()
        self.shard.flush()

    def ready(self, name: str, mask: Mask) -> None:
        self.filters[name] = qe.Filter(must=[qe.FieldCondition(FIELD, match=qe.MatchValue(name))])

    fresh = ready  # it evaluates the condition anew each time

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        codes = qe.QuantizationSearchParams(rescore=True, oversampling=2.0) if self.int8 else None
        params = qe.SearchParams(
            hnsw_ef=effort["ef"],
            quantization=codes,
            acorn=qe.AcornSearchParams(enable=effort.get("acorn", False)),
        )
        found = self.shard.search(
            qe.SearchRequest(
                qe.Query.Nearest(query.tolist()),
                k,
                filter=self.filters[where] if where else None,
                params=params,
            )
        )
        return np.array([point.id for point in found], np.int64)

    def save(self) -> Path:
        self.shard.flush()
        return self.folder

    def close(self) -> None:
        self.shard.close()
