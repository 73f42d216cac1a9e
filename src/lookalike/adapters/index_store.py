"""The vector indexes of one catalogue as snapshots in a folder: what `engine.snapshots` asks for, over any segmented index."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lookalike.adapters.index_segments import SegmentedIndex
from lookalike.adapters.index_snapshot import Opened, SnapshotFolder, Unusable, Writing
from lookalike.core.ports import VectorIndex

log = logging.getLogger("lookalike.snapshots")

Head = Mapping[str, Any]


class IndexStore:
    """Snapshots of indexes that `make_index` makes. With `verify` all of every file is read before one is opened."""

    def __init__(
        self, folder: Path, make_index: Callable[[int], VectorIndex], *, verify: bool = False
    ) -> None:
        self._snapshots = SnapshotFolder(folder)
        self._make_index = make_index
        self._verify = verify
        self._in_use: Opened | None = None

    def heads(self) -> Sequence[Head]:
        """Return what the snapshots that are there say of themselves, the newest first; their files are not looked at."""
        return [snapshot.head for snapshot in self._snapshots.newest()]

    def open(self, refused: Callable[[Head], str]) -> tuple[Head, dict[str, VectorIndex]] | None:
        """Open the newest snapshot that is whole, and of which `refused` does not say why it is not wanted."""
        for snapshot in self._snapshots.newest():
            try:
                if why := refused(snapshot.head):
                    raise Unusable(why)
                snapshot.check(whole=self._verify)
                indexes = self._opened(snapshot)
            except Unusable as error:
                log.warning("the index snapshot %s is not used: %s", snapshot.folder, error)
            # Its checksums are right, and yet FAISS or we cannot read it: other versions wrote it.
            except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, OSError) as error:
                log.warning(
                    "the index snapshot %s cannot be read, and is not used: %r", snapshot.folder, error
                )
            else:
                self._in_use = snapshot
                log.info("the index begins with the snapshot %s", snapshot.folder)
                return snapshot.head, indexes
        return None

    def _opened(self, snapshot: Opened) -> dict[str, VectorIndex]:
        indexes: dict[str, VectorIndex] = {}
        for space, head in snapshot.head["indexes"].items():
            index = self._make_index(head["dim"])
            if not isinstance(index, SegmentedIndex):
                raise Unusable(f"a {type(index).__name__} cannot be opened from files")
            index.take(snapshot, space, head)
            indexes[space] = index
        return indexes

    def intact(self) -> bool:
        """Read all of the snapshot in use; if it is not what was written, take it away and return False."""
        if self._in_use is None:
            return True
        try:
            self._in_use.check(whole=True)
        except Unusable as error:
            if not self._in_use.folder.exists():
                return True  # newer ones have taken its place, and what is mapped is still there
            log.error("the index snapshot %s is damaged: %s", self._in_use.folder, error)
            self._snapshots.forget(self._in_use)
            return False
        return True

    def settle(self, spaces: Mapping[str, VectorIndex]) -> None:
        """Wait until these indexes have nothing left to do in the background."""
        for index in spaces.values():
            if isinstance(index, SegmentedIndex):
                index.settle()

    def frozen(self, spaces: Mapping[str, VectorIndex]) -> Callable[..., bool]:
        """Return what saves these indexes as they are at this moment: see `save`, of which the first argument is given."""
        held = {space: index.frozen() for space, index in spaces.items() if isinstance(index, SegmentedIndex)}

        def save(head_of: Callable[[Sequence[Head]], Head | None], before: Callable[[Head], None]) -> bool:
            return self._save(held, head_of, before)

        return save

    def _save(
        self,
        held: Mapping[str, SegmentedIndex],
        head_of: Callable[[Sequence[Head]], Head | None],
        before: Callable[[Head], None],
    ) -> bool:
        def fill(into: Writing) -> Head | None:
            head = head_of(self.heads())
            if head is None:
                return None
            return {**head, "indexes": {space: index.save(into, space) for space, index in held.items()}}

        return self._snapshots.write(fill, before)
