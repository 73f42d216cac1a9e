"""Words without a vocabulary: each word becomes the hashes of its stem, of its letters and of it and the word before.

An unseen word, a typo or a plural still shares most of its hashes with words that were trained on (feature hashing: Weinberger
et al., 2009; letter n-grams of words: Bojanowski et al., 2017). What the hashes mean is learned: a text tower that takes
them has a row for each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.int64]

BUCKETS: Final = 32_768
"""Rows of the table; 0 is padding, hashes are 1 to BUCKETS - 1."""
MAX_WORDS: Final = 64
"""Words of a text that are looked at."""
FEATURES: Final = 28
"""Hashes of a word at most: its stem, the pair, and the letter n-grams, of which a very long word loses its last."""
GRAMS: Final = (3, 4)
GRAMS_WIDE_SCRIPT: Final = (1, 2, 3)
"""For Chinese, Japanese and Korean, where a letter says as much as a syllable or a word elsewhere."""
MAX_LETTERS: Final = 48
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


def features(texts: Sequence[str]) -> Features:
    """Hash texts -> int64 [n, words, 28], as many words as the longest text has (at most 64), padded with 0."""
    split = [[word[:MAX_LETTERS] for word in words_of(text)[:MAX_WORDS]] for text in texts]
    out = np.zeros((len(texts), max(map(len, split), default=1), FEATURES), np.int64)
    for row, words in zip(out, split, strict=True):
        before = ""
        for place, word in zip(row, words, strict=False):
            alone = word_hashes(word)
            place[0] = pair_hash(before, stem(word)) if before else 0
            place[1 : 1 + len(alone)] = alone
            before = stem(word)
    return out


@lru_cache(maxsize=65_536)
def word_hashes(word: str) -> Features:
    """Hash a word's stem and letter n-grams -> int64 [at most 27]; not to be written to."""
    sizes = GRAMS_WIDE_SCRIPT if any(ord(letter) >= 0x2E80 for letter in word) else GRAMS
    padded = f"<{word}>"
    grams = [padded[start : start + size] for size in sizes for start in range(len(padded) - size + 1)]
    return np.array([bucket(f"={stem(word)}"), *map(bucket, grams)][: FEATURES - 1], np.int64)


@lru_cache(maxsize=65_536)
def pair_hash(left: str, right: str) -> int:
    """Hash two neighbouring stems."""
    return bucket(f"{left} {right}")


def bucket(feature: str) -> int:
    """Hash a feature to 1 .. BUCKETS - 1."""
    digest = blake2b(feature.encode(errors="surrogatepass"), digest_size=4).digest()
    return 1 + int.from_bytes(digest, "little") % (BUCKETS - 1)
