"""What the cells of a column look like: codes, amounts in dollars, values of a field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
