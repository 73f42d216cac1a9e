"""The processes that serve together: started, watched, replaced when they die, told to stop.

uvicorn's own supervisor starts a worker that died anew at once and without end, takes a worker for ready while its shop is
still being opened, and kills one that holds the interpreter's lock for seconds, as a large index does while it is loaded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

from lookalike.core.errors import LookalikeError

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells prometheus_client, when it is imported, to count in files all workers can read."""
POLL_S = 0.2
STEADY_S = 30.0
"""Who lived so long did not die of its start."""
FIRST_WAIT_S, MAX_WAIT_S = 0.25, 30.0
"""Pause before a worker is started anew; it doubles while workers die soon."""
MAX_FAILED_STARTS = 5
ASKED = "are you there?"
"""What a worker is asked, if it is watched; it sends any word back, from what answers requests."""
log = logging.getLogger("lookalike.workers")


@dataclass(slots=True)
class _Worker:
    """One place among the workers, and the process in it; `since_s` is when that was started, or became ready.

    `heard_s` is when it answered last, `asked_s` since when it owes an answer, if it does.
    """

    process: SpawnProcess | None = None
    channel: Connection | None = None
    since_s: float = 0.0
    is_ready: bool = False
    error: LookalikeError | None = None
    start_at_s: float = 0.0
    short_lives: int = 0
    failed_starts: int = 0
    heard_s: float = 0.0
    asked_s: float | None = None


class Workers:
    """`count` processes that run `target(*arguments, channel)`, which says None on the channel once it is ready.

    Before that it may say (message, hint) and end. It has to end by itself when the channel brings anything else than `ASKED`,
    or breaks. With `stalled_s`, those that are ready are asked; one that gives no answer for so long is killed and replaced.
    """

    def __init__(
        self,
        count: int,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        stalled_s: float | None = None,
    ) -> None:
        self._workers = [_Worker() for _ in range(count)]
        self._target = target
        self._arguments = arguments
        self._stalled_s = stalled_s
        self._context = get_context("spawn")
        self._stop = Event()
        self._was_ready = False

    def stop(self, *signal_and_frame: object) -> None:
        """Let `run` come to its end: also a handler of signals."""
        self._stop.set()

    def run(self, on_ready: Callable[[], None], on_stop: Callable[[], None], drain_s: float) -> None:
        """Keep the processes running until `stop`; then give them `drain_s` to end.

        `on_ready` is called once all are ready for the first time, `on_stop` before they are told to end. Raises the error for
        which a process cannot start: at once if they never were all ready, else when it has failed
        `MAX_FAILED_STARTS` times in a row.
        """
        with shared_metrics() as metrics:
            try:
                while not self._stop.is_set():
                    self._start_due()
                    self._watch(metrics)
                    if not self._was_ready and all(worker.is_ready for worker in self._workers):
                        self._was_ready = True
                        on_ready()
            finally:
                on_stop()
                self._end(drain_s)

    def _start_due(self) -> None:
        for worker in self._workers:
            if worker.process is None and monotonic() >= worker.start_at_s:
                ours, theirs = self._context.Pipe()
                process = self._context.Process(
                    target=self._target, args=(*self._arguments, theirs), daemon=True
                )
                process.start()
                theirs.close()
                worker.process, worker.channel, worker.error = process, ours, None
                worker.since_s = monotonic()

    def _watch(self, metrics: str) -> None:
        """Wait a moment for something to happen, and see to it."""
        ends = [worker.process.sentinel for worker in self._workers if worker.process]
        news = [w.channel for w in self._workers if w.channel and _may_speak(w)]
        wait([*ends, *news], POLL_S)
        for worker in self._workers:
            self._hear(worker)
            self._ask(worker)
            if worker.process and not worker.process.is_alive():
                self._hear(worker)  # its last words may have come since
                self._bury(worker, worker.process, metrics)

    def _hear(self, worker: _Worker) -> None:
        if worker.channel is None or not _may_speak(worker):
            return
        try:
            said = worker.channel.recv() if worker.channel.poll() else ()
        except (EOFError, OSError):
            worker.channel.close()
            return
        if said is None:
            worker.is_ready, worker.since_s, worker.failed_starts = True, monotonic(), 0
            worker.heard_s = worker.since_s
        elif said and worker.is_ready:
            worker.heard_s, worker.asked_s = monotonic(), None
        elif said:
            worker.error = LookalikeError(said[0], hint=said[1])

    def _ask(self, worker: _Worker) -> None:
        """Ask one that serves whether it does, now and then; kill it if it has owed an answer for too long.

        One question at a time: who does not read must not be able to fill the channel, and so to stop us.
        """
        if self._stalled_s is None or not worker.is_ready or not worker.channel or not worker.process:
            return
        now = monotonic()
        if worker.asked_s is None and now - worker.heard_s >= self._stalled_s / 4:
            with suppress(OSError):  # it is ending
                worker.channel.send(ASKED)
            worker.asked_s = now
        elif worker.asked_s is not None and now - worker.asked_s > self._stalled_s:
            log.error(
                "worker %s has answered nothing for %.1f s, and is ended",
                *(worker.process.pid, now - worker.asked_s),
            )
            worker.process.kill()  # also what is stopped, or hangs in a library, comes to its end
            worker.process.join(POLL_S)

    def _bury(self, worker: _Worker, process: SpawnProcess, metrics: str) -> None:
        """Take note of a process that ended, and when to start the next; raise its error if that is of no use."""
        mark_process_dead(process.pid, metrics)  # type: ignore[no-untyped-call]
        if not worker.is_ready:
            worker.failed_starts += 1
            if worker.failed_starts >= MAX_FAILED_STARTS or (worker.error and not self._was_ready):
                raise worker.error or LookalikeError(
                    f"a worker ended {worker.failed_starts} times before it was ready, with {process.exitcode}",
                    hint="What it said is in the lines above; with fewer --workers there is more memory for each.",
                )
        lived_s = monotonic() - worker.since_s
        worker.short_lives = worker.short_lives + 1 if lived_s < STEADY_S else 0
        wait_s = min(FIRST_WAIT_S * 2 ** min(worker.short_lives, 10), MAX_WAIT_S)
        log.warning(
            "worker %s ended with %s after %.1f s; the next starts in %.2f s: %s",
            *(process.pid, process.exitcode, lived_s, wait_s, worker.error or "no error was told"),
        )
        worker.start_at_s = monotonic() + wait_s
        self._let_go(worker)

    def _end(self, drain_s: float) -> None:
        """Tell all to stop, those that serve to drain; kill who does not end in time."""
        running = [worker for worker in self._workers if worker.process]
        for worker in running:
            with suppress(OSError):
                if worker.is_ready and worker.channel:
                    worker.channel.send("stop")
                elif worker.process:
                    worker.process.terminate()
        until = monotonic() + drain_s
        for worker in running:
            if worker.process:
                worker.process.join(max(until - monotonic(), 0.0))
                worker.process.kill()
                worker.process.join()
                self._let_go(worker)

    def _let_go(self, worker: _Worker) -> None:
        if worker.channel:
            worker.channel.close()
        if worker.process:
            worker.process.close()
        worker.process, worker.channel, worker.is_ready, worker.asked_s = None, None, False, None


def _may_speak(worker: _Worker) -> bool:
    """Tell whether something may come from a worker: its being ready or the reason why not, then answers it owes."""
    if worker.channel is None or worker.channel.closed:
        return False
    return not worker.is_ready or worker.asked_s is not None


@contextmanager
def shared_metrics() -> Iterator[str]:
    """Make the folder through which the workers' metrics are counted together."""
    with TemporaryDirectory(prefix="lookalike-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        try:
            yield folder
        finally:
            del os.environ[METRICS_FOLDER]
