"""Where the files of fetched models are looked for, what pins them, and what is said when they are not there."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest

import lookalike
from lookalike import wiring
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_files import found
from lookalike.adapters.encoder_onnx_preset import pattern, read_preset
from lookalike.core.errors import InputError
from lookalike.settings import Settings, models_folder
from lookalike.upgrade import Upgrade
from small_models import hub_model, small_model

FETCH = "lookalike models fetch small"


@pytest.fixture
def fetched(tmp_path: Path) -> tuple[Path, Path]:
    """Return the TOML of a model from a hub, and the folder of models that holds its files."""
    models_dir = tmp_path / "models"
    return hub_model(tmp_path, models_dir), models_dir


def lock(models_dir: Path) -> Path:
    return models_dir / "small" / "lock.json"


def test_a_fetched_model_works_and_its_lock_pins_it(fetched: tuple[Path, Path], tmp_path: Path) -> None:
    path, models_dir = fetched
    encoder = OnnxEncoder.from_preset(path, models_dir=models_dir)
    (tmp_path / "beside").mkdir()
    beside = OnnxEncoder.from_preset(small_model(tmp_path / "beside"))
    np.testing.assert_array_equal(encoder.encode_texts(["red"]), beside.encode_texts(["red"]))
    assert encoder.fingerprint == beside.fingerprint  # the same files, prepared the same way
    held = json.loads(lock(models_dir).read_text("utf-8"))
    held["files"]["onnx/text.onnx"]["sha256"] = "0" * 64
    lock(models_dir).write_text(json.dumps(held), "utf-8")
    other = OnnxEncoder.from_preset(path, models_dir=models_dir)
    assert other.fingerprint != encoder.fingerprint
    with pytest.raises(InputError, match=r"text\.onnx .* is damaged or of another version") as caught:
        other.encode_texts(["red"])
    assert FETCH in caught.value.hint


def test_what_the_toml_pins_the_lock_does_not_change(fetched: tuple[Path, Path]) -> None:
    path, models_dir = fetched
    text = path.read_text("utf-8").replace('input = "pixels"', f'input = "pixels"\nsha256 = "{"1" * 64}"')
    path.write_text(text, "utf-8")
    preset, _ = found(read_preset(path), path.parent, models_dir)
    assert preset.files()["onnx/image.onnx"] == "1" * 64
    assert preset.files()["onnx/text.onnx"] not in (None, "1" * 64)


@pytest.mark.parametrize("gone", ["onnx/image.onnx", "onnx/text.onnx", "lock.json"])
def test_what_is_missing_is_named_with_the_command_that_gets_it(
    fetched: tuple[Path, Path], gone: str
) -> None:
    path, models_dir = fetched
    (models_dir / "small" / gone).unlink()
    with pytest.raises(InputError, match="model small") as caught:
        OnnxEncoder.from_preset(path, models_dir=models_dir)
    assert gone.rpartition("/")[2] in str(caught.value)
    assert FETCH in caught.value.hint
    assert caught.value.code == "model"


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("{", r"lock\.json: "),
        ('{"hub": "shop/small", "commit": "1"}', r"lock\.json: "),
        (
            '{"hub": "shop/other", "commit": "1", "files": {}}',
            "it is of shop/other, the .toml is of shop/small",
        ),
        ('{"hub": "shop/small", "commit": "1", "files": {}}', r"says nothing of onnx/image\.onnx"),
    ],
)
def test_a_lock_that_is_no_use_is_refused(fetched: tuple[Path, Path], held: str, said: str) -> None:
    path, models_dir = fetched
    lock(models_dir).write_text(held, "utf-8")
    with pytest.raises(InputError, match=said) as caught:
        OnnxEncoder.from_preset(path, models_dir=models_dir)
    assert FETCH in caught.value.hint


@pytest.mark.parametrize("file", ["../../image.onnx", "/etc/passwd", "onnx\\\\image.onnx", "C:/image.onnx"])
def test_files_outside_the_models_folder_are_refused(fetched: tuple[Path, Path], file: str) -> None:
    path, models_dir = fetched
    path.write_text(path.read_text("utf-8").replace("onnx/image.onnx", file), "utf-8")
    with pytest.raises(InputError, match="is no path inside shop/small"):
        OnnxEncoder.from_preset(path, models_dir=models_dir)


# --- weights beside a graph ---------------------------------------------------------------------------------------------


def keep_weights_beside(file: Path, ending: str = "_data") -> Path:
    """Write a graph anew, its weights in a file of their own; return the path of that."""
    model = onnx.load(str(file))
    data = file.with_name(f"{file.name}{ending}")
    onnx.save_model(model, str(file), save_as_external_data=True, location=data.name, size_threshold=0)
    return data


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def pin(models_dir: Path, *files: str) -> None:
    """Write into the lock what some files are now."""
    held = json.loads(lock(models_dir).read_text("utf-8"))
    for file in files:
        held["files"][file] = {"sha256": digest(models_dir / "small" / file), "bytes": 1}
    lock(models_dir).write_text(json.dumps(held), "utf-8")


@pytest.mark.parametrize("ending", ["_data", ".data", None])
def test_weights_beside_a_graph_are_checked_when_it_is_opened(
    fetched: tuple[Path, Path], ending: str | None
) -> None:
    """By the names that are usual, and by one that only the TOML knows."""
    path, models_dir = fetched
    usual, ending = ending is not None, ending or ".weights"
    name = f"image.onnx{ending}"
    if not usual:
        text = path.read_text("utf-8")
        named = text.replace('file = "onnx/image.onnx"', f'file = "onnx/image.onnx"\ndata = "onnx/{name}"')
        assert named != text
    whole = OnnxEncoder.from_preset(path, models_dir=models_dir)
    expected = whole.encode_images([pattern(40, 30, 1)])
    data = keep_weights_beside(models_dir / "small/onnx/image.onnx", ending)
    pin(models_dir, "onnx/image.onnx")
    if not usual:
        path.write_text(named, "utf-8")
    with pytest.raises(InputError, match=rf"says nothing of onnx/{re.escape(name)}") as caught:
        OnnxEncoder.from_preset(path, models_dir=models_dir)
    assert FETCH in caught.value.hint

    pin(models_dir, f"onnx/{name}")
    split = OnnxEncoder.from_preset(path, models_dir=models_dir)
    np.testing.assert_allclose(split.encode_images([pattern(40, 30, 1)]), expected, atol=1e-6)

    weights = bytearray(data.read_bytes())
    weights[5] ^= 64
    data.write_bytes(weights)
    damaged = OnnxEncoder.from_preset(path, models_dir=models_dir)
    with pytest.raises(InputError, match=rf"{re.escape(name)} .* is damaged or of another version"):
        damaged.encode_images([pattern(40, 30, 1)])
    pin(models_dir, f"onnx/{name}")  # other weights of the same graph are another model
    other = OnnxEncoder.from_preset(path, models_dir=models_dir)
    assert len({whole.fingerprint, split.fingerprint, other.fingerprint}) == 3
    data.unlink()
    with pytest.raises(InputError, match=rf"{re.escape(name)}: No such file|there is no .*{re.escape(name)}"):
        OnnxEncoder.from_preset(path, models_dir=models_dir).encode_images([pattern(40, 30, 1)])


def test_a_toml_without_hub_must_say_what_the_weights_beside_its_graph_are(tmp_path: Path) -> None:
    path, image = small_model(tmp_path), tmp_path / "image.onnx"
    before = digest(image)
    data = keep_weights_beside(image)
    text = path.read_text("utf-8").replace(before, digest(image))
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"image\.onnx_data, and the \.toml does not say") as caught:
        OnnxEncoder.from_preset(path)
    assert "data_sha256" in caught.value.hint
    path.write_text(
        text.replace('input = "pixels"', f'input = "pixels"\ndata_sha256 = "{digest(data)}"'), "utf-8"
    )
    encoder = OnnxEncoder.from_preset(path)
    assert encoder.preset.files()["image.onnx_data"] == digest(data)
    assert encoder.encode_images([pattern(40, 30, 1)]).shape == (1, encoder.dim)
    data.write_bytes(bytes(len(data.read_bytes())))
    with pytest.raises(InputError, match=r"image\.onnx_data .* is damaged"):
        OnnxEncoder.from_preset(path).encode_images([pattern(40, 30, 1)])


# --- by name ------------------------------------------------------------------------------------------------------------


def test_encoders_are_loaded_by_name_or_path(fetched: tuple[Path, Path]) -> None:
    path, models_dir = fetched
    settings = Settings(models_dir=models_dir, encoder_threads=1)
    assert wiring.load_encoder(str(path), settings).name == "small"
    assert wiring.load_encoder().name == wiring.load_encoder("builtin", settings).name == "builtin"
    with pytest.raises(InputError, match=r"absent\.toml: No such file"):
        wiring.load_encoder(str(path.with_name("absent.toml")), settings)
    with pytest.raises(InputError, match="no encoder 'other:builtin'") as caught:
        wiring.load_encoder("other:builtin", settings)
    assert "There are: " in caught.value.hint
    assert "builtin" in caught.value.hint


def test_every_preset_in_the_package_is_loaded_or_says_how_to_fetch_it(tmp_path: Path) -> None:
    for name, path in wiring.model_presets().items():
        preset = read_preset(path)
        assert preset.name == name
        if preset.hub is None:
            assert wiring.load_encoder(name, Settings(models_dir=tmp_path)).name == name
            continue
        with pytest.raises(InputError, match=f"model {name} is not here") as caught:
            wiring.load_encoder(name, Settings(models_dir=tmp_path))
        assert f"lookalike models fetch {name}" in caught.value.hint


def test_settings_reach_the_encoder(fetched: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, models_dir = fetched
    monkeypatch.setenv("LOOKALIKE_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("LOOKALIKE_ENCODER_THREADS", "3")
    monkeypatch.setenv("LOOKALIKE_ENCODER_PROVIDERS", '["cpu"]')
    encoder = wiring.load_encoder(str(path))
    encoder.warm_up()
    assert encoder._reading._session.get_session_options().intra_op_num_threads == 3
    monkeypatch.setenv("LOOKALIKE_ENCODER_PROVIDERS", '["abacus"]')
    with pytest.raises(InputError, match="'abacus' cannot run a model"):
        wiring.load_encoder(str(path))


def test_settings_given_in_code_reach_the_encoder(
    fetched: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, models_dir = fetched
    monkeypatch.setenv("LOOKALIKE_MODELS_DIR", str(tmp_path / "elsewhere"))
    settings = Settings(models_dir=models_dir, encoder_threads=3)
    place = tmp_path / "shop.db"
    with pytest.raises(InputError, match="model small is not here"):
        lookalike.open(place, encoder=str(path))
    with lookalike.open(place, encoder=str(path), settings=settings) as shop:
        shop.index([{"id": "A", "title": "red lamp"}])
        encoder = shop.encoder
        assert isinstance(encoder, OnnxEncoder)
        assert encoder._reading._session.get_session_options().intra_op_num_threads == 3
    with lookalike.open(place, settings=settings) as shop:  # by what the catalogue remembers
        assert shop.encoder.fingerprint == encoder.fingerprint
    with pytest.raises(InputError, match="model small is not here"):
        lookalike.open(place)
    with Upgrade(place, settings=settings) as upgrade, upgrade.live_shop() as live:
        assert live.encoder.fingerprint == encoder.fingerprint


@pytest.mark.parametrize(
    ("platform", "named", "expected"),
    [
        ("linux", {}, "~/.cache/lookalike/models"),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/lookalike/models"),
        ("darwin", {}, "~/Library/Caches/lookalike/models"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/lookalike/models"),
    ],
)
def test_models_are_kept_where_the_system_keeps_caches(
    platform: str, named: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert models_folder(Settings()) == Path(expected).expanduser()
    assert models_folder(Settings(models_dir=Path("~/mine"))) == Path("~/mine").expanduser()
