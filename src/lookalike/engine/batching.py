"""An Encoder that encodes for several callers at once: itself an Encoder, between the cache and the real one.

Nothing waits for a batch to fill. One thread per modality encodes whatever waits; a batch is what came in while the one
before it ran. So a lone caller pays one thread switch, and a busy service pays one call of the model for many callers.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Protocol

import numpy as np

from lookalike.core.errors import InputError, LookalikeError, Overloaded
from lookalike.core.ports import Encoder
from lookalike.core.types import Pixels, Vectors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is encoded at once, how much may wait, and for how long.

    `max_waiting` counts pictures, and phrases by themselves; who finds nobody waiting is never refused. `timeout_s` is how
    long a caller waits for one batch of its own: a call of more than `images` pictures or `texts` phrases takes turns with
    the others, one batch after another.
    """

    images: int = 16
    texts: int = 64
    max_waiting: int = 256
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if min(self.images, self.texts, self.max_waiting) < 1:
            raise InputError("images, texts and max_waiting must be at least 1.")
        if self.timeout_s <= 0:
            raise InputError("timeout_s must be longer than 0 s.")


class OnBatch(Protocol):
    """Is told of each call of the real encoder, just before it: for metrics."""

    def __call__(self, kind: str, size: int, waited_s: float) -> None:
        """Note "images" or "texts", how many of them, and how long the first of them has waited."""
        ...


class BatchingEncoder:
    """Wraps an encoder so that concurrent callers share its calls. Raises Overloaded when too much waits."""

    def __init__(
        self, encoder: Encoder, limits: BatchLimits | None = None, on_batch: OnBatch | None = None
    ) -> None:
        limits = limits or BatchLimits()
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dim = encoder.dim
        self.aligned = encoder.aligned
        self.sees = encoder.sees
        self.reads = encoder.reads
        self._timeout_s = limits.timeout_s
        self._images = _Lane("images", encoder.encode_images, limits.images, limits, on_batch)
        self._texts = _Lane("texts", encoder.encode_texts, limits.texts, limits, on_batch)

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        """Embed uint8 [h, w, 3] pictures -> float32 [n, dim], together with those of other callers."""
        return self._in_turns(self._images, images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed phrases -> float32 [n, dim], together with those of other callers."""
        return self._in_turns(self._texts, texts)

    def waiting(self) -> dict[str, int]:
        """Count the pictures and phrases that wait now, those being encoded not included."""
        return {"images": self._images.waiting, "texts": self._texts.waiting}

    def close(self, wait_s: float | None = None) -> None:
        """Take no more, finish what waits, and end the threads; what hangs is left behind after `wait_s` (`timeout_s`)."""
        until = time.monotonic() + (self._timeout_s if wait_s is None else wait_s)
        for lane in (self._images, self._texts):
            lane.close()
        for lane in (self._images, self._texts):
            lane.join(max(until - time.monotonic(), 0.0))

    def _in_turns(self, lane: _Lane, inputs: Sequence[Any]) -> Vectors:
        size = lane.max_batch
        parts = [lane.encode(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        # Concatenating copies: a caller may write into its own vectors.
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)


@dataclass(eq=False, slots=True)
class _Part:
    """What one caller asks of one batch."""

    inputs: Sequence[Any]
    since: float
    done: Future[Vectors] = field(default_factory=Future)
    left: bool = False
    """The caller is gone, nobody will read the vectors."""


class _Lane:
    """The queue of one modality, and the thread that empties it."""

    def __init__(
        self,
        kind: str,
        encode: Callable[[Sequence[Any]], Vectors],
        max_batch: int,
        limits: BatchLimits,
        on_batch: OnBatch | None,
    ) -> None:
        self.max_batch = max_batch
        self._kind = kind
        self._encode = encode
        self._limits = limits
        self._on_batch = on_batch
        self._changed = Condition()  # guards everything below
        self._parts: deque[_Part] = deque()
        self.waiting = 0  # inputs in _parts: written under the lock, read by anyone
        self._each_s = 0.0  # smoothed time per input, 0 until the first batch
        self._thread: Thread | None = None
        self._closed = False

    def encode(self, inputs: Sequence[Any]) -> Vectors:
        """Wait in the queue for the vectors of at most `max_batch` inputs -> float32 [n, dim]."""
        part = self._enqueue(inputs)
        try:
            return part.done.result(self._limits.timeout_s)
        except TimeoutError:
            if part.done.done():  # at the last moment, or the encoder itself raised a TimeoutError
                return part.done.result()
            raise Overloaded(
                f"the encoder gave no answer within {self._limits.timeout_s:g} s",
                retry_after_s=self._retry_after_s(),
            ) from None
        finally:  # whatever made the caller leave, an interrupt too, its part is not encoded for nobody
            self._leave(part)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self, wait_s: float) -> None:
        """Wait so long for the thread to end."""
        if self._thread is not None:
            self._thread.join(wait_s)

    # --- on the callers' threads --------------------------------------------------------------------------------------

    def _enqueue(self, inputs: Sequence[Any]) -> _Part:
        part = _Part(inputs, time.monotonic())
        with self._changed:
            if self._closed:
                raise LookalikeError("the encoder is closed", hint="Open the shop again.", code="closed")
            if self.waiting and self.waiting + len(inputs) > self._limits.max_waiting:
                raise Overloaded(
                    f"{self.waiting} {self._kind} wait to be encoded, and max_waiting is {self._limits.max_waiting}",
                    retry_after_s=self._retry_after_s(),
                )
            if self._thread is None or not self._thread.is_alive():  # at first, and in a forked process
                self._thread = Thread(target=self._run, name=f"encode-{self._kind}", daemon=True)
                self._thread.start()
            self._parts.append(part)
            self.waiting += len(inputs)
            self._changed.notify()
        return part

    def _leave(self, part: _Part) -> None:
        with self._changed:
            part.left = True
            if part in self._parts:
                self._parts.remove(part)
                self.waiting -= len(part.inputs)

    def _retry_after_s(self) -> float:
        """Estimate when what waits now will be done, 1 s while no rate is known."""
        return min(60.0, max(0.1, (self.waiting + self.max_batch) * self._each_s)) if self._each_s else 1.0

    # --- on the lane's own thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._serve():
            pass

    def _serve(self) -> bool:
        """Answer one batch, whatever happens in the encoder; False when closed and empty.

        A call of its own, so that an idle thread holds on to no pictures.
        """
        parts = self._take()
        try:
            if parts:
                self._answer(parts)
        except BaseException as error:  # even of exit() the caller hears, and the thread lives on
            if len(parts) == 1:
                parts[0].done.set_exception(error)
            else:
                self._answer_each(parts)
        return bool(parts)

    def _take(self) -> list[_Part]:
        """Wait for work and take what fits into a batch; [] when closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._closed)
            taken: list[_Part] = []
            room = self.max_batch
            while self._parts and len(self._parts[0].inputs) <= room:
                part = self._parts.popleft()
                room -= len(part.inputs)
                taken.append(part)
            self.waiting -= self.max_batch - room
            return taken

    def _answer(self, parts: Sequence[_Part]) -> None:
        """Encode the inputs of several callers at once, and give each its rows."""
        inputs = [each for part in parts for each in part.inputs]
        started = time.monotonic()
        self._report(len(inputs), started - parts[0].since)
        vectors = self._encode(inputs)
        if len(vectors) != len(inputs):  # or callers would get the rows of others
            raise RuntimeError(f"the encoder made {len(vectors)} vectors of {len(inputs)} {self._kind}")
        self._learn((time.monotonic() - started) / len(inputs))
        start = 0
        for part in parts:
            part.done.set_result(vectors[start : start + len(part.inputs)])
            start += len(part.inputs)

    def _answer_each(self, parts: Sequence[_Part]) -> None:
        """Encode part by part, so that only whose input is bad gets the error."""
        for part in parts:
            if part.left or part.done.done():
                continue
            try:
                self._answer([part])
            except BaseException as error:
                part.done.set_exception(error)

    def _report(self, size: int, waited_s: float) -> None:
        if self._on_batch is not None:
            try:
                self._on_batch(self._kind, size, waited_s)
            except Exception:  # counting must not stop what is counted
                _log.exception("on_batch failed")

    def _learn(self, each_s: float) -> None:
        self._each_s = each_s if not self._each_s else 0.8 * self._each_s + 0.2 * each_s
