"""Lists written into one cell of a CSV file: found by the data, told, and split as a person says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.core.clues import separator_of
from lookalike.core.column_map import ColumnMap, describe
from lookalike.core.errors import InputError
from lookalike.core.ports import Row
from lookalike.core.recognition import columns_of
from lookalike.core.rows import read_row, recognise
from lookalike.core.types import Value
from lookalike.intake import recognise_rows

SIZES = ["S;M;L", "M;L", "S; M", "L", "XL;M", "S;L", "M", "M;XL"]
TAGS = ["new, sale", "sale, summer", "summer", "sale", "new, summer", "summer, new", "sale, new", "new"]


def rows(**columns: Sequence[str]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = [
        {"id": f"P{n}", "title": f"A thing called {n}", "price": f"{n}.50"} for n in range(8)
    ]
    for name, cells in columns.items():
        for row, cell in zip(made, cells, strict=True):
            row[name] = cell
    return made


def recognised(found: Sequence[dict[str, object]], **splits: str) -> ColumnMap:
    return recognise(columns_of(found), found, {}, splits)


def first(found: Sequence[dict[str, object]], columns: ColumnMap, name: str) -> Value:
    product, problems = read_row(Row(1, "line 2", found[0]), columns)
    assert product is not None and not problems
    return product.attributes[name]


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (SIZES, ";"),
        ([cell.replace(";", "|") for cell in SIZES], "|"),
        (TAGS, ","),
        # the same parts, but each always at its place: a city and its country, a colour and its shade
        (["Berlin, Germany", "Munich, Germany", "Lyon, France", "Nice, France", "Bonn, Germany"] * 3, ""),
        # prose and names, whose parts do not come again
        (["Soft, light and warm", "Dark, heavy", "Round, blue; old", "For her, for him", "Small, wide"] * 2, ""),
        # always one and the same, or too seldom
        (["red; new"] * 40, ""),
        (["S;M", "M;L", "S;L", "L;M", *["one size"] * 20], ""),
        (["a long sentence of more than four words; and another one", "M;S", "S;M", "M"] * 5, ""),
        ([], ""),
        (["1;2", 3, "2;1"], ""),
    ],
)  # fmt: skip
def test_what_splits_a_column(cells: list[object], separator: str) -> None:
    assert separator_of(cells) == separator


def test_a_list_is_found_told_and_read() -> None:
    found = rows(sizes=SIZES, tags=TAGS, city=["Berlin, Germany", "Lyon, France"] * 4)
    columns = recognised(found)
    assert columns.separators == {"sizes": ";", "tags": ","}
    assert first(found, columns, "sizes") == ("S", "M", "L")
    assert first(found, columns, "city") == "Berlin, Germany"
    told = describe(columns)
    assert ("lists", "sizes", 'split at ";", such as S;M;L') in told
    assert ("lists", "tags", 'split at ",", such as new, sale') in told
    assert any("--split sizes=@none" in note for note in columns.notes)
    product, _ = read_row(Row(2, "line 3", found[1] | {"sizes": " ; ", "tags": "sale"}), columns)
    assert product is not None and product.attributes["tags"] == ("sale",)
    assert "sizes" not in product.attributes


def test_a_source_with_types_says_itself_what_is_a_list() -> None:
    found = [row | {"stock": 4} for row in rows(sizes=SIZES)]
    assert recognised(found).separators == {}
    assert first(found, recognised(found, sizes=";"), "sizes") == ("S", "M", "L")


def test_a_person_says_otherwise() -> None:
    found = rows(sizes=SIZES, size_range=["S-M", "M-L"] * 4, category=["Men/Tops; Sale", "Women"] * 4)
    columns = recognised(found, sizes="@none", size_range="-", category=";")
    assert columns.separators == {"size_range": "-", "category": ";"}
    assert first(found, columns, "sizes") == "S;M;L"
    assert first(found, columns, "size_range") == ("S", "M")
    product, _ = read_row(Row(1, "line 2", found[0]), columns)
    assert product is not None and product.categories == ("Men/Tops", "Sale")
    with pytest.raises(InputError, match=r'no column "colours" to split') as error:
        recognised(found, colours=";")
    assert "sizes" in error.value.hint
    with pytest.raises(InputError, match="cannot be split"):
        recognised(found, sizes=" ")


def test_what_was_said_holds_for_later_sources_that_have_the_column() -> None:
    catalog, found = MemoryCatalog(), rows(materials=["wool+silk", "wool"] * 4)
    assert recognise_rows(catalog, found, {}).separators == {}
    recognise_rows(catalog, found, {}, {"materials": "+"})
    again = recognise_rows(catalog, found, {})
    assert again.separators == {"materials": "+"} and any("materials=+" in note for note in again.notes)
    assert recognise_rows(catalog, rows(), {}).separators == {}
    assert recognise_rows(catalog, found, {}, {"materials": "@none"}).separators == {}
    assert recognise_rows(catalog, found, {}).separators == {}
