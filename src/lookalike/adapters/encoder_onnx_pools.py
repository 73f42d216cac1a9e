"""How what a graph gives for a batch becomes one vector for each row: one row of POOLS per way of doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError

Output = NDArray[Any]
Used = NDArray[np.bool_]
Pool = Callable[[Output, Used | None], Output]
"""What a graph gave [n, ...], which tokens are no padding (bool [n, tokens], None: all) -> [n, dim]."""


def none(output: Output, used: Used | None) -> Output:
    """Leave [n, dim] as it is."""
    return _of_rank(output, "none", 2)


def cls(output: Output, used: Used | None) -> Output:
    """Take the first token of [n, tokens, dim]."""
    return _of_rank(output, "cls", 3)[:, 0]


def mean(output: Output, used: Used | None) -> Output:
    """Average [n, tokens, dim] over the tokens that are no padding, or a feature map [n, dim, h, w] over its places."""
    output = _of_rank(output, "mean", 3, 4).astype(np.float32, copy=False)
    if output.ndim == 4:
        return np.asarray(output.mean(axis=(2, 3)))
    if used is None or used.all():
        return np.asarray(output.mean(axis=1))
    weights = used.astype(np.float32)
    return np.asarray(np.einsum("ntd,nt->nd", output, weights) / weights.sum(axis=1, keepdims=True))


def _of_rank(output: Output, pool: str, *ranks: int) -> Output:
    if output.ndim not in ranks:
        fitting = " or ".join(name for name, taken in RANKS.items() if output.ndim in taken)
        raise InputError(
            f"pool = {pool!r} takes outputs of {' or '.join(map(str, ranks))} axes, this one has the shape {output.shape}",
            hint=f"Take another output of the graph, or pool = {fitting}."
            if fitting
            else "Take another output.",
            code="model",
        )
    return output


RANKS: Final[Mapping[str, tuple[int, ...]]] = {"none": (2,), "cls": (3,), "mean": (3, 4)}
POOLS: Final[Mapping[str, Pool]] = {"none": none, "cls": cls, "mean": mean}
"""What a preset can ask for."""
