"""That exported models give what their weights give, say how they are used, and lose little in int8."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="pip install 'lookalike[torch]'")
pytest.importorskip("transformers", reason="pip install 'lookalike[torch]'")

import typer  # noqa: E402 - what is below needs torch
from typer.testing import CliRunner  # noqa: E402

import lookalike  # noqa: E402
from lookalike.adapters.encoder_onnx import OnnxEncoder  # noqa: E402
from lookalike.adapters.encoder_onnx_preset import pattern, read_preset  # noqa: E402
from lookalike.adapters.encoder_torch import TorchEncoder  # noqa: E402
from lookalike.adapters.model_export import export_model  # noqa: E402
from lookalike.adapters.model_export_int8 import loss, quantise  # noqa: E402
from lookalike.adapters.model_export_recipe import image_table, name_of  # noqa: E402
from lookalike.cli.models_export import export  # noqa: E402
from lookalike.core.errors import InputError  # noqa: E402
from made_models import CONTEXT, SIDE_PX, TITLES, WIDE  # noqa: E402
from torch_models import with_weights  # noqa: E402

PICTURES = [pattern(60 + i, 90 - i, seed=i) for i in range(40)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_weights("clip", tmp_path_factory.mktemp("clip"))


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2", "vit", "resnet", "minilm"])
def test_a_bare_folder_of_weights_is_enough(kind: str, tmp_path: Path) -> None:
    """The preset made of the files beside the weights means what the one that was written by hand means."""
    preset = with_weights(kind, tmp_path)
    if (
        kind == "siglip"
    ):  # its tokenizer in transformers cleans texts in code, which the files beside the weights do not say
        text = preset.read_text("utf-8")
        preset.write_text(text.replace("[text]", "[text]\nlowercase = true\npunctuation = false"), "utf-8")
    by_hand = OnnxEncoder.from_preset(preset)
    made = export_model(str(tmp_path / "weights"), tmp_path / "out", places=[], name="made")
    assert made.preset == tmp_path / "out/made.toml"
    assert all(cosine > 0.99999 for cosine in made.cosines.values())
    encoder = OnnxEncoder.from_preset(made.preset)
    assert encoder.verify() < 1e-5
    assert (encoder.sees, encoder.reads) == (by_hand.sees, by_hand.reads)
    assert encoder.dim == (16 if kind == "clip" else WIDE)
    if encoder.sees:
        assert_same(encoder.encode_images(PICTURES[:5]), by_hand.encode_images(PICTURES[:5]))
    if encoder.reads:
        texts = ["", "a", *TITLES[::40]]
        assert_same(encoder.encode_texts(texts), by_hand.encode_texts(texts))


def test_a_preset_names_its_weights_and_how_they_are_used(clip: Path, tmp_path: Path) -> None:
    said: list[str] = []
    made = export_model(str(clip), tmp_path, places=[clip.parent], say=said.append)
    preset, by_hand = read_preset(made.preset), read_preset(clip)
    assert said == [
        "reading weights",
        "writing made-image.onnx",
        "writing made-text.onnx",
        "comparing with torch",
    ]
    assert (preset.name, preset.licence, preset.aligned) == ("made", by_hand.licence, True)
    assert preset.image is not None
    assert by_hand.image is not None
    assert (preset.image.mean, preset.image.resize) == (by_hand.image.mean, by_hand.image.resize)
    assert (tmp_path / preset.card).read_text("utf-8").startswith("# made\n\nMade of `weights`")
    again = TorchEncoder.from_preset(made.preset)
    again.open()
    assert again.fingerprint == OnnxEncoder.from_preset(made.preset).fingerprint


def test_int8_is_close_small_and_blind_to_its_batch(clip: Path, tmp_path: Path) -> None:
    whole = export_model(str(clip), tmp_path, places=[clip.parent]).preset
    path, lost = quantise(whole, PICTURES, TITLES)
    small = OnnxEncoder.from_preset(path)
    assert small.verify() < 1e-5
    assert small.fingerprint != OnnxEncoder.from_preset(whole).fingerprint
    assert path.name == "made-int8.toml"
    assert lost["image"].count == len(PICTURES)
    for each in lost.values():
        assert 0.97 < each.least_cosine < each.mean_cosine < 0.99999
        assert 0.5 < each.overlap <= 1
    alone = np.concatenate([small.encode_images([picture]) for picture in PICTURES])
    np.testing.assert_allclose(small.encode_images(PICTURES), alone, atol=1e-6)
    texts = TITLES[::9]
    alone = np.concatenate([small.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(small.encode_texts(texts), alone, atol=1e-6)
    with pytest.raises(InputError, match="are not those of the model made-int8") as caught:
        TorchEncoder.from_preset(path).open()
    assert "take that in float32" in caught.value.hint
    assert b"DynamicQuantizeLinear" not in path.with_name("made-int8-image.onnx").read_bytes()


def test_what_is_lost_is_measured() -> None:
    rows = np.eye(12, dtype=np.float32)
    rows[1:, 0] = np.linspace(0.9, 0.1, 11)  # the first is nearest to all, in this order
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    same = loss(rows, rows)
    assert (same.count, same.overlap) == (12, 1.0)
    assert same.least_cosine == pytest.approx(1)
    other = loss(rows, rows[::-1].copy())
    assert other.mean_cosine < 0.9
    assert loss(rows[:1], rows[:1]).overlap == 1.0


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        ({"size": {"height": 224, "width": 224}}, {"size_px": 224, "resize": "squash"}),
        ({"size": 224}, {"size_px": 224, "resize": "shortest-edge", "resize_px": 224}),
        (
            {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}},
            {"size_px": 224, "resize": "shortest-edge", "resize_px": 256},
        ),
        (
            {"size": {"shortest_edge": 224}, "crop_pct": 0.875},
            {"size_px": 224, "resize": "shortest-edge", "resize_px": 256},
        ),
        ({"size": {"shortest_edge": 384}, "crop_pct": 1.0}, {"size_px": 384, "resize": "squash"}),
    ],
)
def test_how_processors_say_sizes(said: dict[str, object], sizes: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**said, "resample": 2}))
    table = image_table(tmp_path)
    assert {key: table[key] for key in sizes} == sizes
    assert table["interpolation"] == "bilinear"


def test_a_name_is_made_of_what_names_may_hold() -> None:
    assert name_of("google/SigLIP 2 (base)/") == "siglip-2-base"
    assert name_of("...") == "..."


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("preprocessor_config.json", "is not known how pictures are prepared|cannot be written|no vector"),
        ("tokenizer.json", "has no tokenizer.json"),
        ("model.safetensors", "cannot be read"),
    ],
)
def test_what_is_missing_beside_the_weights_is_named(
    clip: Path, missing: str, reason: str, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for file in (clip.parent / "weights").iterdir():
        if file.name != missing:
            (weights / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match=reason):
        export_model(str(weights), tmp_path / "out", places=[])


def test_a_model_without_torch_weights_cannot_be_exported(tmp_path: Path) -> None:
    builtin = Path(lookalike.__file__).parent / "models/builtin.toml"
    with pytest.raises(InputError, match="builtin names no torch weights"):
        export_model(str(builtin), tmp_path, places=[])
    with pytest.raises(InputError, match="nowhere/at-all' are not on this machine") as caught:
        export_model("nowhere/at-all", tmp_path, places=[])
    assert "hf download nowhere/at-all" in caught.value.hint


def test_the_command_writes_both_and_prints_what_is_lost(clip: Path, tmp_path: Path) -> None:
    rows = []
    for number, picture in enumerate(PICTURES[:12]):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        rows.append(
            {"id": str(number), "title": TITLES[number * 9], "images": str(tmp_path / f"{number}.png")}
        )
    with lookalike.open(tmp_path / "shop.db") as shop:
        shop.index(rows)
    app = typer.Typer()
    app.command()(export)
    asked = [str(clip.parent / "weights"), "--out", str(tmp_path / "out"), "--name", "mine", "--int8"]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, InputError)
    assert "--calibrate SHOP" in refused.exception.hint
    ran = CliRunner().invoke(app, [*asked, "--calibrate", str(tmp_path / "shop.db")], catch_exceptions=False)
    assert "image: least cosine to torch 1.000000" in ran.output or "cosine to torch 0.99999" in ran.output
    assert "image: int8 on 12 of the shop's: cosine to float32 0.9" in ran.output
    assert "of the ten nearest stay" in ran.output
    with lookalike.open(tmp_path / "other.db", encoder=str(tmp_path / "out/mine-int8.toml")) as shop:
        shop.index(rows)
        assert shop.search(image=str(tmp_path / "3.png"), k=1).hits[0].product.id == "3"


def test_longer_texts_than_the_model_takes_are_cut(clip: Path, tmp_path: Path) -> None:
    made = export_model(str(clip.parent / "weights"), tmp_path, places=[])
    preset = read_preset(made.preset)
    assert preset.name == "weights"
    assert preset.text is not None
    assert preset.text.context == CONTEXT
    assert preset.image is not None
    assert preset.image.size_px == SIDE_PX
    long = " ".join(TITLES[:9])
    assert OnnxEncoder.from_preset(made.preset).encode_texts([long]).shape == (1, 16)
