"""The project's own index, through its port: product keys are row numbers, one vector a product."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import Masks, Params, Query
from lookalike import wiring
from lookalike.adapters.index_snapshot import Writing
from lookalike.core.types import Allowed


class Engine:
    """`kind` is a kind of `wiring.make_index`. Nothing is swept: reaching its recall target is the index's own task."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind or "exact", folder
        self.builds: tuple[Params, ...] = (
            ({},) if self.kind == "exact" else ({"recall": 0.95}, {"recall": 0.99})
        )
        self.allowed: dict[str, Allowed] = {}

    def efforts(self, k: int, share: float) -> list[Params]:
        return [{}]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.index = wiring.make_index(dataset.dim, self.kind, **params)
        for start, rows in dataset.chunks():
            self.index.upsert(np.arange(start, start + len(rows)), rows)
        # An index that folds in the background says so by having `settle`; the build is over when that is.
        getattr(self.index, "settle", lambda: None)()

    def ready(self, name: str, mask: Mask) -> None:
        self.allowed[name] = Allowed(mask, int(mask.sum()))

    def fresh(self, name: str, mask: Mask) -> None:
        # The count comes with the mask from the columns, whatever the index does; a new object is a filter never seen.
        self.allowed[name] = Allowed(mask.copy(), int(mask.sum()))

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        found: Ids = self.index.search(query[None], k, None if where is None else self.allowed[where]).keys[0]
        return found

    def save(self) -> Path:
        self.index.frozen().save(Writing(self.folder), "index")
        return self.folder

    def close(self) -> None:
        getattr(self.index, "close", lambda: None)()
