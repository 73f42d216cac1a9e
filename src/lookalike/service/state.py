"""What the routes of one app share, how they get at it, and how they write and read JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import Depends, params
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lookalike import __version__, wiring
from lookalike.api import Shop
from lookalike.core.errors import Overloaded
from lookalike.core.ports import Encoder
from lookalike.engine.batching import BatchingEncoder
from lookalike.service.answers import FIELDS, product_of
from lookalike.service.errors import Refused, no_product
from lookalike.service.hints import shown
from lookalike.service.json_in import read_json
from lookalike.service.kept import KeptAnswers
from lookalike.service.observe import Metrics
from lookalike.service.search_log import SearchLog
from lookalike.service.settings import ServiceSettings
from lookalike.service.shadow import Shadow

if TYPE_CHECKING:
    from lookalike.service.traces import Tracing

PATIENCE_S = 1.0
"""How long a change of a product waits for one of `max_writing` places; and at the end, we for what is being encoded."""


@dataclass(slots=True)
class State:
    """`shop` is None while it is being opened; once set it stays."""

    settings: ServiceSettings
    shop: Shop | None = None
    metrics: Metrics = field(default_factory=Metrics)
    started_s: float = field(default_factory=monotonic)
    queries: tuple[BatchingEncoder, ...] = ()
    """What encodes for several requests at once, if the shop was opened with `batched`."""
    log: SearchLog | None = None
    """What keeps searches, if they are kept and the shop is open."""
    shadow: Shadow | None = None
    """What repeats some searches exactly, once the shop is open."""
    workers: int = 1
    """How many processes serve the shop together."""
    tracing: Tracing | None = None
    """What sends traces, if they are wanted."""
    fresh: float | None = None
    """What was written before this moment (Unix time) is searchable here; None before the first look."""

    kept: KeptAnswers = field(init=False)
    """Answers to searches that may come again."""
    _fetching: BoundedSemaphore = field(init=False)
    _writing: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        """Make as many places as there may be, and room for answers."""
        room = self.settings.results_bytes
        self.kept = KeptAnswers(wiring.make_cache(room) if room else None, self.metrics)
        self._fetching = BoundedSemaphore(self.settings.max_fetching)
        self._writing = BoundedSemaphore(self.settings.max_writing)

    def share(self, shop: Shop) -> None:
        """Share answers with other processes that serve the same catalogue, if there is a cache for that."""
        shared, room = shop.shared_cache, self.settings.results_bytes
        if shared is None:
            return
        shared.on_outage = self.metrics.cache_outages.inc
        if room:
            place = f"answers:{__version__}:{shop.answers_name}:"
            self.kept = KeptAnswers(wiring.make_cache(room, shared, place), self.metrics)

    @contextmanager
    def fetching(self, count: int) -> Iterator[None]:
        """Hold a place while `count` pictures are got from the web, if any; raise Overloaded if all places are taken.

        Threads are few: slow web servers must not be able to keep all of them from those who search without.
        """
        if count and not self._fetching.acquire(blocking=False):
            raise Overloaded(
                "too many searches wait for pictures from the web: service.max_fetching allows no more",
                retry_after_s=1.0,
            )
        try:
            yield
        finally:
            if count:
                self._fetching.release()

    @contextmanager
    def writing(self, wait_s: float | None = PATIENCE_S) -> Iterator[None]:
        """Hold a place while products are changed; raise Overloaded if there is none within `wait_s`, None for any time.

        Changes of one product wait for each other, perhaps for a slow picture: those who search must not wait with them.
        """
        if not self._writing.acquire(timeout=wait_s):
            raise Overloaded(
                "too many changes of products are worked on: service.max_writing allows no more",
                retry_after_s=1.0,
            )
        try:
            yield
        finally:
            self._writing.release()

    def batched(self, encoder: Encoder) -> Encoder:
        """Return an encoder that encodes for several requests at once, and is counted: `query_encoder` of a shop."""
        batching = BatchingEncoder(encoder, self.settings.batching, self.metrics.encoded)
        self.queries += (batching,)
        return batching

    def looked(self, moment: float) -> None:
        """Note that all that was written before a moment (Unix time) is searchable here."""
        self.fresh = moment
        self.metrics.looked(self.shop, self._waiting(), moment)

    def _waiting(self) -> Mapping[str, int]:
        waiting: Counter[str] = Counter()
        for encoder in self.queries:
            waiting.update(encoder.waiting())
        return waiting

    def metrics_page(self) -> bytes:
        """Return everything that is counted, in the text format of Prometheus."""
        return self.metrics.page(self.shop, self._waiting())

    def close(self) -> None:
        """Let go of the shop; what still waits to be encoded has a moment, as nobody waits for it any more."""
        for encoder in self.queries:
            encoder.close(PATIENCE_S)
        if self.shop is not None:
            self.shop.close()
        if self.tracing is not None:
            self.tracing.close()


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
    return written_response(orjson.dumps(content), status)


def written_response(content: bytes, status: int = 200) -> Response:
    """Return an answer that is in JSON already."""
    return Response(content, status, media_type="application/json")


def product_response(shop: Shop, id_: str, *, otherwise: str) -> Response:
    """Return a product with all its fields; raise the error that there is none called `otherwise`."""
    product = shop.get([id_]).get(id_)
    if product is None:
        raise no_product(otherwise)
    return json_response(product_of(product, list(FIELDS)))


def tagged_response(request: Request, content: bytes, media_type: str, tag: str, cache: str) -> Response:
    """Return content by its tag, or 304 to a caller that holds it already (If-None-Match); `cache` is Cache-Control."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": cache}
    held = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in held or "*" in held:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


class _OrjsonRequest(Request):
    refused: Refused | None = None

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            most = self.app.state.service.settings.max_json_values
            try:
                self._json = read_json(await self.body(), most)
            except Refused as refused:
                self.refused = refused
                raise
        return self._json

    def form(self, **limits: Any) -> Any:
        # A field may hold a photo, as a data URI; bodies as a whole are bounded already.
        most = self.app.state.service.settings.bounds.max_body_bytes
        return super().form(**{"max_part_size": most, **limits})


_PLAIN: Final = "application/x-www-form-urlencoded"
_NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]{0,39}=")


@dataclass(frozen=True, slots=True)
class _Body:
    """What the body of a request has to be called, and how to send it so."""

    called: re.Pattern[str]
    what: str
    remedy: str

    def check(self, headers: Headers) -> None:
        """Raise Refused for a body that is called something else: it would be taken for none."""
        given = headers.get("content-type", "").partition(";")[0].strip().lower()
        empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        if self.called.fullmatch(given) or (empty and not given):
            return
        raise self.refused(f"is called {shown(given)}" if given else "has no Content-Type")

    def refused(self, said: str) -> Refused:
        """Return the error for a body of which so much can be said."""
        message = f"this takes {self.what}, and the body {said}"
        return Refused(415, "content_type", message, hint=self.remedy, field="Content-Type")

    async def check_fields(self, request: Request) -> None:
        """Raise Refused for what is called a form and begins with no name of a field: curl calls whatever it sends so."""
        if not request.headers.get("content-type", "").lower().startswith(_PLAIN):
            return
        body = await request.body()
        if body and not _NAME.match(body):
            raise self.refused(f"is called {_PLAIN}, and holds no fields")


_JSON: Final = _Body(
    re.compile(r"application/(json|.*\+json)"),
    "JSON",
    "Send the header Content-Type: application/json (curl: -H 'Content-Type: application/json').",
)
_FORM: Final = _Body(
    re.compile(r"multipart/form-data|application/x-www-form-urlencoded"),
    "a form (multipart/form-data)",
    "Send fields, such as curl -F image=@photo.jpg -F limit=5; POST /v1/search takes JSON.",
)


def _body_of(route: APIRoute) -> _Body | None:
    if route.body_field is None:
        return None
    return _FORM if isinstance(route.body_field.field_info, params.Form) else _JSON


class JsonRoute(APIRoute):
    """A route whose JSON is read by orjson, which refuses NaN, half characters and endless nesting as malformed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        takes = _body_of(self)

        async def read_and_answer(request: Request) -> Response:
            read = _OrjsonRequest(request.scope, request.receive)
            if takes is not None:
                takes.check(request.headers)
            try:
                if takes is _FORM:
                    await takes.check_fields(read)
                return await answer(read)
            except HTTPException:  # what FastAPI makes of any error in reading a body
                if read.refused is None:
                    raise
                raise read.refused from None

        return read_and_answer
