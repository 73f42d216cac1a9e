"""`lookalike serve`: the shop over HTTP."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lookalike import wiring
from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.service.process import Served

LAST_PORT = 65_535


def serve(
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    shop: ShopOption = DEFAULT_SHOP,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=LAST_PORT, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, each with a copy of the shop in its memory.")
    ] = 1,
    encoder: EncoderOption = None,
) -> None:
    """Serve a shop over HTTP, until Ctrl-C or SIGTERM; requests that run are answered first.

    Examples:

      lookalike serve --shop shop.db

      curl 'http://127.0.0.1:8000/v1/search/text?q=red+shirt&price_max=50'

      curl -F image=@photo.jpg -F limit=5 http://127.0.0.1:8000/v1/search/image

      curl -X PATCH -H 'Content-Type: application/json' -d '{"price": 9.9}' http://127.0.0.1:8000/v1/products/P1

    /openapi.json describes every route, /readyz says whether the shop is loaded, /metrics is for Prometheus. Settings are
    [service] in lookalike.toml. Each request becomes a line of JSON on standard error.
    """
    if words:
        raise InputError(
            f"what to serve goes behind --shop: {' '.join(words)}", hint=f"lookalike serve --shop {words[0]}"
        )
    # Requests run side by side already: libraries that would split each among all cores make them wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    served = plan_service(shop, host, encoder=encoder, workers=workers)
    with listening(host, port) as listener:
        wiring.open_catalog(shop, create=False).close()  # what is not there is told before anything is logged
        shown = f"[{host}]" if ":" in host else host
        line = f"serving {shop} at http://{shown}:{listener.getsockname()[1]}"
        by = f" by {workers} processes" if workers > 1 else ""

        def ready() -> None:
            Console(highlight=False).print(line + by, soft_wrap=True)

        _serve(served, listener, ready)


def plan_service(place: str | Path, host: str, *, encoder: str | None = None, workers: int = 1) -> Served:
    """Return what is to be served, by the settings of the service; the shop need not be there yet.

    Raises InputError for settings that are not valid, and if callers need keys and there are none.
    """
    read_settings = wiring.load("lookalike.settings:read_settings")
    settings = read_settings(wiring.load("lookalike.service.settings:ServiceSettings"))
    wiring.load("lookalike.service.app:doors")(settings, host)
    served: Served = wiring.load("lookalike.service.process:Served")(
        place=place, encoder=encoder, host=host, settings=settings, workers=workers
    )
    return served


def _serve(served: Served, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    from lookalike.service.observe import log_json_lines
    from lookalike.service.process import DRAIN_S, serve_alone, work
    from lookalike.service.workers import Workers

    if served.workers == 1:
        serve_alone(served, listener, on_ready)
    else:
        log_json_lines()
        workers = Workers(served.workers, work, (served, listener), served.settings.stalled_s)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, workers.stop)
        workers.run(on_ready, listener.close, DRAIN_S + 10)


def listening(host: str, port: int, *, ports: int = 1) -> socket.socket:
    """Return a socket bound to this port or, if others listen there, to the first free one of `ports` from it on.

    Raises InputError if there is none, or if the address cannot be bound.
    """
    last = min(port + ports - 1, LAST_PORT)
    while True:
        try:
            # Two sockets may be bound to one port as long as neither listens: who would rather have another finds out now.
            return _bound(host, port, listen=ports > 1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port >= last:
                options = "--host and --port" if ports == 1 else "--port"
                raise InputError(
                    f"cannot listen at {host}, port {port}: {error.strerror or error}",
                    hint=f"Choose another with {options}.",
                ) from None
            port += 1


def _bound(host: str, port: int, *, listen: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, though it goes without saying: asyncio looks for it before it sets TCP_NODELAY, without
    # which every answer on a kept connection waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if listen:
            listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
