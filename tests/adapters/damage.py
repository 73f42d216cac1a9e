"""Catalogue files with every kind of damage we know of, good rows in between, and what must become of each row.

    catalogue = damage.jsonl_file(tmp_path)    # or .csv_file, .parquet_file
    catalogue.path                          # the file; pictures lie beside it, and are referred to by absolute paths
    catalogue.entries                       # one Entry per row, in order

Every good row must land whole; every other one must be named in the report by its id or its place.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from adapters import damaged_pictures

Expected = Literal["lands", "lands-without", "fails", "image-fails", "duplicate"]
"""lands: whole, nothing to report. lands-without: `field` is reported and missing. fails: reported, does not land.
image-fails: lands, its picture is reported. duplicate: the id was there before; reported."""

COLUMNS: Final = (
    *("id", "title", "description", "price", "category", "color", "image"),
    *("stock", "rating", "conversion_rate", "popularity", "added", "active"),
)
OF_TEXT: Final = frozenset({"csv"})
OF_OBJECTS: Final = frozenset({"jsonl"})
OF_BOTH: Final = frozenset({"csv", "jsonl"})
OF_COLUMNS: Final = frozenset({"parquet"})
ALL: Final = frozenset({"csv", "jsonl", "parquet"})
LONG: Final = "very long " * 10_000  # 100,000 characters
NAN: Final = math.nan


@dataclass(frozen=True)
class Damage:
    """One kind of damage: the cells that differ from a good row (or the bytes of a whole line), and what must come of it."""

    name: str
    change: Mapping[str, object] = field(default_factory=dict)
    expected: Expected = "lands"
    field: str = ""
    formats: frozenset[str] = ALL
    line: bytes | None = None


@dataclass(frozen=True)
class Entry:
    """One row as it was written: `place` is how reports call it, `id` is "" where none can be known."""

    name: str
    place: str
    id: str
    row: Mapping[str, object]
    expected: Expected
    field: str = ""


@dataclass(frozen=True)
class Catalogue:
    """A damaged file and its rows in order."""

    path: Path
    entries: tuple[Entry, ...]

    @property
    def good(self) -> tuple[Entry, ...]:
        """The rows nothing is wrong with."""
        return tuple(entry for entry in self.entries if entry.expected == "lands")


def _data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _without(name: str, change: Mapping[str, object], lost: str, formats: frozenset[str] = OF_BOTH) -> Damage:
    return Damage(name, change, "lands-without", lost, formats)


_PNG: Final = damaged_pictures.encoded(damaged_pictures.drawing(100), "PNG")

ROWS: Final = (
    Damage("empty id", {"id": ""}, "fails"),
    Damage("blank id", {"id": "  \t"}, "fails"),
    Damage("id is null", {"id": None}, "fails"),
    Damage("id is NaN", {"id": NAN}, "fails", formats=OF_OBJECTS),
    Damage("id is the word nan", {"id": "nan"}, "fails"),
    Damage("id is true", {"id": True}, "fails", formats=OF_OBJECTS),
    Damage("id is a list", {"id": ["a", "b"]}, "fails", formats=OF_OBJECTS),
    Damage("id is far too long", {"id": "x" * 5000}, "fails"),
    Damage("duplicate id", {"id": "good-1"}, "duplicate"),
    Damage("id is a number", {"id": 4711}, formats=OF_OBJECTS),
    Damage("id is a whole float", {"id": 4712.0}, formats=OF_OBJECTS),
    Damage("price with a comma and EUR", {"price": "12,99 EUR"}, formats=OF_BOTH),
    Damage("price with a euro sign in front", {"price": "€12,99"}, formats=OF_BOTH),
    Damage("price in dollars with groups", {"price": "$1,299.00"}, formats=OF_BOTH),
    Damage("price in German style", {"price": "1.299,00 €"}, formats=OF_BOTH),
    Damage("price is nought", {"price": 0}),
    _without("price 1,299", {"price": "1,299"}, "price"),
    _without("price is a word", {"price": "free"}, "price"),
    _without("price is a range", {"price": "12.99 - 15.99"}, "price"),
    _without("price is negative", {"price": -3.5}, "price", ALL),
    _without("price is NaN", {"price": NAN}, "price", OF_OBJECTS | OF_COLUMNS),
    _without("price is infinite", {"price": math.inf}, "price", ALL),
    _without("price is an object", {"price": {"amount": 3}}, "price", OF_OBJECTS),
    _without("price is a list", {"price": [1, 2]}, "price", OF_OBJECTS),
    _without("price is true", {"price": True}, "price", OF_OBJECTS),
    _without("title is a list", {"title": ["two", "titles"]}, "title", OF_OBJECTS),
    _without("title is an object", {"title": {"en": "Shirt", "de": "Hemd"}}, "title", OF_OBJECTS),
    _without("title of 100,000 characters", {"title": LONG}, "title", ALL),
    Damage("title is a list of one", {"title": ["one title"]}, formats=OF_OBJECTS),
    Damage("title is a number", {"title": 501}, formats=OF_OBJECTS),
    Damage("title with NUL", {"title": "Red\0 shirt"}, formats=OF_OBJECTS | OF_TEXT),
    Damage("title with half a surrogate pair", {"title": "Shirt \ud83d"}, formats=OF_OBJECTS),
    Damage("title with an emoji and an accent", {"title": "Café shirt 👕"}),
    Damage("title with line ends and quotes", {"title": 'A "fine" shirt\nwith pockets'}),
    Damage("category is a list", {"category": ["Men/Tops", "Sale"]}, formats=OF_OBJECTS),
    Damage("category in arrows", {"category": "Men > Tops > Shirts"}),
    _without("category is a list of objects", {"category": [{"x": 1}]}, "categories", OF_OBJECTS),
    _without("rating 11", {"rating": 11}, "rating", ALL),
    _without("rating is a word", {"rating": "good"}, "rating"),
    _without("rating is negative", {"rating": -1}, "rating", ALL),
    _without("conversion 250 %", {"conversion_rate": "250 %"}, "conversion_rate"),
    _without("conversion 2.5", {"conversion_rate": 2.5}, "conversion_rate", ALL),
    Damage("conversion in percent", {"conversion_rate": "3.2%"}, formats=OF_BOTH),
    _without("stock maybe", {"stock": "maybe"}, "availability"),
    Damage("stock in words", {"stock": "out of stock"}, formats=OF_BOTH),
    _without("popularity is negative", {"popularity": -5}, "popularity", ALL),
    _without("active perhaps", {"active": "perhaps"}, "active"),
    _without("date is a word", {"added": "last week"}, "added"),
    _without("date in year 0", {"added": "0000-00-00"}, "added"),
    _without("date on the 31st of February", {"added": "2026-02-31"}, "added"),
    _without("date with the day or the month first", {"added": "05/03/2025"}, "added"),
    Damage("date in seconds", {"added": 1_767_225_600}, formats=OF_OBJECTS),
    _without("attribute is infinite", {"color": math.inf}, "color", OF_OBJECTS),
    Damage("attribute is an object", {"color": {"main": "red", "trim": "blue"}}, formats=OF_OBJECTS),
    _without("picture is a number", {"image": 12}, "images", OF_OBJECTS),
    _without("data URI is no base64", {"image": "data:image/png;base64,%%%"}, "images"),
    _without("data URI of a page", {"image": "data:text/html;base64,PGh0bWw+"}, "images"),
    _without("data URI is empty", {"image": "data:image/png;base64,"}, "images"),
    Damage("data URI of a picture", {"image": _data_uri(_PNG)}, formats=OF_BOTH),
    Damage("picture in bare base64", {"image": base64.b64encode(_PNG).decode()}, formats=OF_BOTH),
    Damage(
        "data URI of a page that says picture",
        {"image": _data_uri(damaged_pictures.HTML)},
        "image-fails",
        formats=OF_BOTH,
    ),
    Damage("picture is missing", {"image": "/no/such/picture.jpg"}, "image-fails", formats=OF_BOTH),
    Damage("picture is a folder", {"image": "{folder}"}, "image-fails", formats=OF_BOTH),
    Damage(
        "picture at an unknown scheme", {"image": "ftp://example.org/a.jpg"}, "image-fails", formats=OF_BOTH
    ),
    Damage(
        "picture at a private address", {"image": "http://127.0.0.1:9/a.jpg"}, "image-fails", formats=OF_BOTH
    ),
    Damage(
        "picture in the cloud's metadata",
        {"image": "http://169.254.169.254/a.jpg"},
        "image-fails",
        formats=OF_BOTH,
    ),
    _without("picture of no bytes", {"image": b""}, "images", OF_COLUMNS),
    # whole lines
    Damage("too few cells", expected="fails", formats=OF_TEXT, line=b"short-1,Shirt,12"),
    Damage("too many cells", expected="fails", formats=OF_TEXT, line=b",".join([b"long-1"] * 20)),
    Damage(
        "quote never closed",
        expected="fails",
        formats=OF_TEXT,
        line=b'quote-1,"A shirt,nice,1,Men,red,a.jpg,1,1,,,,',
    ),
    Damage(
        "text after a closing quote",
        expected="fails",
        formats=OF_TEXT,
        line=b'quote-2,"A" shirt,nice,1,Men,red,a.jpg,1,1,,,,',
    ),
    Damage(
        "bytes in another encoding",
        expected="fails",
        formats=OF_TEXT,
        line=b"latin-1,Caf\xe9 shirt,nice,1,Men,red,,1,1,,,,",
    ),
    Damage(
        "bytes in another encoding",
        expected="fails",
        formats=OF_OBJECTS,
        line=b'{"id": "latin-1", "title": "Caf\xe9 shirt"}',
    ),
    Damage("bad JSON", expected="fails", formats=OF_OBJECTS, line=b'{"id": "bad-json", "title": }'),
    Damage("JSON cut off", expected="fails", formats=OF_OBJECTS, line=b'{"id": "cut-1", "title": "A shi'),
    Damage("JSON array", expected="fails", formats=OF_OBJECTS, line=b'["id", "array-1"]'),
    Damage("JSON string", expected="fails", formats=OF_OBJECTS, line=b'"just a string"'),
    Damage("JSON null", expected="fails", formats=OF_OBJECTS, line=b"null"),
    Damage("empty object", expected="fails", formats=OF_OBJECTS, line=b"{}"),
    Damage(
        "key twice",
        expected="fails",
        formats=OF_OBJECTS,
        line=b'{"id": "twice-1", "id": "twice-2", "title": "A shirt"}',
    ),
    Damage(
        "two objects in a line", expected="fails", formats=OF_OBJECTS, line=b'{"id": "two-1"} {"id": "two-2"}'
    ),
    Damage("no id at all", expected="fails", formats=OF_OBJECTS, line=b'{"title": "A shirt", "price": 3}'),
    Damage(
        "nested without end",
        expected="fails",
        formats=OF_OBJECTS,
        line=b'{"id": "deep-1", "a": ' + b"[" * 100_000,
    ),
    Damage(
        "number without end",
        expected="fails",
        formats=OF_OBJECTS,
        line=b'{"id": "digits-1", "a": ' + b"9" * 5000 + b"}",
    ),
)


@cache
def _pictures() -> Mapping[str, damaged_pictures.Picture]:
    return damaged_pictures.pictures()


def good_row(number: int) -> dict[str, object]:
    """Return a row with nothing wrong; its picture is bytes, unlike any other's."""
    return {
        "id": f"good-{number}",
        "title": f"Schöne shirt number {number}",
        "description": "Soft and light, with a pocket.",
        "price": 10.5 + number,
        "category": "Men/Tops/Shirts",
        "color": ("red", "green", "blue")[number % 3],
        "image": damaged_pictures.encoded(damaged_pictures.drawing(number)),
        "stock": number % 5,
        "rating": 4.5,
        "conversion_rate": 0.03,
        "popularity": 7 * number,
        "added": "2026-01-31T09:30:00Z",
        "active": True,
    }


def _damages(kind: str) -> Iterator[Damage]:
    yield from (damage for damage in ROWS if kind in damage.formats)
    for picture in _pictures().values():
        if kind != "parquet" or picture.data:  # no bytes at all are another matter: the cell is empty
            expected: Expected = "lands" if picture.works else "image-fails"
            yield Damage(f"picture: {picture.name}", {"image": picture}, expected)


def entries(kind: str, folder: Path) -> Iterator[tuple[Entry, bytes | None]]:
    """Give the rows of a file of this kind in order, a good one before each other one, with the bytes of whole lines."""
    for number, damage in enumerate(_damages(kind), 1):
        row = good_row(number)
        yield Entry("good", "", f"good-{number}", _stored(row, kind, folder), "lands"), None
        bad = {**good_row(1000 + number), "id": f"bad-{number}", **damage.change}
        named = "" if damage.expected == "fails" else str(bad["id"])
        bad_id = "4712" if named == "4712.0" else named
        entry = Entry(damage.name, "", bad_id, _stored(bad, kind, folder), damage.expected, damage.field)
        yield (entry if damage.line is None else replace(entry, row={}, id="")), damage.line
    yield Entry("good", "", "good-0", _stored(good_row(0), kind, folder), "lands"), None


def _stored(row: Mapping[str, object], kind: str, folder: Path) -> dict[str, object]:
    """Put the picture where this kind of file can have it: beside the file, or in the row."""
    image, suffix = row["image"], ".jpg"
    if isinstance(image, damaged_pictures.Picture):
        image, suffix = image.data, image.suffix
    if isinstance(image, bytes) and kind != "parquet":
        pictures = folder / "pictures"
        pictures.mkdir(exist_ok=True)
        path = pictures / f"{len(list(pictures.iterdir()))}{suffix}"
        path.write_bytes(image)
        image = str(path)
    return {**row, "image": str(folder) if image == "{folder}" else image}


def csv_file(folder: Path) -> Catalogue:
    """Write `damaged.csv` with a byte order mark."""
    path, placed, line = folder / "damaged.csv", [], 2
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
        for entry, raw in entries("csv", folder):
            data = raw + b"\r\n" if raw is not None else _csv_line(entry.row)
            placed.append(replace(entry, place=f"line {line}"))
            line += data.count(b"\n")
            file.write(data)
    return Catalogue(path, tuple(placed))


def _csv_line(row: Mapping[str, object]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(["" if row[name] is None else row[name] for name in COLUMNS])
    return buffer.getvalue().encode()


def jsonl_file(folder: Path) -> Catalogue:
    """Write `damaged.jsonl`."""
    path, placed = folder / "damaged.jsonl", []
    with path.open("wb") as file:
        for number, (entry, raw) in enumerate(entries("jsonl", folder), 1):
            placed.append(replace(entry, place=f"line {number}"))
            file.write((raw if raw is not None else _json_line(entry.row)) + b"\n")
    return Catalogue(path, tuple(placed))


def _json_line(row: Mapping[str, object]) -> bytes:
    plain = not any(isinstance(value, str) and "\ud83d" in value for value in row.values())
    return json.dumps(row, ensure_ascii=not plain).encode()


def parquet_file(folder: Path) -> Catalogue:
    """Write `damaged.parquet`, whose pictures are bytes; one more row holds a text that is not UTF-8."""
    path = folder / "damaged.parquet"
    made = [entry for entry, _ in entries("parquet", folder)]
    made.append(Entry("bytes in another encoding", "", "", {**made[0].row, "id": "latin-1"}, "fails"))
    placed = tuple(replace(entry, place=f"row {number}") for number, entry in enumerate(made, 1))
    pq.write_table(_table([entry.row for entry in placed]), path, row_group_size=40)
    return Catalogue(path, placed)


def _table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    kinds = {
        "image": pa.binary(),
        "price": pa.float64(),
        "rating": pa.float64(),
        "conversion_rate": pa.float64(),
    }
    kinds |= {
        "stock": pa.int64(),
        "popularity": pa.int64(),
        "added": pa.timestamp("ns", "UTC"),
        "active": pa.bool_(),
    }
    rows = [{**row, "added": datetime(2026, 1, 31, 9, 30, tzinfo=UTC)} for row in rows]
    table = pa.table(
        {name: pa.array([row[name] for row in rows], kinds.get(name, pa.string())) for name in COLUMNS}
    )
    return table.set_column(COLUMNS.index("color"), "color", _with_bad_text(len(rows)))


def _with_bad_text(count: int) -> pa.Array:
    """Return a text column whose last cell is not UTF-8, which only a program that does not check writes."""
    words = [b"red"] * (count - 1) + [b"caf\xe9"]
    raw = pa.array(words, pa.binary())
    return pa.Array.from_buffers(pa.string(), count, raw.buffers())


def damaged_parquet_files(folder: Path) -> dict[str, Path]:
    """Write Parquet files that cannot be read as a whole, by what is wrong with them."""
    whole = pa.table({"id": ["1", "2"], "title": ["a", "b"], "image": [b"x" * 50_000, b"y" * 50_000]})
    pq.write_table(whole, folder / "whole.parquet", compression="none")
    data = (folder / "whole.parquet").read_bytes()
    parts = folder / "parts"
    parts.mkdir()
    pq.write_table(whole, parts / "part-0.parquet")
    pq.write_table(whole.drop_columns("title"), parts / "part-1.parquet")
    pq.write_table(whole.slice(0, 0), folder / "no rows.parquet")
    contents = {
        "cut off": data[: len(data) // 2],
        "empty": b"",
        "text": b"id,title\n1,a\n",
        "broken inside": data[:4] + b"\xff" * 60_000 + data[60_004:],
    }
    for name, content in contents.items():
        (folder / f"{name}.parquet").write_bytes(content)
    files = {name: folder / f"{name}.parquet" for name in (*contents, "no rows", "missing")}
    return {**files, "parts of two schemas": parts}
