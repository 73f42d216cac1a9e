"""`lookalike serve`: the shop over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import sys
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lookalike import wiring
from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

DRAIN_S = 30
"""How long requests that run may take to end once the server is told to stop."""


def serve(
    shop: ShopOption = DEFAULT_SHOP,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes; for now there can be one.")] = 1,
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
    if workers > 1:
        raise InputError("there can be one process for now", hint="Leave out --workers.")
    # Requests run side by side already: libraries that would split each among all cores make them wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    create_app = wiring.load("lookalike.service.app:create_app")
    from uvicorn import Config, Server

    from lookalike.service.app import doors
    from lookalike.service.observe import log_json_lines
    from lookalike.service.settings import ServiceSettings
    from lookalike.settings import read_settings

    settings = read_settings(ServiceSettings)
    app = create_app(None, settings, doors(settings, host))
    log_json_lines()
    with _listening(host, port) as listener:
        config = Config(
            app,
            log_config=None,
            access_log=False,  # ours says more
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
        )
        shown = f"[{host}]" if ":" in host else host
        console = Console(highlight=False)
        console.print(f"serving {shop} at http://{shown}:{listener.getsockname()[1]}", soft_wrap=True)
        _run(Server(config), listener, app, {"place": shop, "encoder": encoder})


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


def _run(server: Server, listener: socket.socket, app: FastAPI, asked: dict[str, Any]) -> None:
    """Serve until told to stop; the shop is opened meanwhile, and if it cannot be, its error ends the server."""
    from lookalike.api import open as open_shop
    from lookalike.service.app import admit, warm

    state = app.state.service
    failed: list[BaseException] = []

    def opening() -> None:
        try:
            shop = open_shop(**asked, create=False, local_files=False, query_encoder=state.batched)
            warm(shop.encoder)
            admit(app, shop)
        except BaseException as error:
            failed.append(error)
            server.should_exit = True

    # Once it has ended in good order, uvicorn raises the signal that ended it again.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    thread = Thread(target=opening, name="opening", daemon=True)
    thread.start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        state.close()
    if failed:
        raise failed[0]
