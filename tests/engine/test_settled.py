"""When the live index says that all of it is of one moment, and when it does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_shop import MadeShop, made_records

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.index_memory import MemoryIndex
from lookalike.core.errors import CatalogError
from lookalike.core.types import Change
from lookalike.engine.indexing import LiveIndex


class Watched(MemoryCatalog):
    """A catalogue that sees what the index says while it reads, and whose artifacts can fail."""

    live: LiveIndex | None = None
    fails = False

    def __init__(self) -> None:
        super().__init__()
        self.said: list[int | None] = []

    def changes(self, after_seq: int, limit: int = 2000) -> Sequence[Change]:
        self.said += [self.live.settled] if self.live else []
        return super().changes(after_seq, limit)

    def artifact(self, name: str) -> bytes | None:
        self.said += [self.live.settled] if self.live else []
        if self.fails:
            raise CatalogError("the database is gone")
        return super().artifact(name)


def test_nothing_is_settled_until_all_of_a_change_is_there() -> None:
    catalog, records = Watched(), made_records(30)
    shop = MadeShop(records[:20], MemoryIndex, catalog)
    live = catalog.live = shop.live
    assert live.settled == live.seq == catalog.sequence()
    catalog.set_artifact(
        "calibration", b'{"image": [0.1, 0.9]}'
    )  # learned by others, and then products by others
    catalog.write(records[20:])
    live.refresh()
    assert len(catalog.said) >= 3 and set(catalog.said) == {None}
    assert live.settled == live.seq == catalog.sequence()
    assert live.view.calibrations.keys() == {"image"}
    catalog.said.clear()
    live.refresh()
    assert not catalog.said and live.settled == live.seq  # nothing was new


def test_what_was_left_half_way_is_not_settled_and_done_again() -> None:
    catalog, records = Watched(), made_records(30)
    shop = MadeShop(records[:20], MemoryIndex, catalog)
    catalog.set_artifact("calibration", b'{"image": [0.1, 0.9]}')
    catalog.write(records[20:])
    catalog.fails = True
    with pytest.raises(CatalogError):
        shop.live.refresh()
    assert shop.live.settled is None
    catalog.fails = False
    shop.live.refresh()  # no product is new any more, but what was learned is
    assert shop.live.settled == catalog.sequence()
    assert shop.live.view.calibrations.keys() == {"image"}
