"""The cached encoder: the same vectors as without it, and no more work than needed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.adapters.cache_memory import MemoryCache
from lookalike.core.types import Pixels, Vectors, content_hash
from lookalike.engine.encoding import CachedEncoder
from strategies import examples

DIM = 5


class CountingEncoder:
    """An encoder whose vectors depend on nothing but the input and the fingerprint; it notes what it was given."""

    name, dim, aligned = "counting", DIM, True
    sees, reads = True, True

    def __init__(self, fingerprint: str = "v1") -> None:
        self.fingerprint = fingerprint
        self.calls: list[list[Any]] = []

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        return self._encode(
            "image", images, [f"{image.shape}".encode() + image.tobytes() for image in images]
        )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._encode("text", texts, [text.encode() for text in texts])

    def _encode(self, kind: str, inputs: Sequence[Any], contents: Sequence[bytes]) -> Vectors:
        self.calls.append(list(inputs))
        seeds = [
            int(content_hash(f"{self.fingerprint}{kind}".encode() + content), 16) for content in contents
        ]
        rows = [np.random.default_rng(seed).standard_normal(DIM) for seed in seeds]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


class ForgetfulCache:
    """A cache that keeps nothing, as a cache may."""

    def get(self, key: str) -> bytes | None:
        return None

    def set(self, key: str, value: bytes) -> None:
        pass


def test_it_is_the_encoder_it_wraps_by_name_and_kind() -> None:
    plain = CountingEncoder()
    cached = CachedEncoder(plain, MemoryCache())
    assert (cached.name, cached.fingerprint, cached.dim, cached.aligned) == ("counting", "v1", DIM, True)
    assert (cached.sees, cached.reads) == (True, True)


@examples(60)
@given(st.lists(st.lists(st.sampled_from(["red", "blue", "", "日本", "red "]), max_size=6), max_size=5))
def test_the_same_vectors_come_in_order_and_each_phrase_is_encoded_once(batches: list[list[str]]) -> None:
    plain, counted = CountingEncoder(), CountingEncoder()
    cached = CachedEncoder(counted, MemoryCache())
    for texts in batches:
        vectors = cached.encode_texts(texts)
        assert vectors.dtype == np.float32 and vectors.shape == (len(texts), DIM)
        if texts:
            np.testing.assert_array_equal(vectors, plain.encode_texts(texts))
    encoded = [text for call in counted.calls for text in call]
    assert encoded == list(dict.fromkeys(text for texts in batches for text in texts))
    assert all(counted.calls)  # never asked for nothing


def test_only_what_is_new_in_a_batch_is_encoded_together() -> None:
    counted = CountingEncoder()
    cached = CachedEncoder(counted, MemoryCache())
    cached.encode_texts(["b", "a", "b"])
    cached.encode_texts(["c", "a", "d", "c"])
    cached.encode_texts(["a", "b", "c", "d"])
    assert counted.calls == [["b", "a"], ["c", "d"]]


def test_pictures_are_told_apart_by_their_pixels_and_shape() -> None:
    counted = CountingEncoder()
    cached = CachedEncoder(counted, MemoryCache())
    flat = np.arange(24, dtype=np.uint8)
    images = [
        flat.reshape(2, 4, 3),
        flat.reshape(4, 2, 3),
        flat.reshape(2, 4, 3).copy(),
        flat[::-1].reshape(2, 4, 3),
    ]
    vectors = cached.encode_images(images)
    np.testing.assert_array_equal(vectors, CountingEncoder().encode_images(images))
    assert len(counted.calls[0]) == 3 and len({row.tobytes() for row in vectors}) == 3
    np.testing.assert_array_equal(cached.encode_images(images[::-1]), vectors[::-1])
    assert len(counted.calls) == 1


def test_a_phrase_is_no_picture_and_another_encoder_no_witness() -> None:
    cache, counted = MemoryCache(), CountingEncoder()
    first = CachedEncoder(counted, cache).encode_texts(["red"])
    other = CountingEncoder("v2")
    second = CachedEncoder(other, cache).encode_texts(["red"])
    assert len(other.calls) == 1 and not np.array_equal(first, second)
    image = np.zeros((1, 1, 3), np.uint8)
    CachedEncoder(counted, cache).encode_images([image])
    CachedEncoder(counted, cache).encode_texts([f"image:{image.shape}:{content_hash(image.tobytes())}"])
    assert len(counted.calls) == 3
    again = CountingEncoder()
    np.testing.assert_array_equal(CachedEncoder(again, cache).encode_texts(["red"]), first)
    assert again.calls == []


@pytest.mark.parametrize(
    "cache", [ForgetfulCache(), MemoryCache(max_bytes=DIM * 4 + 40)], ids=["keeps none", "keeps one"]
)
def test_a_cache_that_forgets_costs_work_and_nothing_else(cache: Any) -> None:
    texts = ["a", "b", "a", "c"]
    cached = CachedEncoder(CountingEncoder(), cache)
    for _ in range(3):
        np.testing.assert_array_equal(cached.encode_texts(texts), CountingEncoder().encode_texts(texts))


def test_the_cache_is_bounded_by_its_keys_as_well() -> None:
    cache = MemoryCache(max_bytes=100)
    cache.set("a" * 60, b"1" * 20)
    cache.set("b" * 10, b"2" * 20)
    assert cache.get("a" * 60) is None and cache.get("b" * 10) == b"2" * 20
    cache.set("b" * 10, b"3" * 91)
    assert cache.get("b" * 10) is None


def test_long_phrases_take_no_more_room_than_short_ones() -> None:
    cache, counted = MemoryCache(max_bytes=200), CountingEncoder()
    cached = CachedEncoder(counted, cache)
    texts = ["red " * 500, "red " * 500 + "a", "red " * 500 + "b"]
    cached.encode_texts(texts)
    assert len({row.tobytes() for row in cached.encode_texts(texts)}) == 3
    assert len(counted.calls) == 1


class Slow(CountingEncoder):
    """An encoder that goes on when told to, and fails at a phrase."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go_on = Semaphore(0), Event()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.began.release()
        assert self.go_on.wait(60)
        if "bad" in texts:
            raise ValueError("bad phrase")
        return super().encode_texts(texts)


def test_callers_that_ask_for_the_same_at_the_same_time_share_the_work() -> None:
    slow = Slow()
    cached = CachedEncoder(slow, MemoryCache())
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(cached.encode_texts, ["red", "blue"])
        assert slow.began.acquire(timeout=60)
        second = pool.submit(cached.encode_texts, ["green", "red"])
        third = pool.submit(cached.encode_texts, ["blue", "red"])
        assert slow.began.acquire(timeout=60)
        slow.go_on.set()
        for asked, each in ((["red", "blue"], first), (["green", "red"], second), (["blue", "red"], third)):
            np.testing.assert_array_equal(each.result(60), CountingEncoder().encode_texts(asked))
    assert sorted(slow.calls) == [["green"], ["red", "blue"]]


def test_one_callers_failure_is_not_that_of_another_who_waited_for_it() -> None:
    slow = Slow()
    cached = CachedEncoder(slow, MemoryCache())
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cached.encode_texts, ["red", "bad"])
        assert slow.began.acquire(timeout=60)
        second = pool.submit(cached.encode_texts, ["red"])
        slow.go_on.set()
        with pytest.raises(ValueError, match="bad phrase"):
            first.result(60)
        np.testing.assert_array_equal(second.result(60), CountingEncoder().encode_texts(["red"]))
    assert slow.calls == [["red"]]


def test_a_failed_batch_leaves_nothing_behind() -> None:
    class Failing(CountingEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            if "bad" in texts:
                raise ValueError("bad phrase")
            return super().encode_texts(texts)

    failing = Failing()
    cached = CachedEncoder(failing, MemoryCache())
    with pytest.raises(ValueError, match="bad phrase"):
        cached.encode_texts(["good", "bad"])
    cached.encode_texts(["good"])
    assert failing.calls == [["good"]]


def test_vectors_may_be_changed_without_harm_to_the_cache() -> None:
    cached = CachedEncoder(CountingEncoder(), MemoryCache())
    first = cached.encode_texts(["red"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(cached.encode_texts(["red"]), kept)
