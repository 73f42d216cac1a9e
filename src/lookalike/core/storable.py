"""What a catalogue can keep, whichever database it is in: checked once, before anything is written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from sys import float_info

from lookalike.core.errors import RowError
from lookalike.core.types import Product, Value

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""PostgreSQL knows no NUL, and UTF-8 no half of a surrogate pair."""


def storable(text: str) -> bool:
    """Say whether every database can hold a text."""
    return _UNSTORABLE.search(text) is None


def mended(text: str) -> str:
    """Return a text with everything replaced that not every database can hold."""
    return _UNSTORABLE.sub("\ufffd", text)


def require_storable(product: Product) -> None:
    """Raise RowError for text, numbers or dates that no database, or not every one, can keep and filter by."""
    texts = [product.id, product.title, product.description, *product.categories, *product.attributes]
    texts += [text for text in (product.family, product.currency, product.brand) if text]
    texts += [image.ref for image in product.images]
    rest = (product.price, product.popularity, product.rating, product.conversion_rate, product.added)
    for value in (*product.attributes.values(), *rest):
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, tuple):
            texts.extend(value)
        elif reason := _why_not(value):
            raise _unstorable(product, reason)
    if not storable("".join(texts)):  # one search for all: this runs for every product written
        text = next((text for text in texts if not storable(text)), "")
        raise _unstorable(product, f"a NUL or half a character ({text[:60]!r})")


def _why_not(value: Value | None) -> str:
    """Say what is wrong with a number or date, "" if nothing is."""
    if value != value:
        return "a number that is none (NaN)"
    if isinstance(value, int) and abs(value) > float_info.max:
        return "a whole number beyond 1.8e308"
    if isinstance(value, datetime):
        return _why_no_date(value)
    return ""


def _why_no_date(value: datetime) -> str:
    if value.utcoffset() is None:
        return f"a date without a time zone ({value})"
    try:
        value.astimezone(UTC)
    except OverflowError:
        return f"a date outside the years 1 to 9999 ({value})"
    return ""


def _unstorable(product: Product, what: str) -> RowError:
    return RowError(
        f"Product {product.id!r} holds {what}, which cannot be stored.",
        hint="Mend it in the source, or leave the field out.",
    )
