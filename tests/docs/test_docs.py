"""The documentation is true: its Python runs, and it names every operator, signal, profile, command, source and setting."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookalike import wiring
from lookalike.cli.main import app
from lookalike.core.filters import FIELDS, OPERATORS
from lookalike.core.rerank import PROFILES, SIGNALS
from lookalike.questions import Question
from lookalike.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference.md").read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(
    drawn_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(drawn_source.parent / "images", tmp_path / "images")
    shutil.copy(drawn_source, tmp_path)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "plan: exact" in printed
    assert len(printed.splitlines()) == 11


def test_every_command_is_in_the_readme_and_explains_itself() -> None:
    runner = CliRunner()
    for command in app.registered_commands:
        assert f"lookalike {command.name}" in README or f"make {command.name}" in README
        shown = runner.invoke(app, [str(command.name), "--help"])
        assert shown.exit_code == 0
        assert len(shown.output) > 300


@pytest.mark.parametrize("name", [*OPERATORS, *SIGNALS, *PROFILES, *FIELDS, *wiring.SOURCES])
def test_the_reference_names_it(name: str) -> None:
    assert f"`{name}`" in REFERENCE or f"`{name}" in REFERENCE


@pytest.mark.parametrize("name", Question.__annotations__)
def test_the_reference_names_every_way_to_ask(name: str) -> None:
    assert f"`{name}=" in REFERENCE or f"`{name}`" in REFERENCE


def settings_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        if dataclasses.is_dataclass(field.default):
            rows += [f"{name}.{f.name}" for f in dataclasses.fields(field.default)]
        else:
            rows.append(name)
    return rows


@pytest.mark.parametrize("name", settings_rows())
def test_the_reference_names_every_setting_with_its_default(name: str) -> None:
    value: object = Settings()
    for step in name.split("."):
        value = getattr(value, step)
    shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value).lower()
    assert re.search(rf"\| `{re.escape(name)}` \| {re.escape(shown)} \|", REFERENCE), f"{name} = {shown}"
