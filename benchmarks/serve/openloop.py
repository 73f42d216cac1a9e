"""Requests at a constant rate, whether those before are answered or not, from a process of its own.

    python -m benchmarks.serve.openloop ADDRESS REQUESTS --rate 500 --seconds 20 --out times.npy

Latency counts from the moment a request was due, not from when a connection was free to send it: a service that stalls for
a second is seen by all that were due in that second (what leaves those out is called coordinated omission). A request may
be sent a millisecond late, as the clock of asyncio is no finer.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.serve.material import raw
from benchmarks.serve.wrk import Stream

LAST_S = 15.0
"""How long answers may still come after the last request."""
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Times:
    """What came of requests, in the order they were due: seconds float64 [n], status int64 [n], 0 for no answer."""

    due_s: NDArray[np.float64]
    took_s: NDArray[np.float64]
    status: NDArray[np.int64]

    def percentile_ms(self, percent: float, which: NDArray[np.bool_] | None = None) -> float | None:
        """Return a percentile of the latency of some of them, None if there are none."""
        took = self.took_s if which is None else self.took_s[which]
        return round(float(np.percentile(took, percent)) * 1e3, 2) if len(took) else None

    def counts(self) -> dict[str, int]:
        """Count them by status."""
        statuses, counts = np.unique(self.status, return_counts=True)
        return {
            str(s) if s else "none": int(n) for s, n in zip(statuses.tolist(), counts.tolist(), strict=True)
        }


def offer(address: str, stream: Stream, rate: float, seconds: float, connections: int = 64) -> Times:
    """Send what comes next of a stream at a rate, from another process, and wait for what becomes of it."""
    process = offering(address, stream, rate, seconds, connections)
    if process.wait():
        raise RuntimeError("the client of the constant rate failed")
    return times_of(stream)


def offering(
    address: str, stream: Stream, rate: float, seconds: float, connections: int = 64
) -> subprocess.Popen[bytes]:
    """Begin to do so; `times_of` the stream is there when the process has ended."""
    first, stream.next = stream.next, stream.next + int(rate * seconds)
    words = [address, stream.path, "--first", first, "--rate", rate, "--seconds", seconds]
    words += ["--connections", connections, "--out", stream.path.with_suffix(".npy")]
    return subprocess.Popen([sys.executable, "-m", "benchmarks.serve.openloop", *map(str, words)])


def times_of(stream: Stream) -> Times:
    """Read what came of the last offer of a stream."""
    due_s, took_s, status = np.load(stream.path.with_suffix(".npy"))
    return Times(due_s, took_s, status.astype(np.int64))


class _Connection(asyncio.Protocol):
    """One kept connection with at most one request under way."""

    def __init__(self, client: _Client) -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.number = -1
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.client.free(self)

    def send(self, number: int, request: bytes) -> None:
        assert self.transport is not None
        self.number = number
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._received, 0, end + 2)
        if length is None or len(self._received) < end + 4 + int(length[1]):
            return
        status = int(self._received[9:12])
        self._received = b""
        self.client.answered(self.number, status)
        self.number = -1
        self.client.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.number >= 0:
            self.client.answered(self.number, NO_ANSWER)
        self.client.lost(self)


class _Client:
    """Requests that are due, and connections that are free."""

    def __init__(self, address: str, lines: list[str], rate: float) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.lines = lines
        self.photos: dict[str, bytes] = {}
        count = len(lines)
        self.due_s = np.arange(count) / rate
        self.took_s = np.full(count, np.nan)
        self.status = np.full(count, NO_ANSWER)
        self.began_s = 0.0
        self.left = count
        self._idle: list[_Connection] = []
        self._due: deque[int] = deque()
        self._over = asyncio.Event()

    async def run(self, connections: int) -> None:
        """Send everything when it is due, and wait for the last answers."""
        for _ in range(connections):
            await self._connect()
        self.began_s = monotonic()
        for number, due_s in enumerate(self.due_s):
            if (wait_s := self.began_s + due_s - monotonic()) > 0:
                await asyncio.sleep(wait_s)
            elif not number % 50:
                await asyncio.sleep(0)  # also who is late reads what has come
            self._due.append(number)
            self._send_due()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), LAST_S)
        unanswered = np.isnan(self.took_s)
        self.took_s[unanswered] = monotonic() - self.began_s - self.due_s[unanswered]

    def free(self, connection: _Connection) -> None:
        self._idle.append(connection)
        self._send_due()

    def lost(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        if self.left:
            self._again = asyncio.ensure_future(self._connect())

    def answered(self, number: int, status: int) -> None:
        self.took_s[number] = monotonic() - self.began_s - self.due_s[number]
        self.status[number] = status
        self.left -= 1
        if not self.left:
            self._over.set()

    def _send_due(self) -> None:
        while self._due and self._idle:
            number = self._due.popleft()
            # Made only now: the bodies of a long run would not fit into memory.
            request = raw(self.lines[number], self.photos, f"{self.host}:{self.port}")
            self._idle.pop().send(number, request)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), self.host, self.port
            )
        except OSError:
            await asyncio.sleep(0.1)


def main() -> None:
    """Offer the requests of a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("requests", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    lines = asked.requests.read_text(encoding="utf-8").splitlines()
    wanted = [lines[(asked.first + each) % len(lines)] for each in range(int(asked.rate * asked.seconds))]
    client = _Client(asked.address, wanted, asked.rate)
    asyncio.run(client.run(asked.connections))
    np.save(asked.out, np.stack([client.due_s, client.took_s, client.status]))


if __name__ == "__main__":
    main()
