"""That an ONNX model is given what it was trained on, whatever the batch, and what is said when it is not fit for use."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from lookalike import wiring
from lookalike.adapters import encoder_onnx, encoder_onnx_session
from lookalike.adapters.encoder_onnx import IMAGES_AT_ONCE, TEXTS_AT_ONCE, OnnxEncoder, builtin
from lookalike.adapters.encoder_onnx_pixels import letterbox
from lookalike.adapters.encoder_onnx_preset import pattern, read_preset
from lookalike.adapters.encoder_onnx_words import MAX_WORDS, features
from lookalike.core.errors import InputError, VectorError
from small_models import DIM, SIDE_PX, small_model

MODELS = [path for path in wiring.model_presets().values() if read_preset(path).hub is None]
PICTURES = [pattern(40 + 7 * i, 200 - 2 * i, seed=i) for i in range(2 * IMAGES_AT_ONCE + 6)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def encoder(path: Path) -> OnnxEncoder:
    return OnnxEncoder.from_preset(path)


def phrases(count: int) -> list[str]:
    """Make phrases of 1 to 70 words, lengths mixed."""
    drawn = np.random.default_rng(0)
    words = np.array(["red", "check", "striped", "shirt", "shoe", "leather", "women's", "watch", "running"])
    return [" ".join(drawn.choice(words, drawn.integers(1, 71))) for _ in range(count)]


def test_pictures_reach_the_model_as_its_toml_says(path: Path, encoder: OnnxEncoder) -> None:
    picture = pattern(300, 170, 1)
    values = letterbox(picture, SIDE_PX, 255).astype(np.float64) / 255
    normal = (values - [0.5, 0.45, 0.4]) / [0.25, 0.3, 0.35]
    batch = normal.transpose(2, 0, 1)[None].astype(np.float32)
    [expected] = ReferenceEvaluator(str(path.with_name("image.onnx"))).run(None, {"pixels": batch})
    np.testing.assert_allclose(encoder.encode_images([picture]), expected, atol=1e-5)


def test_texts_reach_the_model_as_its_toml_says(path: Path, encoder: OnnxEncoder) -> None:
    texts = phrases(12)
    [expected] = ReferenceEvaluator(str(path.with_name("text.onnx"))).run(None, {"features": features(texts)})
    np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(encoder: OnnxEncoder) -> None:
    texts = phrases(TEXTS_AT_ONCE + 40)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(encoder.encode_texts(texts), alone, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(texts[::-1]), alone[::-1], atol=1e-6)
    alone = np.concatenate([encoder.encode_images([picture]) for picture in PICTURES])
    np.testing.assert_allclose(encoder.encode_images(PICTURES), alone, atol=1e-6)


def test_nor_on_the_number_of_threads(path: Path, encoder: OnnxEncoder) -> None:
    for threads in (1, 3):
        other = OnnxEncoder.from_preset(path, threads=threads)
        np.testing.assert_allclose(other.encode_images(PICTURES), encoder.encode_images(PICTURES), atol=1e-6)
        np.testing.assert_allclose(
            other.encode_texts(phrases(40)), encoder.encode_texts(phrases(40)), atol=1e-6
        )


def test_words_beyond_the_limit_are_not_read(encoder: OnnxEncoder) -> None:
    limit = " ".join(f"w{i}" for i in range(MAX_WORDS))
    vectors = encoder.encode_texts([limit, f"{limit} and more", limit.replace("w63", "other")])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-4


def test_opening_loads_no_onnx_runtime_and_texts_alone_do_not_open_the_image_model(tmp_path: Path) -> None:
    path = small_model(tmp_path)
    (tmp_path / "image.onnx").unlink()
    program = f"""
import sys
from pathlib import Path
from lookalike.adapters.encoder_onnx import OnnxEncoder
encoder = OnnxEncoder.from_preset(Path({str(path)!r}))
assert encoder.fingerprint and encoder.encode_texts([]).shape == (0, {DIM})
assert not {{"onnxruntime", "tokenizers"}} & set(sys.modules)
encoder.encode_texts(["red"])
assert "onnxruntime" in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_threads_that_come_at_once_open_a_model_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    verified = encoder_onnx_session.verified
    monkeypatch.setattr(
        encoder_onnx_session, "verified", lambda file, *rest: opened.append(file) or verified(file, *rest)
    )
    encoder = OnnxEncoder.from_preset(path)
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(encoder.encode_texts, [["red shirt"]] * 8))
    assert len(opened) == 1
    for each in vectors:
        np.testing.assert_array_equal(each, vectors[0])


def test_a_damaged_or_missing_file_is_refused_and_mending_it_helps(tmp_path: Path) -> None:
    path = small_model(tmp_path)
    file = tmp_path / "text.onnx"
    whole = file.read_bytes()
    encoder = OnnxEncoder.from_preset(path)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"text\.onnx .* is damaged"):
        encoder.encode_texts(["red"])
    file.unlink()
    with pytest.raises(InputError, match=r"text\.onnx: No such file"):
        encoder.encode_texts(["red"])
    file.write_bytes(whole)
    assert encoder.encode_texts(["red"]).shape == (1, DIM)


@pytest.mark.parametrize(
    ("field", "said"), [("input", r"input 'wrong', it has \['features'\]"), ("output", r"output 'wrong'")]
)
def test_names_that_are_not_in_the_graph_are_refused(
    encoder: OnnxEncoder, path: Path, field: str, said: str
) -> None:
    preset = encoder.preset
    wrong = replace(preset, text=replace(preset.text, **{field: "wrong"}))
    with pytest.raises(InputError, match=said):
        OnnxEncoder(wrong, path.parent).encode_texts(["red"])


def test_a_file_that_is_no_onnx_model_is_refused(encoder: OnnxEncoder, tmp_path: Path) -> None:
    (tmp_path / "image.onnx").write_bytes(b"no model")
    preset = encoder.preset
    image = replace(preset.image, sha256=sha256(b"no model").hexdigest())
    with pytest.raises(InputError, match=r"image\.onnx: ONNX Runtime .* cannot open it"):
        OnnxEncoder(replace(preset, image=image), tmp_path).encode_images(PICTURES[:1])


def test_vectors_of_another_length_are_refused(encoder: OnnxEncoder, path: Path) -> None:
    wrong = OnnxEncoder(replace(encoder.preset, dim=DIM + 1), path.parent)
    with pytest.raises(VectorError, match=rf"text vectors of model small .* expected \[n, {DIM + 1}\]"):
        wrong.encode_texts(["red"])


def test_golden_values_tell_right_from_wrong(encoder: OnnxEncoder, tmp_path: Path) -> None:
    seen = encoder.encode_images([pattern(50, 90, 3)])[0, :8].tolist()
    read = encoder.encode_texts(["Women's red check shirts"])[0, :8].tolist()
    assert OnnxEncoder.from_preset(small_model(tmp_path, seen, read)).verify() < 1e-6
    off = [*seen[:7], seen[7] + 2e-4]
    with pytest.raises(InputError, match=r"golden\.image: the picture gives values that are off by 0\.0002"):
        OnnxEncoder.from_preset(small_model(tmp_path, off, read)).verify()
    off = [read[0] - 0.1, *read[1:]]
    with pytest.raises(InputError, match=r"golden\.texts: the text \"Women's red check shirts\""):
        OnnxEncoder.from_preset(small_model(tmp_path, seen, off)).verify()


def test_the_builtin_model_is_the_one_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_model(tmp_path).rename(tmp_path / "builtin.toml")
    asked = []
    monkeypatch.setattr(encoder_onnx, "files", lambda package: asked.append(package) or tmp_path)
    assert builtin().encode_texts(["red"]).shape == (1, DIM)
    assert asked == ["lookalike.models"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_models_in_the_package_have_a_card_and_give_their_golden_values(model: Path) -> None:
    encoder = OnnxEncoder.from_preset(model)
    encoder.verify()
    assert (model.parent / encoder.preset.card).is_file()
