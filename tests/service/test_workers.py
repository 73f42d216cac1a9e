"""`lookalike serve --workers 2` as real processes: who answers, what both see, what a death and an end cost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep, time
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

import lookalike
from lookalike.service.access import RateLimits
from running import COMMAND, PATIENCE_S, running
from waiting import until

T = TypeVar("T")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")


def get(address: str, path: str) -> Any:
    """Ask over a connection of its own: the next one may reach another worker."""
    with urllib.request.urlopen(address + path, timeout=PATIENCE_S) as response:
        text = response.read()
    return (
        json.loads(text) if response.headers["Content-Type"].startswith("application/json") else text.decode()
    )


def connected(address: str) -> tuple[int, HTTPConnection]:
    """Connect; return the process that took the connection as well."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    return ask(connection, "GET", "/v1/stats")["pid"], connection


def pids(address: str, count: int = 2) -> set[int]:
    """Return the processes that answer, once they are so many."""
    found: set[int] = set()

    def look(_: int) -> None:
        pid, connection = connected(address)
        connection.close()
        found.add(pid)

    until = monotonic() + PATIENCE_S
    while len(found) < count and monotonic() < until:
        with ThreadPoolExecutor(8) as pool:  # one alone would mostly be accepted by the same
            list(pool.map(look, range(8)))
    assert len(found) == count
    return found


def at_worker(address: str, pid: int, work: Callable[[HTTPConnection], T]) -> tuple[HTTPConnection, T]:
    """Do something once, over a new connection that a certain process took: idle ones are soon closed."""
    claim = Lock()
    done: list[tuple[HTTPConnection, T]] = []

    def attempt(_: int) -> None:
        found, connection = connected(address)
        if found == pid and claim.acquire(blocking=False):
            done.append((connection, work(connection)))
        else:
            connection.close()

    until = monotonic() + PATIENCE_S
    while not done:
        assert monotonic() < until
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(attempt, range(8)))
    return done[0]


def ask_worker(address: str, pid: int, method: str, path: str, body: object = None) -> Any:
    connection, answer = at_worker(address, pid, lambda connection: ask(connection, method, path, body))
    connection.close()
    return answer


def ask(connection: HTTPConnection, method: str, path: str, body: object = None) -> Any:
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 200, (method, path, response.status, text)
    return json.loads(text)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def own_place(drawn_place: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(drawn_place, tmp_path / "own.db"))


@pytest.fixture
def two(own_place: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with running(own_place, "--workers", "2") as served:
        yield served


def test_both_answer_see_the_same_and_are_counted_together(
    two: tuple[subprocess.Popen[str], str], own_place: Path
) -> None:
    process, address = two
    one, other = sorted(pids(address))
    assert process.pid not in (one, other)
    for pid in (one, other):
        stats = ask_worker(address, pid, "GET", "/v1/stats")
        assert (stats["workers"], stats["products"]) == (2, 92)
        assert ask_worker(address, pid, "GET", "/readyz") == {"ok": True}
    # What one is told, it finds at once, and the other soon.
    found = "/v1/search/text?q=zebra+lamp&price_min=7.43&price_max=7.43&limit=1"
    told = ask_worker(address, one, "PUT", "/v1/products/NEW", {"title": "zebra lamp", "price": 7.43})
    assert told["status"] == "written"
    assert [hit["id"] for hit in ask_worker(address, one, "GET", found)["results"]] == ["NEW"]
    until(lambda: [h["id"] for h in ask_worker(address, other, "GET", found)["results"]] == ["NEW"])
    assert ask_worker(address, other, "DELETE", "/v1/products/NEW") == {"deleted": 1}
    log = own_place.with_suffix(".log").read_text()
    assert "faiss" not in log  # it would say which of its builds it loads
    until(lambda: ask_worker(address, one, "GET", found)["results"] == [])
    # Whoever is asked for metrics tells those of both.
    for pid in (one, other):
        for _ in range(3):
            ask_worker(address, pid, "GET", "/v1/products/D00001/similar")
    lines = [line.rsplit(" ", 1) for line in get(address, "/metrics").splitlines() if line[0] != "#"]
    held = {name: float(value) for name, value in lines}
    similar = 'method="GET",route="/v1/products/{id}/similar",status="200"'
    assert held[f"lookalike_requests_total{{{similar}}}"] == 6
    assert held['lookalike_search_seconds_count{stage="total",type="similar"}'] == 6
    assert held["lookalike_products"] == 92
    assert held['lookalike_encode_waiting{kind="texts"}'] == 0
    assert not [name for name in held if "pid=" in name]
    until(lambda: freshness(get(address, "/metrics")) < 5.0)


def freshness(page: str) -> float:
    """Return for how many seconds changes may have gone unseen."""
    [said] = re.findall(r"^lookalike_fresh_timestamp_seconds (\S+)$", page, re.MULTILINE)
    return time() - float(said)


class Writers:
    """Write products of their own in several threads, whichever worker takes them, until told to stop."""

    def __init__(self, address: str, count: int = 4) -> None:
        self.address = address
        self.acknowledged: list[str] = []
        self.refused: list[object] = []
        self._stopped = Event()
        self._threads = [Thread(target=self._write, args=(f"W{n}-",), daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _write(self, name: str) -> None:
        number = 0
        while not self._stopped.is_set():
            try:
                with closing(HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE_S)) as connection:
                    while not self._stopped.is_set():
                        number += 1
                        ask(connection, "PUT", f"/v1/products/{name}{number}", {"title": f"mug {number}"})
                        self.acknowledged.append(f"{name}{number}")
            except AssertionError as error:
                self.refused.append(error)
            except (HTTPException, OSError):
                pass  # the worker of this connection is gone

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(
    two: tuple[subprocess.Popen[str], str], own_place: Path
) -> None:
    process, address = two
    before = pids(address)
    killed = min(before)
    writers = Writers(address)
    until(lambda: len(writers.acknowledged) > 20)
    os.kill(killed, signal.SIGKILL)
    by_then = len(writers.acknowledged)
    until(lambda: len(writers.acknowledged) > by_then + 20)  # while there is one worker
    after = pids(address)
    writers.stop()
    assert writers.refused == []
    assert killed not in after and before & after and process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    with lookalike.open(own_place, create=False) as shop:
        assert set(shop.get(writers.acknowledged)) == set(writers.acknowledged)
    lines = [json.loads(line) for line in own_place.with_suffix(".log").read_text().splitlines()]
    [death] = [line for line in lines if line["logger"] == "lookalike.workers"]
    assert f"worker {killed} ended with -9" in death["message"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_all_are_ended_once_what_runs_is_answered(
    two: tuple[subprocess.Popen[str], str], own_place: Path, end: signal.Signals
) -> None:
    process, address = two
    rows = "\n".join(json.dumps({"id": f"S{n}", "title": f"vase number {n}"}) for n in range(60)).encode()

    def begin(connection: HTTPConnection) -> bytes:
        connection.putrequest("PUT", "/v1/products")
        connection.putheader("Content-Length", str(len(rows)))
        connection.putheader("Expect", "100-continue")  # so that we know that it runs
        connection.endheaders()
        return bytes(connection.sock.recv(1000))

    there = pids(address)
    begun = [at_worker(address, pid, begin) for pid in there]
    process.send_signal(end)
    sleep(0.3)
    for connection, _ in begun:
        connection.send(rows)
    for connection, said in begun:
        assert said.startswith(b"HTTP/1.1 100")
        told = connection.getresponse().read().splitlines()
        connection.close()
        assert {json.loads(line)["status"] for line in told} <= {"written", "unchanged"} and len(told) == 60
    assert process.wait(PATIENCE_S) == 0
    until(lambda: all(is_gone(pid) for pid in there))
    with lookalike.open(own_place, create=False) as shop:
        assert len(shop) == 92 + 60


def test_workers_end_when_their_parent_is_no_more(two: tuple[subprocess.Popen[str], str]) -> None:
    process, address = two
    there = pids(address)
    process.kill()
    until(lambda: all(is_gone(pid) for pid in there))


def test_what_hinders_the_first_start_is_told_once(tmp_path: Path) -> None:
    command = [*COMMAND, "--port", "0", "--workers", "2", "--shop", "nowhere.db"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("nowhere.db") == 2  # once in what is wrong, once in what to do
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [1, 3, 1000])
def test_each_grants_its_share_of_a_rate(workers: int) -> None:
    limits = RateLimits(per_s=90.0, burst=300)
    share = limits.shared(workers)
    assert share.per_s * workers == pytest.approx(90.0)
    assert share.burst >= 1 and (share.burst * workers <= 300 or workers > 300)
    assert limits.shared(1) == limits
