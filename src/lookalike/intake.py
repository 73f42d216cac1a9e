"""What people hand in to be indexed -> rows and a way to read them; column maps are remembered by the shop."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from lookalike.core.column_map import ColumnMap
from lookalike.core.errors import InputError, RowError, SourceError
from lookalike.core.ports import BadRow, Catalog, Row, Source
from lookalike.core.rows import SAMPLE_ROWS, Problem, columns_of, read_row, recognise
from lookalike.core.storable import require_storable
from lookalike.core.types import Product
from lookalike.engine.ingest import ReadRow

MAPPED = "columns"
"""The artifact that keeps which column was said to be what."""
SPLIT = "splits"
"""The artifact that keeps at what the lists of which column are split."""
_PRODUCT = "@product"
"""The one cell of a row that is a ready Product."""


def rows_of(products: Iterable[Product | Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Return products and rows, mixed, as rows; raise InputError for one alone, or for what is neither."""
    if isinstance(products, Product | Mapping | str | bytes):
        raise InputError(f"{type(products).__name__} is no list of products", hint="Put it in a list: [...].")
    return [{_PRODUCT: product} if isinstance(product, Product) else product for product in products]


def known_ids(rows: Iterable[Mapping[str, object]]) -> list[str] | None:
    """Return the ids of rows that are products, None if some are not: theirs are known once columns are recognised."""
    products = [row.get(_PRODUCT) for row in rows]
    ids = [product.id for product in products if isinstance(product, Product)]
    return ids if len(ids) == len(products) else None


def ids_of(ids: Iterable[str]) -> list[str]:
    """Return ids as a list; raise InputError for a single string, whose letters would be taken for ids."""
    if isinstance(ids, str):
        raise InputError(f"{ids!r} is one id, not a list of ids", hint=f"Write [{ids!r}].")
    return list(ids)


def recognise_rows(
    catalog: Catalog,
    samples: Sequence[Mapping[str, object]],
    given: Mapping[str, str],
    splits: Mapping[str, str] | None = None,
) -> ColumnMap:
    """Recognise columns by the first rows of a source; what was said of a column once holds for later sources that have it.

    Otherwise a forgotten `--map title=...` would empty every title at the next run, and a forgotten `--split` join every list.
    """
    names = columns_of(samples)
    held: dict[str, str] = json.loads(catalog.artifact(MAPPED) or b"{}")
    remembered = {
        field: column
        for field, column in held.items()
        if field not in given and all(part.strip() in names for part in column.split(","))
    }
    said = dict(splits or {})
    kept: dict[str, str] = json.loads(catalog.artifact(SPLIT) or b"{}")
    split = {
        column: separator for column, separator in kept.items() if column in names and column not in said
    }
    recognised = recognise(names, samples, remembered | dict(given), split | said)
    if said.items() - kept.items():
        catalog.set_artifact(SPLIT, json.dumps(kept | said, sort_keys=True).encode())
    lasting = {field: column for field, column in given.items() if not column.startswith("@")}
    if lasting.items() - held.items():
        catalog.set_artifact(MAPPED, json.dumps(held | lasting, sort_keys=True).encode())
    if before := remembered | split:
        told = ", ".join(f"{name}={what}" for name, what in before.items())
        recognised = replace(recognised, notes=(*recognised.notes, f"As said before: {told}."))
    return recognised


def reader_of(catalog: Catalog, rows: Sequence[Mapping[str, object]]) -> ReadRow:
    """Return how to read what `rows_of` returned, of which some are ready products."""
    loose = [row for row in rows if isinstance(row, Mapping) and _PRODUCT not in row][:SAMPLE_ROWS]
    columns = recognise_rows(catalog, loose, {}) if loose else None

    def read(row: Row) -> tuple[Product | None, list[Problem]]:
        if columns is None or _PRODUCT in row.values:
            return _checked(row, cast(Product, row.values[_PRODUCT]))
        return read_row(row, columns)

    return read


def first_rows(source: Source) -> list[Mapping[str, object]]:
    """Return the rows to recognise columns by; the file or connection they came by is let go of at once.

    Raises SourceError, which says what is wrong with the first, where none of the rows can be read.
    """
    rows = source.rows()
    found: list[Mapping[str, object]] = []
    first_bad: BadRow | None = None
    try:
        for row in rows:
            if isinstance(row, Row):
                found.append(row.values)
            else:
                first_bad = first_bad or row
            if len(found) == SAMPLE_ROWS:
                break
    finally:
        if isinstance(rows, Generator):
            rows.close()
    if first_bad is not None and not found:
        raise SourceError(
            f"No row of {source.name} can be read: {first_bad.place} {first_bad.reason}.", hint=first_bad.hint
        )
    return found


def _checked(row: Row, product: Product) -> tuple[Product | None, list[Problem]]:
    """Return a product made by the caller, or what is wrong with it, which must not fail the others."""
    try:
        require_storable(product)
    except RowError as error:
        return None, [Problem(row.number, row.place, product.id, "", str(error), error.hint, fatal=True)]
    return product, []
