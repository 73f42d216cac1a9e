"""The Cache in this process: least recently used goes first."""

from __future__ import annotations

from threading import Lock

from cachetools import LRUCache


class MemoryCache:
    """At most `max_bytes` of values; a value larger than that is not kept."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self._held: LRUCache[str, bytes] = LRUCache(max_bytes, getsizeof=len)
        self._lock = Lock()  # cachetools leaves locking to its callers

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._held.get(key)

    def set(self, key: str, value: bytes) -> None:
        with self._lock:
            if len(value) <= self._held.maxsize:
                self._held[key] = value
            else:
                self._held.pop(key, None)  # the value it had is no longer true
