"""What operators see: a request id on everything, one JSON line per request, and metrics for Prometheus.

No line and no label holds a query, a picture, a key or a body, and labels take few values: routes by their template.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, time
from typing import Any, Final
from uuid import uuid4

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.api import Shop
from lookalike.core.query import SearchResult
from lookalike.service.workers import METRICS_FOLDER

access_log = logging.getLogger("lookalike.access")
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)
_SHARES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COUNTS: Final = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._children: dict[tuple[Histogram, tuple[str, ...]], Histogram] = {}
        self.requests = Counter(
            "lookalike_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self.request_seconds = Histogram(
            "lookalike_request_seconds",
            "Time to answer, by route.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.search_seconds = Histogram(
            "lookalike_search_seconds",
            "Time of a search, by what was asked and stage.",
            ("type", "stage"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.results = Histogram(
            "lookalike_search_results",
            "Products a search returned.",
            ("type",),
            buckets=_COUNTS,
            registry=registry,
        )
        self.kept_answers = Counter(
            "lookalike_kept_answers",
            "Searches looked up among the answers that are kept: hit, miss, or joined where an equal one was being answered.",
            ("outcome",),
            registry=registry,
        )
        self.cache_outages = Counter(
            "lookalike_cache_outages",
            "Times that the shared cache was found to be gone or slow.",
            registry=registry,
        )
        self.zero_results = Counter(
            "lookalike_search_zero_results",
            "Searches that found nothing.",
            ("type",),
            registry=registry,
        )
        self.batch_size = Histogram(
            "lookalike_encode_batch_size",
            "Pictures or phrases of queries encoded at once.",
            ("kind",),
            buckets=_SIZES,
            registry=registry,
        )
        self.batch_wait_seconds = Histogram(
            "lookalike_encode_wait_seconds",
            "How long the first picture or phrase of a batch waited.",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.waiting = Gauge(
            "lookalike_encode_waiting",
            "Pictures or phrases of queries that wait to be encoded.",
            ("kind",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.diversity = Histogram(
            "lookalike_search_diversity",
            "Share of pairs of results whose main categories differ.",
            ("type",),
            buckets=_SHARES,
            registry=registry,
        )
        self.recall = Histogram(
            "lookalike_recall_at_10",
            "Share of the true first ten that a search found, by what it was told by and the share of products that matched.",
            ("plan", "selectivity"),
            buckets=_SHARES,
            registry=registry,
        )
        self.shadows = Counter(
            "lookalike_shadow_searches",
            "Searches chosen to be repeated exactly: measured, or why not.",
            ("outcome",),
            registry=registry,
        )
        self.events = Counter(
            "lookalike_events", "Events that clients reported.", ("action",), registry=registry
        )
        self.searches_logged = Counter(
            "lookalike_searches_logged", "Searches written to the log.", registry=registry
        )
        self.searches_dropped = Counter(
            "lookalike_searches_dropped",
            "Searches not logged: too many waited, or they could not be written.",
            registry=registry,
        )
        self.products = Gauge(
            "lookalike_products",
            "Products in the catalogue.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.sequence = Gauge(
            "lookalike_snapshot_sequence",
            "How far in the sequence of changes searches have come, in the worker that is furthest.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.fresh = Gauge(
            "lookalike_fresh_timestamp_seconds",
            "What was written before this moment (Unix time) is searchable, in every worker.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.fresh.set(time())  # before there is a shop, nothing is out of date

    def searched(self, kind: str, result: SearchResult, diversity: float | None) -> None:
        """Count one search; `diversity` is that of its hits, see `core.clicks`."""
        for stage, took_ms in result.took_ms.items():
            self._child(self.search_seconds, kind, stage).observe(took_ms / 1e3)
        self._child(self.results, kind).observe(len(result.hits))
        if diversity is not None:
            self._child(self.diversity, kind).observe(diversity)
        if not result.hits:
            self.zero_results.labels(kind).inc()

    def _child(self, histogram: Histogram, *labels: str) -> Histogram:
        """Return what counts under these labels, looked up once: kinds of requests and stages are few."""
        key = histogram, labels
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = histogram.labels(*labels)
        return child

    def encoded(self, kind: str, size: int, waited_s: float) -> None:
        """Count one batch of queries on its way to the encoder."""
        self.batch_size.labels(kind).observe(size)
        self.batch_wait_seconds.labels(kind).observe(waited_s)

    def looked(self, shop: Shop | None, waiting: Mapping[str, int], moment: float) -> None:
        """Note what is so right now; done often, as another worker may be asked for all of it."""
        self.fresh.set(moment)
        self._now(shop, waiting)

    def _now(self, shop: Shop | None, waiting: Mapping[str, int]) -> None:
        for kind, count in waiting.items():
            self.waiting.labels(kind).set(count)
        if shop is not None:
            self.sequence.set(shop.sequence)

    def page(self, shop: Shop | None, waiting: Mapping[str, int]) -> bytes:
        """Return everything in the text format of Prometheus; `waiting` counts what is to be encoded, by kind.

        Of several workers, that is all of them together.
        """
        self._now(shop, waiting)
        if shop is not None:
            self.products.set(len(shop))
        return generate_latest(self._all_workers())

    def answered(self) -> dict[str, dict[str, int]]:
        """Return how many requests were answered since the start, by route and status; of several workers, all together."""
        counted: dict[str, dict[str, int]] = {}
        for metric in self._all_workers().collect():
            for sample in metric.samples if metric.name == "lookalike_requests" else ():
                if sample.name.endswith("_total"):
                    statuses = counted.setdefault(sample.labels["route"], {})
                    status = sample.labels["status"]
                    statuses[status] = statuses.get(status, 0) + int(sample.value)
        return counted

    def recalls(self) -> list[dict[str, Any]]:
        """Return the recall measured since the start, by plan and selectivity; of several workers, all together."""
        measured: dict[tuple[str, str], dict[str, float]] = {}
        for metric in self._all_workers().collect():
            for sample in metric.samples if metric.name == "lookalike_recall_at_10" else ():
                place = sample.labels["plan"], sample.labels["selectivity"]
                if sample.name.endswith(("_sum", "_count")):
                    measured.setdefault(place, {})[sample.name.rpartition("_")[2]] = sample.value
        return [
            {
                "plan": plan,
                "selectivity": selectivity,
                "measured": int(found["count"]),
                "recall_at_10": found["sum"] / found["count"],
            }
            for (plan, selectivity), found in sorted(measured.items())
            if found["count"]
        ]

    def _all_workers(self) -> CollectorRegistry:
        if METRICS_FOLDER not in os.environ:
            return self.registry
        together = CollectorRegistry()
        _Begun(together)
        return together


class _Begun(MultiProcessCollector):
    """Collects from the files of all workers but those still empty: a worker makes a file first, and gives it its size then."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(os.environ[METRICS_FOLDER]).glob("*.db") if _bytes_of(file)]
        return self.merge(files, accumulate=True)  # type: ignore[no-any-return,no-untyped-call]


def _bytes_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # of a worker whose end was noted just now
        return 0


class Observed:
    """The outermost middleware: names each request, times it, counts it and writes its line."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status, sent_bytes, started = 500, 0, perf_counter()

        async def named(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                named_headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": named_headers}
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            self._book(scope, status, sent_bytes, perf_counter() - started)

    def _book(self, scope: Scope, status: int, sent_bytes: int, took_s: float) -> None:
        route = getattr(scope.get("route"), "path_format", None)
        method = scope["method"] if scope["method"] in _METHODS else "other"  # as a label it could be endless
        self.metrics.requests.labels(method, route or "none", str(status)).inc()
        self.metrics.request_seconds.labels(route or "none").observe(took_s)
        line = {
            "method": scope["method"],
            "path": scope["path"],
            "route": route,
            "status": status,
            "took_ms": round(took_s * 1e3, 2),
            "sent_bytes": sent_bytes,
            "key_id": scope["state"].get("key_id"),
            **scope["state"].get("trace", {}),
            **scope["state"].get("search", {}),
        }
        access_log.info("request", extra={"request_id": scope["state"]["request_id"], "request": line})


def _request_id(scope: Scope) -> str:
    """Return the caller's own id for a request, if it is a sane one, or make one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    text = given.decode("latin-1")
    return text if _SANE_ID.fullmatch(text) else uuid4().hex


class JsonLines(logging.Formatter):
    """Writes each record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        line |= getattr(record, "request", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_json_lines(level: int = logging.INFO) -> None:
    """Let everything this process logs go to standard error, one JSON object a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it says which of its builds it loads
