"""Products from Python: any iterable of mappings, or of Product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import fields

from lookalike.core.ports import BadRow, Row
from lookalike.core.types import Product


class ListSource:
    """Rows of an iterable of mappings (column -> value) or of Product, whose fields then are the columns.

    A one-shot iterator is drained into a list by the first reading, so that reading can start anew.
    """

    def __init__(self, rows: Iterable[Mapping[str, object] | Product], name: str = "list") -> None:
        self._rows, self._name = rows, name

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self._name

    @property
    def total(self) -> int | None:
        """The length, where the iterable has one."""
        return len(self._rows) if isinstance(self._rows, Sized) else None

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start."""
        if isinstance(self._rows, Iterator):
            self._rows = list(self._rows)
        for number, row in enumerate(self._rows, 1):
            place = f"row {number}"
            if isinstance(row, Product):
                yield Row(number, place, columns_of_product(row))
            elif isinstance(row, Mapping):
                yield Row(number, place, {str(key): value for key, value in row.items()})
            else:
                yield BadRow(
                    number,
                    place,
                    f"is a {type(row).__name__}, not a mapping",
                    "Give one mapping per product.",
                )


def columns_of_product(product: Product) -> dict[str, object]:
    """Return a product as the columns that `read_row` makes it from again."""
    return {each.name: getattr(product, each.name) for each in fields(product)}
