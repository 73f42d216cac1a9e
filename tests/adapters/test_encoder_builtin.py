"""What the builtin encoder finds alike, and the exact vectors that stored embeddings rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lookalike.adapters.encoder_builtin import BuiltinEncoder
from lookalike.adapters.encoder_builtin_images import WEIGHTS
from lookalike.core.types import Pixels

ENCODER = BuiltinEncoder()
RED, BLUE, WHITE, GREY = (200, 30, 40), (30, 60, 190), (255, 255, 255), (170, 170, 170)

GOLDEN_FINGERPRINT = "builtin-1-cc8d594a"
GOLDEN_PICTURE = {
    12: 0.25084,
    112: 0.48465,
    178: 0.20107,
    179: 0.42281,
    181: 0.31101,
    185: 0.10483,
    206: 0.12930,
    207: 0.12930,
    290: 0.10320,
    309: 0.09100,
}
"""Component -> value, two of each block."""
GOLDEN_PHRASE = {
    41: 0.15357,
    87: -0.23968,
    124: 0.14196,
    133: 0.15357,
    184: -0.24154,
    208: -0.15357,
    227: 0.15357,
    245: 0.13911,
}

TITLES = (
    "Arrow Men Red Check Shirt",
    "Arrow Men Blue Check Shirt",
    "Red Tape Men Black Shoes",
    "Mark Taylor Men Striped Red Shirt",
    "Titan Women Leather Watch",
    "Kiara Women Classic Blue Handbag",
    "Nike Men Running Shorts",
    "Puma Kids White T-shirt",
)


def drawn(
    shape: str, box: tuple[object, ...], colour: tuple[int, ...] = RED, ground: tuple[int, ...] = WHITE
) -> Pixels:
    """Draw one shape on a plain square of 200 pixels."""
    image = Image.new("RGB", (200, 200), ground)
    getattr(ImageDraw.Draw(image), shape)(box, fill=colour)
    return np.asarray(image)


def striped(step: int, horizontal: bool = True) -> Pixels:
    """Draw a square of red, or of red and dark red stripes of `step` pixels."""
    image = drawn("rectangle", (40, 40, 160, 160)).copy()
    for start in range(40, 160, 2 * step) if step else ():
        bar = image[start : start + step, 40:160] if horizontal else image[40:160, start : start + step]
        bar[:] = (110, 10, 20)
    return image


def looks(*images: Pixels) -> np.ndarray:
    """Return the similarity of each picture to each: float32 [n, n]."""
    vectors = ENCODER.encode_images(images)
    return vectors @ vectors.T


def reads(*texts: str) -> np.ndarray:
    """Return the similarity of each text to each: float32 [n, n]."""
    vectors = ENCODER.encode_texts(texts)
    return vectors @ vectors.T


def test_golden_picture() -> None:
    found = ENCODER.encode_images([drawn("ellipse", (30, 60, 170, 150), BLUE, (240, 235, 230))])[0]
    np.testing.assert_allclose(found[list(GOLDEN_PICTURE)], list(GOLDEN_PICTURE.values()), atol=1e-4)


def test_golden_phrase() -> None:
    found = ENCODER.encode_texts(["Women's red check shirts"])[0]
    np.testing.assert_allclose(found[list(GOLDEN_PHRASE)], list(GOLDEN_PHRASE.values()), atol=1e-4)


def test_golden_fingerprint() -> None:
    assert ENCODER.fingerprint == GOLDEN_FINGERPRINT, "stored embeddings become invalid: is that meant?"


@pytest.mark.parametrize("constant", ["texts.GRAM_WEIGHT", "images.CENTRE_SIGMA"])
def test_the_fingerprint_follows_the_constants(constant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"lookalike.adapters.encoder_builtin_{constant}", 0.5)
    assert ENCODER.fingerprint != GOLDEN_FINGERPRINT


def test_other_processes_agree() -> None:
    """Python's own hash differs from process to process, and BLAS may use one thread or several."""
    program = (
        "import sys, numpy as np; from lookalike.adapters.encoder_builtin import BuiltinEncoder as E;"
        "image = np.arange(150 * 90 * 3, dtype=np.uint32).reshape(150, 90, 3) * 7919 % 251;"
        "rows = np.concatenate([E().encode_images([image.astype(np.uint8)]), E().encode_texts(['red check shirt'])]);"
        "sys.stdout.buffer.write(rows.tobytes()); sys.stderr.write(E().fingerprint)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        )
        for seed, threads in (("1", "1"), ("2", "2"))
    ]
    one, two = (np.frombuffer(run.stdout, np.float32) for run in runs)
    assert one.shape == (2 * ENCODER.dim,)
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert runs[0].stderr == runs[1].stderr == ENCODER.fingerprint.encode()


def test_the_blocks_fill_the_vector() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert ENCODER.encode_images([drawn("ellipse", (50, 50, 150, 150))]).shape == (1, ENCODER.dim)


def test_colour_matters_more_than_size() -> None:
    small_red, big_red, big_blue = (
        drawn("ellipse", (65, 65, 135, 135)),
        drawn("ellipse", (35, 35, 165, 165)),
        drawn("ellipse", (35, 35, 165, 165), BLUE),
    )
    same = looks(small_red, big_red, big_blue)
    assert same[0, 1] > same[1, 2] + 0.1
    assert same[0, 1] > same[0, 2] + 0.2


def test_shape_matters_among_equal_colours() -> None:
    tall, taller, wide = (
        drawn("rectangle", box) for box in ((80, 25, 120, 175), (75, 20, 125, 180), (25, 80, 175, 120))
    )
    same = looks(tall, taller, wide)
    assert same[0, 1] > same[0, 2] + 0.05


def test_stripes_are_told_from_plain_and_across_from_down() -> None:
    plain, across, finer, down = striped(0), striped(12), striped(10), striped(12, horizontal=False)
    same = looks(plain, across, finer, down)
    assert same[1, 2] > same[0, 1] + 0.05
    assert same[1, 2] > same[1, 3]


def test_the_background_matters_less_than_the_product() -> None:
    box = (45, 60, 155, 150)
    on_white, on_grey, other = (
        drawn("ellipse", box),
        drawn("ellipse", box, ground=GREY),
        drawn("ellipse", box, BLUE),
    )
    same = looks(on_white, on_grey, other)
    assert same[0, 1] > 0.6
    assert same[0, 1] > same[0, 2]


def test_a_mirror_image_is_the_same() -> None:
    shoe = drawn("polygon", ((30, 150), (30, 90), (70, 90), (100, 125), (170, 130), (170, 150)))
    assert looks(shoe, shoe[:, ::-1])[0, 1] > 0.99


def test_a_bigger_copy_is_the_same() -> None:
    image = Image.fromarray(drawn("ellipse", (30, 60, 170, 150)))
    assert looks(np.asarray(image), np.asarray(image.resize((600, 600))))[0, 1] > 0.97


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("red check shirt", "Arrow Men Red Check Shirt"),
        ("red check shirts for men", "Arrow Men Red Check Shirt"),
        ("striped red shirt", "Mark Taylor Men Striped Red Shirt"),
        ("lether watch", "Titan Women Leather Watch"),
        ("hand bag", "Kiara Women Classic Blue Handbag"),
        ("tshirts", "Puma Kids White T-shirt"),
        ("RÚNNING short", "Nike Men Running Shorts"),
    ],
)
def test_a_phrase_finds_its_title(query: str, title: str) -> None:
    same = reads(query, *TITLES)[0, 1:]
    assert TITLES[int(same.argmax())] == title


@pytest.mark.parametrize(
    ("word", "near", "least"),
    [
        ("shirts", "shirt", 0.7),
        ("dresses", "dress", 0.6),
        ("accessories", "accessory", 0.5),
        ("watches", "watch", 0.5),
        ("leather", "lether", 0.25),
        ("sunglasses", "sunglases", 0.4),
        ("t-shirt", "tshirt", 0.99),
        ("women's", "womens", 0.99),
        ("Crème", "creme", 0.99),
        ("ＲＥＤ", "red", 0.99),
    ],
)
def test_spellings_stay_close(word: str, near: str, least: float) -> None:
    same = reads(word, near, "handbag")
    assert same[0, 1] >= least
    assert same[0, 1] > same[0, 2] + 0.2


def test_word_order_matters_little() -> None:
    orders = [" ".join(words) for words in permutations(("red", "check", "shirt"))]
    same = reads(*orders)
    assert same.min() > 0.9
    assert same[0, 1:].max() < 0.9999


def test_stop_words_matter_little() -> None:
    assert reads("watch for women", "the watch for the women", "watch women")[0].min() > 0.85


def test_repeating_a_word_does_not_drown_the_others() -> None:
    same = reads("red shirt", "red red red red red red shirt", "red handbag")
    assert same[0, 1] > same[0, 2]


def test_texts_without_words_are_told_apart() -> None:
    same = reads("👗", "👟", "", "?!")
    assert same[~np.eye(4, dtype=bool)].max() < 0.5
