"""Which column is what: the names shops use, what is in the columns, and what a person says instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pytest

from lookalike.core import names
from lookalike.core.errors import InputError, SourceError
from lookalike.core.ports import Row
from lookalike.core.recognition import columns_of, keys_of
from lookalike.core.rows import ColumnMap, describe, read_row, recognise
from lookalike.core.values import squashed

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
        ("id", "sku", "text, such as a-1"),
        ("categories", "masterCategory / ...", "text, such as Men"),
        ("images", "image", "34 bytes"),
        ("attributes", "", "size, empty, tags"),
    ]
    assert describe(found([{"id": "1", "price": "38"}]))[1] == ("price", "price", "whole number, such as 38")
    assert describe(found(rows, id="@row"))[0] == ("id", "@row", "row number, such as row-1")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (date(2025, 1, 1), "date, such as 2025-01-01"),
        (datetime(2025, 1, 1, tzinfo=UTC), "date, such as 2025-01-01"),
        (datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "date, such as 2025-01-02 03:04"),
        ({"day": date(2025, 1, 1), "of": None}, "object, such as day: 2025-01-01"),
        ([{"url": "a.jpg"}], "list, such as url: a.jpg"),
        ({"bytes": JPEG, "path": None}, "object, such as bytes: 34 bytes"),
    ],
)
def test_examples_are_written_as_people_write_them(value: object, written: str) -> None:
    columns = found([{"id": 1, "when": value}], added="when")
    assert describe(columns)[1][2] == written


def test_what_is_described_fits_a_terminal() -> None:
    row: dict[str, object] = {f"attribute number {n}": n for n in range(40)}
    row |= {f"image{n}": f"{n}.jpg" for n in range(9)} | {"id": 1, "conversion_rate": 0.1, "title": "x" * 90}
    described = describe(found([row]))
    widths = [max(len(cells[place]) for cells in described) for place in range(3)]
    assert sum(widths) + 3 * 4 <= 80
    assert dict((name, what) for name, _, what in described)["attributes"].endswith(", ...")
    assert [name for name, _, _ in described].count("attributes") == 1


ABROAD = {
    "German": (
        {
            "Artikelnummer": "00001",
            "EAN": "4006381333931",
            "Bezeichnung": "Becher",
            "Beschreibung": "Blau",
            "Preis (brutto)": "1.299,00",
            "Währung": "EUR",
            "Hersteller": "Acme",
            "Kategorie": "Küche",
            "Bild": "a.jpg",
            "Lieferbar": "ja",
            "Lagerbestand": "4",
            "Bewertung": "4,5",
            "Datum": "05.03.2025",
            "Aktiv": "nein",
            "Gewicht (kg)": "0,67",
        },
        "id=Artikelnummer title=Bezeichnung description=Beschreibung price=Preis (brutto) currency=Währung "
        "brand=Hersteller categories=Kategorie images=Bild availability=Lieferbar rating=Bewertung added=Datum active=Aktiv",
    ),
    "German, other words": (
        {
            "Artikel-Nr.": "1",
            "Produktname": "Becher",
            "Produktbeschreibung": "Blau",
            "Verkaufspreis": "3,50",
            "Waehrung": "EUR",
            "Marke": "Acme",
            "Bilder": "a.jpg",
            "Verfügbar": "nein",
            "Bestand": "0",
        },
        "id=Artikel-Nr. title=Produktname description=Produktbeschreibung price=Verkaufspreis currency=Waehrung brand=Marke "
        "images=Bilder availability=Verfügbar",
    ),
    "French": (
        {
            "Référence": "FR-1",
            "Nom": "Tasse",
            "Description": "Bleue",
            "Prix HT": "10,00 €",
            "Prix TTC": "12,00 €",
            "Marque": "Acme",
            "Catégorie": "Cuisine",
            "Photo 1": "a.jpg",
            "Photo 2": "b.jpg",
            "Disponible": "oui",
            "Stock": "3",
            "Note moyenne": "4,2",
        },
        "id=Référence title=Nom description=Description price=Prix TTC brand=Marque categories=Catégorie "
        "images=Photo 1,Photo 2 availability=Disponible rating=Note moyenne",
    ),
    "French, other words": (
        {
            "Référence": "1",
            "Désignation du produit": "Tasse",
            "Prix": "3",
            "Devise": "EUR",
            "Image principale": "a.jpg",
        },
        "id=Référence title=Désignation du produit price=Prix currency=Devise images=Image principale",
    ),
    "Spanish": (
        {
            "Referencia": "1",
            "Nombre": "Taza",
            "Descripción": "Azul",
            "Precio": "3,50",
            "Moneda": "EUR",
            "Marca": "Acme",
            "Categoría": "Cocina",
            "Imagen": "a.jpg",
            "Existencias": "4",
        },
        "id=Referencia title=Nombre description=Descripción price=Precio currency=Moneda brand=Marca categories=Categoría "
        "images=Imagen availability=Existencias",
    ),
    "Italian": (
        {
            "Codice": "1",
            "Nome": "Tazza",
            "Descrizione": "Blu",
            "Prezzo": "3,50",
            "Valuta": "EUR",
            "Marchio": "Acme",
            "Immagine": "a.jpg",
            "Giacenza": "4",
        },
        "id=Codice title=Nome description=Descrizione price=Prezzo currency=Valuta brand=Marchio images=Immagine "
        "availability=Giacenza",
    ),
    "Dutch": (
        {
            "Artikelnummer": "1",
            "Naam": "Mok",
            "Omschrijving": "Blauw",
            "Prijs": "3,50",
            "Merk": "Acme",
            "Afbeelding": "a.jpg",
        },
        "id=Artikelnummer title=Naam description=Omschrijving price=Prijs brand=Merk images=Afbeelding",
    ),
}


@pytest.mark.parametrize("language", ABROAD)
def test_columns_of_other_languages_need_no_word(language: str) -> None:
    row, expected = ABROAD[language]
    columns = found([row])
    assert " ".join(f"{name}={used}" for name, used in flat(columns).items()) == expected
    assert not columns.notes
    product, problems = read_row(Row(1, "", row), columns)
    assert product is not None
    assert not problems


def test_names_of_other_languages_are_in_the_form_they_are_looked_up_in() -> None:
    fields = ("id", "title", "title?", "price", "availability", "stock", "rating?", "added?")
    words = [word for field in fields for word in names.names(field)]
    words += [*names.YES_NO, *names.IN_STOCK, *names.OUT_OF_STOCK, *names.ACTIVE, *names.LEVELS]
    assert [word for word in words if squashed(word) != word] == []
    assert not set(names.IN_STOCK) & set(names.OUT_OF_STOCK)


def test_a_name_with_brackets_counts_only_if_the_cells_bear_it_out() -> None:
    rows = [{"id": n, "Rating (count)": 120 + n, "Price (net)": "3.50"} for n in range(5)]
    assert flat(found(rows)) == {"id": "id", "price": "Price (net)"}


def test_a_currency_in_the_name_of_a_price_abroad_counts() -> None:
    assert found([{"id": "1", "Preis in EUR": "3,50"}]).currency == "EUR"
    assert found([{"id": "1", "Prix (CHF)": "3,50"}]).currency == "CHF"
    assert found([{"id": "1", "Prix TTC": "3,50"}]).currency is None


def test_an_empty_column_loses_to_one_with_values() -> None:
    sparse = [
        {"id": n, "Sale price": 2 if n < gap else None, "Regular price": 3} for gap in (3,) for n in range(9)
    ]
    empty = [
        {"ID": n, "Sale price": "", "Regular price": "12.00", "Name": "", "Titel": "Mug"} for n in range(9)
    ]
    assert found(sparse).fields["price"] == ("Regular price",)
    assert flat(found(empty)) == {"id": "ID", "title": "Titel", "price": "Regular price"}
    assert found([{"id": 1, "price": 2, "Regular price": 3}]).fields["price"] == ("price",)
    assert found([{"id": 1, "price": None}]).fields["price"] == ("price",)


def test_without_an_id_the_columns_that_could_be_one_are_named() -> None:
    rows = [
        {"Lauf": f"L{n}", "Strich": 4006381000000 + n, "Art": n % 2, "Preis": f"{n},50"} for n in range(30)
    ]
    with pytest.raises(SourceError) as raised:
        found(rows)
    assert "Columns: Lauf, Strich, Art, Preis; unique in the first rows: Lauf, Strich." in str(raised.value)


def test_the_one_column_of_codes_is_the_id_and_the_note_says_so() -> None:
    rows = [
        {
            "Lauf": f"L-{n}",
            "seit": f"2025-01-{n + 1:02}",
            "am": f"{n + 1:02}.01.2025",
            "Seite": f"https://a.example/{n}",
            "Muster": f"{n}.jpg",
            "Wert": f"{n},50",
            "Text": f"Becher {n}",
        }
        for n in range(30)
    ]
    columns = found(rows)
    assert columns.fields["id"] == ("Lauf",)
    assert 'The column "Lauf" is the id: no two of the first rows share a value.' in columns.notes


def test_fields_that_matter_most_are_missed_aloud() -> None:
    rows = [
        {"id": n, "Werbetext": "A blue mug", "Tarif": "3,50", "Seite": "https://a.example/1"}
        for n in range(5)
    ]
    assert found(rows).notes == (
        "No column was taken for the title; name it with --map title=COLUMN. Perhaps Werbetext?",
        "No column was taken for the price; name it with --map price=COLUMN. Perhaps Tarif?",
        "No column was taken for the images; name it with --map images=COLUMN. Perhaps Seite?",
    )
    assert len(found(rows, title="Werbetext", price="@none").notes) == 1
    assert found([{"id": 1, "image": JPEG}]).notes == ()
    # Where every column is something, as in a folder of pictures, there is none left to name.
    assert found([{"id": "a/1", "title": "red", "category": "a", "image": "a/1.png"}]).notes == ()


def test_prices_in_dollars_need_a_currency() -> None:
    note = "Prices are in $; name the currency with a currency column."
    assert found([{"id": 1, "price": "$1,299.00"}]).notes == (note,)
    for row in ({"price": "US$ 3"}, {"price": "$3", "currency": "CAD"}, {"Price (USD)": "$3"}, {"price": 3}):
        assert note not in found([{"id": 1, **row}]).notes


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0,67", "12,5", "3", "N/A"], "comma"),
        (["-0,5", "1,25"], "comma"),
        (["1,299", "3,5"], None),
        (["1,5", "2.5"], None),
        (["1,5", "XL"], None),
        (["3", "4"], "whole"),
        (["05.03.2025", "31.12.2025"], "moment"),
    ],
)
def test_numbers_with_a_decimal_comma_are_numbers_where_all_of_a_column_are(
    cells: list[str], kind: str | None
) -> None:
    rows = [{"id": f"a{n}", "Gewicht (kg)": cell} for n, cell in enumerate(cells)]
    columns = found(rows)
    assert columns.kinds.get("Gewicht (kg)") == kind
    product, problems = read_row(Row(1, "", rows[0]), columns)
    assert product is not None
    assert not problems
    if kind == "comma":
        assert product.attributes == {"Gewicht (kg)": float(cells[0].replace(",", "."))}


@pytest.mark.parametrize(
    "name",
    ["productDisplayName", "product_display_name", "Product Display-Name", "displayName", "DISPLAY NAME"],
)
def test_spelling_does_not_matter(name: str) -> None:
    assert "displayname" in keys_of(name)
    assert found([{"id": 1, name: "x"}]).fields["title"] == (name,)
