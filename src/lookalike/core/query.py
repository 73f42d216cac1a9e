"""The nouns of a search: what is asked, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lookalike.core.filters import Filter
from lookalike.core.types import Pixels, Product


@dataclass(frozen=True, slots=True, eq=False)
class ImagePart:
    """Products that look like this picture; `name` is how answers refer to it."""

    pixels: Pixels = field(repr=False)
    weight: float = 1.0
    name: str = "image"


@dataclass(frozen=True, slots=True)
class TextPart:
    """Products that fit this phrase."""

    text: str
    weight: float = 1.0

    @property
    def name(self) -> str:
        """How answers refer to this part."""
        return f'"{self.text}"'


@dataclass(frozen=True, slots=True)
class ProductPart:
    """Products like this one, which is itself left out."""

    id: str
    weight: float = 1.0

    @property
    def name(self) -> str:
        """How answers refer to this part."""
        return f"product {self.id}"


@dataclass(frozen=True, slots=True, eq=False)
class VectorPart:
    """Products near a vector of one space: float32 [dim], made unit length on the way in.

    Without a space, "", it is of the one whose vectors are as long.
    """

    space: str
    vector: NDArray[np.float32] = field(repr=False)
    weight: float = 1.0

    @property
    def name(self) -> str:
        """How answers refer to this part."""
        return f"{self.space} vector".strip()


Part = ImagePart | TextPart | ProductPart | VectorPart
Mode = Literal["mix", "any", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question to the shop.

    `mode` says how several positive parts combine: their weighted mean (mix), the best of them (any) or the worst (all).
    Parts with a negative weight push away. `weights` overrides how much each space counts. `rerank` names a profile or gives
    weights of signals. `diversity` trades relevance (0) for variety (1). `cursor` continues where a page ended.
    """

    parts: tuple[Part, ...]
    where: Filter | None = None
    k: int = 10
    mode: Mode = "mix"
    weights: Mapping[str, float] | None = None
    rerank: str | Mapping[str, float] = "relevance"
    diversity: float = 0.0
    group: bool = False
    """Show one product per family, the best."""
    max_per_category: int | None = None
    """At most so many of one main category per page of results; ignored inside a one-category filter."""
    facets: tuple[str, ...] = ()
    cursor: str | None = None
    explain: bool = True
    """Say what the score of each result is made of, which takes a part of the time."""


@dataclass(frozen=True, slots=True)
class Because:
    """One term of a score: `contribution` = `weight` x `value`; the terms of a hit add up to its score.

    `name` is a space ("image"), a field inside one ("attributes.brand") or a rank signal ("popularity"); `part` is the part
    of the query it speaks of, "" for rank signals. `similarity` is the raw inner product where there is one.
    """

    name: str
    part: str
    value: float
    weight: float
    contribution: float
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One product found: `score` is what it was ranked by, `because` its terms."""

    product: Product
    score: float
    because: tuple[Because, ...] = ()


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a field and how many products that satisfy the filter have it."""

    value: str | float | bool
    count: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one query.

    `matched` counts the products the filter lets through. `plan` is "exact" (every one of them could have been found),
    "ann" or "escalated". `took_ms` gives milliseconds per stage and "total". `cursor` asks for the next page, None at the end.
    `snapshot` names the state of the catalogue the answer was made from.
    """

    hits: tuple[Hit, ...]
    matched: int
    plan: str
    took_ms: Mapping[str, float]
    facets: Mapping[str, tuple[FacetValue, ...]]
    cursor: str | None
    snapshot: str
    notes: tuple[str, ...] = ()
    """Anything a person should know, such as a part of the query that no space could answer."""
