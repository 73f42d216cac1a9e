"""A thread that brings what other processes change into the live index, so that no search has to.

A database that fails is looked at again, more and more rarely: searches go on with what they have, and `on_fresh` falls
silent, which is how an operator sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import time

from lookalike.core.errors import LookalikeError

MAX_WAIT_S = 10.0
"""Longest pause between two looks at a catalogue that fails."""
log = logging.getLogger("lookalike.follow")


class Follower:
    """Calls `refresh` every `every_s` seconds from its creation until `close`.

    After each that succeeded, `on_fresh` is told when it began (Unix time): what was committed before then is searchable.
    """

    def __init__(
        self, refresh: Callable[[], object], every_s: float, on_fresh: Callable[[float], None]
    ) -> None:
        self._refresh = refresh
        self._every_s = every_s
        self._on_fresh = on_fresh
        self._failures = 0
        self._closed = Event()
        self._thread = Thread(target=self._follow, name="follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after the look it is at."""
        self._closed.set()
        self._thread.join()

    def _follow(self) -> None:
        wait_s = 0.0
        while not self._closed.wait(wait_s):
            wait_s = (
                self._every_s
                if self._look()
                else min(self._every_s * 2 ** min(self._failures, 10), MAX_WAIT_S)
            )

    def _look(self) -> bool:
        """Look once; say whether that went well."""
        began = time()
        try:
            self._refresh()
            self._on_fresh(began)
        except Exception as error:
            self._failures += 1
            # What we raise on purpose says all there is to say; of anything else, where it came from is wanted.
            log.warning(
                "changes cannot be followed: %s", error, exc_info=not isinstance(error, LookalikeError)
            )
            return False
        if self._failures:
            log.info("changes are followed again")
        self._failures = 0
        return True
