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
_TIME: Final = r"(?:,?[T ]\s*(?P<time>\d{1,2}:\d\d(?::\d\d)?))?"
_DOTTED: Final = re.compile(r"(?P<first>\d{1,2})\.\s?(?P<second>\d{1,2})\.\s?(?P<year>\d{4})" + _TIME)
_SLASHED: Final = re.compile(r"(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>\d{4})" + _TIME)
_HOW: Final = "Write dates like 2026-01-31 or 2026-01-31T09:30:00Z."
_EPOCH: Final = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}")


def moment(value: object) -> datetime | None:
    """Read a date or time as a time in UTC: ISO 8601, RFC 2822, seconds or milliseconds since 1970, or a date object.

    "31.01.2026" has the day first, "31/01/2026" and "01/31/2026" can be told apart; "05/03/2026" cannot, and is refused.
    A time without a zone is taken as UTC. Years outside 1900 to 2200 are refused: they are placeholders or slips.
    """
    value = plain(value)
    if is_missing(value) or (isinstance(value, str) and clean(value).lower() in NULL_WORDS):
        return None
    try:
        return in_utc(_moment(value))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise RowError(f"{shown(value)} is not a date that can be read", hint=_HOW) from None


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
    if match := _DOTTED.fullmatch(words):
        return _of_parts(match, int(match["second"]), int(match["first"]))
    if match := _SLASHED.fullmatch(words):
        return _of_parts(match, *_month_and_day(int(match["first"]), int(match["second"]), words))
    if not words[:4].isdecimal() or (words.isdecimal() and not _COMPACT_DATE.fullmatch(words)):
        return parsedate_to_datetime(words)
    return datetime.fromisoformat(words.replace("/", "-").removesuffix(" UTC").removesuffix(" GMT"))


def _of_parts(match: re.Match[str], month: int, day: int) -> datetime:
    hour, minute, second = (*map(int, (match["time"] or "0:0").split(":")), 0)[:3]
    return datetime(int(match["year"]), month, day, hour, minute, second, tzinfo=UTC)


def _month_and_day(first: int, second: int, words: str) -> tuple[int, int]:
    if first <= 12 and second <= 12 and first != second:
        raise RowError(f"{shown(words)} may have the day or the month first", hint=_HOW)
    return (second, first) if first > 12 else (first, second)


def in_utc(when: datetime) -> datetime:
    """Return a time in UTC, one without a zone taken as UTC; raises ValueError outside the years 1900 to 2200."""
    if when.year not in _YEARS:
        raise ValueError(when.year)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
