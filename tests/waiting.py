"""Waiting for what happens in the background, and serving an application in a thread of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, TypeVar

import uvicorn

PATIENCE_S = 60.0
Found = TypeVar("Found")


def until(true: Callable[[], Found], patience_s: float = PATIENCE_S) -> Found:
    """Wait until something is true, and return it."""
    ends = monotonic() + patience_s
    while not (found := true()):
        assert monotonic() < ends, "it did not come true"
        sleep(0.005)
    return found


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[int]:
    """Let uvicorn serve an application on a free port of 127.0.0.1 until the block ends; yield the port."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
