"""The wire, outwards: what clients get, for the OpenAPI document.

Answers are written from plain dictionaries (see `answers`) and not checked against these models, which only describe them;
tests compare the two.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Because(BaseModel):
    """One term of a score."""

    name: str
    part: str
    value: float
    weight: float
    contribution: float
    similarity: float | None


class Found(BaseModel):
    """One product found."""

    id: str
    score: float
    image: str | None = Field(description="Where its picture is.")
    product: dict[str, Any] = Field(description="The fields asked for.")
    because: list[Because] | None = Field(None, description="Only with `explain`; adds up to the score.")


class FacetCount(BaseModel):
    """One value of a column, and how many of the products that matched have it."""

    value: str | float | bool
    count: int


class Answer(BaseModel):
    """The answer to a search."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "search_id": "c0ffee5f2d9a4b1e77aa0a3d",
                    "snapshot": "seq-95",
                    "plan": "exact",
                    "matched": 31,
                    "took_ms": {"encode": 0.4, "allow": 0.1, "rank": 1.2, "enrich": 0.5, "total": 2.2},
                    "results": [
                        {
                            "id": "D00001",
                            "score": 0.91,
                            "image": "/v1/products/D00001/image",
                            "product": {"title": "Marlow pleated skirt – purple", "price": 66.0},
                        }
                    ],
                    "facets": {"brand": [{"value": "Petal & Quay", "count": 3}]},
                    "cursor": None,
                    "notes": [],
                }
            ]
        }
    )

    search_id: str
    snapshot: str
    plan: str
    matched: int
    took_ms: dict[str, float]
    results: list[Found]
    facets: dict[str, list[FacetCount]]
    cursor: str | None
    notes: list[str]


class Error(BaseModel):
    """What went wrong, and what to do."""

    code: str
    message: str
    remedy: str
    field: str | None = None
    position: int | None = Field(None, description="Where in the text of a filter, from 0.")
    request_id: str


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "filter",
                        "message": "no column 'prise'",
                        "remedy": "Did you mean price? Columns: brand, price.",
                        "position": 0,
                        "request_id": "5f2d9a4b",
                    }
                }
            ]
        }
    )

    error: Error


class FailedQuery(BaseModel):
    """A query of a batch that failed, beside others that did not."""

    error: Error


class BatchAnswer(BaseModel):
    """The answers of a batch, in the order of its queries."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"results": []}]})

    results: list[Answer | FailedQuery]


class ProductAnswer(BaseModel):
    """One product, whole."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "D00001", "title": "Marlow pleated skirt – purple", "price": 66.0}]
        }
    )

    id: str
    family: str | None
    title: str
    description: str
    price: float | None
    currency: str | None
    brand: str | None
    category: str | None = Field(description="The main one of `categories`.")
    categories: list[str]
    url: str | None = Field(description="Its page: the attribute url or link.")
    attributes: dict[str, Any]
    availability: bool | None
    popularity: float | None
    rating: float | None
    conversion_rate: float | None
    added: str | None
    active: bool
    image: str | None = Field(description="Where its picture is.")
    images: list[str] = Field(description="Those of its pictures that are on the web.")


class Written(BaseModel):
    """What became of one product. Written with an error: it is there, but a picture of it could not be used."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "P1042", "status": "written"}]})

    id: str | None
    status: Literal["written", "unchanged", "failed"]
    error: Error | None = None


class Deleted(BaseModel):
    """How many products were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 1}]})

    deleted: int


class Column(BaseModel):
    """One column that filters and facets can name."""

    name: str
    types: list[Literal["text", "number", "true/false", "date"]]


class ColumnsAnswer(BaseModel):
    """The columns there are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"columns": [{"name": "price", "types": ["number"]}]}]}
    )

    columns: list[Column]


class EncoderStats(BaseModel):
    """What makes the vectors."""

    name: str
    fingerprint: str


class Stats(BaseModel):
    """The shop and this process."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "products": 92,
                    "encoder": {"name": "builtin", "fingerprint": "builtin-2"},
                    "snapshot": "seq-95",
                    "uptime_s": 12.5,
                    "versions": {"lookalike": "0.2.0"},
                }
            ]
        }
    )

    products: int
    encoder: EncoderStats
    snapshot: str
    uptime_s: float
    versions: dict[str, str]


class Health(BaseModel):
    """A plain yes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ok": True}]})

    ok: bool
