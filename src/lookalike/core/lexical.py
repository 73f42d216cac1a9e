"""How well the words of a phrase are found in a product: BM25, as a share of all that the phrase says.

    score(phrase, product) = sum of idf(slot) x found(slot, product)  /  sum of idf(slot),   1 if the phrase is its code,
                             BEGINS + (ALMOST - BEGINS) x all this if its code begins with the phrase

A *slot* is one word of the phrase with everything that may stand for it: itself, its plural or singular, the same written
in one with a neighbour ("back pack"), and, if the catalogue does not know the word, what it may be the beginning of (for the
last word of a phrase: people type) or a misspelling of. Each stands for it by a `share` of at most 1, and

    found(slot, product)  = highest of share x tf / (tf + K1 x (1 - B + B x length / mean length)),  below 1
    idf(slot)             = ln(1 + (N - df + 0.5) / (df + 0.5)),   df of its most frequent word, N all products

with tf and length counted by the weights of the fields (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple
weighted fields", 2004). The divisor is what no product can pass; so 0.5 means that half of what was said, weighed by how much
it tells products apart, was found, in any catalogue and for any phrase. A word that is found nowhere keeps its place in the
divisor: the score says that it is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Protocol

from lookalike.core.words import LONGEST_WORD, beginning_in, code_in, in_one, runs

K1, B = 1.0, 0.5
"""How soon a repeated word adds little more, and how much the length of a text counts against it."""
MOST_SLOTS = 64
"""Distinct words of a phrase that are looked for; those after them are not."""
MOST_STAND_INS = 48
"""Words that may stand for an unknown one, best share first, then the more frequent."""
OTHER_NUMBER = 0.9
"""How much the plural stands for the singular, and the other way round."""
SHORTEST_PREFIX = 2
ALMOST = 0.999
"""The most that a product can score whose code is not the phrase."""
BEGINS = 0.9
"""The least that a product scores whose code begins with the phrase: more than words that only resemble it do."""
ONE_TYPO, TWO_TYPOS = 4, 8
"""Letters of a word in which one typing error is allowed for, and two."""


class Vocabulary(Protocol):
    """The words of all products."""

    def frequency(self, word: str) -> int:
        """Return in how many products the word stands."""
        ...

    def beginning(self, prefix: str) -> Iterable[str]:
        """Return the `MOST_STAND_INS` most frequent words that begin so, or some of them in a catalogue with many more."""
        ...

    def near(self, word: str, edits: int) -> Iterable[tuple[str, int]]:
        """Return the words of letters alone that are at most so many edits away, and how many.

        An edit inserts, deletes or replaces a letter or swaps two neighbours (optimal string alignment).
        """
        ...


@dataclass(frozen=True, slots=True)
class Slot:
    """One word of a phrase: what may stand for it with which share (0, 1], and how much it tells products apart."""

    shares: tuple[tuple[str, float], ...]
    idf: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A phrase, read: its slots, all of it as a code, and as the beginning of one ("" if it cannot be one)."""

    slots: tuple[Slot, ...]
    code: str
    beginning: str = ""

    @property
    def most(self) -> float:
        """What no product can pass before division."""
        return sum(slot.idf for slot in self.slots)


def read_phrase(text: str, vocabulary: Vocabulary, products: int) -> Asked:
    """Read a phrase against the words of a catalogue of so many products."""
    text = text[: 8 * LONGEST_WORD * MOST_SLOTS]
    words = _with_whole(list(runs(text)))
    open_end = text[-1:].isalnum()
    slots = [
        _slot(word, wholes, vocabulary, products, typing=open_end and number == len(words) - 1)
        for number, (word, wholes) in enumerate(words.items())
    ]
    return Asked(tuple(slots), code_in(text), beginning_in(text))


def _with_whole(phrase: list[tuple[str, ...]]) -> dict[str, set[str]]:
    """Return the distinct words, each with what it may be written in one with."""
    words: dict[str, set[str]] = {}
    for pieces in phrase:
        for piece in pieces:
            words.setdefault(piece, set()).add(in_one(pieces))
    for left, right in pairwise(phrase):
        whole = in_one((left[-1], right[0]))
        words[left[-1]].add(whole)
        words[right[0]].add(whole)
    return {word: wholes - {""} for word, wholes in list(words.items())[:MOST_SLOTS]}


def _slot(word: str, wholes: set[str], vocabulary: Vocabulary, products: int, *, typing: bool) -> Slot:
    shares = dict.fromkeys(_other_number(word), OTHER_NUMBER) | dict.fromkeys({word, *wholes}, 1.0)
    known = {term: count for term in shares if (count := vocabulary.frequency(term))}
    if not known:
        shares = _stand_ins(word, vocabulary, typing=typing)
        known = {term: count for term in shares if (count := vocabulary.frequency(term))}
    best = sorted(known, key=lambda term: (-shares[term], -known[term], term))[:MOST_STAND_INS]
    frequency = max(known.values(), default=0)
    idf = log(1 + (products - frequency + 0.5) / (frequency + 0.5))
    return Slot(tuple((term, shares[term]) for term in best), idf)


def _other_number(word: str) -> list[str]:
    """Return what may be a word's English plural or singular, which many other languages share; most are no words."""
    if len(word) < 3 or not word.isalpha():
        return []
    others = [f"{word}s", f"{word}es", *([f"{word[:-1]}ies"] if word[-1] == "y" else [])]
    if word[-1] == "s":
        others.append(word[:-1])
        if word.endswith("ies"):
            others.append(f"{word[:-3]}y")
        if word.endswith("es"):
            others.append(word[:-2])
    return [other for other in others if len(other) > 2]


def _stand_ins(word: str, vocabulary: Vocabulary, *, typing: bool) -> dict[str, float]:
    """Return what an unknown word may be the beginning or a misspelling of, by how much of it was typed right."""
    shares: dict[str, float] = {}
    if word.isalpha() and len(word) >= ONE_TYPO:
        for term, edits in vocabulary.near(word, 2 if len(word) >= TWO_TYPOS else 1):
            shares[term] = 1 - edits / len(word)
    if typing and len(word) >= SHORTEST_PREFIX:
        for term in vocabulary.beginning(word):
            shares[term] = max(shares.get(term, 0.0), len(word) / len(term))
    return shares
