"""What becomes of workers that end: small processes instead of services, the supervisor is the real one."""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from lookalike.core.errors import LookalikeError
from lookalike.service import workers as module
from lookalike.service.workers import Workers
from running import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")


def noted(folder: Path) -> list[list[str]]:
    """Return the lives of workers, in order: what each did."""
    return [path.read_text().split() for path in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)]


def obedient(folder: Path, channel: Connection) -> None:
    file = folder / str(os.getpid())
    file.write_text("ready ")
    channel.send(None)
    channel.recv()
    with file.open("a") as notes:
        notes.write("stopped")


def stubborn(folder: Path, channel: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    obedient(folder, channel)
    sleep(PATIENCE_S)


def speechless(folder: Path, channel: Connection) -> None:
    (folder / str(os.getpid())).write_text("died")
    os._exit(7)


def hindered(folder: Path, channel: Connection) -> None:
    """Fail to start, with a reason, from the second life on."""
    if len(list(folder.iterdir())) < 1:
        return obedient(folder, channel)
    (folder / str(os.getpid())).write_text("hindered")
    channel.send(("there is no more database", "Bring it back."))
    sys.exit(1)


class Running:
    """Workers in a thread."""

    def __init__(self, count: int, target: Any, folder: Path, drain_s: float = 10.0) -> None:
        self.workers = Workers(count, target, (folder,))
        self.events: list[str] = []
        self.error: BaseException | None = None
        self.thread = Thread(target=self._run, args=(drain_s,))
        self.thread.start()

    def _run(self, drain_s: float) -> None:
        try:
            self.workers.run(
                lambda: self.events.append("ready"), lambda: self.events.append("stopping"), drain_s
            )
        except BaseException as error:
            self.error = error

    def wait_for(self, event: str) -> None:
        until = monotonic() + PATIENCE_S
        while event not in self.events:
            assert monotonic() < until and self.thread.is_alive()
            sleep(0.02)

    def end(self) -> None:
        self.workers.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)


def test_all_are_told_to_stop_and_waited_for(tmp_path: Path) -> None:
    running = Running(2, obedient, tmp_path)
    running.wait_for("ready")
    running.end()
    assert running.events == ["ready", "stopping"] and running.error is None
    assert noted(tmp_path) == [["ready", "stopped"]] * 2
    assert module.METRICS_FOLDER not in os.environ


def test_who_does_not_stop_is_killed(tmp_path: Path) -> None:
    running = Running(1, stubborn, tmp_path, drain_s=0.2)
    running.wait_for("ready")
    started = monotonic()
    running.end()
    assert monotonic() - started < PATIENCE_S / 2 and running.error is None


def test_one_that_dies_is_replaced_and_the_others_are_left_alone(tmp_path: Path) -> None:
    running = Running(2, obedient, tmp_path)
    running.wait_for("ready")
    first = {path.name for path in tmp_path.iterdir()}
    killed = min(first)
    os.kill(int(killed), signal.SIGKILL)
    until = monotonic() + PATIENCE_S
    while len(list(tmp_path.iterdir())) < 3 and monotonic() < until:
        sleep(0.02)
    [new] = {path.name for path in tmp_path.iterdir()} - first
    while (tmp_path / new).read_text() == "" and monotonic() < until:
        sleep(0.02)
    running.end()
    assert running.error is None and running.events == ["ready", "stopping"]
    assert (tmp_path / killed).read_text() == "ready "
    assert all("stopped" in (tmp_path / name).read_text() for name in (first | {new}) - {killed})


def test_one_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    running = Running(1, speechless, tmp_path)
    running.thread.join(PATIENCE_S)
    assert isinstance(running.error, LookalikeError)
    assert "with 7" in str(running.error) and running.error.hint
    assert len(noted(tmp_path)) == module.MAX_FAILED_STARTS
    assert running.events == ["stopping"]


def test_a_reason_counts_at_once_at_first_and_after_several_tries_later(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "life").touch()
    running = Running(1, hindered, tmp_path / "first")
    running.thread.join(PATIENCE_S)
    assert str(running.error) == "there is no more database"
    assert len(noted(tmp_path / "first")) == 1 + 1
    (tmp_path / "later").mkdir()
    running = Running(1, hindered, tmp_path / "later")
    running.wait_for("ready")
    [life] = (tmp_path / "later").iterdir()
    os.kill(int(life.name), signal.SIGKILL)
    running.thread.join(PATIENCE_S)
    assert str(running.error) == "there is no more database"
    assert isinstance(running.error, LookalikeError) and running.error.hint == "Bring it back."
    assert len(noted(tmp_path / "later")) == 1 + module.MAX_FAILED_STARTS
