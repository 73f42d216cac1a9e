"""wrk: as many requests as so many connections can carry, each asking again as soon as it is answered."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DRIVE = Path(__file__).with_name("drive.lua")
TIMEOUT_S = 30


@dataclass(slots=True)
class Stream:
    """A file of requests, and how far it was sent."""

    path: Path
    count: int
    next: int = 0

    @classmethod
    def of(cls, lines: list[str], path: Path) -> Stream:
        """Write requests to a file."""
        if not lines:
            raise SystemExit("this shop has nothing to make such requests of")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return cls(path, len(lines))

    @property
    def repeated(self) -> bool:
        """Whether some were sent twice."""
        return self.next > self.count


def found() -> str:
    """Return where wrk is, or end with what to do."""
    place = shutil.which("wrk")
    if place is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    return place


def drive(address: str, stream: Stream, connections: int, seconds: float) -> dict[str, Any]:
    """Send what comes next of a stream for so long, over so many connections; return what came of it."""
    told = subprocess.run(
        [
            *(
                found(),
                "-t1",
                f"-c{connections}",
                f"-d{max(round(seconds), 1)}s",
                "--timeout",
                f"{TIMEOUT_S}s",
            ),
            *("-s", str(DRIVE), address, "--", str(stream.path), str(stream.next)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((each for each in told.stdout.splitlines() if each.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk failed: {told.stderr or told.stdout}")
    result = json.loads(line.removeprefix("RESULT "))
    stream.next = result["next"]
    return {
        "per_s": (result["answers"] - result["refused"]) / (result["took_us"] / 1e6),
        "p50_ms": result["p50_us"] / 1e3,
        "p99_ms": result["p99_us"] / 1e3,
        "refused": result["refused"],
        "broken": result["broken"],
        "connections": connections,
        "repeated": stream.repeated,
    }
