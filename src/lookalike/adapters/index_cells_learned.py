"""What cells are learned as: a rotation, centroids, and codes of what sets rows apart from them."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from lookalike.adapters.index_rows import Stored, rows_at_once, taken

TRAINED_ON, LEAST_TRAINED_ON = 48, 20_000
"""Rows for each cell that centroids are learned from, and how many at least."""


def rotation(dim: int) -> Any:
    """Return a random rotation: where `dim` allows, one by Hadamard matrices, which takes microseconds."""
    if dim & (dim - 1) == 0:
        return faiss.HadamardRotation(dim)
    turn = faiss.RandomRotationMatrix(dim, dim)
    turn.init(dim)
    return turn


def shape_of(count: int, dim: int) -> tuple[int, int]:
    """Return how many cells are made of so many rows, and how many components go into one code of 4 bits."""
    return 2 ** round(np.log2(0.8 * np.sqrt(count))), 2 if dim % 2 == 0 else 1


def trained(turn: Any, vectors: Stored, most: int | None = None) -> Any:
    """Return an empty inverted file with its centroids and codes learned from a sample of the rows, at most `most` of them."""
    count, dim = vectors.shape
    cells, together = shape_of(count, dim)
    quantizer = faiss.IndexFlatIP(dim)
    codes = faiss.IndexIVFPQFastScan(quantizer, dim, cells, dim // together, 4, faiss.METRIC_INNER_PRODUCT)
    codes.by_residual = True  # not its default for inner products; half the rows need comparing
    codes.cp.niter = 8
    for clustering in (codes.cp, codes.pq.cp):
        clustering.min_points_per_centroid = 1  # it would say on standard output that it had liked more
    wanted = min(count, max(TRAINED_ON * cells, LEAST_TRAINED_ON), most or count)
    sample = np.linspace(0, count - 1, wanted).astype(np.int64)
    turned = np.empty((len(sample), dim), np.float32)
    step = rows_at_once(dim)
    for start in range(0, len(sample), step):
        part = slice(start, start + step)
        turned[part] = turn.apply(taken(vectors, sample[part]))
    codes.train(turned)
    return codes
