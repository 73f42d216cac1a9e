"""Products from JSON: a file of one object per line, or one array of objects; gzipped or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from lookalike.adapters.text_lines import MAX_LINE_CHARS, UNDECODED, lines, opened_text, read_head
from lookalike.core.errors import SourceError
from lookalike.core.ports import BadRow, Row

_CHUNK_CHARS: Final = 1 << 20
_DECODER: Final = json.JSONDecoder
_BYTES: Final = "Save the file as UTF-8, or name its encoding with encoding=…."


class JsonlSource:
    """Rows of a JSON Lines file, or of a .json file that holds an array of objects (or an object with one such array).

    A line that is not a JSON object comes out as BadRow, the others land. An array is read on in pieces; broken JSON inside
    it ends it with a SourceError, since nobody can tell where its next object begins. NaN and Infinity are accepted.
    """

    def __init__(self, path: str | Path, encoding: str | None = None) -> None:
        self.path, self.encoding = Path(path), encoding
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
        """Read from the start. Raises SourceError for a missing, empty or unreadable file."""
        head = read_head(self.path, self.encoding)
        self.notes = (head.note,) if head.note else ()
        start = array_start(head.text.lstrip("\ufeff"))
        with opened_text(self.path, head.encoding) as text:
            parts = lines(text, MAX_LINE_CHARS if start is None else _CHUNK_CHARS)
            found = _of_lines(parts) if start is None else _of_array(parts, start, self.name)
            first = list(islice(found, 1))
            if not first:
                raise SourceError(f"{self.path} holds no rows.", hint="Check how the file was written.")
            yield from first
            yield from found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place]))
        raise ValueError(f'the key "{twice}" is there twice')
    return found


_loads: Final[Callable[[str], Any]] = _DECODER(object_pairs_hook=_unique).decode


def array_start(text: str) -> int | None:
    """Return where the array of rows begins in the first text of a file; None for one object per line.

    A single object that spans lines, `{"products": [` …, counts by the array after its first key.
    """
    begin = len(text) - len(text.lstrip())
    first, _, rest = text[begin:].partition("\n")
    if text[begin : begin + 1] == "[":
        return None if rest.strip() and _parses(first) else begin
    if text[begin : begin + 1] == "{" and not _parses(first):
        return _inner_array(text, begin)
    return None


def _inner_array(text: str, begin: int) -> int | None:
    """Find `{ "key": value, ..., "key": [ {`: the first array of objects in an object, at its top level."""
    at = begin + 1
    while (at := _skip(text, at)) < len(text) and text[at] == '"':
        try:
            _, at = json.decoder.scanstring(text, at + 1)  # type: ignore[attr-defined]
            at = _skip(text, at)
            if text[at : at + 1] != ":":
                return None
            at = _skip(text, at + 1)
            if text[at : at + 1] == "[" and text[_skip(text, at + 1) :][:1] == "{":
                return at
            at = _skip(text, _DECODER().raw_decode(text, at)[1])
        except (ValueError, RecursionError):
            return None
        at += text[at : at + 1] == ","
    return None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _parses(text: str) -> bool:
    try:
        _loads(text.strip())
    except (ValueError, RecursionError):
        return False
    return True


def _of_lines(text: Iterator[str]) -> Iterator[Row | BadRow]:
    number = 0
    for line_number, line in _whole_lines(text):
        stripped = line.strip("\ufeff\0 \t\r\n")
        if stripped:
            number += 1
            yield _of_text(stripped, number, f"line {line_number}")


def _whole_lines(text: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Number the lines; of one that is too long only the first part is given, which is no JSON."""
    number, within = 1, False
    for part in text:
        if not within:
            yield number, part
        within = not part.endswith(("\n", "\r"))
        number += not within


def _of_text(text: str, number: int, place: str) -> Row | BadRow:
    if len(text) >= MAX_LINE_CHARS:
        return BadRow(
            number, place, f"is longer than {MAX_LINE_CHARS:,} characters", "Keep pictures in files."
        )
    if not text.isascii() and UNDECODED.search(text):
        return BadRow(number, place, "holds bytes that are not text in the file's encoding", _BYTES)
    try:
        value = _loads(text)
    except json.JSONDecodeError as error:
        reason = f"is not JSON: {error.msg} at column {error.colno}"
        return BadRow(number, place, reason, "Write one whole JSON object per line.")
    except (ValueError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"cannot be read: {error}"
        return BadRow(number, place, reason, "Write one plain JSON object per line.")
    return _of_value(value, number, place)


def _of_value(value: object, number: int, place: str) -> Row | BadRow:
    if isinstance(value, dict) and value:
        return Row(number, place, value)
    what = (
        "an empty object" if isinstance(value, dict) else f"a JSON {_JSON_NAMES.get(type(value), 'number')}"
    )
    return BadRow(
        number,
        place,
        f"is {what}, not an object with the product's fields",
        "Write one JSON object per product.",
    )


_JSON_NAMES: Final = {list: "array", str: "string", bool: "true or false", type(None): "null"}


class _Buffer:
    """A window over a long text that moves forward."""

    def __init__(self, parts: Iterator[str]) -> None:
        self._parts, self.text, self.at = parts, "", 0
        self._line, self._counted = 1, 0  # the number of the line at that place in the text

    def more(self) -> bool:
        """Read on, as much again as is here but at least a chunk; False at the end."""
        wanted = max(_CHUNK_CHARS, len(self.text) - self.at)
        pieces, size = [], 0
        while size < wanted and (part := next(self._parts, None)) is not None:
            pieces.append(part)
            size += len(part)
        if pieces:
            self.place()
            self.text, self.at, self._counted = self.text[self.at :] + "".join(pieces), 0, 0
        return bool(pieces)

    def peek(self) -> str:
        """Return the next character that is not white space, "" at the end."""
        while (at := _skip(self.text, self.at)) >= len(self.text):
            if not self.more():
                return ""
        self.at = at
        return self.text[at]

    def place(self) -> int:
        """Return the number of the line here."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line


def _of_array(parts: Iterator[str], start: int, name: str) -> Iterator[Row | BadRow]:
    buffer = _Buffer(parts)
    while len(buffer.text) <= start + 1 and buffer.more():
        pass
    buffer.at = start + 1 + buffer.text.startswith("\ufeff")
    decoder = _DECODER(object_pairs_hook=_unique)
    number = 0
    while (next_one := buffer.peek()) not in ("]", ""):
        if number and next_one == ",":
            buffer.at += 1
            next_one = buffer.peek()
        elif number:
            raise _broken(name, buffer, number)
        number += 1
        yield _element(buffer, decoder, number, name)
    if not next_one:
        raise _broken(name, buffer, number)


def _element(buffer: _Buffer, decoder: json.JSONDecoder, number: int, name: str) -> Row | BadRow:
    place = f"row {number}, line {buffer.place()}"
    while True:
        try:
            value, end = decoder.raw_decode(buffer.text, buffer.at)
        except json.JSONDecodeError:
            if len(buffer.text) - buffer.at < MAX_LINE_CHARS and buffer.more():
                continue
            raise _broken(name, buffer, number - 1) from None
        except (ValueError, RecursionError):
            raise _broken(name, buffer, number - 1) from None
        if end < len(buffer.text) or not buffer.more():  # a number at the very end may go on
            break
    begin, buffer.at = buffer.at, end
    if UNDECODED.search(buffer.text, begin, end):
        return BadRow(number, place, "holds bytes that are not text in the file's encoding", _BYTES)
    return _of_value(value, number, place)


def _broken(name: str, buffer: _Buffer, number: int) -> SourceError:
    message = (
        f"{name} is broken at line {buffer.place()}, after row {number}: no JSON value can be read there."
    )
    return SourceError(
        message, hint="Check whether the file was cut off, or write one object per line (JSON Lines)."
    )
