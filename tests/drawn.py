"""A small drawn shop, indexed by the built-in encoder: what tests of the whole product use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lookalike
from lookalike.demo import draw_shop

PRODUCTS = 92


@pytest.fixture(scope="session")
def drawn_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The products.jsonl of a shop of two products per category, with its pictures."""
    return draw_shop(tmp_path_factory.mktemp("drawn"), products=PRODUCTS, workers=1)


@pytest.fixture(scope="session")
def drawn_place(drawn_source: Path) -> Path:
    """The drawn shop's catalogue, for tests that only read it."""
    place = drawn_source.parent / "shop.db"
    with lookalike.open(place) as shop:
        shop.index(drawn_source)
    return place


@pytest.fixture
def drawn(drawn_place: Path) -> Iterator[lookalike.Shop]:
    """The drawn shop, open."""
    with lookalike.open(drawn_place, create=False) as shop:
        yield shop
