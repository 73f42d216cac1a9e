"""The nouns of the catalogue and the index, and the shapes of the arrays between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""One decoded picture: uint8 [height, width, 3], RGB."""
Vectors = NDArray[np.float32]
"""Embeddings: float32 [n, dim], every row of length 1."""
Keys = NDArray[np.int64]
"""Product keys: int64 [n]. A key is a small whole number the catalogue gives a product id once, for ever."""
Similarities = NDArray[np.float32]
"""Inner products in [-1, 1], higher is closer; NaN where a product has no vector in the space, or none of the words."""
Mask = NDArray[np.bool_]
"""bool [n], indexed by product key."""

Value = bool | int | float | str | datetime | tuple[str, ...]
"""What an attribute can hold. Dates are timezone-aware UTC; lists are tuples of strings."""

IMAGE, TITLE, DESCRIPTION, ATTRIBUTES = "image", "title", "description", "attributes"
WORDS = "words"
SPACES = (IMAGE, TITLE, DESCRIPTION, ATTRIBUTES, WORDS)
"""The spaces a product is compared in. The first three are embedded; attributes are derived from columns; words are its texts
as they are written, compared without vectors."""


def content_hash(data: bytes | str) -> str:
    """Hash what an embedding is made from: 128-bit BLAKE2b, 32 hex digits."""
    raw = data.encode() if isinstance(data, str) else data
    return blake2b(raw, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where one picture of a product comes from.

    `ref` is a path, an http(s) URL, or `bytes:<hash>` for a picture that came inside its row; `content_hash` is that of the
    undecoded bytes, None until they were seen. `data` holds those bytes on their way in and is never stored.
    """

    ref: str
    content_hash: str | None = None
    data: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Product:
    """One thing a shop sells. Everything but `id` may be missing; what has no field of its own is an attribute."""

    id: str
    family: str | None = None
    title: str = ""
    description: str = ""
    price: float | None = None
    currency: str | None = None
    brand: str | None = None
    categories: tuple[str, ...] = ()
    """Category paths, levels separated by "/", the main one first. Filters call this field `category`."""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    images: tuple[ImageRef, ...] = ()
    availability: bool | None = None
    popularity: float | None = None
    """Any number >= 0; more is more popular."""
    rating: float | None = None
    """Mean rating, 0 to 5."""
    conversion_rate: float | None = None
    """Share of views that end in a purchase, 0 to 1."""
    added: datetime | None = None
    """When the shop began to sell it (UTC)."""
    active: bool = True
    """An inactive product stays in the catalogue and is never found."""


def contents(product: Product) -> dict[str, tuple[str, ...]]:
    """Say, per embedded space, which contents (by hash) make up a product: what must be embedded, and nothing else."""
    hashes = dict.fromkeys(image.content_hash for image in product.images if image.content_hash)
    return {
        IMAGE: tuple(hashes),
        TITLE: (content_hash(product.title),) if product.title else (),
        DESCRIPTION: (content_hash(product.description),) if product.description else (),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """One vector of one content of a product: `vector` is float32 [dim], of length 1."""

    space: str
    fingerprint: str
    content_hash: str
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small JPEG (or the original, if it was small) of the picture with this content hash."""

    content_hash: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """One product as it is written: its fields, and the embeddings made for it just now.

    `source_hash` stands for everything the source said of it; "" makes the next run look at the product again.
    `embedded` is the signature of the encoders its embeddings are complete for; "" while any is missing.
    `read_seq` says what it was made from: the product as it was at that sequence number, 0 for one that was not there. It is
    left unwritten if that is no longer so. None writes it over whatever there is.
    """

    product: Product
    source_hash: str = ""
    embedded: str = ""
    embeddings: tuple[Embedding, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()
    read_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalogue already holds of a product, enough to decide what is left to do.

    `seq` is the sequence number at which it last changed: `Record.read_seq` of what is made from it.
    """

    key: int
    source_hash: str
    embedded: str
    images: tuple[ImageRef, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change sequence: the product as it is now, or None if it was deleted.

    `content_seq` is the sequence number at which its embeddings last changed: a price change leaves it behind.
    """

    seq: int
    key: int
    id: str
    product: Product | None
    content_seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Allowed:
    """Which products a filter lets through: `mask` bool [capacity] by product key, and how many are True."""

    mask: Mask
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The nearest products of a batch of queries, best first; rows are padded with key -1, similarity -inf.

    keys int64 [queries, pool]; similarities float32 [queries, pool]. A product appears once per query, by its best vector.
    """

    keys: Keys
    similarities: Similarities
