"""Rows in memory and in files: what is written is read back, and files leave nothing behind."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.adapters import index_rows
from lookalike.adapters.index_room import LEAST_EXACT, LEAST_RECENT, Rooms, held_bytes
from lookalike.adapters.index_rows import inner_products, nearest_rows, taken
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows

DIM = 24


def made_up(count: int, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)
    rows[::7, 3:9] *= 1e-7  # less than half precision has a normal number for
    rows[::5, 2] = 0.0
    return unit_rows(rows, DIM)


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_are_read_back_as_they_were_written_in_parts(tmp_path: Path, on_disk: bool) -> None:
    rows = made_up(500)
    rooms = Rooms(1 if on_disk else None, tmp_path / "new")
    room = rooms.make(len(rows), 800, DIM)
    assert room.on_disk == on_disk and room.writable and room.array.shape == (800, DIM)
    for start in range(0, 500, 130):
        room.put(start, rows[start : start + 130])
    expected = rows.astype(np.float16).astype(np.float32) if on_disk else rows
    np.testing.assert_array_equal(taken(room.array, slice(0, 500)), expected)
    some = np.array([499, 3, 3, 250])
    np.testing.assert_array_equal(taken(room.array, some), expected[some])
    assert not on_disk or not list((tmp_path / "new").iterdir()), "the file has no name"


def test_a_file_is_closed_with_its_room(tmp_path: Path) -> None:
    def held() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    room = Rooms(1, tmp_path).make(10, 10, DIM)
    array = room.array
    room.put(0, made_up(10))
    del room
    assert array.any(), "what is looked at stays"
    del array
    assert held() == before


def test_a_full_disk_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    room = Rooms(1, tmp_path).make(100, 100, DIM)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50 * DIM * 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            room.put(0, made_up(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    room.put(0, made_up(100))
    np.testing.assert_array_equal(room.array, made_up(100).astype(np.float16))


@given(st.integers(0, 2**15 - 1), st.booleans())
def test_every_finite_half_is_widened_exactly(bits: int, negative: bool) -> None:
    half = np.array([[bits | (negative << 15)]], np.uint16).view(np.float16)
    if np.isfinite(half).all():
        assert taken(half, slice(None)) == half.astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("at_once", [1, 1 << 20])
def test_inner_products_and_the_nearest_are_those_of_a_brute_force(
    dtype: type, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_rows, "AT_ONCE_BYTES", at_once * 4 * DIM * 37)
    rows, queries = made_up(400).astype(dtype), made_up(30, seed=1)
    truth = queries @ rows.astype(np.float32).T
    some = np.array([7, 399, 0, 0])
    np.testing.assert_allclose(inner_products(rows, queries[0], None), truth[0], atol=1e-6)
    np.testing.assert_allclose(inner_products(rows, queries[0], some), truth[0, some], atol=1e-6)
    mask = np.random.default_rng(2).random(400) < 0.1
    for chosen in (None, mask, np.zeros(400, bool)):
        open_to = truth if chosen is None else np.where(chosen, truth, -np.inf)
        expected = -np.sort(-open_to, axis=1)[:, :50]
        found, at = nearest_rows(rows, queries, 50, chosen)
        there = np.isfinite(expected)
        assert (at[~there] == -1).all()
        np.testing.assert_allclose(found[there], expected[there], atol=1e-6)
        np.testing.assert_allclose(
            np.take_along_axis(truth, np.maximum(at, 0), 1)[there], found[there], atol=1e-6
        )


def test_a_budget_says_what_stays_in_memory() -> None:
    without = Rooms()
    assert not without.on_disk(10**9, 512)
    assert (without.recent_rows(512), without.trained_rows(512), without.exact_rows(512)) == (None,) * 3
    one_gib = Rooms(1 << 30)
    assert one_gib.on_disk(1_000_000, 512) and not one_gib.on_disk(100_000, 512)
    assert held_bytes(1_000_000, 512, on_disk=True) < 0.2 * (1 << 30)
    assert (one_gib.recent_rows(512) or 0) * 4 * 512 <= (1 << 30) // 8
    tiny = Rooms(1)
    assert (tiny.recent_rows(512), tiny.exact_rows(512)) == (LEAST_RECENT, LEAST_EXACT)
