"""`lookalike serve` as a real process."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path
from time import monotonic, sleep

COMMAND = (sys.executable, "-m", "lookalike", "serve")
PATIENCE_S = 90.0


@contextmanager
def running(
    place: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a shop at a free port until the block ends; yield the process, and its address once it is ready."""
    command = [*COMMAND, "--shop", str(place), "--port", "0", *words]
    log = place.with_suffix(".log")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**environ, **(env or {})}
        ) as process,
    ):
        assert process.stdout is not None
        try:
            address = re.search(r"http://\S+", process.stdout.readline())
            assert address is not None, log.read_text()
            local = address[0].replace("0.0.0.0", "127.0.0.1")
            ready(local)
            yield process, local
        finally:
            process.kill()


def ready(address: str) -> None:
    """Wait until the shop behind an address is open."""
    until = monotonic() + PATIENCE_S
    while monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except (urllib.error.HTTPError, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            sleep(0.05)
    raise AssertionError("not ready")
