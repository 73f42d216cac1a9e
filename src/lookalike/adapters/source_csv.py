"""Products from a CSV or TSV file, gzipped or not: one row is a product, the first row names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lookalike.adapters.text_lines import MAX_LINE_CHARS, UNDECODED, Head, lines, opened_text, read_head
from lookalike.core.errors import SourceError
from lookalike.core.ports import BadRow, Row

DELIMITERS: Final = ",;\t|"
MAX_RECORD_LINES: Final = 2_000
"""A quoted text may span so many lines; one that spans more was never closed."""
_SNIFFED_LINES: Final = 50
_EXCEL_HINT: Final = re.compile(r"sep=(.)\r?\n?")
_QUOTES: Final = 'Double the quotes inside a quoted text ("") and close each one.'


class CsvSource:
    """Rows of a CSV file, all cells text. Lines that cannot be split come out as BadRow, the others land.

    The delimiter (comma, semicolon, tab or bar) and the encoding are found out unless given. `notes` says what a person
    should know of how the file is read.
    """

    def __init__(self, path: str | Path, delimiter: str | None = None, encoding: str | None = None) -> None:
        self.path = Path(path)
        self.delimiter, self.encoding = delimiter, encoding
        self.notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def total(self) -> int | None:
        """Unknown: it would mean reading the file."""
        return None

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start. Raises SourceError for a missing, empty or unreadable file, or one without a header."""
        head = read_head(self.path, self.encoding)
        delimiter = self.delimiter or sniff(head.text, self.path.name)
        if csv.field_size_limit() < MAX_LINE_CHARS:
            csv.field_size_limit(
                MAX_LINE_CHARS
            )  # the standard limit of 128 K is less than a picture in a data URI
        with opened_text(self.path, head.encoding) as text:
            yield from self._rows(_Records(lines(text), delimiter), head)

    def _rows(self, records: _Records, head: Head) -> Iterator[Row | BadRow]:
        columns = self._header(records, head)
        number = 0
        for record in records:
            if not record.cells and not record.reason:
                continue  # an empty line
            number += 1
            yield _row(record, number, columns)
        if number == 0:
            raise SourceError(
                f"{self.path} holds a header and no rows.", hint="Check how the file was written."
            )

    def _header(self, records: _Records, head: Head) -> tuple[str, ...]:
        first = next((record for record in records if record.cells or record.reason), None)
        if first is None or first.reason or not any(cell.strip() for cell in first.cells):
            why = f": {first.reason}" if first and first.reason else ""
            hint = "The first line names the columns."
            raise SourceError(f"{self.path} has no header that can be read{why}.", hint=hint)
        columns, renamed = named(first.cells)
        notes = [head.note] if head.note else []
        if renamed:
            notes.append(
                "Columns without a name, or with one that was taken, are called " + ", ".join(renamed) + "."
            )
        self.notes = tuple(notes)
        return columns


def _row(record: _Record, number: int, columns: tuple[str, ...]) -> Row | BadRow:
    place, cells = f"line {record.line}", record.cells
    if record.reason:
        return BadRow(number, place, record.reason, record.hint)
    extra = cells[len(columns) :]
    if len(cells) < len(columns) or any(cell.strip() for cell in extra):
        reason = f"has {len(cells)} cells where the header has {len(columns)}"
        return BadRow(number, place, reason, "Check for a missing or an unquoted separator.")
    return Row(number, place, dict(zip(columns, cells, strict=False)))


def named(header: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Give every column a name of its own; return the names, and those that were made up."""
    found: dict[str, None] = {}
    made: list[str] = []
    for position, cell in enumerate(header, 1):
        base = wanted = cell.replace("\0", "").strip("\ufeff \t\r\n") or f"column_{position}"
        again = 2
        while wanted in found:
            wanted, again = f"{base}_{again}", again + 1
        if wanted != base or not cell.strip("\ufeff \t\r\n"):
            made.append(f'"{wanted}"')
        found[wanted] = None
    return tuple(found), made


def sniff(text: str, name: str) -> str:
    """Tell the delimiter: the one that splits the most of the first lines into as many cells as the header, above one."""
    if {".tsv", ".tab"}.intersection(Path(name.lower()).suffixes):
        return "\t"
    first = text.splitlines(keepends=True)[:_SNIFFED_LINES]
    if first and (hint := _EXCEL_HINT.fullmatch(first[0])):
        return hint[1]

    def agreement(delimiter: str) -> tuple[float, int]:
        widths = [len(cells) for cells in csv.reader(first, delimiter=delimiter) if cells]
        width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
        return (count / len(widths), width) if width > 1 else (0.0, 0)

    return max(DELIMITERS, key=agreement)


@dataclass(frozen=True, slots=True)
class _Record:
    """One record: the line it begins in, and its cells, or why it cannot be split into them."""

    line: int
    cells: list[str]
    reason: str = ""
    hint: str = ""


class _Unclosed(Exception):  # noqa: N818 - it never leaves this module
    pass


class _Records:
    """Splits lines into records, and goes on after those that cannot be split.

    The lines of the record at hand are kept: when a quote turns out never to have been closed, or to have swallowed its
    neighbours, only its first line is given up and the others are read again.
    """

    def __init__(self, source: Iterator[str], delimiter: str) -> None:
        self._source, self._delimiter = source, delimiter
        self._again: deque[str] = deque()  # lines to read again
        self._held: list[str] = []  # lines of the record at hand
        self._line = 0  # number of the last line of all records so far
        self._width = 0
        self._reader = self._new_reader()

    def _new_reader(self) -> Iterator[list[str]]:
        return csv.reader(self._lines(), delimiter=self._delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._source, None)
            if line is None:
                return
            self._held.append(line)
            if len(self._held) > MAX_RECORD_LINES or (
                len(self._held) > 1 and sum(map(len, self._held)) > MAX_LINE_CHARS
            ):
                raise _Unclosed
            yield line

    def __iter__(self) -> Iterator[_Record]:
        while (record := self._next()) is not None:
            yield record

    def _next(self) -> _Record | None:
        try:
            cells = next(self._reader, None)
        except _Unclosed:
            return self._given_up(
                f"opens a quote that is not closed within {MAX_RECORD_LINES} lines", _QUOTES
            )
        except csv.Error as error:
            return self._given_up(f"cannot be split into cells: {error}", _QUOTES)
        if cells is None:
            return None
        self._width = self._width or len(cells)
        if len(self._held) > 1 and len(cells) != self._width:
            return self._given_up("opens a quote that is not closed in its own row", _QUOTES)
        return self._whole(cells)

    def _whole(self, cells: list[str]) -> _Record | None:
        begin = self._line + 1
        self._line += len(self._held)
        self._held.clear()
        if begin == 1 and _EXCEL_HINT.fullmatch(self._delimiter.join(cells)):
            self._width = 0
            return self._next()
        if not all(map(str.isascii, cells)) and UNDECODED.search("".join(cells)):
            reason = "holds bytes that are not text in the file's encoding"
            return _Record(
                begin, cells, reason, "Save the file as UTF-8, or name its encoding with encoding=…."
            )
        return _Record(begin, cells)

    def _given_up(self, reason: str, hint: str) -> _Record:
        self._again.extendleft(reversed(self._held[1:]))
        self._held.clear()
        self._line += 1
        self._reader = self._new_reader()
        return _Record(self._line, [], reason, hint)
