"""`lookalike demo` as people meet it: it ends with its page served, or just ends if told so."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drawn import PRODUCTS
from lookalike.cli.demo import HOST, PORTS
from lookalike.cli.main import app
from lookalike.cli.serve import LAST_PORT, listening
from lookalike.core.errors import InputError
from running import PATIENCE_S, ready

ROOT = Path(__file__).parents[1]
SMALL = ("--products", str(PRODUCTS))


@pytest.fixture
def directory(drawn_place: Path, tmp_path: Path) -> Path:
    """A folder in which the demo's shop is drawn and indexed already."""
    return Path(shutil.copytree(drawn_place.parent, tmp_path / "shop"))


@contextmanager
def served(directory: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the demo until the block ends; yield the process, and what it printed up to the line with the address."""
    command = [sys.executable, "-m", "lookalike", "demo", str(directory), *SMALL, "--port", str(port)]
    log = directory / "errors.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                if "http://" in line:
                    break
            else:
                raise AssertionError(log.read_text())
            yield process, lines
        finally:
            process.kill()


def address_in(line: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found is not None
    return found[0]


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=lambda end: end.name)
def test_it_serves_its_page_until_told_to_stop(directory: Path, end: signal.Signals) -> None:
    with served(directory, 0) as (process, lines):
        assert "products.jsonl is drawn already" in lines[0]
        address = address_in(lines[-1])
        ready(address)
        with urllib.request.urlopen(f"{address}/") as response:
            assert b"<title>lookalike</title>" in response.read()
        photo, phrase = re.search(r"drop (\S+) on the page, type “(.+)”, press", lines[-1]).groups()  # type: ignore[union-attr]
        assert Path(photo).is_file()
        assert any(phrase in line for line in lines[:-1])  # it was asked before
        assert lines[-1].endswith("Ctrl-C stops it.")
        assert not any("is taken" in line for line in lines)
        process.send_signal(end)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    errors = (directory / "errors.log").read_text()
    assert f"read {PRODUCTS}: new 0, changed 0" in errors
    assert '"request"' not in errors
    assert "Traceback" not in errors


def test_where_the_port_is_taken_the_next_free_one_is_named(directory: Path) -> None:
    with listening(HOST, 0) as other:
        other.listen()
        taken = other.getsockname()[1]
        with served(directory, taken) as (_, lines):
            address = address_in(lines[-1])
            port = int(address.rpartition(":")[2])
            assert taken < port < taken + PORTS
            assert f"Port {taken} is taken: the shop is served at port {port}." in lines
            ready(address)


def test_where_no_port_is_free_it_says_so() -> None:
    with socket.socket() as other:
        with suppress(OSError):  # somebody else holds it, which will do
            other.bind((HOST, LAST_PORT))
            other.listen()
        with pytest.raises(InputError, match=f"port {LAST_PORT}") as caught:
            listening(HOST, LAST_PORT, ports=PORTS)
    assert caught.value.hint == "Choose another with --port."


def test_a_port_somebody_is_about_to_listen_at_is_not_shared() -> None:
    with listening(HOST, 0, ports=PORTS) as one:
        port = one.getsockname()[1]
        with listening(HOST, port, ports=PORTS) as another:
            assert another.getsockname()[1] > port


def test_without_serving_it_ends(directory: Path) -> None:
    done = CliRunner().invoke(app, ["demo", str(directory), *SMALL, "--no-serve"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "http://" not in done.stdout
    assert " search --shop " in done.stdout.splitlines()[-1]
    assert "data:image/" in (directory / "results.html").read_text(encoding="utf-8")


def test_wrong_settings_are_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_SERVICE__REQUIRE_KEYS", "perhaps")
    with pytest.raises(InputError, match=r"service\.require_keys"):
        CliRunner().invoke(app, ["demo", str(tmp_path / "shop")], catch_exceptions=False)
    assert not (tmp_path / "shop").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("words", "command"),
    [((), "demo --port 8000"), (("SERVE=0",), "demo --port 8000 --no-serve"), (("PORT=9",), "demo --port 9")],
    ids=["plain", "for scripts", "elsewhere"],
)
def test_make_passes_on_what_is_wanted(words: tuple[str, ...], command: str) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("SERVE", "PORT", "MAKEFLAGS")}
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "demo", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.rstrip().splitlines()[-1].endswith(f"lookalike {command}")
