"""FAISS HNSW over 8-bit scalar codes, with an id selector: a quarter of the memory, faster where memory is the limit."""

from __future__ import annotations

from typing import Any

import faiss

from benchmarks.index.engines import faiss_hnsw
from benchmarks.index.engines.protocol import Params


class Engine(faiss_hnsw.Engine):
    """Like the plain one; answers are not refined, as the codes alone reach the recalls asked for."""

    def empty(self, dim: int, params: Params) -> Any:
        return faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, params["m"], faiss.METRIC_INNER_PRODUCT)
