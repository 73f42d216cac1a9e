"""Traces as a collector gets them: a real one, over HTTP, that reads what the real service sends."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.testclient import TestClient

import lookalike
from lookalike.core.errors import InputError
from lookalike.service.app import create_app
from lookalike.service.observe import JsonLines
from lookalike.service.process import open_tracing
from lookalike.service.search_log import EventSettings
from lookalike.service.settings import ServiceSettings
from running import PATIENCE_S, running

STAGES = ["encode", "allow", "rank", "diversify", "enrich"]
CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
"""A trace and the span in it that calls us."""


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and keeps the bodies by the path they were sent to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.bodies: list[tuple[str, bytes]] = []

    @property
    def env(self) -> dict[str, str]:
        """The variables that let a service send here, soon, past any proxy."""
        address = f"http://127.0.0.1:{self.server_address[1]}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "100", "NO_PROXY": "*"}

    def sent(self) -> ExportTraceServiceRequest:
        """Return all that was sent, as one message."""
        assert {path for path, _ in self.bodies} <= {"/v1/traces"}
        whole = ExportTraceServiceRequest()
        for _, body in self.bodies:
            whole.MergeFromString(body)
        return whole

    def spans(self) -> list[Span]:
        """Return every span, those of one process in the order of their ends."""
        return [s for r in self.sent().resource_spans for scope in r.scope_spans for s in scope.spans]


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        assert self.headers["Content-Type"] == "application/x-protobuf"
        self.server.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    with Collector() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def traced(place: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Serve a shop with traces, which have been sent once the block has ended."""
    for name, value in collector.env.items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings(events=EventSettings(enabled=False))
    app = create_app(lookalike.open(place, create=False, local_files=False), settings, tracing=open_tracing())
    try:
        yield TestClient(app, raise_server_exceptions=False)
    finally:
        app.state.service.close()


def told(span: Span) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


def below(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if span.parent_span_id == parent.span_id]


def test_a_search_is_a_request_a_search_and_its_stages(
    drawn_place: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = {"traceparent": f"00-{'-'.join(CALLER)}-01"}
    with (
        caplog.at_level(logging.INFO, "lookalike.access"),
        traced(drawn_place, collector, monkeypatch) as client,
    ):
        answer = client.get("/v1/search/text?q=lamp&limit=3&price_max=50", headers=headers).json()
    spans = collector.spans()
    *stages, search, request = spans
    assert (request.name, request.kind) == ("GET /v1/search/text", Span.SPAN_KIND_SERVER)
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == CALLER
    assert told(request) == {
        "http.request.method": "GET",
        "http.route": "/v1/search/text",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    assert below(spans, request) == [search] and search.name == "search"
    assert told(search) == {
        "lookalike.kind": "text",
        "lookalike.k": 3,
        "lookalike.plan": "exact",
        "lookalike.matched": answer["matched"],
        "lookalike.results": len(answer["results"]),
    }
    assert below(spans, search) == stages and [stage.name for stage in stages] == STAGES
    assert {span.trace_id for span in spans} == {request.trace_id}
    assert {span.status.code for span in spans} == {Status.STATUS_CODE_UNSET}
    # Each lies within what it is a part of, stages end to end, as long as the answer says.
    assert request.start_time_unix_nano <= search.start_time_unix_nano
    assert search.end_time_unix_nano <= request.end_time_unix_nano
    assert stages[0].start_time_unix_nano == search.start_time_unix_nano
    assert stages[-1].end_time_unix_nano <= search.end_time_unix_nano + 10
    for one, following in pairwise(stages):
        assert one.end_time_unix_nano == following.start_time_unix_nano
    for span in (search, *stages):
        took_ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        said = answer["took_ms"]["total" if span is search else span.name]
        assert took_ms == pytest.approx(said, abs=0.001)
    [line] = [
        json.loads(JsonLines().format(each)) for each in caplog.records if each.name == "lookalike.access"
    ]
    assert line["trace_id"] == CALLER[0] and line["search_id"] == answer["search_id"]


def test_every_request_has_a_span_and_errors_of_ours_are_marked(
    drawn_place: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, photo: bytes
) -> None:
    def broken(self: lookalike.Shop, questions: object) -> None:
        raise RuntimeError("secretpassword")

    with traced(drawn_place, collector, monkeypatch) as client:
        client.get("/healthz")
        client.post("/v1/search/image", files={"image": photo})
        client.get("/v1/products/D00001/similar", headers={"traceparent": "00-nonsense-01"})
        client.get("/v1/products/nope/similar")
        client.get("/v1/nothing/here")
        client.request("BREW", "/v1/whatever")
        queries = [{"parts": [{"text": "vase"}], "limit": 2}, {"parts": 7}, {"parts": [{"text": "mug"}]}]
        client.post("/v1/search/batch", json={"queries": queries})
        monkeypatch.setattr(lookalike.Shop, "search_each", broken)
        client.get("/v1/search/text?q=lamp")
    spans = collector.spans()
    requests = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    found = [
        (span.name, told(span)["http.response.status_code"], len(below(spans, span))) for span in requests
    ]
    assert found == [
        ("GET /healthz", 200, 0),
        ("POST /v1/search/image", 200, 1),
        ("GET /v1/products/{id}/similar", 200, 1),
        ("GET /v1/products/{id}/similar", 404, 0),
        ("GET", 404, 0),
        ("HTTP", 404, 0),
        ("POST /v1/search/batch", 200, 2),  # the query that is wrong was never searched for
        ("GET /v1/search/text", 500, 0),
    ]
    assert told(requests[5])["http.request.method"] == "_OTHER"
    assert not any(request.parent_span_id for request in requests)  # no caller, or one that makes no sense
    assert len({request.trace_id for request in requests}) == len(requests)
    first, second = below(spans, requests[6])
    assert [told(span)["lookalike.k"] for span in (first, second)] == [2, 10]
    assert first.end_time_unix_nano <= second.start_time_unix_nano
    assert [[stage.name for stage in below(spans, span)] for span in (first, second)] == [STAGES, STAGES]
    failed = [span for span in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert failed == [requests[-1]] and told(failed[0])["error.type"] == "500"
    assert not failed[0].events and not failed[0].status.message
    assert not any(b"secret" in body for _, body in collector.bodies)


def test_an_answer_that_was_kept_has_no_stages_of_a_search(
    drawn_place: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(drawn_place, collector, monkeypatch) as client:
        for _ in range(2):
            assert client.get("/v1/search/text?q=lamp").status_code == 200
    spans = collector.spans()
    searches = [span for span in spans if span.name == "search"]
    assert [[each.name for each in below(spans, search)] for search in searches] == [STAGES, ["cache"]]
    assert told(searches[0]) == told(searches[1])


def test_a_caller_that_is_not_sampled_gets_no_spans_but_the_line_in_the_log(
    drawn_place: Path,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = {"traceparent": f"00-{'-'.join(CALLER)}-00"}
    with (
        caplog.at_level(logging.INFO, "lookalike.access"),
        traced(drawn_place, collector, monkeypatch) as client,
    ):
        assert client.get("/v1/search/text?q=lamp", headers=headers).status_code == 200
    assert collector.bodies == []
    [record] = [each for each in caplog.records if each.name == "lookalike.access"]
    assert json.loads(JsonLines().format(record))["trace_id"] == CALLER[0]


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_every_worker_sends_its_spans_and_nothing_that_was_asked(
    drawn_place: Path, tmp_path: Path, collector: Collector, photo: bytes
) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    env = collector.env | {
        "OTEL_BSP_SCHEDULE_DELAY": "600000",  # so that all is sent at the end
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",  # FastAPI's own would tell the query
    }
    asked: dict[int, str] = {}
    with running(place, "--workers", "2", env=env) as (process, address):

        def ask(path: str, body: bytes | None = None, **headers: str) -> Any:
            request = urllib.request.Request(address + path, body, headers)
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return json.load(response)

        until = monotonic() + PATIENCE_S
        while len(asked) < 2 and monotonic() < until:  # whoever accepts the connection answers
            trace = uuid4().hex
            stats = ask("/v1/stats", traceparent=f"00-{trace}-{CALLER[1]}-01")
            asked[stats["pid"]] = trace
        search = "/v1/search/text?q=secretphrase&client_id=secretclient&brand=secretbrand"
        secrets = {"X-API-Key": "lk_secretkey", "X-Client-ID": "secretclient", "User-Agent": "secretagent"}
        ask(search, **secrets)
        form = b'--b\r\nContent-Disposition: form-data; name="image"; filename="secretfile"\r\n\r\n'
        ask(
            "/v1/search/image",
            form + photo + b"\r\n--b--\r\n",
            **{"Content-Type": "multipart/form-data; boundary=b"},
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert len(asked) == 2
    spans = collector.spans()
    assert set(asked.values()) <= {span.trace_id.hex() for span in spans}
    assert {"GET /v1/search/text", "POST /v1/search/image"} <= {span.name for span in spans}
    for each in collector.sent().resource_spans:
        resource = {pair.key: pair.value.string_value for pair in each.resource.attributes}
        assert (resource["service.name"], resource["deployment.environment.name"]) == ("lookalike", "test")
    for _, body in collector.bodies:
        assert b"secret" not in body and photo[:64] not in body and b"127.0.0.1" not in body
    lines = [json.loads(line) for line in place.with_suffix(".log").read_text().splitlines()]
    logged = {line["trace_id"] for line in lines if line["logger"] == "lookalike.access"}
    assert logged == {span.trace_id.hex() for span in spans if span.kind == Span.SPAN_KIND_SERVER}


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_a_collector_that_is_not_there_holds_up_nobody(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with Collector() as gone:
        env = gone.env
    with running(place, env=env) as (process, address):
        with urllib.request.urlopen(f"{address}/v1/products/D00001/similar", timeout=PATIENCE_S) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert "closing took longer" not in place.with_suffix(".log").read_text()


LOADED = """
import sys
from lookalike.service.process import Served, open_tracing
from lookalike.service.settings import ServiceSettings
app, _ = Served("shop.db", None, "127.0.0.1", ServiceSettings()).build()
assert app.state.service.tracing is open_tracing() is None
print([name for name in sys.modules if name.startswith(("opentelemetry.", "lookalike.service.traces"))])
"""
ADDRESS = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ADDRESS, "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ADDRESS, "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["no variable", "empty", "disabled", "no exporter"],
)
def test_nothing_is_imported_where_traces_are_not_wanted(tmp_path: Path, env: dict[str, str]) -> None:
    # Newer versions of FastAPI import the interface (opentelemetry-api) by themselves; what matters is all that works.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}

    def loaded(program: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**plain, **env},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return set(json.loads(done.stdout.replace("'", '"')))

    by_fastapi = loaded(
        "import sys, fastapi\nfrom starlette.testclient import TestClient\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.')])"
    )
    assert not [
        name for name in by_fastapi if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))
    ]
    assert loaded(LOADED) <= by_fastapi


def test_without_the_package_the_error_says_how_to_install_it(drawn_place: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nsys.modules['opentelemetry.sdk'] = None\n"
        f"sys.argv = ['lookalike', 'serve', '--port', '0', '--shop', {str(drawn_place)!r}]\n"
        "from lookalike.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": ADDRESS},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert 'pip install "lookalike[otel]"' in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "'grpc'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "max_queue_size"),
    ],
)
def test_variables_that_make_no_sense(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ADDRESS)
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=says) as caught:
        open_tracing()
    assert "OTEL_" in caught.value.hint


def test_the_service_has_the_name_that_the_variables_say(
    drawn_place: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-search")
    with traced(drawn_place, collector, monkeypatch) as client:
        client.get("/healthz")
    [sent] = collector.sent().resource_spans
    names = {pair.key: pair.value.string_value for pair in sent.resource.attributes}
    assert names["service.name"] == "shop-search"
