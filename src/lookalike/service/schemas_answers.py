"""The wire, outwards: what clients get, for the OpenAPI document.

Answers are written from plain dictionaries (see `answers`) and not checked against these models, which only describe them;
tests compare the two.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lookalike.core.clicks import Measures, PhraseCount, PositionMeasures

_NO_MEASURES: dict[str, Any] = {"searches": 0, "seen": 0} | dict.fromkeys(
    field.name for field in fields(Measures) if field.name not in ("searches", "seen")
)


class Exact(BaseModel):
    """An object with these fields and no others, so that a test finds what is sent and not described."""

    model_config = ConfigDict(extra="forbid")


class Because(Exact):
    """One term of a score."""

    name: str
    part: str
    value: float
    weight: float
    contribution: float
    similarity: float | None


class Found(Exact):
    """One product found."""

    id: str
    score: float
    image: str | None = Field(description="Where its picture is.")
    product: dict[str, Any] = Field(description="The fields asked for.")
    because: list[Because] | None = Field(None, description="Only with `explain`; adds up to the score.")


class FacetCount(Exact):
    """One value of a column, and how many of the products that matched have it."""

    value: str | float | bool
    count: int


class Answer(Exact):
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
                    "cached": False,
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
    cached: bool = Field(description="Whether it was kept from an equal search, and nothing changed since.")
    results: list[Found]
    facets: dict[str, list[FacetCount]]
    cursor: str | None
    notes: list[str]


class Error(Exact):
    """What went wrong, and what to do."""

    code: str
    message: str
    remedy: str
    field: str | None = None
    position: int | None = Field(None, description="Where in the text of a filter, from 0.")
    request_id: str


class ErrorAnswer(Exact):
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


class FailedQuery(Exact):
    """A query of a batch that failed, beside others that did not."""

    error: Error


class BatchAnswer(Exact):
    """The answers of a batch, in the order of its queries."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"results": []}]})

    results: list[Answer | FailedQuery]


class ProductAnswer(Exact):
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
    images: list[str] = Field(
        description="Its pictures: those on the web by their URL, others at an address of this service."
    )


class Written(Exact):
    """What became of one product. Written with an error: it is there, but a picture of it could not be used."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "P1042", "status": "written"}]})

    id: str | None
    status: Literal["written", "unchanged", "failed"]
    error: Error | None = None


class Deleted(Exact):
    """How many products were deleted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deleted": 1}]})

    deleted: int


class FailedEvent(BaseModel):
    """An event that was not kept."""

    index: int = Field(description="Which of those sent, from 0.")
    error: Error


class UnknownEvent(Exact):
    """An event that is kept, though the search or the product it names is not known."""

    index: int = Field(description="Which of those sent, from 0.")
    fields: list[Literal["query_id", "object_id"]]


class EventsAnswer(BaseModel):
    """What became of events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"accepted": 2, "failed": [], "unknown": [{"index": 1, "fields": ["query_id"]}]}]
        }
    )

    accepted: int = Field(description="How many are kept; 0 where none are kept at all.")
    failed: list[FailedEvent]
    unknown: list[UnknownEvent] = Field(
        description="Of those accepted, events of searches that are not known, or of products they did not find."
    )


class Column(Exact):
    """One column that filters and facets can name."""

    name: str
    types: list[Literal["text", "number", "true/false", "date"]]


class ColumnsAnswer(Exact):
    """The columns there are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"columns": [{"name": "price", "types": ["number"]}]}]}
    )

    columns: list[Column]


class EncoderStats(BaseModel):
    """What makes the vectors."""

    name: str
    fingerprint: str


class SpaceStats(Exact):
    """The index of one space."""

    vectors: int
    exact: bool = Field(description="Whether it is certain to find the true nearest.")


class RecallOf(Exact):
    """What was found of the true first ten by searches of one kind."""

    plan: str
    selectivity: str = Field(description="Share of the products that matched; none: there was no filter.")
    measured: int
    recall_at_10: float


class RecallStats(Exact):
    """Searches repeated exactly, since the start."""

    share: float = Field(description="Of searches, chosen to be repeated.")
    measured: int
    recall_at_10: float | None = Field(description="Their mean; null before the first.")
    by_plan: list[RecallOf]


class SearchStats(BaseModel):
    """What people searched for in a period, and what they did with the results; shares of nothing are null."""

    since: str
    until: str
    total: Measures
    by_kind: dict[str, Measures] = Field(description="By what was asked with, such as text or image.")
    by_position: list[PositionMeasures]
    top_queries: list[PhraseCount]
    zero_result_queries: list[PhraseCount]
    events: dict[str, int] = Field(description="Events that came in the period, by action.")


class Stats(BaseModel):
    """The shop and this process."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "products": 92,
                    "encoder": {"name": "builtin", "fingerprint": "builtin-2"},
                    "text_encoder": None,
                    "spaces": {"image": {"vectors": 120, "exact": True}},
                    "snapshot": "seq-95",
                    "stale_s": 0.2,
                    "workers": 1,
                    "pid": 4711,
                    "uptime_s": 12.5,
                    "versions": {"lookalike": "0.2.0"},
                    "requests": {"/v1/search": {"200": 950, "422": 2}},
                    "recall": {
                        "share": 0.01,
                        "measured": 40,
                        "recall_at_10": 0.98,
                        "by_plan": [
                            {"plan": "ann", "selectivity": "none", "measured": 40, "recall_at_10": 0.98}
                        ],
                    },
                    "searches": {
                        "since": "2026-02-22T12:00:00+00:00",
                        "until": "2026-03-01T12:00:00+00:00",
                        "total": _NO_MEASURES,
                        "by_kind": {},
                        "by_position": [{"position": 1, "seen": 40, "clicked": 10, "ctr": 0.25}],
                        "top_queries": [],
                        "zero_result_queries": [],
                        "events": {"impression": 40, "click": 10, "add_to_cart": 2, "purchase": 1},
                    },
                }
            ]
        }
    )

    products: int
    encoder: EncoderStats
    text_encoder: EncoderStats | None = Field(
        description="What embeds titles and descriptions; null where `encoder` does."
    )
    spaces: dict[str, SpaceStats] = Field(description="What compares vectors, by space.")
    snapshot: str
    stale_s: float | None = Field(
        description="What was written longer ago than so many seconds is found; null before the first look."
    )
    workers: int = Field(description="How many processes serve the shop.")
    pid: int = Field(description="The one of them that answers.")
    uptime_s: float
    versions: dict[str, str]
    requests: dict[str, dict[str, int]] = Field(
        description="Requests answered since the start, by all workers: by route, then by status."
    )
    recall: RecallStats = Field(
        description="How many of the true first ten live searches find, measured on some, by all workers."
    )
    searches: SearchStats


class Health(Exact):
    """A plain yes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ok": True}]})

    ok: bool
