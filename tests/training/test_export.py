"""What is exported answers as the towers do, whatever is in a batch and however its weights are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install -e '.[train]'")

import onnxruntime  # noqa: E402

from lookalike.adapters.encoder_onnx import OnnxEncoder, prepared  # noqa: E402
from lookalike.adapters.encoder_onnx_words import features  # noqa: E402
from training.export import export, quantised, towers  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.towers import ImageTower, TextTower  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*TorchScript.*")

RECIPE = Recipe(size_px=64)
CLOSE = {"float32": 1e-4, "float16": 1e-3, "int8": 1e-2}
"""How far a number of a vector of length 1 may be off; they are about 0.06."""
TEXTS = [
    "red checked shirt",
    "shoe",
    "",
    "white running shoes for women in every size there is",
    "grean bakpack",
]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random towers whose norms have seen some pictures, so that folding them in has something to get wrong."""
    torch.manual_seed(5)
    image, text = ImageTower(RECIPE.dim), TextTower(RECIPE.dim)
    for module in image.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.momentum = None  # statistics of all it sees
    with torch.no_grad():
        image.train()(torch.nn.functional.interpolate(torch.randn(24, 3, 5, 5) * 2, 64))
    path = tmp_path_factory.mktemp("result") / "towers.pt"
    torch.save({"image": image.state_dict(), "text": text.state_dict()}, path)
    return path


@pytest.fixture(scope="module", params=CLOSE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def preset(kind: str, result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(result, tmp_path_factory.mktemp(kind), RECIPE, kind)


@pytest.fixture(scope="module")
def encoder(preset: Path) -> OnnxEncoder:
    return OnnxEncoder.from_preset(preset, threads=1)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    rng = np.random.default_rng(3)
    coarse = [rng.integers(0, 256, (6, 4 + n, 3), dtype=np.uint8) for n in range(5)]
    return [np.kron(each, np.ones((20, 20, 1), np.uint8)) for each in coarse]


def test_pictures_are_embedded_as_the_tower_does(
    kind: str, encoder: OnnxEncoder, result: Path, pictures: list[Any]
) -> None:
    image, _ = towers(result, RECIPE)
    with torch.no_grad():
        wanted = image(torch.from_numpy(prepared(pictures, encoder.preset.image))).numpy()
    assert np.abs(encoder.encode_images(pictures) - wanted).max() < CLOSE[kind]
    assert np.abs(wanted - wanted[0]).max() > 0.05, "pictures that all look the same would prove nothing"


def test_texts_are_embedded_as_the_tower_does(kind: str, encoder: OnnxEncoder, result: Path) -> None:
    """In training a batch is padded to its longest text, and rows of the table are summed another way."""
    _, text = towers(result, RECIPE)
    with torch.no_grad():
        wanted = text(torch.from_numpy(features(TEXTS))).numpy()
    assert np.abs(encoder.encode_texts(TEXTS) - wanted).max() < CLOSE[kind]
    assert np.abs(wanted - wanted[0]).max() > 0.05


def test_a_batch_and_its_parts_are_embedded_alike(encoder: OnnxEncoder, pictures: list[Any]) -> None:
    alone = np.concatenate([encoder.encode_images([picture]) for picture in pictures])
    assert np.abs(encoder.encode_images(pictures) - alone).max() < 1e-5
    alone = np.concatenate([encoder.encode_texts([text]) for text in TEXTS])
    assert np.abs(encoder.encode_texts(TEXTS) - alone).max() < 1e-5


@pytest.mark.parametrize("words", [1, 2, 9, 64])
def test_padding_says_nothing(preset: Path, words: int) -> None:
    session = onnxruntime.InferenceSession(preset.with_name("builtin-text.onnx"))
    short = features([" ".join(["shirt"] * words)])
    padded = np.pad(short, ((0, 0), (0, 5), (0, 0)))
    [[one], [other]] = (session.run(None, {"words": each})[0] for each in (short, padded))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert np.abs(one - other).max() < 1e-5


def test_smaller_kinds_are_smaller(kind: str, preset: Path, result: Path) -> None:
    share = sum(path.stat().st_size for path in preset.parent.glob("*.onnx")) / result.stat().st_size
    low, high = {"float32": (0.9, 1.1), "float16": (0.45, 0.55), "int8": (0.24, 0.29)}[kind]
    assert low < share < high


def test_what_is_written_holds_its_own_golden_values(encoder: OnnxEncoder) -> None:
    assert encoder.verify() < 1e-4


@pytest.mark.parametrize("axis", [0, 1])
def test_codes_are_off_by_half_a_step_at_most(axis: int) -> None:
    values = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    values[0] = 0
    codes, scale = quantised(values, axis)
    assert codes.dtype == np.int8 and scale.shape == ((7, 1) if axis == 0 else (1, 5))
    assert np.all(np.abs(codes * scale - values) <= scale / 2 * 1.001)
    assert not codes[0].any()
