"""The contract of the `Cache` port, run over every adapter (Redis: a real one), and what the one in memory promises besides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.adapters.cache_memory import MemoryCache
from lookalike.adapters.cache_tiered import TieredCache
from lookalike.core.ports import Cache
from strategies import examples


@pytest.fixture(params=["memory", "redis", "tiered"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    url = request.getfixturevalue("redis_server").url
    from lookalike.adapters.cache_redis import RedisCache, RedisLimits

    # On a machine that is busy with other things, the usual limit may well be passed.
    redis = RedisCache(url, RedisLimits(timeout_s=5.0))
    yield redis if request.param == "redis" else TieredCache(MemoryCache(100), redis, "some:")
    redis.close()


def test_it_returns_what_was_set_last_or_nothing(cache: Cache) -> None:
    assert cache.get("a") is None
    cache.set("a", b"one")
    cache.set("b", b"")
    assert cache.get("a") == b"one" and cache.get("b") == b""
    cache.set("a", bytes(range(256)))
    assert cache.get("a") == bytes(range(256))
    cache.set("日本 🧦:\0", b"any key")
    assert cache.get("日本 🧦:\0") == b"any key"


def test_threads_may_use_it_together(cache: Cache) -> None:
    def use(thread: int) -> None:
        for turn in range(400):
            key = f"{(thread + turn) % 7}"
            held = cache.get(key)
            assert held is None or held == key.encode() * 50
            cache.set(key, key.encode() * 50)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(use, number) for number in range(4)]:
            done.result()


# --- in memory ------------------------------------------------------------------------------------------------------


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(max_bytes=33)  # keys count too
    for key in "abc":
        cache.set(key, b"x" * 10)
    assert cache.get("a")  # used, so "b" is the oldest now
    cache.set("d", b"x" * 10)
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    cache.set("a", b"y" * 10)  # writing is using
    cache.set("e", b"x" * 10)
    assert [cache.get(key) is not None for key in "acde"] == [True, False, True, True]


def test_a_value_larger_than_the_cache_is_not_kept_and_leaves_no_older_one_behind() -> None:
    cache = MemoryCache(max_bytes=11)
    cache.set("a", b"x" * 10)
    cache.set("b", b"x" * 11)
    assert cache.get("b") is None and cache.get("a") == b"x" * 10
    cache.set("a", b"y" * 11)
    assert cache.get("a") is None
    cache.set("c", b"z" * 10)
    assert cache.get("c") == b"z" * 10


@examples(80)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 25), st.booleans())), st.integers(0, 40))
def test_it_holds_the_most_recently_used_values_that_fit(
    uses: list[tuple[str, int, bool]], max_bytes: int
) -> None:
    cache = MemoryCache(max_bytes)
    order: dict[str, bytes] = {}  # oldest use first
    for key, size, writing in uses:
        if writing:
            order.pop(key, None)
            cache.set(key, b"v" * size)
            if len(key) + size <= max_bytes:
                order[key] = b"v" * size
            while sum(len(key) + len(value) for key, value in order.items()) > max_bytes:
                order.pop(next(iter(order)))
        else:
            assert cache.get(key) == order.get(key)
            if key in order:
                order[key] = order.pop(key)
    assert {key: cache.get(key) for key in "abcdef" if cache.get(key) is not None} == order
