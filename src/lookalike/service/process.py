"""One process that serves a shop: alone, or as one of several workers on a listening socket they share."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socket
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

from fastapi import FastAPI
from uvicorn import Config, Server

from lookalike import wiring
from lookalike.api import open as open_shop
from lookalike.core.errors import LookalikeError
from lookalike.engine.garbage import freeze_for_good
from lookalike.service.app import admit, create_app, doors
from lookalike.service.observe import log_json_lines
from lookalike.service.settings import ServiceSettings
from lookalike.service.wire import Wire
from lookalike.service.workers import ASKED

if TYPE_CHECKING:
    from lookalike.service.traces import Tracing

log = logging.getLogger("lookalike.process")
DRAIN_S = 30
"""How long requests that run may take to end once the server is told to stop."""
CLOSE_S = 8
"""How long everything else may take after that, before the process ends in the middle of it."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Served:
    """Which shop is served, where, and by how many processes."""

    place: str | Path
    encoder: str | None
    host: str
    settings: ServiceSettings
    workers: int = 1

    def build(self) -> tuple[FastAPI, Server]:
        """Return an app whose shop is not open yet, and the server of it."""
        access = doors(self.settings, self.host, self.workers)
        app = create_app(None, self.settings, access, open_tracing())
        app.state.service.workers = self.workers
        config = Config(
            app,
            http=Wire,
            ws="none",
            log_config=None,
            access_log=False,  # ours says more
            server_header=False,
            forwarded_allow_ips=[str(network) for network in self.settings.proxies],
            backlog=BACKLOG,
            timeout_graceful_shutdown=DRAIN_S,
        )
        return app, Server(config)

    def open_for(self, app: FastAPI) -> None:
        """Open the shop, load what queries need, and let the app answer for it."""
        state = app.state.service
        shop = open_shop(
            self.place,
            encoder=self.encoder,
            create=False,
            local_files=False,
            query_encoder=state.batched,
            query_fetch=self.settings.fetch,
        )
        try:
            shop.warm()
            freeze_for_good()
            admit(app, shop)
        except BaseException:
            shop.close()
            raise


def open_tracing() -> Tracing | None:
    """Return what traces this process, if the variables of OpenTelemetry want it; else nothing of its SDK is imported.

    Raises MissingExtra if it is not installed.
    """
    if (
        not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    ):
        return None
    tracing: Tracing = wiring.load("lookalike.service.traces:Tracing")()
    return tracing


def serve_alone(served: Served, listener: socket, on_ready: Callable[[], None]) -> None:
    """Serve until told to stop; the shop is opened meanwhile, and if it cannot be, its error ends the server."""
    app, server = served.build()
    log_json_lines()
    failed: list[BaseException] = []

    def opening() -> None:
        try:
            served.open_for(app)
            on_ready()
        except BaseException as error:
            failed.append(error)
            server.should_exit = True

    _leave_on_sigterm()
    Thread(target=opening, name="opening", daemon=True).start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        _end_in_time(1 if failed else 0)
        app.state.service.close()
    if failed:
        raise failed[0]


def work(served: Served, listener: socket, channel: Connection) -> None:
    """Serve as one of several workers, until the parent says so on the channel, or is no more.

    Nothing is accepted before the shop is open: the others answer meanwhile. The channel is then told None, or before that
    (message, hint) of the error for which it cannot be opened. What the parent asks is answered by the event loop, which shows
    that it runs.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches us as well, but the parent says what follows from it
    _leave_on_sigterm()
    log_json_lines()
    app: FastAPI | None = None
    try:
        app, server = served.build()
        asked = Event()
        server.config.callback_notify = partial(_answer, asked, channel)
        server.config.timeout_notify = 0  # whenever uvicorn looks about, once a second
        Thread(target=_obey, args=(server, channel, asked), name="obey", daemon=True).start()
        served.open_for(app)
        listener.listen(BACKLOG)
        channel.send(None)
        server.run(sockets=[listener])
    except LookalikeError as error:
        channel.send((str(error), error.hint))
        sys.exit(1)
    finally:
        _end_in_time(0)
        if app is not None:
            app.state.service.close()


def _end_in_time(code: int) -> None:
    """End this process in `CLOSE_S`, if it has not ended by then.

    Threads of requests that were given up go on, and Python would wait for all of them. What was acknowledged is in the
    database.
    """

    def end() -> None:
        log.warning("closing took longer than %d s, and was given up", CLOSE_S)
        os._exit(code)

    timer = Timer(CLOSE_S, end)
    timer.daemon = True
    timer.start()


def _leave_on_sigterm() -> None:
    # Once it has ended in good order, uvicorn raises the signal that ended it again.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))


def _obey(server: Server, channel: Connection, asked: Event) -> None:
    """Wait for the parent's word, or its end, and let the server drain; note when it only asks."""
    with suppress(EOFError, OSError):
        while channel.recv() == ASKED:
            asked.set()
    server.should_exit = True


async def _answer(asked: Event, channel: Connection) -> None:
    """Tell the parent, if it asked, that the event loop runs."""
    if asked.is_set():
        asked.clear()
        with suppress(OSError):  # it is no more, and `_obey` has seen it too
            channel.send("yes")
