"""Shops of several encoders, or of one that only sees or only reads: which vectors there are, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lookalike
from lookalike.core.errors import EncoderMismatch, InputError, QueryError, VectorError
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE
from lookalike.engine.encoders import Encoders
from lookalike.engine.generations import Generation, Generations, MadeBy, Shelf
from small_encoders import COLORS, SmallEncoder, drawn, rows

COUNT = 40
EYE = SmallEncoder("eye", 6, reads=False)
READER = SmallEncoder("reader", 9, sees=False)
CLIP = SmallEncoder("clip", 8, aligned=True)
RED = drawn(COLORS["red"], 999)


def made(place: Path, encoder: SmallEncoder, text_encoder: SmallEncoder | None = None) -> lookalike.Shop:
    shop = lookalike.open(place / "shop.db", encoder=encoder, text_encoder=text_encoder)
    report = shop.index(rows(COUNT))
    assert (report.new, report.failed_images) == (COUNT, 0)
    return shop


def color_of(hit: lookalike.Hit) -> str:
    return hit.product.title.split()[0]


def test_pictures_by_one_encoder_and_texts_by_another(tmp_path: Path) -> None:
    with made(tmp_path, EYE, READER) as shop:
        assert {space: shop.spaces[space].dim for space in (IMAGE, TITLE, DESCRIPTION)} == {
            IMAGE: 6,
            TITLE: 9,
            DESCRIPTION: 9,
        }
        assert {len(shop.spaces[space]) for space in (IMAGE, TITLE, DESCRIPTION)} == {COUNT}
        looked = shop.search(image=RED, k=5)
        assert {color_of(hit) for hit in looked.hits} == {"red"}
        best = shop.search(text="green mug number 9").hits[0]
        assert best.product.id == "P009"
        assert {term.name for term in best.because} == {TITLE, DESCRIPTION, "words"}
        assert shop.search(image=RED, text="mug").notes == ()
        assert shop.search(like="P000").hits[0].product.id != "P000"
    assert json.loads(shop_artifact(tmp_path)) == {
        "name": "eye",
        "fingerprint": "eye-1",
        "text": {"name": "reader", "fingerprint": "reader-1"},
    }


def shop_artifact(place: Path) -> bytes:
    from lookalike.adapters.catalog_sql import SqlCatalog

    catalog = SqlCatalog.open(place / "shop.db", create=False)
    try:
        return catalog.artifact("encoder") or b""
    finally:
        catalog.close()


def test_an_aligned_encoder_of_pictures_is_asked_for_phrases_too(tmp_path: Path) -> None:
    """A phrase then has two vectors: of the one for the pictures, of the other for the titles."""
    with made(tmp_path, CLIP, READER) as shop:
        found = shop.search(text="red", weights={IMAGE: 1.0}, k=8)
        assert {color_of(hit) for hit in found.hits} == {"red"}
        best = shop.search(text="red mug number 28").hits[0]
        assert {term.name for term in best.because} == {IMAGE, TITLE, DESCRIPTION, "words"}
        seen, read = (shop._live.view.calibrations[f"{space}:text"] for space in (IMAGE, TITLE))
        assert seen != read  # measured with titles as each of them embeds phrases


def test_reopening_needs_no_names_of_what_was_remembered(tmp_path: Path) -> None:
    with made(tmp_path, CLIP, READER):
        pass
    with lookalike.open(tmp_path / "shop.db", encoder=CLIP, text_encoder=READER) as shop:
        assert (shop.encoder.name, shop.text_encoder and shop.text_encoder.name) == ("clip", "reader")
        assert shop.index(rows(COUNT)).unchanged == COUNT
    with pytest.raises(InputError, match="clip"):  # it is remembered, and here no such name is known
        lookalike.open(tmp_path / "shop.db")


@pytest.mark.parametrize(
    ("encoder", "texts", "said"),
    [
        (
            SmallEncoder("clip", 8, aligned=True, version=2),
            READER,
            r"clip \(clip-1\), not with clip \(clip-2\)",
        ),
        (
            CLIP,
            SmallEncoder("reader", 9, sees=False, version=2),
            r"\(reader-1\) for texts, not with reader \(reader-2\)",
        ),
    ],
)
def test_a_mismatch_says_which_of_them_it_is(
    tmp_path: Path, encoder: SmallEncoder, texts: SmallEncoder, said: str
) -> None:
    with made(tmp_path, CLIP, READER):
        pass
    with pytest.raises(EncoderMismatch, match=said) as caught:
        lookalike.open(tmp_path / "shop.db", encoder=encoder, text_encoder=texts)
    assert "--encoder clip --text-encoder reader --reembed" in caught.value.hint


def test_one_encoder_named_for_both_is_one(tmp_path: Path) -> None:
    with made(tmp_path, CLIP, CLIP) as shop:
        assert shop.text_encoder is None
    assert json.loads(shop_artifact(tmp_path)) == {"name": "clip", "fingerprint": "clip-1"}


def test_an_encoder_that_only_sees_leaves_texts_to_words(tmp_path: Path) -> None:
    with made(tmp_path, EYE) as shop:
        assert (len(shop.spaces[IMAGE]), len(shop.spaces[TITLE])) == (COUNT, 0)
        assert EYE.phrases == 0
        found = shop.search(text="green lamp", k=2)
        assert all("green lamp" in hit.product.title for hit in found.hits)
        assert {term.name for term in found.hits[0].because} == {"words"}
        assert any("eye does not read" in note for note in found.notes)
        assert shop.search(image=RED).notes == ()
        assert shop.index(rows(COUNT)).unchanged == COUNT
        with pytest.raises(QueryError, match="title"):
            shop.search(parts=[{"space": "title", "vector": [1.0] * 6}])
        changed = [{**row, "title": "something else"} for row in rows(2)]
        assert shop.upsert(changed).encoded == {IMAGE: 0}


def test_an_encoder_that_only_reads_keeps_pictures_to_be_shown(tmp_path: Path) -> None:
    with made(tmp_path, READER) as shop:
        assert (len(shop.spaces[IMAGE]), len(shop.spaces[TITLE])) == (0, COUNT)
        assert shop.search(text="white rug number 35").hits[0].product.id == "P035"
        assert all(shop.picture_of(f"P{number:03d}") for number in range(COUNT))
        with pytest.raises(QueryError, match="searched by picture") as caught:
            shop.search(image=RED)
        assert "text" in caught.value.hint
        with pytest.raises(QueryError, match="searched by picture"):
            shop.search(text="rug", image=RED)
        assert shop.search(like="P000").hits
        broken = {**rows(1)[0], "id": "broken", "image": "data:image/jpeg;base64,AAAA"}
        assert (shop.upsert([broken]).failed_images, shop.picture_of("broken")) == (1, None)
        renewed = shop.upsert([{**rows(1)[0], "image": rows(1, first=60)[0]["image"]}])
        assert (renewed.changed, renewed.images, shop.picture_of("P000") is not None) == (1, 1, True)


def test_pictures_kept_unembedded_are_embedded_once_an_encoder_sees(tmp_path: Path) -> None:
    with made(tmp_path, READER):
        pass
    clip = SmallEncoder("clip", 8, aligned=True)
    with lookalike.open(tmp_path / "shop.db", encoder=clip, text_encoder=READER, reembed=True) as shop:
        report = shop.index(rows(COUNT))
        assert (report.changed, report.encoded) == (COUNT, {IMAGE: COUNT, TITLE: 0, DESCRIPTION: 0})
        assert {color_of(hit) for hit in shop.search(image=RED, k=5).hits} == {"red"}


def test_a_vector_is_of_the_space_it_names_or_the_only_one_it_fits(tmp_path: Path) -> None:
    with made(tmp_path, EYE, READER) as shop:
        seen = np.asarray(EYE.encode_images([np.full((4, 4, 3), COLORS["blue"], np.uint8)])[0])
        by_name = shop.search(parts=[{"space": "image", "vector": seen}], k=4)
        implied = shop.search(parts=[{"vector": seen.tolist()}], k=4)
        assert [hit.product.id for hit in implied.hits] == [hit.product.id for hit in by_name.hits]
        assert {color_of(hit) for hit in implied.hits} == {"blue"}
        with pytest.raises(VectorError, match=r"title vector .* expected \[9\]") as caught:
            shop.search(parts=[{"space": "title", "vector": seen}])
        assert "reader, 9 numbers" in caught.value.hint
        with pytest.raises(QueryError, match="title or description"):
            shop.search(parts=[{"vector": [1.0] * 9}])
        with pytest.raises(QueryError, match="none fits"):
            shop.search(parts=[{"vector": [1.0] * 5}])
        with pytest.raises(QueryError, match="no space 'nose'"):
            shop.search(parts=[{"space": "nose", "vector": [1.0]}])


def test_encoders_that_cannot_do_what_they_are_named_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="eye does not read"):
        lookalike.open(tmp_path / "a.db", encoder=CLIP, text_encoder=EYE)
    with pytest.raises(InputError, match="reader sees no pictures"):
        lookalike.open(tmp_path / "b.db", encoder=READER, text_encoder=SmallEncoder("other", 4, sees=False))


def test_the_signature_tells_encoders_apart() -> None:
    several = [Encoders(CLIP), Encoders(EYE), Encoders(READER), Encoders(EYE, READER), Encoders(CLIP, READER)]
    assert len({each.signature for each in several}) == len(several)
    # As it was written into catalogues before there could be several.
    assert Encoders(CLIP).signature == "image=clip-1;title=clip-1;description=clip-1"


def test_the_form_that_catalogues_had_before_is_read_and_kept() -> None:
    old = b'{"name": "builtin", "fingerprint": "builtin-2"}'
    read = Generations.from_bytes(old)
    assert read == Generations(Generation(MadeBy("builtin", "builtin-2")))
    assert read.to_bytes() == old
    several = Generations(
        Generation(MadeBy("a", "a-1"), MadeBy("b", "b-1"), ":x"),
        Generation(MadeBy("c", "c-1")),
        "former",
        True,
    )
    assert Generations.from_bytes(several.to_bytes()) == several
    assert several.swapped("next").swapped("former").live == several.live


@pytest.mark.parametrize(
    ("named", "remembered"),
    [
        ("builtin", "builtin"),
        ("torch:clip-vit-b32", "torch:clip-vit-b32"),
        ("small.toml", "{here}/small.toml"),
        ("torch:small.toml", "torch:{here}/small.toml"),
        ("torch:{here}/small.toml", "torch:{here}/small.toml"),
    ],
)
def test_a_path_is_remembered_so_that_it_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, remembered: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shelf = Shelf(lambda name: SmallEncoder("small", 4))
    encoder = shelf.named(named.format(here=tmp_path))
    assert shelf.remembered(Encoders(encoder)).main.name == remembered.format(here=tmp_path)
