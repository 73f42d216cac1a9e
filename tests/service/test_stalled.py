"""A worker that lives and answers nothing: noticed by its parent, and replaced."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from test_workers import is_gone, pids

from lookalike.service import workers as module
from lookalike.service.workers import ASKED, Workers
from running import PATIENCE_S, running
from waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
STALLED_S = 1.0


def attentive(folder: Path, channel: Connection) -> None:
    """Answer what is asked, until told something else."""
    channel.send(None)
    (folder / str(os.getpid())).touch()
    while channel.recv() == ASKED:
        channel.send("yes")


def deaf(folder: Path, channel: Connection) -> None:
    """Answer nothing in the first life, though the process does well."""
    if not list(folder.iterdir()):
        channel.send(None)
        (folder / str(os.getpid())).touch()
        sleep(PATIENCE_S)
    attentive(folder, channel)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)


def lives(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir()}


class Watched:
    """Workers in a thread, asked whether they are there."""

    def __init__(self, count: int, target: object, folder: Path) -> None:
        self.workers = Workers(count, target, (folder,), STALLED_S)  # type: ignore[arg-type]
        self.thread = Thread(target=self.workers.run, args=(lambda: None, lambda: None, 5.0))
        self.thread.start()

    def end(self) -> None:
        self.workers.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def test_one_that_is_stopped_is_replaced_and_the_others_are_left_alone(tmp_path: Path) -> None:
    watched = Watched(2, attentive, tmp_path)
    try:
        until(lambda: len(lives(tmp_path)) == 2)
        first = lives(tmp_path)
        sleep(3 * STALLED_S)  # they are asked several times meanwhile
        assert lives(tmp_path) == first
        stopped = min(first)
        os.kill(stopped, signal.SIGSTOP)
        began = monotonic()
        until(lambda: len(lives(tmp_path)) == 3)
        assert monotonic() - began >= STALLED_S
        assert is_gone(stopped) and not is_gone(max(first))
    finally:
        watched.end()


def test_one_that_lives_but_does_not_answer_is_replaced(tmp_path: Path) -> None:
    watched = Watched(1, deaf, tmp_path)
    try:
        until(lambda: len(lives(tmp_path)) == 2)
    finally:
        watched.end()


def test_a_stopped_worker_of_a_service_is_replaced(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with running(place, "--workers", "2", env={"LOOKALIKE_SERVICE__STALLED_S": "4"}) as (process, address):
        before = pids(address)
        stopped = min(before)
        sleep(5)  # busy or not, nobody is taken for stalled that answers
        os.kill(stopped, signal.SIGSTOP)
        until(lambda: is_gone(stopped))
        after = pids(address)
        assert stopped not in after and before & after and process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    lines = [json.loads(line) for line in place.with_suffix(".log").read_text().splitlines()]
    said = [line["message"] for line in lines if line["logger"] == "lookalike.workers"]
    assert f"worker {stopped} has answered nothing for" in said[0]
    assert len(said) == 2 and f"worker {stopped} ended with -9" in said[1]
