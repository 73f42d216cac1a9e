"""The LexicalIndex in its plainest form: a dictionary and loops, in float64. The meaning the others are held to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from lookalike.core.lexical import ALMOST, BEGINS, K1, MOST_STAND_INS, B, read_phrase
from lookalike.core.types import Allowed, Candidates, Keys, Similarities
from lookalike.core.words import Document, beginning_in, code_in


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Documents by key: a `Vocabulary`."""

    documents: Mapping[int, Document]

    def frequency(self, word: str) -> int:
        return sum(word in document.words for document in self.documents.values())

    def beginning(self, prefix: str) -> Iterable[str]:
        found = {word for word in self._words() if word.startswith(prefix)}
        return sorted(found, key=lambda word: (-self.frequency(word), word))[:MOST_STAND_INS]

    def near(self, word: str, edits: int) -> Iterable[tuple[str, int]]:
        distances = [(other, edits_between(word, other)) for other in self._words() if other.isalpha()]
        return [(other, distance) for other, distance in distances if distance <= edits]

    def _words(self) -> set[str]:
        return {word for document in self.documents.values() for word in document.words}

    def scores(self, text: str) -> dict[int, float]:
        """Return the score of every product in which something of the phrase is found."""
        asked = read_phrase(text, self, len(self.documents))
        lengths = [document.length for document in self.documents.values()]
        mean = sum(lengths) / max(len(lengths), 1)
        scores: dict[int, float] = {}
        for key, document in self.documents.items():
            norm = K1 * (1 - B + B * document.length / mean)
            found = 0.0
            for slot in asked.slots:
                values = [
                    share * document.words[word] / (document.words[word] + norm)
                    for word, share in slot.shares
                    if word in document.words
                ]
                found += slot.idf * max(values, default=0.0)
            if asked.code and asked.code in document.codes:
                scores[key] = 1.0
            elif asked.beginning and any(code.startswith(asked.beginning) for code in document.codes):
                scores[key] = BEGINS + (ALMOST - BEGINS) * min(found / asked.most, ALMOST)
            elif found:
                scores[key] = min(found / asked.most, ALMOST)
        return scores


class MemoryLexicalIndex:
    """Every product's document in a dictionary, replaced as a whole at each change so that readers need no lock."""

    def __init__(self) -> None:
        self._held = _Held({})
        self._writing = Lock()

    def __len__(self) -> int:
        return len(self._held.documents)

    def upsert(self, keys: Keys, documents: Sequence[Document]) -> None:
        new = dict(zip(keys.tolist(), documents, strict=True))
        with self._writing:
            together = {**self._held.documents, **new}
            self._held = _Held({key: document for key, document in together.items() if document.words})

    def delete(self, keys: Keys) -> None:
        gone = set(keys.tolist())
        with self._writing:
            self._held = _Held({k: d for k, d in self._held.documents.items() if k not in gone})

    def search(self, text: str, pool: int, allowed: Allowed | None = None) -> Candidates:
        scores = self._held.scores(text)
        open_to = [key for key in scores if allowed is None or _lets_through(allowed, key)]
        best = sorted(open_to, key=lambda key: (-scores[key], key))[:pool]
        keys, values = np.full((1, pool), -1, np.int64), np.full((1, pool), -np.inf, np.float32)
        keys[0, : len(best)], values[0, : len(best)] = best, [scores[key] for key in best]
        return Candidates(keys, values)

    def scores(self, text: str, keys: Keys) -> Similarities:
        scores = self._held.scores(text)
        return np.array([scores.get(key, np.nan) for key in keys.tolist()], np.float32)

    def names(self, text: str) -> bool:
        code, beginning = code_in(text), beginning_in(text)
        held = {each for document in self._held.documents.values() for each in document.codes}
        return code in held or (bool(beginning) and any(each.startswith(beginning) for each in held))


def edits_between(one: str, other: str) -> int:
    """Return the optimal string alignment distance: letters inserted, deleted, replaced, or swapped with a neighbour."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def _lets_through(allowed: Allowed, key: int) -> bool:
    return key < len(allowed.mask) and bool(allowed.mask[key])
