"""What index would be built of so many vectors, and what it would take: arithmetic, and what a snapshot has measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lookalike.adapters import index_cells
from lookalike.adapters.index_cells_tuning import Budgets

RECALL = 0.95
"""What cells are tuned for unless told otherwise, of the ten nearest."""
CELLS_US = 1.3
"""Processor time for each component of each vector, to learn cells and measure how to search them: 33 s for 100,000 x 256."""
EXACT_US = 0.03
"""The same for half-precision copies: 0.8 s for 100,000 x 256."""
PER_ROW = 17
"""Bytes of each row beside its vector and its code: key, place, whether it is alive."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The index of one space. `build_s` is processor time; `search_us` is None where nothing was measured yet."""

    space: str
    vectors: int
    dim: int
    kind: str
    parameters: str
    memory_bytes: int
    disk_bytes: int
    recall: float
    build_s: float
    search_us: float | None = None
    measured: bool = False
    """Whether the last three were measured, when the index of the newest snapshot was built."""


def plan(
    space: str,
    vectors: int,
    dim: int,
    kind: str,
    saved: Mapping[str, Any] | None = None,
    recall: float = RECALL,
) -> Planned:
    """Say what index `kind` ("auto" or "exact") makes of vectors, tuned for a recall where it is not exact.

    `saved` is the head of its large segment in a snapshot; one that was tuned for another recall says nothing.
    """
    if kind == "exact" or vectors < index_cells.LEAST_ROWS:
        rows = vectors * (6 * dim + PER_ROW)
        return Planned(
            space,
            vectors,
            dim,
            "exact",
            "half precision, refined",
            rows,
            rows,
            1.0,
            vectors * dim * EXACT_US / 1e6,
        )
    cells, together = index_cells.shape_of(vectors, dim)
    code = dim // together // 2
    rows = vectors * (4 * dim + code + 8 + PER_ROW) + 4 * cells * dim
    parameters = f"{cells:,} cells, codes of {code} bytes"
    estimated = Planned(
        space, vectors, dim, "cells", parameters, rows, rows, recall, vectors * dim * CELLS_US / 1e6
    )
    usable = saved is not None and saved["kind"] == "cells" and saved["recall"] == recall
    return _measured(estimated, saved) if saved is not None and usable else estimated


def _measured(planned: Planned, saved: Mapping[str, Any]) -> Planned:
    """Return the same with what was measured when the index of a snapshot was built, of perhaps fewer vectors."""
    budgets = Budgets.from_json(saved["budgets"])
    all_rows = budgets.measured[False, 1.0]
    return replace(
        planned,
        recall=all_rows.recall,
        build_s=saved["took_s"] * planned.vectors / max(saved["built"], 1),
        search_us=all_rows.took_us,
        measured=True,
    )
