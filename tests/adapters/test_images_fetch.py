"""Image bytes from paths, data URIs and a real server that hangs, drips, lies, redirects and bombs."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hostile_server import GOOD, HostileServer
from hostile_urls import PRIVATE, TRICKS

from lookalike.adapters.images_fetch import FetchLimits, ImageFetcher
from lookalike.adapters.images_fetch_address import Resolve, connect, is_public
from lookalike.adapters.images_fetch_http import _HOSTS_REMEMBERED, UrlReader, _SilentHosts, shown
from lookalike.core.errors import FetchError, InputError, LimitError, LookalikeError
from lookalike.core.types import ImageRef

QUICK = FetchLimits(
    max_bytes=200_000,
    connect_timeout_s=0.5,
    read_timeout_s=0.2,
    total_timeout_s=0.5,
    attempts=3,
    backoff_s=0.01,
    max_redirects=3,
)


def at_home(_host: str, _port: int) -> list[str]:
    """Resolve every name to this machine."""
    return ["127.0.0.1"]


@pytest.fixture(scope="module")
def shared() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


def fetcher(**options: object) -> ImageFetcher:
    return ImageFetcher(**({"allow_private": True, "limits": QUICK, "resolve": at_home} | options))  # type: ignore[arg-type]


def load(*refs: str, **options: object) -> list[bytes | Exception]:
    return fetcher(**options).load([ImageRef(ref) for ref in refs])


def failure(ref: str, **options: object) -> LookalikeError:
    """Return the error a reference ends in."""
    (error,) = load(ref, **options)
    assert isinstance(error, FetchError | LimitError), error
    assert error.hint
    return error


# --- The well-behaved web.


@pytest.mark.parametrize("path", ["good", "slow", "chunked", "until-closed", "gzipped", "hop/1", "hop/3"])
def test_a_picture_comes_as_it_was_served(shared: HostileServer, path: str) -> None:
    assert load(shared.url(path)) == [GOOD]


def test_results_come_in_order_whatever_happened_to_the_others(shared: HostileServer, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"local")
    refs = [
        ImageRef(shared.url("missing")),
        ImageRef(shared.url("good")),
        ImageRef("a.jpg"),
        ImageRef("bytes:123", data=b"inside"),
        ImageRef(shared.url("hang")),
        ImageRef("none.jpg"),
        ImageRef(shared.url("slow")),
        ImageRef("http://[broken"),
    ]
    got = fetcher(base=tmp_path).load(iter(refs))
    assert [g if isinstance(g, bytes) else type(g) for g in got] == [
        FetchError,
        GOOD,
        b"local",
        b"inside",
        FetchError,
        FetchError,
        GOOD,
        FetchError,
    ]
    assert fetcher().load([]) == []


def test_the_same_url_is_fetched_once_per_call(server: HostileServer) -> None:
    fetch = fetcher()
    refs = [ImageRef(server.url("good"))] * 20 + [ImageRef(server.url("missing"))] * 5
    got = fetch.load(refs)
    assert got[:20] == [GOOD] * 20
    assert server.hits == {"/good": 1, "/missing": 1}
    fetch.load(refs[:1])
    assert server.hits["/good"] == 2


def test_connections_are_kept(server: HostileServer) -> None:
    fetch = fetcher(limits=FetchLimits(concurrency=4))
    for turn in range(3):
        assert fetch.load([ImageRef(server.url(f"good/{turn}/{i}")) for i in range(20)]) == [GOOD] * 20
    assert len(server.peers) <= 4
    fetch.close()


def test_pictures_are_fetched_side_by_side_within_bounds(server: HostileServer) -> None:
    started = time.monotonic()
    limits = FetchLimits(concurrency=8)
    assert load(*(server.url(f"slow/{i}") for i in range(16)), limits=limits) == [GOOD] * 16
    assert time.monotonic() - started < 1.5  # one after the other it would be 1.6 s at least
    assert 2 <= server.most_busy["slow"] <= 8


def test_the_server_sees_its_own_name_and_who_asks(server: HostileServer) -> None:
    assert load(server.url("good", "shop.test")) == [GOOD]
    seen = server.seen["/good"]
    assert seen["host"] == f"shop.test:{server.server_port}"
    assert seen["user-agent"] == "lookalike"
    assert seen["accept-encoding"] == "identity"
    assert "authorization" not in seen


def test_proxies_of_the_environment_are_not_used(
    shared: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert load(shared.url("good")) == [GOOD]


# --- The other web.

WRONG = {
    "missing": (FetchError, "404 Not Found"),
    "forbidden": (FetchError, "403 Forbidden"),
    "gone": (FetchError, "410 Gone"),
    "odd-status": (FetchError, "799"),
    "nowhere": (FetchError, "302"),
    "no-content": (FetchError, "0 bytes"),
    "nothing": (FetchError, "0 bytes"),
    "html": (FetchError, "serves a web page (HTML), not an image"),
    "html-as-jpeg": (FetchError, "serves a web page (HTML), not an image"),
    "json": (FetchError, "serves JSON text, not an image"),
    "loop": (FetchError, "redirects in a loop"),
    "loop2": (FetchError, "redirects in a loop"),
    "endless": (FetchError, "redirects more than 3 times"),
    "hop/4": (FetchError, "redirects more than 3 times"),
    "to?ftp://shop.test/a.jpg": (FetchError, "not ftp"),
    "to?file:///etc/passwd": (FetchError, "not file"),
    "to?data:image/png;base64,aGk=": (FetchError, "not data"),
    "to?gopher://127.0.0.1:6379/_FLUSHALL": (FetchError, "not gopher"),
    "to?http://[": (FetchError, "no URL"),
    "huge-length": (LimitError, "max_bytes"),
    "endless-body": (LimitError, "max_bytes"),
    "endless-chunks": (LimitError, "max_bytes"),
    "gzip-bomb": (LimitError, "max_bytes"),
    "absurd-length": (LimitError, "max_bytes"),
    "gzip-nonsense": (FetchError, "damaged gzip"),
    "gzip-twice": (FetchError, "did not ask for"),
    "brotli": (FetchError, "did not ask for"),
    "hang": (FetchError, "_timeout_s"),
    "drip": (FetchError, "total_timeout_s"),
    "drip-head": (FetchError, "total_timeout_s"),
    "endless-head": (FetchError, "connection broke"),
    "long-length": (FetchError, "connection broke"),
    "reset": (FetchError, "connection broke"),
    "silence": (FetchError, "connection broke"),
    "nonsense": (FetchError, "connection broke"),
    "broken": (FetchError, "500 Internal Server Error"),
    "much-later": (FetchError, "asks to wait 3600 s"),
}


@pytest.mark.parametrize("path", WRONG)
def test_a_hostile_server_gets_nothing_but_an_error_in_time(shared: HostileServer, path: str) -> None:
    error_type, words = WRONG[path]
    started = time.monotonic()
    error = failure(shared.url(path))
    assert time.monotonic() - started < QUICK.total_timeout_s + 1
    assert type(error) is error_type
    assert words in f"{error} {error.hint}"


@pytest.mark.parametrize(
    ("path", "times"),
    [
        ("missing", 1),
        ("html", 1),
        ("loop", 1),
        ("much-later", 1),
        ("broken", 3),
        ("reset", 3),
        ("silence", 3),
    ],
)
def test_only_what_may_pass_is_tried_again(server: HostileServer, path: str, times: int) -> None:
    failure(server.url(path))
    assert server.hits[f"/{path}"] == times


@pytest.mark.parametrize("path", ["third-time", "third-time-reset"])
def test_trying_again_helps(server: HostileServer, path: str) -> None:
    assert load(server.url(path)) == [GOOD]
    assert server.hits[f"/{path}"] == 3


def test_a_server_that_asks_for_a_pause_gets_it(server: HostileServer) -> None:
    started = time.monotonic()
    assert load(server.url("later"), limits=FetchLimits(total_timeout_s=4, backoff_s=0.01)) == [GOOD]
    assert 1.0 <= time.monotonic() - started < 2.5


def test_a_picture_may_be_just_as_large_as_the_limit(shared: HostileServer) -> None:
    assert load(shared.url("good"), limits=FetchLimits(max_bytes=len(GOOD))) == [GOOD]
    for path in ("good", "chunked", "gzipped"):
        assert failure(shared.url(path), limits=FetchLimits(max_bytes=len(GOOD) - 1)).code == "limit"


def test_nobody_listening_is_said(shared: HostileServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{unused.getsockname()[1]}/a.jpg")
    assert "no connection" in str(error)


def test_a_host_that_hangs_does_not_slow_the_others(server: HostileServer) -> None:
    urls = [server.url(f"hang/{i}", "dead.test") for i in range(60)]
    urls += [server.url(f"good/{i}", "shop.test") for i in range(60)]
    started = time.monotonic()
    got = load(*urls)
    assert got[60:] == [GOOD] * 60
    assert (
        server.last["good"] - started < QUICK.total_timeout_s
    )  # all were there before the first of the others gave up
    assert all(isinstance(error, FetchError) for error in got[:60])


def test_a_dead_host_is_left_alone_after_a_while(server: HostileServer) -> None:
    started = time.monotonic()
    got = load(
        *(server.url(f"hang/{i}", "dead.test") for i in range(200)),
        limits=replace(QUICK, total_timeout_s=0.2),
    )
    assert time.monotonic() - started < 3
    assert sum("left alone" in str(error) for error in got) > 150


def test_ports_nobody_listens_at_do_not_close_a_host_to_others(server: HostileServer) -> None:
    fetch = fetcher(limits=replace(QUICK, attempts=1))
    for _ in range(6):
        (error,) = fetch.load([ImageRef("http://shop.test:1/a.jpg")])
    assert "left alone" in str(error)
    assert fetch.load([ImageRef(server.url("good", "shop.test"))]) == [GOOD]


def test_only_so_many_silent_hosts_are_remembered() -> None:
    silent = _SilentHosts()
    for number in range(_HOSTS_REMEMBERED + 50):
        for _ in range(5):
            silent.note((f"h{number}.test", 80), silent=True)
    silent.check(("h49.test", 80))  # is forgotten
    for remembered in (50, _HOSTS_REMEMBERED + 49):
        with pytest.raises(FetchError, match="left alone"):
            silent.check((f"h{remembered}.test", 80))


def test_a_host_that_answers_is_never_left_alone(server: HostileServer) -> None:
    fetch = fetcher(limits=FetchLimits(attempts=1, read_timeout_s=0.02, concurrency=1))
    for _ in range(3):
        got = fetch.load(
            [ImageRef(server.url(f"hang/{i}")) for i in range(4)] + [ImageRef(server.url("missing"))]
        )
        assert not any("left alone" in str(error) for error in got)
    assert sum(server.hits.values()) == 15


# --- What must not be told.


@pytest.mark.parametrize(
    "path", ["missing", "html", "reset", "hang", "loop", "huge-length", "much-later", "gzip-nonsense"]
)
def test_logins_and_keys_of_a_url_stay_secret(shared: HostileServer, path: str) -> None:
    error = failure(f"http://user:s3cret@127.0.0.1:{shared.server_port}/{path}?key=t0ken#fr4gment")
    told = "".join(traceback.format_exception(error)) + repr(error) + error.hint
    for secret in ("user", "s3cret", "t0ken", "fr4gment"):
        assert secret not in told
    assert path in told


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://u:s3cret@shop.test/a.jpg?k=s3cret", "https://shop.test/a.jpg?..."),
        ("https://shop.test/" + "a" * 500, "..."),
        ("https://u:s3cret@[bad/a.jpg", "cannot be read"),
    ],
)
def test_urls_are_shown_short_and_without_secrets(url: str, words: str) -> None:
    assert words in shown(url)
    assert "s3cret" not in shown(url)
    assert len(shown(url)) <= 200


def test_a_login_is_sent_to_its_own_host_only(server: HostileServer) -> None:
    target = server.url("good/elsewhere", "other.test")
    login = f"http://user:p%40ss@shop.test:{server.server_port}"
    assert load(f"{login}/good", f"{login}/to?{target}") == [GOOD, GOOD]
    assert server.seen["/good"]["authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert "authorization" in server.seen["/to"]
    assert "authorization" not in server.seen["/good/elsewhere"]


# --- Private addresses.


def test_there_are_enough_hostile_forms() -> None:
    assert len(set(PRIVATE)) >= 60


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_however_written(shared: HostileServer, host: str) -> None:
    before = sum(shared.hits.values())
    for url in (
        f"http://{host}:{shared.server_port}/good",
        f"http://public.example@{host}:{shared.server_port}/good",
    ):
        reader = UrlReader(QUICK)  # with the system's own resolver
        started = time.monotonic()
        with pytest.raises(FetchError) as caught:
            reader.read(url)
        assert time.monotonic() - started < 1  # nothing was even tried
        assert (
            "is not a public address" in str(caught.value)
            or "host" in str(caught.value)
            or "URL" in str(caught.value)
        )
    assert sum(shared.hits.values()) == before


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "localhost", "[::ffff:127.0.0.1]"]
)
def test_the_same_forms_do_reach_the_server_when_allowed(shared: HostileServer, host: str) -> None:
    # Which shows that the refusals above refuse something.
    assert load(f"http://{host}:{shared.server_port}/good", resolve=system) == [GOOD]


def system(host: str, port: int) -> list[str]:
    return [
        str(found[4][0]) for found in socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
    ]


@pytest.mark.parametrize("trick", TRICKS)
def test_urls_that_parsers_read_differently_reach_nothing(shared: HostileServer, trick: str) -> None:
    before = sum(shared.hits.values())
    (error,) = ImageFetcher(limits=QUICK).load([ImageRef(trick.format(port=shared.server_port))])
    assert isinstance(error, FetchError)
    assert sum(shared.hits.values()) == before


def test_public_addresses_are_public() -> None:
    for address in (
        "8.8.8.8",
        "1.1.1.1",
        "93.184.216.34",
        "2606:4700:4700::1111",
        "2a00:1450:4001:830::200e",
    ):
        assert is_public(address)
    assert not is_public("not an address")


@pytest.mark.parametrize(
    "target",
    ["127.0.0.2", "localhost.", "169.254.169.254", "[::1]", "10.0.0.1", "0x7f000002", "[::ffff:127.0.0.2]"],
)
def test_a_redirect_to_a_private_address_is_refused(server: HostileServer, target: str) -> None:
    # As if this server alone were public: the way in is open, the way on is not.
    def only_this_one(address: str) -> bool:
        return (
            address == "127.0.0.1" if target != "localhost." else address == "127.0.0.1" and not server.hits
        )

    reader = UrlReader(QUICK, only_this_one)
    with pytest.raises(FetchError, match="not a public address"):
        reader.read(server.url(f"to?http://{target}:{server.server_port}/good"))
    assert server.hits == {"/to": 1}


def test_a_name_that_changes_its_address_gains_nothing(server: HostileServer) -> None:
    # As if 127.0.0.1 were the one public address: what is connected to is what was looked at, each time anew.
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    def dial() -> socket.socket:
        rebinding: Resolve = lambda host, port: next(answers)  # noqa: E731
        return connect("rebind.test", server.server_port, rebinding, lambda a: a == "127.0.0.1", lambda: 1.0)

    with dial() as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    with pytest.raises(FetchError, match="not a public address"):
        dial()


def test_a_name_with_one_private_address_among_public_ones_is_refused(server: HostileServer) -> None:
    error = failure(
        server.url("good", "mixed.test"),
        allow_private=False,
        resolve=lambda *_: ["8.8.8.8", "127.0.0.1", "1.1.1.1"],
    )
    assert "not a public address" in str(error)
    assert not server.hits


def test_the_next_address_is_tried_when_the_first_is_dead(server: HostileServer) -> None:
    assert load(server.url("good", "two.test"), resolve=lambda *_: ["127.0.0.9", "127.0.0.1"]) == [GOOD]


def test_many_dead_addresses_do_not_outlast_the_deadline() -> None:
    with socket.socket() as full:  # listens, but its queue is full: connecting to it hangs
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        error = failure(f"http://dead.test:{port}/a.jpg", resolve=lambda *_: ["127.0.0.1"] * 50)
        assert time.monotonic() - started < QUICK.total_timeout_s + 1
        assert "_timeout_s" in str(error)
        for sock in waiting:
            sock.close()


def test_names_that_do_not_exist_are_said_once() -> None:
    asked = []

    def unknown(host: str, _port: int) -> list[str]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert "no host called shop.test" in str(failure("http://shop.test/a.jpg", resolve=unknown))
    assert len(asked) == 1


def test_names_of_the_inside_cannot_be_told_from_names_that_do_not_exist() -> None:
    def inside(host: str, _port: int) -> list[str]:
        if host == "vault.corp.test":
            return ["10.0.0.7"]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    told = []
    for name in ("vault.corp.test", "nothing.corp.test"):
        error = failure(f"http://{name}/a.jpg", resolve=inside, allow_private=False)
        assert "allow_private_urls" in error.hint
        told.append((type(error), error.code, str(error).replace(name, "NAME"), error.hint))
    assert told[0] == told[1]


def test_a_name_server_that_does_not_answer_holds_nobody_up() -> None:
    looked_up = threading.Event()

    def hanging(_host: str, _port: int) -> list[str]:
        assert looked_up.wait(60)
        return ["127.0.0.1"]

    started = time.monotonic()
    error = failure("http://shop.test/a.jpg", resolve=hanging)
    took_s = time.monotonic() - started
    looked_up.set()
    assert took_s < 30 and "_timeout_s" in str(error)


def test_names_that_cannot_be_looked_up_just_now_are_tried_again() -> None:
    asked = []

    def busy(host: str, _port: int) -> list[str]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    assert "Temporary failure" in str(failure("http://shop.test/a.jpg", resolve=busy))
    assert len(asked) == QUICK.attempts


# --- TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a fresh self-signed certificate for shop.test, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, and a certificate must be made")
    path = tmp_path_factory.mktemp("tls") / "shop.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([openssl, "req", "-x509", *kind, *name, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return str(path)


def test_a_certificate_nobody_vouches_for_is_refused(certificate: str) -> None:
    with HostileServer(certificate) as server:
        error = failure(server.url("good", "shop.test"))
        assert "the certificate of shop.test cannot be trusted" in str(error)
        assert not server.hits


def test_a_trusted_server_is_asked_by_its_name(certificate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with HostileServer(certificate) as server:
        assert load(server.url("good", "shop.test")) == [GOOD]
        assert server.names == ["shop.test"]
        assert server.seen["/good"]["host"] == f"shop.test:{server.server_port}"
        # the deadline holds inside TLS too
        assert "total_timeout_s" in str(failure(server.url("drip", "shop.test")))
        assert "total_timeout_s" in str(failure(server.url("drip-head", "shop.test")))
        # and a certificate for one name does not serve another
        assert "certificate of other.test" in str(failure(server.url("good", "other.test")))
        assert sum(server.hits.values()) == 3


def test_a_server_that_speaks_no_tls_or_never_finishes_shaking_hands(shared: HostileServer) -> None:
    assert "no secure connection" in str(failure(shared.url("good").replace("http:", "https:")))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        failure(f"https://127.0.0.1:{mute.getsockname()[1]}/a.jpg")
        assert time.monotonic() - started < QUICK.total_timeout_s + 1


# --- Files and data URIs.


def test_files_are_read_from_the_folder_of_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    name = tmp_path / "pics" / "a b.jpg"
    name.write_bytes(GOOD)
    elsewhere = "file://localhost" + str(name).replace(" ", "%20")
    refs = ["pics/a b.jpg", str(name), name.as_uri(), elsewhere, "./pics/../pics/a b.jpg"]
    assert load(*refs, base=tmp_path) == [GOOD] * 5


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b.jpg").write_bytes(GOOD)
    assert load("a:b.jpg") == [GOOD]


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("none.jpg", "There is no file"),
        ("none/none.jpg", "There is no file"),
        (".", "is a folder"),
        ("/", "is a folder"),
        ("/dev/zero", "no ordinary file"),
        ("/dev/stdin", ""),
        ("pipe", "no ordinary file"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("a\0b.jpg", "cannot be read"),
        ("x" * 5000 + ".jpg", "cannot be read"),
        ("bytes:0123", "Index the row again"),
        ("//cdn.shop.test/a.jpg", 'Write "https:"'),
        ("file://server/share/a.jpg", "another machine"),
        ("ftp://shop.test/a.jpg", "not ftp"),
        ("s3://bucket/a.jpg", "not s3"),
        ("gopher://127.0.0.1:6379/_x", "not gopher"),
        ("javascript:alert(1)", "There is no file"),
        ("http://", "names no host"),
        ("http:", "names no host"),
        ("https://[::1", "cannot be read"),
        ("http://shop.test:99999/a.jpg", "cannot be read"),
        ("http://" + "a" * 300 + ".test/", "not a host name"),
        ("http://a..b/", "not a host name"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,a", "not correct base64"),
        ("data:image/png;base64,####", "not correct base64"),
    ],
)
def test_references_to_nothing_are_explained(ref: str, words: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    error = failure(ref, base=tmp_path, resolve=system)
    assert words in f"{error} {error.hint}"
    assert len(str(error)) < 400
    assert time.monotonic() - started < 1


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(QUICK.max_bytes + 1))
    (tmp_path / "b.jpg").write_bytes(bytes(QUICK.max_bytes))
    large, fitting = load("a.jpg", "b.jpg", base=tmp_path)
    assert isinstance(large, LimitError)
    assert large.limit == "fetch.max_bytes"
    assert isinstance(fitting, bytes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch(mode=0)
    assert "permission denied" in str(failure("a.jpg", base=tmp_path))


def test_files_can_be_closed_off(tmp_path: Path, shared: HostileServer) -> None:
    (tmp_path / "a.jpg").write_bytes(GOOD)
    for ref in ("a.jpg", str(tmp_path / "a.jpg"), (tmp_path / "a.jpg").as_uri()):
        assert "not a web address" in str(failure(ref, base=tmp_path, allow_local=False))
    data = "data:image/jpeg;base64," + base64.b64encode(GOOD).decode()
    assert load(data, shared.url("good"), allow_local=False) == [GOOD, GOOD]


def test_data_uris_are_decoded() -> None:
    text = base64.b64encode(GOOD).decode()
    broken_up = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    escaped = "".join(f"%{byte:02x}" for byte in GOOD)
    refs = [f"data:image/jpeg;base64,{text}", f"DATA:;BASE64,{broken_up}", f"data:image/jpeg,{escaped}"]
    assert load(*refs) == [GOOD] * 3
    large = base64.b64encode(bytes(QUICK.max_bytes + 1)).decode()
    assert isinstance(failure(f"data:image/jpeg;base64,{large}"), LimitError)


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong in (
        {"attempts": 0},
        {"read_timeout_s": 0},
        {"backoff_s": -1},
        {"max_redirects": -1},
        {"concurrency": 0},
    ):
        with pytest.raises(InputError):
            FetchLimits(**wrong)  # type: ignore[arg-type]


def test_two_threads_may_load_at_once(shared: HostileServer) -> None:
    fetch = fetcher()
    results: list[list[bytes | Exception]] = []
    refs = [ImageRef(shared.url(f"good/{i}")) for i in range(40)]
    threads = [threading.Thread(target=lambda: results.append(fetch.load(refs))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[GOOD] * 40] * 4
