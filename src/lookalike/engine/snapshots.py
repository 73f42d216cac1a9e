"""The indexes of a catalogue, kept on disk, so that opening it begins with them instead of with nothing.

A snapshot is of one moment of the change sequence; what changed since is brought in as ever. Numbers alone do not tell which
moment of which catalogue that is: a catalogue may be put back from a backup, and then count the same numbers once more. So each
snapshot bears a mark drawn at random, which is also written into the catalogue, after all it was made of and before it counts.
A catalogue that has the mark has everything the snapshot was made of; a foreign one, or one put back, does not have it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import randbits, token_hex
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from lookalike.core.errors import LookalikeError
from lookalike.core.ports import Catalog, VectorIndex
from lookalike.core.types import ATTRIBUTES, contents
from lookalike.engine.encoders import EMBEDDED, Encoders

log = logging.getLogger("lookalike.snapshots")

LEAST_VECTORS = 20_000
"""With fewer, all spaces together, reading the vectors from the catalogue takes no time worth a file."""
WORTH = 0.05
"""A snapshot is written when so large a share of the vectors may have changed since the last."""
QUIET_S = 2.0
"""After work on one space, so long is waited for that on others to end as well."""

CHUNK, FEW = 20_000, 8
"""Products read at a time, and those of each space whose vectors are looked at, to plan."""

Head = Mapping[str, Any]
"""What a snapshot says of itself: `seq`, `mark`, `made_of`, `learned` and, from whoever wrote the files, `indexes`."""


class Saving(Protocol):
    """Writes indexes as they were at one moment."""

    def __call__(
        self, head_of: Callable[[Sequence[Head]], Head | None], before: Callable[[Head], None]
    ) -> bool:
        """Write them under the head that `head_of` makes of those of the snapshots there are; None: do not.

        `before` is called when all is written, just before it counts. False if nothing was written, or another process is
        writing.
        """
        ...


class Snapshots(Protocol):
    """Where the indexes of a catalogue are kept."""

    def heads(self) -> Sequence[Head]:
        """Return the heads of the snapshots there are, the newest first."""
        ...

    def open(self, refused: Callable[[Head], str]) -> tuple[Head, Mapping[str, VectorIndex]] | None:
        """Open the newest that is whole, and of which `refused` returns "" and not a reason; None without any."""
        ...

    def intact(self) -> bool:
        """Read all of the one that was opened; say if it is what was written, and else take it away."""
        ...

    def settle(self, spaces: Mapping[str, VectorIndex]) -> None:
        """Wait until these indexes have nothing left to do in the background."""
        ...

    def frozen(self, spaces: Mapping[str, VectorIndex]) -> Saving:
        """Return what saves these indexes as they are now, while they go on changing."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Indexes as they were at a moment of the change sequence; those of attributes only beside the `model` they are made by."""

    seq: int
    spaces: Mapping[str, VectorIndex]
    model: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The indexes of a catalogue, all of one moment.

    `rows` counts their vectors; `learned` says by space of how many the index learned, and `made_of` what they were made by.
    """

    seq: int
    rows: int
    learned: Mapping[str, int]
    made_of: Mapping[str, str]
    saving: Saving

    @classmethod
    def of(
        cls, seq: int, spaces: Mapping[str, VectorIndex], made_of: Mapping[str, str], snapshots: Snapshots
    ) -> Moment:
        """Hold indexes as they are now; nobody may be changing them."""
        # In this order: cells that are done meanwhile are saved once more, not taken for saved.
        rows, learned = sum(len(index) for index in spaces.values()), _learned(spaces)
        return cls(seq, rows, learned, made_of, snapshots.frozen(spaces))


def made_of(encoders: Encoders, model: bytes | None) -> dict[str, str]:
    """Say, by space, what vectors are made by: an encoder's fingerprint, or for attributes a digest of the model."""
    digest = blake2b(model, digest_size=16).hexdigest() if model is not None else ""
    return {space: encoders.fingerprints.get(space, "") for space in EMBEDDED} | {ATTRIBUTES: digest}


def open_kept(catalog: Catalog, snapshots: Snapshots, encoders: Encoders) -> Kept | None:
    """Open the newest snapshot of this very catalogue whose vectors these encoders made; None if there is none."""
    model = catalog.artifact(f"attributes{encoders.learned}")
    wanted = made_of(encoders, model)

    def refused(head: Head) -> str:
        if not is_of(head, catalog):
            return "it is of another catalogue, or of what this one was before it was put back"
        others = [space for space in EMBEDDED if head["made_of"].get(space) != wanted[space]]
        if others or not set(EMBEDDED) <= set(head["indexes"]):
            return f"its vectors of {', '.join(others) or 'some space'} were made by another encoder"
        return ""

    began = perf_counter()
    found = snapshots.open(refused)
    if found is None:
        return None
    head, indexes = found
    spaces = dict(indexes)
    if head["made_of"].get(ATTRIBUTES) != wanted[ATTRIBUTES]:
        spaces.pop(ATTRIBUTES, None)
    rows, took_ms = sum(len(index) for index in spaces.values()), (perf_counter() - began) * 1e3
    log.info("%d vectors of sequence number %d opened in %.0f ms", rows, head["seq"], took_ms)
    return Kept(head["seq"], spaces, model if ATTRIBUTES in spaces else None)


def is_of(head: Head, catalog: Catalog) -> bool:
    """Tell whether a catalogue has the mark of a snapshot: then everything that was made of is in it."""
    name, number = head["mark"]
    return catalog.position(name) == int(number) and int(head["seq"]) <= catalog.sequence()


def saved_segments(catalog: Catalog, snapshots: Snapshots) -> Mapping[str, Mapping[str, Any]]:
    """Return, by space, what the newest snapshot of a catalogue says of the large part of its index; nothing without one."""
    head = next((head for head in snapshots.heads() if is_of(head, catalog)), None)
    return {} if head is None else {space: each["segments"][0] for space, each in head["indexes"].items()}


def count_vectors(
    catalog: Catalog, fingerprints: Mapping[str, str]
) -> tuple[int, dict[str, tuple[int, int]]]:
    """Return how many products can be found, and how many vectors each space should have, and of which length.

    Spaces without any are left out. Reads all products, and the vectors of few.
    """
    counts: Counter[str] = Counter()
    some: dict[str, list[int]] = {}
    after = products = 0
    while changes := catalog.changes(after, CHUNK):
        after = changes[-1].seq
        for change in changes:
            if change.product is None or not change.product.active:
                continue
            products += 1
            for space, hashes in contents(change.product).items():
                counts[space] += len(hashes)
                if hashes and len(held := some.setdefault(space, [])) < FEW:
                    held.append(change.key)
    keys = np.unique([key for held in some.values() for key in held]).astype(np.int64)
    found = catalog.embeddings(keys, fingerprints) if len(keys) else {}
    dims = {space: vectors.shape[1] for space, (_, vectors) in found.items() if len(vectors)}
    return products, {space: (counts[space], dim) for space, dim in dims.items()}


class Live(Protocol):
    """What `indexing.LiveIndex` is to this module."""

    @property
    def spaces(self) -> Mapping[str, VectorIndex]:
        """Its indexes as they are now."""
        ...

    def moment(self, snapshots: Snapshots) -> Moment | None:
        """Return its indexes, all of one moment; None while they are not."""
        ...

    def reload(self) -> None:
        """Read all vectors from the catalogue anew."""
        ...


class Keeper:
    """Opens the newest snapshot, and writes new ones in a thread when enough has changed; it looks when `wanted` is set.

    First the thread reads all of the snapshot that was opened: of large files, opening has looked at samples only.
    """

    def __init__(self, catalog: Catalog, wanted: Event, snapshots: Snapshots, encoders: Encoders) -> None:
        self._catalog = catalog
        self._wanted = wanted
        self._snapshots = snapshots
        self.kept = open_kept(catalog, snapshots, encoders)
        """What was opened, for the live index to begin with."""
        self._saved: tuple[int, Mapping[str, int]] = (0, {})
        if self.kept is not None:
            self._saved = self.kept.seq, _learned(self.kept.spaces)
        self._one = Lock()
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self, live: Live) -> None:
        """Keep the indexes of a live index from now on."""
        self._thread = Thread(target=self._keep, args=[live], name="snapshots", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, after the snapshot it may be at."""
        self._closed.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def save(self, live: Live) -> None:
        """Wait for what indexes do in the background, and write a snapshot, unless the last is of this moment."""
        self._guarded(lambda: self._snapshots.settle(live.spaces))
        self._save(live, least_share=0.0)

    def _keep(self, live: Live) -> None:
        self._guarded(lambda: self._read_whole(live))
        while not self._closed.is_set():
            self._wanted.wait()
            while not self._closed.is_set() and self._wanted.is_set():
                self._wanted.clear()
                self._closed.wait(QUIET_S)
            if not self._closed.is_set():
                self._save(live, least_share=WORTH)

    def _read_whole(self, live: Live) -> None:
        if not self._snapshots.intact():
            log.error("all vectors are read from the catalogue anew, beside those in use")
            live.reload()
            self._saved = (0, {})

    def _save(self, live: Live, *, least_share: float) -> None:
        with self._one:
            self._guarded(lambda: self._save_now(live, least_share))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do it; what goes wrong is told, and searches go on with what they have."""
        try:
            action()
        except (LookalikeError, OSError) as error:
            log.error("no index snapshot was written: %s", error)
        except Exception:
            log.exception("no index snapshot was written")

    def _save_now(self, live: Live, least_share: float) -> None:
        moment = live.moment(self._snapshots)
        if moment is None or not self._worth(moment, least_share):
            return
        began, learned = perf_counter(), moment.learned

        def head_of(heads: Sequence[Head]) -> Head | None:
            ours = next((head for head in heads if is_of(head, self._catalog)), None)
            gone_on = moment.seq - ours["seq"] if ours is not None else 0
            if ours is not None and ours.get("learned") == learned and gone_on <= least_share * moment.rows:
                return None  # another process was faster
            return {
                "seq": moment.seq,
                "mark": _next_mark(ours),
                "made_of": moment.made_of,
                "learned": learned,
            }

        if moment.saving(head_of, lambda head: self._catalog.set_position(*head["mark"])):
            log.info(
                "index snapshot of sequence number %d written in %.1f s", moment.seq, perf_counter() - began
            )
        self._saved = moment.seq, learned

    def _worth(self, moment: Moment, least_share: float) -> bool:
        seq, learned = self._saved
        if moment.rows < LEAST_VECTORS:
            return False
        if learned != moment.learned:
            return True
        return moment.seq > seq and moment.seq - seq >= least_share * moment.rows


def _learned(spaces: Mapping[str, VectorIndex]) -> dict[str, int]:
    return {space: index.learned for space, index in spaces.items()}


def _next_mark(last: Head | None) -> tuple[str, int]:
    """Draw a mark, under another name than the last: so that stays good for as long as it may be fallen back on."""
    if last is None:
        return f"snapshots:{token_hex(8)}:0", randbits(62)
    name, _, turn = last["mark"][0].rpartition(":")
    return f"{name}:{1 - int(turn)}", randbits(62)
