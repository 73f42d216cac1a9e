"""What a query looks for: each part, in each space it can be looked for in, as vectors or as words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.core.errors import QueryError
from lookalike.core.fusion import Calibration, space_weights
from lookalike.core.ports import Catalog, Encoder
from lookalike.core.query import ImagePart, Part, ProductPart, Query, TextPart, VectorPart
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE, WORDS, Keys, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.engine.indexing import View


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

    def __init__(self, view: View, encoder: Encoder, catalog: Catalog) -> None:
        self._view = view
        self._encoder = encoder
        self._catalog = catalog

    def __call__(self, queries: Sequence[Query]) -> list[Asked]:
        """Return what each query asks for."""
        parts = [part for query in queries for part in query.parts]
        images = [part for part in parts if isinstance(part, ImagePart)]
        texts = [part for part in parts if isinstance(part, TextPart)]
        encoded: dict[int, Vectors] = {}
        if images:
            vectors = self._encoder.encode_images([part.pixels for part in images])
            encoded |= {id(part): vectors[i : i + 1] for i, part in enumerate(images)}
        if texts:
            vectors = self._encoder.encode_texts([part.text for part in texts])
            encoded |= {id(part): vectors[i : i + 1] for i, part in enumerate(texts)}
        ids = [part.id for part in parts if isinstance(part, ProductPart)]
        keys = self._catalog.keys(ids) if ids else {}
        return [self._of_query(query, encoded, keys) for query in queries]

    def _of_query(self, query: Query, encoded: Mapping[int, Vectors], keys: Mapping[str, int]) -> Asked:
        probes, notes = [], []
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
            f", and the encoder {self._encoder.name} cannot compare words with pictures" if only_texts else ""
        )

    def _looks_for(
        self, part: Part, encoded: Mapping[int, Vectors], keys: Mapping[str, int]
    ) -> dict[str, Vectors | str]:
        """Return what a part looks for in each space it can be looked for in."""
        match part:
            case ImagePart():
                return {IMAGE: encoded[id(part)]}
            case TextPart():
                spaces = (IMAGE, TITLE, DESCRIPTION) if self._encoder.aligned else (TITLE, DESCRIPTION)
                # A space that no product has vectors in would only take its share of the weight away.
                used = [space for space in spaces if len(self._view.spaces[space])] or spaces
                found: dict[str, Vectors | str] = {space: encoded[id(part)] for space in used}
                return found | {WORDS: part.text} if len(self._view.words) or used is spaces else found
            case VectorPart():
                return {part.space: self._given(part)}
            case ProductPart():
                return {**self._of_product(part, keys)}

    def _given(self, part: VectorPart) -> Vectors:
        index = self._view.spaces.get(part.space)
        if index is None:
            raise QueryError(f"no space {part.space!r}", hint=f"Spaces: {', '.join(self._view.spaces)}.")
        return unit_rows(np.atleast_2d(part.vector), index.dim, f"the {part.space} vector of the query")

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
