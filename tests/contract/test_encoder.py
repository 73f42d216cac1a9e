"""What every Encoder promises. To add one, add a line to ENCODERS."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import wiring
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.core.errors import InputError
from lookalike.core.ports import Encoder
from lookalike.core.types import Pixels, Vectors
from small_models import half_model, small_model


def builtin(folder: Path) -> Encoder:
    return wiring.load_encoder()


def onnx(folder: Path) -> Encoder:
    return OnnxEncoder.from_preset(small_model(folder))


def torch(folder: Path) -> Encoder:
    pytest.importorskip("torch", reason="pip install 'lookalike[torch]'")
    from lookalike.adapters.encoder_torch import TorchEncoder
    from torch_models import with_weights

    made = folder / "made.toml"
    return TorchEncoder.from_preset(made if made.exists() else with_weights("clip", folder))


def seeing(folder: Path) -> Encoder:
    return OnnxEncoder.from_preset(half_model(folder, "image"))


def reading(folder: Path) -> Encoder:
    return OnnxEncoder.from_preset(half_model(folder, "text"))


ENCODERS: tuple[Callable[[Path], Encoder], ...] = (builtin, onnx, torch, seeing, reading)
"""Each is given an empty folder of its own."""

HARD_TEXTS = {
    "empty": "",
    "blank": " \t\n",
    "one letter": "x",
    "signs": "!?-'",
    "emoji": "👗👟",
    "accents": "Café crème à la carte",
    "Japanese": "赤いチェックのシャツ",
    "Arabic": "قميص أحمر",
    "lone surrogate": "\ud83d",
    "null": "\0",
    "10,000 characters": "red check shirt " * 625,
    "10,000 letters in one word": "shirt" * 2000,
}


@pytest.fixture(params=ENCODERS, ids=lambda make: make.__name__, scope="module")
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Encoder]:
    return partial(request.param, tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def encoder(make: Callable[[], Encoder]) -> Encoder:
    return make()


@pytest.fixture
def sees(encoder: Encoder) -> None:
    if not encoder.sees:
        pytest.skip("it embeds no pictures")


@pytest.fixture
def reads(encoder: Encoder) -> None:
    if not encoder.reads:
        pytest.skip("it embeds no phrases")


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Draw blocks of colour, so that no two seeds are alike and no picture is mere noise."""
    coarse = np.random.default_rng([seed, height, width]).integers(0, 256, (5, 5, 3), np.uint8)
    return coarse[np.arange(height)[:, None] * 5 // height, np.arange(width)[None, :] * 5 // width]


def assert_unit(vectors: Vectors, count: int, encoder: Encoder) -> None:
    assert vectors.dtype == np.float32
    assert vectors.shape == (count, encoder.dim)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_it_says_what_it_is(encoder: Encoder) -> None:
    assert encoder.name
    assert encoder.fingerprint
    assert encoder.dim > 0
    assert {type(each) for each in (encoder.aligned, encoder.sees, encoder.reads)} == {bool}
    assert encoder.sees or encoder.reads
    assert not encoder.aligned or (encoder.sees and encoder.reads)


def test_what_it_does_not_do_it_refuses(encoder: Encoder) -> None:
    asked = ((encoder.sees, lambda: encoder.encode_images([picture(40, 30)])),
             (encoder.reads, lambda: encoder.encode_texts(["red"])))  # fmt: skip
    for able, encode in asked:
        if able:
            assert_unit(encode(), 1, encoder)
        else:
            with pytest.raises(InputError, match=encoder.name) as caught:
                encode()
            assert caught.value.code == "model"
            assert caught.value.hint


def test_a_new_one_has_the_same_fingerprint_and_vectors(
    make: Callable[[], Encoder], encoder: Encoder
) -> None:
    twin = make()
    assert twin.fingerprint == encoder.fingerprint
    if encoder.reads:
        np.testing.assert_array_equal(twin.encode_texts(["red"]), encoder.encode_texts(["red"]))
    if encoder.sees:
        images = [picture(40, 30)]
        np.testing.assert_array_equal(twin.encode_images(images), encoder.encode_images(images))


def test_nothing_gives_no_rows(encoder: Encoder) -> None:
    assert_unit(encoder.encode_images([]), 0, encoder)
    assert_unit(encoder.encode_texts([]), 0, encoder)


@pytest.mark.usefixtures("sees")
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 300), (300, 1), (2, 3), (64, 64), (63, 65), (80, 60), (500, 900)], ids=str
)
def test_any_size_of_picture(encoder: Encoder, size: tuple[int, int]) -> None:
    assert_unit(encoder.encode_images([picture(*size)]), 1, encoder)


@pytest.mark.usefixtures("sees")
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_blank_picture(encoder: Encoder, level: int) -> None:
    assert_unit(encoder.encode_images([np.full((50, 70, 3), level, np.uint8)]), 1, encoder)


@pytest.mark.usefixtures("reads")
@pytest.mark.parametrize("text", HARD_TEXTS.values(), ids=HARD_TEXTS.keys())
def test_hard_texts(encoder: Encoder, text: str) -> None:
    assert_unit(encoder.encode_texts([text]), 1, encoder)


@pytest.mark.usefixtures("reads")
@given(texts=st.lists(st.text(max_size=40), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text(encoder: Encoder, texts: list[str]) -> None:
    assert_unit(encoder.encode_texts(texts), len(texts), encoder)


@pytest.mark.usefixtures("sees")
def test_a_batch_of_pictures_gives_what_singles_give_in_order(encoder: Encoder) -> None:
    images = [picture(20 + i, 90 - i, seed=i) for i in range(70)]
    batch, singles = (
        encoder.encode_images(images),
        np.concatenate([encoder.encode_images([i]) for i in images]),
    )
    np.testing.assert_allclose(batch, singles, atol=1e-6)
    assert ((batch @ singles.T).argmax(axis=1) == np.arange(len(images))).all()


@pytest.mark.usefixtures("reads")
def test_a_batch_of_phrases_gives_what_singles_give_in_order(encoder: Encoder) -> None:
    texts = [f"{colour} shirt {i}" for i in range(35) for colour in ("red", "blue")]
    batch, singles = encoder.encode_texts(texts), np.concatenate([encoder.encode_texts([t]) for t in texts])
    np.testing.assert_allclose(batch, singles, atol=1e-6)
    similarities = (
        batch @ singles.T
    )  # some tokenizers know no digits, and so take some of these phrases for the same
    assert (similarities.diagonal() >= similarities.max(axis=1) - 1e-6).all()


@pytest.mark.usefixtures("sees")
def test_pictures_are_left_as_they_were_and_need_not_be_contiguous_or_writable(encoder: Encoder) -> None:
    whole = picture(90, 80)
    view = whole[::2, ::-1]
    view.setflags(write=False)
    before = whole.copy()
    np.testing.assert_allclose(encoder.encode_images([view]), encoder.encode_images([view.copy()]), atol=1e-6)
    np.testing.assert_array_equal(whole, before)


@pytest.mark.usefixtures("reads")
def test_answers_can_be_written_to_without_changing_later_ones(encoder: Encoder) -> None:
    first = encoder.encode_texts(["red check shirt"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(encoder.encode_texts(["red check shirt"]), kept)


@pytest.mark.usefixtures("sees")
def test_threads_that_embed_pictures_do_not_disturb_each_other(encoder: Encoder) -> None:
    images = [[picture(30 + i, 50, seed=10 * i + j) for j in range(3)] for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(encoder.encode_images, images))
    for vectors, batch in zip(seen, images, strict=True):
        np.testing.assert_allclose(vectors, encoder.encode_images(batch), atol=1e-6)


@pytest.mark.usefixtures("reads")
def test_threads_that_embed_phrases_do_not_disturb_each_other(encoder: Encoder) -> None:
    texts = [[f"thread {i} says {word}" for word in ("one", "two")] for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        read = list(pool.map(encoder.encode_texts, texts))
    for vectors, phrases in zip(read, texts, strict=True):
        np.testing.assert_allclose(vectors, encoder.encode_texts(phrases), atol=1e-6)
