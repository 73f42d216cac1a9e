"""What a query looks for: each part, in each space it can be looked for in, as vectors or as words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.core.errors import QueryError, VectorError
from lookalike.core.fusion import Calibration, space_weights
from lookalike.core.ports import Catalog, Encoder
from lookalike.core.query import ImagePart, Part, ProductPart, Query, TextPart, VectorPart
from lookalike.core.types import IMAGE, WORDS, Keys, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.engine.encoders import EMBEDDED
from lookalike.engine.indexing import View

Encoded = Mapping[tuple[int, str], Vectors]
"""By the number of a part and who encoded it (fingerprint): float32 [1, dim]."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One part in one space.

    `looks_for` is float32 [m, dim], and a product is as similar as to the nearest of them; or, in the space of words, a phrase.
    """

    part: int
    part_weight: float
    space: str
    weight: float
    looks_for: Vectors | str
    calibration: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One query as probes, the keys of the products it names, which are no answers to it, and what to tell people.

    `view` is what the probes were made for, and all they may be compared with, whatever is learned meanwhile.
    """

    view: View
    probes: list[Probe]
    itself: Keys
    notes: tuple[str, ...] = ()


class ProbeMaker:
    """Turns the parts of a batch of queries into probes; pictures and phrases are encoded together, once."""

    def __init__(self, view: View, catalog: Catalog) -> None:
        self._view = view
        self._encoders = view.encoders
        self._catalog = catalog

    def __call__(self, queries: Sequence[Query]) -> list[Asked]:
        """Return what each query asks for."""
        parts = [part for query in queries for part in query.parts]
        encoded = self._encoded(parts)
        ids = [part.id for part in parts if isinstance(part, ProductPart)]
        keys = self._catalog.keys(ids) if ids else {}
        return [self._of_query(query, encoded, keys) for query in queries]

    def _encoded(self, parts: Sequence[Part]) -> Encoded:
        """Encode pictures, and phrases by each encoder that has a space they are looked for in."""
        encoded: dict[tuple[int, str], Vectors] = {}
        images = [part for part in parts if isinstance(part, ImagePart)]
        texts = [part for part in parts if isinstance(part, TextPart)]
        if images:
            encoder = self._eye()
            vectors = encoder.encode_images([part.pixels for part in images])
            encoded |= {(id(part), encoder.fingerprint): vectors[i : i + 1] for i, part in enumerate(images)}
        readers = {encoder.fingerprint: encoder for encoder in self._encoders.phrases.values()}
        for fingerprint, encoder in readers.items() if texts else ():
            vectors = encoder.encode_texts([part.text for part in texts])
            encoded |= {(id(part), fingerprint): vectors[i : i + 1] for i, part in enumerate(texts)}
        return encoded

    def _eye(self) -> Encoder:
        encoder = self._encoders.by_space.get(IMAGE)
        if encoder is None:
            raise QueryError(
                f"this shop cannot be searched by picture: its encoder {self._encoders.main.name} reads and does not see",
                hint="Search by text or by product, or index the shop with an encoder that sees.",
            )
        return encoder

    def _of_query(self, query: Query, encoded: Encoded, keys: Mapping[str, int]) -> Asked:
        probes, notes = [], []
        if not self._encoders.phrases and any(isinstance(part, TextPart) for part in query.parts):
            notes.append(
                f"the encoder {self._encoders.main.name} does not read: texts were compared word by word only"
            )
        for number, part in enumerate(query.parts):
            wanted = self._looks_for(part, encoded, keys)
            if not self._comparable(wanted):
                notes.append(f"{part.name} was compared with nothing: no product has {self._wanted(wanted)}")
            if isinstance(part, TextPart) and query.weights is None and self._view.words.names(part.text):
                wanted = {WORDS: part.text}  # whoever types a code means that product, not what it resembles
            weights = space_weights(tuple(wanted), query.weights)
            probes += [
                Probe(number, part.weight, space, share, wanted[space], self._calibration(part, space))
                for space, share in weights.items()
            ]
        itself = [keys[part.id] for part in query.parts if isinstance(part, ProductPart)]
        return Asked(self._view, probes, np.array(itself, np.int64), tuple(notes))

    def _comparable(self, wanted: Mapping[str, Vectors | str]) -> bool:
        """Say whether any product has what a part can be compared with: vectors of a space, or some of its words."""
        if any(len(self._view.spaces[space]) for space in wanted if space != WORDS):
            return True
        phrase = wanted.get(WORDS)
        return isinstance(phrase, str) and bool(self._view.words.search(phrase, 1).keys[0, 0] >= 0)

    def _wanted(self, spaces: Iterable[str]) -> str:
        named = {IMAGE: "an image", WORDS: "any of its words"}
        words = " or ".join(named.get(space, f"a {space}") for space in spaces)
        only_texts = IMAGE not in spaces and len(self._view.spaces[IMAGE])
        return words + (
            f", and the encoder {self._encoders.main.name} cannot compare words with pictures"
            if only_texts
            else ""
        )

    def _looks_for(self, part: Part, encoded: Encoded, keys: Mapping[str, int]) -> dict[str, Vectors | str]:
        """Return what a part looks for in each space it can be looked for in."""
        match part:
            case ImagePart():
                return {IMAGE: encoded[id(part), self._eye().fingerprint]}
            case TextPart():
                spaces = self._encoders.phrases
                # A space that no product has vectors in would only take its share of the weight away.
                used = [space for space in spaces if len(self._view.spaces[space])]
                found: dict[str, Vectors | str] = {
                    space: encoded[id(part), spaces[space].fingerprint] for space in used or spaces
                }
                return found | {WORDS: part.text} if len(self._view.words) or not used else found
            case VectorPart():
                space = part.space or self._implied(part.vector.size)
                return {space: self._given(part, space)}
            case ProductPart():
                return {**self._of_product(part, keys)}

    def _implied(self, length: int) -> str:
        """Return the one space whose vectors are of a length; raise QueryError if that is none, or several."""
        fitting = [space for space, encoder in self._encoders.by_space.items() if encoder.dim == length]
        if len(fitting) != 1:
            raise QueryError(
                f"the space of a vector of {length} numbers is not clear: {' or '.join(fitting) or 'none fits'}",
                hint=f"Name its space: {self._lengths()}.",
            )
        return fitting[0]

    def _given(self, part: VectorPart, space: str) -> Vectors:
        index = self._view.spaces.get(space)
        if index is None:
            raise QueryError(f"no space {space!r}", hint=f"Spaces: {', '.join(self._view.spaces)}.")
        if space in EMBEDDED and space not in self._encoders.by_space:
            raise QueryError(
                f"nothing is embedded in the space {space!r}", hint=f"Spaces: {self._lengths()}."
            )
        vectors = np.atleast_2d(part.vector)
        if vectors.shape != (1, index.dim) and space in EMBEDDED:
            raise VectorError(
                f"the {space} vector of the query has shape {part.vector.shape}, expected [{index.dim}]",
                hint=f"Use the encoder of that space: {self._lengths()}.",
            )
        return unit_rows(vectors, index.dim, f"the {space} vector of the query")

    def _lengths(self) -> str:
        """Say which spaces are embedded, by whom, and how long their vectors are."""
        found = self._encoders.by_space.items()
        return ", ".join(f"{space} ({encoder.name}, {encoder.dim} numbers)" for space, encoder in found)

    def _of_product(self, part: ProductPart, keys: Mapping[str, int]) -> dict[str, Vectors]:
        if part.id not in keys:
            raise QueryError(
                f"no product {part.id!r} in the catalogue", hint="Check the id, or index it first."
            )
        key = np.array([keys[part.id]], np.int64)
        held = {space: index.get(key)[1] for space, index in self._view.spaces.items()}
        found = {space: vectors for space, vectors in held.items() if len(vectors)}
        if not found:
            raise QueryError(
                f"product {part.id!r} has nothing to compare: it is inactive, or has no image, title or attribute",
                hint="Give it one of them, or make it active.",
            )
        return found

    def _calibration(self, part: Part, space: str) -> Calibration:
        return self._view.calibration(f"{space}:text" if isinstance(part, TextPart) else space)
