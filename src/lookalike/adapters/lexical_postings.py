"""The lexical index: postings in NumPy, worked out per query; rapidfuzz finds the misspelt.

A segment holds, for each of its words in order, the products it stands in and how much it counts there. Segments are never
changed: a change adds one and marks what it replaces dead in those before it, in copies that are swapped in by one reference,
so a search takes no lock and sees the state before or after. A segment is merged with the one before it as soon as that is
not `GROWTH` times as large, so there are few, and a product is moved a few times in all.

Nothing in a segment depends on the other products: how frequent a word is and how long a text is on average are counted per
query among the living, so scores do not depend on the order of changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from lookalike.core.lexical import ALMOST, BEGINS, K1, MOST_STAND_INS, Asked, B, Slot, read_phrase
from lookalike.core.types import Allowed, Candidates, Keys, Mask, Similarities
from lookalike.core.words import Document, beginning_in, code_in

GROWTH = 8
"""How many times as large as the next a segment is, at least."""
CODE = "="
"""Before a code among the words of a segment; no word has it."""

Rows = NDArray[np.int32]
Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Postings:
    """`words` sorted; of word number i, `rows` and `counts` from starts[i] to starts[i + 1]; `keys` and `lengths` by row."""

    keys: Keys
    lengths: Numbers
    words: list[str]
    starts: NDArray[np.int64]
    rows: Rows
    counts: Numbers

    @cached_property
    def plain(self) -> dict[int, list[str]]:
        """The words of letters alone, by length: those that can be misspelt."""
        by_length: dict[int, list[str]] = {}
        for word in self.words:
            if word.isalpha():
                by_length.setdefault(len(word), []).append(word)
        return by_length

    def span(self, word: str) -> slice:
        """Return where the postings of a word are."""
        at = bisect_left(self.words, word)
        if at == len(self.words) or self.words[at] != word:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))

    def between(self, prefix: str) -> tuple[int, int]:
        """Return the numbers of the words that begin so: the first, and the one after the last."""
        return bisect_left(self.words, prefix), bisect_left(self.words, prefix + "\U0010ffff")


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """Postings, and which of their rows are alive."""

    postings: _Postings
    alive: Mask
    count: int

    def frequency(self, word: str) -> int:
        rows = self.postings.rows[self.postings.span(word)]
        return len(rows) if self.count == len(self.alive) else int(np.count_nonzero(self.alive[rows]))

    def beginning(self, prefix: str) -> list[str]:
        """Return the most frequent words that begin so, the first in order if equally frequent."""
        held = self.postings
        first, last = held.between(prefix)
        if first == last:
            return []
        alive = self.alive[held.rows[held.starts[first] : held.starts[last]]]
        counts = np.add.reduceat(alive, held.starts[first:last] - held.starts[first], dtype=np.int64)
        order = np.argsort(-counts, kind="stable")[:MOST_STAND_INS]
        return [held.words[first + int(at)] for at in order]

    def with_code(self, beginning: str) -> Rows:
        """Return the rows, dead ones too, of codes that begin so, int32 [n], some of them repeated."""
        first, last = self.postings.between(CODE + beginning)
        return self.postings.rows[self.postings.starts[first] : self.postings.starts[last]]

    def without(self, keys: Keys) -> _Segment:
        """Return the segment with these products dead."""
        held = self.postings.keys
        if not len(held) or not len(keys):
            return self
        at = np.minimum(np.searchsorted(held, keys), len(held) - 1)
        gone = at[held[at] == keys]
        gone = np.unique(gone[self.alive[gone]])
        if not len(gone):
            return self
        alive = self.alive.copy()
        alive[gone] = False
        return replace(self, alive=alive, count=self.count - len(gone))

    def scores(self, asked: Asked, mean_length: float) -> Numbers:
        """Return the score of every row, dead ones too, float32 [rows]; 0 where nothing of the phrase is found."""
        held = self.postings
        total = np.zeros(len(held.keys), np.float32)
        for slot in asked.slots:
            self._add(total, slot, mean_length)
        total *= np.float32(1 / asked.most) if asked.most else np.float32(0)
        np.minimum(total, np.float32(ALMOST), out=total)
        if asked.beginning:
            rows = self.with_code(asked.beginning)
            total[rows] = np.float32(BEGINS) + np.float32(ALMOST - BEGINS) * total[rows]
        if asked.code:
            total[held.rows[held.span(CODE + asked.code)]] = 1
        return total

    def _add(self, total: Numbers, slot: Slot, mean_length: float) -> None:
        held, found = self.postings, []
        for word, share in slot.shares:
            span = held.span(word)
            rows, counts = held.rows[span], held.counts[span]
            if len(rows):
                norms = np.float32(K1) * (1 - B + np.float32(B / mean_length) * held.lengths[rows])
                found.append((rows, np.float32(share * slot.idf) * counts / (counts + norms)))
        if len(found) == 1:
            total[found[0][0]] += found[0][1]
        elif found:
            best = np.zeros_like(total)
            for rows, values in found:
                best[rows] = np.maximum(best[rows], values)
            total += best


@dataclass(frozen=True, eq=False)
class _State:
    """All segments, largest first, as one search sees them: a `Vocabulary`."""

    segments: tuple[_Segment, ...] = ()

    @cached_property
    def products(self) -> int:
        return sum(segment.count for segment in self.segments)

    @cached_property
    def mean_length(self) -> float:
        total = sum(float(s.postings.lengths.sum(where=s.alive, dtype=np.float64)) for s in self.segments)
        return max(total / max(self.products, 1), 1e-9)

    def frequency(self, word: str) -> int:
        return sum(segment.frequency(word) for segment in self.segments)

    def beginning(self, prefix: str) -> Iterable[str]:
        found = {word for segment in self.segments for word in segment.beginning(prefix)}
        return sorted(found, key=lambda word: (-self.frequency(word), word))[:MOST_STAND_INS]

    def near(self, word: str, edits: int) -> Iterable[tuple[str, int]]:
        found: dict[str, int] = {}
        for segment in self.segments:
            for length in range(len(word) - edits, len(word) + edits + 1):
                choices = segment.postings.plain.get(length, ())
                for term, distance, _ in process.extract(
                    word, choices, scorer=OSA.distance, score_cutoff=edits, limit=None
                ):
                    found[term] = int(distance)
        return found.items()


class PostingsIndex:
    """LexicalIndex in memory, exact, with nothing to build."""

    def __init__(self) -> None:
        self._state = _State()
        self._writing = Lock()

    def __len__(self) -> int:
        return self._state.products

    def upsert(self, keys: Keys, documents: Sequence[Document]) -> None:
        latest = dict(zip(np.asarray(keys, np.int64).tolist(), documents, strict=True))
        at = np.array(sorted(latest), np.int64)
        with self._writing:
            segments = [segment.without(at) for segment in self._state.segments]
            said = [key for key in at.tolist() if latest[key].words]
            if said:
                postings = _postings(said, [latest[key] for key in said])
                segments.append(_Segment(postings, np.ones(len(said), bool), len(said)))
            self._state = _State(_settled(segments))

    def delete(self, keys: Keys) -> None:
        gone = np.unique(np.asarray(keys, np.int64))
        with self._writing:
            self._state = _State(_settled([segment.without(gone) for segment in self._state.segments]))

    def search(self, text: str, pool: int, allowed: Allowed | None = None) -> Candidates:
        state = self._state
        keys = np.full((1, pool), -1, np.int64)
        scores = np.full((1, pool), -np.inf, np.float32)
        found = [_matching(s, values, allowed) for s, values in _scored(state, text)]
        found_keys = np.concatenate([k for k, _ in found] or [np.zeros(0, np.int64)])
        found_scores = np.concatenate([v for _, v in found] or [np.zeros(0, np.float32)])
        best = _top(found_keys, found_scores, pool)
        keys[0, : len(best)], scores[0, : len(best)] = found_keys[best], found_scores[best]
        return Candidates(keys, scores)

    def scores(self, text: str, keys: Keys) -> Similarities:
        result = np.full(len(keys), np.nan, np.float32)
        for segment, values in _scored(self._state, text):
            held = segment.postings.keys
            at = np.minimum(np.searchsorted(held, keys), len(held) - 1)
            there = np.flatnonzero((held[at] == keys) & segment.alive[at] & (values[at] > 0))
            result[there] = values[at[there]]
        return result

    def names(self, text: str) -> bool:
        code, beginning = code_in(text), beginning_in(text)
        state = self._state
        return (bool(code) and state.frequency(CODE + code) > 0) or (
            bool(beginning) and any(bool(s.alive[s.with_code(beginning)].any()) for s in state.segments)
        )


def _scored(state: _State, text: str) -> list[tuple[_Segment, Numbers]]:
    asked = read_phrase(text, state, state.products)
    return [(segment, segment.scores(asked, state.mean_length)) for segment in state.segments]


def _matching(segment: _Segment, scores: Numbers, allowed: Allowed | None) -> tuple[Keys, Numbers]:
    """Return the living rows with a score, those allowed."""
    rows = np.flatnonzero(scores)
    rows = rows[segment.alive[rows]]
    if allowed is not None:
        keys = segment.postings.keys[rows]
        inside = keys < len(allowed.mask)
        rows = rows[inside] if not inside.all() else rows
        rows = rows[allowed.mask[segment.postings.keys[rows]]]
    return segment.postings.keys[rows], scores[rows]


def _top(keys: Keys, scores: Numbers, pool: int) -> NDArray[np.int64]:
    """Return the places of the best, best first; equal ones by smaller key."""
    rows = np.arange(len(keys))
    if len(keys) > 4 * pool + 64:
        rows = np.flatnonzero(scores >= np.partition(scores, len(keys) - pool)[len(keys) - pool])
    return rows[np.lexsort((keys[rows], -scores[rows]))][:pool]


def _postings(keys: Sequence[int], documents: Sequence[Document]) -> _Postings:
    """Invert documents; `keys` ascend."""
    spelled = [
        [*document.words.items(), *((CODE + code, 1.0) for code in sorted(document.codes))]
        for document in documents
    ]
    words = sorted({word for pairs in spelled for word, _ in pairs})
    number = {word: at for at, word in enumerate(words)}
    numbers = np.array([number[word] for pairs in spelled for word, _ in pairs], np.int64)
    counts = np.array([count for pairs in spelled for _, count in pairs], np.float32)
    rows = np.repeat(np.arange(len(keys), dtype=np.int32), [len(pairs) for pairs in spelled])
    lengths = np.array([document.length for document in documents], np.float32)
    return _by_word(np.asarray(keys, np.int64), lengths, words, (numbers, rows, counts))


def _by_word(
    keys: Keys, lengths: Numbers, words: list[str], each: tuple[NDArray[np.int64], Rows, Numbers]
) -> _Postings:
    """Put postings (word number, row, count) in order."""
    numbers, rows, counts = each
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(len(words) + 1))
    return _Postings(keys, lengths, words, starts, rows[order], counts[order])


def _settled(segments: Sequence[_Segment]) -> tuple[_Segment, ...]:
    """Return the segments with those merged that are not far enough apart in size, and half-dead ones made anew."""
    settled: list[_Segment] = []
    for segment in segments:
        if not segment.count:
            continue
        settled.append(_merged([segment]) if 2 * segment.count < len(segment.alive) else segment)
        while len(settled) > 1 and settled[-2].count < GROWTH * settled[-1].count:
            last = settled.pop()
            settled[-1] = _merged([settled[-1], last])
    return tuple(settled)


def _merged(segments: Sequence[_Segment]) -> _Segment:
    """Make one segment of the living of several."""
    keys = np.concatenate([s.postings.keys[s.alive] for s in segments])
    lengths = np.concatenate([s.postings.lengths[s.alive] for s in segments])
    order = np.argsort(keys)
    place = np.empty(len(keys), np.int32)
    place[order] = np.arange(len(keys), dtype=np.int32)
    kept = [s.alive[s.postings.rows] for s in segments]
    words, numbers = _common_words(segments, kept)
    rows, first = [], 0
    for segment, keep in zip(segments, kept, strict=True):
        new = np.full(len(segment.alive), -1, np.int32)
        new[segment.alive] = place[first : first + segment.count]
        rows.append(new[segment.postings.rows[keep]])
        first += segment.count
    counts = np.concatenate([s.postings.counts[keep] for s, keep in zip(segments, kept, strict=True)])
    postings = _by_word(keys[order], lengths[order], words, (numbers, np.concatenate(rows), counts))
    return _Segment(postings, np.ones(len(keys), bool), len(keys))


def _common_words(segments: Sequence[_Segment], kept: Sequence[Mask]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the words of all segments that still stand somewhere, and the word number of each posting kept."""
    old = [np.repeat(np.arange(len(s.postings.words)), np.diff(s.postings.starts)) for s in segments]
    old = [numbers[keep] for numbers, keep in zip(old, kept, strict=True)]
    used = [np.unique(numbers) for numbers in old]
    words = sorted({s.postings.words[at] for s, there in zip(segments, used, strict=True) for at in there})
    number = {word: at for at, word in enumerate(words)}
    result = []
    for segment, there, numbers in zip(segments, used, old, strict=True):
        new = np.zeros(len(segment.postings.words), np.int64)
        new[there] = [number[segment.postings.words[at]] for at in there]
        result.append(new[numbers])
    return words, np.concatenate(result)
