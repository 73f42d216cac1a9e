"""The cache in a real Redis: what lies there, for how long, and what becomes of searches when it is gone or slow."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest

from lookalike.adapters import cache_redis
from lookalike.adapters.cache_memory import MemoryCache
from lookalike.adapters.cache_redis import PREFIX, RedisCache, RedisLimits
from lookalike.adapters.cache_tiered import TieredCache
from lookalike.core.errors import InputError
from redis_server import RedisServer
from waiting import until

redis = pytest.importorskip("redis", reason="redis-py is not installed")
PATIENT = RedisLimits(timeout_s=5.0)
TIMEOUT_S = 0.2
HURRIED = RedisLimits(timeout_s=TIMEOUT_S)
MUCH_S = 10.0
"""More than any number of look-ups may take together that nobody waits for, on a machine that has much else to do."""
Open = Callable[..., RedisCache]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Yield what opens a cache, and counts its outages in its `seen`."""
    caches: list[RedisCache] = []

    def open_one(url: str, limits: RedisLimits = PATIENT) -> RedisCache:
        cache = RedisCache(url, limits)
        cache.seen = []  # type: ignore[attr-defined]
        cache.on_outage = lambda: cache.seen.append(1)  # type: ignore[attr-defined]
        caches.append(cache)
        return cache

    yield open_one
    for cache in caches:
        cache.close()


def outages(cache: RedisCache) -> int:
    return len(cache.seen)  # type: ignore[attr-defined]


def comes_back(cache: RedisCache) -> None:
    def is_back() -> bool:
        cache.set("back", b"yes")
        return cache.get("back") == b"yes"

    until(is_back)


def test_what_lies_in_redis(redis_server: RedisServer, opened: Open) -> None:
    cache = opened(redis_server.url, RedisLimits(ttl_s=100, timeout_s=5.0, max_value_bytes=10))
    cache.set("a", b"x" * 10)
    assert cache.get("a") == b"x" * 10
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.keys() == [(PREFIX + "a").encode()]
        assert 90 < client.ttl(PREFIX + "a") <= 100
        cache.set("a", b"x" * 11)  # too large, and what was there is no longer true
        assert cache.get("a") is None and client.keys() == []


def test_it_is_shared_and_forgets_in_time(redis_server: RedisServer, opened: Open) -> None:
    one, other = (opened(redis_server.url, RedisLimits(ttl_s=1, timeout_s=5.0)) for _ in range(2))
    one.set("a", b"x")
    assert one.get("a") == b"x" == other.get("a")
    until(lambda: other.get("a") is None)


def test_what_is_not_as_it_was_written_is_not_there(redis_server: RedisServer, opened: Open) -> None:
    cache = opened(redis_server.url)
    with redis.Redis.from_url(redis_server.url) as client:
        for wrong in (b"", b"abc", b"abcd", b"\0\0\0\0x"):
            client.set(PREFIX + "a", wrong)
            assert cache.get("a") is None
        cache.set("a", b"vector")
        assert cache.get("a") == b"vector"
        client.append(PREFIX + "a", b"!")
        assert cache.get("a") is None
    assert outages(cache) == 0


def test_a_key_of_another_kind_is_an_outage_and_no_error(redis_server: RedisServer, opened: Open) -> None:
    cache = opened(redis_server.url)
    with redis.Redis.from_url(redis_server.url) as client:
        client.rpush(PREFIX + "a", "x")
    assert cache.get("a") is None and outages(cache) == 1
    comes_back(cache)


def test_connections_that_were_closed_meanwhile_are_opened_anew(
    redis_server: RedisServer, opened: Open
) -> None:
    cache = opened(redis_server.url)
    cache.set("a", b"x")
    assert cache.get("a") == b"x"
    with redis.Redis.from_url(redis_server.url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert cache.get("a") == b"x" and outages(cache) == 0


@pytest.mark.parametrize("how", ["killed", "held"])
def test_nobody_waits_for_a_redis_that_is_gone_or_silent(
    redis_server: RedisServer,
    opened: Open,
    how: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_redis, "PAUSE_S", 0.05)
    monkeypatch.setattr(cache_redis, "MAX_PAUSE_S", 0.2)
    cache = opened(redis_server.url, HURRIED)
    comes_back(cache)
    seen = outages(cache)
    caplog.clear()
    if how == "killed":
        redis_server.stop()
    else:
        redis_server.hold()
    began = time.monotonic()
    for turn in range(500):
        assert cache.get(f"{turn}") is None
        cache.set(f"{turn}", b"x")
        time.sleep(0.001)
    assert time.monotonic() - began < MUCH_S  # each waited for would be 100 s
    assert outages(cache) == seen + 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    if how == "killed":
        redis_server.start()
    else:
        redis_server.release()
    comes_back(cache)
    assert "answers again" in caplog.text
    cache.set("after", b"y")
    assert cache.get("after") == b"y"


def test_a_server_that_speaks_in_drops_is_not_waited_for(opened: Open) -> None:
    """Each byte comes in time, so that no time-out of a socket ends it."""
    stopped = Event()

    def drip() -> None:
        listener.settimeout(0.1)
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                try:
                    connection.sendall(b"$1000000\r\n")
                    while not stopped.wait(TIMEOUT_S / 4):
                        connection.sendall(b"x")
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, daemon=True)
        thread.start()
        cache = opened(f"redis://127.0.0.1:{listener.getsockname()[1]}", HURRIED)
        began = time.monotonic()
        assert [cache.get("a") for _ in range(200)] == [None] * 200
        assert time.monotonic() - began < MUCH_S
        assert outages(cache) == 1
        stopped.set()
        thread.join()


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*3\r\n:1\r\n", b"\xff" * 99, b""])
def test_what_is_no_redis_is_an_outage(opened: Open, said: bytes) -> None:
    def answer() -> None:
        listener.settimeout(60)
        while not stopped.is_set():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(said)

    stopped = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=answer, daemon=True)
        thread.start()
        cache = opened(f"redis://127.0.0.1:{listener.getsockname()[1]}", HURRIED)
        assert [cache.get("a") for _ in range(10)] == [None] * 10
        assert outages(cache) == 1
        stopped.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()


def test_a_name_that_is_looked_up_without_end_is_not_waited_for(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = Event(), Event()

    def slow(*_: object, **__: object) -> None:
        asked.set()
        go_on.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    cache = opened("redis://cache.test:6379/0", HURRIED)
    began = time.monotonic()
    assert [cache.get("a") for _ in range(200)] == [None] * 200
    assert asked.is_set() and time.monotonic() - began < MUCH_S
    assert outages(cache) == 1
    go_on.set()


def test_slow_answers_are_an_outage_as_well(
    redis_server: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(redis_server.url, PATIENT)
    cache.set("a", b"x")
    assert cache.get("a") == b"x"
    clock = iter(range(0, 10_000, 3))
    monkeypatch.setattr(cache_redis, "monotonic", lambda: float(next(clock)))
    assert [cache.get("a") for _ in range(4)] == [b"x", b"x", b"x", None]
    assert outages(cache) == 1


def test_a_redis_that_is_full_is_told_once(
    redis_program: str, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(redis_program)
    try:
        server.start("--maxmemory", "1", "--maxmemory-policy", "noeviction")
        cache = opened(server.url)
        for number in range(20):
            cache.set(f"{number}", b"x")
        until(lambda: outages(cache) == 1)
        assert "maxmemory" in caplog.text and len(caplog.records) == 1
    finally:
        server.close()


def test_after_its_end_everything_is_a_miss(redis_server: RedisServer, opened: Open) -> None:
    cache = opened(redis_server.url)
    cache.set("a", b"x")
    assert cache.get("a") == b"x"
    cache.close()
    cache.set("b", b"x")
    assert cache.get("a") is None and outages(cache) == 0
    cache.close()


@pytest.mark.parametrize(
    "url", ["redis://:geheim/wort@host:6379", "redis://host:port", "redis://[::1", "http://host"]
)
def test_a_url_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as told:
        RedisCache(url)
    assert "geheim" not in f"{told.value} {told.value.hint}" and told.value.__cause__ is None


def test_what_another_found_is_kept_near(redis_server: RedisServer, opened: Open) -> None:
    far = opened(redis_server.url)
    one, other = (TieredCache(MemoryCache(1000), far, "vectors:") for _ in range(2))
    one.set("a", b"x")
    assert far.get("vectors:a") == b"x" == other.get("a")
    redis_server.stop()
    assert one.get("a") == b"x" == other.get("a")
    assert TieredCache(MemoryCache(1000), far, "answers:").get("a") is None
