"""The contract of the `VectorIndex` port, run over every adapter: agreement with a brute force in float64."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from every_cell import look_everywhere
from lookalike.adapters import index_cells, index_exact
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_exact import ExactIndex
from lookalike.adapters.index_memory import MemoryIndex
from lookalike.core.errors import VectorError
from lookalike.core.ports import VectorIndex
from lookalike.core.types import Allowed, Candidates, Keys, Vectors
from lookalike.core.vectors import unit_rows
from strategies import examples

MakeIndex = Callable[[int], VectorIndex]
DIM = 8
NEAR = 2e-6
"""How far two ways to sum float32 products may lie apart."""


@pytest.fixture(params=["memory", "exact", "exact, folding early", "exact, scanning always", "cells"])
def make_index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MakeIndex:
    """Each adapter; the exact one also with so small a recent segment, and so low a bar, that FAISS does the work.

    Cells are made of a few rows already, and all of them are looked into: then they too must find the nearest.
    """
    if request.param == "memory":
        return MemoryIndex
    if request.param == "cells":
        look_everywhere(monkeypatch, least_rows=32)
        monkeypatch.setattr(index_cells, "RECENT_ROWS", 12)
        return CellsIndex
    if request.param != "exact":
        monkeypatch.setattr(index_exact, "RECENT_LIMIT", 12)
    if request.param == "exact, scanning always":
        monkeypatch.setattr(index_exact, "FEW", 0.0)
    return ExactIndex


class Reference:
    """The meaning: every product's unit vectors, compared one by one in float64."""

    def __init__(self) -> None:
        self.held: dict[int, np.ndarray[Any, Any]] = {}

    def upsert(self, keys: Keys, vectors: Vectors) -> None:
        rows = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        self.held |= {int(key): rows[keys == key] for key in np.unique(keys)}

    def delete(self, keys: Keys) -> None:
        for key in keys.tolist():
            self.held.pop(key, None)

    def best(self, query: np.ndarray[Any, Any], key: int) -> float:
        return float((self.held[key] @ (query / np.linalg.norm(query.astype(np.float64)))).max())

    def check(self, found: Candidates, queries: Vectors, pool: int, allowed: Allowed | None) -> None:
        """Assert that an answer is a right one; of products equally near any may come."""
        assert found.keys.shape == found.similarities.shape == (len(queries), pool)
        assert found.keys.dtype == np.int64 and found.similarities.dtype == np.float32
        open_to = {
            key for key in self.held if allowed is None or (key < len(allowed.mask) and allowed.mask[key])
        }
        for query, keys, similarities in zip(queries, found.keys.tolist(), found.similarities, strict=True):
            nearest = sorted((self.best(query, key) for key in open_to), reverse=True)[:pool]
            keys, padding = keys[: len(nearest)], keys[len(nearest) :]
            assert set(padding) <= {-1} and np.isneginf(similarities[len(nearest) :]).all()
            assert len(set(keys)) == len(keys) and set(keys) <= open_to
            np.testing.assert_allclose(similarities[: len(nearest)], nearest, atol=NEAR)
            np.testing.assert_allclose([self.best(query, key) for key in keys], nearest, atol=NEAR)


def some_vectors(rng: np.random.Generator, n: int, dim: int = DIM) -> Vectors:
    """Vectors of any length: some far apart, some all but equal, some equal."""
    centres = rng.standard_normal((3, dim))[rng.integers(0, 3, n)]
    spread = rng.choice([0.0, 1e-4, 1e-2, 1.0], (n, 1))
    return ((centres + spread * rng.standard_normal((n, dim))) * rng.uniform(0.1, 9, (n, 1))).astype(
        np.float32
    )


def some_mask(rng: np.random.Generator, largest: int) -> Allowed | None:
    """No restriction, or a mask shorter or longer than the keys, that lets through none, few, most or all."""
    if rng.random() < 0.25:
        return None
    mask = rng.random(rng.integers(0, 2 * largest)) < rng.choice([0.0, 0.03, 0.5, 1.0])
    return Allowed(mask, int(mask.sum()))


def changed(rng: np.random.Generator, index: VectorIndex, reference: Reference, largest: int = 60) -> None:
    """Make one random change to both."""
    keys = rng.integers(0, largest, rng.integers(0, 25))
    if rng.random() < 0.65:
        vectors = some_vectors(rng, len(keys))
        index.upsert(keys, vectors)
        reference.upsert(keys, vectors)
    else:
        index.delete(keys)
        reference.delete(keys)


@pytest.mark.parametrize("seed", range(12))
def test_it_agrees_with_brute_force_after_any_changes(make_index: MakeIndex, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index, reference = make_index(DIM), Reference()
    for _ in range(12):
        changed(rng, index, reference)
        queries, pool = some_vectors(rng, int(rng.integers(0, 3))), int(rng.integers(1, 80))
        allowed = some_mask(rng, 60)
        reference.check(index.search(queries, pool, allowed), queries, pool, allowed)
    assert len(index) == sum(len(rows) for rows in reference.held.values())
    asked = rng.permutation(70)
    similarities = index.similarities(queries, asked)
    assert similarities.shape == (len(queries), 70) and similarities.dtype == np.float32
    expected = [
        [reference.best(q, k) if k in reference.held else np.nan for k in asked.tolist()] for q in queries
    ]
    np.testing.assert_allclose(similarities, np.reshape(expected, similarities.shape), atol=NEAR)
    keys, vectors = index.get(asked)
    np.testing.assert_array_equal(keys, [key for key in sorted(reference.held) for _ in reference.held[key]])
    for key, rows in reference.held.items():
        np.testing.assert_allclose(vectors[keys == key], rows, atol=1e-6)


@examples(40)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 3, 33]), st.integers(1, 40))
def test_the_exact_index_is_exact_for_any_dimension(seed: int, dim: int, pool: int) -> None:
    rng = np.random.default_rng(seed)
    index, reference = ExactIndex(dim), Reference()
    keys, vectors = rng.integers(0, 30, 50), some_vectors(rng, 50, dim)
    index.upsert(keys, vectors)
    reference.upsert(keys, vectors)
    reference.check(index.search(vectors[:3], pool), vectors[:3], pool, None)


def test_it_agrees_with_brute_force_on_thousands(make_index: MakeIndex) -> None:
    rng = np.random.default_rng(5)
    index, dim = make_index(32), 32
    centres = rng.standard_normal((20, dim))
    # every thing hundreds of times, each a shade different: half precision cannot tell them apart
    rows = unit_rows(centres[np.arange(6000) % 20] + 3e-4 * rng.standard_normal((6000, dim)), dim)
    for start in range(0, 6000, 1500):
        index.upsert(np.arange(start, start + 1500) // 2, rows[start : start + 1500])
    index.delete(np.arange(0, 3000, 7))
    products = np.maximum.reduceat(rows.astype(np.float64) @ centres.T, np.arange(0, 6000, 2), axis=0)
    products = (products / np.linalg.norm(centres, axis=1)).T
    products[:, ::7] = -np.inf
    for allowed in (None, rng.random(3000) < 0.01, rng.random(3000) < 0.5):
        held = products if allowed is None else np.where(allowed, products, -np.inf)
        mask = None if allowed is None else Allowed(allowed, int(allowed.sum()))
        found = index.search(centres.astype(np.float32), 25, mask)
        nearest = -np.sort(-held, axis=1)[:, :25]
        np.testing.assert_allclose(found.similarities, nearest, atol=NEAR)
        own = np.where(found.keys < 0, -np.inf, np.take_along_axis(held, found.keys, axis=1))
        np.testing.assert_allclose(own, nearest, atol=NEAR)


def test_an_empty_index_answers_with_padding(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    queries = np.eye(DIM, dtype=np.float32)[:2]
    for allowed in (None, Allowed(np.ones(5, bool), 5), Allowed(np.zeros(0, bool), 0)):
        found = index.search(queries, 3, allowed)
        assert (found.keys == -1).all() and np.isneginf(found.similarities).all()
    assert len(index) == 0 and index.dim == DIM and index.exact
    assert np.isnan(index.similarities(queries, np.arange(4))).all()
    assert index.similarities(queries, np.arange(0)).shape == (2, 0)
    keys, vectors = index.get(np.arange(4))
    assert keys.shape == (0,) and vectors.shape == (0, DIM)
    index.delete(np.arange(4))
    index.upsert(np.arange(0), np.zeros((0, DIM), np.float32))
    assert index.search(queries[:0], 3).keys.shape == (0, 3)
    index.upsert(np.array([3]), queries[:1])
    index.delete(np.array([3, 99]))
    assert len(index) == 0 and (index.search(queries, 2).keys == -1).all()


def test_higher_is_more_alike_and_a_vector_finds_itself_at_one(make_index: MakeIndex) -> None:
    index = make_index(2)
    index.upsert(np.arange(4), np.array([[1, 0], [3, 3], [0, 1], [-2, 0]], np.float32))
    found = index.search(np.array([[5, 0]], np.float32), 4)
    assert found.keys.tolist() == [[0, 1, 2, 3]]
    np.testing.assert_allclose(found.similarities, [[1, 2**-0.5, 0, -1]], atol=1e-6)
    np.testing.assert_allclose(
        index.similarities(np.array([[5, 0]], np.float32), np.array([3, 0, 9])), [[-1, 1, np.nan]]
    )


def test_a_product_of_several_vectors_comes_once_by_its_best(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    axes = np.eye(DIM, dtype=np.float32)
    index.upsert(np.array([7, 7, 2, 7, 2]), axes[[0, 1, 1, 2, 3]])
    found = index.search(axes[[1, 3, 5]], 5)
    assert [set(keys) for keys in found.keys.tolist()] == [{2, 7, -1}] * 3
    assert found.similarities[:, :2].tolist() == [[1, 1], [1, 0], [0, 0]]
    assert len(index) == 5
    index.upsert(np.array([7]), axes[[4]])  # all it had before is gone
    assert index.search(axes[[1]], 5).similarities[0, :2].tolist() == [1, 0]
    keys, vectors = index.get(np.array([7, 2, 7, 1]))
    assert keys.tolist() == [2, 2, 7]
    assert sorted(vectors.argmax(axis=1).tolist()) == [1, 3, 4] and len(index) == 3


def test_a_mask_lets_through_what_it_says_and_no_more(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    rng = np.random.default_rng(2)
    index.upsert(np.arange(0, 40, 2), some_vectors(rng, 20))
    query = some_vectors(rng, 1)
    for size in (0, 1, 11, 39, 500):
        mask = np.ones(size, bool)
        found = index.search(query, 30, Allowed(mask, size)).keys[0]
        assert set(found.tolist()) - {-1} == set(range(0, min(size, 40), 2))
    only = np.zeros(39, bool)
    only[[7, 8, 38]] = True
    assert set(index.search(query, 5, Allowed(only, 3)).keys[0].tolist()) == {8, 38, -1}


BAD: dict[str, Any] = {
    "a zero row": [[1, 0], [0, 0]],
    "NaN": [[1, 0], [np.nan, 1]],
    "infinity": [[1, 0], [np.inf, 1]],
    "too wide": [[1, 0, 0], [0, 1, 0]],
    "too narrow": [[1], [1]],
    "one dimension": [1, 0],
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_vectors_are_refused_and_change_nothing(make_index: MakeIndex, bad: Any) -> None:
    index = make_index(2)
    good = np.array([[1, 0]], np.float32)
    index.upsert(np.array([1]), good)
    vectors = np.array(bad, np.float32)
    with pytest.raises(VectorError):
        index.upsert(np.arange(len(vectors)), vectors)
    with pytest.raises(VectorError):
        index.search(vectors, 3)
    with pytest.raises(VectorError):
        index.similarities(vectors, np.array([1]))
    assert len(index) == 1 and index.search(good, 2).keys.tolist() == [[1, -1]]


def test_keys_and_vectors_must_be_as_many(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    for keys in (np.arange(1), np.arange(3), np.zeros((2, 1), np.int64)):
        with pytest.raises(VectorError):
            index.upsert(keys, np.eye(DIM, dtype=np.float32)[:2])
    assert len(index) == 0


def test_the_index_keeps_no_hold_of_the_callers_arrays(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    keys, vectors = np.array([1, 2]), np.eye(DIM, dtype=np.float32)[:2]
    index.upsert(keys, vectors)
    query = vectors[:1].copy()
    keys[:], vectors[:] = 9, 0.5
    assert index.search(query, 2).keys.tolist() == [[1, 2]]
    index.get(np.array([1]))[1][:] = 0
    assert index.search(query, 2).similarities.tolist() == [[1, 0]]


# --- while another thread writes ------------------------------------------------------------------------------------


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Let threads take turns every few byte codes, so that a race shows up soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-6)
    yield
    sys.setswitchinterval(before)


def beside(writes: Iterable[Callable[[], None]], read: Callable[[], None]) -> None:
    """Run `writes` beside two threads that read all the time; what any of them raises is raised."""
    done = threading.Event()

    def read_on() -> None:
        while not done.is_set():
            read()

    with ThreadPoolExecutor(2) as readers:
        reading = [readers.submit(read_on) for _ in range(2)]
        try:
            for write in writes:
                write()
                time.sleep(5e-4)  # or all is written before a reader has had a turn
        finally:
            done.set()
        for reader in reading:
            reader.result()


@pytest.mark.usefixtures("switching_often")
def test_a_deleted_product_is_never_found_again_and_every_answer_is_of_products_there_are(
    make_index: MakeIndex,
) -> None:
    index = make_index(DIM)
    rng = np.random.default_rng(4)
    count, kept = (
        300,
        100,
    )  # the first hundred stay, in one of two forms each; the others go one after the other
    forms = np.stack([some_vectors(rng, count), some_vectors(rng, count)])
    forms = np.stack([unit_rows(form, DIM) for form in forms])
    keys = np.arange(count)
    index.upsert(keys, forms[0])
    queries = unit_rows(some_vectors(rng, 2), DIM)
    right = np.einsum("qd,fkd->qfk", queries, forms)
    gone: list[int] = []

    def write(start: int) -> None:
        index.delete(keys[start : start + 5])
        gone.extend(range(start, start + 5))
        chosen = np.unique(rng.integers(0, kept, 20))
        index.upsert(chosen, forms[start % 2][chosen])

    def read() -> None:
        gone_before = set(gone)
        for pool in (7, 2 * count):
            found = index.search(queries, pool)
            for number, (held, similarities) in enumerate(zip(found.keys, found.similarities, strict=True)):
                there = held[held >= 0]
                assert len(set(there.tolist())) == len(there)
                assert not gone_before & set(there.tolist())
                off = np.abs(right[number][:, there] - similarities[: len(there)]).min(axis=0)
                assert (off < NEAR).all() and (np.diff(similarities[: len(there)]) <= 0).all()
                assert pool < count or set(range(kept)) <= set(there.tolist())
        there, _ = index.get(keys)
        assert not gone_before & set(there.tolist()) and set(range(kept)) <= set(there.tolist())
        similarities = index.similarities(queries, keys)
        assert (
            np.isnan(similarities[:, sorted(gone_before)]).all()
            and not np.isnan(similarities[:, :kept]).any()
        )

    beside((partial(write, start) for start in range(kept, count, 5)), read)
    assert len(index) == kept


@pytest.mark.usefixtures("switching_often")
def test_a_search_sees_a_change_whole_or_not_at_all(make_index: MakeIndex) -> None:
    index = make_index(2)
    keys, axes = np.arange(30), np.eye(2, dtype=np.float32)
    index.upsert(keys, axes[[0] * 30])

    def read() -> None:
        found = index.search(axes[:1], 40)
        assert set(found.keys[0, :30].tolist()) == set(range(30))
        assert len(set(found.similarities[0, :30].tolist())) == 1

    beside((partial(index.upsert, keys, axes[[turn % 2] * 30]) for turn in range(100)), read)


@pytest.mark.usefixtures("switching_often")
def test_two_writers_lose_nothing(make_index: MakeIndex) -> None:
    index = make_index(DIM)
    rng = np.random.default_rng(6)
    rows = unit_rows(some_vectors(rng, 120), DIM)

    def write(first: int) -> None:
        for key in range(first, 120, 2):
            index.upsert(np.array([key]), rows[key : key + 1])
            if key % 3 == 0:
                index.delete(np.array([key]))

    with ThreadPoolExecutor(2) as writers:
        for writer in [writers.submit(write, first) for first in (0, 1)]:
            writer.result()
    keys, vectors = index.get(np.arange(120))
    assert keys.tolist() == [key for key in range(120) if key % 3]
    np.testing.assert_array_equal(vectors, rows[keys])
