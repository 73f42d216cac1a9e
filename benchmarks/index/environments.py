"""A virtual environment for each peer, made when it is first wanted."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.index.engines import spec


def python_of(engine: str, data: Path) -> Path:
    """Return the interpreter an engine runs in: the project's own for its own index."""
    described, _ = spec(engine)
    if not described.packages:
        return Path(sys.executable)
    return data / "environments" / described.environment / "bin" / "python"


def install(engine: str, data: Path) -> Path:
    """Make the engine's environment unless it is there; raise RuntimeError with what pip said when it fails.

    pip is that of the running interpreter: the environment itself needs none.
    """
    described, _ = spec(engine)
    python = python_of(engine, data)
    installed = python.parents[1] / "installed.txt"
    wanted = "\n".join(described.packages)
    if not described.packages or (installed.exists() and installed.read_text() == wanted):
        return python
    venv.create(python.parents[1], with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *described.packages]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{engine} cannot be installed:\n{done.stderr.strip()[-2000:]}")
    installed.write_text(wanted)
    return python
