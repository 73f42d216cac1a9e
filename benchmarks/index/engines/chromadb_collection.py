"""Chroma: hnswlib behind SQLite; filters are metadata, looked up in SQLite and handed to the graph."""

from __future__ import annotations

from pathlib import Path

import chromadb
import numpy as np
from chromadb.config import Settings

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query

BATCH = 5000


class Engine:
    """M 32, ef_construction 200. ef is a setting of the collection, changed between sweeps."""

    builds: tuple[Params, ...] = ({"m": 32, "ef_construction": 200},)

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder, self.ef = folder, 0

    def efforts(self, k: int, share: float) -> list[Params]:
        return [{"ef": ef} for ef in (16, 32, 64, 128, 256, 512)]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        client = chromadb.PersistentClient(str(self.folder), Settings(anonymized_telemetry=False))
        graph = {
            "space": "ip",
            "max_neighbors": params["m"],
            "ef_construction": params["ef_construction"],
            "num_threads": THREADS,
        }
        self.rows = client.create_collection("rows", configuration={"hnsw": graph}, embedding_function=None)
        for start, rows in dataset.chunks(BATCH):
            tags = masks.tags(start, start + len(rows))
            flags = [dict.fromkeys(mine, True) or None for mine in tags]
            self.rows.add(
                ids=[str(start + i) for i in range(len(rows))],
                embeddings=rows,
                metadatas=flags if masks.names else None,
            )

    def ready(self, name: str, mask: Mask) -> None:
        """Nothing: the flags are stored with the rows."""

    fresh = ready

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        if effort["ef"] != self.ef:
            self.ef = effort["ef"]
            self.rows.modify(configuration={"hnsw": {"ef_search": self.ef}})
        found = self.rows.query(
            query_embeddings=[query], n_results=k, where={where: True} if where else None, include=[]
        )
        return np.array(found["ids"][0], np.int64)

    def save(self) -> Path:
        return self.folder

    def close(self) -> None:
        """Nothing is left to do."""
