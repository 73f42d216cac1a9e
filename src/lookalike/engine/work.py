"""One product on its way into the catalogue, and what is left to do for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


@dataclass(slots=True)
class Work:
    """`missing` are the contents, by (space, hash), without an embedding; `pixels` those of them that are decoded pictures.

    `number` and `place` are those of the row, for what goes wrong later.
    """

    product: Product
    number: int
    place: str
    known: Known | None
    source_hash: str = ""
    missing: list[tuple[str, str]] = field(default_factory=list)
    pixels: dict[str, Pixels] = field(default_factory=dict)
    thumbnails: list[Thumbnail] = field(default_factory=list)
    failed_images: int = 0

    @property
    def texts(self) -> dict[tuple[str, str], str]:
        """Return the texts to embed, by (space, hash)."""
        said = {TITLE: self.product.title, DESCRIPTION: self.product.description}
        return {(space, digest): said[space] for space, digest in self.missing if space in said}

    def recall_images(self) -> None:
        """Take over the content hashes of URLs the catalogue has fetched before: an unchanged URL is not fetched again."""
        held = {image.ref: image.content_hash for image in self.known.images} if self.known else {}
        self.product = replace(
            self.product,
            images=tuple(
                replace(image, content_hash=held.get(image.ref))
                if image.content_hash is None and is_url(image.ref)
                else image
                for image in self.product.images
            ),
        )

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

    def plan(self, embedded: frozenset[tuple[str, str]]) -> None:
        """Note the contents that have no embedding yet."""
        wanted = ((space, digest) for space, hashes in contents(self.product).items() for digest in hashes)
        self.missing = [content for content in wanted if content not in embedded]

    def drop_image(self, ref: str) -> None:
        """Keep a picture that could not be used by its reference alone."""
        self.failed_images += 1
        images = tuple(ImageRef(i.ref) if i.ref == ref else i for i in self.product.images)
        self.product = replace(self.product, images=images)

    def record(self, embeddings: Sequence[Embedding], signature: str) -> Record:
        """Return what to write; a product with a failed picture is marked so that the next run looks at it again."""
        images = tuple(ImageRef(i.ref, i.content_hash) for i in self.product.images)
        return Record(
            replace(self.product, images=images),
            self.source_hash,
            "" if self.failed_images else signature,
            tuple(embeddings),
            tuple(self.thumbnails),
        )


def is_url(ref: str) -> bool:
    """Say whether a reference is fetched over the network."""
    return ref.lower().startswith(("http://", "https://"))


def signature_of(fingerprints: Mapping[str, str]) -> str:
    """Return the encoders of all spaces as one string, for `Record.embedded`."""
    return ";".join(f"{space}={fingerprint}" for space, fingerprint in fingerprints.items())


def parts(works: Sequence[Work], most_images: int) -> Iterator[list[Work]]:
    """Split works so that each part has at most so many pictures to decode (or a single product)."""
    part: list[Work] = []
    images = 0
    for work in works:
        own = sum(space == IMAGE for space, _ in work.missing)
        if part and images + own > most_images:
            yield part
            part, images = [], 0
        part.append(work)
        images += own
    if part:
        yield part
