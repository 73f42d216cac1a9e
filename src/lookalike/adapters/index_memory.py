"""The VectorIndex in its plainest form: a dictionary and a loop, in float64. The meaning the others are held to."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

import numpy as np

from lookalike.core.types import Allowed, Candidates, Keys, Similarities, Vectors
from lookalike.core.vectors import keyed_rows, unit_rows


class MemoryIndex:
    """Every product's vectors in a dictionary, replaced as a whole at each change so that readers need no lock."""

    exact, learned = True, 0

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._vectors: dict[int, Vectors] = {}
        self._writing = Lock()

    def __len__(self) -> int:
        return sum(len(vectors) for vectors in self._vectors.values())

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        keys, rows = keyed_rows(keys, vectors, self.dim)
        with self._writing:
            self._vectors = self._vectors | {int(key): rows[keys == key] for key in np.unique(keys)}

    def delete(self, keys: Keys) -> None:
        gone = set(keys.tolist())
        with self._writing:
            self._vectors = {key: rows for key, rows in self._vectors.items() if key not in gone}

    def search(self, vectors: Vectors, pool: int, allowed: Allowed | None = None) -> Candidates:
        queries = unit_rows(vectors, self.dim, "query vectors")
        keys = np.full((len(queries), pool), -1, np.int64)
        similarities = np.full((len(queries), pool), -np.inf, np.float32)
        state = self._vectors  # once: a writer may replace it meanwhile
        found = np.array([k for k in sorted(state) if allowed is None or _lets_through(allowed, k)], np.int64)
        for row, scores in enumerate(_scores(state, queries, found)):
            best = np.argsort(-scores, kind="stable")[:pool]
            keys[row, : len(best)] = found[best]
            similarities[row, : len(best)] = scores[best]
        return Candidates(keys, similarities)

    def similarities(self, vectors: Vectors, keys: Keys) -> Similarities:
        return _scores(self._vectors, unit_rows(vectors, self.dim, "query vectors"), keys)

    def get(self, keys: Keys) -> tuple[Keys, Vectors]:
        held = self._vectors
        found = [key for key in sorted(set(keys.tolist())) if key in held]
        repeated = np.array([key for key in found for _ in held[key]], np.int64)
        return repeated, np.concatenate([held[key] for key in found] or [np.zeros((0, self.dim), np.float32)])

    def observed(self, share: float, recall: float) -> None:
        """Do nothing: it is exact."""


def _scores(held: Mapping[int, Vectors], queries: Vectors, keys: Keys) -> Similarities:
    result = np.full((len(queries), len(keys)), np.nan, np.float32)
    for column, key in enumerate(keys.tolist()):
        if key in held:
            result[:, column] = (queries.astype(np.float64) @ held[key].T.astype(np.float64)).max(axis=1)
    return result


def _lets_through(allowed: Allowed, key: int) -> bool:
    return key < len(allowed.mask) and bool(allowed.mask[key])
