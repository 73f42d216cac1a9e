"""Indexes on disk: what is opened answers as what was saved; what is damaged is never opened, and the one before it is."""

from __future__ import annotations

import json
import logging
import multiprocessing
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from every_cell import EVERYTHING
from lookalike.adapters import index_cells, index_exact, index_snapshot
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_cells_segment import Cells
from lookalike.adapters.index_exact import ExactIndex
from lookalike.adapters.index_memory import MemoryIndex
from lookalike.adapters.index_segments import SegmentedIndex
from lookalike.adapters.index_snapshot import MANIFEST, SnapshotFolder
from lookalike.adapters.index_store import Head, IndexStore
from lookalike.core.ports import VectorIndex
from lookalike.core.types import Allowed, Vectors
from lookalike.core.vectors import unit_rows

DIM = 16
ROWS = 3000


@pytest.fixture(params=["cells", "exact"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """Each index that can be saved; cells of few rows already, and all of them looked into."""
    monkeypatch.setattr(index_cells, "LEAST_ROWS", 1000)
    monkeypatch.setattr(index_cells, "tune", lambda *_: EVERYTHING)
    monkeypatch.setattr(index_cells, "RECENT_ROWS", 400)
    monkeypatch.setattr(index_exact, "RECENT_LIMIT", 300)
    return {"cells": CellsIndex, "exact": ExactIndex}[request.param]


def made_up(seed: int, count: int) -> Vectors:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32), DIM)


def filled(kind: type[Any], seed: int = 0) -> Any:
    """An index with everything there is: products of several vectors, deleted ones, and changes not folded in yet."""
    index = kind(DIM)
    index.upsert(np.arange(ROWS) // 2, made_up(seed, ROWS))
    index.settle()
    index.delete(np.arange(0, 400, 7))
    index.upsert(np.array([5, 5, 9, 4000]), made_up(seed + 1, 4))
    index.settle()
    assert len(index._segments[1].owners.keys) and not index._segments[0].owners.all_alive
    assert isinstance(index._segments[0], Cells) == (kind is CellsIndex)
    return index


def assert_same(one: VectorIndex, other: VectorIndex) -> None:
    """Assert that two indexes answer alike, to the last bit, with and without filters."""
    assert len(one) == len(other) and one.exact == other.exact and one.dim == other.dim
    rng = np.random.default_rng(3)
    queries = made_up(9, 12)
    few, many = rng.random(4001) < 0.001, rng.random(4001) < 0.4
    for allowed in (None, *(Allowed(mask, int(mask.sum())) for mask in (few, many))):
        found, again = one.search(queries, 15, allowed), other.search(queries, 15, allowed)
        np.testing.assert_array_equal(found.keys, again.keys)
        np.testing.assert_array_equal(found.similarities, again.similarities)
    asked = np.arange(0, 4100, 3)
    np.testing.assert_array_equal(one.similarities(queries, asked), other.similarities(queries, asked))
    for mine, theirs in zip(one.get(asked), other.get(asked), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def save(store: IndexStore, seq: int, **indexes: VectorIndex) -> bool:
    return store.frozen(indexes)(lambda heads: {"seq": seq}, lambda head: None)


def opened(store: IndexStore) -> tuple[Head, dict[str, VectorIndex]]:
    found = store.open(lambda head: "")
    assert found is not None
    return found


def test_what_is_opened_answers_as_what_was_saved_and_goes_on_changing(
    kind: type[Any], tmp_path: Path
) -> None:
    index, store = filled(kind), IndexStore(tmp_path / "new" / "index", kind)
    empty = kind(7)
    assert save(store, 12, image=index, title=empty)
    head, indexes = opened(store)
    assert head["seq"] == 12 and indexes.keys() == {"image", "title"}
    assert len(indexes["title"]) == 0 and indexes["title"].dim == 7
    again: Any = indexes["image"]
    assert_same(index, again)
    for turn in range(4):  # past every fold
        for each in (index, again):
            each.upsert(np.arange(turn * 200, turn * 200 + 200), made_up(20 + turn, 200))
            each.delete(np.arange(1000 + turn * 60, 1050 + turn * 60))
            each.settle()
    assert_same(index, again)
    assert save(store, 13, image=again, title=empty)
    assert_same(again, opened(store)[1]["image"])


def test_what_is_saved_is_of_the_moment_it_was_frozen(kind: type[Any], tmp_path: Path) -> None:
    index, other, store = filled(kind), filled(kind), IndexStore(tmp_path, kind)
    saving = store.frozen({"image": index})
    for turn in range(3):
        index.upsert(np.arange(400), made_up(turn, 400))
    index.delete(np.arange(2000))
    index.settle()
    assert saving(lambda heads: {}, lambda head: None)
    assert_same(other, opened(store)[1]["image"])


def test_vectors_are_mapped_and_work_that_was_due_is_done(tmp_path: Path, kind: type[Any]) -> None:
    index, store = filled(kind), IndexStore(tmp_path, kind)
    save(store, 1, image=index)
    again: Any = opened(store)[1]["image"]
    large = again._segments[0].vectors
    assert not large.flags.writeable and isinstance(large.base, np.memmap)
    flat = ExactIndex(DIM)
    flat.upsert(np.arange(ROWS), made_up(0, ROWS))
    save(store, 2, image=flat)
    _, indexes = opened(IndexStore(tmp_path, CellsIndex))
    cells: Any = indexes["image"]
    cells.settle()
    assert not cells.exact
    assert_same(flat, opened(IndexStore(tmp_path, ExactIndex))[1]["image"])


def test_an_index_of_another_kind_or_length_is_not_opened(
    kind: type[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(IndexStore(tmp_path, kind), 1, image=filled(kind))
    assert IndexStore(tmp_path, lambda dim: kind(8)).open(lambda head: "") is None
    assert "16 components instead of 8" in caplog.text
    assert IndexStore(tmp_path, MemoryIndex).open(lambda head: "") is None
    assert "MemoryIndex cannot be opened" in caplog.text
    if kind is CellsIndex:
        assert IndexStore(tmp_path, ExactIndex).open(lambda head: "") is None
        assert "another kind (cells)" in caplog.text
    assert IndexStore(tmp_path, kind).open(lambda head: "not this one") is None
    assert "not this one" in caplog.text


def test_cells_tuned_for_other_shares_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_cells, "LEAST_ROWS", 1000)
    fewer = replace(
        EVERYTHING, measured={each: b for each, b in EVERYTHING.measured.items() if each[1] != 0.2}
    )
    monkeypatch.setattr(index_cells, "tune", lambda *_: fewer)
    store, index = IndexStore(tmp_path, CellsIndex), CellsIndex(DIM)
    index.upsert(np.arange(ROWS), made_up(0, ROWS))
    index.settle()
    save(store, 1, image=index)
    assert store.open(lambda head: "") is None
    assert "tuned for other shares" in caplog.text


def test_vectors_on_disk_are_saved_and_opened_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_cells, "LEAST_ROWS", 1000)
    monkeypatch.setattr(index_cells, "tune", lambda *_: EVERYTHING)
    small = partial(CellsIndex, memory_bytes=200_000, folder=tmp_path / "rooms")
    index = small(DIM)
    index.upsert(np.arange(ROWS), made_up(0, ROWS))
    index.settle()
    assert index.state()["on_disk"]
    store = IndexStore(tmp_path / "saved", small)
    save(store, 1, image=index)
    again: Any = opened(store)[1]["image"]
    assert_same(index, again)
    assert again.state()["on_disk"]
    for each in (index, again):
        each.upsert(np.arange(100), made_up(7, 100))
        each.delete(np.arange(ROWS // 2, ROWS))
        each.settle()
    assert_same(index, again)
    assert IndexStore(tmp_path / "saved", CellsIndex).open(lambda head: "") is None
    assert "there is memory for more" in caplog.text


# --- damage ---------------------------------------------------------------------------------------------------------


def two_snapshots(kind: type[Any], place: Path) -> tuple[IndexStore, Any, Path]:
    """Two of them: return the store, the index of the older one, and the folder of the newer one."""
    older, store = filled(kind), IndexStore(place, kind)
    save(store, 1, image=older)
    save(store, 2, image=filled(kind, seed=5))
    return store, older, max(place.glob("snapshot-*"))


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and put its checksum right, as somebody would who means harm, or a later version."""
    path = folder / MANIFEST
    body = json.loads(path.read_bytes())
    body.pop("blake2b")
    change(body)
    path.write_text(json.dumps({"blake2b": index_snapshot._digest_of(body), **body}))


def test_any_flipped_byte_any_missing_or_shortened_file_is_noticed(
    kind: type[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, older, newest = two_snapshots(kind, tmp_path / "whole")
    rng = np.random.default_rng(0)
    names = sorted(path.name for path in newest.iterdir())
    assert MANIFEST in names and len(names) >= 7
    for name in names:
        size = (newest / name).stat().st_size
        for way in ("flip", "flip", "shorten", "lengthen", "empty", "lose"):
            place = tmp_path / "damaged"
            shutil.copytree(tmp_path / "whole", place)
            path = place / newest.name / name
            data = bytearray(path.read_bytes())
            if way == "flip":
                data[rng.integers(size)] ^= 1 << int(rng.integers(8))
            path.write_bytes({"shorten": data[:-1], "lengthen": data + b"x", "empty": b""}.get(way, data))
            if way == "lose":
                path.unlink()
            caplog.clear()
            found = IndexStore(place, kind).open(lambda head: "")
            assert found is not None and found[0]["seq"] == 1, (name, way)
            assert f"{newest.name} is not used" in caplog.text
            if way == "lose":
                assert_same(older, found[1]["image"])
            shutil.rmtree(place)


def test_a_newer_format_or_a_manifest_that_makes_no_sense_is_left_alone(
    kind: type[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, older, newest = two_snapshots(kind, tmp_path)
    whole = (newest / MANIFEST).read_bytes()

    def says(reason: str, change: Callable[[dict[str, Any]], None]) -> None:
        caplog.clear()
        rewritten(newest, change)
        head, _ = opened(store)
        assert head["seq"] == 1 and reason in caplog.text, caplog.text
        (newest / MANIFEST).write_bytes(whole)

    says("a newer lookalike wrote it (format 3", lambda body: body.update(format=3))
    says("makes no sense", lambda body: body.update(files=[1, 2]))
    says("it has no file", lambda body: body["files"].pop("image.0.keys"))
    says("cannot be read", lambda body: body["head"]["indexes"]["image"]["segments"][0].pop("kind"))
    says("cannot be read", lambda body: body["head"].pop("indexes"))
    says("cannot be read", lambda body: body["head"].update(indexes=[]))
    says("another kind", lambda body: body["head"]["indexes"]["image"]["segments"][0].update(kind="tree"))
    for text in (b"", b"{", b"[]", b"null", b"[" * 200_000):
        (newest / MANIFEST).write_bytes(text)
        assert opened(store)[0]["seq"] == 1
    (newest / MANIFEST).write_bytes(whole)
    assert opened(store)[0]["seq"] == 2
    assert len(older) > 0


def test_files_of_different_snapshots_do_not_mix(
    kind: type[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, _, newest = two_snapshots(kind, tmp_path)
    before = min(tmp_path.glob("snapshot-*"))
    for name in ("image.0.vectors", "image.0.keys", "image.1.vectors"):
        kept = (newest / name).read_bytes()
        shutil.copy(before / name, newest / name)
        same = kept == (before / name).read_bytes()
        assert opened(store)[0]["seq"] == (2 if same else 1)
        (newest / name).write_bytes(kept)


def test_of_large_files_opening_looks_at_samples_and_intact_at_all(
    kind: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(index_snapshot, "BLOCK", 256)
    monkeypatch.setattr(index_snapshot, "SAMPLED", 8)
    store, _, newest = two_snapshots(kind, tmp_path)
    path = newest / "image.0.vectors"
    data = bytearray(path.read_bytes())
    for where in (0, len(data) - 1):  # the ends are always among the samples
        data[where] ^= 1
        path.write_bytes(data)
        assert opened(store)[0]["seq"] == 1
        data[where] ^= 1
    data[300] ^= 1
    path.write_bytes(data)
    assert opened(store)[0]["seq"] == 2
    assert IndexStore(tmp_path, kind, verify=True).open(lambda head: "")[0]["seq"] == 1  # type: ignore[index]
    assert not store.intact() and "is damaged: image.0.vectors" in caplog.text
    assert opened(store)[0]["seq"] == 1 and store.intact()


# --- writing --------------------------------------------------------------------------------------------------------


def test_two_are_kept_and_of_the_older_ones_one_that_is_whole(kind: type[Any], tmp_path: Path) -> None:
    store, index = IndexStore(tmp_path, kind), filled(kind)
    for seq in range(1, 5):
        save(store, seq, image=index)
    assert [head["seq"] for head in store.heads()] == [4, 3]
    (max(tmp_path.glob("snapshot-*")) / "image.0.keys").unlink()
    save(store, 5, image=index)
    assert [head["seq"] for head in store.heads()] == [5, 3]
    (tmp_path / "partial-left").mkdir()
    (tmp_path / "snapshot-of-mine").mkdir()
    save(store, 6, image=index)
    assert {path.name for path in tmp_path.iterdir()} >= {"snapshot-of-mine", "lock"}
    assert not (tmp_path / "partial-left").exists()


def test_what_fails_while_saving_leaves_what_was_there(kind: type[Any], tmp_path: Path) -> None:
    store, index = IndexStore(tmp_path, kind), filled(kind)
    save(store, 1, image=index)

    def fails(head: Head) -> None:
        raise KeyError("no such mark")

    with pytest.raises(KeyError):
        store.frozen({"image": index})(lambda heads: {"seq": 2}, fails)
    assert not store.frozen({"image": index})(lambda heads: None, fails)
    assert opened(store)[0]["seq"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "snapshot-00000001"]


def test_a_second_writer_leaves_it_to_the_first(kind: type[Any], tmp_path: Path) -> None:
    first, second, index = IndexStore(tmp_path, kind), IndexStore(tmp_path, kind), filled(kind)
    answers: list[bool] = []

    def meanwhile(head: Head) -> None:
        answers.append(save(second, 2, image=index))

    assert first.frozen({"image": index})(lambda heads: {"seq": 1}, meanwhile)
    assert answers == [False] and [head["seq"] for head in first.heads()] == [1]
    assert save(second, 2, image=index)


def saved_often(place: str, seq: int, times: int) -> None:
    """In a process of its own: save an index of nothing but the direction `seq`, again and again."""
    index, store = ExactIndex(DIM), IndexStore(Path(place), ExactIndex)
    index.upsert(np.arange(500), np.tile(np.eye(DIM, dtype=np.float32)[seq], (500, 1)))
    for _ in range(times):
        save(store, seq, image=index)


def test_processes_that_save_at_once_never_mix(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=saved_often, args=(str(tmp_path), seq, 25)) for seq in (1, 2)]
    for writer in writers:
        writer.start()
    store, seen = IndexStore(tmp_path, ExactIndex), set()
    while any(writer.is_alive() for writer in writers):
        found = store.open(lambda head: "")
        if found is not None:
            head, indexes = found
            seen.add(head["seq"])
            best = indexes["image"].search(np.eye(DIM, dtype=np.float32)[[head["seq"]]], 500)
            assert (best.similarities == 1).all()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert opened(store)[0]["seq"] in (1, 2) and len(store.heads()) == 2 and seen <= {1, 2}
    assert not list(tmp_path.glob("partial-*"))


def without_room(place: str, most: int) -> None:
    """In a process of its own, that may write no file of more than `most` bytes: save, and say how it went."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    index, store = ExactIndex(DIM), IndexStore(Path(place), ExactIndex)
    index.upsert(np.arange(ROWS), made_up(0, ROWS))
    try:
        save(store, 2, image=index)
    except OSError:
        assert len(index.search(made_up(0, 1), 5).keys) == 1  # searches go on
        raise SystemExit(3) from None


@pytest.mark.parametrize("most", [100, 30_000, 100_000])
def test_without_room_what_was_there_stays_and_what_was_begun_goes(tmp_path: Path, most: int) -> None:
    index = filled(ExactIndex)
    save(IndexStore(tmp_path, ExactIndex), 1, image=index)
    writer = multiprocessing.get_context("spawn").Process(target=without_room, args=(str(tmp_path), most))
    writer.start()
    writer.join()
    assert writer.exitcode == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "snapshot-00000001"]
    assert_same(index, opened(IndexStore(tmp_path, ExactIndex))[1]["image"])


def test_a_folder_that_cannot_be_made_is_an_error_and_nothing_to_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = IndexStore(tmp_path / "file" / "index", ExactIndex)
    assert store.open(lambda head: "") is None and not store.heads()
    with pytest.raises(OSError, match="file"):
        save(store, 1, image=ExactIndex(DIM))


def test_a_frozen_index_reads_and_does_not_write() -> None:
    index = ExactIndex(DIM)
    index.upsert(np.arange(3), made_up(0, 3))
    frozen = index.frozen()
    index.delete(np.arange(3))
    assert len(frozen) == 3 and len(index) == 0 and type(frozen) is SegmentedIndex


def test_the_log_says_where(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = IndexStore(tmp_path, ExactIndex)
    save(store, 1, image=ExactIndex(DIM))
    with caplog.at_level(logging.INFO):
        opened(store)
    assert str(next(tmp_path.glob("snapshot-*"))) in caplog.text
    assert SnapshotFolder(tmp_path / "nowhere").folder.exists() is False
