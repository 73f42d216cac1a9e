"""Which column is what: the names shops use, what is in the columns, and what a person says instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from lookalike.core.errors import InputError, SourceError
from lookalike.core.ports import Row
from lookalike.core.recognition import columns_of, keys_of
from lookalike.core.rows import ColumnMap, describe, read_row, recognise

JPEG = b"\xff\xd8\xff\xe0" + b"0" * 30


def found(rows: Sequence[Mapping[str, object]], **overrides: str) -> ColumnMap:
    return recognise(columns_of(rows), rows, overrides)


def flat(columns: ColumnMap) -> dict[str, str]:
    return {name: ",".join(used) for name, used in columns.fields.items()}


SCHEMAS = {
    "a small shop of variants": (
        [
            {
                "id": f"MH0{n // 3}-{n % 3}",
                "product_id": f"MH0{n // 3}",
                "title": "Hoodie",
                "description": "Soft",
                "price": 52.0,
                "color": "Black",
                "sizes": ["L", "M"],
                "categories": ["Men/Tops", "Sale"],
                "sale": "Yes",
                "images": [JPEG],
            }
            for n in range(9)
        ],
        "id=id family=product_id title=title description=description price=price categories=categories images=images",
    ),
    "labelled photographs": (
        [
            {"id": f"{n:08x}", "label": "T-Shirt", "kids": False, "sender": 124, "image": JPEG}
            for n in range(30)
        ],
        "id=id images=image",
    ),
    "whole numbers as ids": (
        [
            {"id": n, "title": "Apple", "category": "Fruit", "department": "Food", "image": JPEG}
            for n in range(9)
        ],
        "id=id title=title categories=category images=image",
    ),
    "the fashion images of Kaggle": (
        [
            {
                "id": n,
                "gender": "Men",
                "masterCategory": "Apparel",
                "subCategory": "Topwear",
                "articleType": "Shirts",
                "baseColour": "Navy",
                "year": 2011,
                "productDisplayName": "Turtle Check Men Shirt",
                "link": f"http://assets.example/{n}.jpg",
            }
            for n in range(9)
        ],
        "id=id title=productDisplayName categories=masterCategory,subCategory,articleType images=link",
    ),
    "a Shopify export": (
        [
            {
                "Handle": f"shirt-{n // 2}",
                "Title": "Shirt",
                "Body (HTML)": "<p>x</p>",
                "Vendor": "Acme",
                "Product Category": "Apparel",
                "Tags": "red, new",
                "Published": "true",
                "Variant SKU": f"S-{n}",
                "Variant Price": "12.00",
                "Variant Inventory Qty": "4",
                "Image Src": "https://cdn.example/a.jpg?v=3",
                "Status": "active",
            }
            for n in range(8)
        ],
        "id=Variant SKU family=Handle title=Title description=Body (HTML) price=Variant Price brand=Vendor "
        "categories=Product Category images=Image Src availability=Variant Inventory Qty active=Status",
    ),
    "a Google merchant feed": (
        [
            {
                "g:id": f"{n}",
                "g:item_group_id": "1",
                "g:title": "Shirt",
                "g:link": "https://shop.example/p/1",
                "g:image_link": "https://shop.example/1.jpg",
                "g:additional_image_link": "https://shop.example/2.jpg",
                "g:price": "15.00 USD",
                "g:availability": "in_stock",
                "g:google_product_category": "Apparel > Shirts",
            }
            for n in range(8)
        ],
        "id=g:id family=g:item_group_id title=g:title price=g:price categories=g:google_product_category "
        "images=g:image_link,g:additional_image_link availability=g:availability",
    ),
    "an Amazon crawl": (
        [
            {
                "uniq_id": f"{n:032x}",
                "product_name": "Toy",
                "manufacturer": "Acme",
                "amazon_category_and_sub_category": "Toys > Trains",
                "average_review_rating": "4.9 out of 5 stars",
                "number_available_in_stock": "5",
            }
            for n in range(8)
        ],
        "id=uniq_id title=product_name brand=manufacturer availability=number_available_in_stock rating=average_review_rating",
    ),
    "every field by another name": (
        [
            {
                "sku": f"{n}",
                "parent_sku": "p",
                "name": "x",
                "long description": "y",
                "price_eur": 3,
                "vendor": "v",
                "breadcrumbs": "a > b",
                "photo": "a.jpg",
                "in-stock": 1,
                "units_sold": 4,
                "stars": 4.5,
                "cvr": "3%",
                "createdAt": datetime(2026, 1, 1, tzinfo=UTC),
                "is_active": True,
            }
            for n in range(8)
        ],
        "id=sku family=parent_sku title=name description=long description price=price_eur brand=vendor categories=breadcrumbs "
        "images=photo availability=in-stock popularity=units_sold rating=stars conversion_rate=cvr added=createdAt "
        "active=is_active",
    ),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_columns_of_real_shops_need_no_word(schema: str) -> None:
    rows, expected = SCHEMAS[schema]
    columns = found(rows)
    words = " ".join(f"{name}={used}" for name, used in flat(columns).items())
    assert words == expected
    for number, row in enumerate(rows, 1):
        product, problems = read_row(Row(number, f"row {number}", row), columns)
        assert product is not None
        assert not problems


def test_what_is_no_field_is_an_attribute() -> None:
    rows, _ = SCHEMAS["a small shop of variants"]
    assert found(rows).attributes == ("color", "sizes", "sale")


def test_levels_become_one_path() -> None:
    rows, _ = SCHEMAS["the fashion images of Kaggle"]
    product, _ = read_row(Row(1, "", rows[0]), found(rows))
    assert product is not None
    assert product.categories == ("Apparel/Topwear/Shirts",)
    assert dict(product.attributes) == {"gender": "Men", "baseColour": "Navy", "year": 2011}


def test_a_currency_in_the_name_of_the_price_counts() -> None:
    assert found([{"id": "1", "Price (USD)": 3}]).currency == "USD"
    assert found([{"id": "1", "price_eur": 3, "currency": "USD"}]).currency is None


def test_pictures_are_known_by_their_contents() -> None:
    rows: list[dict[str, object]] = [
        {
            "id": n,
            "one": JPEG,
            "two": [JPEG, JPEG],
            "three": "a/b.PNG",
            "four": "data:image/gif;base64,R0lG",
            "link": "https://a.example/p",
        }
        for n in range(5)
    ]
    assert found(rows).fields["images"] == ("one", "two", "three", "four")


@pytest.mark.parametrize("cells", [[True, False], [3, 4], [JPEG, 5]])
def test_a_column_named_like_pictures_that_holds_none_is_an_attribute(cells: list[object]) -> None:
    assert "images" not in found([{"id": n, "photo": cell} for n, cell in enumerate(cells)]).fields


def test_smaller_copies_of_pictures_are_no_pictures_of_the_product() -> None:
    columns = found([{"id": 1, "image_url": "a.jpg", "thumbnail_url": "a_s.jpg", "brand_logo": "b.png"}])
    assert columns.fields["images"] == ("image_url",)
    assert columns.attributes == ("thumbnail_url", "brand_logo")


@pytest.mark.parametrize(
    ("status", "field"),
    [("active", "active"), ("draft", "active"), ("sold out", "availability"), ("new", None)],
)
def test_vague_names_are_taken_by_what_is_in_them(status: str, field: str | None) -> None:
    columns = found([{"id": n, "status": status} for n in range(5)])
    assert flat(columns) == ({"id": "id", field: "status"} if field else {"id": "id"})


def test_a_source_without_types_gets_them_per_column() -> None:
    names = ["id", "size", "width", "kids", "since", "code", "tags", "mixed", "gap"]
    cells = [
        ["a", "38", "1.5", "True", "2026-01-31", "007", '["x"]', "3", "1"],
        ["b", "40", "2", "false", "2026-02-01T10:00:00Z", "012", "[]", "big", "N/A"],
    ]
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    columns = found(rows)
    assert columns.kinds == {
        "size": "whole",
        "width": "number",
        "kids": "flag",
        "since": "moment",
        "tags": "list",
        "gap": "whole",
    }
    first, _ = read_row(Row(1, "", rows[0]), columns)
    second, _ = read_row(Row(2, "", {**rows[1], "size": "XL"}), columns)
    assert first is not None
    assert second is not None
    assert dict(first.attributes) == {
        "size": 38,
        "width": 1.5,
        "kids": True,
        "since": datetime(2026, 1, 31, tzinfo=UTC),
        "code": "007",
        "tags": ("x",),
        "mixed": "3",
        "gap": 1,
    }
    assert second.attributes["size"] == "XL"  # what does not fit stays what it was
    assert second.attributes["width"] == 2.0
    assert isinstance(second.attributes["width"], float)
    assert "gap" not in second.attributes


def test_text_of_a_source_with_types_stays_text() -> None:
    rows: list[dict[str, object]] = [{"id": 1, "size": "38"}]
    assert found(rows).kinds == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"id": n // 4, "product_id": n} for n in range(8)], "product_id"),
        ([{"id": n, "sku": n // 2} for n in range(8)], "id"),
        ([{"product_id": n} for n in [1, 2, 3, 4, 5, 5]], "product_id"),
        ([{"ref": f"r{n}", "title": f"t{n}"} for n in range(30)], "ref"),
        ([{"sku": f"s{n}" if n > 6 else None, "asin": f"a{n}"} for n in range(8)], "asin"),
    ],
)
def test_the_id_is_what_tells_rows_apart(rows: list[dict[str, object]], expected: str) -> None:
    assert found(rows).fields["id"] == (expected,)


@pytest.mark.parametrize(
    "rows",
    [
        [{"split": "train", "catalog_id": n // 9, "image": JPEG} for n in range(40)],
        [{"product_id": n // 3, "price": n} for n in range(40)],
        [{"ref": n} for n in range(5)],
        [],
    ],
)
def test_without_an_id_the_remedy_is_named(rows: list[dict[str, object]]) -> None:
    with pytest.raises(SourceError) as raised:
        found(rows)
    assert "--map id=COLUMN" in raised.value.hint
    assert "--map id=@row" in raised.value.hint


def test_overrides_come_first() -> None:
    rows = [
        {"id": 1, "a": "x", "title": "t", "price": 3, "p": "1.jpg", "q": "2.jpg", "c": "Men", "d": "Tops"}
    ]
    columns = found(rows, title="a", price="@none", images="q, p", category="c,d")
    assert flat(columns) == {"id": "id", "title": "a", "categories": "c,d", "images": "q,p"}
    assert columns.attributes == ("title", "price")
    assert columns.levels
    assert found(rows, title="A").fields["title"] == ("a",)


def test_overrides_that_name_nothing_list_what_there_is() -> None:
    rows = [{"id": 1, "Produkt Titel": "x", "weight": 2}]
    with pytest.raises(InputError) as raised:
        found(rows, titel="id")
    assert raised.value.hint.startswith("Known fields: title")
    with pytest.raises(InputError) as raised:
        found(rows, title="ProduktTitle")
    assert raised.value.hint.startswith("Known columns: Produkt Titel")
    with pytest.raises(InputError):
        found(rows, price="id,weight")
    with pytest.raises(InputError):
        found(rows, title="@row")


def test_describe_shows_everything_before_work_begins() -> None:
    rows = [
        {
            "sku": "a-1",
            "masterCategory": "Men",
            "subCategory": "Tops",
            "image": JPEG,
            "size": 3,
            "empty": None,
            "tags": ["x"],
        }
    ]
    assert describe(found(rows)) == [
        ("id", "sku", "text, e.g. a-1"),
        ("categories", "masterCategory / subCategory", "text, e.g. Men"),
        ("images", "image", "34 bytes"),
        ("attribute size", "size", "whole number, e.g. 3"),
        ("attribute empty", "empty", "empty in the first rows"),
        ("attribute tags", "tags", "list, e.g. x"),
    ]
    assert describe(found([{"id": "1", "size": "38"}]))[1] == (
        "attribute size",
        "size",
        "whole number, e.g. 38",
    )
    assert describe(found(rows, id="@row"))[0] == ("id", "@row", "row number, e.g. row-1")


@pytest.mark.parametrize(
    "name",
    ["productDisplayName", "product_display_name", "Product Display-Name", "displayName", "DISPLAY NAME"],
)
def test_spelling_does_not_matter(name: str) -> None:
    assert "displayname" in keys_of(name)
    assert found([{"id": 1, name: "x"}]).fields["title"] == (name,)
