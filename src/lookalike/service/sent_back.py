"""What GET told of a product comes back by PUT: whatever is as it was told stays exactly as it is.

JSON says less than the catalogue holds: a date becomes a text, a picture an address. So each value that is written is compared
with what was told of the product there is, and if it is the same, nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import orjson

from lookalike.core.references import image_refs
from lookalike.core.rows import Problem
from lookalike.core.types import ImageRef, Product
from lookalike.service.answers import FIELDS, is_web, own_picture
from lookalike.service.errors import Refused
from lookalike.service.hints import ONLY_TOLD
from lookalike.service.schemas import ProductRow

_WRITTEN: Final = tuple(
    name for name in ProductRow.model_fields if name not in {*ONLY_TOLD, "id", "images", "attributes"}
)


def kept(row: ProductRow, product: Product, held: Product | None) -> Product:
    """Return the product a row says, but with each value that GET told of the `held` one as that has it.

    Raises Refused for a picture by an address of ours that the product does not have, and for what can only be told.
    """
    if held is not None:
        same = {
            name: getattr(held, name)
            for name in row.model_fields_set.intersection(_WRITTEN)
            if _same(getattr(row, name), FIELDS[name](held))
        }
        given = row.attributes or {}
        attributes = {
            name: value
            for name, value in held.attributes.items()
            if name in given and _same(given[name], value)
        }
        product = replace(product, **same, attributes={**product.attributes, **attributes})
    product = replace(product, images=tuple(_images(row, product, held)))
    _check_told(row, product, held)
    return product


def _same(given: object, told: object) -> bool:
    return orjson.dumps(given) == orjson.dumps(told)  # true is not 1, though Python says so


def _images(row: ProductRow, product: Product, held: Product | None) -> Iterator[ImageRef]:
    """Return the pictures of a product: in place of addresses of ours, those it has."""
    by_hash = {image.content_hash: image for image in (held.images if held else ())}
    for image in product.images:
        digest = own_picture(image.ref)
        if digest is None:
            yield image
        elif digest in by_hash:
            yield by_hash[digest]
        else:
            raise Refused(
                422,
                "invalid",
                f"product {product.id!r} has no picture {image.ref!r}",
                hint="Give an http(s) URL or a data: URI; GET tells the addresses of the pictures it has.",
                field=picture_field(row.images, image.ref),
            )


def _check_told(row: ProductRow, product: Product, held: Product | None) -> None:
    """Raise Refused for something that can only be told, and that is neither so of the product as it was nor as it will be."""
    for name, remedy in ONLY_TOLD.items():
        given = getattr(row, name)
        if given is not None and given not in {FIELDS[name](each) for each in (product, held) if each}:
            raise Refused(422, "invalid", f"{name} cannot be written", hint=remedy, field=name)


# --- which picture ----------------------------------------------------------------------------------------------------


def picture_field(given: Sequence[str], ref: str) -> str | None:
    """Return which of the pictures of a row a reference came from, as "images[0]"; None if from none of them."""
    for at, text in enumerate(given):
        if text == ref or ref in _refs(text):
            return f"images[{at}]"
    return None


def unreadable_picture(given: Sequence[str]) -> str | None:
    """Return which of the pictures of a row cannot be read as a reference, as "images[0]"."""
    for at, text in enumerate(given):
        if not all(isinstance(image, ImageRef) for image in image_refs(text)):
            return f"images[{at}]"
    return None


def _refs(text: str) -> set[str]:
    return {image.ref for image in image_refs(text) if isinstance(image, ImageRef)}


def picture_problem(row: ProductRow, product: Product, problem: Problem) -> tuple[str, str] | None:
    """Return which of the pictures a row gave a problem is about, and what is wrong with it; None if it is about none."""
    for image in product.images:
        if problem.reason.startswith(f"{image.ref}: "):
            field = picture_field(row.images, image.ref)
            what = image.ref if is_web(image.ref) else ""
            reason = problem.reason.removeprefix(f"{image.ref}: ")
            return (field, f"{field}{what and f' ({what[:200]})'}: {reason}") if field else None
    return None
