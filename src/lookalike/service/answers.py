"""Results and products -> the plain dictionaries that go over the wire (`schemas_answers` describes them)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from lookalike.core.errors import QueryError
from lookalike.core.filters import field_value
from lookalike.core.query import Hit, SearchResult
from lookalike.core.types import Product

Plain = dict[str, Any]
_OWN: Final = re.compile(r"/v1/products/[^/?]+/image\?of=([0-9a-f]{32})")


def image_url(product: Product) -> str | None:
    """Return where the picture of a product is, None if it has no usable one."""
    if not any(image.content_hash for image in product.images):
        return None
    return f"/v1/products/{quote(product.id, safe='')}/image"


def page_url(product: Product) -> str | None:
    """Return the web page of a product, which is an attribute; anything but http(s) is no link for a browser."""
    links = (product.attributes.get(name) for name in ("url", "link", "product_url"))
    web = (link for link in links if isinstance(link, str))
    return next((link for link in web if link.lower().startswith(("http://", "https://"))), None)


def images_of(product: Product) -> list[str]:
    """Return pictures by their URL, and others at an address of ours: paths of this machine are nobody's business.

    One that is neither on the web nor could be used is left out.
    """
    base = f"/v1/products/{quote(product.id, safe='')}/image"
    return [
        image.ref if is_web(image.ref) else f"{base}?of={image.content_hash}"
        for image in product.images
        if is_web(image.ref) or image.content_hash
    ]


def is_web(ref: str) -> bool:
    """Say whether a picture is on the web."""
    return ref.lower().startswith(("http://", "https://"))


def own_picture(address: str) -> str | None:
    """Return the content hash in an address that `images_of` made, None for any other."""
    found = _OWN.fullmatch(address)
    return found[1] if found else None


FIELDS: Final[Mapping[str, Callable[[Product], object]]] = {
    "id": lambda p: p.id,
    "family": lambda p: p.family,
    "title": lambda p: p.title,
    "description": lambda p: p.description,
    "price": lambda p: p.price,
    "currency": lambda p: p.currency,
    "brand": lambda p: p.brand,
    "category": lambda p: p.categories[0] if p.categories else None,
    "categories": lambda p: p.categories,
    "url": page_url,
    "attributes": lambda p: p.attributes,
    "availability": lambda p: p.availability,
    "popularity": lambda p: p.popularity,
    "rating": lambda p: p.rating,
    "conversion_rate": lambda p: p.conversion_rate,
    "added": lambda p: p.added,
    "active": lambda p: p.active,
    "image": image_url,
    "images": images_of,
}
"""What can be shown of a product; besides these, every attribute by its name."""
USUAL: Final = (
    "title",
    "price",
    "currency",
    "category",
    "brand",
    "url",
    "availability",
    "family",
    "attributes",
)


def check_fields(asked: Sequence[str], columns: Collection[str]) -> None:
    """Raise QueryError for a field no product can have."""
    unknown = [name for name in asked if name not in FIELDS and name not in columns]
    if unknown:
        known = ", ".join(dict.fromkeys([*FIELDS, *columns]))
        raise QueryError(f"products have no field {unknown[0]!r}", hint=f"Fields: {known}.")


def product_of(product: Product, fields: Sequence[str]) -> Plain:
    """Return the named fields of a product."""
    return {name: FIELDS[name](product) if name in FIELDS else field_value(product, name) for name in fields}


def body_of(result: SearchResult, fields: Sequence[str], *, explain: bool) -> bytes:
    """Return, in JSON, what is the same in all answers to a question as long as nothing changes."""
    body = {
        "snapshot": result.snapshot,
        "plan": result.plan,
        "matched": result.matched,
        "results": [_found(hit, fields or USUAL, explain=explain) for hit in result.hits],
        "facets": result.facets,
        "cursor": result.cursor,
        "notes": result.notes,
    }
    return orjson.dumps(body)


def new_search_id() -> str:
    """Return an id for a search that nobody can guess."""
    return secrets.token_hex(12)


def in_full(body: bytes, search_id: str, took_ms: Mapping[str, float], *, cached: bool) -> bytes:
    """Return an answer in JSON: a body, and before it what is new in each answer."""
    new = {
        "search_id": search_id,
        "took_ms": {stage: round(took, 3) for stage, took in took_ms.items()},
        "cached": cached,
    }
    return orjson.dumps(new)[:-1] + b"," + body[1:]


def _found(hit: Hit, fields: Sequence[str], *, explain: bool) -> Plain:
    found = {
        "id": hit.product.id,
        "score": hit.score,
        "image": image_url(hit.product),
        "product": product_of(hit.product, fields),
    }
    return found | {"because": hit.because} if explain else found
