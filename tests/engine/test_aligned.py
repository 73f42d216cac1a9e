"""Searches with an encoder that compares words with pictures: phrases find pictures, and parts of both kinds combine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from made_shop import NOW

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.index_exact import ExactIndex
from lookalike.adapters.lexical_postings import PostingsIndex
from lookalike.core.fusion import NEIGHBOUR
from lookalike.core.query import Hit, ImagePart, Part, ProductPart, Query, TextPart
from lookalike.core.types import (
    IMAGE,
    TITLE,
    Embedding,
    ImageRef,
    Pixels,
    Product,
    Record,
    Vectors,
    content_hash,
)
from lookalike.engine.encoders import Encoders
from lookalike.engine.indexing import LiveIndex, learn_from
from lookalike.engine.search import Searcher

KINDS = {"shirt": 0, "lamp": 80, "mug": 160, "rug": 240}
"""Brightness of a picture's upper half."""
COLORS = {"red": (220, 20, 20), "blue": (20, 20, 220), "green": (20, 160, 20), "white": (250, 250, 250)}
"""Colour of its lower half."""
WORDS = (*KINDS, *COLORS)
DIM = len(WORDS) + 2
TITLED = ("red", "blue")
LOOKS = {IMAGE: 1.0}


class SeeingEncoder:
    """Knows four kinds and four colours by sight and by name; pictures and phrases lie apart, as in trained models."""

    name, fingerprint, dim, aligned = "seeing", "seeing-1", DIM, True
    sees, reads = True, True

    def encode_images(self, images: Sequence[Pixels]) -> Vectors:
        rows = np.zeros((len(images), DIM), np.float32)
        for row, image in zip(rows, images, strict=True):
            row[np.abs(np.array(list(KINDS.values())) - int(image[0, 0, 0])).argmin()] = 1.0
            row[4 + np.abs(np.array(list(COLORS.values())) - image[-1, 0]).sum(axis=1).argmin()] = 1.0
            row[-1] = 1.0
        return _unit(rows)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), DIM), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[[WORDS.index(word) for word in text.split() if word in WORDS]] = 1.0
            row[-2] = 1.0
        return _unit(rows)


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


ENCODER = SeeingEncoder()


def picture(kind: str, color: str) -> Pixels:
    drawn = np.full((8, 6, 3), KINDS[kind], np.uint8)
    drawn[4:] = COLORS[color]
    return drawn


def record(kind: str, color: str, *, titled: bool) -> Record:
    title = f"{color} {kind}" if titled else ""
    digest = content_hash(f"{kind} {color}")
    made = {(IMAGE, digest): ENCODER.encode_images([picture(kind, color)])[0]}
    if titled:
        made[TITLE, content_hash(title)] = ENCODER.encode_texts([title])[0]
    product = Product(f"{color} {kind}", title=title, images=(ImageRef("x.jpg", digest),))
    embeddings = tuple(Embedding(space, ENCODER.fingerprint, of, v) for (space, of), v in made.items())
    return Record(product, "hash", "all", embeddings)


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    """A searcher over each kind in each colour: reds and blues have titles, of the others there are only pictures."""
    catalog = MemoryCatalog()
    catalog.write([record(kind, color, titled=color in TITLED) for kind in KINDS for color in COLORS])
    live = LiveIndex(catalog, Encoders(ENCODER), ExactIndex, PostingsIndex())
    learn_from(catalog, live)
    return Searcher(live, catalog, NOW.timestamp)


def hits(searcher: Searcher, *parts: Part, **query: Any) -> tuple[Hit, ...]:
    return searcher.search_many([Query(parts, **query)])[0].hits


def ids(searcher: Searcher, *parts: Part, **query: Any) -> list[str]:
    return [hit.product.id for hit in hits(searcher, *parts, **query)]


def test_a_phrase_is_looked_for_in_pictures_in_titles_and_as_it_is_written(searcher: Searcher) -> None:
    best = hits(searcher, TextPart("red lamp"))[0]
    assert best.product.id == "red lamp"
    assert [term.name for term in best.because] == [IMAGE, TITLE, "words"]
    assert sum(term.weight for term in best.because) == pytest.approx(1)


def test_a_phrase_finds_what_has_only_a_picture(searcher: Searcher) -> None:
    found = hits(searcher, TextPart("green lamp"), k=16)
    assert len(found) == 16
    untitled = [hit for hit in found if not hit.product.title]
    assert untitled[0].product.id == "green lamp"
    assert [term.similarity is None for term in untitled[0].because] == [False, True, False]  # its id says it


def test_pictures_seen_from_a_phrase_have_anchors_of_their_own(searcher: Searcher) -> None:
    """A phrase and its picture lie further apart than two pictures of one thing, and are as good an answer."""
    [asked] = searcher._asked([Query((TextPart("red lamp"), ImagePart(picture("lamp", "red"))))])
    by_phrase, by_picture = (
        next(p for p in asked.probes if p.part == part and p.space == IMAGE) for part in (0, 1)
    )
    assert by_phrase.calibration == asked.view.calibrations["image:text"]
    assert by_picture.calibration == asked.view.calibrations["image"]
    assert by_phrase.calibration.background < by_picture.calibration.background
    best = hits(searcher, TextPart("red lamp"), weights={IMAGE: 1.0})[0]
    assert best.because[0].similarity == pytest.approx(2 / 3, abs=1e-3)
    assert best.because[0].value == pytest.approx(NEIGHBOUR, abs=1e-3)


def test_a_picture_and_a_phrase_combine(searcher: Searcher) -> None:
    assert ids(searcher, ImagePart(picture("mug", "white")), TextPart("blue"))[0] == "blue mug"
    assert ids(searcher, ImagePart(picture("mug", "red")), TextPart("white"), weights=LOOKS)[0] == "white mug"


def test_this_but_in_another_color(searcher: Searcher) -> None:
    assert ids(searcher, ProductPart("red rug"), TextPart("blue"))[0] == "blue rug"
    assert ids(searcher, ProductPart("red rug"), TextPart("green"), weights=LOOKS)[0] == "green rug"


def test_a_phrase_of_negative_weight_keeps_away_also_what_only_looks_like_it(searcher: Searcher) -> None:
    found = ids(searcher, TextPart("green"), TextPart("shirt", -1.0), k=3, weights=LOOKS)
    assert set(found) == {"green lamp", "green mug", "green rug"}
    others = ids(searcher, ProductPart("red shirt"), TextPart("red", -1.0), k=3)
    assert set(others) == {"blue shirt", "green shirt", "white shirt"}


def test_weights_choose_between_looking_and_reading(searcher: Searcher) -> None:
    looked, read = (
        hits(searcher, TextPart("red mug"), weights={space: 1.0}, k=16) for space in (IMAGE, TITLE)
    )
    assert {term.name for hit in looked for term in hit.because} == {IMAGE}
    assert {term.name for hit in read for term in hit.because} == {TITLE}
    assert len(looked) == 16
    assert all(hit.product.title for hit in read)
