"""The Cache in a Redis that several processes share. What it does not say in time is a miss, and it never fails anybody.

redis-py gives up after `socket_timeout`, but that is per packet, and looking up a name is not bounded at all. So one thread of
ours talks to Redis, and who asks waits for that thread, for so long and no longer. Values are set behind the caller's back.

redis-py's own circuit breaker belongs to its client for several databases and comes from pybreaker, which lets one call in at a
time; a pause after what went wrong is all that is needed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from time import monotonic
from typing import Any, Final, cast
from zlib import crc32

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.retry import Retry

from lookalike.core.errors import InputError

log = logging.getLogger("lookalike.cache")
PREFIX: Final = "lookalike:1:"
"""All keys begin with it; the number goes up when what is in the values changes."""
MAX_UNSET: Final = 32
"""Values that wait to be set; more are forgotten."""
SLOW_TIMES: Final = 3
"""So many slow answers in a row are an outage, too; slow is half of what is waited for."""
PAUSE_S: Final = 1.0
"""How long nothing is asked after an outage began; doubled each time it goes on, up to `MAX_PAUSE_S`."""
MAX_PAUSE_S: Final = 30.0
CRC_BYTES: Final = 4
FAILURES: Final = (RedisError, OSError, ValueError)
"""What asking may end in: refusals, broken connections, time that is up, and names that cannot be looked up."""


@dataclass(frozen=True, slots=True)
class RedisLimits:
    """How long values are kept, how long one is waited for, and how large they may be."""

    ttl_s: int = 3600
    timeout_s: float = 0.05
    max_value_bytes: int = 1_000_000


class RedisCache:
    """A Cache at a redis://, rediss:// or unix:// URL. Safe to use from threads; `close` ends its own.

    `on_outage` is called once for each time that Redis is found to be gone or slow; until it is back, everything is a miss
    at once. Raises InputError for a URL that cannot be read, and for one only: a Redis that is not there is an outage.
    """

    def __init__(self, url: str, limits: RedisLimits = RedisLimits()) -> None:
        self.on_outage: Callable[[], None] = lambda: None
        self._limits = limits
        try:
            self._client = Redis.from_url(
                url,
                socket_timeout=limits.timeout_s,
                socket_connect_timeout=limits.timeout_s,
                # Once more, for connections that were closed as nobody used them; else it tries ten times, for seconds.
                retry=Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
                protocol=2,  # a newer one takes more round trips to begin with
            )
        except ValueError:  # whose message may hold a part of a password
            raise InputError(
                "the URL of the cache cannot be read",
                hint="Write cache_url as redis://:password@host:6379/0, with odd characters as %2F and the like.",
            ) from None
        self._thread = ThreadPoolExecutor(1, "cache-redis")
        self._unset = BoundedSemaphore(MAX_UNSET)
        self._lock = Lock()
        self._slow = 0
        self._down_since: float | None = None
        self._back_since = -MAX_PAUSE_S
        self._pause_s = PAUSE_S
        self._try_at = 0.0
        self._closed = False

    def get(self, key: str) -> bytes | None:
        """Return what was set, or None; that is also what a value comes to that is not as it was written."""
        if not self._may_ask():
            return None
        began = monotonic()
        asked = self._submit(self._client.get, PREFIX + key)
        if asked is None:
            return None
        try:
            found = cast(bytes | None, asked.result(self._limits.timeout_s))
        except FAILURES as error:
            asked.cancel()
            self._failed(error)
            return None
        self._answered(monotonic() - began)
        return None if found is None else _opened(found)

    def set(self, key: str, value: bytes) -> None:
        """Have a value remembered; returns at once. One that is too large is not, nor is the one there was before."""
        if not self._may_ask() or not self._unset.acquire(blocking=False):
            return
        if len(value) <= self._limits.max_value_bytes:
            setting = self._submit(self._client.set, PREFIX + key, _sealed(value), ex=self._limits.ttl_s)
        else:
            setting = self._submit(self._client.delete, PREFIX + key)
        if setting is None:
            self._unset.release()
        else:
            setting.add_done_callback(self._was_set)

    def close(self) -> None:
        """Let go of Redis; from now on everything is a miss."""
        with self._lock:
            self._closed = True
        self._submit(self._client.close)  # after what is under way
        self._thread.shutdown(wait=False)

    def _submit(self, command: Callable[..., object], *words: Any, **more: Any) -> Future[object] | None:
        try:
            return self._thread.submit(command, *words, **more)
        except RuntimeError:  # it was closed meanwhile
            return None

    def _was_set(self, setting: Future[object]) -> None:
        self._unset.release()
        if setting.cancelled():
            return
        error = setting.exception()
        if error is not None:
            self._failed(error)

    # --- outages ----------------------------------------------------------------------------------------------------

    def _may_ask(self) -> bool:
        """Say whether Redis is there, as far as is known. If it was not, have that looked at anew after a pause."""
        with self._lock:
            if self._closed:
                return False
            if self._down_since is None:
                return True
            if monotonic() < self._try_at:
                return False
            self._try_at = float("inf")  # until this try has come to something
        self._submit(self._try)
        return False

    def _try(self) -> None:
        try:
            self._client.ping()
        except FAILURES:
            with self._lock:
                self._rest()
            return
        with self._lock:
            began, self._down_since = self._down_since, None
            self._back_since, self._slow = monotonic(), 0
        log.warning("the shared cache answers again, after %.0f s", self._back_since - (began or 0.0))

    def _answered(self, took_s: float) -> None:
        with self._lock:
            self._slow = self._slow + 1 if took_s > self._limits.timeout_s / 2 else 0
            slow = self._slow >= SLOW_TIMES
        if slow:
            self._failed(TimeoutError("it answers too slowly"))

    def _failed(self, error: BaseException) -> None:
        with self._lock:
            if self._closed or self._down_since is not None:
                return
            self._down_since = monotonic()
            if self._down_since - self._back_since > MAX_PAUSE_S:  # else it comes and goes
                self._pause_s = PAUSE_S
            self._rest()
        said = str(error) or f"nothing within {self._limits.timeout_s * 1e3:.0f} ms"
        log.warning("the shared cache is not asked until it answers again: %s", said)
        self.on_outage()

    def _rest(self) -> None:
        self._try_at = monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, MAX_PAUSE_S)


def _sealed(value: bytes) -> bytes:
    return crc32(value).to_bytes(CRC_BYTES) + value


def _opened(found: bytes) -> bytes | None:
    """Return the value in what was found, None if it is not what was written."""
    value = found[CRC_BYTES:]
    return value if _sealed(value) == found else None
