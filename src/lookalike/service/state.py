"""What the routes of one app share, how they get at it, and how they write and read JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, Any

import orjson
from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from lookalike.api import Shop
from lookalike.core.ports import Encoder
from lookalike.engine.batching import BatchingEncoder
from lookalike.service.errors import Refused
from lookalike.service.observe import Metrics
from lookalike.service.settings import ServiceSettings


@dataclass(slots=True)
class State:
    """`shop` is None while it is being opened; once set it stays."""

    settings: ServiceSettings
    shop: Shop | None = None
    metrics: Metrics = field(default_factory=Metrics)
    started_s: float = field(default_factory=monotonic)
    queries: BatchingEncoder | None = None
    """What encodes for several requests at once, if the shop was opened with `batched`."""

    def batched(self, encoder: Encoder) -> Encoder:
        """Return an encoder that encodes for several requests at once, and is counted: `query_encoder` of a shop."""
        self.queries = BatchingEncoder(encoder, self.settings.batching, self.metrics.encoded)
        return self.queries

    def metrics_page(self) -> bytes:
        """Return everything that is counted, in the text format of Prometheus."""
        return self.metrics.page(self.shop, self.queries.waiting() if self.queries else {})

    def close(self) -> None:
        """Encode what still waits, then let go of the shop."""
        if self.queries is not None:
            self.queries.close()
        if self.shop is not None:
            self.shop.close()


# Dependencies are `async`, though nothing waits: plain functions would each go through the thread pool.


async def _state(request: Request) -> State:
    state: State = request.app.state.service
    return state


async def _shop(request: Request) -> Shop:
    shop: Shop | None = request.app.state.service.shop
    if shop is None:
        raise Refused(503, "starting", "the shop is still being opened", hint="Ask again in a moment.")
    return shop


StateNow = Annotated[State, Depends(_state)]
ShopNow = Annotated[Shop, Depends(_shop)]


def json_response(content: object, status: int = 200) -> Response:
    """Return an answer in JSON, written once."""
    return Response(orjson.dumps(content), status, media_type="application/json")


class _OrjsonRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """A route whose bodies are read by orjson, which refuses NaN, half characters and endless nesting as malformed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def read_and_answer(request: Request) -> Response:
            return await answer(_OrjsonRequest(request.scope, request.receive))

        return read_and_answer
