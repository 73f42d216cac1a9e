"""The other end of `engines.worker`: an engine's process, asked in JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.index import environments

ROOT = Path(__file__).parents[2]
QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}


class EngineFailed(Exception):  # noqa: N818 - it reads better where it is caught
    """An engine refused, crashed or was killed; the message says what it said."""


class Child:
    """An engine's process with a folder of its own, which is gone afterwards. Use it as a context manager."""

    def __init__(self, engine: str, data: Path) -> None:
        self.engine = engine
        python = environments.python_of(engine, data)
        if not python.exists():
            raise EngineFailed(f"{engine} is not installed: run python -m benchmarks.index install {engine}")
        (data / "built").mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{engine.replace(':', '-')}-", dir=data / "built"))
        self.said = (self.folder.parent / f"{self.folder.name}.log").open("w+")
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.index.engines.worker", engine, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            cwd=ROOT,
            env=os.environ | QUIET,
        )

    def ask(self, what: str, **asked: Any) -> dict[str, Any]:
        """Ask and wait; raise EngineFailed with the engine's own words."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": what, **asked}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said is read below
        line = self.process.stdout.readline()
        if not line:
            raise EngineFailed(f"ended with {self.process.wait()}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineFailed(answer["error"])
        return answer

    def _last_words(self) -> str:
        self.said.seek(0)
        return self.said.read().strip()[-1500:]

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.process.poll() is None and kind is None:
                self.ask("close")
        except EngineFailed:
            pass  # it is over either way
        finally:
            self.process.kill()
            self.process.communicate()
            self.said.close()
            Path(self.said.name).unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
