"""One row of a source -> one product, with a word about every cell that could not be kept.

`recognise` says which column is what, `describe` shows it, `read_row` reads a row by it. A row without an id does not land; any
other cell that cannot be read is named in a Problem and the product lands without it. Nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lookalike.core import amounts
from lookalike.core.attribute_values import attribute_name, attributes
from lookalike.core.column_map import NOTHING, ROW_NUMBER, ColumnMap, describe, split_at, typed
from lookalike.core.errors import RowError
from lookalike.core.fields import BY_NAME, EXACT, category_path
from lookalike.core.ports import BadRow, Row
from lookalike.core.recognition import SAMPLE_ROWS, columns_of, recognise
from lookalike.core.references import image_refs
from lookalike.core.types import ImageRef, Product, Value
from lookalike.core.values import plain, squashed

__all__ = [
    "NOTHING",
    "ROW_NUMBER",
    "SAMPLE_ROWS",
    "ColumnMap",
    "Problem",
    "RowLimits",
    "columns_of",
    "describe",
    "problem_of",
    "read_row",
    "recognise",
]


@dataclass(frozen=True, slots=True)
class RowLimits:
    """How much one row may hold; what is beyond is named in a Problem."""

    max_text_chars: int = 20_000
    max_images: int = 32
    max_attributes: int = 200
    max_id_chars: int = 256


LIMITS: Final = RowLimits()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in one row that could not be used: `fatal` when the row does not land for it, else only `field` is missing.

    `place` is how a person finds the row; `id` is "" and `field` is "" where none is known.
    """

    number: int
    place: str
    id: str
    field: str
    reason: str
    hint: str
    fatal: bool


def problem_of(bad: BadRow) -> Problem:
    """Return a row that could not be split into cells in the form of all other problems."""
    return Problem(bad.number, bad.place, "", "", bad.reason, bad.hint, fatal=True)


def read_row(
    row: Row, columns: ColumnMap, limits: RowLimits = LIMITS
) -> tuple[Product | None, list[Problem]]:
    """Read a product and everything about its row that could not be kept; None when it has no usable id.

    Never raises for what is in the row. A text or id beyond `limits` is left out; of pictures and attributes, those beyond.
    """
    try:
        found_id = _id(row, columns, limits)
    except RowError as error:
        return None, [Problem(row.number, row.place, "", "id", f"id {error}", error.hint, fatal=True)]
    reading = _Reading(row.values, columns, limits)
    reading.read()
    problems = [
        Problem(row.number, row.place, found_id, field, f"{field} {error}", error.hint, fatal=False)
        for field, error in reading.errors
    ]
    return Product(id=found_id, attributes=reading.attributes, **reading.fields), problems


def _id(row: Row, columns: ColumnMap, limits: RowLimits) -> str:
    column = columns.fields["id"][0]
    if column == ROW_NUMBER:
        return f"row-{row.number}"
    found: str = BY_NAME["id"].read(row.values.get(column))  # type: ignore[assignment]
    if len(found) > limits.max_id_chars:
        raise RowError(
            f"is {len(found)} characters long", hint=f"Use ids of at most {limits.max_id_chars} characters."
        )
    return found


_LISTS: Final = ("categories",)
"""Fields that may hold several values of one cell; images find theirs by themselves."""
_ALONE: Final[Sequence[tuple[str, Callable[[object], object]]]] = tuple(
    (name, BY_NAME[name].read)
    for name in (
        "family",
        "title",
        "description",
        "brand",
        "popularity",
        "rating",
        "conversion_rate",
        "added",
        "active",
    )
)


class _Reading:
    """What was read of one row so far: `fields` and `attributes` of its product, and `errors` by field."""

    def __init__(self, values: Mapping[str, object], columns: ColumnMap, limits: RowLimits) -> None:
        self.values, self.columns, self.limits = values, columns, limits
        self.fields: dict[str, Any] = {}
        self.attributes: dict[str, Value] = {}
        self.errors: list[tuple[str, RowError]] = []

    def read(self) -> None:
        """Read every cell of the row."""
        for name, read in _ALONE:
            if name in self.columns.fields:
                self._keep(name, self._tried(name, read))
        self._price()
        self._availability()
        self._categories()
        self._images()
        self._attributes()

    def _cell(self, name: str) -> object:
        column = self.columns.fields[name][0]
        value, separator = self.values.get(column), self.columns.separators.get(column)
        return split_at(value, separator) if separator and name in _LISTS else value

    def _tried(self, name: str, read: Callable[[object], Any]) -> Any:
        try:
            return read(self._cell(name))
        except RowError as error:
            self.errors.append((name, error))
            return None

    def _keep(self, name: str, value: object) -> None:
        if value is None or value == "":
            return
        if isinstance(value, str) and self._too_long(name, value):
            return
        self.fields[name] = value

    def _too_long(self, name: str, value: str) -> bool:
        limit = self.limits.max_text_chars
        if len(value) > limit:
            reason = f"is {len(value):,} characters long, more than max_text_chars = {limit:,}"
            self.errors.append((name, RowError(reason, hint="Shorten it, or raise the limit.")))
        return len(value) > limit

    def _price(self) -> None:
        amount, written = None, None
        if "price" in self.columns.fields:
            amount, written = self._tried("price", amounts.price) or (None, None)
        own = (
            self._tried("currency", amounts.currency)
            if "currency" in self.columns.fields
            else self.columns.currency
        )
        if own and written and own != written:
            reason = f"is {own}, but the price is written in {written}"
            self.errors.append(("currency", RowError(reason, hint="Make the two agree.")))
            own = written = None
        self._keep("price", amount)
        self._keep("currency", own or written)

    def _availability(self) -> None:
        if "availability" not in self.columns.fields:
            return
        found = self._tried("availability", BY_NAME["availability"].read)
        self._keep("availability", found)
        value = plain(self._cell("availability"))
        exact = isinstance(value, bool) or (isinstance(value, str) and squashed(value) in EXACT)
        if found is not None and not exact:  # "3 left" says more than yes: it stays as an attribute too
            self._attribute(*self._typed(self.columns.fields["availability"][0], value))

    def _categories(self) -> None:
        columns = self.columns.fields.get("categories", ())
        read = BY_NAME["categories"].read
        if not columns:
            return
        if not self.columns.levels:
            self._keep_paths(self._tried("categories", read))
            return
        try:
            self._keep_paths((category_path([self.values.get(column) for column in columns]),))
        except RowError as error:
            self.errors.append(("categories", error))

    def _keep_paths(self, paths: Sequence[str] | None) -> None:
        kept = tuple(path for path in paths or () if path and not self._too_long("categories", path))
        self._keep("categories", kept or None)

    def _images(self) -> None:
        found: dict[str, ImageRef] = {}
        for column in self.columns.fields.get("images", ()):
            for image in image_refs(self.values.get(column)):
                if isinstance(image, RowError):
                    self.errors.append(("images", image))
                elif not self._too_long("images", image.ref):
                    found.setdefault(image.ref, image)
        limit = self.limits.max_images
        if len(found) > limit:
            reason = f"are {len(found)}, more than max_images = {limit}; the first {limit} are kept"
            self.errors.append(("images", RowError(reason, hint="Leave some out, or raise the limit.")))
        self._keep("images", tuple(found.values())[:limit] or None)

    def _attributes(self) -> None:
        mapped = self.columns.mapped
        for column, value in self.values.items():
            if column not in mapped:
                self._attribute(*self._typed(column, value))
        names = list(self.attributes)
        limit = self.limits.max_attributes
        if len(names) > limit:
            reason = f"are {len(names)}, more than max_attributes = {limit}; the first {limit} are kept"
            self.errors.append(("attributes", RowError(reason, hint="Leave some out, or raise the limit.")))
            for name in names[limit:]:
                del self.attributes[name]

    def _typed(self, column: str, value: object) -> tuple[str, object]:
        kind, separator = self.columns.kinds.get(column), self.columns.separators.get(column)
        if separator:
            return column, split_at(value, separator)
        return column, typed(value, kind) if kind else value

    def _attribute(self, column: str, value: object) -> None:
        for name, found in self._members(column, value):
            if isinstance(found, RowError):
                self.errors.append((name, found))
            elif name in self.attributes:
                self.errors.append(
                    (name, RowError("is there twice in one row", hint="Give each attribute its own name."))
                )
            elif not any(self._too_long(name, part) for part in _texts(found)):
                self.attributes[name] = found

    def _members(self, column: str, value: object) -> Iterator[tuple[str, Value | RowError]]:
        """Read a cell as attributes; an object called "attributes" holds them under their own names."""
        inner = plain(value)
        prefix = "" if column == "attributes" and isinstance(inner, Mapping) else attribute_name(column)
        return attributes(prefix, inner)


def _texts(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, str) else ()
