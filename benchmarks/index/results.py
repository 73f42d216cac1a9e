"""A results file: JSON lines, each with the machine and the commit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.record import where_and_what

Line = dict[str, Any]


class Results:
    """The lines of a file, and more of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[Line] = []
        if path.exists():
            self.lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def has(self, what: str, **key: Any) -> bool:
        """Say whether there is a line of a kind with these values."""
        return any(line["what"] == what and all(line[n] == v for n, v in key.items()) for line in self.lines)

    def add(self, what: str, **figures: Any) -> None:
        """Write a line at once."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"benchmark": "index", "what": what, "at": at, **_here(), **figures}
        self.lines.append(json.loads(json.dumps(line)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@cache
def _here() -> Line:
    """Describe the machine and the commit, as they were when the run began."""
    return where_and_what()
