"""Hostile pictures, addresses and requests, sent to the service over real connections.

None gets through: each is answered below 500 in the one shape of errors, in time, nothing in a private network was connected
to, and the service still works. That the witnesses would see it if something were, a control shows.
"""

from __future__ import annotations

import base64
import json
import resource
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
import pytest
from hostile_pictures import MARK, hostile_pictures, mutated, odd_pictures
from hostile_web import PRIVATE_NAMES, Canary, Internet, PictureServer, Witness, in_thread

import lookalike
from adapters.hostile_server import GOOD
from adapters.hostile_urls import PRIVATE, TRICKS
from lookalike.core.images import ImageLimits
from lookalike.core.limits import FetchLimits
from lookalike.service import wire
from lookalike.service.app import create_app, doors
from lookalike.service.bounds import Bounds
from lookalike.service.settings import ServiceSettings
from lookalike.settings import Settings
from waiting import serving

FETCH: Final = FetchLimits(
    max_bytes=200_000,
    connect_timeout_s=1.0,
    read_timeout_s=0.5,
    total_timeout_s=1.0,
    attempts=2,
    backoff_s=0.01,
    max_redirects=3,
)
SLOW_S: Final = 60.0
"""Longer than any answer may take, on a machine that has much else to do: what hangs, hangs for ever."""
MORE_MEMORY_KB: Final = 700_000


@dataclass
class World:
    """The service, two callers, the hostile server and the witnesses."""

    client: httpx2.Client
    port: int
    generous: httpx2.Client
    """Calls a service that lets URLs lead into private networks."""
    internet: Internet
    server: PictureServer
    canary: Canary
    witness: Witness

    @property
    def canary_port(self) -> int:
        return int(self.canary.server_port)

    def visits(self) -> tuple[int, list[tuple[str, int]]]:
        """Return how often the canary was called, and where this process connected to without leave."""
        return self.canary.visits, self.witness.elsewhere(*self.allowed)

    @property
    def allowed(self) -> tuple[int, ...]:
        generous = self.generous.base_url.port
        assert generous is not None
        return self.port, generous, int(self.server.server_port)

    def forget(self) -> None:
        self.canary.visits = 0
        self.witness.seen.clear()


def app_of(place: Path, **settings: Any) -> tuple[Any, lookalike.Shop]:
    shop = lookalike.open(
        place,
        create=False,
        local_files=False,
        settings=Settings(images=ImageLimits(max_bytes=3_000_000), fetch=FETCH, **settings),
        query_fetch=FETCH,
    )
    bounds = Bounds(upload_grace_s=0.7, max_body_bytes=20_000_000, max_bulk_bytes=20_000_000)
    service = ServiceSettings(bounds=bounds, max_images=4)
    return create_app(shop, service, doors(service, "127.0.0.1")), shop


@pytest.fixture(scope="module")
def world(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("hostile") / "own.db"))
    strict, shop = app_of(place)
    generous, other = app_of(place, allow_private_urls=True)
    canary, witness = Canary(), Witness()
    with (
        shop,
        other,
        in_thread(canary),
        PictureServer() as server,
        Internet(server.server_port).installed() as internet,
        serving(strict, access_log=False, ws="none", lifespan="off", http=wire.Wire) as port,
        serving(generous, access_log=False, ws="none", lifespan="off") as port2,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=200, trust_env=False) as client,
        httpx2.Client(base_url=f"http://127.0.0.1:{port2}", timeout=200, trust_env=False) as client2,
    ):
        witness.watching = True
        yield World(client, port, client2, internet, server, canary, witness)
        witness.watching = False


@pytest.fixture(autouse=True)
def unharmed(world: World) -> Iterator[None]:
    """After each test: nobody was called who should not be, and the service works."""
    world.forget()
    yield
    assert world.visits() == (0, [])
    assert world.client.get("/v1/search/text", params={"q": "red skirt"}).json()["results"]
    assert not MARK.exists()


def told(response: Any) -> dict[str, Any]:
    """Return the error of a refusal, having checked status, shape and time."""
    assert 400 <= response.status_code < 500, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    assert response.elapsed.total_seconds() < SLOW_S
    return shaped(response.json())


def shaped(body: dict[str, Any]) -> dict[str, Any]:
    """Return the error in a body, having checked its shape."""
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() - {"field", "position"} == {"code", "message", "remedy", "request_id"}
    assert all(error[name] for name in ("code", "message", "remedy", "request_id"))
    assert len(json.dumps(error)) < 3000
    assert "Traceback" not in error["message"] and "root:" not in error["message"]
    return error


def by_form(client: httpx2.Client, url: str) -> Any:
    return client.post("/v1/search/image", data={"image_url": url})


def by_json(client: httpx2.Client, url: str) -> Any:
    return client.post("/v1/search", json={"parts": [{"image": url}]})


def by_upload(client: httpx2.Client, data: bytes) -> Any:
    return client.post("/v1/search/image", files={"image": ("photo.jpg", data, "image/jpeg")})


def data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_however_written(world: World, host: str) -> None:
    for ask, url in (
        (by_form, f"http://{host}:{world.canary_port}/a.jpg"),
        (by_json, f"http://public.test@{host}:{world.canary_port}/a.jpg"),
        (by_json, f"http://{host}/latest/meta-data/"),
    ):
        assert told(ask(world.client, url))["code"] == "fetch"


@pytest.mark.parametrize("trick", TRICKS)
def test_urls_that_parsers_read_differently_reach_nothing(world: World, trick: str) -> None:
    for ask in (by_form, by_json):
        told(ask(world.client, trick.format(port=world.canary_port)))


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_names_of_private_addresses_are_refused(world: World, name: str) -> None:
    for ask, host in ((by_form, name), (by_json, f"{name}."), (by_json, f"public.test@{name.upper()}")):
        url = f"https://{host}:{world.canary_port}/a.jpg" if ask is by_form else f"http://{host}/a.jpg"
        assert "not a public address" in told(ask(world.client, url))["message"]


ODD_URLS = [
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "FILE:/etc/passwd",
    "/etc/passwd",
    "../../etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\127.0.0.1\\share\\a.jpg",
    "ftp://127.0.0.1/a.jpg",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "dict://127.0.0.1:{port}/info",
    "ldap://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}/a!/b",
    "javascript:alert(1)",
    "blob:http://127.0.0.1:{port}/a",
    "ws://127.0.0.1:{port}/",
    "s3://bucket/a.jpg",
    "php://filter/resource=/etc/passwd",
    "bytes:0123456789abcdef",
    "//127.0.0.1:{port}/a.jpg",
    "http://",
    "http://:{port}/",
    "http://public.test:99999/a.jpg",
    "http://public.test:-1/a.jpg",
    "http://public.test:0/nothing",
    "http://public.test:port/a.jpg",
    "http://nobody.test/a.jpg",
    "http://" + "a" * 5000 + ".test/",
    "http://a..b/",
    "http://public.test/missing/" + "x" * 50_000,
    "http://public.test/missing%0d%0aX-Evil:%20yes",
    "http://public.test/missing\r\nX-Evil: yes\r\n\r\nGET /x HTTP/1.1",
    "http://public.test\r\nX-Evil: yes/missing",
    "http://public.test/\0",
    "http://user:pass\r\nX-Evil: yes@public.test/missing",
    "http://[v1.public]/a.jpg",
    "http://xn--/a.jpg",
    "http://\u202epublic.test/a.jpg",
    "data:image/png;base64",
    "data:image/png;base64,####",
    "data:,",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
]


@pytest.mark.parametrize("url", ODD_URLS, ids=range(len(ODD_URLS)))
def test_odd_references_are_refused(world: World, url: str) -> None:
    for ask in (by_form, by_json):
        told(ask(world.client, url.replace("{port}", str(world.canary_port))))
    sent = [headers for path, headers in world.server.seen.items() if "missing" in path]
    assert not [name for headers in sent for name in headers if "evil" in name]


REACHED = [
    *(
        "127.0.0.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "localhost",
        "127.0.0.1.",
        "0",
    ),
    *(
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "loop.test",
        "six.test",
        "mapped.test",
        "public@127.0.0.1",
    ),
]


@pytest.mark.parametrize("host", REACHED)
def test_the_same_addresses_are_reached_where_that_is_allowed(world: World, host: str) -> None:
    """The control: the canary hears, the witness sees, and the answer is there."""
    url = f"http://{host}:{world.canary_port}/a.jpg"
    assert "not a public address" in told(by_form(world.client, url))["message"]
    assert world.visits() == (0, [])
    answer = by_form(world.generous, url)
    assert answer.status_code == 200 and answer.json()["results"]
    visits, connected = world.visits()
    assert visits >= 1
    assert world.canary_port in [port for _, port in connected]
    world.forget()


def test_addresses_that_are_public_are_reached(world: World) -> None:
    for host in ("public.test", "public6.test", "8.8.8.8", "[2606:4700:4700::1111]"):
        answer = by_json(world.client, f"http://{host}/good")
        assert answer.status_code == 200, answer.text


def test_products_are_written_without_pictures_of_private_addresses(world: World) -> None:
    hosts = [*PRIVATE, *PRIVATE_NAMES]
    rows = [
        {"id": f"H{n}", "title": "x", "images": [f"http://{host}:{world.canary_port}/a.jpg"]}
        for n, host in enumerate(hosts)
    ]
    answer = world.client.put("/v1/products", content="\n".join(map(json.dumps, rows)))
    told_of = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in told_of] == [row["id"] for row in rows]
    for line in told_of:
        shaped({"error": line["error"]})
    one = world.client.put("/v1/products/H0", json={**rows[0], "id": "H0"})
    assert one.json()["error"]["message"]
    assert world.client.get("/v1/products/H0/image").status_code == 404
    deleted = world.client.post("/v1/products/delete", json={"ids": [row["id"] for row in rows]})
    assert deleted.json()["deleted"] == len({line["id"] for line in told_of if line["status"] != "failed"})


# --- what changes between two looks -----------------------------------------------------------------------------------


def test_a_name_that_changes_its_address_gains_nothing(world: World) -> None:
    """What was looked at is what is connected to: one look per connection, so there is nothing between them."""
    for turn, path in enumerate(("html", f"to?http://rebind.test:{world.canary_port}/a.jpg", "silence")):
        world.internet.rebinding["rebind.test"] = [["8.8.8.8"], *[["127.0.0.1"]] * 5]
        world.internet.asked.clear()
        world.server.hits.clear()
        error = told(by_form(world.client, f"http://rebind.test:{8000 + turn}/{path}"))
        assert world.internet.asked["rebind.test"] == (1 if path == "html" else 2)
        assert ("not a public address" in error["message"]) == (path != "html")
        assert sum(world.server.hits.values()) == 1


HOME = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "loop.test",
    "six.test",
]
NEAR = [
    "10.0.0.1",
    "169.254.169.254",
    "metadata.google.internal",
    "[fd00::2]",
    "[fe80::1%25lo]",
    "mixed.test",
]
LEADING = [
    *(f"http://{host}:{{port}}/a.jpg" for host in [*HOME, *NEAR]),
    *("//127.0.0.1:{port}/a.jpg", "https://127.0.0.1:{port}/", "http://public.test@127.0.0.1:{port}/"),
    *(
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/a.jpg",
        "gopher://127.0.0.1:{port}/_x",
        "dict://127.0.0.1:{port}/",
    ),
    *(
        f"data:image/jpeg;base64,{base64.b64encode(GOOD).decode()}",
        "javascript:alert(1)",
        "http://[",
        "http://",
    ),
    *(
        "http:127.0.0.1:{port}",
        "\\\\127.0.0.1:{port}\\a",
        "/\\127.0.0.1:{port}/a",
        "http://127.0.0.1:{port}\\@public.test/",
    ),
]


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("target", LEADING)
def test_redirects_lead_nowhere_else(world: World, target: str, hops: int) -> None:
    url = target.replace("{port}", str(world.canary_port))
    for _ in range(hops):
        url = "http://redirects.public.test/to?" + quote(url)
    for ask in (by_form, by_json):
        assert told(ask(world.client, url))["code"] == "fetch"


# --- servers ----------------------------------------------------------------------------------------------------------

BAD_SERVERS = [
    *("loop", "loop2", "endless", "hop/9", "nowhere", "odd-status", "missing", "forbidden", "gone", "broken"),
    *("html", "html-as-jpeg", "json", "nothing", "no-content", "long-length", "huge-length", "absurd-length"),
    *("endless-body", "endless-chunks", "endless-head", "gzip-bomb", "gzip-nonsense", "gzip-twice", "brotli"),
    *("hang", "drip", "drip-head", "reset", "silence", "nonsense", "much-later"),
]


@pytest.mark.parametrize("path", BAD_SERVERS)
def test_servers_that_behave_badly_hold_nobody_up(world: World, path: str) -> None:
    host = path.replace("/", "-")  # a silent host is left alone after a while: each has a name of its own
    for ask in (by_form, by_json):
        assert told(ask(world.client, f"http://{host}.public.test/{path}"))["code"] in ("fetch", "limit")


def test_several_slow_pictures_are_waited_for_together(world: World) -> None:
    world.server.most_busy.clear()
    urls = [f"http://slow-{n}.public.test/hang" for n in range(4)]
    answer = world.client.post("/v1/search", json={"parts": [{"image": url} for url in urls]})
    assert told(answer)["code"] == "fetch"
    assert world.server.most_busy["hang"] > 1


def test_a_batch_asks_no_more_of_the_web_than_a_query(world: World) -> None:
    queries = [{"parts": [{"image": f"http://batch-{n}.public.test/hang"}]} for n in range(5)]
    assert (
        told(world.client.post("/v1/search/batch", json={"queries": queries}))["field"]
        == "service.max_images"
    )
    answer = world.client.post(
        "/v1/search/batch", json={"queries": [*queries[:2], {"parts": [{"text": "red"}]}]}
    )
    assert ["error" in each for each in answer.json()["results"]] == [True, True, False]


# --- pictures ---------------------------------------------------------------------------------------------------------

PICTURES = hostile_pictures()


@pytest.mark.parametrize("name", PICTURES)
def test_hostile_pictures_are_refused_at_every_door(world: World, name: str) -> None:
    data = PICTURES[name]
    world.server.files["x"] = data
    for answer in (
        by_upload(world.client, data),
        by_json(world.client, data_uri(data)),
        by_form(world.client, "http://files.public.test/file/x"),
        world.client.put("/v1/products/H", json={"title": "x", "images": [data_uri(data)]}),
    ):
        if answer.request.method == "PUT" and answer.status_code == 200:  # it is there, without the picture
            shaped({"error": answer.json()["error"]})
        else:
            assert told(answer)["code"] in ("image", "limit", "fetch", "row", "malformed")


@pytest.mark.parametrize("name", odd_pictures())
def test_what_hides_in_a_picture_comes_to_nothing(world: World, name: str) -> None:
    answer = by_upload(world.client, odd_pictures()[name])
    assert answer.status_code == 200 and answer.elapsed.total_seconds() < SLOW_S
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "alert(1)" not in answer.text


def test_pictures_that_are_products_are_shown_as_jpeg_and_nothing_else(world: World) -> None:
    for name, data in odd_pictures().items():
        written = world.client.put("/v1/products/H", json={"title": "x", "images": [data_uri(data)]})
        assert written.json()["status"] != "failed", name
        shown = world.client.get("/v1/products/H/image")
        assert shown.content.startswith(b"\xff\xd8\xff") and shown.headers["content-type"] == "image/jpeg"
        assert b"script" not in shown.content and b"<?php" not in shown.content, name
    world.client.delete("/v1/products/H")


def test_damaged_pictures_are_an_answer_or_an_error(world: World) -> None:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in mutated(210):
        answer = by_upload(world.client, data)
        if answer.status_code != 200:
            told(answer)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < MORE_MEMORY_KB


# --- requests ---------------------------------------------------------------------------------------------------------


def exchange(port: int, sent: bytes) -> tuple[int, dict[str, str], dict[str, Any]] | None:
    """Send bytes, read until the service closes the connection; return status, headers and body of its answer, if it came."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        with suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(sent)
        try:
            while more := sock.recv(65_536):
                got += more
        except ConnectionResetError:  # it closed while more was on its way
            pass
    if not got:
        return None
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


def request(method: str = "POST", path: str = "/v1/search", *headers: str, body: bytes = b"") -> bytes:
    """Write a request; its length stands there as it is, unless the headers say something else of it."""
    if body and not any(header.startswith(("Content-Length", "Transfer")) for header in headers):
        headers = (*headers, f"Content-Length: {len(body)}")
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"
FORM = "Content-Type: multipart/form-data; boundary=b"
REQUESTS: dict[str, bytes] = {
    "nonsense": b"\0\1\2 what?\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200),
    "no version": b"GET /v1/stats\r\n\r\n",
    "a method of two words": b"G ET /v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /v1/stats HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
    "another host": b"GET /v1/stats HTTP/1.1\r\nHost: rebind.test\r\nConnection: close\r\n\r\n",
    "a host of nonsense": b"GET /v1/stats HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
    "a header without colon": b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nwhat\r\n\r\n",
    "a header with NUL": b"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "a folded name": b"GET /v1/stats HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a huge header": request("GET", "/v1/stats", "X-Huge: " + "x" * 2_000_000),
    "a huge path": request("GET", "/" + "x" * 2_000_000),
    "many headers": request("GET", "/v1/stats", *(f"X-{n}: {n}" for n in range(200_000))),
    "a length below 0": request("POST", "/v1/search", "Content-Length: -1"),
    "a length of words": request("POST", "/v1/search", "Content-Length: many"),
    "a length of 400 digits": request("POST", "/v1/search", "Content-Length: " + "9" * 400),
    "a length of other digits": request("POST", "/v1/search", "Content-Length: ١٢"),
    "two lengths": request("POST", "/v1/search", "Content-Length: 2", "Content-Length: 3", body=b"{}x"),
    "a length far too large": request("POST", "/v1/search", "Content-Length: 99999999999999"),
    "a length longer than the body": request("POST", "/v1/search", "Content-Length: 100", body=b"{}"),
    "a length shorter than the body": request(
        "POST", "/v1/search", "Content-Length: 1", body=b'{"limit": 3}'
    ),
    "an unknown coding": request("POST", "/v1/search", "Transfer-Encoding: gzip", body=b"{}"),
    "chunks and more": request("POST", "/v1/search", "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "a chunk of nonsense": request("POST", "/v1/search", CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of no end": request("POST", "/v1/search", CHUNKED, body=b"ffffffffffffffff\r\n{}"),
    "a chunk below 0": request("POST", "/v1/search", CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk with endless extensions": request("POST", "/v1/search", CHUNKED, body=b"2;" + b"x" * 2_000_000),
    "no end of chunks": request("POST", "/v1/search", CHUNKED, body=b"2\r\n{}\r\n"),
    "a proxy request": request("GET", "http://169.254.169.254/latest/meta-data/"),
    "a tunnel": request("CONNECT", "127.0.0.1:22"),
    "a trace": request("TRACE", "/v1/search"),
    "options of all": request("OPTIONS", "*"),
    "an odd method": request("BREW", "/v1/search"),
    "a path out": request("GET", "/ui/../../../../etc/passwd"),
    "a path out, encoded": request("GET", "/ui/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "a path of bytes": request("GET", "/v1/products/%ff%fe%00%0d%0a"),
    "a form without boundary": request("POST", "/v1/search/image", "Content-Type: multipart/form-data"),
    "a form of 2,000 files": request(
        "POST",
        "/v1/search/image",
        FORM,
        body=b'--b\r\nContent-Disposition: form-data; name="image"; filename="aaaaaaaaaaaaaaaaaa"\r\n\r\nx\r\n'
        * 2_000
        + b"--b--\r\n",
    ),
    "a form with a huge header": request(
        "POST", "/v1/search/image", FORM, body=b"--b\r\n" + b"x" * 1_000_000
    ),
    "a form field of 3 MB": request(
        "POST",
        "/v1/search/image",
        FORM,
        body=b'--b\r\nContent-Disposition: form-data; name="image_url"\r\n\r\n' + b"x" * 3_000_004,
    ),
    "JSON that nests without end": request("POST", "/v1/search", body=b"[" * 50_000),
    "JSON called gzip": request(
        "POST",
        "/v1/search",
        "Content-Type: application/json",
        "Content-Encoding: gzip",
        "Content-Length: 2",
        body=b"\x1f\x8b",
    ),
    "a body of no JSON": request(
        "POST", "/v1/search", "Content-Type: application/json", "Content-Length: 4", body=b"\xff\xfe\0\0"
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_malformed_requests_are_answered_in_the_one_shape(world: World, name: str) -> None:
    started = time.monotonic()
    answer = exchange(world.port, REQUESTS[name])
    assert time.monotonic() - started < SLOW_S
    if answer is None:  # it closed the connection before we had sent everything
        assert len(REQUESTS[name]) > 1_000_000
        return
    status, headers, body = answer
    assert 400 <= status < 500
    assert headers["content-type"] == "application/json"
    assert shaped(body)["request_id"] == headers["x-request-id"]


def test_a_second_request_is_not_smuggled_in_a_body(world: World) -> None:
    hidden = b"DELETE /v1/products/D00001 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for body in (
        request("POST", "/v1/search", "Content-Length: 4", CHUNKED, body=b"0\r\n\r\n" + hidden),
        request("POST", "/v1/search", f"Content-Length: {len(hidden)}", body=hidden),
        request("POST", "/v1/search", "Transfer-Encoding: x", f"Content-Length: {len(hidden)}", body=hidden),
    ):
        exchange(world.port, body)
    assert world.client.get("/v1/products/D00001").status_code == 200


# --- slow clients -----------------------------------------------------------------------------------------------------


UNFINISHED = request().replace(b"Connection: close\r\n", b"") + b"GET / HT"


@pytest.mark.parametrize("sent", [b"", b"POST /v1/search HTTP/1.1\r\nHost: local", UNFINISHED])
def test_a_head_that_does_not_come_is_not_waited_for(
    world: World, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_S", 1.5)
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as sock:
        sock.sendall(sent)
        began, got = time.monotonic(), b""
        while more := sock.recv(65_536):
            got += more
        assert time.monotonic() - began < SLOW_S
    if sent.endswith(b"local"):
        assert got.startswith(b"HTTP/1.1 408 ")
        assert shaped(json.loads(got.partition(b"\r\n\r\n")[2]))["code"] == "slow_upload"
    elif not sent:
        assert not got


def test_a_head_that_drips_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_S", 1.5)
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as sock:
        began = time.monotonic()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(10_000):
                sock.sendall(b"X")
                time.sleep(0.02)
        assert time.monotonic() - began < SLOW_S


def test_a_client_that_takes_its_time_between_requests_is_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_S", 1.5)
    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as sock:
        for _ in range(3):
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = b""
            while b'{"ok":true}' not in got:  # the head may come by itself
                got += sock.recv(65_536)
            assert b"200 OK" in got
            time.sleep(2.0)


def test_a_client_that_does_not_take_its_answer_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LOOK_S", 0.3)
    asked = json.dumps({"limit": 92, "explain": True, "parts": [{"like": "D00001"}]}).encode()
    one = request(
        "POST", "/v1/search", "Content-Type: application/json", f"Content-Length: {len(asked)}", body=asked
    ).replace(b"Connection: close\r\n", b"")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(60)
        sock.connect(("127.0.0.1", world.port))
        began = time.monotonic()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            sock.sendall(one * 400)  # far more answers than the buffers of the system take
            while time.monotonic() - began < SLOW_S:
                sock.sendall(b"\r\n")
                time.sleep(0.05)


@pytest.mark.parametrize("after", [b"", b"{"])
def test_clients_that_break_off_leave_nothing_behind(world: World, after: bytes) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", world.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(request("POST", "/v1/search", "Content-Length: 100", body=after))
