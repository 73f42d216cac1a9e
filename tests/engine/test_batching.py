"""The batching encoder: real threads, the vectors each would have got alone, and errors only where they belong."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import InputError, LookalikeError, Overloaded
from lookalike.core.types import Pixels, Vectors, content_hash
from lookalike.engine.batching import BatchingEncoder, BatchLimits
from waiting import until

DIM = 4
PATIENCE_S = 60.0
"""How long a test waits for what must come; far more than it takes, for a busy machine."""


class SlowEncoder:
    """Vectors that depend on the input alone; each call waits until the gate is open, and "bad" input fails."""

    name, fingerprint, dim, aligned = "slow", "v1", DIM, True
    sees, reads = True, True

    def __init__(self, *, open_gate: bool = True) -> None:
        self.calls: list[list[Any]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        if open_gate:
            self.gate.set()

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        return self._encode(images, [image.tobytes() for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts, [text.encode() for text in texts])

    def _encode(self, inputs: Sequence[Any], contents: Sequence[bytes]) -> Vectors:
        self.calls.append(list(inputs))
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        if any(content.startswith(b"bad") for content in contents):
            raise ValueError("bad input")
        return np.array([row_of(content) for content in contents], np.float32)


def row_of(content: bytes) -> Vectors:
    row = np.random.default_rng(int(content_hash(content), 16)).standard_normal(DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


def rows_of(texts: Sequence[str]) -> Vectors:
    return np.array([row_of(text.encode()) for text in texts], np.float32).reshape(-1, DIM)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("encode-")]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as threads:
        yield threads


@pytest.fixture
def made() -> Iterator[Callable[..., BatchingEncoder]]:
    """Make batching encoders that are closed in the end, and see that no thread stays behind."""
    held: list[BatchingEncoder] = []

    def make(*given: Any, **named: Any) -> BatchingEncoder:
        held.append(BatchingEncoder(*given, **named))
        return held[-1]

    yield make
    for each in held:
        each.close()
    assert not threads()


def busy(
    encoder: SlowEncoder, batching: BatchingEncoder, pool: ThreadPoolExecutor, calls: Sequence[Sequence[str]]
) -> list[Future[Vectors]]:
    """Let one caller occupy the encoder, and others wait behind it, in this order."""
    futures = [pool.submit(batching.encode_texts, ["first"])]
    assert encoder.entered.acquire(timeout=PATIENCE_S)
    waiting = 0
    for texts in calls:
        futures.append(pool.submit(batching.encode_texts, texts))
        waiting += len(texts)
        until(lambda target=waiting: batching.waiting()["texts"] == target)  # type: ignore[misc]
    return futures


def test_it_is_the_encoder_it_wraps_and_starts_no_thread_before_it_is_asked(made: Any) -> None:
    batching = made(SlowEncoder())
    assert (batching.name, batching.fingerprint, batching.dim, batching.aligned) == ("slow", "v1", DIM, True)
    assert (batching.sees, batching.reads) == (True, True)
    nothing = batching.encode_texts([])
    assert nothing.shape == (0, DIM) and nothing.dtype == np.float32
    assert not threads()
    batching.encode_texts(["red"])
    assert [(thread.name, thread.daemon) for thread in threads()] == [("encode-texts", True)]


def test_callers_who_wait_share_one_call_and_each_gets_its_own(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder)
    asked = [[f"a{n}", f"b{n}"] for n in range(20)]
    futures = busy(encoder, batching, pool, asked)
    encoder.gate.set()
    np.testing.assert_array_equal(futures[0].result(PATIENCE_S), rows_of(["first"]))
    for texts, future in zip(asked, futures[1:], strict=True):
        np.testing.assert_array_equal(future.result(PATIENCE_S), rows_of(texts))
    assert encoder.calls == [["first"], [text for texts in asked for text in texts]]


def test_batches_keep_to_their_limit_and_to_the_order_of_arrival(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, BatchLimits(texts=5))
    futures = busy(encoder, batching, pool, [["1", "2"], ["3", "4"], ["5", "6"], ["7"], ["8", "9"]])
    encoder.gate.set()
    wait(futures, PATIENCE_S)
    assert encoder.calls == [["first"], ["1", "2", "3", "4"], ["5", "6", "7", "8", "9"]]


def test_a_large_call_takes_turns_with_others(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, BatchLimits(texts=3))
    many = [str(number) for number in range(8)]
    large = pool.submit(batching.encode_texts, many)
    assert encoder.entered.acquire(timeout=PATIENCE_S)
    small = pool.submit(batching.encode_texts, ["x"])
    until(lambda: batching.waiting()["texts"] == 1)
    encoder.gate.set()
    np.testing.assert_array_equal(small.result(PATIENCE_S), rows_of(["x"]))
    np.testing.assert_array_equal(large.result(PATIENCE_S), rows_of(many))
    assert encoder.calls == [many[:3], ["x"], many[3:6], many[6:]]


def test_pictures_do_not_wait_for_phrases(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder, images = SlowEncoder(open_gate=False), [np.full((2, 3, 3), n, np.uint8) for n in range(3)]
    batching = made(encoder)
    phrase, pictures = (
        pool.submit(batching.encode_texts, ["red"]),
        pool.submit(batching.encode_images, images),
    )
    for _ in range(2):  # both are inside the encoder at once
        assert encoder.entered.acquire(timeout=PATIENCE_S)
    encoder.gate.set()
    np.testing.assert_array_equal(pictures.result(PATIENCE_S), SlowEncoder().encode_images(images))
    np.testing.assert_array_equal(phrase.result(PATIENCE_S), rows_of(["red"]))


def test_a_bad_input_fails_its_own_caller_and_nobody_else(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder)
    futures = busy(encoder, batching, pool, [["a"], ["b", "bad"], ["c"]])
    encoder.gate.set()
    np.testing.assert_array_equal(futures[1].result(PATIENCE_S), rows_of(["a"]))
    np.testing.assert_array_equal(futures[3].result(PATIENCE_S), rows_of(["c"]))
    with pytest.raises(ValueError, match="bad input"):
        futures[2].result(PATIENCE_S)
    assert encoder.calls == [["first"], ["a", "b", "bad", "c"], ["a"], ["b", "bad"], ["c"]]


@pytest.mark.parametrize("error", [RuntimeError("no memory"), SystemExit(3), TimeoutError("of its own")])
def test_it_goes_on_after_any_exception(made: Any, error: BaseException) -> None:
    class Failing(SlowEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            if "fail" in texts:
                raise error
            return super().encode_texts(texts)

    batching = made(Failing())
    for _ in range(3):
        with pytest.raises(type(error)) as caught:
            batching.encode_texts(["fail"])
        assert caught.value is error
        np.testing.assert_array_equal(batching.encode_texts(["red"]), rows_of(["red"]))
    assert len(threads()) == 1


def test_an_encoder_that_loses_a_row_gives_nobody_the_vector_of_another(made: Any) -> None:
    class Losing(SlowEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            return super().encode_texts(texts)[1:]

    with pytest.raises(RuntimeError, match="made 1 vectors of 2 texts"):
        made(Losing()).encode_texts(["a", "b"])


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(
    made: Any, pool: ThreadPoolExecutor
) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, BatchLimits(max_waiting=4))
    futures = busy(encoder, batching, pool, [["a", "b", "c"], ["d"]])
    with pytest.raises(Overloaded, match="4 texts wait to be encoded, and max_waiting is 4") as caught:
        batching.encode_texts(["e"])
    assert (caught.value.code, caught.value.retry_after_s) == ("overloaded", 1.0)  # no rate is known yet
    assert caught.value.hint == "Ask again in 1 s."
    encoder.gate.set()
    wait(futures, PATIENCE_S)
    np.testing.assert_array_equal(batching.encode_texts(["e"]), rows_of(["e"]))
    assert encoder.calls == [["first"], ["a", "b", "c", "d"], ["e"]]


def test_the_time_to_come_again_follows_the_rate(made: Any, pool: ThreadPoolExecutor) -> None:
    class Timed(SlowEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            time.sleep(0.1 * len(texts))
            return super().encode_texts(texts)

    encoder = Timed()
    batching = made(encoder, BatchLimits(max_waiting=10, texts=10))
    batching.encode_texts(["a", "b"])
    encoder.entered.acquire()
    encoder.gate.clear()
    futures = busy(encoder, batching, pool, [["x"] * 10])
    with pytest.raises(Overloaded) as caught:
        batching.encode_texts(["e"])
    encoder.gate.set()
    wait(futures, PATIENCE_S)
    assert caught.value.retry_after_s >= 2.0  # ten wait, ten may be running, 0.1 s each


def test_an_empty_queue_takes_a_call_larger_than_all_that_may_wait(made: Any) -> None:
    batching = made(SlowEncoder(), BatchLimits(max_waiting=2, texts=8))
    texts = [str(number) for number in range(20)]
    np.testing.assert_array_equal(batching.encode_texts(texts), rows_of(texts))


def test_who_gave_up_is_not_encoded(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, BatchLimits(timeout_s=0.2))
    first = pool.submit(batching.encode_texts, ["first"])
    assert encoder.entered.acquire(timeout=PATIENCE_S)
    for future in (first, *[pool.submit(batching.encode_texts, [f"gone {n}"]) for n in range(5)]):
        with pytest.raises(Overloaded, match=r"no answer within 0\.2 s"):
            future.result(PATIENCE_S)
    assert batching.waiting() == {"images": 0, "texts": 0}
    encoder.gate.set()
    batching.close()
    assert encoder.calls == [["first"]]


def test_who_gave_up_during_a_batch_that_failed_is_not_tried_again(
    made: Any, pool: ThreadPoolExecutor
) -> None:
    class Held(SlowEncoder):
        held = threading.Event()

        def _encode(self, inputs: Sequence[Any], contents: Sequence[bytes]) -> Vectors:
            if "gone" in inputs:
                assert self.held.wait(PATIENCE_S)
            return super()._encode(inputs, contents)

    encoder = Held(open_gate=False)
    batching = made(encoder, BatchLimits(timeout_s=2.0))
    futures = busy(encoder, batching, pool, [["bad"], ["gone"]])
    encoder.gate.set()
    for future in futures[1:]:
        with pytest.raises(Overloaded):
            future.result(PATIENCE_S)
    encoder.held.set()
    batching.encode_texts(["end"])
    assert encoder.calls == [["first"], ["bad", "gone"], ["end"]]


def test_closing_finishes_what_waits_and_takes_no_more(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, BatchLimits(texts=2))
    futures = busy(encoder, batching, pool, [["a"], ["b", "c"], ["d"]])
    closing = pool.submit(batching.close)
    encoder.gate.set()
    closing.result(PATIENCE_S)
    assert not threads()
    with pytest.raises(LookalikeError, match="closed") as caught:
        batching.encode_images([np.zeros((1, 1, 3), np.uint8)])
    assert caught.value.code == "closed"
    for texts, future in zip([["first"], ["a"], ["b", "c"], ["d"]], futures, strict=True):
        np.testing.assert_array_equal(future.result(PATIENCE_S), rows_of(texts))
    batching.close()


def test_closing_does_not_wait_for_ever_for_an_encoder_that_hangs(pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    batching = BatchingEncoder(encoder, BatchLimits(timeout_s=0.05))
    future = pool.submit(batching.encode_texts, ["a"])
    with pytest.raises(Overloaded):
        future.result(PATIENCE_S)
    batching.close()
    encoder.gate.set()
    until(lambda: not threads())


def test_metrics_see_every_call_and_cannot_break_one(
    made: Any, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[str, int, float]] = []

    def note(kind: str, size: int, waited_s: float) -> None:
        seen.append((kind, size, waited_s))
        raise ZeroDivisionError

    encoder = SlowEncoder(open_gate=False)
    batching = made(encoder, on_batch=note)
    futures = busy(encoder, batching, pool, [["a"], ["b", "c"]])
    time.sleep(0.05)
    encoder.gate.set()
    wait(futures, PATIENCE_S)
    batching.encode_images([np.zeros((1, 1, 3), np.uint8)])
    assert [(kind, size) for kind, size, _ in seen] == [("texts", 1), ("texts", 3), ("images", 1)]
    assert seen[1][2] >= 0.05 and all(waited_s >= 0 for *_, waited_s in seen)
    assert "on_batch failed" in caplog.text


def test_vectors_may_be_changed_by_who_got_them(made: Any, pool: ThreadPoolExecutor) -> None:
    encoder = SlowEncoder(open_gate=False)
    futures = busy(encoder, made(encoder), pool, [["a"], ["b"]])
    encoder.gate.set()
    futures[1].result(PATIENCE_S)[:] = 7
    np.testing.assert_array_equal(futures[2].result(PATIENCE_S), rows_of(["b"]))


@pytest.mark.parametrize("seed", range(4))
def test_many_threads_get_what_they_would_have_got_alone(
    made: Any, pool: ThreadPoolExecutor, seed: int
) -> None:
    """Calls of all sizes, some bad, from 24 threads; the queue is short, so some are refused, and ask again."""

    class Jittery(SlowEncoder):
        def _encode(self, inputs: Sequence[Any], contents: Sequence[bytes]) -> Vectors:
            time.sleep(random.random() * 0.002)
            return super()._encode(inputs, contents)

    encoder = Jittery()
    batching = made(encoder, BatchLimits(texts=7, images=3, max_waiting=20, timeout_s=PATIENCE_S))

    def ask(dice: random.Random) -> None:
        texts = [f"{dice.choice('abcdef')}{n}" for n in range(dice.randint(0, 10))]
        if dice.random() < 0.1:
            texts.insert(0, "bad")
        images = [np.frombuffer(text.ljust(6).encode(), np.uint8)[None, :, None] for text in texts]
        with pytest.raises(ValueError, match="bad input") if "bad" in texts else nullcontext():
            if dice.random() < 0.3:
                contents = [image.tobytes().decode() for image in images]
                np.testing.assert_array_equal(batching.encode_images(images), rows_of(contents))
            else:
                np.testing.assert_array_equal(batching.encode_texts(texts), rows_of(texts))

    def caller(number: int) -> int:
        dice, answered = random.Random(f"{seed} {number}"), 0
        while answered < 25:
            try:
                ask(dice)
                answered += 1
            except Overloaded:
                time.sleep(0.001)
        return answered

    assert [future.result(PATIENCE_S) for future in [pool.submit(caller, n) for n in range(24)]] == [25] * 24
    assert batching.waiting() == {"images": 0, "texts": 0}
    assert len(threads()) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_a_thread_of_its_own(made: Any) -> None:
    batching = made(SlowEncoder())
    batching.encode_texts(["a"])
    child = os.fork()
    if child == 0:
        right = np.array_equal(batching.encode_texts(["b"]), rows_of(["b"]))
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("wrong", [{"images": 0}, {"texts": 0}, {"max_waiting": 0}, {"timeout_s": 0.0}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        BatchLimits(**wrong)
