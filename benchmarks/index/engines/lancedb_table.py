"""LanceDB: a columnar file with an IVF index, filtered before the search; filters are flags with a bitmap index each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import Masks, Params, Query


def column(name: str) -> str:
    """Return a filter's name as a column is allowed to be called."""
    return name.replace("-", "_").replace(".", "_")


class Engine:
    """Product codes of 8 dimensions each, rescored from the vectors; sqrt(n) partitions: its own advice."""

    builds: tuple[Params, ...] = ({"index": "IVF_PQ", "block": 8},)

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return [{"nprobe": n, "refine": r} for n in (5, 10, 20, 40, 80, 160, 400) for r in (5, 20)]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        every = {name: masks[name] for name in masks.names}
        fields = [pa.field("id", pa.int64()), pa.field("vector", pa.list_(pa.float32(), dataset.dim))]
        schema = pa.schema(fields + [pa.field(column(name), pa.bool_()) for name in every])

        def batches() -> Iterator[pa.RecordBatch]:
            for start, rows in dataset.chunks():
                part = slice(start, start + len(rows))
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dataset.dim)
                flags = [pa.array(mask[part]) for mask in every.values()]
                yield pa.RecordBatch.from_arrays(
                    [pa.array(np.arange(start, part.stop)), vectors, *flags], schema=schema
                )

        self.table = lancedb.connect(str(self.folder)).create_table("rows", batches(), schema=schema)
        self.table.create_index(
            metric="dot",
            num_partitions=round(dataset.count**0.5),
            num_sub_vectors=dataset.dim // params["block"],
            index_type=params["index"],
        )
        for name in every:
            self.table.create_scalar_index(column(name), index_type="BITMAP")

    def ready(self, name: str, mask: Mask) -> None:
        """Nothing: the flags are stored with the rows."""

    fresh = ready

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        asked = (
            self.table.search(query)
            .distance_type("dot")
            .nprobes(effort["nprobe"])
            .refine_factor(effort["refine"])
        )
        if where is not None:
            asked = asked.where(f"{column(where)} = true", prefilter=True)
        return asked.select(["id"]).limit(k).to_arrow()["id"].to_numpy()

    def save(self) -> Path:
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
