"""`lookalike embed`, and what a shop takes of the files it writes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import lookalike
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.embeddings_parquet import MadeBy
from lookalike.adapters.embeddings_parquet_given import GivenVectors
from lookalike.cli.main import app
from lookalike.core.errors import EncoderMismatch, InputError, LookalikeError, SourceError, VectorError
from lookalike.core.rows import Problem
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE, Vectors
from lookalike.embed import embed
from lookalike.engine import ingest
from lookalike.settings import Settings
from small_encoders import SmallEncoder, drawn, rows

COUNT = 30
SETTINGS = Settings(index="exact", snapshots="off")


def eye(version: int = 1) -> SmallEncoder:
    return SmallEncoder("eye", 12, version=version)


def stored(place: Path, encoder: SmallEncoder) -> dict[str, Vectors]:
    """Return all vectors of a catalogue, by space."""
    catalog = SqlCatalog.open(place, create=False)
    try:
        keys = np.arange(catalog.count() + 5)
        made_by = dict.fromkeys((IMAGE, TITLE, DESCRIPTION), encoder.fingerprint)
        return {space: vectors for space, (_, vectors) in catalog.embeddings(keys, made_by).items()}
    finally:
        catalog.close()


def same(one: Mapping[str, Vectors], other: Mapping[str, Vectors], tolerance: float = 0.0) -> bool:
    return all(
        one[space].shape == other[space].shape and np.abs(one[space] - other[space]).max() <= tolerance
        for space in one
    )


def table(path: Path) -> Any:
    return pq.read_table(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Vectors of thirty products."""
    report = embed(rows(COUNT), tmp_path / "v.parquet", encoder=eye())
    assert report.vectors == 3 * COUNT
    return tmp_path / "v.parquet"


def test_a_shop_takes_the_vectors_it_would_have_made(tmp_path: Path, file: Path) -> None:
    plain, taking = eye(), eye()
    with lookalike.open(tmp_path / "plain.db", encoder=plain, settings=SETTINGS) as shop:
        shop.index(rows(COUNT))
        wanted = [(h.product.id, h.score) for h in shop.search(image=drawn((220, 30, 30)), k=20).hits]
    with lookalike.open(tmp_path / "taking.db", encoder=taking, settings=SETTINGS) as shop:
        report = shop.index(rows(COUNT), embeddings=[file])
        assert (taking.pictures, report.encoded[IMAGE], report.encoded[TITLE]) == (0, 0, 0)
        assert report.given == 3 * COUNT
        assert [(h.product.id, h.score) for h in shop.search(image=drawn((220, 30, 30)), k=20).hits] == wanted
        assert shop.picture_of("P003")  # thumbnails are made all the same
    assert same(stored(tmp_path / "taking.db", taking), stored(tmp_path / "plain.db", plain))


def test_what_is_missing_or_other_than_it_was_is_embedded(tmp_path: Path, file: Path) -> None:
    now = rows(COUNT + 4)
    now[3]["image"], now[5]["title"] = now[-1]["image"], "a title of its own"
    taking, plain = eye(), eye()
    with lookalike.open(tmp_path / "taking.db", encoder=taking, settings=SETTINGS) as shop:
        report = shop.index(now, embeddings=[file])
    with lookalike.open(tmp_path / "plain.db", encoder=plain, settings=SETTINGS) as shop:
        shop.index(now)
    assert (report.encoded[IMAGE], report.encoded[TITLE], taking.pictures) == (5, 5, 4)
    assert same(stored(tmp_path / "taking.db", taking), stored(tmp_path / "plain.db", plain))


def test_the_file_is_what_people_expect(file: Path) -> None:
    found = table(file)
    assert found.column_names == ["id", "space", "content_hash", "ref", "vector"]
    assert found.schema.field("vector").type == pa.list_(pa.float32(), 12)
    assert json.loads(found.schema.metadata[b"lookalike"])["spaces"]["image"] == {
        "encoder": "eye",
        "fingerprint": "eye-1",
        "dim": 12,
    }
    first = found.slice(0, 3).to_pylist()
    assert [(row["id"], row["space"]) for row in first] == [
        ("P000", IMAGE),
        ("P000", TITLE),
        ("P000", DESCRIPTION),
    ]
    assert not list(file.parent.glob("v.parquet.*"))


def test_half_the_bits_are_vectors_nearly_the_same(tmp_path: Path) -> None:
    file = tmp_path / "half.parquet"
    embed(rows(COUNT), file, encoder=eye(), half=True)
    assert table(file).schema.field("vector").type == pa.list_(pa.float16(), 12)
    plain, taking = eye(), eye()
    with lookalike.open(tmp_path / "taking.db", encoder=taking, settings=SETTINGS) as shop:
        shop.index(rows(COUNT), embeddings=[file])
    with lookalike.open(tmp_path / "plain.db", encoder=plain, settings=SETTINGS) as shop:
        shop.index(rows(COUNT))
    taken = stored(tmp_path / "taking.db", taking)
    assert taking.pictures == 0 and same(taken, stored(tmp_path / "plain.db", plain), 5e-4)
    assert np.allclose(np.linalg.norm(taken[IMAGE], axis=1), 1, atol=1e-6)


def test_an_array_with_what_its_rows_are(tmp_path: Path) -> None:
    file = tmp_path / "v.parquet"
    report = embed(rows(6), file, encoder=eye(), npy=True)
    array = np.load(tmp_path / "v.npy")
    lines = (tmp_path / "v.rows.csv").read_text().splitlines()
    assert array.shape == (report.vectors, 12) and len(lines) == report.vectors + 1
    assert lines[0] == "id,space,content_hash,ref" and lines[2].startswith("P000,title,")
    assert array.tolist() == table(file)["vector"].to_pylist()


def test_two_encoders_of_different_lengths_in_one_file(tmp_path: Path) -> None:
    words = SmallEncoder("words", 7, sees=False)
    file = tmp_path / "v.parquet"
    with pytest.raises(InputError, match="several lengths"):
        embed(rows(6), file, encoder=eye(), text_encoder=words, npy=True)
    embed(rows(6), file, encoder=eye(), text_encoder=words)
    assert {len(row["vector"]) for row in table(file).to_pylist() if row["space"] != IMAGE} == {7}
    seeing, reading = eye(), SmallEncoder("words", 7, sees=False)
    place = tmp_path / "s.db"
    with lookalike.open(place, encoder=seeing, text_encoder=reading, settings=SETTINGS) as shop:
        report = shop.index(rows(6), embeddings=[file])
        assert sum(report.encoded.values()) == 0 and len(shop.spaces[TITLE]) == 6


def test_one_bad_picture_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    some = rows(6)
    some[2]["image"] = "data:image/jpeg;base64,bm8gcGljdHVyZQ=="
    some[4]["image"] = str(tmp_path / "absent.jpg")
    del some[5]["id"]
    problems: list[Problem] = []
    report = embed(some, tmp_path / "v.parquet", encoder=eye(), on_problem=problems.append)
    assert (report.ingest.failed_images, report.ingest.failed) == (2, 1)
    assert {problem.id for problem in problems} >= {"P002", "P004"}
    held = table(tmp_path / "v.parquet").to_pylist()
    assert sorted(row["id"] for row in held if row["space"] == IMAGE) == ["P000", "P001", "P003"]
    assert sum(row["space"] == TITLE for row in held) == 5


def test_a_run_that_broke_off_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CHUNK_ROWS", "RECORDS_A_WRITE"):
        monkeypatch.setattr(ingest, name, 5)
    file, first, again = tmp_path / "v.parquet", eye(), eye()

    def stop(done: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(rows(COUNT), file, encoder=first, progress=stop)
    assert not file.exists()
    report = embed(rows(COUNT), file, encoder=again)
    assert report.vectors == 3 * COUNT and 0 < again.pictures <= COUNT - 10
    embed(rows(COUNT), tmp_path / "whole.parquet", encoder=eye())
    key = [("id", "ascending"), ("space", "ascending")]
    assert table(file).sort_by(key) == table(tmp_path / "whole.parquet").sort_by(key)
    assert not (tmp_path / "v.parquet.work").exists()


def test_run_again_it_embeds_what_is_new_and_drops_what_is_gone(tmp_path: Path, file: Path) -> None:
    again = eye()
    report = embed(rows(COUNT, first=5), file, encoder=again)
    assert (report.vectors, again.pictures) == (3 * COUNT, 5)
    assert {row["id"] for row in table(file).to_pylist()} == {f"P{n:03d}" for n in range(5, COUNT + 5)}


def test_another_encoders_file_is_not_written_over(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(EncoderMismatch, match="eye-1"):
        embed(rows(3), file, encoder=eye(2))
    assert file.read_bytes() == before


def test_parts_make_up_the_whole(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    for number in (1, 2, 3):
        report = embed(rows(COUNT), folder / f"{number}.parquet", encoder=eye(), part=(number, 3))
        assert report.ingest.read == COUNT // 3
    taking = eye()
    with lookalike.open(tmp_path / "s.db", encoder=taking, settings=SETTINGS) as shop:
        report_of_shop = shop.index(rows(COUNT), embeddings=[folder])
        assert (taking.pictures, taking.phrases, report_of_shop.new) == (0, 0, COUNT)
    for wrong in ((0, 3), (4, 3), (1, 0)):
        with pytest.raises(InputError, match="no part"):
            embed(rows(3), folder / "x.parquet", encoder=eye(), part=wrong)


def test_parts_are_read_as_the_whole_is(tmp_path: Path) -> None:
    """Also where the first rows of one of them lack a column."""
    some = rows(COUNT)
    for row in some[::2]:
        del row["image"]
    seen: list[object] = []
    for part in ((1, 1), (1, 2), (2, 2)):
        out = tmp_path / f"{part[0]}-{part[1]}.parquet"
        embed(some, out, encoder=eye(), part=part, on_start=lambda source, columns: seen.append(columns))
    assert seen[0] == seen[1] == seen[2]


def test_of_two_runs_into_one_file_the_second_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks of files are those of POSIX")
    file = tmp_path / "v.parquet"

    def another(done: int) -> None:
        with pytest.raises(InputError, match="another run is making") as caught:
            embed(rows(COUNT), file, encoder=eye(), part=(2, 2))
        assert "--out" in caught.value.hint

    assert embed(rows(COUNT), file, encoder=eye(), progress=another).vectors == 3 * COUNT
    assert table(file).num_rows == 3 * COUNT and not (tmp_path / "v.parquet.work").exists()


def test_a_part_without_a_row_is_an_empty_file(tmp_path: Path) -> None:
    report = embed(rows(1), tmp_path / "v.parquet", encoder=eye(), part=(2, 2), npy=True)
    assert (report.vectors, report.ingest.read) == (0, 0)
    assert np.load(tmp_path / "v.npy").shape == (0, 12)
    assert len((tmp_path / "v.rows.csv").read_text().splitlines()) == 1


# --- what a shop refuses ------------------------------------------------------------------------------------------------


def rewritten(file: Path, **columns: list[Any]) -> None:
    held = table(file)
    for name, values in columns.items():
        place = held.schema.get_field_index(name)
        held = held.set_column(place, held.schema.field(name), pa.array(values, held.schema.field(name).type))
    pq.write_table(held, file)


def with_first_vector(file: Path, vector: list[float]) -> None:
    rewritten(file, vector=[vector, *table(file)["vector"].to_pylist()[1:]])


def of_other_length(file: Path) -> None:
    held = table(file)
    vectors = pa.array([[1.0]] * held.num_rows, pa.list_(pa.float32(), 1))
    metadata = held.schema.metadata
    held = held.drop_columns("vector").append_column("vector", vectors).replace_schema_metadata(metadata)
    pq.write_table(held, file)


def of_nobody(file: Path) -> None:
    pq.write_table(table(file).replace_schema_metadata({}), file)


def of_other_type(file: Path) -> None:
    held = table(file)
    words = pa.array(["x"] * held.num_rows)
    metadata = held.schema.metadata
    pq.write_table(
        held.drop_columns("vector").append_column("vector", words).replace_schema_metadata(metadata), file
    )


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def twice(file: Path) -> None:
    held = table(file)
    pq.write_table(pa.concat_tables([held, held.slice(0, 1)]), file)


def two_of_one_content(file: Path) -> None:
    held = table(file).to_pylist()
    rewritten(file, content_hash=[held[3]["content_hash"], *(row["content_hash"] for row in held[1:])])


WRONG: dict[str, tuple[Any, type[LookalikeError], str]] = {
    "dim": (of_other_length, VectorError, "not of 12 numbers"),
    "nan": (lambda file: with_first_vector(file, [float("nan")] * 12), VectorError, "'P000' has NaN"),
    "infinite": (lambda file: with_first_vector(file, [float("inf")] * 12), VectorError, "'P000' has NaN"),
    "zero": (lambda file: with_first_vector(file, [0.0] * 12), VectorError, "a length other than 1"),
    "nobody": (of_nobody, InputError, "which encoder"),
    "type": (of_other_type, InputError, "no column 'vector', or one of another type"),
    "cut": (cut_off, SourceError, "cannot be read as Parquet"),
    "twice": (twice, InputError, "twice"),
    "two": (two_of_one_content, InputError, "two different vectors"),
    "hash": (lambda file: rewritten(file, content_hash=["x"] * 3 * COUNT), InputError, "no content hash"),
    "null": (lambda file: rewritten(file, id=[None] * 3 * COUNT), InputError, "no id"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, file: Path, case: str) -> None:
    spoil, kind, said = WRONG[case]
    spoil(file)
    with lookalike.open(tmp_path / "s.db", encoder=eye(), settings=SETTINGS) as shop:
        with pytest.raises(kind, match=said) as caught:
            shop.index(rows(COUNT), embeddings=[file])
        assert caught.value.hint and len(shop) == 0 and shop.sequence == 0


def test_a_full_disk_is_not_blamed_on_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
        with pytest.raises(OSError, match="No space"):
            GivenVectors([file], {IMAGE: MadeBy("eye", "eye-1", 12)})


def test_vectors_of_another_encoder_are_refused_with_its_name(tmp_path: Path, file: Path) -> None:
    with (
        lookalike.open(tmp_path / "s.db", encoder=eye(2), settings=SETTINGS) as shop,
        pytest.raises(EncoderMismatch, match=r"eye \(eye-1\), not by eye \(eye-2\)"),
    ):
        shop.index(rows(COUNT), embeddings=[file])


def test_paths_that_lead_nowhere(tmp_path: Path, file: Path) -> None:
    for path, said in ((tmp_path / "absent.parquet", "no file"), (tmp_path, None)):
        if said is None:  # a folder with one good file
            GivenVectors([path], {}).close()
            continue
        with pytest.raises(SourceError, match=said):
            GivenVectors([path], {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no \.parquet files"):
        GivenVectors([tmp_path / "empty"], {})


# --- the command --------------------------------------------------------------------------------------------------------


def as_jsonl(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
    return path


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source, run = as_jsonl(tmp_path / "p.jsonl", 8), CliRunner().invoke
    for number in (1, 2):
        made = run(app, ["embed", str(source), "--out", f"{number}.parquet", "--part", f"{number}/2"])
        assert made.exit_code == 0 and "wrote 12 vectors" in made.output, made.output
    both = [word for number in (1, 2) for word in ("--embeddings", f"{number}.parquet")]
    done = run(app, ["index", str(source), "--shop", "s.db", *both])
    assert done.exit_code == 0 and "vectors that were given: " in done.output, done.output
    assert "embedded: 0 images, 0 titles, 0 descriptions" in done.output
    assert "had before: 0" in made.output and not list(tmp_path.glob("*failures*"))
    for words, said in ((["--part", "2"], "no part"), (["--out", "v.npz"], "called otherwise")):
        refused = run(app, ["embed", str(source), "--out", "x.parquet", *words])
        assert isinstance(refused.exception, InputError) and said in str(refused.exception)


def test_vectors_of_another_encoder_leave_no_shop(tmp_path: Path, file: Path) -> None:
    source = as_jsonl(tmp_path / "p.jsonl", 4)
    place = tmp_path / "new" / "s.db"
    refused = CliRunner().invoke(app, ["index", str(source), "--shop", str(place), "--embeddings", str(file)])
    assert isinstance(refused.exception, EncoderMismatch)
    assert not place.parent.exists()
