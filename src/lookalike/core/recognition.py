"""Finding out which column of a source is what, by the names of the columns and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache, partial
from itertools import islice
from typing import Final

from lookalike.core.amounts import CODES
from lookalike.core.clues import LIKELY, in_dollars, looks_like_code, readable, separator_of
from lookalike.core.column_map import NOTHING, ROW_NUMBER, ColumnMap, Kind, example, kind_of
from lookalike.core.errors import InputError, SourceError
from lookalike.core.fields import (
    BY_NAME,
    FIELDS,
    IDS,
    LEVELS,
    NO_PICTURES,
    NUMBERED_LEVEL,
    OF_FAMILIES,
    Field,
)
from lookalike.core.names import QUALIFIERS
from lookalike.core.references import looks_like_images
from lookalike.core.types import ImageRef
from lookalike.core.values import is_missing, plain, squashed, unaccented

SAMPLE_ROWS: Final = 200
"""How many first rows to recognise columns by; more bring little certainty, and rows may hold whole pictures."""
ENOUGH: Final = 20  # rows needed to take a column for the id only because its values are unique
MOSTLY: Final = 0.8  # share of the present cells that must fit a field for a vague name to be taken for it
_SEVERAL: Final = ("categories", "images")  # fields that may be made of several columns
_ALIASES: Final = {"category": "categories", "image": "images"}
_PREFIX: Final = re.compile(r"^(?:(?:product|item|article|variant)[\W_]+|g:|(?:produkt|artikel)[\W_]*)")
_BRACKETS: Final = re.compile(r"[(\[].*?[)\]]")
_QUALIFIED: Final = re.compile(rf"[\W_]+(?:{'|'.join(map(re.escape, QUALIFIERS))})$")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGITS: Final = re.compile(r"\d+$")
_CURRENCY: Final = re.compile(
    r"(?:sale|unit|verkaufs)?(?:price|preis|prix|precio|prezzo|prijs)(?:in|en)?([a-z]{3})"
)

Cells = Mapping[str, Sequence[object]]
"""The cells of each column in the sample that hold something, as plain values."""


def columns_of(samples: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the columns of some rows, in the order they are first met."""
    return tuple(dict.fromkeys(column for row in samples for column in row))


def recognise(
    columns: Sequence[str],
    samples: Sequence[Mapping[str, object]],
    overrides: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> ColumnMap:
    """Find the columns of each product field from the first rows of a source (see SAMPLE_ROWS).

    `overrides` maps a field to a column, to several separated by commas (images; the levels of a category path), to "@none",
    or for the id to "@row". A source whose every cell is text (CSV) has no types: those of its attributes, and which of them
    are lists, are then found per column; `splits` maps a column to what separates its lists, or to "@none". Raises InputError
    for an override that names no field or no column, SourceError when no column can be the id.
    """
    cells = {
        column: [v for row in samples if not is_missing(v := plain(row.get(column)))] for column in columns
    }
    claims = _Claims(cells, _overridden(columns, overrides or {}), len(samples))
    levels = claims.claim_all()
    claims.note_what_is_missing()
    fields = {each.name: claims.fields[each.name] for each in FIELDS if claims.fields.get(each.name)}
    priced = _currency_in(fields.get("price", ())) if "currency" not in claims.fields else None
    if "currency" not in claims.fields and not priced:
        claims.note_dollars()
    kinds = _kinds(cells)
    separators = {} if kinds is None else _separators(cells, kinds, claims)
    for column, separator in _said_splits(columns, splits or {}).items():
        separators.pop(column, None)
        if separator != NOTHING:
            separators[column] = separator
    return ColumnMap(
        fields=fields,
        attributes=tuple(claims.free),
        levels=levels,
        currency=priced,
        kinds=kinds or {},
        separators=separators,
        examples={column: example(held) for column, held in cells.items()},
        notes=tuple(claims.notes),
    )


def _kinds(cells: Cells) -> dict[str, Kind] | None:
    """Return what the columns of a source without types are, None for one that has types."""
    if not all(isinstance(cell, str) for held in cells.values() for cell in held):
        return None
    return {column: kind for column, held in cells.items() if (kind := kind_of(held)) != "text"}


def _separators(cells: Cells, kinds: Mapping[str, Kind], claims: _Claims) -> dict[str, str]:
    """Return what the attributes that are lists are split at, and say so."""
    found = {
        column: separator
        for column in claims.free
        if column not in kinds and (separator := separator_of(cells[column]))
    }
    if found:
        first = next(iter(found))
        claims.notes.append(f"Lists are split; to keep cells whole, say --split {first}={NOTHING}.")
    return found


def _said_splits(columns: Sequence[str], splits: Mapping[str, str]) -> dict[str, str]:
    for column, separator in splits.items():
        if not separator.strip():
            raise InputError(
                f'"{column}" cannot be split at "{separator}".',
                hint='Name a sign, such as --split sizes=";".',
            )
    return {_column(column, columns): separator for column, separator in splits.items()}


def _currency_in(columns: Sequence[str]) -> str | None:
    for key in (keys_of(column)[1] for column in columns):
        if (match := _CURRENCY.fullmatch(key)) and match[1].upper() in CODES:
            return match[1].upper()
    return None


def _overridden(columns: Sequence[str], overrides: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    for given, wanted in overrides.items():
        name = _ALIASES.get(given, given)
        if name not in BY_NAME:
            raise InputError(
                f'There is no product field "{given}".', hint=_known("fields", given, list(BY_NAME))
            )
        parts = [wanted] if wanted in columns else [part.strip() for part in wanted.split(",")]
        if len(parts) > 1 and name not in _SEVERAL:
            hint = "Only images and categories may be made of several columns."
            raise InputError(f'The field "{name}" takes one column, not {len(parts)}.', hint=hint)
        fields[name] = tuple(_column(part, columns, name) for part in parts if part != NOTHING)
    return fields


def _column(wanted: str, columns: Sequence[str], name: str = "") -> str:
    if wanted in columns or (wanted == ROW_NUMBER and name == "id"):
        return wanted
    alike = [column for column in columns if squashed(column) == squashed(wanted)]
    if len(alike) == 1:
        return alike[0]
    purpose = f'for the field "{name}"' if name else "to split"
    raise InputError(f'There is no column "{wanted}" {purpose}.', hint=_known("columns", wanted, columns))


def _known(what: str, given: str, known: Sequence[str]) -> str:
    """List what there is, close matches first."""
    close = get_close_matches(given.lower(), [name.lower() for name in known], n=3, cutoff=0.5)
    first = sorted(known, key=lambda name: close.index(name.lower()) if name.lower() in close else len(close))
    return f"Known {what}: {', '.join(first[:50])}."


@lru_cache(maxsize=4096)  # each field asks for every column again
def keys_of(column: str) -> tuple[str, str, str]:
    """Return the forms of a column's name to look up: whole, without a leading "product" or the like, and the bare noun.

    The bare noun has no brackets and no word such as "brutto" or "du produit" after it either.
    """
    apart = _PREFIX.sub("", unaccented(_CAMEL.sub("_", column.strip())))
    bare = _QUALIFIED.sub("", _BRACKETS.sub("", apart).strip())
    return squashed(column), squashed(apart), squashed(bare)


_CLOSE: Final = (0, 1)  # the forms of keys_of that are a name
_BARE: Final = (2,)  # and the one that the cells must bear out


class _Claims:
    """The columns still free, and the fields they were given to one after the other."""

    def __init__(self, cells: Cells, fields: dict[str, tuple[str, ...]], rows: int) -> None:
        self.cells, self.fields, self.rows = cells, fields, rows
        self.free = [column for column in cells if not any(column in used for used in fields.values())]
        self.notes: list[str] = []

    def claim_all(self) -> bool:
        """Give columns to every field; return whether the categories are levels of one path."""
        self.identity()
        levels = self.levels()
        for each in FIELDS:
            if each.name not in ("id", "images"):
                self.by_name(each)
        self.images()
        if not self.fields.get("id"):
            self.identity_by_content()
        return levels

    def claim(self, name: str, columns: Iterable[str]) -> None:
        self.fields[name] = tuple(columns)
        self.free = [column for column in self.free if column not in self.fields[name]]

    def named(self, names: Iterable[str], forms: Iterable[int] = _CLOSE) -> list[str]:
        """Return the free columns with one of these names, best first; whole names come before those without a prefix."""
        wanted = tuple(names)
        found: dict[str, None] = {}
        for form in forms:
            by_key = {keys_of(column)[form]: column for column in reversed(self.free)}
            found |= dict.fromkeys(by_key[name] for name in wanted if name in by_key)
        return list(found)

    def fits(self, column: str, test: Callable[[object], bool]) -> bool:
        held = self.cells[column]
        return bool(held) and sum(map(test, held)) >= MOSTLY * len(held)

    def distinct(self, column: str) -> float:
        """Return the share of different values among the present ones, 0 where fewer than half of the rows have one."""
        held = [value for value in self.cells[column] if isinstance(value, str | int | float | bytes)]
        return len(set(held)) / len(held) if held and 2 * len(held) >= self.rows else 0.0

    def identity(self) -> None:
        """Find the id, and the family: two ids of which one repeats are those of the variant and its product."""
        candidates = self.named(IDS) or self.named(IDS, _BARE)
        if not self.fields.get("id") and candidates:
            self._choose_id(candidates)
        if "family" not in self.fields:
            groups = self.named(BY_NAME["family"].names)
            others = self.named(OF_FAMILIES) if self.fields.get("id") else []
            if found := (groups or others)[:1]:
                self.claim("family", found)

    def _choose_id(self, candidates: Sequence[str]) -> None:
        few = self.rows < 4  # too few rows to say that a column repeats
        usable = [column for column in candidates if self.distinct(column) > 0.5 or few]
        best = max(
            usable, key=lambda column: (self.distinct(column) == 1.0, bool(self.cells[column])), default=None
        )
        if best is None:
            return
        self.claim("id", [best])
        if 0 < self.distinct(best) < 1:
            self.notes.append(f'The column "{best}" is the id, though some of the first rows share one.')

    def identity_by_content(self) -> None:
        """Take the one free column that holds a code of its own in every row; raise SourceError when there is none."""
        codes = [column for column in self.free if self.unique(column)] if self.rows >= ENOUGH else []
        if len(codes) == 1:
            self.claim("id", codes)
            self.notes.append(f'The column "{codes[0]}" is the id: no two of the first rows share a value.')
            return
        named = ", ".join(f'"{column}"' for column in self.named(IDS)[:3])
        repeat = f" Values of {named} repeat or are missing." if named else ""
        raise SourceError(
            f"No column can be the id of the products.{repeat}{self._there_is()}",
            hint="Name the column with --map id=COLUMN, or number the rows with --map id=@row.",
        )

    def _there_is(self) -> str:
        if not self.cells:
            return ""
        unique = [column for column in self.cells if self.unique(column)] if self.rows > 1 else []
        return f" Columns: {_cut(list(self.cells))}; unique in the first rows: {_cut(unique) or 'none'}."

    def unique(self, column: str) -> bool:
        """Say whether every row of the sample has a code or number of its own here."""
        held = self.cells[column]
        return len(held) == self.rows and all(map(looks_like_code, held)) and len(set(held)) == len(held)

    def note_what_is_missing(self) -> None:
        """Say which of the fields that matter most have no column, and which columns may be theirs; nothing if none is left."""
        if len(self.cells) <= 2 or not self.free:
            return
        for name in LIKELY:
            if name not in self.fields:
                likely = (column for column in self.free if self.fits(column, LIKELY[name]))
                first = _cut(list(islice(likely, 4)), 3)
                perhaps = f" Perhaps {first}?" if first else ""
                self.notes.append(
                    f"No column was taken for the {name}; name it with --map {name}=COLUMN.{perhaps}"
                )

    def note_dollars(self) -> None:
        """Say that a price in "$" has no currency, as several countries write theirs so."""
        if any(
            self.fits(column, in_dollars) for column in self.fields.get("price", ()) if column in self.cells
        ):
            self.notes.append("Prices are in $; name the currency with a currency column.")

    def levels(self) -> bool:
        """Find columns that hold one level of a category path each."""
        if "categories" in self.fields:
            return len(self.fields["categories"]) > 1
        ranks = {column: rank for column in self.free if (rank := _level(column))}
        if len(ranks) < 2 or max(ranks.values()) == min(ranks.values()):
            return False
        self.claim("categories", sorted(ranks, key=lambda column: ranks[column]))
        return True

    def by_name(self, each: Field) -> None:
        if each.name in self.fields:
            return
        found = self.candidates(each)
        if each.name == "price":  # a sale price is often filled for some rows only, the regular one for all
            found = sorted(found, key=lambda column: -len(self.cells[column]))
        if found:
            self.claim(each.name, found[:1])

    def candidates(self, each: Field) -> list[str]:
        """Return the free columns that may be this field, best first; one without any value only for want of others."""
        named = self.named(each.names)
        if not named and each.name == "price":
            named = [column for column in self.free if _currency_in((column,))]
        if filled := [column for column in named if self.cells[column]]:
            return filled
        vague = self.named(each.names, _BARE) + self.named(each.hints) + self.named(each.hints, _BARE)
        return [column for column in vague if self.fits(column, partial(readable, each))] or named

    def images(self) -> None:
        """Find the columns of pictures: those named so, and those whose cells are evidently pictures."""
        if "images" in self.fields:
            return
        names = {name: place for place, name in enumerate(BY_NAME["images"].names)}
        found: dict[str, int] = {}
        for column in self.free:
            key = next((key for form in keys_of(column) if (key := _DIGITS.sub("", form)) in names), None)
            held_here = self.fits(column, looks_like_images)
            if key and (held_here or all(isinstance(cell, _PICTURES) for cell in self.cells[column])):
                found[column] = names[key]
            elif held_here and not NO_PICTURES.search(squashed(column)):
                found[column] = len(names)
        if found:
            self.claim("images", sorted(found, key=lambda column: found[column]))


_PICTURES: Final = (str, bytes, list, tuple, Mapping, ImageRef)


def _level(column: str) -> int:
    for key in keys_of(column)[:2]:
        if match := NUMBERED_LEVEL.fullmatch(key):
            return int(match[1])
        if key in LEVELS:
            return LEVELS[key]
    return 0


def _cut(columns: Sequence[str], limit: int = 40) -> str:
    return ", ".join(columns[:limit]) + (", ..." if len(columns) > limit else "")
