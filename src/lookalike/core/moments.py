"""Dates and times as catalogues write them -> times in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from lookalike.core.errors import RowError
from lookalike.core.values import NULL_WORDS, clean, is_missing, plain, shown

_YEARS: Final = range(1900, 2201)
_LONGEST: Final = 100  # no date takes more characters
_COMPACT_DATE: Final = re.compile(r"\d{8}")
_EPOCH: Final = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}")


def moment(value: object) -> datetime | None:
    """Read a date or time as a time in UTC: ISO 8601, RFC 2822, seconds or milliseconds since 1970, or a date object.

    A time without a zone is taken as UTC. Years outside 1900 to 2200 are refused: they are placeholders or slips.
    """
    value = plain(value)
    if is_missing(value) or (isinstance(value, str) and clean(value).lower() in NULL_WORDS):
        return None
    try:
        return in_utc(_moment(value))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        hint = "Write dates like 2026-01-31 or 2026-01-31T09:30:00Z."
        raise RowError(f"{shown(value)} is not a date that can be read", hint=hint) from None


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        return _moment_of_text(clean(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _moment_of_number(value)
    raise TypeError


def _moment_of_number(value: float) -> datetime:
    seconds = value / 1000 if abs(value) >= 1e11 else value
    if seconds < 1e8:  # before 1973: a year, a day count or a row number, but no time a shop wrote down
        raise ValueError
    return datetime.fromtimestamp(seconds, UTC)


def _moment_of_text(words: str) -> datetime:
    if len(words) > _LONGEST:
        raise ValueError
    if _EPOCH.fullmatch(words):
        return _moment_of_number(float(words))
    if not words[:4].isdecimal() or (words.isdecimal() and not _COMPACT_DATE.fullmatch(words)):
        return parsedate_to_datetime(words)
    return datetime.fromisoformat(words.replace("/", "-").removesuffix(" UTC").removesuffix(" GMT"))


def in_utc(when: datetime) -> datetime:
    """Return a time in UTC, one without a zone taken as UTC; raises ValueError outside the years 1900 to 2200."""
    if when.year not in _YEARS:
        raise ValueError(when.year)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
