"""The route by which clients report what people did with results: seen, clicked, put into the cart, bought."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from lookalike.api import Shop
from lookalike.core.clicks import IMPRESSION, Event
from lookalike.core.errors import LimitError, LookalikeError, RowError
from lookalike.core.moments import moment
from lookalike.core.storable import storable
from lookalike.core.types import content_hash
from lookalike.service.answers import Plain
from lookalike.service.errors import Refused, described, invalid
from lookalike.service.json_in import read_json
from lookalike.service.schemas import EventRow
from lookalike.service.schemas_answers import EventsAnswer
from lookalike.service.search_log import EVERY_S, SearchLog
from lookalike.service.state import JsonRoute, ShopNow, State, StateNow, json_response

router = APIRouter(route_class=JsonRoute, tags=["events"])
MAX_AHEAD: Final = timedelta(seconds=60)
"""So far may the clock of a client be ahead of ours."""
SIBLING_S: Final = EVERY_S + 0.5
"""After so long, a search that another worker answered is in the log."""
_EXAMPLE: Final = EventRow.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]
_BODY: Final[Plain] = {
    "required": True,
    "description": "One event, or several as `events`. Any Content-Type will do: browsers send beacons as text.",
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/EventRow"},
                    {"$ref": "#/components/schemas/EventRows"},
                ]
            },
            "example": {"events": [_EXAMPLE]},
        }
    },
}


@router.post(
    "/v1/events",
    summary="Report what people did with results",
    responses={200: {"model": EventsAnswer, "description": "Those accepted are kept."}},
    openapi_extra={"requestBody": _BODY},
)
async def report(request: Request, state: StateNow, shop: ShopNow) -> Response:
    """Keep events in the format of User Behavior Insights; of several, one that is wrong fails alone.

    What is accepted survives any end of the process, and what is sent again counts once: who got no answer, or an error, sends
    the same body again. Two events are the same if they have the same `event_id`, `client_id` and `session_id`; without an
    `event_id`, if all that is kept of them is the same and there is a `timestamp` or a `query_id` among it.

    An event of a search that is not known (any more), or of a product that was not found, is kept all the same; `unknown` says
    which, and it is left out where it would count for something.
    """
    given = _read(await request.body(), state.settings.max_json_values)
    if isinstance(given, dict) and "events" not in given:
        event = event_of(given)
        if isinstance(event, Refused):
            raise event
        unknown = await _kept(state, shop, {0: event})
        return json_response({"accepted": 1 if state.log else 0, "failed": [], "unknown": unknown})
    read = [event_of(each) for each in _several(given, state.settings.events.max_events)]
    good = {index: each for index, each in enumerate(read) if isinstance(each, Event)}
    unknown = await _kept(state, shop, good)
    failed = [
        {"index": index, "error": described(each) | {"request_id": request.state.request_id}}
        for index, each in enumerate(read)
        if isinstance(each, Refused)
    ]
    accepted = len(good) if state.log else 0
    return json_response({"accepted": accepted, "failed": failed, "unknown": unknown})


def _read(body: bytes, most: int) -> Any:
    try:
        return read_json(body, most)
    except orjson.JSONDecodeError as error:
        raise Refused(
            400, "malformed", f"the body is not JSON: {error}", hint="Check quotes and brackets."
        ) from None


def _several(given: object, most: int) -> list[object]:
    events = given.get("events") if isinstance(given, dict) and len(given) == 1 else None
    if not isinstance(events, list):
        raise Refused(
            422,
            "invalid",
            "the body is neither an event nor a list of them",
            hint='Send one event, or {"events": [...]} and nothing beside it.',
            field="events",
        )
    if len(events) > most:
        raise LimitError("service.events.max_events", f"{len(events)} events in one request, at most {most}")
    return events


def event_of(given: object) -> Event | Refused:
    """Return an event as it is kept, or what is wrong with any field of it."""
    try:
        row = EventRow.model_validate(given)
        attributes = row.event_attributes
        event = Event(
            action_name=row.action_name,
            timestamp=_when(row.timestamp),
            query_id=row.query_id,
            object_id=None if attributes.object is None else str(attributes.object.object_id),
            ordinal=None if attributes.position is None else attributes.position.ordinal,
            client_id=row.client_id,
            session_id=row.session_id,
            event_id=_id_of(row),
        )
        _check(event)
    except ValidationError as error:
        return invalid(error.errors(include_url=False))
    except Refused as refused:
        return refused
    return event


def _id_of(row: EventRow) -> str | None:
    """Return what an event and its repetitions have in common, None for one that nothing tells from others of its kind."""
    if row.event_id is not None:
        return content_hash(repr((row.client_id, row.session_id, row.event_id)))
    if row.timestamp is None and row.query_id is None:
        return None
    said = row.model_dump(include={*_SAME, "event_attributes"})
    return content_hash(repr(sorted(said.items())))


_SAME: Final = ("action_name", "timestamp", "query_id", "client_id", "session_id")


def _when(given: str | None) -> datetime:
    """Read a time, by default now; raise Refused for none, and for one to come."""
    now = datetime.now(UTC)
    try:
        when = moment(given) or now
    except RowError as error:
        raise _wrong("timestamp", str(error), error.hint) from None
    if when > now + MAX_AHEAD:
        raise _wrong(
            "timestamp",
            f"timestamp lies in the future: {given}",
            "Set the clock right, or send no timestamp: then it is now.",
        )
    return when


def _check(event: Event) -> None:
    """Raise Refused for what an event must have, and for what no database can keep."""
    object_field = "event_attributes.object.object_id"
    if event.object_id is None and event.action_name != IMPRESSION:
        raise _wrong(object_field, f"a {event.action_name} needs a product", "Give the id of the product.")
    texts = {
        "query_id": event.query_id,
        "client_id": event.client_id,
        "session_id": event.session_id,
        object_field: event.object_id,
    }
    for field, text in texts.items():
        if text is not None and not storable(text):
            raise _wrong(
                field, f"{field} holds a NUL or half a character", "Send it as the search answered it."
            )


def _wrong(field: str, message: str, hint: str) -> Refused:
    return Refused(422, "invalid", message, hint=hint, field=field)


async def _kept(state: State, shop: Shop, events: Mapping[int, Event]) -> list[Plain]:
    """Write events, where they are kept, and count them; return what is not known of which.

    A search that nobody has heard of yet may have been answered by another worker a moment ago.
    """
    if state.log is None:
        return []
    unknown = await run_in_threadpool(_keep, state, state.log, shop, events)
    if state.workers > 1 and any("query_id" in each["fields"] for each in unknown):
        await sleep(SIBLING_S)
        with suppress(LookalikeError):  # they are kept: that must not end in an error
            unknown = await run_in_threadpool(_unknown, state.log, shop, events)
    return unknown


def _keep(state: State, log: SearchLog, shop: Shop, events: Mapping[int, Event]) -> list[Plain]:
    unknown = _unknown(log, shop, events)  # first, as it may fail: after an error, nothing is kept
    log.keep(list(events.values()))
    for event in events.values():
        state.metrics.events.labels(event.action_name).inc()
    return unknown


def _unknown(log: SearchLog, shop: Shop, events: Mapping[int, Event]) -> list[Plain]:
    """Return which events name a search that is not known, or a product that it did not find.

    Of a later page, or where the search is not known, it is enough that there is such a product.
    """
    found = log.found({event.query_id for event in events.values() if event.query_id is not None})
    products = shop.get({event.object_id for event in events.values() if event.object_id is not None})
    told = []
    for index, event in events.items():
        ids = found.get(event.query_id or "")
        later = ids is None or (event.ordinal or 0) > len(ids)
        is_known = event.object_id in (products if later else ids or ())
        fields = [
            *(["query_id"] if event.query_id is not None and ids is None else []),
            *(["object_id"] if event.object_id is not None and not is_known else []),
        ]
        if fields:
            told.append({"index": index, "fields": fields})
    return told
