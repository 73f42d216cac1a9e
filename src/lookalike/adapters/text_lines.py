"""Lines of a text file in whatever encoding it is, gzipped or not, within limits; shared by the readers of text formats."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

from lookalike.core.errors import SourceError

HEAD_BYTES: Final = 1 << 20
"""How much of a file its encoding is told from."""
MAX_LINE_CHARS: Final = 64 << 20
"""No line is longer; pictures may be written into a line as data URIs."""
UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""What bytes that are no text become in the lines."""
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MULTIBYTE: Final = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a text file: its encoding, what there is to say about that, and the first text."""

    encoding: str
    note: str
    text: str


def read_head(path: Path, encoding: str | None = None) -> Head:
    """Find out the encoding of a file from its beginning, unless it is given.

    UTF-8 and UTF-16 by their marks; UTF-16 without one by its zero bytes; else UTF-8, even with damaged places, if it holds
    any character that only UTF-8 writes so; else Windows-1252, which is said in `note`. Raises SourceError.
    """
    with opened(path) as stream:
        data = stream.read(HEAD_BYTES)
    if not data.strip(b"\0 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise SourceError(f"{path} is empty.", hint="Check how the file was written.")
    if encoding is not None:
        _check(encoding)
        return Head(encoding, "", data.decode(encoding, "replace"))
    found = _encoding(data)
    note = ""
    if found == "cp1252":
        note = "The file is not UTF-8; it is read as Windows-1252. Say another with encoding=…, or save it as UTF-8."
    return Head(found, note, data.decode(found, "replace"))


def _check(encoding: str) -> None:
    try:
        codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, ValueError):
        hint = "Use a name such as utf-8, utf-16, cp1252 or latin-1."
        raise SourceError(f'There is no text encoding "{encoding}".', hint=hint) from None


def _encoding(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    if (zeros := data.count(0)) * 4 > len(data):
        return "utf-16-le" if data[1::2].count(0) * 2 > zeros else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # the last character may be cut off
    except UnicodeDecodeError:
        return "utf-8" if _MULTIBYTE.search(data) else "cp1252"
    return "utf-8"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, or what is inside a gzip file; errors of opening and of reading become SourceError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise SourceError(f"There is no file {path}.", hint="Check the path.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        hint = "The file was probably cut off on its way; copy it again."
        raise SourceError(f"{path} cannot be unpacked: {error}.", hint=hint) from None
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path and its rights."
        ) from None


@contextmanager
def opened_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a file as text; bytes that are no text become characters that `lines` marks for UNDECODED."""
    damaged = "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    with opened(path) as raw, io.TextIOWrapper(raw, encoding, damaged, newline="") as text:
        yield text


def lines(text: TextIO, limit: int = MAX_LINE_CHARS) -> Iterator[str]:
    """Return the lines of a text with their ends; one of more than `limit` characters comes in parts of that length."""
    replaced = text.errors == "replace"
    while line := text.readline(limit):
        yield line.replace("\ufffd", "\udcff") if replaced else line
