"""`lookalike models` as people meet it: list, show, fetch and verify, with a model of a few layers on a hub of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub_server import COMMIT, REPOSITORY, Hub, Serving
from lookalike.adapters import model_hub_http
from lookalike.cli.main import app
from lookalike.core.errors import InputError
from lookalike.wiring import load_encoder, model_presets
from small_models import small_model


@pytest.fixture(autouse=True)
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models are fetched to, with a patience for busy machines."""
    monkeypatch.setenv("LOOKALIKE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(model_hub_http, "REACHED_WITHIN_S", 30.0)
    return tmp_path / "models"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files of a model, as a clone of a repository is one."""
    folder = tmp_path / "clone"
    folder.mkdir()
    small_model(folder)
    return folder


@pytest.fixture
def toml(place: Path, tmp_path: Path) -> Path:
    """The TOML of that model, which says that a hub has it, and knows no hash."""
    text, _, _ = (place / "small.toml").read_text("utf-8").partition("[golden]")
    lines = [line for line in text.splitlines() if not line.startswith("sha256")]
    lines.insert(lines.index("[image]") - 1, f'hub = "{REPOSITORY}"')
    path = tmp_path / "small.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def hub(place: Path) -> Iterator[Hub]:
    with Serving(Hub({file.name: file.read_bytes() for file in place.glob("*.onnx")})) as serving:
        yield serving


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)], catch_exceptions=False)


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> InputError:
    with pytest.raises(InputError) as caught:
        run(*arguments)
    assert caught.value.hint
    return caught.value


def test_a_list_is_readable_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = done("list").splitlines()
    names = [line.split()[0] for line in lines[1:] if line.strip()][: len(model_presets())]
    assert names == list(model_presets()), "one line for each, in order"
    assert max(map(len, lines)) <= 80
    [row] = [line for line in lines if line.startswith("clip-vit-b32 ")]
    assert row.split() == ["clip-vit-b32", "image+text", "512", "608", "MIT", "(open)", "no"]
    [row] = [line for line in lines if line.startswith("builtin ")]
    assert row.endswith("built in")


def test_a_list_for_programs_says_everything() -> None:
    rows = {row["name"]: row for row in json.loads(done("list", "--json"))}
    assert set(rows) == set(model_presets())
    row = rows["dinov2-small"]
    assert (row["kind"], row["dim"], row["licence_class"], row["fetched"]) == ("image", 384, "open", False)
    assert row["hub"] == "Xenova/dinov2-small"
    assert rows["multilingual-e5-small"]["kind"] == "text"
    assert rows["builtin"]["fetched"] is True
    assert rows["builtin"]["hub"] is None


@pytest.mark.parametrize("name", ["builtin", "siglip2-base", "resnet50", "multilingual-e5-small"])
def test_one_is_shown_with_all_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = done("show", name)
    assert max(map(len, shown.splitlines())) <= 80
    assert ("no hash until it is fetched" in shown) == (name != "builtin")
    assert (f"lookalike models fetch {name}" in shown) == (name != "builtin")
    assert ("pictures" in shown) == (name != "multilingual-e5-small")
    assert ("'query: '" in shown) == (name == "multilingual-e5-small")


def test_a_model_is_fetched_checked_and_used(toml: Path, hub: Hub, models_dir: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_encoder(str(toml))
    assert caught.value.hint == "Fetch it: lookalike models fetch small"
    assert "was not fetched" in str(refused("verify", toml))

    said = done("fetch", toml, "--mirror", hub.address)
    assert f"commit {COMMIT[:12]}" in said
    assert str(models_dir / "small") in said
    assert f"--encoder {toml}" in said
    assert load_encoder(str(toml)).encode_texts(["red shirt"]).shape == (1, 24)

    hub.asked.clear()
    assert "is here already" in done("fetch", toml)
    assert hub.asked == []
    assert f"commit {COMMIT}" in done("show", toml)

    said = done("verify", toml)
    assert "image+text to 24 numbers" in said
    assert "no golden values" in said

    (models_dir / "small" / "image.onnx").write_bytes(b"damaged")
    error = refused("verify", toml)
    assert "damaged" in str(error)
    assert "lookalike models fetch" in error.hint


def test_a_model_is_taken_from_a_directory(toml: Path, place: Path) -> None:
    assert "2 files" in done("fetch", toml, "--from", place)
    assert "is here already" in done("fetch", toml)
    assert load_encoder(str(toml)).encode_texts(["red shirt"]).shape == (1, 24)


def test_a_directory_is_neither_a_mirror_nor_a_revision(toml: Path, place: Path) -> None:
    assert "as they are" in str(refused("fetch", toml, "--from", place, "--revision", "main"))


def test_golden_values_are_compared(toml: Path, place: Path) -> None:
    done("fetch", toml, "--from", place)
    encoder = load_encoder(str(toml))
    right = [float(value) for value in encoder.encode_texts(["red shirt"])[0, :8]]
    golden = '\n[golden]\ntolerance = 1e-3\ntexts = [{{ text = "red shirt", values = {} }}]\n'
    text = toml.read_text("utf-8")
    toml.write_text(text + golden.format(right), "utf-8")
    assert "vectors: as they should be" in done("verify", toml)
    toml.write_text(text + golden.format([value + 0.1 for value in right]), "utf-8")
    assert "off by 0.1" in str(refused("verify", toml))


def test_the_model_in_the_package_needs_no_fetching_and_is_as_it_should_be() -> None:
    assert "needs no fetching" in done("fetch", "builtin")
    said = done("verify", "builtin")
    assert "vectors: as they should be" in said


@pytest.mark.parametrize("kind", ["non-commercial", "custom"])
def test_a_licence_that_is_not_open_must_be_accepted(toml: Path, place: Path, kind: str) -> None:
    text = toml.read_text("utf-8")
    toml.write_text(
        text.replace('licence = "Apache-2.0"', f'licence = "Makers 1.0"\nlicence_class = "{kind}"'), "utf-8"
    )
    error = refused("fetch", toml, "--from", place)
    assert "Makers 1.0" in str(error)
    assert kind in str(error)
    assert "--accept-license" in error.hint
    assert "small.md" in error.hint, "where to read it"
    assert "2 files" in done("fetch", toml, "--from", place, "--accept-license")


def test_a_name_that_is_none_is_refused_with_those_there_are() -> None:
    for command in ("show", "fetch", "verify"):
        error = refused(command, "clip")
        assert "no model 'clip'" in str(error)
        assert "clip-vit-b32" in error.hint


def test_what_the_repository_lacks_can_be_made(place: Path, hub: Hub) -> None:
    hub.status = 404
    error = refused("fetch", "openclip-vit-b16", "--mirror", hub.address)
    assert "lookalike models export" in error.hint


def test_a_model_whose_files_are_missing_is_shown_and_not_verified(place: Path) -> None:
    (place / "image.onnx").unlink()
    assert "image.onnx" in done("show", place / "small.toml")
    assert "image.onnx: No such file" in str(refused("verify", place / "small.toml"))


@pytest.mark.parametrize("command", ["list", "show", "fetch", "verify"])
def test_help_teaches(command: str) -> None:
    shown = done(command, "--help")
    assert "Examples" in shown
    assert f"lookalike models {command}" in shown


def test_indexing_with_a_model_that_was_not_fetched_says_what_to_do(tmp_path: Path, models_dir: Path) -> None:
    source = tmp_path / "products.csv"
    source.write_text("id,title\n1,red shirt\n", "utf-8")
    command = [sys.executable, "-m", "lookalike", "index", source, "--shop", tmp_path / "shop.db"]
    ended = subprocess.run(
        [*map(str, command), "--encoder", "clip-vit-b32"],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"LOOKALIKE_MODELS_DIR": str(models_dir)},
    )
    assert ended.returncode == 1
    assert "lookalike models fetch clip-vit-b32" in ended.stderr
    assert "Traceback" not in ended.stderr
