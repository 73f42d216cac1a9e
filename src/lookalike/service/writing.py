"""Rows from the wire -> products in the shop, each with an outcome of its own: {id, status, error?}."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from lookalike.api import Shop
from lookalike.core.attribute_values import attribute_name
from lookalike.core.column_map import ColumnMap
from lookalike.core.errors import LimitError
from lookalike.core.ports import Row
from lookalike.core.rows import LIMITS, Problem, read_row
from lookalike.core.types import Product
from lookalike.service.answers import Plain, is_web, own_picture
from lookalike.service.errors import MAX_TOLD, Refused, described, invalid
from lookalike.service.hints import ONLY_TOLD
from lookalike.service.json_in import check_values, read_json
from lookalike.service.schemas import Changes, ProductRow
from lookalike.service.sent_back import (
    kept,
    picture_field,
    picture_problem,
    unreadable_picture,
)

_MARK: Final = b"\xef\xbb\xbf"
Line = bytes | Refused
"""One line of a file of products, or why it cannot be one."""
_COLUMNS: Final = ColumnMap(
    fields={name: (name,) for name in ProductRow.model_fields if name not in {*ONLY_TOLD, "attributes"}},
    attributes=("attributes",),
)


@dataclass(frozen=True, slots=True)
class RowBounds:
    """How much one row may be, and a whole array of them: the settings of these names."""

    max_row_bytes: int
    max_array_bytes: int
    max_json_values: int


async def lines(chunks: AsyncIterator[bytes], bounds: RowBounds) -> AsyncGenerator[Line]:
    """Cut a body into its lines as it arrives, or into the members of its JSON array; blank lines are left out.

    A line that is too long comes out as its error, and reading goes on behind it. Raises LimitError for an array that is too
    long (it has to be read as a whole), Refused for one that holds too much or is malformed.
    """
    cut = _Cut(bounds)
    async for chunk in chunks:
        for line in cut.more(chunk):
            yield line
    for line in await run_in_threadpool(cut.rest):
        yield line


class _Cut:
    """A body on its way in: what has come of the line that is not whole yet, or of the array."""

    def __init__(self, bounds: RowBounds) -> None:
        self._bounds = bounds
        self._held = bytearray()
        self._is_array: bool | None = None
        """Not known before its first letter has come."""
        self._skipping = False

    def more(self, chunk: bytes) -> Iterator[Line]:
        """Return the lines that are whole now."""
        self._held += chunk
        if self._is_array is None:
            if len(self._held) <= len(_MARK):
                return
            self._begin()
            chunk = bytes(self._held)
        if not self._is_array and b"\n" in chunk:
            *whole, rest = bytes(self._held).split(b"\n")
            self._held = bytearray(rest)
            for line in whole:
                yield from self._line(line)
        if len(self._held) > (self._bounds.max_array_bytes if self._is_array else self._bounds.max_row_bytes):
            self._give_up()

    def rest(self) -> list[Line]:
        """Return what is left at the end: of an array all of it, which takes its time."""
        if self._is_array is None:
            self._begin()
        if not self._is_array:
            return list(self._line(bytes(self._held)))
        if len(self._held) > self._bounds.max_array_bytes:
            self._give_up()
        return _members(self._held, self._bounds.max_json_values)

    def _begin(self) -> None:
        first = _unmarked(self._held).lstrip()[:1]
        if first:
            self._is_array = first == b"["
        else:
            self._held.clear()

    def _line(self, line: bytes) -> Iterator[Line]:
        if self._skipping or len(line) > self._bounds.max_row_bytes:
            yield _too_long(self._bounds.max_row_bytes)
        elif _unmarked(line).strip():
            try:
                check_values(line, self._bounds.max_json_values)
                yield _unmarked(line)
            except Refused as refused:
                yield refused
        self._skipping = False

    def _give_up(self) -> None:
        if self._is_array:
            raise LimitError(
                "service.max_array_bytes",
                f"the array is longer than {self._bounds.max_array_bytes:,} bytes",
                hint="Send one JSON object per line instead: lines are read as they arrive.",
            )
        self._held, self._skipping = bytearray(), True


def _unmarked(text: bytes | bytearray) -> bytes:
    """Return UTF-8 without the mark some programs put before it."""
    return bytes(text.removeprefix(_MARK))


def _members(text: bytearray, max_json_values: int) -> list[Line]:
    try:
        members = read_json(_unmarked(text), max_json_values)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "malformed", f"the array is not JSON: {error}", hint="Check its end.") from None
    return [orjson.dumps(member) for member in members]


def _too_long(max_row_bytes: int) -> Refused:
    return Refused(
        422, "limit", f"the row is longer than {max_row_bytes:,} bytes", field="service.max_row_bytes"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as it was read: a product to be, or why not, with its id if that much is known."""

    id: str | None
    row: ProductRow | Refused


def read_lines(rows: Iterable[Line]) -> list[Entry]:
    """Read each line by itself."""
    return [Entry(None, row) if isinstance(row, Refused) else _entry(row) for row in rows]


def _entry(line: bytes) -> Entry:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        hint = "Write one object per line."
        return Entry(None, Refused(400, "malformed", f"the row is not JSON: {error}", hint=hint))
    id_ = read.get("id") if isinstance(read, dict) else None
    try:
        return Entry(id_, ProductRow.model_validate(read))
    except ValidationError as error:
        return Entry(id_ if isinstance(id_, str) else None, invalid(error.errors(include_url=False)))


@dataclass(frozen=True, slots=True)
class Read:
    """A row and the product it is to be."""

    row: ProductRow
    product: Product


def write(shop: Shop, entries: Sequence[Entry]) -> list[Plain]:
    """Write products; return what became of each, in order. Of several with one id, the last stays."""
    outcomes: dict[int, Plain] = {}
    waiting: dict[str, tuple[int, Read]] = {}
    for position, entry in enumerate(entries):
        product = _product(entry.row)
        if isinstance(product, Refused):
            outcomes[position] = _failed(entry.id, product)
            continue
        if product.id in waiting:
            outcomes |= _written(shop, dict(waiting.values()))
            waiting = {}
        assert isinstance(entry.row, ProductRow)
        waiting[product.id] = position, Read(entry.row, product)
    outcomes |= _written(shop, dict(waiting.values()))
    return [outcomes[position] for position in range(len(entries))]


def _failed(id_: str | None, error: Refused) -> Plain:
    return {"id": id_, "status": "failed", "error": described(error)}


def _written(shop: Shop, rows: Mapping[int, Read]) -> dict[int, Plain]:
    """Write products of different ids together; return their outcomes by position."""
    if not rows:
        return {}
    before = shop.get(read.product.id for read in rows.values())
    outcomes: dict[int, Plain] = {}
    wanted: dict[int, Read] = {}
    for position, read in rows.items():
        try:
            product = kept(read.row, read.product, before.get(read.product.id))
            wanted[position] = Read(read.row, product)
        except Refused as error:
            outcomes[position] = _failed(read.product.id, error)
    problems: defaultdict[int, list[Problem]] = defaultdict(list)
    products = [read.product for read in wanted.values()]
    shop.upsert(products, lambda problem: problems[problem.number].append(problem))
    after = shop.get(product.id for product in products)
    for number, (position, read) in enumerate(wanted.items(), 1):
        id_ = read.product.id
        failed = any(problem.fatal for problem in problems[number])
        same = before.get(id_) == after.get(id_)
        outcomes[position] = {"id": id_, "status": "failed" if failed else "unchanged" if same else "written"}
        if error_ := _told(read, problems[number]):
            outcomes[position]["error"] = described(error_)
    return outcomes


def _told(read: Read, problems: Sequence[Problem]) -> Refused | None:
    """Return what went wrong with a product as one error: pictures by their place in the row, others than given left out."""
    told: list[tuple[str | None, str, str]] = []
    for problem in problems:
        if problem.field != "images":
            told.append((problem.field or None, problem.reason, problem.hint))
        elif found := picture_problem(read.row, read.product, problem):
            told.append((*found, problem.hint))
    if not told:
        return None
    field, reason, hint = told[0]
    more = f"; {', '.join(str(each[0]) for each in told[1:MAX_TOLD])} too" if told[1:] else ""
    return Refused(422, "row", reason + more, hint=hint, field=field)


def _product(row: ProductRow | Refused) -> Product | Refused:
    """Return the product of a row, or what is wrong with any field of it."""
    if isinstance(row, Refused):
        return row
    try:
        product = _read(row.model_dump(exclude_none=True, exclude=set(ONLY_TOLD)), row.images)
    except Refused as error:
        return error
    # A text may hold several references: those behind the first were not looked at yet.
    for image in product.images:
        if image.data is None and not is_web(image.ref) and own_picture(image.ref) is None:
            reason = f"{image.ref[:80]!r} is no web address"
            field = picture_field(row.images, image.ref)
            return Refused(422, "invalid", reason, hint="Give one URL each.", field=field)
    return product


def _read(values: Mapping[str, Any], images: Sequence[str] = ()) -> Product:
    product, problems = read_row(Row(0, "", values), _COLUMNS)
    if problems or product is None:
        first = problems[0]
        field = (first.field == "images" and unreadable_picture(images)) or first.field or None
        raise Refused(422, "row", first.reason, hint=first.hint, field=field)
    return product


def edit_of(changes: Changes) -> Callable[[Product], Product]:
    """Return how a product changes; raise Refused for a value that cannot be kept."""
    given = changes.model_dump(exclude_unset=True)
    values = {name: value for name, value in given.items() if value is not None}
    read = _read({"id": "any", **values})
    fields = {name: getattr(read, name) for name in given if name != "attributes"}

    def edit(product: Product) -> Product:
        attributes = product.attributes
        if "attributes" in given:
            gone = tuple(_gone("", given["attributes"]))
            kept = {name: value for name, value in attributes.items() if not _among(name, gone)}
            attributes = {**kept, **read.attributes}
        if len(attributes) > LIMITS.max_attributes:
            raise Refused(
                422,
                "limit",
                f"product {product.id!r} would have {len(attributes)} attributes, at most {LIMITS.max_attributes}",
                hint="Take others away in the same change: set them to null.",
                field="attributes",
            )
        return replace(product, attributes=attributes, **fields)

    return edit


def _gone(name: str, value: object) -> Iterator[tuple[str, bool]]:
    """Return what a change puts something else in place of, "" for all, and whether with all that is below it.

    A value replaces an object with its members, an object only a value: members it does not name stay.
    """
    if not isinstance(value, Mapping):
        yield name, True
        return
    if name:
        yield name, False
    for key, member in value.items():
        yield from _gone(f"{name}.{attribute_name(key)}" if name else attribute_name(key), member)


def _among(name: str, gone: Sequence[tuple[str, bool]]) -> bool:
    return any(
        not each or name == each or (with_all and name.startswith(f"{each}.")) for each, with_all in gone
    )
