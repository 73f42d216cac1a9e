"""What index would be built of so many vectors, and what it would take: arithmetic, and what a snapshot has measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lookalike.adapters import index_cells
from lookalike.adapters.index_cells_learned import shape_of
from lookalike.adapters.index_cells_tuning import Budgets
from lookalike.adapters.index_room import Rooms, held_bytes

RECALL = 0.95
"""What cells are tuned for unless told otherwise, of the ten nearest."""
CELLS_US = 1.3
"""Processor time for each component of each vector, to learn cells and measure how to search them: 33 s for 100,000 x 256."""
EXACT_US = 0.03
"""The same for half-precision copies: 0.8 s for 100,000 x 256."""
PER_ROW = 17
"""Bytes of each row on disk, and of each that is scanned in memory, beside its vector and its code: key, number, whether it is
alive."""


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


def plan(  # noqa: PLR0913 - what there is to plan by
    space: str,
    vectors: int,
    dim: int,
    kind: str,
    saved: Mapping[str, Any] | None = None,
    recall: float = RECALL,
    memory_bytes: int | None = None,
) -> Planned:
    """Say what index `kind` ("auto" or "exact") makes of vectors, tuned for a recall where it is not exact.

    `saved` is the head of its large segment in a snapshot; one that was tuned for another recall says nothing. `memory_bytes`
    is what the index of a space may take; None for any amount.
    """
    rooms = Rooms(memory_bytes)
    if kind == "exact" or vectors < min(index_cells.LEAST_ROWS, rooms.exact_rows(dim) or vectors + 1):
        rows = vectors * (6 * dim + PER_ROW)
        build_s = vectors * dim * EXACT_US / 1e6
        return Planned(space, vectors, dim, "exact", "half precision, refined", rows, rows, 1.0, build_s)
    cells, together = shape_of(vectors, dim)
    code, on_disk = dim // together // 2, rooms.on_disk(vectors, dim)
    parameters = f"{cells:,} cells, codes of {code} bytes"
    # In half precision once in the file that is searched, and once in the snapshot.
    disk = vectors * (4 * dim + code + PER_ROW)
    memory = held_bytes(vectors, dim, on_disk=on_disk) + 4 * cells * dim
    if on_disk:
        parameters += ", vectors on disk"
        memory += 4 * dim * (rooms.recent_rows(dim) or 0)
        parameters += "" if memory_bytes is None or memory <= memory_bytes else ": more than may be taken"
    build_s = vectors * dim * CELLS_US / 1e6
    estimated = Planned(space, vectors, dim, "cells", parameters, memory, disk, recall, build_s)
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
