"""What the cells of a column look like: codes, amounts in dollars, values of a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from lookalike.core.amounts import price
from lookalike.core.errors import RowError
from lookalike.core.fields import BY_NAME, Field
from lookalike.core.references import looks_like_images
from lookalike.core.values import is_missing

_NO_CODE: Final = re.compile(
    r"\w+://.*|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:T.*)?|\d+[.,]\d+|\D?\d[\d.,]*[.,]\d\d\D?"
)
"""Texts that tell rows apart but name nothing: URLs, dates and prices."""
_MAX_CODE_CHARS: Final = 64


def readable(each: Field, cell: object) -> bool:
    """Say whether a cell can be read as a field and holds something."""
    try:
        return not is_missing(each.read(cell))
    except RowError:
        return False


def looks_like_code(cell: object) -> bool:
    """Say whether a cell may be an id: a whole number, or a text without spaces that is no price, date, URL or picture."""
    if not isinstance(cell, str):
        return isinstance(cell, int) and not isinstance(cell, bool)
    words = cell.strip()
    if not 0 < len(words) <= _MAX_CODE_CHARS or any(map(str.isspace, words)):
        return False
    return not _NO_CODE.fullmatch(words) and not looks_like_images(words)


SEPARATORS: Final = (";", "|", ",")
"""What may stand between the values of a list in one cell."""
_LIST_CELLS, _LIST_SHARE = 4, 0.25  # so many different cells, and so large a share of all, must be split
_MAX_PART_CHARS: Final = 40
_MAX_PART_WORDS: Final = 4


def separator_of(cells: Sequence[object]) -> str:
    """Return what splits the texts of a column into lists, "" if they are none: something that stands in many of them, and
    whose parts are short and come again in other cells.

    A comma is also one that places and names have ("Berlin, Germany"): there, parts must come at several places of a list.
    """
    words = [cell for cell in cells if isinstance(cell, str)]
    return next((each for each in SEPARATORS if len(words) == len(cells) and _splits(words, each)), "")


def _splits(words: Sequence[str], separator: str) -> bool:
    lists = [[part.strip() for part in cell.split(separator)] for cell in dict.fromkeys(words)]
    long = [parts for parts in lists if len(parts) > 1]
    if len(long) < _LIST_CELLS or sum(separator in cell for cell in words) < _LIST_SHARE * len(words):
        return False
    parts = [part for part in chain.from_iterable(lists) if part]
    if len(parts) < 2 * len(set(parts)) or not all(map(_is_short, parts)):
        return False
    return separator != "," or _moves(lists)


def _is_short(part: str) -> bool:
    return len(part) <= _MAX_PART_CHARS and len(part.split()) <= _MAX_PART_WORDS


def _moves(lists: Sequence[Sequence[str]]) -> bool:
    """Say whether most of the parts that come again come at several places."""
    places: dict[str, list[int]] = {}
    for parts in lists:
        for place, part in enumerate(parts):
            places.setdefault(part, []).append(place)
    again = [found for found in places.values() if len(found) > 1]
    return 2 * sum(len(set(found)) > 1 for found in again) >= len(again) > 0


def in_dollars(cell: object) -> bool:
    """Say whether a cell is an amount in "$", which several countries write for their own."""
    try:
        return isinstance(cell, str) and "$" in cell and price(cell)[1] is None
    except RowError:
        return False


def _a_title(cell: object) -> bool:
    return isinstance(cell, str) and " " in cell.strip() and "://" not in cell


def _a_price(cell: object) -> bool:
    return not isinstance(cell, bool) and readable(BY_NAME["price"], cell)


def _a_picture(cell: object) -> bool:
    return isinstance(cell, str) and "://" in cell  # what looks like a picture was taken for one already


LIKELY: Final[Mapping[str, Callable[[object], bool]]] = {
    "title": _a_title,
    "price": _a_price,
    "images": _a_picture,
}
"""The fields that matter most, and what cells look like that may be theirs."""
