"""What is special to the exact index; what every index promises is in tests/contract."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faiss
import numpy as np
import pytest

from lookalike.adapters.index_exact import ExactIndex
from lookalike.core.vectors import unit_rows


@pytest.mark.parametrize("read", ["search", "similarities"])
def test_a_read_stays_on_the_thread_that_asks(read: str) -> None:
    """Threads of one read would wait for those of others; how many there may be is kept for each calling thread."""
    vectors = unit_rows(np.random.default_rng(1).normal(size=(64, 16)).astype(np.float32), 16, "vectors")
    index = ExactIndex(16)
    index.upsert(np.arange(64), vectors)
    asked: dict[str, Any] = {"search": (5,), "similarities": (np.arange(5),)}

    def threads_after() -> int:
        faiss.omp_set_num_threads(4)
        getattr(index, read)(vectors[:1], *asked[read])
        return int(faiss.omp_get_max_threads())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(threads_after).result() == 1
