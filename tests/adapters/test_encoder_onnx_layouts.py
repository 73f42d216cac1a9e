"""That models of each architecture, in each layout they are found in, give what torch gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

made_models = pytest.importorskip("made_models", reason="pip install 'lookalike[torch]'")

from lookalike.adapters.encoder_onnx import OnnxEncoder  # noqa: E402
from lookalike.adapters.encoder_onnx_preset import pattern  # noqa: E402
from lookalike.core.types import Vectors  # noqa: E402
from made_models import LAYOUTS, MODELS, TITLES, Made, Side, unit, write  # noqa: E402

PICTURES = [pattern(40 + 13 * i, 200 - 9 * i, seed=i) for i in range(12)]
TEXTS = ["", *TITLES[::23], "size " * 60, "👗👟", "   "]
LAID_OUT = [
    *((name, "transformers.js") for name in MODELS),
    *((name, "folders") for name in ("clip", "siglip")),
    *((name, "single") for name in ("dinov2", "vit", "resnet", "minilm", "bert")),
]
Half = tuple[Side, Callable[[Sequence[Any]], Vectors], list[Any]]
"""One half of a model, how the encoder runs it, and what it is to be asked."""


def halves(made: Made, encoder: OnnxEncoder) -> Iterator[Half]:
    if made.image is not None:
        yield made.image, encoder.encode_images, PICTURES
    if made.text is not None:
        yield made.text, encoder.encode_texts, TEXTS


@pytest.fixture(scope="module", params=LAID_OUT, ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    name, layout = request.param
    model = MODELS[name]()
    return model, write(model, tmp_path_factory.mktemp("made"), LAYOUTS[layout])


def test_vectors_are_those_of_torch_alone_and_in_batches(made: tuple[Made, Path]) -> None:
    encoder = OnnxEncoder.from_preset(made[1])
    assert (encoder.sees, encoder.reads) == (made[0].image is not None, made[0].text is not None)
    for side, encode, inputs in halves(made[0], encoder):
        wanted = unit(side.reference(inputs))
        apart = wanted[: len(PICTURES)] @ wanted[: len(PICTURES)].T
        assert np.partition(apart[0], -2)[-2] < 0.9999  # or any vector would do
        vectors = encode(inputs)
        assert np.einsum("nd,nd->n", vectors, wanted, dtype=np.float64).min() >= 0.99999
        np.testing.assert_allclose(vectors, np.concatenate([encode([each]) for each in inputs]), atol=1e-5)
        np.testing.assert_allclose(encode(inputs[::-1]), vectors[::-1], atol=1e-5)
        assert encode([]).shape == (0, encoder.dim)


@pytest.mark.parametrize("name", ["clip", "siglip", "dinov2", "minilm"])
def test_weights_in_int8_give_nearly_the_same(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    path = write(model, tmp_path)
    before = OnnxEncoder.from_preset(path).fingerprint
    text = path.read_text("utf-8")
    for file in tmp_path.rglob("*.onnx"):
        old = made_models.digest(file)
        assert made_models.in_int8(file) >= 10
        text = text.replace(old, made_models.digest(file))
    path.write_text(text, "utf-8")
    encoder = OnnxEncoder.from_preset(path)
    assert encoder.fingerprint != before
    for side, encode, inputs in halves(model, encoder):
        wanted = unit(side.reference(inputs))
        similarities = np.einsum("nd,nd->n", encode(inputs), wanted)
        assert similarities.min() >= 0.999
        assert np.abs(encode(inputs) - wanted).max() > 1e-4  # it is int8 that was run
        alone = np.concatenate([encode([each]) for each in inputs])
        np.testing.assert_allclose(encode(inputs), alone, atol=1e-5)
