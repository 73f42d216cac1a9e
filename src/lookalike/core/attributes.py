"""The attribute space: brand, category, price and every telling attribute as one vector, learned from the catalogue.

A vector is a row of blocks, one per field, so that a similarity is a sum of the fields' parts and can be explained.

- A *word* value (brand, colour, a category path with all its prefixes, a list) is half identity, half company: the identity
  tells it from every other value; the company places it near values that occur with the same other values and with
  products that look and read alike (navy near blue), by a truncated SVD of their mean image vector, mean title vector and
  co-occurrences.
- A *number* (price on a log scale) becomes sines and cosines of its place in the catalogue's range: near prices are alike.
- A field weighs as much as it agrees between a product and its look-alikes and read-alikes, beyond what chance gives, and
  what people expect of it (`EXPECTED`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.columns import Columns
from lookalike.core.types import Keys, Vectors
from lookalike.core.words import DIGITS_OF_A_NUMBER

Floats = NDArray[np.float32]

FIELDS_AT_MOST = 12
COMPANY_DIM = 8
IDENTITY_DIM = 32
WAVES = (1.0, 2.0, 4.0)
SPREAD = 2.5
"""Numbers are placed within so many standard deviations of the mean; what is further out counts as that far."""
NUMBER_DIM = 2 * len(WAVES)
WORDS_AT_MOST = 5000
"""Distinct values per field that get a learned place; rarer ones have only their identity."""
LEAST_COVERAGE = 0.05
EXPECTED = {"category": 0.2, "price": 0.05, "brand": 0.05}
"""What people mean by a similar product before any catalogue is seen: added to what a field is found to weigh."""
NEIGHBOURS_WEIGHED = 5
_SKIPPED = frozenset(
    ["id", "family", "currency", "availability", "popularity", "rating", "conversion_rate", "added"]
)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One block: `words` -> rows of `company` float32 [words, COMPANY_DIM], or a number's `mean` and `spread`."""

    name: str
    weight: float
    words: Mapping[str, int] | None = None
    company: Floats | None = None
    log: bool = False
    mean: float = 0.0
    spread: float = 1.0

    @property
    def dim(self) -> int:
        """Width of the block."""
        return NUMBER_DIM if self.words is None else COMPANY_DIM + IDENTITY_DIM

    def block(self, columns: Columns, keys: Keys) -> Floats:
        """Return the field's part of the products' vectors, float32 [n, dim], rows of length 1 or 0 (unknown)."""
        if self.words is None:
            return self._waves(columns.numbers(self.name, keys))
        codes = columns.codes(self.name, keys)
        distinct, which = np.unique(codes, return_inverse=True)
        rows = [self._words(tokens(value)) for value in columns.values(self.name, distinct.tolist())]
        return np.asarray(np.array(rows, np.float32).reshape(len(distinct), self.dim)[which])

    def _waves(self, numbers: NDArray[np.float64]) -> Floats:
        place = np.log(np.maximum(numbers, 1e-9)) if self.log else numbers
        angle = np.clip((place - self.mean) / self.spread, -SPREAD, SPREAD) / (2 * SPREAD) * (np.pi / 2)
        waves = [wave(angle * f) for f in WAVES for wave in (np.cos, np.sin)]
        return np.asarray(np.nan_to_num(np.stack(waves, axis=1) / np.sqrt(len(WAVES))), np.float32)

    def _words(self, words: Sequence[str]) -> Floats:
        total = np.zeros(self.dim, np.float32)
        for word in words:
            row = -1 if self.words is None else self.words.get(word, -1)
            if row >= 0 and self.company is not None:
                total[:COMPANY_DIM] += self.company[row]
            total[COMPANY_DIM:] += _identity(self.name, word, row)
        return np.asarray(_unit(total[None])[0])


def tokens(value: tuple[Any, ...]) -> list[str]:
    """Split a column's value into words: a path into all its prefixes, a list into its elements."""
    words: dict[str, None] = {}
    for scalar in value:
        parts = str(scalar).split("/")
        words |= dict.fromkeys("/".join(parts[: i + 1]) for i in range(len(parts)))
    return list(words)


def _identity(field: str, word: str, row: int) -> Floats:
    """Return a unit vector: an axis of its own for the most frequent words, a seeded random direction for others."""
    if 0 <= row < IDENTITY_DIM:
        return np.asarray(np.eye(IDENTITY_DIM, dtype=np.float32)[row])
    seed = int.from_bytes(blake2b(f"{field}\0{word}".encode(), digest_size=8).digest(), "big")
    direction = np.random.default_rng(seed).standard_normal((1, IDENTITY_DIM))
    return np.asarray(_unit(direction.astype(np.float32))[0])


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 1e-9, lengths, 1.0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class AttributeModel:
    """The learned fields, the weightiest first."""

    fields: tuple[Field, ...]

    @property
    def dim(self) -> int:
        """Width of the attribute space."""
        return sum(field.dim for field in self.fields)

    def vectors(self, columns: Columns, keys: Keys) -> tuple[Keys, Vectors]:
        """Return unit vectors float32 [m, dim] of those products that have any of the fields, with their keys [m]."""
        if not self.fields or not len(keys):
            return keys[:0], np.zeros((0, self.dim), np.float32)
        blocks = [np.sqrt(field.weight) * field.block(columns, keys) for field in self.fields]
        rows = np.concatenate(blocks, axis=1).astype(np.float32)
        known = np.flatnonzero(np.abs(rows).max(axis=1) > 1e-6)
        return keys[known], _unit(rows[known])

    def shares(self, query: Floats, product: Floats) -> dict[str, float]:
        """Split the similarity of two vectors into the fields' parts, which add up to it."""
        if not self.fields:
            return {}
        widths = [field.dim for field in self.fields]
        parts = np.add.reduceat(query * product, [0, *accumulate(widths[:-1])], dtype=np.float64)
        return dict(zip((field.name for field in self.fields), parts.tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """Write as an uncompressed NumPy archive (no pickle): equal models give equal bytes."""
        arrays = {f"company{i}": f.company for i, f in enumerate(self.fields) if f.company is not None}
        head = [
            {
                "name": f.name,
                "weight": f.weight,
                "words": None if f.words is None else list(f.words),
                "log": f.log,
                "mean": f.mean,
                "spread": f.spread,
            }
            for f in self.fields
        ]
        text = np.frombuffer(json.dumps(head).encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, head=text, **arrays)  # type: ignore[arg-type]  # mypy takes ** for allow_pickle
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> AttributeModel:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            head = json.loads(archive["head"].tobytes())
            company = {i: archive[f"company{i}"] for i, f in enumerate(head) if f["words"] is not None}
        fields = []
        for i, f in enumerate(head):
            words = None if f["words"] is None else {word: row for row, word in enumerate(f["words"])}
            fields.append(Field(**{**f, "words": words, "company": company.get(i)}))
        return cls(tuple(fields))


NO_ATTRIBUTES = AttributeModel(())


# --- learning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a model is learned from: product keys [n], and per view (image, title) a vector of each, float32 [n, dim].

    A product without a vector in a view has a zero row. `families` int32 [n] numbers the families, 0 for none.
    """

    keys: Keys
    views: tuple[Vectors, ...]
    families: NDArray[np.int32]


def learn(columns: Columns, sample: Sample) -> AttributeModel:
    """Learn the model; deterministic. Too few products (under 8) give a model without fields."""
    if len(sample.keys) < 8:
        return NO_ATTRIBUTES
    names = [name for name in columns.types() if name not in _SKIPPED]
    token_lists = {name: _token_lists(columns, name, sample.keys) for name in names}
    fields = []
    for name in names:
        if float in columns.types()[name]:
            field = _learn_number(columns, name, sample.keys)
        else:
            field = _learn_words(name, token_lists, sample)
        if field is not None and (weight := _agreement(field, columns, sample)) > 0.01:
            fields.append((weight, field))
    fields.sort(key=lambda pair: (-pair[0], pair[1].name))
    kept = fields[:FIELDS_AT_MOST]
    total = sum(weight for weight, _ in kept)
    return AttributeModel(tuple(_weighted(field, weight / total) for weight, field in kept))


def _weighted(field: Field, weight: float) -> Field:
    return Field(field.name, weight, field.words, field.company, field.log, field.mean, field.spread)


def _token_lists(columns: Columns, name: str, keys: Keys) -> list[list[str]]:
    codes = columns.codes(name, keys)
    distinct, which = np.unique(codes, return_inverse=True)
    lists = [tokens(value) for value in columns.values(name, distinct.tolist())]
    return [lists[i] for i in which]


def _learn_number(columns: Columns, name: str, keys: Keys) -> Field | None:
    numbers = columns.numbers(name, keys)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < LEAST_COVERAGE * len(keys) or (name not in EXPECTED and _are_codes(numbers)):
        return None
    log = bool((numbers > 0).all())
    places = np.log(numbers) if log else numbers
    spread = float(places.std())
    return Field(name, 1.0, log=log, mean=float(places.mean()), spread=spread) if spread > 1e-9 else None


def _are_codes(numbers: NDArray[np.float64]) -> bool:
    """Say whether numbers are barcodes, article numbers or the like: whole, long, and hardly any of them twice.

    They tell products apart and measure nothing: two that are near are no more alike than any.
    """
    long = (np.abs(numbers) >= 10 ** (DIGITS_OF_A_NUMBER - 1)) & (numbers == np.floor(numbers))
    return bool(long.mean() > 0.5) and len(np.unique(numbers)) > 0.5 * len(numbers)


def _learn_words(name: str, token_lists: Mapping[str, list[list[str]]], sample: Sample) -> Field | None:
    lists = token_lists[name]
    members: dict[str, list[int]] = {}
    for position, words in enumerate(lists):
        for word in words:
            members.setdefault(word, []).append(position)
    covered = sum(1 for words in lists if words)
    if covered < LEAST_COVERAGE * len(lists) or len(members) < 2:
        return None  # hardly ever there, or always the same
    if len(members) > 0.5 * covered + 8 and name not in EXPECTED:
        return None  # nearly a name of its own for each product
    ranked = sorted(members, key=lambda word: (-len(members[word]), word))[:WORDS_AT_MOST]
    company = _company([members[word] for word in ranked], name, token_lists, sample)
    return Field(name, 1.0, {word: row for row, word in enumerate(ranked)}, company)


def _company(
    members: list[list[int]], name: str, token_lists: Mapping[str, list[list[str]]], sample: Sample
) -> Floats:
    """Place words by the company they keep: float32 [words, COMPANY_DIM], rows of length 1 or 0."""
    seen = [*sample.views, *(_indicator(lists) for other, lists in token_lists.items() if other != name)]
    # Scaled by how far the products lie apart, what tells the words apart counts and what does not stays small.
    scaled = [_means(rows, members) / scale for rows in seen if (scale := _scatter(rows)) > 1e-9]
    if not scaled:
        return np.zeros((len(members), COMPANY_DIM), np.float32)
    left, strength, _ = np.linalg.svd(np.concatenate(scaled, axis=1), full_matrices=False)
    width = min(COMPANY_DIM, left.shape[1])
    placed = np.zeros((len(members), COMPANY_DIM), np.float32)
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])  # SVD leaves signs open
    placed[:, :width] = (left * signs * strength)[:, :width]
    return _unit(placed)


def _means(rows: NDArray[Any], members: list[list[int]]) -> NDArray[np.float64]:
    """Return each word's mean row beyond the overall mean, drawn towards it where members are few."""
    overall = rows.mean(axis=0, dtype=np.float64)
    means = np.array([rows[m].mean(axis=0, dtype=np.float64) - overall for m in members])
    counts = np.array([len(m) for m in members], np.float64)[:, None]
    return np.asarray(means * counts / (counts + 5.0), np.float64)


def _scatter(rows: NDArray[Any]) -> float:
    """Return the root mean square distance of the rows from their mean."""
    return float(np.sqrt(rows.var(axis=0, dtype=np.float64).sum()))


def _indicator(lists: list[list[str]], at_most: int = 64) -> Floats:
    """Return which of a field's most frequent words each product has: float32 [n, words]."""
    count: dict[str, int] = {}
    for words in lists:
        for word in words:
            count[word] = count.get(word, 0) + 1
    ranked = sorted(count, key=lambda word: (-count[word], word))[:at_most]
    column = {word: i for i, word in enumerate(ranked)}
    indicator = np.zeros((len(lists), len(column)), np.float32)
    for position, words in enumerate(lists):
        for word in words:
            if word in column:
                indicator[position, column[word]] = 1.0
    return indicator


def _agreement(field: Field, columns: Columns, sample: Sample) -> float:
    """Return what a field weighs: how much it agrees between neighbours beyond chance, times how often it is known."""
    block = field.block(columns, sample.keys)
    known = np.abs(block).max(axis=1) > 1e-6
    by_chance = _mean_of_pairs(block[known])
    if by_chance >= 1.0 - 1e-3:
        return 0.0
    gains = [
        max(0.0, _mean_similarity(block, known, _neighbours(view, sample.families)) - by_chance)
        / (1.0 - by_chance)
        for view in sample.views
        if view.any()
    ]
    # A field that the looks and titles say nothing of (a sale flag) keeps a small say through its coverage alone.
    found = max(0.02, float(np.mean(gains)) if gains else 0.0)
    return (EXPECTED.get(field.name, 0.0) + found) * float(known.mean())


def _mean_of_pairs(rows: Floats) -> float:
    """Return the mean similarity of all pairs of different rows of length 1; 1 if there are none."""
    count, total = len(rows), rows.sum(axis=0, dtype=np.float64)
    return float((total @ total - count) / (count * (count - 1))) if count > 1 else 1.0


def _mean_similarity(block: Floats, known: NDArray[np.bool_], others: NDArray[np.int64]) -> float:
    both = known[:, None] & known[others]
    similarities = np.einsum("nd,nmd->nm", block, block[others])
    return float(similarities[both].mean()) if both.any() else 0.0


def _neighbours(view: Vectors, families: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the nearest rows outside each row's family, int64 [n, NEIGHBOURS_WEIGHED].

    Variants of one thing share all but their colour or size, and would make those look like noise.
    """
    count = min(NEIGHBOURS_WEIGHED, len(view) - 1)
    similarities = view @ view.T
    similarities[(families[:, None] == families) & (families > 0)] = -np.inf
    np.fill_diagonal(similarities, -np.inf)
    return np.argpartition(-similarities, count - 1, axis=1)[:, :count]
