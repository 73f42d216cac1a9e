"""That torch gives the vectors that the graphs give, and what is said when weights are missing or are not those meant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'lookalike[torch]'")
pytest.importorskip("transformers", reason="pip install 'lookalike[torch]'")

from lookalike import wiring  # noqa: E402 - what is below needs torch
from lookalike.adapters.encoder_onnx import OnnxEncoder  # noqa: E402
from lookalike.adapters.encoder_onnx_preset import pattern, read_preset  # noqa: E402
from lookalike.adapters.encoder_torch import TorchEncoder, chosen_device  # noqa: E402
from lookalike.adapters.encoder_torch_weights import weights_hash  # noqa: E402
from lookalike.core.errors import InputError, LookalikeError, MissingExtra  # noqa: E402
from lookalike.settings import Settings  # noqa: E402
from made_models import MODELS, TITLES  # noqa: E402
from torch_models import with_weights  # noqa: E402

PICTURES = [pattern(40 + 9 * i, 160 - 3 * i, seed=i) for i in range(9)]
TEXTS = [*TITLES[::17], "", "a", "  Red   SHIRT!  " * 20, "\ud83d"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tests share the machine with each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_weights("clip", tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(clip: Path) -> TorchEncoder:
    return TorchEncoder.from_preset(clip)


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert np.einsum("nd,nd->n", one, other).min() > 0.99999


@pytest.mark.parametrize("kind", MODELS)
def test_vectors_are_those_of_the_graphs(kind: str, tmp_path: Path) -> None:
    path = with_weights(kind, tmp_path)
    torched, graphs = TorchEncoder.from_preset(path), OnnxEncoder.from_preset(path)
    assert torched.fingerprint == graphs.fingerprint
    assert (torched.sees, torched.reads, torched.dim) == (graphs.sees, graphs.reads, graphs.dim)
    if graphs.sees:
        assert_same(torched.encode_images(PICTURES), graphs.encode_images(PICTURES))
    if graphs.reads:
        assert_same(torched.encode_texts(TEXTS), graphs.encode_texts(TEXTS))


def test_what_a_model_lacks_is_said(tmp_path: Path) -> None:
    seeing = TorchEncoder.from_preset(with_weights("vit", tmp_path))
    assert (seeing.sees, seeing.reads) == (True, False)
    assert seeing.encode_texts([]).shape == (0, seeing.dim)
    with pytest.raises(InputError, match="cannot encode texts") as caught:
        seeing.encode_texts(["red"])
    assert caught.value.code == "model"


def test_torch_before_a_colon_lets_torch_run_a_preset(clip: Path, encoder: TorchEncoder) -> None:
    named = wiring.load_encoder(f"torch:{clip}", Settings(encoder_threads=1, encoder_providers=("cpu",)))
    assert isinstance(named, TorchEncoder)
    assert (named.device, named.dtype) == ("cpu", "float32")
    np.testing.assert_array_equal(named.encode_texts(["red"]), encoder.encode_texts(["red"]))


def test_other_weights_than_those_of_the_graphs_are_refused(clip: Path, tmp_path: Path) -> None:
    from made_models import clip as made_clip

    model = made_clip().image.module.owner  # type: ignore[union-attr]
    with torch.no_grad():
        model.visual_projection.weight += torch.randn(model.visual_projection.weight.shape) * 0.1
    model.save_pretrained(tmp_path / "weights")
    other = TorchEncoder(read_preset(clip), clip.parent, [tmp_path])
    for _ in range(2):  # also when it is asked again
        with pytest.raises(
            InputError, match=r"image vectors have a cosine of -?0\.\d+ with those of its graphs"
        ) as caught:
            other.encode_texts(["red"])
    assert caught.value.code == "model"


def test_half_precision_is_close_and_says_so(clip: Path, encoder: TorchEncoder) -> None:
    half = TorchEncoder.from_preset(clip, dtype="bfloat16")
    assert half.fingerprint.startswith("made-1-torch-bfloat16-")
    cosines = np.einsum("nd,nd->n", half.encode_images(PICTURES), encoder.encode_images(PICTURES))
    assert 0.99 < cosines.min() < 0.99999
    with pytest.raises(InputError, match="no number format 'int4'"):
        TorchEncoder.from_preset(clip, dtype="int4")


def test_weights_do_without_graphs_and_then_make_the_fingerprint(clip: Path, encoder: TorchEncoder) -> None:
    preset = read_preset(clip)
    alone = TorchEncoder(preset, None, [clip.parent])
    assert alone.fingerprint.startswith("made-1-torch-float32-")
    assert alone.fingerprint == TorchEncoder(preset, None, [clip.parent]).fingerprint
    np.testing.assert_array_equal(alone.encode_texts(TEXTS), encoder.encode_texts(TEXTS))


def test_a_batch_too_large_for_the_memory_is_halved_and_that_is_remembered(
    clip: Path, encoder: TorchEncoder
) -> None:
    small = TorchEncoder.from_preset(clip)
    small.open()
    seen: list[int] = []

    def of_little_memory(module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.append(len(inputs[0]))
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("Tried to allocate 20.00 GiB")

    small._towers["image"].register_forward_pre_hook(of_little_memory)
    assert_same(small.encode_images(PICTURES), encoder.encode_images(PICTURES))
    assert seen == [9, 4, 2, 2, 2, 2, 1]
    seen.clear()
    small.encode_images(PICTURES[:5])
    assert seen == [2, 2, 1]


def test_no_memory_for_a_single_picture_is_an_error(clip: Path) -> None:
    none = TorchEncoder.from_preset(clip)
    none.open()

    def of_no_memory(module: object, inputs: tuple[torch.Tensor, ...]) -> None:
        raise torch.OutOfMemoryError("Tried to allocate 20.00 GiB")

    none._towers["image"].register_forward_pre_hook(of_no_memory)
    with pytest.raises(LookalikeError, match="no memory for a single input") as caught:
        none.encode_images(PICTURES)
    assert caught.value.code == "memory"


@pytest.mark.parametrize(
    ("source", "reason", "hint"),
    [
        ("owner/absent", "'owner/absent' are not on this machine", "hf download owner/absent --local-dir"),
        ("no such folder", "'no such folder' are not on this machine", "--local-dir"),
        ("keras:weights", "'keras:weights' are not on this machine", "--local-dir"),
        (None, "names no torch weights", "source ="),
    ],
)
def test_missing_weights_are_named_at_once(clip: Path, source: str | None, reason: str, hint: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        TorchEncoder(replace(read_preset(clip), source=source), clip.parent, [clip.parent]).open()
    assert hint in caught.value.hint
    assert caught.value.code == "model"


@pytest.mark.parametrize("package", ["timm", "open_clip", "sentence_transformers"])
def test_a_library_that_is_not_there_is_named(
    clip: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    preset = replace(read_preset(clip), source=f"{package}:weights")
    with pytest.raises(MissingExtra, match=package) as caught:
        TorchEncoder(preset, clip.parent, [clip.parent]).open()
    assert caught.value.hint.startswith("pip install ")


def test_pickled_weights_are_not_read(clip: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_bytes((clip.parent / "weights/config.json").read_bytes())
    torch.save({}, weights / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be read") as caught:
        TorchEncoder(read_preset(clip), clip.parent, [tmp_path]).open()
    assert "safetensors" in caught.value.hint


def test_code_that_comes_with_weights_is_not_run(clip: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    config = '{"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine", "AutoModel": "mine.Mine"}}'
    (weights / "config.json").write_text(config)
    (weights / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    with pytest.raises(InputError, match="cannot be read"):
        TorchEncoder(read_preset(clip), clip.parent, [tmp_path]).open()
    assert not (tmp_path / "ran").exists()


def test_a_device_that_is_not_there_is_refused() -> None:
    assert chosen_device("cpu") == "cpu"
    with pytest.raises(InputError, match="no device 'cuda:99'"):
        chosen_device("cuda:99")


def test_without_torch_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from lookalike import wiring\n"
        "from lookalike.core.errors import MissingExtra\n"
        "try: wiring.load_encoder('torch:builtin')\n"
        "except MissingExtra as error: print(error.hint)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert said.stdout.strip() == 'pip install "lookalike[torch]"', said.stderr


@pytest.mark.parametrize(
    ("source", "file", "counts"),
    [
        ("owner/model", "model.safetensors", True),
        ("owner/model", "onnx/model.json", False),  # transformers reads what is in the folder itself
        ("open_clip:model", "open_clip_pytorch_model.bin", True),
        ("sentence_transformers:model", "2_Dense/model.safetensors", True),
        ("sentence_transformers:model", ".cache/huggingface/download.json", False),
        ("timm:model", "README.md", False),
    ],
)
def test_all_that_shapes_vectors_makes_the_hash_of_weights(
    tmp_path: Path, source: str, file: str, counts: bool
) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = weights_hash(source, tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"weights")
    assert (weights_hash(source, tmp_path) != before) is counts
