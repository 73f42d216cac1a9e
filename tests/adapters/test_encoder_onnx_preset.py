"""What is said about a model's TOML that is wrong, and what changes a fingerprint."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from lookalike.adapters import encoder_onnx_pixels, encoder_onnx_words
from lookalike.adapters.encoder_onnx_files import verified
from lookalike.adapters.encoder_onnx_preset import constants, pattern, read_preset
from lookalike.core.errors import InputError
from lookalike.wiring import model_presets
from small_models import DIM, SIDE_PX, half_model, hub_model, small_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_model(tmp_path)


def changed(path: Path, old: str, new: str) -> Path:
    """Replace what a pattern matches, which must be there once, in a copy of a TOML beside it."""
    text, times = re.subn(old, new, path.read_text("utf-8"), flags=re.MULTILINE)
    assert times == 1
    copy = path.with_name("changed.toml")
    copy.write_text(text, "utf-8")
    return copy


def test_everything_is_read(path: Path) -> None:
    preset = read_preset(path)
    assert (preset.name, preset.version, preset.dim, preset.aligned) == ("small", 1, DIM, True)
    assert (preset.licence, preset.card) == ("Apache-2.0", "small.md")
    assert (preset.image.file, preset.image.input, preset.image.output) == ("image.onnx", "pixels", "vectors")
    assert (preset.image.size_px, preset.image.resize, preset.image.fill) == (SIDE_PX, "letterbox", 255)
    assert (preset.image.mean, preset.image.std) == ((0.5, 0.45, 0.4), (0.25, 0.3, 0.35))
    assert (preset.text.file, preset.text.tokenizer) == ("text.onnx", "hashed-words")
    assert (preset.golden.image.height, preset.golden.image.width, preset.golden.image.seed) == (50, 90, 3)
    assert [known.text for known in preset.golden.texts] == ["Women's red check shirts"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (r"^dim = .*\n", "", r"\bdim: "),
        (r"^dim = .*", "dim = 0", r"\bdim: "),
        (r"^dim = .*", 'dim = "many"', r"\bdim: "),
        (r"^name = .*", 'name = "a b"', r"\bname: "),
        (r"^version = .*", "version = 0", r"\bversion: "),
        (r"^aligned = .*", "aligned = 3", r"\baligned: "),
        (r"^licence = .*", "license = 'MIT'", r"\blicen[cs]e: "),
        (r"^size_px = .*", "size_px = -1", r"\bimage\.size_px: "),
        (r"^resize = .*", 'resize = "stretch"', r"image\.resize: 'stretch' is none of: letterbox"),
        (r"^fill = .*", "fill = 256", r"\bimage\.fill: "),
        (r"^mean = .*", "mean = [0.5, 0.5]", r"\bimage\.mean\.2: "),
        (r"^mean = .*", "mean = [0.5, 0.5, nan]", r"\bimage\.mean\.2: "),
        (r"^std = .*", "std = [0.5, 0, 0.5]", r"\bimage\.std\.1: "),
        (r"^tokenizer = .*", 'tokenizer = "bpe"', r"text\.tokenizer: 'bpe' is none of: hashed-words"),
        (r"^\[golden\]", "[image_too]\n[golden]", r"\bimage_too: "),
        (r'^sha256 = "(?=.*\n.*pixels)', 'sha256 = "x', r"\bimage\.sha256: "),
        (r"^tolerance = .*", "tolerance = 0", r"\bgolden\.tolerance: "),
        (r"height = 50, ", "", r"\bgolden\.image\.height: "),
        (r"^texts = .*", "texts = []", r"\bgolden\.texts: "),
        (r"^texts = .*", 'texts = [{ text = "red", values = [0.5] }]', r"\bgolden\.texts\.0\.values: "),
        (r"^\[golden\]", "[golden", "changed.toml: Expected"),
        (r"^name = .*", 'name = ".."', r"\bname: "),
        (r"^size_px = .*", "size_px = 32\nresize_px = 31", r"image: resize_px: 31 is less than size_px, 32"),
        (r"^size_px = .*", 'size_px = 32\npool = "max"', r"image\.pool: 'max' is none of: none, cls, mean"),
        (
            r"^fill = .*",
            'interpolation = "box"',
            r"image\.interpolation: 'box' is none of: bicubic, bilinear",
        ),
        (r"^tokenizer = .*", "context = 0", r"\btext\.context: "),
        (r"^tokenizer = .*", 'pad_to = "64"', r"\btext\.pad_to: "),
        (r"^tokenizer = .*", 'tokenizer = "file"', r"the SHA-256 of tokenizer\.json is missing"),
        (r"^aligned = .*", 'aligned = true\nhub = "small"', r"\bhub: "),
        (r"^aligned = .*", 'aligned = true\nlicence_class = "free"', r"\blicence_class: "),
        (r"^\[image\]\n(.*\n)*?(?=\[text\])", "", r"aligned: only a model with \[image\] and \[text\]"),
        (r"^\[image\]\n(.*\n)*?(?=\[golden\])", "", r"there must be a table \[image\] or \[text\]"),
        (r"^\[golden\]\n(.*\n)*", "", "golden: it is missing, and there is no hub"),
        (r"^image = .*", "", r"golden\.image: it is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_preset(changed(path, old, new))
    assert "changed.toml: " in str(caught.value)
    assert caught.value.hint
    assert caught.value.code == "model"


def test_a_toml_that_is_missing_or_of_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.toml: No such file"):
        read_preset(tmp_path / "absent.toml")
    other = tmp_path / "other.toml"
    other.write_bytes('name = "Größe"'.encode("utf-16"))
    with pytest.raises(InputError, match=r"other\.toml: "):
        read_preset(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^name = .*", 'name = "other"'),
        (r"^version = .*", "version = 2"),
        (r"^size_px = .*", "size_px = 33"),
        (r"^fill = .*", "fill = 254"),
        (r"^mean = .*", "mean = [0.5, 0.45, 0.41]"),
        (r"^std = .*", "std = [0.25, 0.3, 0.36]"),
        (r'^sha256 = "\w\w(?=.*\n.*pixels)', 'sha256 = "00'),
        (r'^sha256 = "\w\w(?=.*\n.*features)', 'sha256 = "00'),
        (r"^size_px = .*", "size_px = 32\nresize_px = 40"),
        (r"^size_px = .*", 'size_px = 32\ninterpolation = "lanczos"'),
        (r"^size_px = .*", 'size_px = 32\npool = "mean"'),
        (r"^tokenizer = .*", 'tokenizer = "hashed-words"\nprefix = "query: "'),
        (r"^tokenizer = .*", 'tokenizer = "hashed-words"\npool = "cls"'),
        (r'^output = "vectors"(?=(.*\n)*\[text)', 'output = "other"'),
        (r'^output = "vectors"(?=\n.*tokenizer)', 'output = "other"'),
        (r"^tokenizer = .*", 'tokenizer = "hashed-words"\nmask = "used"'),
        (r"^tokenizer = .*", 'tokenizer = "hashed-words"\ntypes = "types"'),
    ],
)
def test_what_shapes_a_vector_changes_the_fingerprint(path: Path, old: str, new: str) -> None:
    assert read_preset(changed(path, old, new)).fingerprint != read_preset(path).fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^licence = .*", 'licence = "MIT"'),
        (r"^card = .*", 'card = "cards/small.md"'),
        (r"^tolerance = .*", "tolerance = 0.5"),
        (r'^file = "image', 'file = "elsewhere/image'),
    ],
)
def test_what_shapes_no_vector_does_not(path: Path, old: str, new: str) -> None:
    assert read_preset(changed(path, old, new)).fingerprint == read_preset(path).fingerprint


FILE = f"""tokenizer = "file"
tokenizer_sha256 = "{"0" * 64}"
context = 77
pad_to = "longest"
pad = ""
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sha256 = "0', 'sha256 = "1'),
        ("context = 77", "context = 64"),
        ('"longest"', '"context"'),
        ('pad = ""', 'pad = "</s>"'),
        ('pad = ""', 'pad = ""\nmask = ""'),
        ('pad = ""', 'pad = ""\ntypes = "token_type_ids"'),
        ('pad = ""', 'pad = ""\nlowercase = true'),
        ('pad = ""', 'pad = ""\npunctuation = false'),
    ],
)
def test_how_texts_are_cut_into_tokens_changes_the_fingerprint(path: Path, old: str, new: str) -> None:
    before = read_preset(changed(path, r"^tokenizer = .*", FILE)).fingerprint
    assert FILE.count(old) == 1
    assert read_preset(changed(path, r"^tokenizer = .*", FILE.replace(old, new))).fingerprint != before


@pytest.mark.parametrize("name", ["small", "builtin"])
def test_models_that_were_there_before_keep_their_fingerprints(path: Path, name: str) -> None:
    """A shop refuses to open when its encoder's changes: fields that are added may shape those alone that have them."""
    preset = read_preset(path if name == "small" else model_presets()[name])
    image, text = preset.image, preset.text
    shaped = (
        1,
        (image.sha256, image.size_px, image.resize, image.fill, image.mean, image.std),
        (text.sha256, text.tokenizer),
        {"REDUCING_GAP": "2.0"},
        constants(encoder_onnx_words),
    )
    shape = blake2b(repr(shaped).encode(), digest_size=4).hexdigest()
    assert preset.fingerprint == f"{name}-{preset.version}-{shape}"


def test_weights_beside_a_graph_are_among_its_files(tmp_path: Path) -> None:
    path = hub_model(tmp_path, tmp_path / "models")
    path.write_text(
        changed(
            path, r'^file = "onnx/text.onnx"', 'file = "onnx/text.onnx"\ndata = "onnx/text.bin"'
        ).read_text()
    )
    assert list(read_preset(path).files()) == ["onnx/image.onnx", "onnx/text.onnx", "onnx/text.bin"]
    outside = changed(path, r'^data = "onnx/text.bin"', 'data = "../text.bin"')
    with pytest.raises(InputError, match="is no path inside"):
        read_preset(outside)


def test_a_model_of_a_hub_needs_neither_hashes_nor_golden_values(tmp_path: Path) -> None:
    preset = read_preset(hub_model(tmp_path, tmp_path / "models"))
    assert preset.files() == {"onnx/image.onnx": None, "onnx/text.onnx": None}
    assert (preset.hub, preset.revision, preset.golden) == ("shop/small", "main", None)


def test_half_a_model_is_one(tmp_path: Path) -> None:
    assert read_preset(half_model(tmp_path, "image")).text is None
    assert read_preset(half_model(tmp_path, "text")).image is None


def test_the_constants_of_the_code_are_part_of_the_fingerprint(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = read_preset(path)
    assert re.fullmatch(r"small-1-[0-9a-f]{8}", preset.fingerprint)
    seen = {preset.fingerprint}
    for module, name in ((encoder_onnx_pixels, "REDUCING_GAP"), (encoder_onnx_words, "MAX_WORDS")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, getattr(module, name) + 1)
            seen.add(preset.fingerprint)
    assert len(seen) == 3


def test_a_file_is_used_only_with_the_content_it_had(path: Path) -> None:
    image = read_preset(path).image
    file = path.parent / image.file
    assert verified(file, image.sha256) == file
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"image\.onnx \({len(damaged):,} bytes\) is damaged") as caught:
            verified(file, image.sha256)
        assert caught.value.hint
    file.unlink()
    with pytest.raises(InputError, match=r"image\.onnx: No such file"):
        verified(file, image.sha256)


def test_the_pattern_stays_the_same_for_ever() -> None:
    assert pattern(40, 40, 3)[::20, ::20].tolist() == [
        [[87, 130, 173], [238, 25, 68]],
        [[154, 198, 242], [66, 110, 154]],
    ]
    assert pattern(1, 2, 0).shape == (1, 2, 3)
    assert np.unique(pattern(96, 96, 7)).size > 50
