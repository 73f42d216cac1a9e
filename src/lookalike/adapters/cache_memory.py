"""The Cache in this process: least recently used goes first."""

from __future__ import annotations

from threading import Lock

from cachetools import LRUCache


class MemoryCache:
    """At most `max_bytes` of keys and values; what is larger than that is not kept."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self._held: LRUCache[str, tuple[str, bytes]] = LRUCache(max_bytes, getsizeof=_size)
        self._lock = Lock()  # cachetools leaves locking to its callers

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._held.get(key, ("", None))[1]

    def set(self, key: str, value: bytes) -> None:
        with self._lock:
            if _size((key, value)) <= self._held.maxsize:
                self._held[key] = key, value
            else:
                self._held.pop(key, None)  # the value it had is no longer true


def _size(entry: tuple[str, bytes]) -> int:
    return sum(map(len, entry))
