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
from lookalike.core.types import ATTRIBUTES, IMAGE, TITLE, Change, Keys, Vectors
from lookalike.core.words import document_of
from lookalike.engine.encoders import EMBEDDED, Encoders
from lookalike.engine.snapshots import Kept, Moment, Snapshots, made_of

CHUNK = 20_000
"""Changes read at a time: bounds memory while catching up."""
SAMPLE = 2000
"""Products the attribute model and the calibration are learned from."""
PROBES = 256
"""Products whose nearest neighbour is looked up for the calibration."""

MakeIndex = Callable[[int], VectorIndex]
Renew = Callable[[bytes], Encoders | None]
"""Reads the artifact "encoder": the encoders to search with from now on, None if they cannot be had yet."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a search compares with: the spaces, the encoders, attribute model and calibrations that belong to them.

    Scores of words need no calibration: they are measured against what the phrase says, in any catalogue.
    """

    spaces: Mapping[str, VectorIndex]
    words: LexicalIndex
    encoders: Encoders
    attributes: AttributeModel = NO_ATTRIBUTES
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def calibration(self, space: str) -> Calibration:
        """Return how to read similarities of a space."""
        return self.calibrations.get(space, UNCALIBRATED)


class LiveIndex:
    """What searches read. `encoders` are those of the vectors to use, which also embed queries; `words` comes empty.

    With `kept` indexes it begins with these, and reads from the catalogue only vectors that changed since. With `renew` it
    follows the catalogue to another generation of vectors: made beside the one that is searched, and put in its place at once.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoders: Encoders,
        make_index: MakeIndex,
        words: LexicalIndex,
        kept: Kept | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._catalog = catalog
        self._renew = renew
        self._made_with: bytes | None = None
        self._make_index = make_index
        self._catching_up = Lock()
        self._artifacts: tuple[bytes | None, bytes | None] = (None, None)
        self.columns = Columns()
        self.view = View({space: make_index(encoders.dim(space)) for space in EMBEDDED}, words, encoders)
        self._kept_seq = 0
        """Of this number, or newer, are the vectors of products not seen yet."""
        if kept is not None:
            self._begin_with(kept)
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

    def moment(self, snapshots: Snapshots) -> Moment | None:
        """Return the indexes as they are now, to be saved; None while changes were left half way."""
        with self._catching_up:
            if self.settled is None:
                return None
            made = made_of(self.view.encoders, self._artifacts[0])
            return Moment.of(self.seq, self.spaces, made, snapshots)

    def reload(self) -> None:
        """Read the vectors of all products from the catalogue anew, beside those in use, and then use them."""
        with self._catching_up:
            spaces = {
                space: self._make_index(self.view.encoders.dim(space))
                for space in self.spaces
                if space != ATTRIBUTES
            }
            keys = np.flatnonzero(self.columns.live)
            for start in range(0, len(keys), CHUNK):
                self._load_vectors(keys[start : start + CHUNK], spaces, self.view.encoders)
            self.view = self._with_attributes(replace(self.view, spaces=spaces), self.view.attributes)

    def _begin_with(self, kept: Kept) -> None:
        self._kept_seq = kept.seq
        self.view = replace(self.view, spaces=dict(kept.spaces))
        if kept.model is not None:
            self.view = replace(self.view, attributes=AttributeModel.from_bytes(kept.model))
            self._artifacts = kept.model, None

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
        # Vectors and words first: a product may be found only once all of it is there.
        self._load_vectors(self._renewed(here), self.spaces, self.view.encoders)
        self.view.words.upsert(
            np.array([c.key for c in here], np.int64), [document_of(c.product) for c in here if c.product]
        )
        self.columns.set([c.key for c in here], [c.product for c in here if c.product])
        if ATTRIBUTES in self.spaces:
            self._load_attributes(np.array([c.key for c in here if c.seq > self._kept_seq], np.int64))

    def _renewed(self, here: Sequence[Change]) -> Keys:
        """Return the products whose vectors are not, or no longer, those in the indexes."""
        live = self.columns.live_among([c.key for c in here])
        known = [was or c.seq <= self._kept_seq for c, was in zip(here, live, strict=True)]
        # What changed after a snapshot was written may have been in it, or may not have been for sale then.
        unseen = np.array([c.key for c, known in zip(here, known, strict=True) if not known], np.int64)
        held: set[int] = set()
        if self._kept_seq and len(unseen):
            held.update(*(index.get(unseen)[0].tolist() for index in self.spaces.values()))
        since = max(self.seq, self._kept_seq)
        return np.array(
            [
                c.key
                for c, known in zip(here, known, strict=True)
                if c.content_seq > since or not (known or c.key in held)
            ],
            np.int64,
        )

    def _load_vectors(self, keys: Keys, spaces: Mapping[str, VectorIndex], encoders: Encoders) -> None:
        if not len(keys):
            return
        stored = self._catalog.embeddings(keys, encoders.fingerprints)
        for space, (found, vectors) in stored.items():
            spaces[space].delete(np.setdiff1d(keys, found))
            if len(found):
                spaces[space].upsert(found, vectors)

    def _load_attributes(self, keys: Keys) -> None:
        found, vectors = self.view.attributes.vectors(self.columns, keys)
        self.spaces[ATTRIBUTES].delete(np.setdiff1d(keys, found))
        self.spaces[ATTRIBUTES].upsert(found, vectors)

    def _read_artifacts(self) -> None:
        view = self._of_generation()
        learned = view.encoders.learned
        artifacts = (
            self._catalog.artifact(f"attributes{learned}"),
            self._catalog.artifact(f"calibration{learned}"),
        )
        held = self._artifacts if view is self.view else (None, None)
        if view is self.view and artifacts == held:
            return
        model, calibration = artifacts
        if model is not None and model != held[0]:
            view = self._with_attributes(view, AttributeModel.from_bytes(model))
        if calibration is not None:
            anchors = json.loads(calibration)
            calibrations = {space: Calibration(*pair) for space, pair in anchors.items()}
            view = replace(view, calibrations=calibrations)
        self.view, self._artifacts = view, artifacts

    def _of_generation(self) -> View:
        """Return the view as it is, or if the catalogue has gone over to another generation, one of all its vectors."""
        made_with = self._catalog.artifact("encoder") if self._renew else None
        if self._renew is None or made_with is None or made_with == self._made_with:
            return self.view
        encoders, now = self._renew(made_with), self.view.encoders
        if encoders is None:
            return self.view
        self._made_with = made_with
        if (encoders.signature, encoders.learned) == (now.signature, now.learned):
            return self.view
        spaces = {space: self._make_index(encoders.dim(space)) for space in EMBEDDED}
        keys = np.flatnonzero(self.columns.live)
        for start in range(0, len(keys), CHUNK):
            self._load_vectors(keys[start : start + CHUNK], spaces, encoders)
        return View(spaces, self.view.words, encoders)

    def _with_attributes(self, view: View, model: AttributeModel) -> View:
        spaces = {space: index for space, index in view.spaces.items() if space != ATTRIBUTES}
        if model.fields:
            index = self._make_index(model.dim)
            keys = np.flatnonzero(self.columns.live)
            for start in range(0, len(keys), CHUNK):
                index.upsert(*model.vectors(self.columns, keys[start : start + CHUNK]))
            spaces[ATTRIBUTES] = index
        return replace(view, spaces=spaces, attributes=model)


def learn_from(catalog: Catalog, live: LiveIndex) -> None:
    """Learn the attribute model and the calibration from a sample of the products and keep them in the catalogue.

    Deterministic: the same products, in the same order of arrival, give the same result.
    """
    live.refresh()
    sample = _spread(np.flatnonzero(live.columns.live), SAMPLE)
    families = live.columns.codes("family", sample)
    views = tuple(one_each(live.spaces[space], sample) for space in (IMAGE, TITLE))
    learned = live.view.encoders.learned
    model = learn(live.columns, Sample(sample, views, families))
    catalog.set_artifact(f"attributes{learned}", model.to_bytes())
    live.refresh()
    calibration = _calibrate(live, sample, _as_phrases(catalog, live, sample))
    catalog.set_artifact(f"calibration{learned}", json.dumps(calibration).encode())
    live.refresh()


def _as_phrases(catalog: Catalog, live: LiveIndex, sample: Keys) -> dict[str, tuple[Keys, Vectors]]:
    """Return, for each space a phrase is looked for in, titles as that space's encoder embeds phrases.

    Those in the space of titles are at hand; others are made here where an encoder of its own looks at pictures.
    """
    encoders = live.view.encoders
    phrases = dict.fromkeys(encoders.phrases, live.spaces[TITLE].get(_spread(sample, PROBES)))
    if encoders.texts is not None and IMAGE in phrases:
        held = catalog.get_many(_spread(sample, PROBES).tolist())
        titles = {key: product.title for key, product in held.items() if product.title}
        vectors = encoders.main.encode_texts(list(titles.values()))
        phrases[IMAGE] = np.fromiter(titles, np.int64), vectors
    return phrases


def _calibrate(
    live: LiveIndex, sample: Keys, phrases: Mapping[str, tuple[Keys, Vectors]]
) -> dict[str, tuple[float, float]]:
    """Measure the anchors of each space, and of each space seen from a phrase, for which titles stand in."""
    anchors = {
        space: _anchors(live, index.get(_spread(sample, PROBES)), index, sample)
        for space, index in live.spaces.items()
    }
    for space, titles in phrases.items():
        of_itself = space == TITLE
        anchors[f"{space}:text"] = (
            anchors[TITLE] if of_itself else _anchors(live, titles, live.spaces[space], sample, same=False)
        )
    return {name: pair for name, pair in anchors.items() if pair is not None}


def _anchors(
    live: LiveIndex, queries: tuple[Keys, Vectors], index: VectorIndex, sample: Keys, *, same: bool = True
) -> tuple[float, float] | None:
    """Return the median similarity of random pairs and of nearest pairs; None if there are too few products.

    `queries` are vectors by product; `same` says that they are of the index, so that each product's nearest is itself.
    Variants of one family are no neighbours: they share a title and most attributes, and would set the anchor at 1.
    """
    found, vectors = queries
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
    best = np.where(kin & same, -np.inf, nearest.similarities).max(axis=1)
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
