"""Ingest with real parts in memory: what lands, what is skipped, what is encoded, what is reported."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_shop import LetterEncoder
from PIL import Image

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.images_fetch import ImageFetcher
from lookalike.adapters.source_list import ListSource
from lookalike.core.images import ImageLimits
from lookalike.core.ports import Catalog
from lookalike.core.rows import Problem, columns_of, read_row, recognise
from lookalike.core.types import IMAGE, TITLE, Embedding, Pixels, Product, Record, Vectors, contents
from lookalike.engine import ingest as module
from lookalike.engine.encoders import Encoders
from lookalike.engine.ingest import ROUNDS, Ingest, IngestReport
from lookalike.engine.work import WORTH_KEEPING_BYTES, signature_of

Rows = list[dict[str, Any]]


def picture(color: tuple[int, int, int], size: tuple[int, int] = (20, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG")
    return file.getvalue()


def some_rows(count: int = 10) -> Rows:
    return [
        {
            "id": f"P{i}",
            "title": f"thing {i}",
            "description": f"a thing of kind {i % 3}",
            "price": 10.0 + i,
            "image": picture((i * 20 % 255, 40, 90)),
        }
        for i in range(count)
    ]


class Run:
    """A catalogue, and runs of ingest over it."""

    def __init__(self, base: Path | None = None) -> None:
        self.catalog: Catalog = MemoryCatalog()
        self.base = base
        self.problems: list[Problem] = []

    def __call__(
        self, rows: Iterable[Mapping[str, object]], encoder: Any = None, **settings: Any
    ) -> IngestReport:
        rows = list(rows)
        self.encoder = encoder or LetterEncoder()
        self.problems = []
        columns = recognise(columns_of(rows), rows)
        loader = ImageFetcher(self.base)
        limits = settings.pop("limits", ImageLimits())
        ingest = Ingest(self.catalog, Encoders(self.encoder), loader, self.problems.append, limits)
        return ingest.run(ListSource(rows), partial(read_row, columns=columns), **settings)

    @property
    def encoded(self) -> int:
        return sum(self.encoder.calls)

    def product(self, id_: str) -> Product:
        return next(iter(self.catalog.get_many(list(self.catalog.keys([id_]).values())).values()))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_new_source_lands_whole(run: Run) -> None:
    report = run(some_rows(600))
    assert (report.read, report.new, report.failed, report.images) == (600, 600, 0, 600)
    assert report.encoded == {IMAGE: 600, TITLE: 600, "description": 600}
    assert run.catalog.count() == 600
    assert run.product("P7").title == "thing 7"
    image = run.product("P7").images[0]
    assert image.content_hash
    assert run.catalog.thumbnail(image.content_hash) == some_rows(8)[7]["image"]


def test_what_has_not_changed_is_not_touched(run: Run) -> None:
    run(some_rows())
    seq = run.catalog.sequence()
    report = run(some_rows())
    assert (report.unchanged, report.new, report.changed, report.images) == (10, 0, 0, 10)
    assert run.encoded == 0
    assert run.catalog.sequence() == seq


def test_a_price_change_embeds_nothing(run: Run) -> None:
    run(some_rows())
    report = run([row | {"price": 99.0} for row in some_rows()])
    assert (report.changed, run.encoded) == (10, 0)
    assert run.product("P3").price == 99.0


def test_a_new_picture_embeds_that_picture_only(run: Run) -> None:
    run(some_rows())
    rows = some_rows()
    rows[4]["image"] = picture((1, 2, 3))
    report = run(rows)
    assert (report.changed, report.unchanged, run.encoded) == (1, 9, 1)


def test_another_encoder_embeds_all_again(run: Run) -> None:
    run(some_rows())

    class Newer(LetterEncoder):
        fingerprint = "letters-2"

    report = run(some_rows(), Newer())
    assert (report.changed, report.encoded[IMAGE]) == (10, 10)
    assert run(some_rows(), Newer()).unchanged == 10


def test_equal_texts_of_a_chunk_are_encoded_once(run: Run) -> None:
    run([{"id": str(i), "title": "same title", "image": picture((9, 9, 9))} for i in range(50)])
    assert run.encoded == 2


def test_a_bad_picture_is_reported_and_tried_again(run: Run) -> None:
    rows = some_rows()
    good = rows[5]["image"]
    rows[5]["image"] = good[:200]
    report = run(rows)
    assert (report.new, report.failed, report.failed_images) == (10, 0, 1)
    [problem] = run.problems
    assert (problem.number, problem.id, problem.field, problem.fatal) == (6, "P5", "images", False)
    assert problem.hint
    assert run.product("P5").title == "thing 5"
    again = run(rows)
    assert (again.unchanged, again.failed_images) == (9 + 1, 1)
    rows[5]["image"] = good
    mended = run(rows)
    assert (mended.changed, mended.failed_images) == (1, 0)
    assert run.encoded == 1


def test_several_pictures_of_which_one_is_bad(run: Run) -> None:
    files = [picture((200, 0, 0)), b"<html>not found</html>", picture((0, 200, 0))]
    run([{"id": "a", "title": "t", "images": files}])
    assert [image.content_hash is not None for image in run.product("a").images] == [True, False, True]
    assert "web page" in run.problems[0].reason or "HTML" in run.problems[0].reason


def test_duplicate_ids_keep_the_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 4)
    rows = some_rows()
    rows[9] = rows[9] | {"id": "P0"}
    rows[1] = rows[1] | {"id": "P0"}
    report = run(rows)
    assert (report.read, report.new, report.failed) == (10, 8, 2)
    assert [(p.number, p.field, p.fatal) for p in run.problems] == [(2, "id", True), (10, "id", True)]
    assert run.product("P0").title == "thing 0"


def test_counts_always_add_up(run: Run) -> None:
    rows = some_rows(40)
    for broken in (3, 17):
        del rows[broken]["id"]
    report = run(rows)
    assert report.read == report.new + report.changed + report.unchanged + report.failed == 40
    assert report.failed == 2


def test_pictures_from_paths_are_read_again_when_the_file_changes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture((10, 10, 10)))
    rows = [{"id": "a", "title": "t", "image": "a.jpg"}, {"id": "b", "title": "u", "image": "gone.jpg"}]
    assert run(rows).failed_images == 1
    assert run(rows).unchanged == 2
    (tmp_path / "a.jpg").write_bytes(picture((250, 10, 10)))
    report = run(rows)
    assert (report.changed, run.encoded) == (1, 1)


def test_progress_counts_every_row_and_memory_is_bounded_in_pictures(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_IMAGES", 8)
    told: list[int] = []
    largest = 0

    class Watching(LetterEncoder):
        def encode_images(self, images: Any) -> Vectors:
            nonlocal largest
            largest = max(largest, len(images))
            return super().encode_images(images)

    run(some_rows(100), Watching(), progress=told.append)
    assert told[-1] == 100
    assert told == sorted(told)
    assert largest <= 8


def test_limits_are_named(run: Run) -> None:
    run(
        [{"id": "a", "title": "t", "image": picture((1, 1, 1), (300, 300))}],
        limits=ImageLimits(max_pixels=1000),
    )
    assert "max_pixels" in run.problems[0].reason + run.problems[0].hint


class _Failing:
    """An encoder that breaks down after some calls, as one does that runs out of memory."""

    def __init__(self, after: int) -> None:
        self.inner, self.left = LetterEncoder(), after
        self.name, self.fingerprint, self.dim, self.aligned = "letters", "letters-1", self.inner.dim, False
        self.sees, self.reads = True, True

    def encode_images(self, images: list[Pixels]) -> Vectors:
        self.left -= 1
        if self.left < 0:
            raise MemoryError("no room")
        return self.inner.encode_images(images)

    def encode_texts(self, texts: list[str]) -> Vectors:
        return self.inner.encode_texts(texts)


def contents_of(catalog: Catalog) -> str:
    """Return everything that can be read of a catalogue, as text."""
    changes = catalog.changes(0, 100_000)
    keys = np.array(sorted(c.key for c in changes))
    spaces = dict.fromkeys(("image", "title", "description"), "letters-1")
    stored = {s: (k.tolist(), v.round(6).tolist()) for s, (k, v) in catalog.embeddings(keys, spaces).items()}
    return json.dumps([sorted((c.key, repr(c.product)) for c in changes), stored])


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_run_that_broke_down_is_resumed_by_running_it_again(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_IMAGES", 8)
    monkeypatch.setattr(module, "RECORDS_A_WRITE", 8)
    whole, broken = Run(), Run()
    whole(some_rows(60))
    with pytest.raises(MemoryError):
        broken(some_rows(60), _Failing(after))
    assert broken.catalog.count() == after * 8
    report = broken(some_rows(60))
    assert report.unchanged == broken.catalog.count() - report.new
    assert contents_of(broken.catalog) == contents_of(whole.catalog)


def test_ready_products_pass_without_being_read_again(run: Run) -> None:
    run(some_rows(3))
    product = run.product("P1")
    ingest = Ingest(run.catalog, Encoders(run.encoder), ImageFetcher(), run.problems.append, ImageLimits())
    reader: Callable[[Any], Any] = lambda row: (replace(product, price=5.0), [])  # noqa: E731
    before = run.encoded
    assert ingest.run(ListSource([{"id": "P1"}]), reader).changed == 1
    assert run.product("P1").price == 5.0
    assert run.encoded == before


class Contested(MemoryCatalog):
    """A catalogue that somebody else writes, too: just before each of our writes."""

    def __init__(self, meddle: Callable[[Contested], None]) -> None:
        super().__init__()
        self._meddle = meddle
        self.writes = 0

    def write(self, records: Sequence[Record]) -> Sequence[str]:
        if records:
            self.writes += 1
            self._meddle(self)
        return super().write(records)

    def write_theirs(self, *products: Product) -> None:
        super().write([Record(product, "theirs") for product in products])


def require_whole(run: Run, ids: Iterable[str]) -> None:
    """Require that all there is of these products is embedded, and that they are marked so."""
    fingerprints, ids = Encoders(run.encoder).fingerprints, list(ids)
    embedded, known = run.catalog.embedded(ids, fingerprints), run.catalog.known(ids)
    for id_, held in embedded.items():
        product = run.product(id_)
        wanted = {(space, hash_) for space, hashes in contents(product).items() for hash_ in hashes}
        assert held == wanted and known[id_].embedded == signature_of(fingerprints), id_


def large_picture(shade: int) -> bytes:
    """Return a picture whose bytes are let go of as soon as it is decoded."""
    file = io.BytesIO()
    Image.new("RGB", (90, 90), (shade, 40, 90)).save(file, "BMP")
    assert len(file.getvalue()) > WORTH_KEEPING_BYTES
    return file.getvalue()


@pytest.mark.parametrize("times", [1, 2, 100])
def test_what_others_drop_meanwhile_is_embedded_again(run: Run, times: int) -> None:
    def meddle(catalog: Contested) -> None:
        if first < catalog.writes <= first + times:
            ours = (run.product(f"P{i}") for i in range(0, 10, 3))
            catalog.write_theirs(*(replace(product, description="", price=-1.0) for product in ours))

    first = 10**9
    run.catalog = catalog = Contested(meddle)
    rows = [{**row, "image": large_picture(i)} for i, row in enumerate(some_rows(10))]
    run(rows)
    assert catalog.writes == 1
    first = 1
    changed = [{**row, "price": 99.0} for row in rows]
    report = run(changed)
    assert catalog.writes == 1 + min(times + 1, ROUNDS)
    assert (report.read, report.changed, report.new, report.failed) == (10, 10, 0, 0)
    assert (report.images, report.problems) == (10, 0)
    assert [run.product(f"P{i}").price for i in range(10)] == [99.0] * 10
    assert [run.product(f"P{i}").title for i in range(10)] == [f"thing {i}" for i in range(10)]
    require_whole(run, (f"P{i}" for i in range(10)))
    # Only what was dropped is embedded, unless others write again and again.
    again = (
        {"image": 0, "title": 0, "description": 4}
        if times == 1
        else {"image": 4, "title": 4, "description": 8}
    )
    assert report.encoded == again
    assert run(changed).unchanged == 10


def test_what_is_whole_by_itself_is_written_over_whatever_others_wrote(run: Run) -> None:
    run.catalog = catalog = Contested(lambda catalog: catalog.write_theirs(Product("P1", title="theirs")))
    report = run(some_rows(3))
    assert (report.new, catalog.writes) == (3, 1)
    assert run.product("P1").title == "thing 1"
    require_whole(run, ["P0", "P1", "P2"])


def test_a_picture_that_cannot_be_used_is_reported_once_however_often_it_is_tried(run: Run) -> None:
    rows = [{**row, "image": None, "images": [row["image"], b"no picture"]} for row in some_rows(2)]
    rows = [{name: value for name, value in row.items() if name != "image"} for row in rows]
    run(rows)
    plain = run.catalog
    run.catalog = catalog = Contested(lambda catalog: catalog.write_theirs(Product("P0")))
    for record in complete_records(plain):
        MemoryCatalog.write(catalog, [record])
    report = run([{**row, "price": 1.5} for row in rows])
    assert (report.changed, report.failed_images, len(run.problems)) == (2, 2, 2)
    assert run.product("P0").price == 1.5


def complete_records(catalog: Catalog) -> list[Record]:
    """Return the products of a catalogue as records with their embeddings."""
    fingerprints = Encoders(LetterEncoder()).fingerprints
    records = []
    for change in catalog.changes(0):
        assert change.product is not None
        hashes = contents(change.product)
        vectors = catalog.embeddings(np.array([change.key]), fingerprints)
        made = [
            Embedding(space, fingerprints[space], hash_, vector)
            for space, each in hashes.items()
            for hash_, vector in zip(sorted(each), vectors[space][1], strict=True)
        ]
        records.append(Record(change.product, "seen", "", tuple(made)))
    return records


def test_a_product_that_left_the_source_before_it_could_be_tried_again_is_reported(run: Run) -> None:
    def meddle(catalog: Contested) -> None:
        if catalog.writes == 2:
            catalog.write_theirs(Product("P1", title="theirs"))
            rows.pop(1)

    run.catalog = Contested(meddle)
    rows = some_rows(3)
    run(rows)
    rows = [{**row, "price": 5.0} for row in rows]
    columns = recognise(columns_of(rows), rows)
    run.problems = []
    ingest = Ingest(
        run.catalog, Encoders(run.encoder), ImageFetcher(run.base), run.problems.append, ImageLimits()
    )
    report = ingest.run(ListSource(rows), partial(read_row, columns=columns))
    assert (report.read, report.changed, report.failed) == (3, 2, 1)
    [problem] = run.problems
    assert problem.id == "P1" and problem.fatal and "others" in problem.reason and problem.hint
    assert run.product("P1").title == "theirs"
