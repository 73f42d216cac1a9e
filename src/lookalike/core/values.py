"""Cells of a catalogue, of any type -> plain values, text, ids, yes or no.

Sources give whatever they hold: Python, NumPy, pandas and Arrow scalars, lists, nested objects. Each reader here returns a
plain value, or raises RowError with the reason and the remedy; nothing is guessed where two readings are possible.
"""

from __future__ import annotations

import math
import re
import reprlib
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from html import unescape
from html.entities import html5
from io import BytesIO
from pathlib import PurePath
from typing import Final
from uuid import UUID

import numpy as np
from PIL.Image import Image

from lookalike.core import names
from lookalike.core.errors import RowError

NULL_WORDS: Final = frozenset({"nan", "null", "none", "n/a", "#n/a", "nat", "<na>"})
"""What programs write into a text file where there is nothing. Not missing in a title; missing in ids, numbers and dates."""
YES_NO: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off"), False),
    **names.YES_NO,
}
MAX_INT_BITS: Final = 1024  # a whole number with more bits is no price, count or id, and takes long to print
PLAIN: Final = frozenset({str, int, float, bool, bytes, list, tuple, dict, type(None)})
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)\b[^<>]*>|<![^<>]*>", re.IGNORECASE)
_MARKUP: Final = re.compile(r"</[a-z][a-z0-9]*\s?>|<(?:br|p|li|hr|img)\b[^<>]*>", re.IGNORECASE)
_ENTITY: Final = re.compile(
    r"&(?:(?-i:amp|AMP|#0{0,5}38|#[xX]0{0,4}26);)*(#\d{1,7};|#x[0-9a-f]{1,6};|[a-z][a-z0-9]{1,31};)",
    re.IGNORECASE,
)
"""With its semicolon, unlike in HTML: "Rock&reggae" is no registered trade mark. What was escaped again and again is one
entity, so that a text which is nothing else takes no longer than others."""
MAX_NESTED: Final = 8
"""How deep tags lie in tags that are taken for markup."""


def plain(value: object) -> object:
    """Turn a value of NumPy, pandas, Arrow or the standard library into one that JSON or datetime knows, where it can.

    What says "nothing" (pandas NA, NaT) becomes None; a float NaN stays, since a price that is NaN is worth a word.
    """
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic | np.ndarray):
        return _from_numpy(value)
    if hasattr(value, "as_py"):  # an Arrow scalar
        return plain(value.as_py())
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    return _from_library(value)


def _from_numpy(value: np.generic | np.ndarray) -> object:
    if value.dtype.kind == "M":  # tolist of nanoseconds would give bare integers
        return value.astype("datetime64[us]").tolist()
    return plain(value.tolist()) if isinstance(value, np.generic) else value.tolist()


def _from_library(value: object) -> object:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Decimal | Fraction):
        return _as_float(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=shown)
    if isinstance(value, Image):
        return _as_png(value)
    return value


def _as_png(image: Image) -> bytes:
    """Return the pixels of a Pillow image as a file, the same that a search with it sees."""
    data = BytesIO()
    image.convert("RGB").save(data, "PNG", compress_level=1)
    return data.getvalue()


def _as_float(value: Decimal | Fraction) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan if isinstance(value, Decimal) else math.inf


def is_missing(value: object) -> bool:
    """Say whether a plain value is nothing: None, NaN, blank text, an empty list or object."""
    if value is None:
        return True
    if isinstance(value, str):
        return not clean(value)
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, list | tuple | Mapping | bytes) and not value


def clean(text: str) -> str:
    """Return text as it is stored: no NUL, no lone surrogates, Unicode NFC, no white space around it."""
    if text.isascii():
        return text.replace("\0", "").strip()
    whole = _SURROGATES.sub("\ufffd", text.replace("\0", ""))
    return unicodedata.normalize("NFC", whole).strip()


def shown(value: object, limit: int = 40) -> str:
    """Quote a value in a message, cut to `limit` characters."""
    try:
        quoted = f'"{value}"' if isinstance(value, str) else reprlib.repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in a list in a list ...
        return f"a {type(value).__name__}"
    quoted = _SURROGATES.sub("\ufffd", quoted)
    return quoted if len(quoted) <= limit else quoted[: limit - 1] + "…"


def text(value: object) -> str:
    """Read one text; numbers are written out, a list of one is taken; "" when missing."""
    value = plain(value)
    if isinstance(value, str):
        return clean(value)
    if is_missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _digits(value)
    if isinstance(value, bytes):
        return _decoded(value)
    return _text_of_other(value)


def _digits(value: int | float) -> str:
    if isinstance(value, float):
        if math.isinf(value):
            raise RowError("is infinite", hint="Leave the cell empty.")
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if value.bit_length() > MAX_INT_BITS:
        raise RowError("is a number of hundreds of digits", hint="Check how the file was written.")
    return str(value)


def _decoded(data: bytes) -> str:
    try:
        return clean(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise RowError(
            f"is {len(data)} bytes that are not text",
            hint="If they are a picture, say so with --map images=COLUMN.",
        ) from None


def _text_of_other(value: object) -> str:
    if isinstance(value, list | tuple):
        if len(value) == 1 and not isinstance(value[0], list | tuple):
            return text(value[0])
        raise RowError(f"is a list of {len(value)} where one text belongs", hint="Write one value per cell.")
    if isinstance(value, Mapping):
        raise RowError("is an object where one text belongs", hint="Write one value per cell.")
    if isinstance(value, date):
        return value.isoformat()
    raise RowError(f"is a {type(value).__name__}, which cannot be read as text", hint="Write it as text.")


def unescaped(words: str) -> str:
    """Return text with HTML entities as the characters they stand for: "&amp;", and "&amp;amp;", as "&".

    Done until nothing is left to do, so that doing it again changes nothing. Unknown entities stay as they are.
    """
    while "&" in words and (decoded := _ENTITY.sub(_character, words)) != words:
        words = clean(decoded)
    return words


def _character(entity: re.Match[str]) -> str:
    name = f"&{entity[1]}"
    return (unescape(name) if name[1] == "#" else html5.get(name[1:], name)).replace("\xa0", " ")


def label(value: object) -> str:
    """Read one text as `text` does, without HTML entities: a brand, one level of a category, an attribute."""
    return unescaped(text(value))


def prose(value: object) -> str:
    """Read a text that may be HTML, as shops export titles and descriptions; only its words are kept."""
    words = label(value)
    for _ in range(MAX_NESTED):
        if "<" not in words or not _MARKUP.search(words) or (bare := _without_tags(words)) == words:
            return words
        words = unescaped(bare)
    # Nobody writes that by mistake. To go on would take as long as it is deep, and reading it again has to change nothing.
    return " ".join(re.sub("[<>]", " ", words).split())


def _without_tags(words: str) -> str:
    kept, at, unseen = [], 0, ""
    for tag in _TAG.finditer(words):
        if not unseen:
            kept.append(words[at : tag.start()])
        at, closing, name = tag.end(), tag[1], (tag[2] or "").lower()
        if unseen and closing and name == unseen:
            unseen = ""
        elif not unseen and not closing and name in ("script", "style"):
            unseen = name
    if not unseen:
        kept.append(words[at:])
    return clean(" ".join(" ".join(kept).split()))


def identifier(value: object) -> str:
    """Read an id: text or a whole number, 17 and 17.0 both as "17"; raises when there is none."""
    value = plain(value)
    if isinstance(value, bool):
        raise RowError("is true or false, which names no product", hint="Map another column to it.")
    name = text(value)
    if not name or name.lower() in NULL_WORDS:
        raise RowError("is missing", hint="Give every row an id that no other row has.")
    return name


def squashed(words: str) -> str:
    """Reduce a phrase to its letters and digits in lower case and without accents: "In-Stock" is instock, "Épuisé" epuise."""
    return "".join(c for c in unaccented(words) if c.isalnum())


def unaccented(words: str) -> str:
    """Return a text in lower case, with "é" as "e" and "ß" as "ss"."""
    folded = words.casefold()
    if folded.isascii():
        return folded
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))


def truth(value: object, words: Mapping[str, bool], expected: str) -> bool | None:
    """Read yes or no from a boolean, a number (more than 0 is yes) or one of `words` (keys are `squashed`)."""
    value = plain(value)
    if is_missing(value):
        return None
    if isinstance(value, bool | int):
        return value > 0
    if isinstance(value, float) and math.isfinite(value):
        return value > 0
    if isinstance(value, str) and (found := _worded(value, words)) is not None:
        return found
    raise RowError(f"{shown(value)} says neither yes nor no", hint=f"Write {expected}.")


def _worded(value: str, words: Mapping[str, bool]) -> bool | None:
    name = squashed(value.removeprefix("https://schema.org/").removeprefix("http://schema.org/"))
    if name in words:
        return words[name]
    return YES_NO[name] if name in YES_NO else _counted(value)


def _counted(value: str) -> bool | None:
    """Say whether a text is a number above 0, None when it is no number."""
    try:
        return float(value) > 0 if math.isfinite(float(value)) else None
    except ValueError:
        return None
