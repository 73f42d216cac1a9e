"""What is special to the index of cells; what every index promises is in tests/contract."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lookalike.adapters import index_cells, index_cells_queries
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_cells_segment import Cells
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
    monkeypatch.setattr(index_cells_queries, "QUERIES", 64)


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


def test_a_fold_that_fails_is_told_and_tried_again_after_a_while(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fold, tried = index_cells._folded, []

    def fails(*given: object) -> Cells:
        tried.append(1)
        raise MemoryError("no room")

    monkeypatch.setattr(index_cells, "_folded", fails)
    now_s = [100.0]
    monkeypatch.setattr(index_cells, "monotonic", lambda: now_s[0])
    index = CellsIndex(DIM)
    with caplog.at_level(logging.ERROR):
        index.upsert(np.arange(ROWS), vectors[:ROWS])
        index.settle()
        assert index.exact and "could not be folded" in caplog.text
        for _ in range(5):  # not at each change
            index.delete(np.array([4]))
            index.settle()
        assert len(tried) == 1
        now_s[0] += index_cells.FIRST_WAIT_S
        index.delete(np.array([4]))
        index.settle()
        assert len(tried) == 2 and "10 s" in caplog.records[-1].message
    state = index.state()
    assert state["failures"] == 2 and "no room" in state["failed"] and not state["folding"]
    assert index.search(vectors[:3], 1).keys[:, 0].tolist() == [0, 1, 2]
    monkeypatch.setattr(index_cells, "_folded", fold)
    now_s[0] += 2 * index_cells.FIRST_WAIT_S
    index.delete(np.array([4]))
    index.settle()
    assert not index.exact and len(index) == ROWS - 1
    assert index.state()["failures"] == 0 and index.state()["failed"] == ""


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


def on_disk(folder: Path) -> CellsIndex:
    """Return an index that may not keep its vectors in memory."""
    return CellsIndex(DIM, memory_bytes=600_000, folder=folder)


def test_vectors_that_are_too_much_for_the_memory_are_kept_in_files(vectors: Vectors, tmp_path: Path) -> None:
    index, held = on_disk(tmp_path), vectors[:ROWS].copy()
    for start in range(0, ROWS, 500):
        index.upsert(np.arange(start, start + 500), vectors[start : start + 500])
    index.settle()
    large, _ = index._segments
    assert index.state()["on_disk"] and large.vectors.dtype == np.float16 and not list(tmp_path.iterdir())
    queries, rng = vectors[ROWS:], np.random.default_rng(4)

    def looked_into() -> None:
        found = index.search(queries, 10)
        truth = queries @ held.T
        off = np.abs(np.take_along_axis(truth, found.keys, 1) - found.similarities)
        assert off.max() < 2**-11, "similarities are those of rows rounded to half precision"
        least = np.sort(truth, axis=1)[:, -10]
        assert (np.take_along_axis(truth, found.keys, 1) >= least[:, None] - 2**-10).mean() >= 0.93
        mask = rng.random(ROWS) < 0.1
        found = index.search(queries, 5, Allowed(mask, int(mask.sum())))
        assert mask[found.keys].all()

    looked_into()
    for turn in range(6):  # past compaction of what is dead
        changed = np.arange(turn, ROWS, 9)
        held[changed] = vectors[changed[::-1]]
        index.upsert(changed, held[changed])
    looked_into()
    index.settle()
    looked_into()
    assert index.state()["dead"] < 0.2 * ROWS and len(index) == ROWS
    keys, rows = index.get(np.array([0, 9, 5]))
    assert keys.tolist() == [0, 5, 9]
    np.testing.assert_allclose(rows, held[[0, 5, 9]], atol=2**-11)


def test_writers_wait_while_recent_rows_take_all_the_memory_they_may(
    vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold, go_on, most = index_cells._folded, threading.Event(), 0

    def slowly(*given: object) -> Cells | Flat:
        assert go_on.wait(60)
        return fold(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(index_cells, "_folded", slowly)
    index = on_disk(tmp_path)
    limit = index._rooms.recent_rows(DIM)
    assert limit is not None

    def write() -> None:
        for start in range(0, ROWS, 100):
            index.upsert(np.arange(start, start + 100), vectors[start : start + 100])

    writer = threading.Thread(target=write)
    writer.start()
    writer.join(1.0)
    assert writer.is_alive() and len(index) < 4000 + limit + 100 < ROWS
    assert index.search(vectors[:3], 1).keys[:, 0].tolist() == [0, 1, 2], "searches do not wait"
    go_on.set()
    while writer.is_alive():
        most = max(most, index.state()["recent"])
        writer.join(0.01)
    index.settle()
    assert len(index) == ROWS and most <= 4000 + limit + 100
    assert (index.search(vectors[:200], 1).keys[:, 0] == np.arange(200)).mean() >= 0.97


def test_what_is_dead_is_left_out_without_learning_anything_anew(
    index: CellsIndex, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cells, "tune", lambda *_: pytest.fail("nothing is to be tuned"))
    before = index._segments[0]
    assert isinstance(before, Cells)
    gone = np.arange(0, ROWS, 5)
    index.delete(gone)
    index.settle()
    after = index._segments[0]
    assert isinstance(after, Cells) and after.codes.ntotal == after.owners.alive.sum() == ROWS - len(gone)
    assert before.codes.ntotal == ROWS, "who still searches the old ones sees no change"
    assert after.places.sizes.sum() == len(after.vectors) == ROWS - len(gone)
    left = np.ones(ROWS, bool)
    left[gone] = False
    assert recall(index, vectors[:ROWS], vectors[ROWS:], left) >= 0.93
    np.testing.assert_array_equal(index.get(np.array([1, ROWS - 1]))[1], vectors[[1, ROWS - 1]])


def test_a_filter_stays_prepared_while_products_come_and_go(index: CellsIndex, vectors: Vectors) -> None:
    mask = np.random.default_rng(5).random(ROWS) < 0.3
    allowed = Allowed(mask, int(mask.sum()))
    index.search(vectors[:1], 10, allowed)
    large = index._segments[0]
    assert isinstance(large, Cells)
    [(_, prepared)] = large.remembered.values()
    gone = np.flatnonzero(mask)[:100]
    index.delete(gone)
    index.upsert(gone[:50], vectors[gone[:50]])
    found = index.search(vectors[gone], 10, allowed).keys
    assert not set(found.ravel().tolist()) & set(gone[50:].tolist())
    assert (found[:50, 0] == gone[:50]).all()
    large = index._segments[0]
    assert isinstance(large, Cells)
    assert [chosen for _, chosen in large.remembered.values()] == [prepared]


def test_searches_that_fall_short_look_further(index: CellsIndex, caplog: pytest.LogCaptureFixture) -> None:
    large = index._segments[0]
    assert isinstance(large, Cells)
    query = np.eye(DIM, dtype=np.float32)[0]
    ranked = large.ranked(large.turn.apply(query[None]))
    before = large._budget(ranked, large.whole())
    with caplog.at_level(logging.WARNING):
        for _ in range(60):
            index.observed(1.0, 0.5)
    after = large._budget(ranked, large.whole())
    assert after.seen >= 1.4 * before.seen and after.factor > before.factor
    assert "look further now" in caplog.text and index.state()["widened"]["all"] == 1.5


def test_between_two_ways_to_search_there_is_no_middle() -> None:
    measured = {(far, share): Budget(100, 4) for far in (False, True) for share in SHARES}
    measured |= {(False, 0.01): Budget(900, 0), (False, 0.002): Budget(300, 0), (False, 0.001): Budget(50, 6)}
    budgets = Budgets(measured)
    assert budgets.of(0.015) == Budget(100, 4), "codes above: by codes, as far as was enough for more matches"
    assert budgets.of(0.0015) == Budget(300, 0), "all above: all, as far as that took"
    assert budgets.of(0.3) == Budget(100, 4)
    assert budgets.complete and not replace(budgets, measured={(False, 1.0): Budget(1, 1)}).complete
