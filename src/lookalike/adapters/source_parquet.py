"""Products from Parquet: one file, or a folder of part files of the same schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lookalike.core.errors import SourceError
from lookalike.core.ports import BadRow, Row

BATCH_BYTES: Final = 8 << 20
"""About how much of a file is in memory at a time, so that rows with pictures come few at once."""
MAX_BATCH_ROWS: Final = 4_096
_CUT: Final = "It may be cut off or no Parquet at all; copy or export it again."


class ParquetSource:
    """Rows of a Parquet file, or of all `*.parquet` files below a folder in sorted order.

    A row with a text that is not UTF-8 comes out as BadRow. Files of a folder must have the same columns of the same types,
    in any order.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def total(self) -> int | None:
        """The number of rows, from the files' footers; None when they cannot be read (`rows` says why)."""
        try:
            return sum(part.rows for part in self._parts())
        except SourceError:
            return None

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start. Raises SourceError for a missing, damaged or empty file, or files that do not agree."""
        parts = self._parts()
        if not sum(part.rows for part in parts):
            raise SourceError(f"{self.path} holds no rows.", hint="Check how the file was written.")
        number = 0
        for part in parts:
            for within, values in enumerate(_values(part), 1):
                number += 1
                place = (
                    f"row {within}"
                    if part.path == self.path
                    else f"{part.path.relative_to(self.path)} row {within}"
                )
                if isinstance(values, str):
                    yield BadRow(number, place, values, "Write text columns as UTF-8.")
                else:
                    yield Row(number, place, values)

    def _parts(self) -> list[_Part]:
        if not self.path.is_dir():
            return [_opened(self.path)]
        files = sorted(file for file in self.path.rglob("*.parquet") if not file.name.startswith((".", "_")))
        if not files:
            raise SourceError(f"There is no .parquet file in {self.path}.", hint="Check the path.")
        parts = [_opened(file) for file in files]
        for other in parts[1:]:
            _agree(parts[0], other)
        return parts


@dataclass(frozen=True, slots=True)
class _Part:
    """One file: its columns and their kinds, its rows, and how many of them to hold at a time."""

    path: Path
    kinds: dict[str, str]
    rows: int
    batch_rows: int


def _opened(path: Path) -> _Part:
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", hint="Check the path.")
    try:
        with pq.ParquetFile(path) as file:
            schema, meta = file.schema_arrow, file.metadata
            size = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} cannot be read as Parquet: {_first_line(error)}", hint=_CUT) from None
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise SourceError(f'{path} has several columns "{twice[0]}".', hint="Give each column its own name.")
    each = max(1, size // max(1, meta.num_rows))
    batch_rows = min(MAX_BATCH_ROWS, max(1, BATCH_BYTES // each))
    return _Part(path, {field.name: _kind(field.type) for field in schema}, meta.num_rows, batch_rows)


def _kind(kind: Any) -> str:
    """Name a type as coarsely as products care: all text is one, and so are all numbers."""
    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list of {_kind(kind.value_type)}"
    names = (
        ("nothing", types.is_null),
        ("text", lambda kind: types.is_string(kind) or types.is_large_string(kind)),
        ("bytes", lambda kind: types.is_binary(kind) or types.is_large_binary(kind)),
        ("number", lambda kind: types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)),
        ("time", types.is_temporal),
    )
    return next((name for name, test in names if test(kind)), str(kind))


def _agree(first: _Part, other: _Part) -> None:
    for name in first.kinds | other.kinds:
        here, there = first.kinds.get(name, "no column"), other.kinds.get(name, "no column")
        if here != there and not here.endswith("nothing") and not there.endswith("nothing"):
            message = f'{other.path} does not fit {first.path}: "{name}" is {there} there and {here} here.'
            raise SourceError(
                message, hint="Put files of one schema into one folder, or read them one by one."
            )


def _values(part: _Part) -> Iterator[dict[str, object] | str]:
    """Give the rows of a file as values, or for a row that cannot be read, why."""
    done = 0
    try:
        # Buffered reading without pre_buffer holds pages, not whole row groups.
        with pq.ParquetFile(part.path, buffer_size=1 << 20, pre_buffer=False) as file:
            for batch in file.iter_batches(part.batch_rows, use_threads=False):
                yield from _of_batch(batch)
                done += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        message = f"{part.path} is broken after row {done}: {_first_line(error)}"
        raise SourceError(message, hint=_CUT) from None


def _of_batch(batch: Any) -> Iterator[dict[str, object] | str]:
    names = batch.schema.names
    columns = [_cells(column) for column in batch.columns]
    unread = any(cell is _UNREAD for cells in columns for cell in cells)
    for cells in zip(*columns, strict=True):
        if unread and any(cell is _UNREAD for cell in cells):
            yield f'holds bytes that are not text in the column "{names[[c is _UNREAD for c in cells].index(True)]}"'
        else:
            yield dict(zip(names, cells, strict=True))


_UNREAD: Final = object()
"""Stands for a cell that is not what its column says."""


def _cells(column: Any) -> list[Any]:
    """Return a column as Python values, cell by cell only where something in it resists."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Python's datetime has no nanoseconds
        column = column.cast(pa.timestamp("us", kind.tz and "UTC"), safe=False)
    try:
        cells = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        cells = [_cell(scalar) for scalar in column]
    return [cell if cell is None else dict(cell) for cell in cells] if pa.types.is_map(kind) else cells


def _cell(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return _UNREAD
    except (ValueError, OverflowError, pa.ArrowException):
        return str(scalar.cast(pa.string()).as_py())  # a date Python has none for, in words


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
