"""The built-in encoder's phrases: hashed words, letters and pairs of words.

A phrase becomes the sum of its words. A word is eight signed places of the vector chosen by a hash of its stem, plus its
letter 3- and 4-grams, so that typos and plurals stay close; neighbouring words add a little. (Feature hashing: Weinberger
et al., 2009.)
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIM: Final = 384
PLACES: Final = 8
"""Places of the vector that one word takes."""
GRAMS: Final = (3, 4)
GRAMS_WIDE_SCRIPT: Final = (1, 2, 3)
"""For Chinese, Japanese and Korean, where a letter says as much as a syllable or a word elsewhere."""
GRAM_WEIGHT: Final = 1.2
"""Length of the n-gram part of a word, whose hashed stem has length 1. More mends more typos and finds fewer kinds."""
PAIR_WEIGHT: Final = 0.15
MAX_WORD: Final = 48
"""Letters of a word that are looked at."""
STOP_WEIGHT: Final = 0.1
STOP_WORDS: Final = tuple(
    re.findall(
        r"\w+",
        "a an and are as at be by for from in is it its of on or our so that the this to was will with you",
    )
)
WORD: Final = re.compile(r"[^\W_]+")
JOINED: Final = re.compile(r"(?<=\b\w)['’-](?=\w)|['’](?=s\b)")
"""The mark inside "t-shirt" and "women's", where shops disagree."""


def words_of(text: str) -> list[str]:
    """Split into lower-case words without accents; a text of signs alone gives the signs, an empty one [""]."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return WORD.findall(JOINED.sub("", plain)) or plain.split() or [""]


def stem(word: str) -> str:
    """Drop an English plural ending (the S-stemmer of Harman, 1991, with -es after a hiss)."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word


def phrase_vector(text: str) -> Floats:
    """Add up the words of a phrase -> float64 [384], length 1."""
    words = [word[:MAX_WORD] for word in words_of(text)]
    total = np.zeros(DIM)
    for word, times in Counter(words).items():
        total += (1 + log(times)) * word_vector(word)
    stems = [stem(word) for word in words if word not in STOP_WORDS]
    for (left, right), times in Counter(pairwise(stems)).items():
        total += PAIR_WEIGHT * (1 + log(times)) * pair_vector(left, right)
    length = float(np.sqrt(total @ total))
    return total / length if length > 1e-6 else scatter(digest(text))


@lru_cache(maxsize=8192)
def word_vector(word: str) -> Floats:
    """Return a word as float64 [384], its length being the word's weight; not to be written to."""
    sizes = GRAMS_WIDE_SCRIPT if any(ord(letter) >= 0x2E80 for letter in word) else GRAMS
    padded = f"<{word}>"
    grams = [padded[start : start + size] for size in sizes for start in range(len(padded) - size + 1)]
    letters = scatter(b"".join(digest(gram, 1) for gram in grams))
    return weight_of(word) * (scatter(digest(stem(word))) + GRAM_WEIGHT * letters)


@lru_cache(maxsize=4096)
def pair_vector(left: str, right: str) -> Floats:
    """Return two neighbouring words as float64 [384], length 1; not to be written to."""
    return scatter(digest(f"{left} {right}"))


def weight_of(word: str) -> float:
    """Weigh a word by its looks: long ones tend to be rare, numbers and stop-words say little."""
    if word in STOP_WORDS:
        return STOP_WEIGHT
    return 0.5 if word.isdigit() else 0.7 + 0.06 * min(len(word), 10)


def digest(feature: str, places: int = PLACES) -> bytes:
    """Hash a feature, four bytes for each place of the vector it takes."""
    return blake2b(feature.encode(errors="surrogatepass"), digest_size=4 * places).digest()


def scatter(digests: bytes) -> Floats:
    """Add 1 or -1 at the places that hashes name -> float64 [384], length 1 (or 0, if there are none)."""
    numbers = np.frombuffer(digests, "<u4").astype(np.int64)
    vector = np.bincount((numbers >> 1) % DIM, 1.0 - 2.0 * (numbers & 1), DIM).astype(np.float64)
    return vector / max(float(np.sqrt(vector @ vector)), 1.0)
