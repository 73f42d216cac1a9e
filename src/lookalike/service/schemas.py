"""The wire, inwards: what clients may send, checked field by field.

No unknown field passes, and in JSON no text where a number belongs. Of what is wrong in a list, the first is enough: to
say all of it takes far longer than to read it. What clients get is in `schemas_answers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Final, Literal, Self

from fastapi import UploadFile
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from lookalike.service import hints, wanted

Text = Annotated[str, Field(max_length=2000)]
FilterText = Annotated[str, Field(max_length=20_000)]
Weight = Annotated[float, Field(ge=-1000, le=1000)]


def _address(*also: str) -> AfterValidator:
    """Return what lets only web addresses and data: URIs pass, and what begins with one of `also`."""

    def check(given: str) -> str:
        if given[:8].lower().startswith(("http://", "https://", "data:")) or given.startswith(also):
            return given
        said = "it is neither an http(s) URL nor a data: URI"
        raise PydanticCustomError("no_address", said, {"remedy": hints.PICTURE})

    return AfterValidator(check)


PictureUrl = Annotated[
    str,
    _address(),
    Field(
        description="An http(s) URL or a data: URI; files of the server are never read.",
        json_schema_extra={"pattern": "^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:)"},
    ),
]
PictureRef = Annotated[
    str,
    _address("/v1/products/"),
    Field(
        description="An http(s) URL, a data: URI, or the address that GET tells of a picture the product has.",
        json_schema_extra={"pattern": "^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:|/v1/products/)"},
    ),
]
Mark = Annotated[str, Field(min_length=1, max_length=100)]
MAX_WEIGHTS = 100
MAX_UNKNOWN: Final = 3
"""Unknown fields of one object that are told."""
Texts = Annotated[list[Text], Field(max_length=100, fail_fast=True)]


def _few(given: object) -> object:
    """Refuse too many weights before each of them is checked."""
    if isinstance(given, dict) and len(given) > MAX_WEIGHTS:
        raise PydanticCustomError("too_long", f"there are {len(given)} weights, at most {MAX_WEIGHTS}")
    return given


Weights = Annotated[dict[str, Weight], Field(max_length=MAX_WEIGHTS), BeforeValidator(_few)]


class Closed(BaseModel):
    """An object without unknown fields: of each it is told what to use instead, of known ones that are wrong what is wanted.

    Of far too many fields only a few are told.
    """

    instead: ClassVar[Mapping[str, str]] = {}
    """What to say of fields that people look for here and that are called otherwise."""
    others: ClassVar[str] = ""
    """What to say besides of any other."""
    unwritten: ClassVar[Collection[str]] = ()
    """Fields that are not worth naming to who looks for one."""

    @model_validator(mode="wrap")
    @classmethod
    def _only_its_fields(cls, given: object, read: ModelWrapValidatorHandler[Self]) -> Self:
        wrong: list[InitErrorDetails] = []
        if isinstance(given, dict):
            unknown = [name for name in given if name not in cls.model_fields]
            if unknown:
                wrong = [cls._unknown(str(name)) for name in unknown[:MAX_UNKNOWN]]
                given = {name: value for name, value in given.items() if name in cls.model_fields}
        try:
            row = read(given)
        except ValidationError as error:
            wrong += [cls._wrong(each) for each in error.errors(include_url=False)]
        else:
            if not wrong:
                return row
        raise ValidationError.from_exception_data(cls.__name__, wrong)

    @classmethod
    def _wrong(cls, error: ErrorDetails) -> InitErrorDetails:
        """Return what is wrong with a known field, with what is wanted there, unless that is said already."""
        context = {name: said for name, said in error.get("ctx", {}).items() if name in ("remedy", "known")}
        if "remedy" not in context and (remedy := wanted.remedy(cls, error)):
            context["remedy"] = remedy
        told = PydanticCustomError(error["type"], error["msg"], context or None)
        return InitErrorDetails(type=told, loc=error["loc"], input=None)

    @classmethod
    def _unknown(cls, name: str) -> InitErrorDetails:
        written = [field for field in cls.model_fields if field not in cls.unwritten]
        remedy, known = hints.instead_of(name, written, cls.instead)
        if cls.others and name not in cls.instead:
            known += f" {cls.others}"
        told = PydanticCustomError("unknown_field", "is not known here", {"remedy": remedy, "known": known})
        return InitErrorDetails(type=told, loc=(hints.shown(name),), input=None)


# --- searching --------------------------------------------------------------------------------------------------------


class Options(Closed):
    """What every search takes besides what it looks for."""

    model_config = ConfigDict(extra="forbid")
    instead = hints.OPTIONS

    limit: int = Field(10, ge=1, le=1_000_000, description="How many products.", examples=[12])
    category: Texts = Field(
        [], description="Only these category paths and what is below them.", examples=[["Women"]]
    )
    brand: Texts = Field([], description="Only these brands.", examples=[[]])
    price_min: float | None = Field(None, description="Costs at least this; 0 counts.", examples=[0])
    price_max: float | None = Field(None, description="Costs at most this; 0 counts.", examples=[80])
    facets: Texts = Field([], description="Columns whose values to count.", examples=[["brand"]])
    mode: Literal["mix", "any", "all"] = Field("mix", description="How several parts combine.")
    diversity: float = Field(0.0, description="0, the most relevant, to 1, the most varied.", examples=[0.2])
    group: bool = Field(False, description="One product per family.")
    max_per_category: int | None = Field(None, ge=1, description="At most so many of one main category.")
    explain: bool = Field(False, description="Say what each score is made of.", examples=[True])
    fields: Texts = Field(
        [],
        description="What to show of products, instead of the usual fields.",
        examples=[["title", "price"]],
    )
    cursor: Annotated[str, Field(max_length=200_000)] | None = Field(
        None, description="The cursor of an answer: asks for its next page."
    )
    client_id: Mark | None = Field(
        None, description="Who asks, for the log: any name that tells nobody who it is. Or X-Client-ID."
    )
    log: bool = Field(True, description="Whether the search is logged, where searches are.")


class Parameters(Options):
    """The options as query parameters or form fields."""

    where: FilterText | None = Field(
        None, description="A filter, as text or JSON.", examples=['price < 80 and not color = "black"']
    )
    rerank: Text = Field("relevance", description="A ranking profile.", examples=["balanced"])


class TextSearch(Parameters):
    """A phrase."""

    instead = hints.TEXT_SEARCH

    q: Text = Field(description="What to look for.", examples=["red checked shirt"])


class ImageSearch(Parameters):
    """One photo or several."""

    instead = hints.IMAGE_SEARCH

    image: list[UploadFile] = Field([], description="Picture files.")
    image_url: list[PictureUrl] = Field([], fail_fast=True, examples=[[]])
    box: Text | None = Field(
        None,
        description="Look only for what is in this part of the first image: x,y,width,height from 0 to 1.",
        examples=["0.1,0.05,0.8,0.9"],
    )


class MultimodalSearch(ImageSearch):
    """A photo and a phrase."""

    instead = hints.MULTIMODAL

    text: Text | None = Field(None, examples=["in blue"])
    image_weight: float = Field(0.5, ge=0, le=1, description="How much the photo counts against the phrase.")


class Part(Closed):
    """One thing to look for; a negative weight pushes away from it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    instead = hints.PART

    image: PictureUrl | None = None
    text: Text | None = None
    like: Text | None = Field(None, description="A product id.")
    space: Text | None = Field(None, description="The space of `vector`.")
    vector: Annotated[list[float], Field(max_length=65_536, fail_fast=True)] | None = None
    weight: Weight = 1.0
    box: Annotated[list[float], Field(min_length=4, max_length=4)] | None = Field(
        None, description="The part of the image to look for: x, y, width, height from 0 to 1."
    )


class SearchRequest(Options):
    """Any mix of pictures, phrases, products and vectors."""

    instead = hints.SEARCH
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "parts": [{"like": "D00001"}, {"text": "striped", "weight": 0.5}],
                    "where": "price < 80",
                    "limit": 12,
                    "facets": ["brand"],
                },
                {
                    "parts": [{"image": "https://shop.example/photo.jpg", "box": [0.1, 0.05, 0.8, 0.9]}],
                    "where": {"and": [{"field": "price", "op": "between", "value": [10, 80]}]},
                    "rerank": {"popularity": 0.1},
                    "explain": True,
                },
            ]
        },
    )

    parts: Annotated[list[Part], Field(max_length=1000, fail_fast=True)] = Field(
        [], description="What to look for; without any, everything the filter lets through."
    )
    where: FilterText | dict[str, JsonValue] | None = Field(None, description="A filter, as text or JSON.")
    weights: Weights | None = Field(
        None, description="How much each space counts.", examples=[{"image": 0.7, "title": 0.3}]
    )
    rerank: Text | Weights = Field("relevance", description="A ranking profile, or signals.")


class BatchRequest(Closed):
    """Several searches; each fails or succeeds alone."""

    instead = hints.BATCH
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"queries": [{"parts": [{"text": "lamp"}]}, {"parts": [{"like": "D00001"}]}]}]
        },
    )

    queries: list[JsonValue] = Field(
        description="Each as `POST /v1/search` takes it.", examples=[[{"parts": [{"text": "lamp"}]}]]
    )


# --- events -----------------------------------------------------------------------------------------------------------


class EventObject(BaseModel):
    """What an event is about; other fields are not kept."""

    model_config = ConfigDict(extra="ignore", strict=True)

    object_id: Annotated[str, Field(min_length=1, max_length=2000)] | int = Field(
        description="The product's id."
    )


class EventPosition(BaseModel):
    """Where it was; other fields are not kept."""

    model_config = ConfigDict(extra="ignore", strict=True)

    ordinal: int | None = Field(
        None, ge=1, le=1_000_000, description="The product's position among the results, from 1."
    )


class EventAttributes(BaseModel):
    """More about an event; other fields are not kept."""

    model_config = ConfigDict(extra="ignore", strict=True)

    object: EventObject | None = Field(default=None, examples=[{"object_id": "D00001"}])
    position: EventPosition | None = Field(default=None, examples=[{"ordinal": 3}])


class EventRow(Closed):
    """One thing somebody did with results, as User Behavior Insights (UBI 1.3) writes it."""

    instead = hints.EVENT
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "action_name": "click",
                    "query_id": "c0ffee5f2d9a4b1e77aa0a3d",
                    "client_id": "5e3b2a1c",
                    "session_id": "84266fdb",
                    "timestamp": "2026-03-01T12:00:00Z",
                    "event_attributes": {"object": {"object_id": "D00001"}, "position": {"ordinal": 3}},
                }
            ]
        },
    )

    action_name: Literal["impression", "click", "add_to_cart", "purchase"]
    timestamp: Text | None = Field(
        None, description="When, ISO 8601, UTC if it says no zone; by default now."
    )
    query_id: Mark | None = Field(None, description="The search_id of the answer.")
    client_id: Mark | None = Field(None, description="Who, as in searches.")
    session_id: Mark | None = None
    event_id: Mark | None = Field(
        None,
        description="A name for this event, among those of its client_id and session_id: sent again, it counts once.",
    )
    event_attributes: EventAttributes = EventAttributes()
    application: Text | None = Field(None, description="Not kept, nor are the following.")
    message: Text | None = None
    message_type: Text | None = None
    user_id: Text | None = None


class EventRows(BaseModel):
    """Several events; each fails or succeeds alone."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"events": []}]})

    events: list[EventRow]


# --- products ---------------------------------------------------------------------------------------------------------

Name = Annotated[str, Field(max_length=20_000)]
JsonNumber = Annotated[float, Field(allow_inf_nan=False)]


class Changes(Closed):
    """Fields that change without a new embedding. What is not given stays; null empties a field."""

    instead = hints.CHANGES
    others = "Fields of your own go into attributes."
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"price": 49.9, "availability": False, "attributes": {"season": None}}]
        },
    )

    family: Name | None = Field(None, description="What its variants have in common.")
    price: Annotated[JsonNumber, Field(ge=0)] | None = Field(None, examples=[19.9])
    currency: Name | None = Field(None, description="Three letters, such as EUR.")
    brand: Name | None = None
    categories: list[Name] | None = Field(
        None,
        fail_fast=True,
        description="Paths such as Women/Shoes, the main one first.",
        examples=[["Women/Shoes"]],
    )
    attributes: dict[str, JsonValue] | None = Field(
        None, description="Anything else; in a change, a null takes one away and others stay."
    )
    availability: bool | None = None
    popularity: Annotated[JsonNumber, Field(ge=0)] | None = Field(None, description="More is more popular.")
    rating: Annotated[JsonNumber, Field(ge=0, le=5)] | None = Field(None, examples=[4.5])
    conversion_rate: Annotated[JsonNumber, Field(ge=0, le=1)] | None = Field(None, examples=[0.03])
    added: Name | None = Field(None, description="Since when it is sold: a date, or a time (UTC).")
    active: bool = Field(True, description="An inactive product stays and is never found.")


class ProductRow(Changes):
    """A whole product: what is not given is empty. What GET tells of one can be sent back as it is."""

    instead = hints.ROW
    unwritten = hints.ONLY_TOLD
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "P1042",
                    "title": "Red checked shirt",
                    "price": 39.9,
                    "currency": "EUR",
                    "brand": "Birch & Co",
                    "categories": ["Men/Shirts"],
                    "images": ["https://shop.example/p1042.jpg"],
                    "attributes": {"color": "red", "url": "https://shop.example/p1042"},
                }
            ]
        },
    )

    id: Name | None = Field(None, description="In a path it need not be repeated.")
    title: Name = ""
    description: Name = ""
    images: list[PictureRef] = Field([], fail_fast=True)
    category: Name | None = Field(None, description="As GET tells it; write `categories`.")
    url: Name | None = Field(None, description="As GET tells it; write `attributes.url`.")
    image: Name | None = Field(None, description="As GET tells it; write `images`.")


class Ids(Closed):
    """Products by id."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"ids": ["D00001"]}]}
    )

    ids: list[Text] = Field(fail_fast=True, examples=[["D00001"]])
