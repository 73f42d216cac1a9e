"""The service ends when it is told to, whatever a request still waits for."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

import lookalike
from lookalike.service.process import CLOSE_S
from running import PATIENCE_S, running

PATIENT = {
    "LOOKALIKE_ALLOW_PRIVATE_URLS": "true",
    "LOOKALIKE_FETCH__READ_TIMEOUT_S": "1000",
    "LOOKALIKE_FETCH__TOTAL_TIMEOUT_S": "1000",
}


def until_closed(address: str) -> None:
    """Wait until the service takes no more connections."""
    until = monotonic() + PATIENCE_S
    host, port = urlsplit(address).hostname, urlsplit(address).port
    while monotonic() < until:
        try:
            socket.create_connection((host, port)).close()
        except ConnectionRefusedError:
            return
        sleep(0.05)
    raise AssertionError("still open")


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_a_picture_that_never_comes_does_not_keep_the_service_alive(
    drawn_place: Path, tmp_path: Path
) -> None:
    assert CLOSE_S < PATIENCE_S / 2
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        running(place, env=PATIENT) as (process, address),
    ):
        silent.settimeout(PATIENCE_S)
        connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
        row = {"title": "x", "images": [f"http://127.0.0.1:{silent.getsockname()[1]}/never.jpg"]}
        connection.request("PUT", "/v1/products/N1", json.dumps(row), {"Content-Type": "application/json"})
        asked, _ = silent.accept()  # the picture is being asked for
        process.send_signal(signal.SIGINT)
        process.send_signal(
            signal.SIGINT
        )  # the second gives up what still runs, as the end of its time would
        assert process.wait(PATIENCE_S) == 0
        asked.close()
        connection.close()
    with lookalike.open(place, create=False) as shop:
        assert len(shop) == 92 and not shop.get(["N1"])
