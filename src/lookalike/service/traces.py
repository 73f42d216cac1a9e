"""Traces by OpenTelemetry: a span for each request, below it one for each search, below that one for each stage.

Imported only where traces are wanted, see `service.process`. Everything is configured by the variables OTEL_... that the SDK
reads. Spans hold methods, routes by their template, numbers and kinds: no path, query, picture, key, address or client, and
no message of an error, as those quote what was sent. Nothing is set globally: other libraries in the process send nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from http import HTTPMethod
from threading import Thread
from time import time_ns
from typing import Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, set_span_in_context
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike import __version__
from lookalike.core.errors import InputError
from lookalike.core.query import SearchResult

FLUSH_S: Final = 3.0
"""How long the last spans may take to be sent; a collector that does not answer must not hold up the end."""
_METHODS: Final = frozenset(method.value for method in HTTPMethod)
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Tracing:
    """What makes the spans of this process and sends them, in batches, by a thread of its own."""

    def __init__(self) -> None:
        """Begin, in the process that serves. Raises InputError for variables that make no sense."""
        protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "http/protobuf")
        if protocol != "http/protobuf":
            raise InputError(
                f"traces cannot be sent by {protocol!r}",
                hint="Set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf, which collectors take at port 4318.",
            )
        try:
            self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        except ValueError as error:
            raise InputError(
                f"traces are not configured well: {error}", hint="Correct the variables OTEL_..."
            ) from error
        self.tracer: Tracer = self._provider.get_tracer("lookalike", __version__)

    def searched(self, request: Request, kind: str, answered: Sequence[tuple[int, SearchResult]]) -> None:
        """Add the spans of searches that ended just now, one after the other, each as (k, result).

        Stages are laid end to end by the times that the results tell: queries of a batch are encoded together, and
        each is given its share.
        """
        span: Span = request.state.span
        if not span.is_recording():
            return
        below = set_span_in_context(span, Context())
        at_ns = time_ns() - sum(_ns(result.took_ms["total"]) for _, result in answered)
        for k, result in answered:
            at_ns = self._add_search(below, at_ns, result, {"lookalike.kind": kind, "lookalike.k": k})

    def _add_search(
        self, below: Context, begun_ns: int, result: SearchResult, asked: dict[str, str | int]
    ) -> int:
        """Add the span of one search and those of its stages; return when it ended."""
        told: dict[str, str | int] = {
            "lookalike.plan": result.plan,
            "lookalike.matched": result.matched,
            "lookalike.results": len(result.hits),
        }
        search = self.tracer.start_span("search", below, attributes={**asked, **told}, start_time=begun_ns)
        inside, at_ns = set_span_in_context(search, Context()), begun_ns
        for stage, took_ms in result.took_ms.items():
            if stage != "total":
                span = self.tracer.start_span(stage, inside, start_time=at_ns)
                at_ns += _ns(took_ms)
                span.end(at_ns)
        ended_ns = begun_ns + _ns(result.took_ms["total"])
        search.end(ended_ns)
        return ended_ns

    def close(self) -> None:
        """Send what is left, for at most `FLUSH_S`."""
        # The SDK would wait for as long as its exporter tries again.
        closing = Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        closing.start()
        closing.join(FLUSH_S)


class Traced:
    """The middleware around all others: one span per request, as the conventions for HTTP servers name things.

    It goes on with the trace of a caller that sends `traceparent`, and leaves its id for the request's line in the log.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        span = self._begin(scope)
        state = scope.setdefault("state", {})
        state["span"] = span
        state["trace"] = {"trace_id": format_trace_id(span.get_span_context().trace_id)}
        status: int | None = None
        error = ""

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except BaseException as raised:
            error = type(raised).__qualname__
            raise
        finally:
            _end(span, scope, status, error)

    def _begin(self, scope: Scope) -> Span:
        known = scope["method"] in _METHODS
        attributes = {
            "http.request.method": scope["method"] if known else "_OTHER",
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope.get("http_version", "1.1"),
        }
        caller = propagate.extract(Headers(scope=scope), Context())
        return self._tracer.start_span(_name(scope), caller, SpanKind.SERVER, attributes)


def _name(scope: Scope, route: str | None = None) -> str:
    method = scope["method"] if scope["method"] in _METHODS else "HTTP"
    return f"{method} {route}" if route else method


def _end(span: Span, scope: Scope, status: int | None, error: str) -> None:
    """End the span of a request; what the caller did wrong (4xx) is no error of the service."""
    route = getattr(scope.get("route"), "path_format", None)
    if route:
        span.set_attribute("http.route", route)
        span.update_name(_name(scope, route))
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if not error and (status is None or status >= 500):
        error = "no_response" if status is None else str(status)
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end()


def _resource() -> Resource:
    """Return what the variables say about this service; its name, if they do not say it, is lookalike."""
    said = Resource.create()
    if str(said.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return said.merge(Resource({SERVICE_NAME: "lookalike"}))
    return said


def _ns(took_ms: float) -> int:
    return round(took_ms * 1e6)
