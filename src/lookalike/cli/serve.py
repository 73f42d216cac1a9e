"""`lookalike serve`: the shop over HTTP."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lookalike import wiring
from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.service.process import Served


def serve(
    shop: ShopOption = DEFAULT_SHOP,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
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
    # Requests run side by side already: libraries that would split each among all cores make them wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    read_settings = wiring.load("lookalike.settings:read_settings")
    served = wiring.load("lookalike.service.process:Served")(
        place=shop,
        encoder=encoder,
        host=host,
        settings=read_settings(wiring.load("lookalike.service.settings:ServiceSettings")),
        workers=workers,
    )
    # Whether keys are missing is said before anything else.
    wiring.load("lookalike.service.app:doors")(served.settings, host)
    with _listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        line = f"serving {shop} at http://{shown}:{listener.getsockname()[1]}"
        by = f" by {workers} processes" if workers > 1 else ""

        def ready() -> None:
            Console(highlight=False).print(line + by, soft_wrap=True)

        _serve(served, listener, ready)


def _serve(served: Served, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    from lookalike.service.observe import log_json_lines
    from lookalike.service.process import DRAIN_S, serve_alone, work
    from lookalike.service.workers import Workers

    if served.workers == 1:
        serve_alone(served, listener, on_ready)
    else:
        log_json_lines()
        workers = Workers(served.workers, work, (served, listener))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, workers.stop)
        workers.run(on_ready, listener.close, DRAIN_S + 10)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, though it goes without saying: asyncio looks for it before it sets TCP_NODELAY, without
    # which every answer on a kept connection waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}",
            hint="Choose another with --host and --port.",
        ) from None
    return listener
