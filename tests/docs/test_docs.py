"""The documentation is true: its Python runs, and it names every operator, signal, profile, command, source and setting."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookalike import wiring
from lookalike.cli.main import app
from lookalike.core.filters import FIELDS, OPERATORS
from lookalike.core.rerank import PROFILES, SIGNALS
from lookalike.questions import Question
from lookalike.service.access import scope_of
from lookalike.service.app import create_app
from lookalike.service.observe import Metrics
from lookalike.service.settings import ServiceSettings
from lookalike.settings import FileSettings, Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
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


def test_the_commands_of_groups_are_documented_and_explain_themselves() -> None:
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            name = command.name or getattr(command.callback, "__name__", "")
            assert f"lookalike {group.name} {name}" in README + REFERENCE
            assert CliRunner().invoke(app, [str(group.name), name, "--help"]).exit_code == 0


def test_the_reference_names_every_route_with_its_scope() -> None:
    paths = create_app(None, ServiceSettings()).openapi()["paths"]
    asked = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    rows = re.findall(r"^\| `([A-Z]+) (/\S*)` \| (\w*)", REFERENCE, re.MULTILINE)
    assert sorted(rows) == sorted((method, path, scope_of(method, path) or "") for method, path in asked)


def test_the_reference_names_every_metric_with_its_labels() -> None:
    held = {
        collector._name: list(collector._labelnames)  # type: ignore[attr-defined]
        for collector in Metrics().registry._collector_to_names
    }
    rows = re.findall(r"^\| `(lookalike_\w+)` \| ([\w, ]*?) ?\|", REFERENCE, re.MULTILINE)
    assert {
        name.removesuffix("_total"): labels.split(", ") if labels else [] for name, labels in rows
    } == held


@pytest.mark.parametrize("name", [*OPERATORS, *SIGNALS, *PROFILES, *FIELDS, *wiring.SOURCES])
def test_the_reference_names_it(name: str) -> None:
    assert f"`{name}`" in REFERENCE or f"`{name}" in REFERENCE


@pytest.mark.parametrize("name", Question.__annotations__)
def test_the_reference_names_every_way_to_ask(name: str) -> None:
    assert f"`{name}=" in REFERENCE or f"`{name}`" in REFERENCE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def settings_rows(tree: type[FileSettings]) -> Iterator[tuple[str, object]]:
    """Yield every setting of a tree by its full name, with its default."""
    prefix = f"{tree.table}." if tree.table else ""
    for name, field in tree.model_fields.items():
        default = field.default
        if dataclasses.is_dataclass(default):
            for each in dataclasses.fields(default):
                yield f"{prefix}{name}.{each.name}", getattr(default, each.name)
        else:
            yield prefix + name, default


@pytest.mark.parametrize(("name", "value"), [*settings_rows(Settings), *settings_rows(ServiceSettings)])
def test_the_reference_names_every_setting_with_its_default(name: str, value: object) -> None:
    if value is None or value == ():
        shown = "none"
    else:
        shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value).lower()
    assert re.search(rf"\| `{re.escape(name)}` \| {re.escape(shown)} \|", REFERENCE), f"{name} = {shown}"
