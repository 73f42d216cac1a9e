"""The catalogue, made searchable: columns, one index per space and one of words, kept up with the change sequence.

Everything here is derived from the catalogue and can be thrown away. One writer at a time brings it up to date; searches
read it meanwhile, and each of them takes `LiveIndex.view` once: what was learned is replaced as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from lookalike.core.attributes import NO_ATTRIBUTES, AttributeModel, Sample, learn
from lookalike.core.columns import Columns
from lookalike.core.fusion import UNCALIBRATED, Calibration
from lookalike.core.ports import Catalog, LexicalIndex, VectorIndex
from lookalike.core.types import ATTRIBUTES, DESCRIPTION, IMAGE, TITLE, Change, Keys, Vectors
from lookalike.core.words import document_of

EMBEDDED = (IMAGE, TITLE, DESCRIPTION)
CHUNK = 20_000
"""Changes read at a time: bounds memory while catching up."""
SAMPLE = 2000
"""Products the attribute model and the calibration are learned from."""
PROBES = 256
"""Products whose nearest neighbour is looked up for the calibration."""

MakeIndex = Callable[[int], VectorIndex]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a search compares with: the spaces, and the attribute model and calibrations that belong to them.

    Scores of words need no calibration: they are measured against what the phrase says, in any catalogue.
    """

    spaces: Mapping[str, VectorIndex]
    words: LexicalIndex
    attributes: AttributeModel = NO_ATTRIBUTES
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def calibration(self, space: str) -> Calibration:
        """Return how to read similarities of a space."""
        return self.calibrations.get(space, UNCALIBRATED)


class LiveIndex:
    """What searches read. `fingerprints` says, per embedded space, which encoder's vectors to use; `words` comes empty."""

    def __init__(
        self,
        catalog: Catalog,
        fingerprints: Mapping[str, str],
        dim: int,
        make_index: MakeIndex,
        words: LexicalIndex,
    ) -> None:
        self._catalog = catalog
        self._fingerprints = fingerprints
        self._make_index = make_index
        self._catching_up = Lock()
        self._artifacts: tuple[bytes | None, bytes | None] = (None, None)
        self.columns = Columns()
        self.view = View({space: make_index(dim) for space in EMBEDDED}, words)
        self.seq = 0
        self.settled: int | None = None
        """`seq` while everything here is of that moment; None while changes are being brought in, or were left half way.

        What was read between two looks that found the same number is of that state, and of no other.
        """

    @property
    def spaces(self) -> Mapping[str, VectorIndex]:
        """The spaces as they are now."""
        return self.view.spaces

    def refresh(self, *, wait: bool = True) -> int:
        """Apply what changed in the catalogue since last time; return how many products that were.

        While another thread does so, wait for it, or with `wait` False leave it to that thread.
        """
        if not self._catching_up.acquire(blocking=wait):
            return 0
        try:
            return self._catch_up()
        finally:
            self._catching_up.release()

    def _catch_up(self) -> int:
        head, applied = self._catalog.sequence(), 0
        if head == self.settled:
            return 0
        self.settled = None
        while changes := self._catalog.changes(self.seq, CHUNK):
            self._apply(changes)
            self.seq = changes[-1].seq
            applied += len(changes)
        self._read_artifacts()
        self.seq = self.settled = max(self.seq, head)
        return applied

    def _apply(self, changes: Sequence[Change]) -> None:
        gone = [c.key for c in changes if c.product is None or not c.product.active]
        here = [c for c in changes if c.product is not None and c.product.active]
        self.columns.delete(gone)
        for index in self.spaces.values():
            index.delete(np.array(gone, np.int64))
        self.view.words.delete(np.array(gone, np.int64))
        was_live = self.columns.live_among([c.key for c in here])
        renewed = [
            c.key for c, live in zip(here, was_live, strict=True) if c.content_seq > self.seq or not live
        ]
        # Vectors and words first: a product may be found only once all of it is there.
        self._load_vectors(np.array(renewed, np.int64))
        self.view.words.upsert(
            np.array([c.key for c in here], np.int64), [document_of(c.product) for c in here if c.product]
        )
        self.columns.set([c.key for c in here], [c.product for c in here if c.product])
        if ATTRIBUTES in self.spaces:
            self._load_attributes(np.array([c.key for c in here], np.int64))

    def _load_vectors(self, keys: Keys) -> None:
        if not len(keys):
            return
        stored = self._catalog.embeddings(keys, self._fingerprints)
        for space in EMBEDDED:
            found, vectors = stored[space]
            self.spaces[space].delete(np.setdiff1d(keys, found))
            if len(found):
                self.spaces[space].upsert(found, vectors)

    def _load_attributes(self, keys: Keys) -> None:
        found, vectors = self.view.attributes.vectors(self.columns, keys)
        self.spaces[ATTRIBUTES].delete(np.setdiff1d(keys, found))
        self.spaces[ATTRIBUTES].upsert(found, vectors)

    def _read_artifacts(self) -> None:
        artifacts = self._catalog.artifact("attributes"), self._catalog.artifact("calibration")
        if artifacts == self._artifacts:
            return
        model, calibration = artifacts
        if model is not None and model != self._artifacts[0]:
            self._use_attributes(AttributeModel.from_bytes(model))
        if calibration is not None:
            anchors = json.loads(calibration)
            calibrations = {space: Calibration(*pair) for space, pair in anchors.items()}
            self.view = replace(self.view, calibrations=calibrations)
        self._artifacts = artifacts

    def _use_attributes(self, model: AttributeModel) -> None:
        spaces = {space: index for space, index in self.spaces.items() if space != ATTRIBUTES}
        if model.fields:
            index = self._make_index(model.dim)
            keys = np.flatnonzero(self.columns.live)
            for start in range(0, len(keys), CHUNK):
                index.upsert(*model.vectors(self.columns, keys[start : start + CHUNK]))
            spaces[ATTRIBUTES] = index
        self.view = replace(self.view, spaces=spaces, attributes=model)


def learn_from(catalog: Catalog, live: LiveIndex, *, aligned: bool) -> None:
    """Learn the attribute model and the calibration from a sample of the products and keep them in the catalogue.

    Deterministic: the same products, in the same order of arrival, give the same result.
    """
    live.refresh()
    sample = _spread(np.flatnonzero(live.columns.live), SAMPLE)
    families = live.columns.codes("family", sample)
    views = tuple(one_each(live.spaces[space], sample) for space in (IMAGE, TITLE))
    catalog.set_artifact("attributes", learn(live.columns, Sample(sample, views, families)).to_bytes())
    live.refresh()
    catalog.set_artifact("calibration", json.dumps(_calibrate(live, sample, aligned=aligned)).encode())
    live.refresh()


def _calibrate(live: LiveIndex, sample: Keys, *, aligned: bool) -> dict[str, tuple[float, float]]:
    """Measure the anchors of each space, and of each space seen from a phrase, for which titles stand in."""
    titles = live.spaces[TITLE]
    pairs = {space: (index, index) for space, index in live.spaces.items()}
    for space in (IMAGE, TITLE, DESCRIPTION) if aligned else (TITLE, DESCRIPTION):
        pairs[f"{space}:text"] = (titles, live.spaces[space])
    anchors = {name: _anchors(live, queries, index, sample) for name, (queries, index) in pairs.items()}
    return {name: pair for name, pair in anchors.items() if pair is not None}


def _anchors(
    live: LiveIndex, queries: VectorIndex, index: VectorIndex, sample: Keys
) -> tuple[float, float] | None:
    """Return the median similarity of random pairs and of nearest pairs; None if there are too few products.

    Variants of one family are no neighbours: they share a title and most attributes, and would set the anchor at 1.
    """
    found, vectors = queries.get(_spread(sample, PROBES))
    found, firsts = np.unique(found, return_index=True)
    if len(found) < 8:
        return None
    vectors = vectors[firsts]
    others = _spread(sample, 2 * PROBES)
    strangers = index.similarities(vectors, others)[found[:, None] != others[None, :]]
    nearest = index.search(vectors, 32)
    families = live.columns.codes("family", np.maximum(nearest.keys, 0))
    own = live.columns.codes("family", found)[:, None]
    kin = (nearest.keys == found[:, None]) | ((families == own) & (own > 0))
    best = np.where(kin & (queries is index), -np.inf, nearest.similarities).max(axis=1)
    best = best[np.isfinite(best)]
    if not len(best) or np.isnan(strangers).all():
        return None
    return float(np.nanmedian(strangers)), float(np.median(best))


def _spread(keys: Keys, count: int) -> Keys:
    """Return at most `count` of the keys, evenly spread."""
    return keys[np.linspace(0, len(keys) - 1, min(count, len(keys))).astype(np.int64)]


def one_each(index: VectorIndex, keys: Keys) -> Vectors:
    """Return one vector of each product of ascending `keys`, float32 [n, dim], a zero row where there is none."""
    rows = np.zeros((len(keys), index.dim), np.float32)
    found, vectors = index.get(keys)
    first_keys, firsts = np.unique(found, return_index=True)
    rows[np.searchsorted(keys, first_keys)] = vectors[firsts]
    return rows
