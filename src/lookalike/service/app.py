"""The service as one ASGI application: routers, middlewares and errors, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware

from lookalike import __version__
from lookalike.api import Shop
from lookalike.core.errors import InputError
from lookalike.service import errors, events, page, products, search, status
from lookalike.service.access import OWN_HOSTS, Access, OwnMachine, Rates
from lookalike.service.bounds import around
from lookalike.service.keys import keys_needed, open_keys
from lookalike.service.observe import Observed
from lookalike.service.schemas import EventRow, EventRows, ProductRow, SearchRequest
from lookalike.service.schemas_answers import ErrorAnswer
from lookalike.service.search_log import SearchLog
from lookalike.service.settings import ServiceSettings
from lookalike.service.shadow import Shadow
from lookalike.service.state import State

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

    from lookalike.service.traces import Tracing

ROUTERS = (search.router, products.router, events.router, status.router, page.router)
"""In this order: of two routes that fit a path, the first answers."""
SPARE_THREADS = 8
"""Threads for what `max_requests` does not count: whether we are ready, and metrics."""
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own spans and logs would hold phrases and messages of errors."""
_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request cannot be answered; the error says why."},
    "5XX": {"model": ErrorAnswer, "description": "The service cannot answer at the moment."},
}


def create_app(
    shop: Shop | None,
    settings: ServiceSettings,
    access: Sequence[Middleware] = (),
    tracing: Tracing | None = None,
) -> FastAPI:
    """Return the service of a shop; None for one that is still being opened, see `admit`. `access` says who may call."""
    state = State(settings, tracing=tracing)
    middlewares = [
        *([] if tracing is None else [_traced(tracing)]),
        Middleware(Observed, metrics=state.metrics),  # outermost: what the others refuse is seen as well
        *around(settings.bounds, access),
        Middleware(errors.LastResort),  # innermost
    ]
    app = _Documented(
        title="lookalike",
        version=__version__,
        summary="Visual and text product search.",
        middleware=middlewares,
        responses=_FAILURES,
        redirect_slashes=False,
        docs_url=None,  # its scripts would come from elsewhere
        redoc_url=None,
        lifespan=_enough_threads,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = state
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    if shop is not None:
        admit(app, shop)
    return app


def _traced(tracing: Tracing) -> Middleware:
    from lookalike.service.traces import Traced

    return Middleware(Traced, tracer=tracing.tracer)


@asynccontextmanager
async def _enough_threads(app: FastAPI) -> AsyncIterator[None]:
    """Let there be a thread for every request that may run, and some for questions that are always answered."""
    bounds = app.state.service.settings.bounds
    current_default_thread_limiter().total_tokens = bounds.max_requests + SPARE_THREADS
    yield


def doors(settings: ServiceSettings, host: str, workers: int = 1) -> list[Middleware]:
    """Return `access` of `create_app` for a service that listens at `host`; raise InputError if it needs keys and has none.

    Without keys, callers are held to a rate only if one is set: on a machine of one's own there is nobody to share with, and
    behind a proxy that checks who calls, all callers look like one. Each of several workers grants its share of a rate.
    """
    ring = open_keys(settings.keys_file, host, settings.require_keys)
    rates = (
        Rates(settings.rates.shared(workers))
        if ring is not None or "rates" in settings.model_fields_set
        else None
    )
    access = [Middleware(Access, ring=ring, rates=rates)]
    if ring is None and (settings.hosts or not keys_needed(host, None)):
        hosts = (*OWN_HOSTS, host, *settings.hosts)
        access.insert(0, Middleware(OwnMachine, hosts=hosts, origins=settings.bounds.origins))
    return access


def admit(app: FastAPI, shop: Shop) -> None:
    """Let an app answer for this shop from now on. Raises InputError for a shop that reads files for whoever asks."""
    if shop.local_files:
        raise InputError(
            "a shop that reads files of this machine cannot be served",
            hint="Open it with lookalike.open(place, local_files=False).",
        )
    state: State = app.state.service
    state.share(shop)
    if state.settings.events.enabled:
        state.log = SearchLog(shop.event_log, state.settings.events, state.metrics)
        shop.before_closing(state.log.close)
    state.shadow = Shadow(shop, state.settings, state.metrics)
    shop.before_closing(state.shadow.close)
    state.shop = shop
    shop.follow(state.settings.follow_s, state.looked)


class _Documented(FastAPI):
    """Describes models as well that FastAPI does not see, as their routes read them by themselves."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if self.openapi_schema is None:
            described = super().openapi()
            schemas = described["components"]["schemas"]
            for model in (SearchRequest, ProductRow, EventRow, EventRows):
                whole = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas |= whole.pop("$defs", {})
                schemas[model.__name__] = whole
            # By itself, as each query of a batch is read by itself, that model cannot name another.
            schemas["BatchRequest"]["properties"]["queries"]["items"] = {
                "$ref": "#/components/schemas/SearchRequest"
            }
        return super().openapi()
