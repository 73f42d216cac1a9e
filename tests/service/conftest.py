"""The drawn shop behind the real application, called in process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import lookalike
from lookalike.core.images import ImageLimits
from lookalike.service.app import create_app
from lookalike.service.settings import ServiceSettings
from lookalike.settings import Settings

LIMITS = ServiceSettings(
    max_images=3, max_queries=4, max_rows=600, max_row_bytes=200_000, max_array_bytes=200_000
)
MAX_IMAGE_BYTES = 200_000


@contextmanager
def serving(place: Path) -> Iterator[TestClient]:
    """Serve the shop at a place; what goes wrong inside comes out as an answer, as it does for clients."""
    settings = Settings(images=ImageLimits(max_bytes=MAX_IMAGE_BYTES))
    with lookalike.open(place, create=False, local_files=False, settings=settings) as shop:
        yield TestClient(create_app(shop, LIMITS), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def served(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service of the drawn shop, for tests that only read it. (Its searches are logged, so it is a copy.)"""
    with serving(Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("served") / "served.db"))) as client:
        yield client


@pytest.fixture
def own(drawn_place: Path, tmp_path: Path) -> Iterator[TestClient]:
    """The service of a copy of the drawn shop, for tests that write."""
    with serving(Path(shutil.copy(drawn_place, tmp_path / "own.db"))) as client:
        yield client


@pytest.fixture(scope="session")
def photo(drawn_source: Path) -> bytes:
    """A picture of product D00001."""
    return (drawn_source.parent / "images/D00001-1.jpg").read_bytes()
