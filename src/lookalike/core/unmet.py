"""Texts a filter asks for that no product has, with what may have been meant.

A filter is exact, to the letter: `color = "red"` finds nothing where products are "Red". That is told, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from lookalike.core.columns import Columns
from lookalike.core.filters import NEGATED, PATH_SEPARATOR, And, Compare, Filter, Not, Or
from lookalike.core.words import folded

MOST_LOOKED_AT = 8
"""Texts of one filter that are looked up; a list of ids may have thousands."""
MOST_KNOWN = 5000
"""Distinct values of a column that are looked through for what may have been meant."""
MOST_LETTERS = 64
"""Of a value that may be meant though it is spelled otherwise: to compare two long texts takes milliseconds."""
_AS = {"!=": "=", "in": "=", "not in": "=", "contains": "=", "=": "=", "prefix": "prefix"}
"""The operators that name a value, and which one holds for products that have it."""
_MUST = ("=", "contains", "prefix")
_NAMES = ("id", "family")
"""To leave out products that are gone already is no mistake."""


def unmet(where: Filter, columns: Columns, *, matches: bool) -> tuple[str, ...]:
    """Return a note for each text that no findable product has in the field it is compared with.

    `where` is bound to the columns; `matches` says that some product satisfies it.
    """
    notes: dict[str, None] = {}
    for number, (name, operator, text) in enumerate(_named(where, met=matches)):
        if number == MOST_LOOKED_AT:
            break
        if not columns.occurs(Compare(name, operator, text)):
            there = [_quoted(each) for each in _meant(name, operator, text, columns)]
            also = f"; there is {' and '.join(there)}" if there else ""
            below = " or anything below it" if operator == "prefix" else ""
            notes[f"no product has {name} {_quoted(text)}{below}{also}"] = None
    return tuple(notes)


def _named(where: Filter, *, met: bool) -> Iterator[tuple[str, str, str]]:
    """Give the texts that a filter names: field, operator and text. What must hold, and does for some product, is left out."""
    match where:
        case And(filters) | Or(filters):
            for each in filters:
                yield from _named(each, met=met and isinstance(where, And))
        case Not(inner):
            yield from _named(inner, met=False)
        case Compare(name, operator, operand) if operator in _AS and not (met and operator in _MUST):
            if operator not in NEGATED or name not in _NAMES:
                texts = operand if isinstance(operand, tuple) else (operand,)
                yield from ((name, _AS[operator], text) for text in texts if isinstance(text, str))


def _meant(name: str, operator: str, text: str, columns: Columns) -> list[str]:
    """Return up to two values that products have and that may be meant: the same but for case and accents, or nearly so."""
    known = columns.texts(name, MOST_KNOWN)
    if operator == "prefix":
        known = list(dict.fromkeys(path for value in known for path in _paths(value)))
    by_letters: dict[str, list[str]] = {}
    for value in known:
        by_letters.setdefault(folded(value).strip(), []).append(value)
    letters = folded(text).strip()
    short = [each for each in by_letters if len(each) <= MOST_LETTERS]
    close = [letters] if letters in by_letters else get_close_matches(letters, short, n=2, cutoff=0.8)
    found = [value for each in close for value in by_letters[each]]
    return [value for value in found if columns.occurs(Compare(name, operator, value))][:2]


def _paths(value: str) -> Iterator[str]:
    levels = value.split(PATH_SEPARATOR)
    for depth in range(1, len(levels) + 1):
        yield PATH_SEPARATOR.join(levels[:depth])


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 80 else f'"{text[:79]}…"'
