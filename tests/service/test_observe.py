"""What operators see of the service: ids, lines, numbers, health, and what happens when something breaks."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from prometheus_client import Histogram
from prometheus_client.mmap_dict import MmapedDict
from starlette.testclient import TestClient

import lookalike
from lookalike.core.errors import CatalogError, EncoderMismatch, InputError, LookalikeError, Overloaded
from lookalike.core.query import SearchResult
from lookalike.service.app import admit, create_app
from lookalike.service.observe import JsonLines, Metrics
from lookalike.service.schemas_answers import ColumnsAnswer, Stats
from lookalike.service.search_log import EventSettings
from lookalike.service.settings import ServiceSettings
from lookalike.service.workers import METRICS_FOLDER
from lookalike.settings import Settings, read_settings


@pytest.fixture
def fresh(drawn_place: Path) -> TestClient:
    """The service before its shop is open."""
    settings = ServiceSettings(events=EventSettings(enabled=False))
    return TestClient(create_app(None, settings), raise_server_exceptions=False)


def test_ready_once_the_shop_is_open(fresh: TestClient, drawn_place: Path) -> None:
    assert fresh.get("/healthz").json() == {"ok": True}
    assert fresh.get("/metrics").status_code == 200
    for path in ("/readyz", "/v1/stats", "/v1/search/text?q=x"):
        early = fresh.get(path)
        assert (early.status_code, early.json()["error"]["code"]) == (503, "starting")
        assert early.headers["retry-after"] == "1"
    with lookalike.open(drawn_place, local_files=False) as shop:
        admit(fresh.app, shop)  # type: ignore[arg-type]
        assert fresh.get("/readyz").json() == {"ok": True}
        assert fresh.get("/v1/search/text?q=x").status_code == 200


def test_a_shop_that_reads_files_is_not_served(drawn: lookalike.Shop) -> None:
    with pytest.raises(InputError, match="cannot be served") as caught:
        create_app(drawn, ServiceSettings())
    assert "local_files=False" in caught.value.hint


def test_request_ids(served: TestClient) -> None:
    def id_for(given: str) -> str:
        return served.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]

    assert id_for("shop-7.a_B") == "shop-7.a_B"
    assert id_for("two words") != "two words"
    assert id_for("x" * 65) != "x" * 65
    made = [served.get("/healthz").headers["x-request-id"] for _ in range(3)]
    assert len(set(made)) == 3
    assert served.get("/v1/none", headers={"X-Request-ID": "a1"}).json()["error"]["request_id"] == "a1"


def test_one_line_per_request_without_what_was_asked(
    served: TestClient, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "lookalike.access"):
        answer = served.get("/v1/search/text", params={"q": "secretphrase", "limit": 2}).json()
        served.post("/v1/search/image", files={"image": photo}, headers={"Authorization": "Bearer secretkey"})
        served.put("/v1/products/D1", json={"titel": "secretbody"})
    lines = [JsonLines().format(record) for record in caplog.records if record.name == "lookalike.access"]
    assert len(lines) == 3
    assert not any("secret" in line or "\n" in line for line in lines)
    first = json.loads(lines[0])
    assert first | {"level": "info", "method": "GET", "route": "/v1/search/text", "status": 200} == first
    assert first | {"search": "text", "search_id": answer["search_id"], "results": 2} == first
    assert first["took_ms"] > 0
    assert json.loads(lines[2])["route"] == "/v1/products/{id}"


def test_metrics(drawn_place: Path) -> None:
    settings = ServiceSettings(events=EventSettings(enabled=False))
    with lookalike.open(drawn_place, local_files=False) as shop:
        client = TestClient(create_app(shop, settings))
        client.get("/v1/search/text?q=lamp&limit=3")
        client.get("/v1/search/text?q=lamp&price_max=0")
        client.get("/v1/products/D00001/similar")
        client.get("/v1/products/D00002/similar")
        client.get("/v1/products/nope/similar")
        client.request("BREW", "/v1/whatever")
        page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    held = dict(line.rsplit(" ", 1) for line in page.text.splitlines() if not line.startswith("#"))
    requests = "lookalike_requests_total"
    similar = 'method="GET",route="/v1/products/{id}/similar"'
    assert held[f'{requests}{{{similar},status="200"}}'] == "2.0"
    assert held[f'{requests}{{{similar},status="404"}}'] == "1.0"
    assert held[f'{requests}{{method="other",route="none",status="404"}}'] == "1.0"
    assert held['lookalike_search_seconds_count{stage="total",type="text"}'] == "2.0"
    assert held['lookalike_search_seconds_count{stage="encode",type="similar"}'] == "2.0"
    assert held['lookalike_search_results_sum{type="text"}'] == "3.0"
    assert held['lookalike_search_zero_results_total{type="text"}'] == "1.0"
    assert held['lookalike_search_diversity_count{type="text"}'] == "1.0"  # nothing found has none
    assert held['lookalike_search_diversity_count{type="similar"}'] == "2.0"
    assert held["lookalike_searches_logged_total"] == held["lookalike_searches_dropped_total"] == "0.0"
    assert held["lookalike_products"] == "92.0"
    assert float(held["lookalike_snapshot_sequence"]) > 0


def test_what_counts_a_search_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, looked_up = Metrics(), []
    labels = Histogram.labels

    def counted(self: Histogram, *values: str) -> Histogram:
        looked_up.append(values)
        return labels(self, *values)

    monkeypatch.setattr(Histogram, "labels", counted)
    result = SearchResult((), 0, "exact", {"encode": 1.0, "total": 2.0}, {}, None, "seq-1")
    for kind in ("text", "image", "text", "image", "text"):
        metrics.searched(kind, result, 0.5)
    assert sorted(looked_up) == sorted(
        labels
        for kind in ("text", "image")
        for labels in ((kind, "encode"), (kind, "total"), (kind,), (kind,))
    )
    page = metrics.page(None, {}).decode()
    assert 'lookalike_search_seconds_count{stage="total",type="text"} 3.0' in page
    assert 'lookalike_search_seconds_sum{stage="encode",type="image"} 0.002' in page
    assert 'lookalike_search_results_count{type="image"} 2.0' in page
    assert 'lookalike_search_diversity_sum{type="text"} 1.5' in page


def test_a_worker_that_just_begins_does_not_break_the_metrics_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    monkeypatch.setenv(METRICS_FOLDER, str(tmp_path))
    MmapedDict(str(tmp_path / "counter_1.db")).close()  # made, and nothing counted yet
    (tmp_path / "counter_2.db").touch()  # made, and without its size yet
    assert metrics.answered() == {}
    assert metrics.recalls() == []
    assert metrics.page(None, {}) == b""


def test_queries_are_encoded_through_the_batches_that_are_counted(drawn_place: Path) -> None:
    app = create_app(None, ServiceSettings(events=EventSettings(enabled=False)))
    state = app.state.service
    try:
        admit(app, lookalike.open(drawn_place, local_files=False, query_encoder=state.batched))
        client = TestClient(app)
        for phrase in ("lamp", "vase", "lamp"):  # the third is remembered
            assert client.get("/v1/search/text", params={"q": phrase}).status_code == 200
        assert client.get("/v1/products/D00001/similar").status_code == 200  # its vectors are in the shop
        held = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
    finally:
        state.close()
    assert held['lookalike_encode_batch_size_sum{kind="texts"}'] == "2.0"
    assert held['lookalike_encode_wait_seconds_count{kind="texts"}'] == "2.0"
    assert held['lookalike_encode_waiting{kind="texts"}'] == "0.0"
    assert 'lookalike_encode_batch_size_sum{kind="images"}' not in held
    with pytest.raises(LookalikeError, match="closed"):
        state.queries[0].encode_texts(["too late"])


def test_stats_and_columns(served: TestClient) -> None:
    stats = served.get("/v1/stats").json()
    Stats.model_validate(stats)
    assert (stats["products"], stats["encoder"]["name"]) == (92, "builtin")
    assert stats["versions"]["lookalike"] == lookalike.__version__
    assert stats["spaces"]["image"]["exact"] and stats["spaces"]["image"]["vectors"] >= 92
    assert 0 <= stats["stale_s"] < 60
    assert served.get("/v1/stats").json()["requests"]["/v1/stats"]["200"] >= 1
    columns = served.get("/v1/columns").json()
    ColumnsAnswer.model_validate(columns)
    types = {column["name"]: column["types"] for column in columns["columns"]}
    assert (types["price"], types["category"], types["added"]) == (["number"], ["text"], ["date"])
    assert types["availability"] == ["true/false"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("password of the database"), (500, "internal", None)),
        (CatalogError("password of the database"), (503, "catalog", "1")),
        (EncoderMismatch("made by another", hint="Index anew."), (409, "encoder_mismatch", None)),
        (Overloaded("too much waits", retry_after_s=2.5), (429, "overloaded", "3")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_breaks_inside(
    served: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    expected: tuple[int, str, str | None],
) -> None:
    def broken(self: lookalike.Shop, questions: object) -> None:
        raise error

    monkeypatch.setattr(lookalike.Shop, "search_each", broken)
    response = served.get("/v1/search/text?q=x", headers={"X-Request-ID": "r1"})
    told = response.json()["error"]
    assert (response.status_code, told["code"], response.headers.get("retry-after")) == expected
    assert told["request_id"] == "r1"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "password" not in response.text
    if response.status_code >= 500:  # but the operator finds it, by the id
        [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert record.request_id == "r1"  # type: ignore[attr-defined]
        assert "password" in JsonLines().format(record)


def test_settings_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setenv("LOOKALIKE_SETTINGS", str(file))
    file.write_text("workers = 3\n[service]\nmax_rows = 7\n[service.bounds]\nmax_requests = 5\n")
    assert (Settings().workers, ServiceSettings().max_rows) == (3, 7)
    assert ServiceSettings().bounds.max_requests == 5
    monkeypatch.setenv("LOOKALIKE_SERVICE__MAX_ROWS", "9")
    assert ServiceSettings().max_rows == 9
    assert Settings().workers == 3
    monkeypatch.setenv("LOOKALIKE_SERVICE__MAX_ROWS", "none")
    with pytest.raises(InputError, match=r"setting service\.max_rows") as caught:
        read_settings(ServiceSettings)
    assert "LOOKALIKE_SERVICE__MAX_ROWS" in caught.value.hint
    monkeypatch.delenv("LOOKALIKE_SERVICE__MAX_ROWS")
    for wrong, says in (("[service]\nmax_rowz = 1", "service.max_rowz"), ("service = 3", "no table")):
        file.write_text(wrong)
        with pytest.raises(InputError, match=says):
            read_settings(ServiceSettings)
