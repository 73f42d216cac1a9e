"""One product on its way into the catalogue, and what is left to do for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lookalike.core.types import (
    DESCRIPTION,
    IMAGE,
    TITLE,
    Embedding,
    ImageRef,
    Known,
    Pixels,
    Product,
    Record,
    Thumbnail,
    content_hash,
    contents,
)
from lookalike.engine.encoders import signature_of

WORTH_KEEPING_BYTES = 16_000
"""Up to so many bytes, holding a picture until its product is written costs less than making a product without it."""


@dataclass(slots=True)
class Work:
    """`missing` are the contents, by (space, hash), without an embedding; `pixels` those of them that are decoded pictures.
    `missing_beside` are those that a second generation of vectors lacks.
    `unseen` are the pictures to decode: those of them, and without an encoder that sees those that are new here. Those that
    only a second generation lacks are `only_beside`: what is searched does without decoding them.

    `number` and `place` are those of the row, for what goes wrong later; `is_reported` says that pictures which cannot be
    used were reported before.
    """

    product: Product
    number: int
    place: str
    known: Known | None
    is_reported: bool = False
    source_hash: str = ""
    missing: list[tuple[str, str]] = field(default_factory=list)
    missing_beside: list[tuple[str, str]] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    only_beside: set[str] = field(default_factory=set)
    pixels: dict[str, Pixels] = field(default_factory=dict)
    thumbnails: list[Thumbnail] = field(default_factory=list)
    failed_images: int = 0

    @property
    def texts(self) -> dict[tuple[str, str], str]:
        """Return the texts to embed, by (space, hash)."""
        said = {TITLE: self.product.title, DESCRIPTION: self.product.description}
        wanted = (*self.missing, *self.missing_beside)
        return {(space, digest): said[space] for space, digest in wanted if space in said}

    def recall_images(self) -> None:
        """Take over the content hashes of URLs the catalogue has fetched before: an unchanged URL is not fetched again."""
        if self.known is None or not any(is_url(image.ref) for image in self.product.images):
            return
        held = {image.ref: image.content_hash for image in self.known.images if is_url(image.ref)}
        images = [ImageRef(i.ref, i.content_hash or held.get(i.ref), i.data) for i in self.product.images]
        self.product = replace(self.product, images=tuple(images))

    def settle(self) -> None:
        """Fix the hash of everything the source says of the product, once all its pictures have hashes."""
        p = self.product
        said = (
            *(p.id, p.family, p.title, p.description, p.price, p.currency, p.brand, p.categories),
            sorted(p.attributes.items()),
            [(image.ref, image.content_hash) for image in p.images],
            *(p.availability, p.popularity, p.rating, p.conversion_rate, p.added, p.active),
        )
        self.source_hash = content_hash(repr(said))

    def is_done(self, signature: str) -> bool:
        """Say whether the catalogue already holds exactly this, embedded by these encoders."""
        known = self.known
        return known is not None and known.source_hash == self.source_hash and known.embedded == signature

    def plan(self, embedded: frozenset[tuple[str, str]], spaces: Collection[str]) -> None:
        """Note the contents that have no embedding yet in the spaces that are embedded, and the pictures to decode."""
        self.missing = [content for content in self._wanted(spaces) if content not in embedded]
        self.unseen = {digest for space, digest in self.missing if space == IMAGE}
        if IMAGE not in spaces:
            seen = {image.content_hash for image in self.known.images} if self.known else set()
            self.unseen = set(contents(self.product)[IMAGE]) - seen

    def plan_beside(self, embedded: frozenset[tuple[str, str]], spaces: Collection[str]) -> None:
        """Note the contents that have no embedding of the second generation yet, in the spaces where it has its own."""
        self.missing_beside = [content for content in self._wanted(spaces) if content not in embedded]
        self.only_beside = {digest for space, digest in self.missing_beside if space == IMAGE} - self.unseen
        self.unseen |= self.only_beside

    def _wanted(self, spaces: Collection[str]) -> list[tuple[str, str]]:
        wanted = contents(self.product)
        return [(space, digest) for space in wanted if space in spaces for digest in wanted[space]]

    def strip_images(self, failed: Collection[str | None]) -> None:
        """Let go of large undecoded bytes, and of the hashes of pictures that could not be used."""
        if not failed and all(len(i.data or b"") <= WORTH_KEEPING_BYTES for i in self.product.images):
            return
        images = [
            ImageRef(i.ref, None if i.content_hash in failed else i.content_hash) for i in self.product.images
        ]
        self.product = replace(self.product, images=tuple(images))

    def record(self, embeddings: Sequence[Embedding], fingerprints: Mapping[str, str]) -> Record:
        """Return what to write; a product with a failed picture is marked so that the next run looks at it again.

        If it counts on embeddings the catalogue holds, it may be written only while it still holds them; if it brings all of
        its own, whatever there is.
        """
        made = {
            (each.space, each.content_hash)
            for each in embeddings
            if each.fingerprint == fingerprints.get(each.space)
        }
        counts_on_held = set(self._wanted(fingerprints)) - made
        return Record(
            self.product,
            self.source_hash,
            "" if self.failed_images else signature_of(fingerprints),
            tuple(embeddings),
            tuple(self.thumbnails),
            self.known.seq if self.known and counts_on_held else None,
        )


def is_url(ref: str) -> bool:
    """Say whether a reference is fetched over the network."""
    return ref.lower().startswith(("http://", "https://"))


def to_get(work: Work) -> int:
    """Count the pictures whose bytes have to be got."""
    return sum(image.content_hash is None for image in work.product.images)


def to_decode(work: Work) -> int:
    """Count the pictures to decode."""
    return len(work.unseen)


def parts(works: Sequence[Work], most_images: int, count: Callable[[Work], int]) -> Iterator[list[Work]]:
    """Split works so that each part has at most so many pictures, as counted by `count` (or is a single product)."""
    part: list[Work] = []
    images = 0
    for work in works:
        own = count(work)
        if part and images + own > most_images:
            yield part
            part, images = [], 0
        part.append(work)
        images += own
    if part:
        yield part
