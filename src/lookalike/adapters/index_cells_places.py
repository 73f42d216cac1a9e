"""Where the cells are, which rows they have, and which of those a filter lets through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.index_rows import Rows, Scores
from lookalike.core.types import Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the cells are, and which rows they have, read off the codes."""

    centroids: Vectors
    """float32 [cells, dim], turned."""
    sizes: Rows
    """int64 [cells]: how many rows each has."""
    cell_of: NDArray[np.uint16]
    """uint16 [rows], a type that NumPy sorts in linear time."""

    @classmethod
    def of(cls, codes: Any) -> Places:
        """Read them off an inverted file whose ids are row numbers."""
        sizes = np.array([codes.invlists.list_size(cell) for cell in range(codes.nlist)], np.int64)
        cell_of = np.empty(codes.ntotal, np.uint16)
        for cell in np.flatnonzero(sizes).tolist():
            cell_of[ids_of(codes, cell, int(sizes[cell]))] = cell
        return cls(faiss.downcast_index(codes.quantizer).reconstruct_n(0, codes.nlist), sizes, cell_of)


def ids_of(codes: Any, cell: int, size: int) -> Rows:
    """Return the row numbers in a cell, int64 [size], as they lie in memory."""
    ids: Rows = faiss.rev_swig_ptr(codes.invlists.get_ids(cell), size)
    return ids


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What a filter lets through of one segment, dead rows included, and how to look for it.

    Few rows are given as they are, in `rows`. Else `held` int64 [cells] says how many each cell has, and `chooses` tells FAISS
    which rows count; where a budget wants them compared without their codes, `rows` has them in the order of the cells, and
    `starts` says where each begins.
    """

    count: int
    rows: Rows | None = None
    held: Rows | None = None
    starts: Rows | None = None
    chooses: Any = None
    asked: dict[int, Any] = field(default_factory=dict)
    """What FAISS is told, by number of cells: its parameters take as long to make as a small search."""

    def parameters(self, probes: int) -> Any:
        """Return what FAISS is told for a search of so many cells."""
        if probes not in self.asked:
            told: dict[str, Any] = {"nprobe": probes}
            if self.chooses is not None:
                told["sel"] = self.chooses
            self.asked[probes] = faiss.SearchParametersIVF(**told)
        return self.asked[probes]

    def listed(self, cells: Rows) -> Rows:
        """Return the matching rows of some cells, without their codes."""
        assert self.rows is not None and self.starts is not None and self.held is not None
        sizes = self.held[cells]
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1]) + np.repeat(self.starts[cells] - (ends - sizes), sizes)
        matching: Rows = self.rows[places]
        return matching


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """All cells as one query sees them: `similarities` float32 [cells], and `cells` int64 [cells], nearest first."""

    similarities: Scores
    cells: Rows
