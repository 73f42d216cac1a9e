"""Products from a folder of pictures: one file is one product, its folders are the category."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lookalike.core.errors import SourceError
from lookalike.core.ports import BadRow, Row
from lookalike.core.references import SUFFIXES

_BETWEEN: Final = re.compile(r"[\s_\-.+]+")
_CODE: Final = re.compile(r"[0-9a-f]{8,}|[^A-Za-z]*", re.IGNORECASE)


class FolderSource:
    """Rows id, title, category and image, one per picture below a folder, in sorted order.

    The id is the path below the folder without the suffix (with it where two files differ in nothing else), the title the
    words of the file name (none if it is only a number or a code), the category the path of its folder. Hidden files and
    folders and files that are no pictures are skipped; `skipped` counts them, and `notes` says so, once all was read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.skipped = 0

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.path)

    @property
    def total(self) -> int | None:
        """Unknown: it would mean walking the folder."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the folder was read."""
        return (f"{self.skipped} files that are hidden or no pictures were skipped.",) if self.skipped else ()

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start. Raises SourceError for a missing folder, or one without any picture."""
        self.skipped = 0
        number = 0
        try:
            for number, row in enumerate(self._files(self.path), 1):
                yield _row(row[0], row[1], number, self.path)
        except OSError as error:
            message = f"{error.filename} cannot be read: {error.strerror}."
            raise SourceError(message, hint="Check the path and its rights.") from None
        if number == 0:
            hint = f"Files ending in {', '.join(sorted(SUFFIXES))} are read."
            raise SourceError(f"There is no picture in {self.path}.", hint=hint)

    def _files(self, folder: Path) -> Iterator[tuple[Path, bool]]:
        """Give the pictures below a folder, each with whether another differs in nothing but the suffix."""
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        self.skipped += len(entries) - len(seen)
        pictures = {entry for entry in seen if entry.suffix.lower() in SUFFIXES and entry.is_file()}
        stems = Counter(entry.stem for entry in pictures)
        for entry in seen:
            if entry in pictures:
                yield entry, stems[entry.stem] > 1
            elif entry.is_dir() and not entry.is_symlink():  # a link may lead in a circle
                yield from self._files(entry)
            else:
                self.skipped += 1


def _row(path: Path, clash: bool, number: int, root: Path) -> Row | BadRow:
    below = path.relative_to(root)
    place = below.as_posix()
    try:
        place.encode()
    except UnicodeEncodeError:
        shown = place.encode("utf-8", "replace").decode()
        return BadRow(number, shown, "has a name that is not text in UTF-8", "Rename the file.")
    values = {
        "id": place if clash else below.with_suffix("").as_posix(),
        "title": words_of(path.stem),
        "category": "" if below.parent == Path() else below.parent.as_posix(),
        "image": str(path.absolute()),
    }
    return Row(number, place, values)


def words_of(stem: str) -> str:
    """Return the words of a file name, "" for a number or a code: "red-dress_01" -> "red dress 01", "3f9a0c2e" -> ""."""
    parts = [part for part in _BETWEEN.split(stem) if part]
    return "" if all(map(_CODE.fullmatch, parts)) else " ".join(parts)
