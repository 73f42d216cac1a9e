"""Shops that open from snapshots hold what the catalogue holds, whatever was damaged, killed or put back.

LOOKALIKE_KILLS sets how many moments `kill -9` is tried at.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from typer.testing import CliRunner

import lookalike
from engine.made_shop import LetterEncoder, made_records
from lookalike.adapters import index_cells
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.index_cells import CellsIndex
from lookalike.adapters.index_cells_tuning import SHARES, Budget, Budgets
from lookalike.adapters.index_exact import ExactIndex
from lookalike.adapters.index_store import IndexStore
from lookalike.adapters.lexical_postings import PostingsIndex
from lookalike.cli.main import app
from lookalike.core.types import ATTRIBUTES, IMAGE, Embedding, Keys, Record, Vectors
from lookalike.engine import snapshots
from lookalike.engine.encoders import Encoders
from lookalike.engine.indexing import LiveIndex, learn_from
from lookalike.engine.snapshots import Keeper, open_kept
from lookalike.settings import load_settings
from lookalike.wiring import plan_indexes

KILLS = int(os.environ.get("LOOKALIKE_KILLS", "3"))
PRODUCTS = 900
ANY = Budgets({(clumped, share): Budget(9, 9, 80.0, 0.96) for clumped in (False, True) for share in SHARES})


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LEAST_VECTORS", 200)
    monkeypatch.setattr(snapshots, "QUIET_S", 0.05)
    monkeypatch.setattr(index_cells, "LEAST_ROWS", 700)
    monkeypatch.setattr(index_cells, "RECENT_ROWS", 150)
    monkeypatch.setattr(index_cells, "tune", lambda *_: ANY)


class Counting(SqlCatalog):
    """A catalogue that counts the products whose vectors are asked for."""

    asked = 0

    def embeddings(self, keys: Keys, fingerprints: Mapping[str, str]) -> Mapping[str, tuple[Keys, Vectors]]:
        self.asked += len(keys)
        return super().embeddings(keys, fingerprints)


class Opened:
    """What a shop does with snapshots, wired by hand."""

    def __init__(self, place: Path, folder: Path, encoder: LetterEncoder | None = None) -> None:
        self.catalog = Counting.open(place)
        self.encoders = Encoders(encoder or LetterEncoder())
        self.wanted = Event()
        make_index = partial(CellsIndex, folded=self.wanted.set)
        self.store = IndexStore(folder, make_index)
        self.keeper = Keeper(self.catalog, self.wanted, self.store, self.encoders)
        self.live = LiveIndex(self.catalog, self.encoders, make_index, PostingsIndex(), self.keeper.kept)
        self.live.refresh()

    def save(self) -> None:
        self.keeper.save(self.live)

    def close(self) -> None:
        self.keeper.close()
        self.catalog.close()

    def assert_right(self) -> None:
        """Assert that all is there that is in the catalogue, and nothing else."""
        self.live.refresh()
        truth = LiveIndex(self.catalog, self.encoders, ExactIndex, PostingsIndex())
        truth.refresh()
        assert self.live.spaces.keys() == truth.spaces.keys() and self.live.seq == truth.seq
        assert np.flatnonzero(self.live.columns.live).tolist() == np.flatnonzero(truth.columns.live).tolist()
        assert len(self.live.view.words) == len(truth.view.words)
        assert self.live.view.calibrations == truth.view.calibrations
        asked = np.arange(5000)
        for space, index in truth.spaces.items():
            keys, vectors = index.get(asked)
            held, found = self.live.spaces[space].get(asked)
            np.testing.assert_array_equal(held, keys, err_msg=space)
            np.testing.assert_allclose(found, vectors, atol=1e-6, err_msg=space)
            assert len(self.live.spaces[space]) == len(index)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A catalogue of which something was learned."""
    place = tmp_path / "shop.db"
    catalog = SqlCatalog.open(place)
    catalog.write(made_records(PRODUCTS))
    learn_from(catalog, LiveIndex(catalog, Encoders(LetterEncoder()), ExactIndex, PostingsIndex()))
    catalog.close()
    return place


@pytest.fixture
def folder(place: Path) -> Path:
    return Path(f"{place}.index")


@pytest.fixture
def saved(place: Path, folder: Path) -> Path:
    """The same, with a snapshot of cells beside it."""
    opened = Opened(place, folder)
    assert opened.keeper.kept is None
    opened.save()
    opened.close()
    assert len(opened.store.heads()) == 1 and any(opened.store.heads()[0]["learned"].values())
    return place


def renewed(record: Record, seed: int) -> Record:
    """The same product with another vector for each of its contents."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(len(record.embeddings), 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if len(vectors) else 1
    embeddings = tuple(
        Embedding(each.space, each.fingerprint, each.content_hash, vector)
        for each, vector in zip(record.embeddings, vectors, strict=True)
    )
    return replace(record, embeddings=embeddings)


def changed(catalog: SqlCatalog) -> None:
    """Change a bit of everything."""
    records = made_records(PRODUCTS + 60)
    catalog.write(records[PRODUCTS:])  # new
    priced = [replace(r, product=replace(r.product, price=1.5), embeddings=()) for r in records[:300]]
    catalog.write(priced)
    catalog.write(  # for sale no more, and again: with nothing about its vectors changed
        [
            replace(r, product=replace(r.product, active=not r.product.active), embeddings=())
            for r in records[300:400]
        ]
    )
    other = [
        replace(r, product=replace(r.product, title=r.product.title + " anew", images=()), embeddings=())
        for r in records[400:450]
    ]
    catalog.write(other)
    catalog.delete([record.product.id for record in records[450:500]])
    catalog.write([renewed(record, number) for number, record in enumerate(records[480:500])])


def test_a_shop_opens_from_its_snapshot_and_reads_only_the_vectors_that_changed(
    saved: Path, folder: Path
) -> None:
    opened = Opened(saved, folder)
    assert opened.keeper.kept is not None and ATTRIBUTES in opened.keeper.kept.spaces
    assert opened.catalog.asked == 0 and not opened.live.spaces[IMAGE].exact
    opened.assert_right()
    before = opened.catalog.asked
    changed(opened.catalog)
    opened.live.refresh()
    seen_live = opened.catalog.asked - before
    opened.assert_right()
    opened.close()
    again = Opened(saved, folder)
    assert again.keeper.kept is not None
    assert 0 < again.catalog.asked <= seen_live + 60  # those without any vector are looked up as well
    again.assert_right()
    changed(again.catalog)
    again.assert_right()
    again.save()
    again.close()
    third = Opened(saved, folder)
    assert third.catalog.asked == 0
    third.assert_right()
    third.close()


def test_what_was_learned_anew_makes_the_attributes_anew(saved: Path, folder: Path) -> None:
    opened = Opened(saved, folder)
    changed(opened.catalog)
    learn_from(opened.catalog, opened.live)
    opened.close()
    again = Opened(saved, folder)
    assert again.keeper.kept is not None and again.keeper.kept.spaces.keys() == {
        "image",
        "title",
        "description",
    }
    again.assert_right()
    again.close()


def test_a_snapshot_of_another_catalogue_or_encoder_is_not_used(
    saved: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = tmp_path / "other.db"
    catalog = SqlCatalog.open(foreign)
    catalog.write(made_records(PRODUCTS + 200, seed=8))  # it has come further: numbers say nothing
    catalog.close()
    opened = Opened(foreign, folder)
    assert opened.keeper.kept is None and "of another catalogue" in caplog.text
    opened.assert_right()
    opened.close()
    encoder = LetterEncoder()
    encoder.fingerprint = "letters-2"  # type: ignore[misc]
    catalog = SqlCatalog.open(saved)
    assert open_kept(catalog, IndexStore(folder, CellsIndex), Encoders(encoder)) is None
    assert "made by another encoder" in caplog.text
    catalog.close()


def copied(place: Path, to: Path) -> None:
    """Back up as one should."""
    with sqlite3.connect(place) as source, sqlite3.connect(to) as target:
        source.backup(target)


def test_a_catalogue_put_back_from_a_backup_does_not_open_what_was_saved_since(
    saved: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backup = tmp_path / "backup.db"
    copied(saved, backup)
    first = Opened(saved, folder)
    first.catalog.write([renewed(record, 5) for record in made_records(PRODUCTS)[:200]])
    first.live.refresh()
    first.save()
    assert [head["seq"] > 0 for head in first.store.heads()] == [True, True]
    first.close()
    for left in saved.parent.glob("shop.db*"):
        if left.is_file():
            left.unlink()
    copied(backup, saved)
    # The same products change in the same order, to something else: no number tells the two pasts apart.
    catalog = SqlCatalog.open(saved)
    records = [renewed(record, 6) for record in made_records(PRODUCTS)[:200]]
    catalog.write([replace(r, embeddings=tuple(r.embeddings)) for r in records])
    catalog.write([replace(r, product=replace(r.product, price=3.0), embeddings=()) for r in records])
    catalog.close()
    opened = Opened(saved, folder)
    assert "was before it was put back" in caplog.text
    assert opened.keeper.kept is not None  # the one from before the backup
    assert opened.keeper.kept.seq == opened.store.heads()[1]["seq"]
    opened.assert_right()
    opened.save()
    opened.close()
    again = Opened(saved, folder)
    assert again.keeper.kept is not None and again.catalog.asked == 0
    again.close()


def test_damage_costs_time_and_never_a_wrong_answer(
    saved: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = Opened(saved, folder)
    changed(second.catalog)
    second.live.refresh()
    second.save()
    second.close()
    whole = folder.with_name("whole")
    shutil.copytree(folder, whole)
    rng = random.Random(3)
    for attempt in range(8):
        for snapshot in sorted(folder.glob("snapshot-*"))[attempt % 2 :]:  # the newest, or both
            path = rng.choice(sorted(each for each in snapshot.iterdir() if each.stat().st_size))
            data = bytearray(path.read_bytes())
            where = rng.randrange(len(data))
            if attempt % 3:
                data[where] ^= 1 << rng.randrange(8)
            else:
                del data[where:]
            path.write_bytes(data)
        caplog.clear()
        opened = Opened(saved, folder)
        assert "is not used" in caplog.text or "cannot be read" in caplog.text
        assert (opened.keeper.kept is None) == (attempt % 2 == 0)
        opened.assert_right()
        opened.close()
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)


def test_damage_that_opening_does_not_see_is_found_and_the_vectors_read_anew(
    saved: Path, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(saved, folder)
    vectors = next(folder.glob("snapshot-*/image.0.vectors"))
    data = bytearray(vectors.read_bytes())
    data[2000:2400] = bytes(400)
    vectors.write_bytes(data)  # in place: what is mapped shows it
    assert (opened.live.spaces[IMAGE].get(np.arange(PRODUCTS))[1] == 0).all(axis=1).any()
    opened.keeper.start(opened.live)
    wait_for(lambda: "read from the catalogue anew" in caplog.text and _right(opened))
    assert "is damaged: image.0.vectors" in caplog.text and not vectors.exists()
    opened.close()


def _right(opened: Opened) -> bool:
    return not (opened.live.spaces[IMAGE].get(np.arange(PRODUCTS))[1] == 0).all(axis=1).any()


def wait_for(true: object, seconds: float = 60.0) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def running(saved: Path, folder: Path) -> Iterator[Opened]:
    opened = Opened(saved, folder)
    opened.keeper.start(opened.live)
    yield opened
    opened.close()


def test_the_thread_writes_when_much_has_changed_and_not_before(running: Opened) -> None:
    [first] = running.store.heads()
    records = made_records(PRODUCTS)
    running.catalog.write([renewed(record, 1) for record in records[:20]])
    running.live.refresh()
    running.wanted.set()
    time.sleep(0.5)
    assert running.store.heads() == [first]
    running.catalog.write([renewed(record, 2) for record in records[:400]])
    running.live.refresh()  # folds, which tells the thread
    wait_for(lambda: len(running.store.heads()) == 2)
    assert running.store.heads()[0]["seq"] > first["seq"]
    running.assert_right()


def test_a_process_whose_state_is_saved_already_leaves_it(running: Opened, saved: Path, folder: Path) -> None:
    other = Opened(saved, folder)
    other.catalog.write([renewed(record, 1) for record in made_records(PRODUCTS)[:50]])
    for each in (other, running):
        each.live.refresh()
        each.save()
    assert len(running.store.heads()) == 2
    running.save()
    assert [head["seq"] for head in running.store.heads()] == [head["seq"] for head in other.store.heads()]
    other.close()


def test_cells_learned_of_more_rows_are_saved_though_no_product_changed(saved: Path, folder: Path) -> None:
    """While a large shop is read, cells are learned of a part of it, and then anew of all: what is kept must be the latter."""
    opened = Opened(saved, folder)
    opened.catalog.write(made_records(PRODUCTS + 100)[PRODUCTS:])
    opened.live.refresh()
    opened.save()
    of_part = opened.live.spaces[IMAGE].learned
    at_once = LiveIndex(opened.catalog, opened.encoders, CellsIndex, PostingsIndex())
    at_once.refresh()
    opened.keeper.save(at_once)
    assert at_once.spaces[IMAGE].learned > of_part
    opened.close()
    again = Opened(saved, folder)
    assert again.live.spaces[IMAGE].learned == at_once.spaces[IMAGE].learned
    again.close()


def test_no_room_and_a_catalogue_that_fails_are_told_and_searches_go_on(
    saved: Path, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(saved, folder)
    opened.catalog.write([renewed(record, 1) for record in made_records(PRODUCTS)[:50]])
    opened.live.refresh()
    before = sorted(path.name for path in folder.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(opened.catalog, "set_position", lambda *mark: sqlite3.connect("/nowhere/at/all"))
        opened.save()
    assert "no index snapshot was written" in caplog.text
    assert sorted(path.name for path in folder.iterdir()) == before
    opened.assert_right()
    opened.close()


def test_a_shop_keeps_snapshots_beside_its_file_unless_told_otherwise(
    saved: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder)
    elsewhere = tmp_path / "elsewhere"
    rows = [{"id": f"N{number}", "title": f"thing {number}"} for number in range(5)]
    for setting, expected in (("auto", folder), (str(elsewhere), elsewhere), ("off", None)):
        for _ in range(2):
            settings = load_settings(snapshots=setting)
            with lookalike.open(saved, encoder=LetterEncoder(), settings=settings) as shop:
                shop.index(rows)
                shop.upsert([{"id": setting, "title": "not saved: no whole source was brought in"}])
        assert bool(list(tmp_path.glob("*.index/snapshot-*"))) == (setting == "auto")
        assert bool(list(elsewhere.glob("snapshot-*"))) == (setting == str(elsewhere))
        if expected is not None:
            with lookalike.open(saved, encoder=LetterEncoder(), settings=settings) as shop:
                assert shop._keeper is not None and shop._keeper.kept is not None
                assert shop.search(text="thing 3").hits
            shutil.rmtree(expected)
    assert not folder.exists() and not elsewhere.exists()


def test_a_small_shop_writes_none(place: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LEAST_VECTORS", 20_000)
    opened = Opened(place, folder)
    opened.save()
    opened.close()
    assert not folder.exists()


def test_the_plan_says_what_would_be_built_and_what_was_measured(saved: Path, folder: Path) -> None:
    made_by = {"name": "letters", "fingerprint": LetterEncoder.fingerprint}
    catalog = SqlCatalog.open(saved)
    catalog.set_artifact("encoder", json.dumps(made_by).encode())
    catalog.close()
    settings = load_settings()
    planned = {each.space: each for each in plan_indexes(saved, settings)}
    opened = Opened(saved, folder)
    for space, index in opened.live.spaces.items():
        each = planned[space]
        assert (each.vectors, each.dim) == (len(index), index.dim)
        assert (each.kind == "exact") == index.exact == (not each.measured)
        assert each.measured == (each.search_us is not None)
        assert not each.measured or (each.recall, each.search_us) == (0.96, 80.0)
    opened.close()
    better = plan_indexes(saved, load_settings(index_recall=0.98))
    assert not any(each.measured for each in better)  # what the snapshot was tuned for is less than that
    assert all(each.recall == (1.0 if each.kind == "exact" else 0.98) for each in better)
    exact = plan_indexes(saved, load_settings(index="exact", snapshots="off"))
    assert {each.kind for each in exact} == {"exact"} and {each.recall for each in exact} == {1.0}
    on_disk = sum(path.stat().st_size for path in folder.glob("snapshot-*/*"))
    assert sum(each.disk_bytes for each in planned.values()) == pytest.approx(on_disk, rel=0.3)
    shown = CliRunner().invoke(app, ["index", "--plan", str(saved)])
    assert shown.exit_code == 0 and "cells" in shown.output and "image" in shown.output
    assert "search" in shown.output and "0.08 ms" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80 and "…" not in shown.output
    for env, words in (({}, ["--shop", str(saved)]), ({"LOOKALIKE_SHOP": str(saved)}, [])):
        assert CliRunner().invoke(app, ["index", "--plan", *words], env=env).output == shown.output
    assert CliRunner().invoke(app, ["index", "--plan", str(saved), "--shop", "other.db"]).exit_code == 1
    estimated = (
        CliRunner().invoke(app, ["index", "--plan", str(saved)], env={"LOOKALIKE_INDEX": "exact"}).output
    )
    assert "search" not in estimated and "< 1 s" in estimated
    empty = saved.with_name("empty.db")
    SqlCatalog.open(empty).close()
    assert "nothing was indexed" in CliRunner().invoke(app, ["index", "--plan", str(empty)]).output
    assert not plan_indexes(empty, settings)


# --- killed ---------------------------------------------------------------------------------------------------------


def changing_for_ever(place: str, folder: str, seed: int) -> None:
    """In a process of its own: change products, fold, and save, until the end."""
    snapshots.LEAST_VECTORS, snapshots.QUIET_S, snapshots.WORTH = 200, 0.01, 0.01
    index_cells.LEAST_ROWS, index_cells.RECENT_ROWS = 700, 60
    index_cells.tune = lambda *_: ANY  # type: ignore[assignment]
    opened = Opened(Path(place), Path(folder))
    opened.keeper.start(opened.live)
    rng, records = random.Random(seed), made_records(PRODUCTS + 300)
    while True:
        some = rng.sample(records, rng.choice([1, 30, 200]))
        opened.catalog.write([renewed(record, rng.randrange(10**6)) for record in some])
        opened.catalog.write(
            [
                replace(r, product=replace(r.product, active=rng.random() < 0.8), embeddings=())
                for r in some[::3]
            ]
        )
        opened.catalog.delete([record.product.id for record in some[::7]])
        opened.live.refresh()
        if rng.random() < 0.3:
            opened.save()


def test_killed_at_any_moment_it_opens_and_catches_up(
    saved: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng, spawn, begun, partial_ones = random.Random(7), multiprocessing.get_context("spawn"), 0, 0
    for attempt in range(KILLS):
        before = SqlCatalog.open(saved)
        seq = before.sequence()
        child = spawn.Process(target=changing_for_ever, args=(str(saved), str(folder), attempt))
        child.start()
        wait_for(lambda before=before, seq=seq: before.sequence() > seq)  # type: ignore[misc]
        before.close()
        time.sleep(rng.uniform(0.0, 1.5))
        child.kill()
        child.join()
        partial_ones += len(list(folder.glob("partial-*")))
        opened = Opened(saved, folder)
        begun += opened.keeper.kept is not None
        assert len(opened.store.heads()) in (1, 2, 3)
        opened.assert_right()
        opened.close()
    print(f"{KILLS} kills: {partial_ones} amid a snapshot")
    assert begun == KILLS and "is damaged" not in caplog.text
