"""Text -> words, and a product -> the words it can be found by.

A word is a run of letters and digits without case and accents. Scripts that put no spaces between words (Han, kana, Hangul,
Thai and their like) give every pair of neighbouring characters instead. What is written together with a sign inside, such as
"T-shirt" or "WH-1000XM4", gives its pieces and all of it in one: "wh", "1000xm4" and "wh1000xm4".

A *code* is what stands for a product by itself: its id and family, an article number, a model number. It holds a digit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lookalike.core.types import Product, Value

TITLE_WEIGHT, FACT_WEIGHT, DESCRIPTION_WEIGHT = 3.0, 3.0, 1.0
"""How often a word counts that stands once in a title (or is an id), in a brand, category or attribute, or in a description."""
LONGEST_WORD = 64
"""Characters of a word; what is longer is no word anybody types."""
SHORTEST_CODE = 4
"""Letters and digits of a code that is found in a title or an attribute: "XL" and "42" stand for no product."""
DIGITS_OF_A_NUMBER = 6
"""Digits of a whole number in an attribute that make it a code: a barcode, not a size or a year."""

_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
"""Latin, Greek and Cyrillic accents, and the vowel points of Hebrew and Arabic, which most people do not type."""
_INDIC = "\u0900-\u0963\u0966-\u0dff"  # their vowel signs are no letters to `\w`, yet part of the word
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_PIECE = rf"(?:[^\W_{_UNSPACED}]|[{_INDIC}])+"
_RUN = re.compile(rf"[{_UNSPACED}]+|{_PIECE}(?:[-./_&+']{_PIECE})*")
_SIGNS = re.compile("[-./_&+']")
_POSSESSIVE = re.compile(r"'s?(?!\w)")


@dataclass(frozen=True, slots=True)
class Document:
    """What a product can be found by: how often each word counts (> 0), and the codes that stand for it."""

    words: Mapping[str, float]
    codes: frozenset[str] = frozenset()

    @property
    def length(self) -> float:
        """How much is said of it in all."""
        return float(sum(self.words.values()))


def folded(text: str) -> str:
    """Return a text without case, accents and other differences that people do not mean."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", plain)))


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield what is written together, each as its words in order: ("blue",), ("t", "shirt"), ("時計", "計と")."""
    for match in _RUN.finditer(_POSSESSIVE.sub("", folded(text))):
        run = match[0]
        if _unspaced(run[0]):
            yield tuple(run[i : i + 2] for i in range(max(len(run) - 1, 1)))
        else:
            yield tuple(piece[:LONGEST_WORD] for piece in _SIGNS.split(run))


def in_one(pieces: tuple[str, ...]) -> str:
    """Return pieces written without signs between them, "" if that is no word: one piece, too long, or pairs of characters."""
    whole = "".join(pieces)
    return whole if 1 < len(pieces) <= 8 and len(whole) <= LONGEST_WORD and not _unspaced(whole[0]) else ""


def code_in(text: str) -> str:
    """Return a text as a code, "" if it cannot be one: only its letters and digits, at least one of them a digit."""
    if len(text) > 2 * LONGEST_WORD:
        return ""
    plain = "".join(character for character in folded(text) if character.isalnum())
    return plain if len(plain) <= LONGEST_WORD and any(map(str.isdigit, plain)) else ""


def beginning_in(text: str) -> str:
    """Return a text as what the code of a product may begin with, "" if it is too short for that or holds a space.

    Letters and digits, such as "MSH11" of "MSH11-Blue"; or digits alone, as many as make a number a code: "501" is no barcode.
    """
    code = "" if any(map(str.isspace, text.strip())) else code_in(text)
    return code if len(code) >= (DIGITS_OF_A_NUMBER if code.isdigit() else SHORTEST_CODE) else ""


def document_of(product: Product) -> Document:
    """Return what a product can be found by. Prices, ratings and dates are no words."""
    facts = list(_facts(product.attributes))
    weighted: dict[str, float] = {}
    for text in (product.id, product.family or "", product.title):
        _add(weighted, text, TITLE_WEIGHT)
    for text in dict.fromkeys((product.brand or "", *product.categories, *facts)):
        _add(weighted, text, FACT_WEIGHT)
    _add(weighted, product.description, DESCRIPTION_WEIGHT)
    codes = {code_in(product.id), code_in(product.family or "")}
    codes |= {code_in(fact) for fact in facts if _is_code(fact)}
    codes |= {code_in(word) for word in product.title.split() if _is_model(code_in(word))}
    return Document(weighted, frozenset(codes - {""}))


def _add(weighted: dict[str, float], text: str, weight: float) -> None:
    for word in _words(text) if len(text) <= 200 else _words.__wrapped__(text):
        weighted[word] = weighted.get(word, 0.0) + weight


@lru_cache(maxsize=8192)  # brands, categories and colours come again and again
def _words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for pieces in runs(text):
        found += pieces
        if whole := in_one(pieces):
            found.append(whole)
        elif _unspaced(pieces[0][0]) and len(pieces[0]) > 1:  # a phrase may be a single character
            found += [*(pair[0] for pair in pieces), pieces[-1][1]]
    return tuple(found)


def _facts(attributes: Mapping[str, Value]) -> Iterable[str]:
    """Return attributes as texts: a flag that is set is its name."""
    for name, value in attributes.items():
        if value is True:
            yield name
        elif isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{value:g}" if isinstance(value, float) and not _is_whole(value) else str(int(value))


def _is_whole(value: float) -> bool:
    """Say whether a number is one that a column with holes made a float of, as it does of barcodes."""
    return value.is_integer() and abs(value) < 1e16


def _is_code(fact: str) -> bool:
    """Say whether an attribute's value looks like an article number: one word, long enough."""
    code = code_in(fact)
    return " " not in fact and len(code) >= (DIGITS_OF_A_NUMBER if code.isdigit() else SHORTEST_CODE)


def _is_model(word: str) -> bool:
    return len(word) >= SHORTEST_CODE and not word.isdigit()


def _unspaced(character: str) -> bool:
    return _IS_UNSPACED.match(character) is not None


_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
