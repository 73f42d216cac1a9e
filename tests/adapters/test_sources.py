"""Every source: what it reads, that it can start anew, and what it says of files that are not what they should be."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import damage
from lookalike.adapters import source_csv, source_jsonl, source_parquet
from lookalike.adapters.source_csv import CsvSource
from lookalike.adapters.source_folder import FolderSource, words_of
from lookalike.adapters.source_jsonl import JsonlSource
from lookalike.adapters.source_list import ListSource, columns_of_product
from lookalike.adapters.source_parquet import ParquetSource
from lookalike.adapters.source_sql import SqlSource
from lookalike.core.errors import LookalikeError, SourceError
from lookalike.core.ports import BadRow, Row, Source
from lookalike.core.rows import SAMPLE_ROWS, Problem, columns_of, problem_of, read_row, recognise
from lookalike.core.types import Product

DATA = Path(os.environ.get("LOOKALIKE_DATA", "data"))  # real catalogues, where someone has them


def values(source: Source) -> list[Mapping[str, object]]:
    """Read all rows of a source that has no bad ones, twice."""
    rows = list(source.rows())
    assert list(source.rows()) == rows
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert source.total in (None, len(rows))
    good = [row for row in rows if isinstance(row, Row)]
    assert good == rows
    return [row.values for row in good]


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(source: Source) -> SourceError:
    with pytest.raises(SourceError) as raised:
        list(source.rows())
    assert raised.value.hint
    return raised.value


def landed(source: Source) -> tuple[dict[str, tuple[Row, Product]], list[Problem]]:
    """Read a source as indexing does: products by id (the first of each), and all problems."""
    rows = list(source.rows())
    sample = [row.values for row in rows if isinstance(row, Row)][:SAMPLE_ROWS]
    columns = recognise(columns_of(sample), sample)
    products: dict[str, tuple[Row, Product]] = {}
    problems: list[Problem] = []
    for row in rows:
        if isinstance(row, BadRow):
            problems.append(problem_of(row))
            continue
        product, found = read_row(row, columns)
        problems += found
        if product is not None:
            products.setdefault(product.id, (row, product))
    return products, problems


# Damage


@pytest.mark.parametrize(
    ("write", "kind"),
    [(damage.csv_file, CsvSource), (damage.jsonl_file, JsonlSource), (damage.parquet_file, ParquetSource)],
)
def test_every_good_row_lands_and_every_bad_one_is_named(
    tmp_path: Path, write: Callable[[Path], damage.Catalogue], kind: Callable[[Path], Source]
) -> None:
    catalogue = write(tmp_path)
    assert len({entry.name for entry in catalogue.entries}) > 40
    products, problems = landed(kind(catalogue.path))
    by_place: dict[str, list[Problem]] = {}
    for problem in problems:
        by_place.setdefault(problem.place, []).append(problem)
    for entry in catalogue.entries:
        check(entry, products, by_place.pop(entry.place, []))
    assert not by_place  # nothing is reported that nothing is wrong with


def check(entry: damage.Entry, products: Mapping[str, tuple[Row, Product]], problems: list[Problem]) -> None:
    """Check what became of one row of a damaged catalogue."""
    if entry.expected == "fails":
        assert [problem.fatal for problem in problems] == [True], entry
        assert problems[0].reason
        assert problems[0].hint
        return
    row, product = products[entry.id]
    assert (row.place == entry.place) == (entry.expected != "duplicate")
    assert len(product.images) == (0 if entry.field == "images" else 1), entry.name
    if entry.expected == "lands-without":
        assert [(problem.field, problem.id, problem.fatal) for problem in problems] == [
            (entry.field, entry.id, False)
        ], entry
        assert getattr(product, entry.field, None) == getattr(Product(""), entry.field, None)
        assert entry.field not in product.attributes or entry.field == "availability"
    else:
        assert not problems, entry
        whole = (
            product.title,
            product.price is not None,
            product.categories,
            product.attributes,
            product.rating,
            product.added,
        )
        assert all(whole), entry


def test_there_are_more_than_forty_kinds_of_damage() -> None:
    assert len({kind.name for kind in damage.ROWS if kind.expected != "lands"}) >= 40


@pytest.mark.parametrize(
    "name", ["cut off", "empty", "text", "broken inside", "no rows", "missing", "parts of two schemas"]
)
def test_parquet_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str) -> None:
    files = damage.damaged_parquet_files(tmp_path)
    error = refused(ParquetSource(files[name]))
    assert str(tmp_path) in str(error)
    if name == "parts of two schemas":
        assert "part-1.parquet" in str(error)
        assert "title" in str(error)


# Parquet


def test_parquet_gives_python_values(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "name": pa.array(["a", None]).dictionary_encode(),
            "price": pa.array([1.5, None]),
            "tags": pa.array([["x", "y"], None]),
            "image": pa.array([b"12", b"34"]),
            "when": pa.array([1_767_225_600_000_000_001, None], pa.timestamp("ns", "Europe/Berlin")),
            "day": pa.array([date(2026, 1, 1), None]),
            "old": pa.array([-(2**60), 0], pa.timestamp("us")),
            "pairs": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
            "inner": pa.array([{"bytes": b"1", "path": "p"}, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = values(ParquetSource(tmp_path / "a.parquet"))
    assert first == {
        "id": 1,
        "name": "a",
        "price": 1.5,
        "tags": ["x", "y"],
        "image": b"12",
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "day": date(2026, 1, 1),
        "old": first["old"],
        "pairs": {"a": 1},
        "inner": {"bytes": b"1", "path": "p"},
    }
    assert "-1152921504606846976" in str(first["old"])  # in a year before the first that Python has
    assert second["id"] == 2
    assert second["tags"] is None


def test_parquet_parts_are_read_in_order_and_batches_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_parquet, "BATCH_BYTES", 300)
    (tmp_path / "color=red").mkdir()
    for part, name in enumerate(["part-0.parquet", "part-1.parquet", "color=red/part-9.parquet"]):
        ids = [f"{part}-{n}" for n in range(20)]
        other = pa.array([None] * 20, pa.null()) if part == 1 else pa.array([1] * 20)
        pq.write_table(pa.table({"id": ids, "n": other}), tmp_path / name)
    (tmp_path / "_SUCCESS").touch()
    written(tmp_path / "_metadata.parquet", "")
    source = ParquetSource(tmp_path)
    assert source.total == 60
    assert [row["id"] for row in values(source)][::20] == ["2-0", "0-0", "1-0"]
    assert [row.place for row in source.rows()][:2] == [
        "color=red/part-9.parquet row 1",
        "color=red/part-9.parquet row 2",
    ]


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), tmp_path / "a.parquet")
    assert '"a"' in str(refused(ParquetSource(tmp_path / "a.parquet")))


# CSV

PLAIN = "id,title,price\n1,Shirt,3\n2,Hat,4\n"
EXPECTED = [{"id": "1", "title": "Shirt", "price": "3"}, {"id": "2", "title": "Hat", "price": "4"}]


@pytest.mark.parametrize("delimiter", list(source_csv.DELIMITERS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_any_make(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    text = PLAIN.replace("Hat", "Café").replace(",", delimiter).replace("\n", end)
    source = CsvSource(written(tmp_path / "a.csv", text.encode(encoding)))
    assert values(source) == [EXPECTED[0], {**EXPECTED[1], "title": "Café"}]
    assert bool(source.notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)),
        ("a.tsv", PLAIN.replace(",", "\t")),
        ("a.csv", "sep=,\n" + PLAIN),
        ("a.csv", "\n" + PLAIN.replace("\n", "\n\n")),
        ("a.csv", PLAIN.replace("3\n", "3,,\n")),
        ("a.csv", PLAIN.rstrip("\n")),
        ("a.csv", PLAIN.replace("Shirt", '"Shirt"')),
    ],
)
def test_csv_with_small_oddities_is_read(tmp_path: Path, name: str, content: bytes | str) -> None:
    assert values(CsvSource(written(tmp_path / name, content))) == EXPECTED


def test_csv_fields_may_hold_anything_quoted_and_be_large(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    odd = 'a "b", c\nd;\re\0'
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "title"], ["1", odd], ["2", "x" * 1_000_000], ["3", ""]])
    assert [row["title"] for row in values(CsvSource(path))] == [odd, "x" * 1_000_000, ""]
    assert [row.place for row in CsvSource(path).rows()] == ["line 2", "line 5", "line 6"]


def test_csv_header_gives_every_column_a_name(tmp_path: Path) -> None:
    source = CsvSource(written(tmp_path / "a.csv", "id,,color,color,\n1,2,3,4,5\n"))
    assert values(source) == [{"id": "1", "column_2": "2", "color": "3", "color_2": "4", "column_5": "5"}]
    assert '"color_2"' in source.notes[0]


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n\n",
        "\ufeff",
        "id,title\n",
        ",,\n1,2,3\n",
        '"id,title\n1,2\n',
        gzip.compress(PLAIN.encode() * 99, mtime=0)[:-20],
    ],
)
def test_csv_without_rows_or_header_is_refused(tmp_path: Path, content: bytes | str) -> None:
    refused(CsvSource(written(tmp_path / "a.csv", content)))


@pytest.mark.parametrize("make", [CsvSource, JsonlSource, ParquetSource, FolderSource])
def test_what_is_not_there_is_refused(tmp_path: Path, make: Callable[[Path], Source]) -> None:
    source = make(tmp_path / "no such thing")
    assert "no such thing" in source.name
    assert source.total is None
    assert "no such thing" in str(refused(source))


@pytest.mark.parametrize("make", [CsvSource, JsonlSource])
def test_an_unknown_encoding_is_refused(tmp_path: Path, make: Any) -> None:
    refused(make(written(tmp_path / "a.csv", PLAIN), encoding="klingon"))
    refused(make(written(tmp_path / "a.csv", PLAIN), encoding="base64"))


def test_a_given_encoding_and_delimiter_hold(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id:title\n1:Łódź, cap\n".encode("cp1250"))
    source = CsvSource(path, delimiter=":", encoding="cp1250")
    assert values(source) == [{"id": "1", "title": "Łódź, cap"}]


def test_csv_quotes_that_are_never_closed_cost_one_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_csv, "MAX_RECORD_LINES", 5)
    lines = [f'{n},"open {n}' if n % 4 == 0 else f"{n},fine" for n in range(40)]
    rows = list(CsvSource(written(tmp_path / "a.csv", "id,title\n" + "\n".join(lines))).rows())
    bad = [row.place for row in rows if isinstance(row, BadRow)]
    assert bad == [f"line {n + 2}" for n in range(0, 40, 4)]
    assert len(rows) == 40


CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from(source_csv.DELIMITERS),
)
@settings(max_examples=100, deadline=None)
def test_what_the_csv_writer_wrote_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], mark: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([["id", "é", "c"], *rows])
    assert values(CsvSource(path, delimiter=mark)) == [
        dict(zip(["id", "é", "c"], row, strict=True)) for row in rows
    ]


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for make in (CsvSource, JsonlSource, ParquetSource):
        for data in (
            content,
            b"id,title\n1,a\n" + content,
            b'{"id": 1}\n' + content,
            b'[{"id": 1},' + content,
        ):
            try:
                rows = list(make(written(folder / "a", data)).rows())
            except SourceError:
                continue
            assert rows


# JSON

OBJECTS: list[dict[str, Any]] = [
    {"id": "1", "tags": ["a", {"b": None}]},
    {"id": "2", "title": "Café 👕"},
    {"id": "3", "price": 3.5},
]


def as_json(shape: str) -> str:
    return {
        "lines": "\n".join(map(json.dumps, OBJECTS)) + "\n",
        "lines with gaps": "\r\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in OBJECTS),
        "array": json.dumps(OBJECTS),
        "pretty array": json.dumps(OBJECTS, indent=2, ensure_ascii=False),
        "array in an object": json.dumps(
            {"version": [1, {"a": "]"}], "products": OBJECTS, "after": 3}, indent=1
        ),
        "one line, array of one": json.dumps(OBJECTS[:1]) + "\n\n",
        "one object": json.dumps(OBJECTS[0]),
    }[shape]


@pytest.mark.parametrize("shape", ["lines", "lines with gaps", "array", "pretty array", "array in an object"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_json_of_any_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, encoding: str, packed: bool
) -> None:
    monkeypatch.setattr(source_jsonl, "_CHUNK_CHARS", 7)  # so that every object is cut somewhere
    data = as_json(shape).encode(encoding)
    path = written(tmp_path / "a.json", gzip.compress(data, mtime=0) if packed else data)
    assert values(JsonlSource(path)) == OBJECTS


@pytest.mark.parametrize("shape", ["one line, array of one", "one object"])
def test_json_of_one_product(tmp_path: Path, shape: str) -> None:
    assert values(JsonlSource(written(tmp_path / "a.json", as_json(shape)))) == OBJECTS[:1]


def test_json_lines_that_are_no_products_are_named(tmp_path: Path) -> None:
    source = JsonlSource(written(tmp_path / "a.jsonl", '[1]\n{"id": 1}\n{"id": }\n\n{"id": NaN}\n'))
    first, second, third, fourth = source.rows()
    assert isinstance(first, BadRow)
    assert isinstance(third, BadRow)
    assert (second.place, third.place, fourth.place) == ("line 2", "line 3", "line 5")
    assert "array" in first.reason
    assert "column 8" in third.reason


def test_json_lines_that_are_too_long_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_jsonl, "MAX_LINE_CHARS", 50)
    path = written(tmp_path / "a.jsonl", '{"id": 1}\n{"id": "' + "x" * 500 + '"}\n{"id": 3}\n')
    rows = list(JsonlSource(path).rows())
    assert [isinstance(row, BadRow) for row in rows] == [False, True, False]
    assert rows[2].place == "line 3"


def test_elements_of_an_array_that_are_no_products_are_named(tmp_path: Path) -> None:
    source = JsonlSource(written(tmp_path / "a.json", '[{"id": 1},\n 5, "a", [], {}, null,\n {"id": 2}]'))
    rows = list(source.rows())
    assert [isinstance(row, BadRow) for row in rows] == [False, True, True, True, True, True, False]
    assert rows[1].place == "row 2, line 2"


@pytest.mark.parametrize(
    "content",
    ["", "\n \n", "[]", '{"products": []}', '[{"id": 1}, {"id"', '[{"id": 1} {"id": 2}]', '[{"id": 1},'],
)
def test_json_that_is_empty_or_broken_is_refused(tmp_path: Path, content: str) -> None:
    source = JsonlSource(written(tmp_path / "a.json", content))
    if content.startswith('{"products'):
        assert [row.values for row in source.rows() if isinstance(row, Row)] == [{"products": []}]
    else:
        refused(source)


def test_rows_before_a_break_in_an_array_are_given(tmp_path: Path) -> None:
    rows = JsonlSource(written(tmp_path / "a.json", '[{"id": 1},\n{"id": 2},\n{"id')).rows()
    assert [next(rows).number, next(rows).number] == [1, 2]
    with pytest.raises(SourceError, match="line 3, after row 2"):
        next(rows)


# Folder


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for name in (
        "b/red-dress_01.JPG",
        "b/4711.png",
        "a.webp",
        "T-Shirts/x/blue shirt.jpeg",
        "same.jpg",
        "same.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (".hidden.jpg", "notes.txt", "b/Thumbs.db", ".git/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "circle").symlink_to(tmp_path)
    source = FolderSource(tmp_path)
    rows = values(source)
    assert [(row["id"], row["title"], row["category"]) for row in rows] == [
        ("T-Shirts/x/blue shirt", "blue shirt", "T-Shirts/x"),
        ("a", "a", ""),
        ("b/4711", "", "b"),
        ("b/red-dress_01", "red dress 01", "b"),
        ("same.jpg", "same", ""),
        ("same.png", "same", ""),
    ]
    assert all(Path(str(row["image"])).is_file() for row in rows)
    assert source.skipped == 5
    assert "5 files" in source.notes[0]
    products, problems = landed(source)
    assert not problems
    assert products["b/red-dress_01"][1].categories == ("b",)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    assert ".jpg" in refused(FolderSource(tmp_path)).hint


def test_a_file_name_that_is_not_text_is_named(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).touch()
    (tmp_path / "good.jpg").touch()
    bad, good = FolderSource(tmp_path).rows()
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        ("red-dress_01", "red dress 01"),
        ("IMG_2041", "IMG 2041"),
        ("15970", ""),
        ("3f9a0c2e77", ""),
        ("Été.2026", "Été 2026"),
    ],
)
def test_words_of_file_names(stem: str, words: str) -> None:
    assert words_of(stem) == words


# SQL


@pytest.fixture
def shop(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    fill(url)
    return url


def fill(url: str, rows: int = 3) -> None:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(8, 2), picture TEXT)"
            )
        )
        insert = sa.text("INSERT INTO products VALUES (:id, :name, :price, :picture)")
        connection.execute(
            insert,
            [{"id": n, "name": f"Shirt {n}", "price": 9.5, "picture": f"{n}.jpg"} for n in range(rows)],
        )
    engine.dispose()


SELECT = "SELECT id AS sku, name, price, picture AS image FROM products ORDER BY id"


def test_sql_rows_land(shop: str) -> None:
    products, problems = landed(SqlSource(shop, SELECT))
    assert not problems
    assert [(product.title, product.price, product.images[0].ref) for _, product in products.values()][1] == (
        "Shirt 1",
        9.5,
        "1.jpg",
    )
    assert values(SqlSource(shop, "SELECT id, 'a:b 12:30' AS t FROM products WHERE id < 0")) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT weight FROM products", "no such column"),
        ("SELEC 1", "syntax error"),
        ("DELETE FROM products", "readonly"),
        ("SELECT id, name AS id FROM products", '"id"'),
        ("SELECT * FROM products WHERE id = :who", "who"),
    ],
)
def test_sql_that_fails_says_what_the_database_says(shop: str, query: str, said: str) -> None:
    assert said in str(refused(SqlSource(shop, query)))
    assert len(values(SqlSource(shop, SELECT))) == 3


def test_sql_databases_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LookalikeError):
        list(SqlSource("nonsense", SELECT).rows())
    refused(SqlSource("oddbase://a/b", SELECT))
    refused(SqlSource(f"sqlite:///{tmp_path / 'none.db'}", SELECT))
    assert not (tmp_path / "none.db").exists()
    refused(SqlSource("postgresql://127.0.0.1:1/x?connect_timeout=1", SELECT))
    assert "secret" not in SqlSource("postgresql://me:secret@127.0.0.1:1/x", SELECT).name


def test_sql_from_postgresql_streams_and_only_reads(postgres_url: str) -> None:
    fill(postgres_url, rows=2000)
    source = SqlSource(postgres_url, SELECT)
    rows: Iterator[Row | BadRow] = source.rows()
    assert next(rows).number == 1
    del rows
    assert len(values(source)) == 2000
    refused(SqlSource(postgres_url, "DELETE FROM products"))
    refused(SqlSource(postgres_url, "WITH gone AS (DELETE FROM products RETURNING id) SELECT * FROM gone"))
    assert len(values(source)) == 2000


# Lists


def test_lists_of_mappings_and_products() -> None:
    product = Product("2", title="Hat", price=3.0, attributes={"color": "red"}, categories=("Hats",))
    source = ListSource([{"id": 1, "title": "Shirt"}, product])
    assert values(source) == [{"id": 1, "title": "Shirt"}, columns_of_product(product)]
    assert landed(source)[0]["2"][1] == product


def test_a_one_shot_iterator_can_be_read_twice() -> None:
    assert values(ListSource({"id": n} for n in range(3))) == [{"id": 0}, {"id": 1}, {"id": 2}]


def test_a_list_member_that_is_no_mapping_is_named() -> None:
    rows = list(ListSource([{"id": 1}, "a", {2: 3}]).rows())  # type: ignore[list-item, dict-item]
    assert isinstance(rows[1], BadRow)
    assert rows[2] == Row(3, "row 3", {"2": 3})


# Round trips and real data

CELLS = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "title": CELL.map(str.strip),
        "n": st.integers(-(2**53), 2**53),
        "x": st.floats(allow_nan=False, allow_infinity=False),
    }
)


@given(st.lists(CELLS, min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_products_are_the_same_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    written(folder / "a.jsonl", "\n".join(map(json.dumps, rows)))
    written(folder / "a.json", json.dumps(rows, indent=1))
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    sources: list[Source] = [
        ListSource(rows),
        CsvSource(folder / "a.csv"),
        JsonlSource(folder / "a.jsonl"),
        JsonlSource(folder / "a.json"),
        ParquetSource(folder / "a.parquet"),
    ]
    first, *others = ([product for _, product in landed(source)[0].values()] for source in sources)
    assert first[0].attributes["n"] == rows[0]["n"]
    for other in others:
        assert other == first


@pytest.mark.parametrize(
    ("name", "count", "fields"),
    [
        ("luma", 461, "id family title description price categories images"),
        ("fashion", 30_142, "id title categories images"),
        ("clothing", 3_394, "id images"),
        ("grocery_catalog", 81, "id title description categories images"),
        ("grocery_photos", 2_936, ""),
    ],
)
def test_real_catalogues_need_no_word(name: str, count: int, fields: str) -> None:
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not there; LOOKALIKE_DATA names the folder of real catalogues")
    source = ParquetSource(path)
    assert source.total == count
    sample = [
        row.values for row, _ in zip(source.rows(), range(SAMPLE_ROWS), strict=False) if isinstance(row, Row)
    ]
    if not fields:
        with pytest.raises(SourceError, match="No column can be the id"):
            recognise(columns_of(sample), sample)
    columns = recognise(columns_of(sample), sample, {} if fields else {"id": "@row"})
    assert " ".join(columns.fields) == (fields or "id images")
    ids = set()
    for number, row in enumerate(source.rows()):
        assert isinstance(row, Row)
        product, problems = read_row(row, columns)
        assert product is not None
        assert not problems
        assert product.images
        ids.add(product.id)
        if number == 5000:  # enough of the large one
            break
    assert len(ids) == min(count, 5001)
