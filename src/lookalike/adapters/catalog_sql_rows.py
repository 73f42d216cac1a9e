"""Between the catalogue's nouns and its rows: every value comes back as it went in, in either database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isinf
from typing import Any

import sqlalchemy as sa

from lookalike.adapters.catalog_sql_schema import products
from lookalike.core.storable import require_storable
from lookalike.core.types import Change, ImageRef, Product, Record, Value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

PRODUCT_COLUMNS = tuple(
    products.c[name]
    for name in (
        *("id", "family", "title", "description", "price", "currency", "brand"),
        *("categories", "attributes", "images"),
        *("availability", "popularity", "rating", "conversion_rate", "added_us", "active"),
    )
)
"""What `to_product` needs to be in its row."""
CHANGE_COLUMNS = tuple(products.c[name] for name in ("seq", "key", "content_seq", "deleted"))
"""What `to_change` needs besides."""


def to_row(record: Record) -> dict[str, Any]:
    """Turn a record into the values of its row, but for key, seq and content_seq, which the write decides.

    Raises RowError for what a database cannot keep, see `core.storable`.
    """
    product = record.product
    require_storable(product)
    return {
        "id": product.id,
        "family": product.family,
        "title": product.title,
        "description": product.description,
        "price": product.price,
        "currency": product.currency,
        "brand": product.brand,
        "categories": product.categories,
        "attributes": {name: to_json(value) for name, value in product.attributes.items()},
        "images": [(image.ref, image.content_hash) for image in product.images],
        "availability": product.availability,
        "popularity": product.popularity,
        "rating": product.rating,
        "conversion_rate": product.conversion_rate,
        "added_us": (product.added - EPOCH) // MICROSECOND if product.added else None,
        "active": product.active,
        "source_hash": record.source_hash,
        "embedded": record.embedded,
        "deleted": False,
    }


def tombstone() -> dict[str, Any]:
    """Return the values a deleted product's row is emptied to: all but key, id and sequence numbers."""
    row = to_row(Record(Product(id="")))
    del row["id"]
    return row | {"active": False, "deleted": True}


def to_product(row: sa.Row[Any]) -> Product:
    """Read a product from a row that has PRODUCT_COLUMNS."""
    return Product(
        id=row.id,
        family=row.family,
        title=row.title,
        description=row.description,
        price=row.price,
        currency=row.currency,
        brand=row.brand,
        categories=tuple(row.categories),
        attributes={name: from_json(value) for name, value in row.attributes.items()},
        images=to_images(row.images),
        availability=row.availability,
        popularity=row.popularity,
        rating=row.rating,
        conversion_rate=row.conversion_rate,
        added=None if row.added_us is None else EPOCH + timedelta(microseconds=row.added_us),
        active=row.active,
    )


def to_images(images: list[list[str]]) -> tuple[ImageRef, ...]:
    """Read the image references [[ref, content hash], ...]."""
    return tuple([ImageRef(ref, hash_) for ref, hash_ in images])


def to_change(row: sa.Row[Any]) -> Change:
    """Read a change from a row that has CHANGE_COLUMNS."""
    return Change(row.seq, row.key, row.id, None if row.deleted else to_product(row), row.content_seq)


def to_json(value: Value) -> object:
    """Write an attribute as JSON; what JSON has no form for becomes {"$date": ...} or {"$float": ...}.

    No attribute is an object of its own, so the tags cannot be mistaken: a text that looks like a date stays a text.
    """
    if isinstance(value, datetime):
        return {"$date": value.astimezone(UTC).isoformat()}
    if isinstance(value, float) and isinf(value):
        return {"$float": str(value)}
    return value


def from_json(value: Any) -> Value:
    """Read an attribute that `to_json` wrote."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return datetime.fromisoformat(value["$date"]) if "$date" in value else float(value["$float"])
    plain: Value = value
    return plain
