"""The fields of a product as a table: what columns shops call them, and how a cell of each is read.

Names are compared by their letters and digits in lower case, so `productDisplayName`, `product_display_name` and "Product
Display Name" are one; a leading "product", "item", "article" or "variant" may be left out. Names are listed best first; those
of other languages than English are in `names`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lookalike.core import amounts, moments, names, values
from lookalike.core.values import clean, is_missing, label, plain


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `read` turns a cell into its value (or raises RowError).

    A column called one of `names` is this field. One called one of `hints` is, if most of its cells can be read as it.
    """

    name: str
    read: Callable[[object], object]
    names: tuple[str, ...]
    hints: tuple[str, ...] = ()


AVAILABLE: Final[Mapping[str, bool]] = {
    **dict.fromkeys(
        ("instock", "available", "instoreonly", "onlineonly", "limitedavailability", "lowstock"), True
    ),
    **dict.fromkeys(
        ("outofstock", "unavailable", "notavailable", "notinstock", "soldout", "discontinued"), False
    ),
    **dict.fromkeys(("preorder", "backorder", "onbackorder", "presale"), False),
    **dict.fromkeys(names.IN_STOCK, True),
    **dict.fromkeys(names.OUT_OF_STOCK, False),
}
EXACT: Final = frozenset(
    {
        *values.YES_NO,
        "instock",
        "outofstock",
        "available",
        "unavailable",
        *names.IN_STOCK,
        *names.OUT_OF_STOCK,
    }
)
"""Words of which yes or no is the whole meaning; what says more is also kept as an attribute."""
ACTIVE: Final[Mapping[str, bool]] = {
    **dict.fromkeys(
        ("active", "enabled", "published", "publish", "live", "visible", "online", "public"), True
    ),
    **dict.fromkeys(
        ("inactive", "disabled", "unpublished", "draft", "archived", "deleted", "hidden", "offline"), False
    ),
    **dict.fromkeys(("private", "pending", "discontinued", "trash"), False),
    **names.ACTIVE,
}
_SEPARATOR: Final = re.compile(r" ?(?:[>|»/] ?)+")


def availability(value: object) -> bool | None:
    """Read whether a product can be bought now, from yes or no, the usual phrases, or how many there are."""
    return values.truth(value, AVAILABLE, "true or false, in stock or out of stock, or how many there are")


def active(value: object) -> bool | None:
    """Read whether a product is shown, from yes or no or a status."""
    return values.truth(value, ACTIVE, "true or false, active or inactive")


def category_path(value: object, depth: int = 0) -> str:
    """Read one category path; levels may be separated by "/", ">", "|" or "»", or be the members of a list."""
    value = plain(value)
    if isinstance(value, Mapping):  # shop interfaces give {"id": 7, "name": "Hats", "slug": "hats"}
        value = next((value[key] for key in ("path", "name", "title") if key in value), value)
    if isinstance(value, list | tuple) and depth < 2:
        return "/".join(filter(None, (category_path(part, depth + 1) for part in value)))
    words = " ".join(label(value).split())
    return "" if words.lower() in values.NULL_WORDS else "/".join(filter(None, _SEPARATOR.split(words)))


def categories(value: object) -> tuple[str, ...]:
    """Read category paths from a list of them, a JSON list in a text, or one path."""
    value = plain(value)
    if isinstance(value, str) and clean(value)[:1] == "[":
        value = from_json(clean(value))
    found = map(category_path, value) if isinstance(value, list | tuple) else (category_path(value),)
    return tuple(dict.fromkeys(filter(None, found)))


def from_json(words: str) -> object:
    """Return the list a text writes in JSON, or the text itself."""
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return words


def family(value: object) -> str | None:
    """Read the id of the family a product is a variant of, None when missing."""
    value = plain(value)
    if is_missing(value) or (isinstance(value, str) and clean(value).lower() in values.NULL_WORDS):
        return None
    return values.identifier(value)


def price(value: object) -> float | None:
    """Read an amount alone."""
    return amounts.price(value)[0]


def brand(value: object) -> str | None:
    """Read a brand, None when missing."""
    return label(value) or None


def _words(written: str, field: str = "") -> tuple[str, ...]:
    return (*written.split(), *names.names(field))


IDS: Final = (
    *_words(
        """id uid uuid guid uniqid uniqueid sku skuid variantid variantsku itemid itemno itemnumber articleid articleno
        articlenumber productid pid prodid productcode productnumber code""",
        "id",
    ),
    *_words("asin gtin ean upc barcode isbn handle slug"),
)
OF_FAMILIES: Final = _words("productid pid prodid productcode productnumber handle slug")
"""Names of ids that name the family when another column names the variant."""
LEVELS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("mastercategory", "maincategory", "topcategory", "rootcategory", "parentcategory"), 1),
    **dict.fromkeys(("category", "categoryname"), 2),
    **dict.fromkeys(("subcategory", "subcategoryname", "secondarycategory", "categorysub"), 3),
    **dict.fromkeys(("subsubcategory", "articletype", "tertiarycategory", "leafcategory"), 4),
    **names.LEVELS,
}
"""Columns that hold one level each of a category path, by depth."""
NUMBERED_LEVEL: Final = re.compile(
    r"(?:category|categorylevel|categoryl|cat|l|level|kategorie|categorie|categoria)(\d)(?:category)?"
)
NO_PICTURES: Final = re.compile(r"thumb|logo|icon|swatch|favicon|avatar|vorschau|vignette|miniatur")
"""Columns that hold pictures of something else, or the same pictures smaller."""

FIELDS: Final = (
    Field("id", values.identifier, IDS),
    Field(
        "family",
        family,
        _words(
            "itemgroupid groupid family familyid parentid parentsku parentasin masterid styleid modelid",
            "family",
        ),
        ("group", "model", "modelnumber", "modelno"),
    ),
    Field(
        "title",
        values.prose,
        _words(
            "title name producttitle productname displayname prodname itemname heading headline caption",
            "title",
        ),
        _words("product", "title?"),
    ),
    Field(
        "description",
        values.prose,
        _words(
            """description longdescription fulldescription desc descr bodyhtml body detaildesc details longtext
            shortdescription about summary""",
            "description",
        ),
        ("text", "content"),
    ),
    Field(
        "price",
        price,
        _words(
            """price currentprice saleprice sellingprice finalprice discountedprice specialprice regularprice retailprice
            listprice baseprice unitprice msrp""",
            "price",
        ),
        _words("amount cost", "price?"),
    ),
    Field(
        "currency",
        amounts.currency,
        _words("currency currencycode pricecurrency currencyiso", "currency"),
        ("curr",),
    ),
    Field("brand", brand, _words("brand brandname vendor manufacturer maker designer", "brand")),
    Field(
        "categories",
        categories,
        _words(
            """categories category categorypath categoriespath productcategories productcategorytree categorytree
            breadcrumbs breadcrumb producttype producttypename articletype taxonomy googleproductcategory mastercategory
            maincategory subcategory productgroupname productgroup""",
            "categories",
        ),
    ),
    Field(
        "images",
        lambda value: value,
        _words(
            """images image imageurl imageurls imagelink imagelinks imagesrc imagepath imagefile imagefilename imagebytes
            imagedata img imgs imgurl imgsrc picture pictures pictureurl photo photos photourl mainimage mainimageurl
            primaryimage primaryimageurl imagefront gallery galleryimages galleryurls additionalimage additionalimages
            additionalimageurl additionalimageurls additionalimagelink additionalimagelinks otherimages""",
            "images",
        ),
    ),
    Field(
        "availability",
        availability,
        (
            *_words("availability available isavailable instock isinstock stockstatus", "availability"),
            *_words(
                """stock stocklevel stockquantity stockqty inventory inventoryquantity inventoryqty quantityinstock
                quantityavailable numberavailableinstock""",
                "stock",
            ),
        ),
        _words("quantity qty status", "stock?"),
    ),
    Field(
        "popularity",
        amounts.popularity,
        _words(
            """popularity popularityscore sales salescount salesvolume unitssold soldcount sold orders ordercount
            purchases purchasecount views viewcount pageviews clicks""",
            "popularity",
        ),
        ("likes",),
    ),
    Field(
        "rating",
        amounts.rating,
        _words(
            """rating averagerating avgrating meanrating ratingaverage ratingvalue stars starrating reviewrating
            averagereviewrating overallrating""",
            "rating",
        ),
        _words("reviewscore score ratings", "rating?"),
    ),
    Field("conversion_rate", amounts.conversion_rate, ("conversionrate", "cvr", "convrate", "conversion")),
    Field(
        "added",
        moments.moment,
        _words(
            """added addedat addedon dateadded createdat createdon datecreated creationdate publishedat publishedon
            datepublished publishdate releasedate releasedat launchdate launchedat onlinesince firstseen""",
            "added",
        ),
        _words("created published date", "added?"),
    ),
    Field(
        "active",
        active,
        _words("active isactive enabled isenabled", "active"),
        _words("status state published visible", "active?"),
    ),
)
BY_NAME: Final[Mapping[str, Field]] = {field.name: field for field in FIELDS}
