"""Texts a filter asks for that no product has, with what may have been meant.

A filter is exact, to the letter: `color = "red"` finds nothing where products are "Red". That is told, not guessed. So are
columns that hold nothing at all, and bounds that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from lookalike.core.columns import Columns
from lookalike.core.filters import NEGATED, OPERATORS, PATH_SEPARATOR, And, Compare, Filter, Not, Or
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
            also = _instead(name, operator, text, columns)
            below = " or anything below it" if operator == "prefix" else ""
            notes[f"no product has {name} {_quoted(text)}{below}{also}"] = None
    return tuple(notes)


def _instead(name: str, operator: str, text: str, columns: Columns) -> str:
    """Say what may be meant in place of a text that no product has."""
    if name == "category" and operator == "=" and columns.occurs(Compare(name, "prefix", text)):
        return f"; for all that is below it, write category prefix {_quoted(text)}"
    there = [_quoted(each) for each in _meant(name, operator, text, columns)]
    return f"; there is {' and '.join(there)}" if there else ""


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


def impossible(where: Filter, columns: Columns) -> tuple[str, ...]:
    """Return why no product can satisfy a filter: a column it orders that holds nothing, or bounds that leave nothing between.

    `where` is bound to the columns, and no product satisfies it. What only one side of an `or` asks for is not looked into.
    """
    notes: dict[str, None] = {}
    bounds: dict[str, list[Compare]] = {}
    for each in _required(where):
        if OPERATORS[each.operator].operand in ("ordered", "pair") or each.operator == "exists":
            bounds.setdefault(each.field, []).append(each)
    for name, compared in bounds.items():
        if not columns.occurs(Compare(name, "exists")):
            notes[f"no product has anything in {name}"] = None
            continue
        ends = [end for each in compared for end in _ends(each)]
        for kind in (float, datetime):  # a column may hold both
            if said := _contradiction(name, [end for end in ends if isinstance(end[1], kind)]):
                notes[said] = None
    return tuple(notes)


def _required(where: Filter) -> Iterator[Compare]:
    """Give the comparisons that must all hold."""
    match where:
        case And(filters):
            for each in filters:
                yield from _required(each)
        case Compare():
            yield where


def _contradiction(name: str, ends: Sequence[tuple[str, Any]]) -> str:
    """Say which lower bound of a column lies above which upper one, "" if none does. Each product has one number or date."""
    lows, highs = ([end for end in ends if end[0] in some] for some in ((">", ">="), ("<", "<=")))
    if not lows or not highs:
        return ""
    low = max(lows, key=lambda end: (end[1], end[0] == ">"))
    high = min(highs, key=lambda end: (end[1], end[0] == "<="))
    if low[1] < high[1] or (low[1] == high[1] and low[0] + high[0] == ">=<="):
        return ""
    return f"no product has {name} {low[0]} {_bound(low[1])} and {high[0]} {_bound(high[1])}: nothing lies between"


def _ends(each: Compare) -> Iterator[tuple[str, Any]]:
    if each.operator == "between" and isinstance(each.operand, tuple):
        yield ">=", each.operand[0]
        yield "<=", each.operand[1]
    elif OPERATORS[each.operator].operand == "ordered":
        yield each.operator, each.operand


def _bound(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("T00:00:00+00:00")
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _meant(name: str, operator: str, text: str, columns: Columns) -> list[str]:
    """Return up to two values that products have and that may be meant: the same but for case and accents, or nearly so, or
    a path of which it is a part (of a category, people see the last step)."""
    known = columns.texts(name, MOST_KNOWN)
    if operator == "prefix":
        known = list(dict.fromkeys(path for value in known for path in _paths(value)))
    by_letters: dict[str, list[str]] = {}
    for value in known:
        by_letters.setdefault(folded(value).strip(), []).append(value)
    letters = folded(text).strip()
    short = [each for each in by_letters if len(each) <= MOST_LETTERS]
    close = [letters] if letters in by_letters else []
    if not close and name == "category":
        close = _around(letters, by_letters)
    if not close:
        close = get_close_matches(letters, short, n=2, cutoff=0.8)
    found = [value for each in close for value in by_letters[each]]
    return [value for value in found if columns.occurs(Compare(name, operator, value))][:2]


def _around(steps: str, known: Iterable[str]) -> list[str]:
    """Return the paths that end in these steps, else those that have them anywhere."""
    wanted = f"{PATH_SEPARATOR}{steps.strip(PATH_SEPARATOR)}"
    ending = [path for path in known if f"{PATH_SEPARATOR}{path}".endswith(wanted)]
    within = f"{wanted}{PATH_SEPARATOR}"
    return ending or [path for path in known if within in f"{PATH_SEPARATOR}{path}{PATH_SEPARATOR}"]


def _paths(value: str) -> Iterator[str]:
    levels = value.split(PATH_SEPARATOR)
    for depth in range(1, len(levels) + 1):
        yield PATH_SEPARATOR.join(levels[:depth])


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 80 else f'"{text[:79]}…"'
