"""Requests made of a shop's own products: no two alike, so that nothing is answered from memory.

A file of requests has one a line: `G`, tab, path; or `P`, tab, photo, tab, offset, tab, byte: a multipart POST of the photo
with that byte replaced. The byte is an entry of the JPEG's quantization table: the pixels change with it. (Vectors of query
pictures are remembered by their pixels: a byte in a comment would make another file, and the same picture.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
from PIL import Image

import lookalike

SIZE_PX = (600, 800)
ENTRIES = range(1, 21)
"""Entries of the quantization table that are varied: low frequencies, which every photo has."""
STEPS = (1, 2, 3)
LIMITS = range(10, 30)
"""Pages of so many are asked for: another limit is another question."""
SHARES = {"similar": 0.60, "text": 0.25, "filtered": 0.10, "image": 0.05}
"""What people do, roughly: the mix."""
FACETS = ("brand", "category", "color", "colour", "gender", "season")
BOUNDARY = "----lookalike-benchmark"
WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Photo:
    """A JPEG file; `table` is where its first quantization table begins."""

    path: Path
    data: bytes
    table: int


@dataclass(frozen=True, slots=True)
class Material:
    """What requests are made of."""

    ids: Sequence[str]
    titles: Sequence[Sequence[str]]
    """Words of each title that has some."""
    brands: Sequence[str]
    prices: Sequence[float]
    facets: Sequence[str]
    photos: Sequence[Photo]
    seed: int = 0

    @classmethod
    def of(cls, place: Path, folder: Path, photos: int, seed: int = 0) -> Material:
        """Read a shop, and make photos of its pictures in a folder."""
        rng = np.random.default_rng(seed)
        with lookalike.open(place, create=False) as shop:
            products = list(shop.get(shop.select("id exists")).values())
            pictures = (shop.picture(products[row]) for row in rng.permutation(len(products)))
            made = [
                _photo(data, folder / f"{number}.jpg", rng)
                for number, data in enumerate(islice(filter(None, pictures), photos))
            ]
            facets = [name for name in FACETS if name in shop.columns]
        titles = [words for product in products if (words := WORD.findall(product.title))]
        prices = [product.price for product in products if product.price is not None]
        return cls(
            ids=[product.id for product in products],
            titles=titles,
            brands=sorted({product.brand for product in products if product.brand}),
            prices=sorted(np.quantile(prices, np.linspace(0.1, 0.9, 17)).round(2).tolist()) if prices else [],
            facets=facets,
            photos=made,
            seed=seed,
        )

    def requests(self, kind: str, count: int) -> list[str]:
        """Return at most `count` different requests of a kind: similar, text, filtered, image or mix."""
        if kind == "mix":
            return self._mixed(count)
        ways: dict[str, Callable[[np.random.Generator], Iterator[str]]] = {
            "similar": self._similar,
            "text": self._text,
            "filtered": self._filtered,
            "image": self._images,
        }
        return list(islice(ways[kind](np.random.default_rng([self.seed, len(kind)])), count))

    def _mixed(self, count: int) -> list[str]:
        rng = np.random.default_rng([self.seed, 99])
        enough = {kind: int(1.2 * count * share) + 20 for kind, share in SHARES.items()}  # they are drawn
        some = {kind: iter(self.requests(kind, enough[kind])) for kind in SHARES}
        kinds = rng.choice(list(SHARES), count, p=list(SHARES.values()))
        found = (next(some[kind], None) for kind in kinds)
        return [line for line in found if line is not None]

    def _similar(self, rng: np.random.Generator) -> Iterator[str]:
        for limit in LIMITS:
            for row in rng.permutation(len(self.ids)):
                yield f"G\t/v1/products/{quote(self.ids[row], safe='')}/similar?limit={limit}"

    def _text(self, rng: np.random.Generator) -> Iterator[str]:
        return (f"G\t/v1/search/text?{urlencode({'q': phrase})}" for phrase in self.phrases(rng))

    def _filtered(self, rng: np.random.Generator) -> Iterator[str]:
        """Ask with filters that come again, as people's do, and all facets there are."""
        for number, phrase in enumerate(self.phrases(np.random.default_rng([self.seed, 7]))):
            asked: list[tuple[str, object]] = [("q", phrase), *(("facets", name) for name in self.facets)]
            if self.prices:
                asked.append(("price_max", rng.choice(self.prices)))
            if self.brands and number % 2:
                asked.append(("brand", rng.choice(self.brands)))
            yield f"G\t/v1/search/text?{urlencode(asked)}"

    def _images(self, rng: np.random.Generator) -> Iterator[str]:
        for step in STEPS:
            for entry in rng.permutation(ENTRIES):
                for photo in self.photos:
                    at = photo.table + int(entry)
                    yield f"P\t{photo.path}\t{at}\t{min(photo.data[at] + step, 255)}"

    def phrases(self, rng: np.random.Generator) -> Iterator[str]:
        """Recombine words of titles, two or three of one and one of another; none comes twice."""
        seen: set[str] = set()
        vain = 0
        while vain < 1000 and self.titles:
            one, other = (self.titles[int(row)] for row in rng.integers(len(self.titles), size=2))
            chosen = rng.permutation(len(one))[: rng.integers(2, 4)]
            phrase = " ".join(
                [*(one[row] for row in sorted(chosen)), other[int(rng.integers(len(other)))]]
            ).lower()
            vain += phrase in seen
            if phrase not in seen:
                seen.add(phrase)
                yield phrase


def raw(line: str, photos: dict[str, bytes], host: str) -> bytes:
    """Return a request as it goes over the connection; `photos` remembers files that were read."""
    kind, rest = line.split("\t", 1)
    if kind == "G":
        return f"GET {rest} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    name, offset, byte = rest.split("\t")
    if name not in photos:
        photos[name] = Path(name).read_bytes()
    data, at = photos[name], int(offset)
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body += data[:at] + bytes([int(byte)]) + data[at + 1 :] + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST /v1/search/image HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _photo(thumbnail: bytes, path: Path, rng: np.random.Generator) -> Photo:
    """Make a photo of a product's small picture: scaled up, with noise as of a camera."""
    with Image.open(BytesIO(thumbnail)) as small:
        large = small.convert("RGB").resize(SIZE_PX, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (SIZE_PX[1] // 2, SIZE_PX[0] // 2, 1)).repeat(2, 0).repeat(2, 1)
    noisy = np.clip(np.asarray(large, np.float32) + noise, 0, 255).astype(np.uint8)
    with path.open("wb") as file:
        Image.fromarray(noisy).save(file, "JPEG", quality=85)
    data = path.read_bytes()
    return Photo(path, data, data.index(b"\xff\xdb") + 5)
