"""What vectors must be before anything compares them."""

from __future__ import annotations

import numpy as np

from lookalike.core.errors import VectorError
from lookalike.core.types import Keys, Vectors


def unit_rows(vectors: np.ndarray, dim: int, what: str = "vectors") -> Vectors:
    """Return float32 [n, dim] with rows of length 1; raise VectorError naming the first row that cannot be one."""
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise VectorError(
            f"{what} have shape {vectors.shape}, expected [n, {dim}]",
            hint="Use the encoder of this catalogue.",
        )
    if vectors.dtype == np.float32 and vectors.flags.c_contiguous and _all_of_length_1(vectors):
        return vectors
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
        rows = np.ascontiguousarray(vectors, np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        raise VectorError(
            f"row {bad[0]} of the {what} is zero, infinite or not a number ({len(bad)} of {len(rows)} rows are)",
            hint="A vector needs a direction: find out what the encoder was given there.",
        )
    if np.abs(lengths - 1.0).max(initial=0.0) > 1e-5:
        rows = (rows / lengths[:, None]).astype(np.float32)
    return rows


def _all_of_length_1(rows: Vectors) -> bool:
    """Look in single precision, which is quick, and enough where it finds nothing amiss."""
    squares = np.einsum("nd,nd->n", rows, rows)
    return bool((np.abs(squares - 1.0) < 1e-5).all())  # NaN fails this too


def keyed_rows(keys: Keys, vectors: np.ndarray, dim: int) -> tuple[Keys, Vectors]:
    """Return int64 [n] and `unit_rows` [n, dim]; raise VectorError unless there is one key for each vector."""
    rows = unit_rows(vectors, dim)
    keys = np.asarray(keys, np.int64)
    if keys.shape != (len(rows),):
        raise VectorError(
            f"keys of shape {keys.shape} for {len(rows)} vectors", hint="Give each vector a key."
        )
    return keys, rows
