"""Keys, scopes and rates: what a key opens, when it stops to, and that nothing is kept that would let others in."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Scope
from typer.testing import CliRunner, Result

from lookalike.cli import keys as cli_keys
from lookalike.core.errors import InputError
from lookalike.service import keys
from lookalike.service.access import RULES, Access, OwnMachine, RateLimits, Rates, caller_of, scope_of
from lookalike.service.app import create_app, doors
from lookalike.service.process import Served
from lookalike.service.settings import ServiceSettings
from lookalike.settings import read_settings
from strategies import examples

PAST, FUTURE = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def made(file: Path, *scopes: str, expires: datetime | None = None) -> str:
    text, key = keys.new_key("test", scopes, expires=expires)
    keys.add_key(file, key)
    return text


def client(
    ring: keys.KeyRing | None, rates: Rates | None = None, address: str = "192.0.2.1", root: str = ""
) -> TestClient:
    """An app that says on every path which key was seen, behind the door."""

    async def seen(request: Request) -> JSONResponse:
        return JSONResponse(getattr(request.state, "key_id", None))

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(
        routes=[Route("/{path:path}", seen, methods=methods)],
        middleware=[Middleware(Access, ring=ring, rates=rates)],
    )
    return TestClient(app, client=(address, 50000), root_path=root)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


# --- keys and their file ----------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_only_its_hash_is_kept(file: Path) -> None:
    text, key = keys.new_key("shop", ["write", "search", "search"])
    keys.add_key(file, key)
    kind, id_, secret = text.split("_")
    assert (kind, id_, key.scopes) == ("lk", key.id, ("search", "write"))
    assert int(secret, 16) and len(secret) == 48
    assert secret not in file.read_text() and secret not in repr(key)
    assert file.stat().st_mode & 0o077 == 0
    assert keys.read_keys(file) == {key.id: key}
    assert keys.KeyRing(file).verify(text) == key
    assert lying_about(file) == []


def lying_about(file: Path) -> list[str]:
    """Return what is beside the keys, other than the lock, which nobody else may hold."""
    lock = file.with_name(f"{file.name}.lock")
    assert lock.stat().st_mode & 0o077 == 0 and not lock.read_bytes()
    return [each.name for each in file.parent.iterdir() if each not in (file, lock)]


def test_keys_differ(file: Path) -> None:
    assert len({made(file, "search") for _ in range(50)}) == len(keys.read_keys(file)) == 50


@pytest.mark.parametrize("scopes", [[], ["read"], ["search", "Admin"]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        keys.new_key("x", scopes)
    assert "search, write, admin" in caught.value.hint


@examples(200)
@given(st.integers(0, 59), st.sampled_from("0123456789abcdefz_ \x00é"), st.booleans())
def test_nothing_but_the_very_key_is_the_key(place: int, letter: str, whole: bool) -> None:
    changed = KEY[:place] + letter + KEY[place + 1 :] if whole else KEY[:place]
    assert (RING.verify(changed) is not None) == (changed == KEY)


def test_ids_hashes_and_other_schemes_are_no_keys(file: Path) -> None:
    text = made(file, "admin")
    _, id_, secret = text.split("_")
    hash_ = keys.read_keys(file)[id_].hash
    ring = keys.KeyRing(file)
    for wrong in ("", "lk_", id_, f"lk_{id_}_", f"lk_{id_}_{hash_}", secret, f"{id_}_{secret}", f"lk_{text}"):
        assert ring.verify(wrong) is None
    assert ring.verify(text)


def test_a_key_stops_when_its_time_is_over(file: Path) -> None:
    over, valid = made(file, "search", expires=PAST), made(file, "search", expires=FUTURE)
    ring = keys.KeyRing(file)
    assert ring.verify(over) is None and ring.verify(valid) is not None


def test_changes_of_the_file_count_while_serving(file: Path) -> None:
    first = made(file, "search")
    ring = keys.KeyRing(file, recheck_s=0.0)
    second = made(file, "write")
    assert ring.verify(first) and ring.verify(second)
    keys.revoke_key(file, first.split("_")[1])
    assert ring.verify(first) is None and ring.verify(second)
    file.unlink()
    assert ring.verify(second) is None


def test_the_file_is_not_looked_at_for_every_request(file: Path) -> None:
    text = made(file, "search")
    ring = keys.KeyRing(file, recheck_s=3600)
    file.unlink()
    assert ring.verify(text)


def test_a_file_that_breaks_while_serving_locks_nobody_out(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = made(file, "search")
    ring = keys.KeyRing(file, recheck_s=0.0)
    file.write_text("[{")
    assert ring.verify(text) and ring.verify(text)
    assert caplog.text.count("API keys stay as they were") == 1
    file.unlink()
    again = made(file, "search")
    assert ring.verify(again) and ring.verify(text) is None


def test_a_revocation_is_not_missed_when_the_file_cannot_be_read_just_then(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = made(file, "search"), made(file, "search")
    ring = keys.KeyRing(file, recheck_s=0.0)
    keys.revoke_key(file, gone.split("_")[1])

    def full(_: Path) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", full)
        assert ring.verify(gone)
    assert ring.verify(gone) is None and ring.verify(stays)


def test_keys_made_and_revoked_at_the_same_time_do_not_undo_each_other(file: Path) -> None:
    gone = [made(file, "search").split("_")[1] for _ in range(20)]

    def new() -> str:
        return made(file, "search").split("_")[1]

    with ThreadPoolExecutor(8) as pool:
        revoking = [pool.submit(keys.revoke_key, file, id_) for id_ in gone]
        making = [pool.submit(new) for _ in range(20)]
        assert {each.result().id for each in revoking} == set(gone)
    assert set(keys.read_keys(file)) == {each.result() for each in making}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hash": "abc"}, "0.hash"),
        ({"id": "A_b"}, "0.id"),
        ({"scopes": ["all"]}, "0.scopes.0"),
        ({"expires": "2026-01-01T00:00:00"}, "0.expires"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(file: Path, change: dict[str, Any], said: str) -> None:
    made(file, "search")
    file.write_text(json.dumps([json.loads(file.read_text())[0] | change]))
    with pytest.raises(InputError, match=said) as caught:
        keys.KeyRing(file)
    assert str(caught.value).startswith(f"{file} holds no API keys") and "^[" not in str(caught.value)
    with pytest.raises(InputError):
        keys.add_key(file, keys.new_key("x", ["search"])[1])  # and it is not overwritten


def test_revoking_what_is_not_there_is_an_error(file: Path) -> None:
    made(file, "search")
    with pytest.raises(InputError, match="no key 00000000"):
        keys.revoke_key(file, "00000000")


def test_a_file_that_cannot_be_written_stays_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(file, "search")
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        made(file, "search")
    assert file.read_bytes() == before and lying_about(file) == []


KEY, RECORD = keys.new_key("for the property", ["search"])


class OneKey(keys.KeyRing):
    def __init__(self) -> None:
        pass

    def keys(self) -> dict[str, keys.Key]:
        return {RECORD.id: RECORD}


RING = OneKey()


# --- when keys are needed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_alone_on_this_machine_nobody_needs_a_key(host: str, file: Path) -> None:
    assert not keys.keys_needed(host, None)
    assert keys.keys_needed(host, True)
    assert keys.open_keys(file, host, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "shop.example", "localhost.evil.example"])
def test_where_others_can_call_keys_are_needed_unless_told_otherwise(
    host: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.keys_needed(host, None)
    assert not keys.keys_needed(host, False)
    assert keys.open_keys(file, host, False) is None
    with pytest.raises(InputError, match="no valid one") as caught:
        keys.open_keys(file, host, None)
    assert f"lookalike keys new NAME --scope search --keys {file}" in caught.value.hint
    made(file, "search", expires=PAST)
    with pytest.raises(InputError):
        keys.open_keys(file, host, None)
    monkeypatch.chdir(file.parent)
    with pytest.raises(InputError, match="no valid one") as caught:
        keys.open_keys(Path(file.name), host, None)
    assert f" {file} holds" in str(caught.value) and f"--keys {file}." in caught.value.hint
    text = made(file, "search")
    ring = keys.open_keys(file, host, None)
    assert ring is not None and ring.verify(text)


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/healthz", None),
        ("GET", "/", None),
        ("GET", "/ui/app.js", None),
        ("GET", "/operators", None),
        ("POST", "/operators", "admin"),
        ("GET", "/v1/search/text", "search"),
        ("POST", "/v1/search", "search"),
        ("POST", "/v1/search/image", "search"),
        ("GET", "/v1/products/P1/similar", "search"),
        ("GET", "/v1/products/P1/image", "search"),
        ("GET", "/v1/columns", "search"),
        ("PUT", "/v1/products", "write"),
        ("PATCH", "/v1/products/P1", "write"),
        ("DELETE", "/v1/products/P1", "write"),
        ("POST", "/v1/products/delete", "write"),
        ("GET", "/metrics", "admin"),
        ("GET", "/v1/new", "admin"),
        ("DELETE", "/v1/search", "admin"),
        ("GET", "/v1/searching", "admin"),
        ("GET", "//v1/search", "admin"),
        ("POST", "/", "admin"),
        ("GET", "/anything", "admin"),
    ],
)
def test_what_each_request_takes(method: str, path: str, scope: str | None) -> None:
    assert scope_of(method, path) == scope


def test_without_keys_everything_is_open() -> None:
    assert client(None).delete("/v1/products/1").status_code == 200
    assert client(None).get("/v1/search/text", headers=bearer("nonsense")).json() is None


@pytest.mark.parametrize(
    ("scopes", "opens"),
    [(["search"], {"search"}), (["write"], {"write"}), (["admin"], {"search", "write", "admin"})],
)
def test_a_key_opens_what_its_scopes_say(file: Path, scopes: list[str], opens: set[str]) -> None:
    text = made(file, *scopes)
    asking = client(keys.KeyRing(file))
    for needed, method, path in (
        ("search", "GET", "/v1/search/text"),
        ("write", "PUT", "/v1/products"),
        ("admin", "GET", "/metrics"),
    ):
        for headers in (bearer(text), {"X-API-Key": text}, {"Authorization": f"bearer  {text} "}):
            response = asking.request(method, path, headers=headers)
            if needed in opens:
                assert (response.status_code, response.json()) == (200, text.split("_")[1])
            else:
                assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
                assert f"--scope {needed}" in response.json()["error"]["remedy"]


def test_no_key_and_a_wrong_key_are_told_apart_and_neither_is_let_in(file: Path) -> None:
    made(file, "search")
    asking = client(keys.KeyRing(file))
    for headers, code in (
        ({}, "missing_key"),
        ({"Authorization": "Basic bGs6bGs="}, "missing_key"),
        (bearer("lk_00000000_00"), "invalid_key"),
        ({"X-API-Key": "é".encode("latin-1")}, "invalid_key"),
    ):
        response = asking.get("/v1/search/text", headers=headers)  # type: ignore[arg-type]
        assert (response.status_code, response.json()["error"]["code"]) == (401, code)
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert set(response.json()["error"]) == {"code", "message", "remedy", "request_id"}
    assert asking.get("/v1/search/text?key=x&api_key=x").status_code == 401


def test_what_is_open_is_open_without_a_key(file: Path) -> None:
    made(file, "search")
    for path in ("/", "/healthz", "/readyz", "/ui/app.js"):
        assert client(keys.KeyRing(file)).get(path).status_code == 200


def test_a_prefix_the_service_is_mounted_under_opens_nothing(file: Path) -> None:
    made(file, "search")
    mounted = client(keys.KeyRing(file), root="/ui")
    assert mounted.get("/ui/v1/search/text").status_code == 401
    assert mounted.get("/ui/healthz").status_code == 200


def test_every_route_of_the_service_has_a_rule(file: Path) -> None:
    """A route that falls through to "admin" is one that somebody forgot, or that should say so here."""
    documented = create_app(None, read_settings(ServiceSettings)).openapi()["paths"]
    asked = [(method.upper(), path) for path, methods in documented.items() for method in methods]
    assert ("PUT", "/v1/products") in asked and ("GET", "/v1/search/text") in asked
    forgotten = [each for each in asked if not any(rule.covers(*each) for rule in RULES)]
    assert forgotten == []
    changing = [(method, path) for method, path in asked if method in ("PUT", "PATCH", "DELETE")]
    assert {scope_of(*each) for each in changing} == {"write"}


def test_the_whole_service_refuses_in_its_one_shape_and_stays_alive(file: Path) -> None:
    text = made(file, "search")
    access = [Middleware(Access, ring=keys.KeyRing(file), rates=Rates(RateLimits(per_s=0.1, burst=2)))]
    asking = TestClient(create_app(None, read_settings(ServiceSettings), access))
    response = asking.get("/v1/search/text", params={"q": "red"})
    assert response.status_code == 401
    assert response.json()["error"]["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert asking.put("/v1/products", content=b"{}", headers=bearer(text)).status_code == 403
    assert asking.get("/v1/search/text", headers=bearer(text)).status_code not in (401, 403, 429)
    assert asking.get("/v1/search/text", headers=bearer(text)).status_code == 429
    assert asking.get("/healthz").status_code == 200


# --- rates ------------------------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate_counts() -> None:
    clock = Clock()
    rates = Rates(RateLimits(per_s=2.0, burst=3), clock)
    assert [rates.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rates.take("b") == 0.0
    clock.now += 0.25
    assert rates.take("a") == 0.25  # asking did not make it longer
    clock.now += 0.25
    assert (rates.take("a"), rates.take("a")) == (0.0, 0.5)
    clock.now += 3600
    assert [rates.take("a") > 0 for _ in range(4)] == [False, False, False, True]


@examples(100)
@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 5), st.integers(1, 5))
def test_never_more_than_burst_and_rate_allow_and_the_wait_is_enough(
    pauses: list[float], per_s: float, burst: int
) -> None:
    clock = Clock()
    rates = Rates(RateLimits(per_s=per_s, burst=burst), clock)
    granted = 0
    for pause in pauses:
        clock.now += pause
        wait_s = rates.take("a")
        granted += not wait_s
        if wait_s:
            clock.now += wait_s * (1 + 1e-9) + 1e-9
            granted += 1
            assert rates.take("a") == 0.0
        assert granted <= burst + (clock.now - 1000.0) * per_s + 1e-3


def test_the_number_of_callers_remembered_is_bounded() -> None:
    rates = Rates(RateLimits(per_s=0.001, burst=1, max_callers=10), Clock())
    for number in range(1000):
        assert rates.take(str(number)) == 0.0
    assert [rates.take(str(number)) > 0 for number in range(990, 1000)] == [True] * 10
    assert rates.take("0") == 0.0  # forgotten


def test_a_rate_of_0_is_no_limit() -> None:
    rates = Rates(RateLimits(per_s=0.0, burst=1), Clock())
    assert {rates.take("a") for _ in range(100)} == {0.0}


@pytest.mark.parametrize("wrong", [{"per_s": -1.0}, {"burst": 0}, {"max_callers": 0}])
def test_rates_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        RateLimits(**wrong)


def test_each_key_has_a_rate_of_its_own_and_who_has_none_shares_that_of_the_address(file: Path) -> None:
    first, second = made(file, "search"), made(file, "search")
    clock = Clock()
    asking = client(keys.KeyRing(file), Rates(RateLimits(per_s=0.3, burst=2), clock))

    def status(text: str) -> int:
        return asking.get("/v1/columns", headers=bearer(text)).status_code

    assert [status(first) for _ in range(3)] == [200, 200, 429]
    assert [status(second) for _ in range(3)] == [200, 200, 429]
    assert [status(wrong) for wrong in ("lk_0", "lk_1", "lk_2")] == [401, 401, 429]
    response = asking.get("/v1/columns", headers=bearer(first))
    assert response.headers["retry-after"] == "4"
    assert response.json()["error"]["code"] == "rate_limited"
    assert asking.get("/healthz").status_code == 200
    clock.now += 4
    assert status(first) == 200


def test_only_a_proxy_of_ours_says_who_calls() -> None:
    def statuses(proxies: tuple[str, ...], *said: str) -> list[int]:
        rates = {"per_s": 0.001, "burst": 1}
        settings = read_settings(ServiceSettings, rates=rates, proxies=proxies)
        config = Served("never-opened.db", None, "127.0.0.1", settings).build()[1].config
        config.load()
        calling = TestClient(config.loaded_app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))
        return [calling.get("/v1/columns", headers={"X-Forwarded-For": each}).status_code for each in said]

    assert statuses(("127.0.0.0/8",), "192.0.2.1", "192.0.2.1", "192.0.2.2") == [503, 429, 503]
    assert statuses(("127.0.0.1",), "192.0.2.1", "192.0.2.9, 192.0.2.1") == [503, 429]
    assert statuses(("10.0.0.1",), "192.0.2.1", "192.0.2.2") == [503, 429]
    assert statuses((), "192.0.2.1", "192.0.2.2") == [503, 429]


def test_without_keys_addresses_are_counted() -> None:
    rates = Rates(RateLimits(per_s=0.1, burst=1), Clock())
    asked = [client(None, rates, address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
    assert [each.get("/v1/columns").status_code for each in asked] == [200, 429, 200]


@pytest.mark.parametrize(
    ("client", "named"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("somewhere", 1), "somewhere"),
        (None, "local"),
    ],
)
def test_how_a_client_is_named(client: Any, named: str) -> None:
    scope: Scope = {"type": "http", "client": client}
    assert caller_of(scope) == named


# --- without keys, on one's own machine -------------------------------------------------------------------------------


def at_home(host: str, **settings: Any) -> TestClient:
    """The service as `lookalike serve --host` would guard it, no shop in it."""
    limits = read_settings(ServiceSettings, **settings)
    return TestClient(create_app(None, limits, doors(limits, host)), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("127.8.8.8:8000", 200),
        ("shop.test", 200),
        ("", 403),
        ("evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example@localhost", 200),  # a user name, which no browser sends, is no host
        ("[::1", 403),
        ("192.0.2.1:8000", 403),
    ],
)
def test_pages_that_call_our_address_by_their_own_name_read_nothing(named: str, status: int) -> None:
    response = at_home("127.8.8.8", hosts=("shop.test",)).get("/healthz", headers={"Host": named})
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "unknown_host"
        assert response.headers["x-request-id"] == response.json()["error"]["request_id"]


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://127.0.0.1:8000", False),
        ("https://friend.example", False),
        (None, False),
        ("https://evil.example", True),
        ("http://127.0.0.1:9000", True),
        ("http://127.0.0.1", True),
        ("null", True),
    ],
)
def test_pages_of_other_sites_change_nothing(origin: str | None, refused: bool) -> None:
    asking = at_home("127.0.0.1", bounds={"origins": ("https://friend.example",)})
    headers = {} if origin is None else {"Origin": origin}
    response = asking.post("/v1/products/delete", json={"ids": ["x"]}, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (
        (403, "cross_site") if refused else (503, "starting")
    )
    assert asking.get("/healthz", headers=headers).status_code == 200


def test_doors_fit_where_the_service_listens(file: Path) -> None:
    def kinds(host: str, **settings: Any) -> list[tuple[object, bool, bool]]:
        found = doors(read_settings(ServiceSettings, keys_file=file, **settings), host)
        return [(door.cls, bool(door.kwargs.get("ring")), bool(door.kwargs.get("rates"))) for door in found]

    home = (OwnMachine, False, False)
    assert kinds("localhost") == [home, (Access, False, False)]
    assert kinds("localhost", rates={"per_s": 5}) == [home, (Access, False, True)]
    assert kinds("0.0.0.0", require_keys=False) == [(Access, False, False)]
    assert kinds("0.0.0.0", require_keys=False, hosts=("shop.test",)) == [home, (Access, False, False)]
    with pytest.raises(InputError, match="no valid one"):
        kinds("0.0.0.0")
    made(file, "search")
    assert kinds("0.0.0.0") == [(Access, True, True)]
    assert kinds("localhost", require_keys=True) == [(Access, True, True)]


# --- the command ------------------------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def lookalike_keys(*words: str) -> Result:
        result = CliRunner().invoke(cli_keys.app, words)
        assert result.exit_code == 0, result.output
        return result

    assert "holds no keys" in lookalike_keys("list").stdout
    made = lookalike_keys("new", "indexer", "--scope", "write", "--scope", "search", "--days", "30")
    text = made.stdout.strip()
    id_ = text.split("_")[1]
    assert f"Key {id_} for search, write, until" in made.stderr
    key = keys.KeyRing(tmp_path / keys.KEYS_FILE).verify(text)
    assert key is not None and key.expires is not None
    assert timedelta(29) < key.expires - datetime.now(UTC) <= timedelta(30)
    listed = lookalike_keys("list").stdout
    assert id_ in listed and "indexer" in listed and text.split("_")[2] not in listed
    assert f"revoked {id_}" in lookalike_keys("revoke", id_).stdout
    assert "holds no keys" in lookalike_keys("list").stdout
    assert lookalike_keys("new", "page").stderr.startswith("Key ")
    (only,) = keys.read_keys(tmp_path / keys.KEYS_FILE).values()
    assert (only.scopes, only.expires) == (("search",), None)


def test_a_time_beyond_all_dates_is_refused(file: Path) -> None:
    result = CliRunner().invoke(cli_keys.app, ["new", "x", "--days", "99999999999", "--keys", str(file)])
    assert result.exit_code == 2 and "36500" in result.output and not file.exists()


def test_an_unknown_scope_is_an_error_the_command_passes_on(file: Path) -> None:
    result = CliRunner().invoke(cli_keys.app, ["new", "x", "--scope", "all", "--keys", str(file)])
    assert isinstance(result.exception, InputError) and not file.exists()


def test_the_command_and_the_service_agree_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lookalike.toml").write_text('[service]\nkeys_file = "ours.json"\n')
    assert CliRunner().invoke(cli_keys.app, ["new", "x"]).exit_code == 0
    assert len(keys.read_keys(tmp_path / "ours.json")) == 1
    assert read_settings(ServiceSettings).keys_file == Path("ours.json")
