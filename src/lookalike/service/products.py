"""Routes that read, write, change and delete products, one by one or by the file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Body, Path, Query
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lookalike.api import Shop
from lookalike.core.errors import LimitError
from lookalike.core.types import content_hash
from lookalike.service.answers import FIELDS, Plain, product_of
from lookalike.service.errors import Refused, no_product
from lookalike.service.schemas import Changes, Ids, ProductRow
from lookalike.service.schemas_answers import Deleted, ProductAnswer, Written
from lookalike.service.state import (
    JsonRoute,
    ShopNow,
    State,
    StateNow,
    json_response,
    product_response,
    tagged_response,
)
from lookalike.service.writing import Entry, Line, RowBounds, edit_of, lines, read_lines, write

router = APIRouter(route_class=JsonRoute, tags=["products"])
Id = Annotated[str, Path(description="A product id.", examples=["D00001"])]
Of = Annotated[
    str | None,
    Query(max_length=64, description="Which picture, as `images` of the product says; else its first."),
]
NDJSON: Final = "application/x-ndjson"
ROWS_AT_ONCE: Final = 256
"""Rows of a file that are written together: what has come is in the shop before the rest has arrived."""
BYTES_AT_ONCE: Final = 16_000_000
"""Rows with photos in them are written together up to so many bytes: they wait in memory."""
_ROW_EXAMPLE: Final = ProductRow.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]
_BULK_BODY: Final[Plain] = {
    "required": True,
    "description": "One product per line, or a JSON array of them.",
    "content": {
        NDJSON: {
            "schema": {"type": "string"},
            "example": orjson.dumps(_ROW_EXAMPLE).decode() + '\n{"id": "P1043", "title": "Lamp"}\n',
        },
        "application/json": {
            "schema": {"type": "array", "items": {"$ref": "#/components/schemas/ProductRow"}},
            "example": [_ROW_EXAMPLE],
        },
    },
}


@router.get(
    "/v1/products/{id:path}/image",
    summary="Get the picture of a product",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "A small JPEG."},
        304: {"description": "As held."},
    },
)
def image(request: Request, state: StateNow, shop: ShopNow, id: Id, of: Of = None) -> Response:
    """Return a small JPEG of a product, its first or the one asked for; 304 if the caller holds it already (If-None-Match).

    If there is no such picture, but a product whose id is all of the path, that product is returned.
    """
    data = shop.picture_of(id) if of is None else _picture(shop, id, of)
    if data is None:
        whole = f"{id}/image"
        held = shop.get([id, whole])
        if id in held and whole not in held:
            raise Refused(
                404,
                "no_image",
                f"product {id!r} has no {'picture' if of is None else 'such picture'}",
                hint="Write the product with one." if of is None else "GET the product: it lists its images.",
            )
        return product_response(shop, whole, otherwise=id)
    cache = f"private, max-age={state.settings.image_max_age_s}"  # another caller may have no key
    return tagged_response(request, data, "image/jpeg", content_hash(data), cache)


def _picture(shop: Shop, id_: str, digest: str) -> bytes | None:
    """Return the picture of a product with this content hash, None if it has no such picture."""
    for product in shop.get([id_]).values():
        return shop.picture(
            replace(product, images=tuple(i for i in product.images if i.content_hash == digest))
        )
    return None


@router.get(
    "/v1/products/{id:path}",
    summary="Get a product",
    responses={200: {"model": ProductAnswer, "description": "The product."}},
)
def get(shop: ShopNow, id: Id) -> Response:
    """Return a product, inactive or not, with all its fields."""
    return product_response(shop, id, otherwise=id)


@router.put(
    "/v1/products",
    summary="Write products by the file",
    response_class=Response,
    responses={
        200: {
            "description": "One line per product, in order.",
            "content": {
                NDJSON: {
                    "schema": {"$ref": "#/components/schemas/Written"},
                    "example": '{"id":"P1042","status":"written"}\n',
                }
            },
        }
    },
    openapi_extra={"requestBody": _BULK_BODY},
)
async def put_many(request: Request, state: StateNow, shop: ShopNow) -> Response:
    """Insert or replace products, one JSON object per line; a line that is wrong fails alone.

    Lines are worked on as they arrive. Each answers with a line {id, status, error?}; written with an error means that the
    product is there, but that a picture of it could not be used.
    """
    told: list[bytes] = []
    body, settings = request.stream(), state.settings
    bounds = RowBounds(settings.max_row_bytes, settings.max_array_bytes, settings.max_json_values)
    async with aclosing(lines(body, bounds)) as found:
        async for rows in _together(found, settings.max_rows):
            told += await run_in_threadpool(_outcomes, state, shop, rows, request.state.request_id)
    async for _ in body:
        pass  # beyond the last row allowed: most clients read no answer before they have sent everything
    if not told:
        raise Refused(422, "invalid", "the body holds no products", hint="Write one JSON object per line.")
    return Response(b"".join(told), media_type=NDJSON)


async def _together(found: AsyncIterator[Line], most: int) -> AsyncIterator[list[Line]]:
    """Gather rows that are written together; behind `most` of them comes one refusal, and no more is looked at."""
    rows: list[Line] = []
    count = held_bytes = 0
    async for line in found:
        if count == most:
            rows.append(_too_many(most))
            break
        rows.append(line)
        count += 1
        held_bytes += 0 if isinstance(line, Refused) else len(line)
        if len(rows) >= ROWS_AT_ONCE or held_bytes >= BYTES_AT_ONCE:
            yield rows
            rows, held_bytes = [], 0
    if rows:
        yield rows


def _too_many(most: int) -> Refused:
    return Refused(
        422,
        "limit",
        f"row {most + 1} and those after it were not looked at",
        hint="Send them in another request, or raise the setting service.max_rows.",
        field="service.max_rows",
    )


def _outcomes(state: State, shop: Shop, rows: Sequence[Line], request_id: str) -> list[bytes]:
    """Write rows; return a line for each."""
    with state.writing(wait_s=None):  # the rows before are written already
        outcomes = write(shop, read_lines(rows))
    return [orjson.dumps(_with_request(each, request_id)) + b"\n" for each in outcomes]


def _with_request(outcome: Plain, request_id: str) -> Plain:
    if "error" in outcome:
        outcome["error"]["request_id"] = request_id
    return outcome


@router.put(
    "/v1/products/{id:path}",
    summary="Write one product",
    responses={200: {"model": Written, "description": "It is searchable."}},
)
def put(
    request: Request,
    state: StateNow,
    shop: ShopNow,
    id: Id,
    row: ProductRow,
) -> Response:
    """Insert a product, or replace it as a whole: fields that are not given are empty afterwards, pictures as well.

    What GET tells of a product can be sent back, changed or as it is: what is as it was told stays as it is.
    """
    if row.id not in (None, id):
        raise Refused(
            422, "invalid", f"the path says {id!r}, the body {row.id!r}", hint="Leave out one.", field="id"
        )
    with state.writing():
        [outcome] = write(shop, [Entry(id, row.model_copy(update={"id": id}))])
    if outcome["status"] == "failed":
        error = outcome["error"]
        raise Refused(422, error["code"], error["message"], hint=error["remedy"], field=error.get("field"))
    return json_response(_with_request(outcome, request.state.request_id))


@router.patch(
    "/v1/products/{id:path}",
    summary="Change fields of a product",
    responses={200: {"model": ProductAnswer, "description": "The product as it is now."}},
)
def patch(state: StateNow, shop: ShopNow, id: Id, changes: Changes) -> Response:
    """Change only the fields given (JSON Merge Patch, RFC 7396), at once: nothing is fetched or embedded anew.

    Title, description and pictures are what a product is embedded by: to change them, PUT the whole product.
    """
    with state.writing():
        product = shop.change(id, edit_of(changes))
    if product is None:
        raise no_product(id)
    return json_response(product_of(product, list(FIELDS)))


@router.delete(
    "/v1/products/{id:path}",
    summary="Delete a product",
    responses={200: {"model": Deleted, "description": "It is gone."}},
)
def delete(state: StateNow, shop: ShopNow, id: Id) -> Response:
    """Delete a product; it is not found from now on."""
    with state.writing():
        deleted = shop.delete([id])
    if not deleted:
        raise no_product(id)
    return json_response({"deleted": 1})


@router.post(
    "/v1/products/delete",
    summary="Delete products",
    responses={200: {"model": Deleted, "description": "How many there were."}},
)
def delete_many(state: StateNow, shop: ShopNow, asked: Annotated[Ids, Body()]) -> Response:
    """Delete several products; ids that are not there are fine."""
    if len(asked.ids) > state.settings.max_rows:
        raise LimitError(
            "service.max_rows", f"{len(asked.ids)} ids in one request, at most {state.settings.max_rows}"
        )
    with state.writing():
        return json_response({"deleted": shop.delete(asked.ids)})
