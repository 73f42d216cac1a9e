"""Phrases -> the whole numbers a text model takes, in batches of texts of one length.

Texts of one length go together, so that none is padded: padding costs time, and changes how sums are rounded.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lookalike.adapters.encoder_onnx_files import verified
from lookalike.adapters.encoder_onnx_preset import CODE, TextGraph
from lookalike.adapters.encoder_onnx_words import features
from lookalike.core.errors import InputError, MissingExtra

TOKENS_AT_ONCE: Final = 512
"""What a graph makes of a word on its way takes some 15 KB."""
NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
SIGMA: Final = "Σ"
Ids = NDArray[np.int64]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some of the texts: their rows, int64 ids [n, length, ...], and which of them are no padding, bool [n, length]."""

    rows: NDArray[np.intp]
    ids: Ids
    used: NDArray[np.bool_]


class HashedWords:
    """Words without a vocabulary: see `encoder_onnx_words`."""

    def __init__(self, graph: TextGraph, folder: Path, hint: str) -> None:
        self._prefix = graph.prefix

    def inputs(self, batch: Batch) -> dict[str, Ids]:
        """Return what is fed to the graph besides the ids: nothing."""
        return {}

    def batches(self, texts: Sequence[str], times: int = 1) -> Iterator[Batch]:
        """Yield all texts; `times` makes batches so many times as large."""
        ids = features([self._prefix + text for text in texts])
        used: NDArray[np.bool_] = np.any(ids.reshape(*ids.shape[:2], -1), axis=2)
        lengths = ids.shape[1] - np.argmax(used[:, ::-1], axis=1)
        for rows, length in by_length(lengths, times):
            yield Batch(rows, ids[rows, :length], used[rows, :length])


class TokenizerFile:
    """A tokenizer.json of the `tokenizers` library, opened when it is first needed. Safe to use from several threads."""

    def __init__(self, graph: TextGraph, folder: Path, hint: str) -> None:
        self._graph = graph
        self._file = folder / graph.tokenizer_file
        self._hint = hint
        self._lock = Lock()
        self._tokenizer: Any = None
        self._pad: int | None = None
        self._told = False

    def inputs(self, batch: Batch) -> dict[str, Ids]:
        """Return what is fed to the graph besides the ids: the mask and the token types, where it takes them."""
        fed = {}
        if self._graph.mask:
            fed[self._graph.mask] = batch.used.astype(np.int64)
        if self._graph.types:
            fed[self._graph.types] = np.zeros_like(batch.ids)
        return fed

    def batches(self, texts: Sequence[str], times: int = 1) -> Iterator[Batch]:
        """Yield all texts; `times` makes batches so many times as large."""
        tokens = self.tokens(texts)
        lengths = np.array([len(each) for each in tokens], np.intp)
        longest = lengths if self._graph.pad_to == "longest" else np.full_like(lengths, self._graph.context)
        for rows, length in by_length(longest, times):
            used = np.arange(length) < lengths[rows, None]
            ids = np.full(used.shape, self._pad or 0, np.int64)
            ids[used] = np.concatenate([tokens[row] for row in rows])
            yield Batch(rows, ids, used)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, at least one and at most `context`, the marks at its ends included."""
        tokenizer = self._opened()
        # Half characters, which Python knows and Unicode does not, become question marks.
        whole = [
            (self._graph.prefix + cleaned(text, self._graph)).encode(errors="replace").decode()
            for text in texts
        ]
        encodings = tokenizer.encode_batch_fast(whole)
        if not self._told and any(encoding.overflowing for encoding in encodings):
            self._told = True
            _log.warning(
                "%s: a text of more than %d tokens was cut to that, and others will be, without a word",
                self._file.name,
                self._graph.context,
            )
        return [encoding.ids or [self._pad or 0] for encoding in encodings]

    def _opened(self) -> Any:
        if self._tokenizer is None:
            with self._lock:
                if self._tokenizer is None:
                    self._tokenizer = self._open()
        return self._tokenizer

    def _open(self) -> Any:
        try:
            from tokenizers import Tokenizer
        except ModuleNotFoundError as error:
            raise MissingExtra("tokenizers is not installed", hint="pip install tokenizers") from error

        file = verified(self._file, self._graph.tokenizer_sha256, self._hint)
        try:
            tokenizer = Tokenizer.from_file(str(file))
            tokenizer.enable_truncation(self._graph.context)
        except Exception as error:  # the library raises no other class
            raise self._wrong(f"it is no tokenizer: {error}") from error
        self._pad = self._padding(tokenizer)
        tokenizer.no_padding()
        return tokenizer

    def _padding(self, tokenizer: Any) -> int | None:
        """Return the id of the padding token: the one the TOML names, or the file's own."""
        if self._graph.pad:
            pad: int | None = tokenizer.token_to_id(self._graph.pad)
            if pad is None:
                raise self._wrong(f"it has no token {self._graph.pad!r}, which the .toml pads with")
            return pad
        if tokenizer.padding:
            return int(tokenizer.padding["pad_id"])
        if self._graph.pad_to == "context":
            raise self._wrong(
                'it names no padding token, and pad_to = "context" needs one: give the .toml a pad'
            )
        return None

    def _wrong(self, reason: str) -> InputError:
        return InputError(f"model file {self._file}: {reason}", hint=self._hint, code=CODE)


def cleaned(text: str, graph: TextGraph) -> str:
    """Return a text as the tokenizer is to see it, with what `lowercase` and `punctuation` say.

    As the tokenizers of SigLIP do: the first takes the punctuation of ASCII away and what space that leaves, the second leaves
    it. Letters are made small one by one, so that a sigma at the end of a word is one like all others.
    """
    if graph.lowercase:
        text = text.lower() if SIGMA not in text else "".join(letter.lower() for letter in text)
    return text if graph.punctuation else " ".join(text.translate(NO_PUNCTUATION).split())


Tokenizer = HashedWords | TokenizerFile
TOKENIZERS: Final[Mapping[str, Callable[[TextGraph, Path, str], Tokenizer]]] = {
    "hashed-words": HashedWords,
    "file": TokenizerFile,
}
"""What a preset can ask for: made of its table, the folder of its files, and how to get these again."""


def by_length(lengths: NDArray[np.intp], times: int = 1) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Part texts of int [n] tokens into batches of equal length -> (rows, length) of each."""
    for length in sorted(set(lengths.tolist())):
        same = np.flatnonzero(lengths == length)
        step = max(1, TOKENS_AT_ONCE * times // length)
        for start in range(0, len(same), step):
            yield same[start : start + step], length
