"""Milvus Lite: the Milvus client's stand-in in this process, today Python over FAISS; filters are flags of the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymilvus import DataType, MilvusClient

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import Masks, Params, Query

BATCH = 2000


def field(name: str) -> str:
    """Return a filter's name as a field is allowed to be called."""
    return name.replace("-", "_").replace(".", "_")


class Engine:
    """A graph of M 32 and efConstruction 200, as for the others."""

    builds: tuple[Params, ...] = ({"m": 32, "ef_construction": 200},)

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder

    def efforts(self, k: int, share: float) -> list[Params]:
        return [{"ef": ef} for ef in (16, 32, 64, 128, 256, 512)]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.client = MilvusClient(str(self.folder / "rows.db"))
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dataset.dim)
        for name in masks.names:
            schema.add_field(field(name), DataType.BOOL)
        index = self.client.prepare_index_params()
        graph = {"M": params["m"], "efConstruction": params["ef_construction"]}
        index.add_index("vector", index_type="HNSW", metric_type="IP", params=graph)
        self.client.create_collection("rows", schema=schema, index_params=index)
        every = {field(name): masks[name] for name in masks.names}
        for start, rows in dataset.chunks(BATCH):
            self.client.insert(
                "rows",
                [
                    {"id": start + i, "vector": row}
                    | {name: bool(mask[start + i]) for name, mask in every.items()}
                    for i, row in enumerate(rows)
                ],
            )
        self.client.flush("rows")
        self.client.load_collection("rows")

    def ready(self, name: str, mask: Mask) -> None:
        """Nothing: the flags are stored with the rows."""

    fresh = ready

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        found = self.client.search(
            "rows",
            [query],
            limit=k,
            filter=f"{field(where)} == true" if where else "",
            search_params={"metric_type": "IP", "params": {"ef": effort["ef"]}},
        )
        return np.array([hit["id"] for hit in found[0]], np.int64)

    def save(self) -> Path:
        return self.folder

    def close(self) -> None:
        self.client.close()
