"""Work that others decide the size of: how many pictures are got at a time, how long an end takes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_shop import LetterEncoder
from PIL import Image

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.images_fetch import ImageFetcher
from lookalike.adapters.source_list import ListSource
from lookalike.core.errors import LookalikeError
from lookalike.core.images import ImageLimits
from lookalike.core.rows import columns_of, read_row, recognise
from lookalike.core.types import ImageRef, Vectors
from lookalike.engine.batching import BatchingEncoder, BatchLimits
from lookalike.engine.encoders import Encoders
from lookalike.engine.ingest import CHUNK_IMAGES, CHUNK_ROWS, Ingest

PATIENCE_S = 60.0


class Counted(ImageFetcher):
    """Notes how many pictures it is asked for at a time."""

    def load(self, refs: Iterable[ImageRef]) -> list[bytes | Exception]:
        refs = list(refs)
        self.loads = [*getattr(self, "loads", []), len(refs)]
        return super().load(refs)


def test_pictures_are_got_a_part_of_a_chunk_at_a_time(tmp_path: Path) -> None:
    rows = []
    for number in range(CHUNK_ROWS):
        Image.new("RGB", (20, 30), (number, 40, 90)).save(tmp_path / f"{number}.png")
        rows.append({"id": f"P{number}", "title": f"thing {number}", "image": f"{number}.png"})
    read = partial(read_row, columns=recognise(columns_of(rows), rows))
    catalog = MemoryCatalog()
    for loads in ([CHUNK_IMAGES] * (CHUNK_ROWS // CHUNK_IMAGES),) * 2:
        fetcher = Counted(tmp_path)
        ingest = Ingest(catalog, Encoders(LetterEncoder()), fetcher, pytest.fail, ImageLimits())
        assert ingest.run(ListSource(rows), read).images == CHUNK_ROWS
        assert fetcher.loads == loads


class Hanging:
    """Encodes nothing before `gate` is open."""

    name, fingerprint, dim, aligned = "hanging", "v1", 4, True
    sees, reads = True, True

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        return np.zeros((len(texts), self.dim), np.float32)

    def encode_images(self, images: Sequence[Any]) -> Vectors:
        return self.encode_texts([""] * len(images))


def test_closing_waits_no_longer_than_it_may() -> None:
    encoder = Hanging()
    batching = BatchingEncoder(encoder, BatchLimits(timeout_s=3 * PATIENCE_S))
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(batching.encode_texts, ["a"])
        assert encoder.entered.wait(PATIENCE_S)
        pool.submit(batching.close, 0.1).result(PATIENCE_S / 2)  # while the encoder hangs
        assert not waiting.done()
        with pytest.raises(LookalikeError, match="closed"):
            batching.encode_texts(["b"])
        encoder.gate.set()
        assert waiting.result(PATIENCE_S).shape == (1, 4)
