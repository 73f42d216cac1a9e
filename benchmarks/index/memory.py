"""What a process takes of the memory: its own pages, and pages of files it has mapped, which the kernel may take back."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

EVERY_S = 0.05


def memory_mb() -> dict[str, float]:
    """Return `own`, pages that are nobody else's and no file's, and `files`, mapped ones that are in memory, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name.startswith("Rss")
    }
    return {"own": kib["RssAnon"] / 1024, "files": (kib["RssFile"] + kib["RssShmem"]) / 1024}


class Peak:
    """The most that was seen in a block of work, looked at every 50 ms: `own` pages, and `all` that are resident, in MiB."""

    def __init__(self) -> None:
        self.own = self.all = 0.0
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="memory", daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        now = memory_mb()
        self.own, self.all = max(self.own, now["own"]), max(self.all, sum(now.values()))

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
