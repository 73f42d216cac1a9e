"""Routes that read, write, change and delete products, one by one or by the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Body, Path
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
from lookalike.service.state import JsonRoute, ShopNow, StateNow, json_response
from lookalike.service.writing import Entry, Line, edit_of, lines, read_lines, write

router = APIRouter(route_class=JsonRoute, tags=["products"])
Id = Annotated[str, Path(description="A product id.", examples=["D00001"])]
NDJSON: Final = "application/x-ndjson"
ROWS_AT_ONCE: Final = 256
"""Rows of a file that are written together: what has come is in the shop before the rest has arrived."""
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
def image(request: Request, state: StateNow, shop: ShopNow, id: Id) -> Response:
    """Return a small JPEG of a product; 304 if the caller holds it already (If-None-Match)."""
    data = shop.picture_of(id)
    if data is None:
        if not shop.get([id]):
            raise no_product(id)
        raise Refused(404, "no_image", f"product {id!r} has no picture", hint="Write the product with one.")
    tag = f'"{content_hash(data)}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={state.settings.image_max_age_s}"}
    held = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in held or "*" in held:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/jpeg")


@router.get(
    "/v1/products/{id:path}",
    summary="Get a product",
    responses={200: {"model": ProductAnswer, "description": "The product."}},
)
def get(shop: ShopNow, id: Id) -> Response:
    """Return a product, inactive or not, with all its fields."""
    product = shop.get([id]).get(id)
    if product is None:
        raise no_product(id)
    return json_response(product_of(product, list(FIELDS)))


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
    rows: list[Line] = []
    request_id = request.state.request_id

    async def flush() -> None:
        told.extend(await run_in_threadpool(_outcomes, shop, rows, request_id))
        rows.clear()

    most = state.settings.max_rows
    async for line in lines(request.stream(), state.settings.max_row_bytes):
        rows.append(_too_many(most) if len(told) + len(rows) >= most else line)
        if len(rows) >= ROWS_AT_ONCE:
            await flush()
    await flush()
    if not told:
        raise Refused(422, "invalid", "the body holds no products", hint="Write one JSON object per line.")
    return Response(b"".join(told), media_type=NDJSON)


def _too_many(most: int) -> Refused:
    return Refused(
        422,
        "limit",
        f"this is row {most + 1} or a later one",
        hint="Send it in another request, or raise the setting service.max_rows.",
        field="service.max_rows",
    )


def _outcomes(shop: Shop, rows: Sequence[Line], request_id: str) -> list[bytes]:
    """Write rows; return a line for each."""
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
    shop: ShopNow,
    id: Id,
    row: ProductRow,
) -> Response:
    """Insert a product, or replace it as a whole: fields that are not given are empty afterwards, pictures as well."""
    if row.id not in (None, id):
        raise Refused(
            422, "invalid", f"the path says {id!r}, the body {row.id!r}", hint="Leave out one.", field="id"
        )
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
def patch(shop: ShopNow, id: Id, changes: Changes) -> Response:
    """Change only the fields given (JSON Merge Patch, RFC 7396), at once: nothing is fetched or embedded anew.

    Title, description and pictures are what a product is embedded by: to change them, PUT the whole product.
    """
    product = shop.change(id, edit_of(changes))
    if product is None:
        raise no_product(id)
    return json_response(product_of(product, list(FIELDS)))


@router.delete(
    "/v1/products/{id:path}",
    summary="Delete a product",
    responses={200: {"model": Deleted, "description": "It is gone."}},
)
def delete(shop: ShopNow, id: Id) -> Response:
    """Delete a product; it is not found from now on."""
    if not shop.delete([id]):
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
    return json_response({"deleted": shop.delete(asked.ids)})
