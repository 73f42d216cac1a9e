"""Every model that is known by name: its TOML reads, and the documentation says the same of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lookalike.adapters.encoder_onnx_preset import Preset, read_preset
from lookalike.wiring import model_presets

DOCUMENT = (Path(__file__).parents[1] / "docs/models.md").read_text("utf-8")
PRESETS = {name: read_preset(path) for name, path in model_presets().items()}
FETCHED = {name: preset for name, preset in PRESETS.items() if preset.hub is not None}
ROWS = {
    row[0]: row[1:]
    for row in re.findall(
        r"^\| `(.+?)` \| (.+?) \| (\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", DOCUMENT, re.M
    )
}

FAMILIES = {
    "clip-vit-b32": (512, "image+text"),
    "clip-vit-l14": (768, "image+text"),
    "openclip-vit-b32": (512, "image+text"),
    "openclip-vit-b16": (512, "image+text"),
    "siglip-base": (768, "image+text"),
    "siglip-so400m": (1152, "image+text"),
    "siglip2-base": (768, "image+text"),
    "siglip2-base-p32": (768, "image+text"),
    "siglip2-large": (1024, "image+text"),
    "marqo-ecommerce-b": (768, "image+text"),
    "marqo-ecommerce-l": (1024, "image+text"),
    "marqo-fashion-siglip": (768, "image+text"),
    "marqo-fashion-clip": (512, "image+text"),
    "dinov2-small": (384, "image"),
    "dinov2-base": (768, "image"),
    "vit-b16": (768, "image"),
    "resnet50": (2048, "image"),
    "all-minilm-l6-v2": (384, "text"),
    "bge-small-en-v1.5": (384, "text"),
    "multilingual-e5-small": (384, "text"),
}


def kind(preset: Preset) -> str:
    return "+".join(each for each in ("image", "text") if getattr(preset, each) is not None)


def test_the_models_are_these() -> None:
    assert {name: (preset.dim, kind(preset)) for name, preset in FETCHED.items()} == FAMILIES
    assert set(PRESETS) == {*FAMILIES, "builtin"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_model_is_called_as_its_file_is_and_can_be_checked(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.golden is not None or preset.hub is not None
    assert preset.licence
    assert preset.aligned == (kind(preset) == "image+text")


@pytest.mark.parametrize("name", FETCHED)
def test_a_list_can_show_it(name: str) -> None:
    preset = FETCHED[name]
    assert 0 < len(preset.summary) <= 70
    assert preset.card.startswith("https://")
    assert len(name) <= 21, "a list of them fits into 80 columns"
    assert len(f"{preset.licence} ({preset.licence_class})") <= 24


@pytest.mark.parametrize("name", FETCHED)
def test_pictures_and_texts_are_prepared_as_its_family_wants(name: str) -> None:
    preset = FETCHED[name]
    if preset.image is not None:
        assert all(0 < value < 1 for value in (*preset.image.mean, *preset.image.std))
        assert preset.image.resize in ("shortest-edge", "squash"), "none was trained with bars at the sides"
        if "siglip" in name or "ecommerce" in name:
            assert preset.image.resize == "squash"
            assert preset.image.mean == preset.image.std == (0.5, 0.5, 0.5)
    if preset.text is not None:
        assert preset.text.tokenizer == "file"
        if "siglip" in name or "ecommerce" in name:
            assert (preset.text.context, preset.text.pad_to, preset.text.mask) == (64, "context", "")
            assert (preset.text.lowercase, preset.text.punctuation) == (True, "siglip2" in name)
        elif "clip" in name:
            assert (preset.text.context, preset.text.mask) == (77, "")
            assert not preset.text.lowercase and preset.text.punctuation
        else:
            assert preset.text.mask == "attention_mask"
            assert preset.text.pool in ("mean", "cls")


def test_the_document_has_a_row_for_each() -> None:
    assert set(ROWS) == set(FETCHED)


@pytest.mark.parametrize("name", FETCHED)
def test_the_document_says_what_the_toml_says(name: str) -> None:
    preset = FETCHED[name]
    assert ROWS[name] == (
        kind(preset),
        str(preset.dim),
        f"{preset.size_mb:,}" if preset.size_mb else "?",
        f"{preset.licence} ({preset.licence_class})",
        f"`{preset.hub}`",
        f"`{preset.source}`" if preset.source else "none",
    )
    facts = DOCUMENT.partition("## Where each fact comes from")[2]
    assert re.search(rf"^- \*\*[^*]*\b{re.escape(name)}\b[^*]*\*\*", facts, re.M), "where its facts come from"


@pytest.mark.parametrize("name", FETCHED)
def test_no_hash_stands_there_that_nobody_computed(name: str) -> None:
    """Hashes come with golden values: who has the files for the one can compute the other."""
    preset = FETCHED[name]
    known = [sha256 for sha256 in preset.files().values() if sha256 is not None]
    assert not known or preset.golden is not None
    assert known or "Not checked against the hub" in model_presets()[name].read_text("utf-8")
