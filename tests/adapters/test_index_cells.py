"""What is special to the index of cells; what every index promises is in tests/contract."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from lookalike.adapters import index_cells
from lookalike.adapters.index_cells import Cells, CellsIndex
from lookalike.adapters.index_cells_tuning import SHARES, Budget, Budgets
from lookalike.adapters.index_exact import Flat
from lookalike.core.types import Allowed, Keys, Mask, Vectors
from lookalike.core.vectors import unit_rows

DIM = 32
ROWS = 6000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_cells, "LEAST_ROWS", 4000)
    monkeypatch.setattr(index_cells, "RECENT_ROWS", 500)


def made_up(rng: np.random.Generator, count: int) -> Vectors:
    """Return vectors in clusters of clusters, as those of products are."""
    broad = rng.normal(size=(12, DIM))
    fine = np.repeat(broad, 20, axis=0) + 0.6 * rng.normal(size=(240, DIM))
    rows = fine[rng.integers(0, len(fine), count)] + 0.3 * rng.normal(size=(count, DIM))
    return unit_rows(rows.astype(np.float32), DIM, "vectors")


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return made_up(np.random.default_rng(0), ROWS + 300)


@pytest.fixture
def index(vectors: Vectors) -> CellsIndex:
    index = CellsIndex(DIM)
    for start in range(0, ROWS, 2000):
        index.upsert(np.arange(start, start + 2000), vectors[start : start + 2000])
    index.settle()
    assert not index.exact
    return index


def recall(
    index: CellsIndex, held: Vectors, queries: Vectors, mask: Mask | None = None, pool: int = 10
) -> float:
    """Return which share of the nearest is found; assert that nothing else is wrong. Row i is product i."""
    allowed = None if mask is None else Allowed(mask, int(mask.sum()))
    found = index.search(queries, pool, allowed)
    truth = queries @ held.T
    if mask is not None:
        truth[:, ~mask[: len(held)]] = -np.inf
    wanted = min(pool, len(held) if mask is None else int(mask.sum()))
    hits = 0
    for row, keys, similarities in zip(truth, found.keys, found.similarities, strict=True):
        keys, padding = keys[:wanted], keys[wanted:]
        assert (keys >= 0).all() and (padding == -1).all() and len(set(keys.tolist())) == wanted
        np.testing.assert_allclose(row[keys], similarities[:wanted], atol=1e-5)  # so none that the mask hides
        hits += int(np.count_nonzero(row[keys] >= np.sort(row)[-wanted] - 1e-6))
    return hits / (len(queries) * wanted)


def far_clump(held: Vectors, share: float) -> Mask:
    alike = held @ held[7]
    return np.asarray(alike >= np.quantile(alike, 1 - share))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("kind", ["anywhere", "clumped"])
def test_the_nearest_are_found_under_any_filter(
    index: CellsIndex, vectors: Vectors, kind: str, share: float
) -> None:
    held, queries = vectors[:ROWS], vectors[ROWS:]
    rng = np.random.default_rng(1)
    mask = rng.random(ROWS) < share if kind == "anywhere" else far_clump(held, share)
    assert recall(index, held, queries, None if share == 1.0 else mask) >= 0.93
    assert recall(index, held, queries[:20], mask, pool=200) >= 0.9


def test_what_comes_later_is_found_at_once_and_after_it_was_folded_in(
    index: CellsIndex, vectors: Vectors
) -> None:
    held = vectors[: ROWS + 300].copy()
    for start in (ROWS, ROWS + 150):
        index.upsert(np.arange(start, start + 150), vectors[start : start + 150])
    changed = np.arange(0, ROWS, 20)
    rng = np.random.default_rng(2)
    held[changed] = unit_rows(held[changed + 1] + 0.05 * rng.normal(size=(len(changed), DIM)), DIM, "changed")
    index.upsert(changed, held[changed])
    queries = held[np.concatenate([changed[:50], np.arange(ROWS, ROWS + 50)])]
    themselves = np.array([*changed[:50], *range(ROWS, ROWS + 50)])
    for _ in range(2):
        found = index.search(queries, 1)
        assert (found.keys[:, 0] == themselves).mean() >= 0.97
        assert recall(index, held, queries) >= 0.93
        index.settle()
    large, recent = index._segments
    assert isinstance(large, Cells) and len(recent.vectors) < 500 < large.codes.ntotal - ROWS + 500
    assert len(index) == len(held)


def test_deleted_products_are_gone_and_cells_made_anew_without_them(
    index: CellsIndex, vectors: Vectors
) -> None:
    gone = np.arange(0, ROWS, 3)
    for part in np.array_split(gone, 5):
        index.delete(part)
        found = index.search(vectors[part[:40]], 20)
        assert not set(found.keys.ravel().tolist()) & set(part.tolist())
    index.settle()
    large, _ = index._segments
    assert isinstance(large, Cells) and large.codes.ntotal < ROWS
    left = np.ones(ROWS, bool)
    left[gone] = False
    assert recall(index, vectors[:ROWS], vectors[ROWS:], left) >= 0.93
    assert len(index) == int(left.sum())


@pytest.mark.parametrize("left", [0, 12, 1900])
def test_what_is_left_of_a_shop_that_shrinks_is_scanned_again(
    index: CellsIndex, vectors: Vectors, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    index.delete(np.arange(left, ROWS))
    index.settle()
    assert index.exact and not caplog.records and len(index) == left
    assert len(index._segments[0].owners.keys) == left
    found = index.search(vectors[:12], 1).keys[:, 0]
    assert found.tolist() == (list(range(12)) if left else [-1] * 12)
    index.upsert(np.arange(left, ROWS), vectors[left:ROWS])
    index.settle()
    assert not index.exact and recall(index, vectors[:ROWS], vectors[ROWS:]) >= 0.93


def test_fewer_products_than_wanted_are_all_found_though_their_codes_say_nothing(vectors: Vectors) -> None:
    index = CellsIndex(DIM)
    index.upsert(np.arange(ROWS) % 5, vectors[np.arange(ROWS) % 3])  # three pictures, again and again
    index.settle()
    assert not index.exact
    found = index.search(vectors[ROWS : ROWS + 20], 10).keys
    assert {tuple(sorted(row)) for row in found[:, :5].tolist()} == {(0, 1, 2, 3, 4)}
    assert (found[:, 5:] < 0).all()
    large, recent = index._segments
    assert isinstance(large, Cells)
    by_codes = replace(large.budgets, measured={}, few=0)
    index._segments = replace(large, budgets=by_codes, remembered={}), recent
    found = index.search(vectors[:20], 10, Allowed(np.array([True, True, False, True, True]), 4)).keys
    assert {tuple(sorted(row)) for row in found[:, :4].tolist()} == {(0, 1, 3, 4)}
    assert (found[:, 4:] < 0).all()


def test_more_may_match_around_a_query_than_anywhere_else(index: CellsIndex, vectors: Vectors) -> None:
    # As it may be measured: codes are best for few matches, and comparing all of them for more.
    measured = {
        (far, share): Budget(200, 0 if share == 0.1 else 6) for far in (False, True) for share in SHARES
    }
    large, recent = index._segments
    assert isinstance(large, Cells)
    index._segments = replace(large, budgets=Budgets(measured, few=0), remembered={}), recent
    mask = far_clump(vectors[:ROWS], 0.01)
    assert recall(index, vectors[:ROWS], vectors[:40], mask) >= 0.93
    assert recall(index, vectors[:ROWS], vectors[np.flatnonzero(mask)[:40]], mask) >= 0.93


def test_a_product_of_many_vectors_takes_one_place(vectors: Vectors) -> None:
    index = CellsIndex(DIM)
    keys = np.arange(ROWS) // 40  # views of one thing, all alike
    centres = vectors[:150]
    rng = np.random.default_rng(3)
    views = unit_rows((centres[keys] + 0.02 * rng.normal(size=(ROWS, DIM))).astype(np.float32), DIM, "views")
    index.upsert(keys, views)
    index.settle()
    assert not index.exact
    found = index.search(centres[:30], 10).keys
    assert (found >= 0).all() and all(len(set(row.tolist())) == 10 for row in found)
    assert found[:, 0].tolist() == list(range(30))


def test_searches_go_on_while_cells_are_made(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    fold = index_cells._folded

    def slowly(*given: object) -> Cells | Flat:
        begun.set()
        assert go_on.wait(60)
        return fold(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(index_cells, "_folded", slowly)
    index = CellsIndex(DIM)
    index.upsert(np.arange(ROWS), vectors[:ROWS])
    assert begun.wait(60) and index.exact
    index.upsert(np.array([5]), vectors[ROWS : ROWS + 1])
    index.delete(np.array([6]))
    index.upsert(np.array([9000]), vectors[ROWS + 1 : ROWS + 2])
    asked = vectors[[ROWS, 6, ROWS + 1]]
    before = index.search(asked, 1).keys[:, 0].tolist()
    assert [before[0], before[2]] == [5, 9000] and before[1] != 6
    go_on.set()
    index.settle()
    assert not index.exact and index.search(asked, 1).keys[:, 0].tolist() == before
    assert len(index) == ROWS
    keys, rows = index.get(np.array([5, 6]))
    assert keys.tolist() == [5]
    np.testing.assert_allclose(rows, vectors[ROWS : ROWS + 1], atol=1e-6)


def test_a_fold_that_fails_is_told_and_tried_again_at_the_next_change(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fold = index_cells._folded

    def fails(*given: object) -> Cells:
        raise MemoryError

    monkeypatch.setattr(index_cells, "_folded", fails)
    index = CellsIndex(DIM)
    with caplog.at_level(logging.ERROR):
        index.upsert(np.arange(ROWS), vectors[:ROWS])
        index.settle()
    assert index.exact and "could not be folded" in caplog.text
    assert index.search(vectors[:3], 1).keys[:, 0].tolist() == [0, 1, 2]
    monkeypatch.setattr(index_cells, "_folded", fold)
    index.delete(np.array([4]))
    index.settle()
    assert not index.exact and len(index) == ROWS - 1


def test_a_remembered_filter_is_not_taken_for_another(index: CellsIndex, vectors: Vectors) -> None:
    def found(mask: Mask) -> set[int]:
        return set(index.search(vectors[:5], 50, Allowed(mask, int(mask.sum()))).keys.ravel().tolist())

    for turn in range(200):  # masks come to lie where others lay
        mask = np.zeros(ROWS, bool)
        mask[turn::7] = True
        assert {key % 7 for key in found(mask)} == {turn % 7}


def test_keys_may_have_holes_and_masks_may_end_early(vectors: Vectors) -> None:
    index = CellsIndex(DIM)
    keys: Keys = np.arange(ROWS) * 3 + 100
    index.upsert(keys, vectors[:ROWS])
    index.settle()
    assert (index.search(vectors[:40], 1).keys[:, 0] == keys[:40]).mean() >= 0.95
    mask = np.zeros(101, bool)
    mask[100] = True
    assert index.search(vectors[:2], 3, Allowed(mask, 1)).keys.tolist() == [[100, -1, -1]] * 2
