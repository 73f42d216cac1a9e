"""The follower with a real live index: what others write becomes searchable by itself, whatever fails in between."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import active_count
from time import monotonic, time

import numpy as np
import pytest
from made_shop import MadeShop, made_records

from lookalike.adapters.catalog_memory import MemoryCatalog
from lookalike.adapters.index_memory import MemoryIndex
from lookalike.core.errors import CatalogError
from lookalike.core.types import Change
from lookalike.engine import follow as module
from lookalike.engine.follow import Follower
from waiting import until

PATIENCE_S = 30.0


class Flaky(MemoryCatalog):
    """A catalogue that fails on demand."""

    failure: Exception | None = None

    def changes(self, after_seq: int, limit: int = 2000) -> Sequence[Change]:
        if self.failure is not None:
            raise self.failure
        return super().changes(after_seq, limit)


def live_count(shop: MadeShop) -> int:
    return int(np.count_nonzero(shop.live.columns.live))


def test_what_others_write_becomes_searchable_by_itself() -> None:
    records = made_records(40)
    shop = MadeShop(records[:20], MemoryIndex)
    moments: list[float] = []
    follower = Follower(shop.live.refresh, 0.01, moments.append)
    try:
        before = live_count(shop)
        shop.catalog.write(records[20:])
        written = time()
        until(lambda: bool(moments) and moments[-1] > written, PATIENCE_S)
        # Told a moment after the write, all of it can be found.
        assert shop.live.seq == shop.catalog.sequence()
        assert live_count(shop) - before == sum(record.product.active for record in records[20:])
        shop.catalog.delete([record.product.id for record in records])
        until(lambda: live_count(shop) == 0, PATIENCE_S)
    finally:
        threads = active_count()
        follower.close()
    assert active_count() == threads - 1
    assert moments == sorted(moments)


@pytest.mark.parametrize(
    ("failure", "traceback"),
    [(CatalogError("the database is gone"), False), (RuntimeError("a bug"), True)],
    ids=["database", "bug"],
)
def test_it_survives_what_fails_and_says_so(
    failure: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Flaky()
    records = made_records(30)
    shop = MadeShop(records[:10], MemoryIndex, catalog)
    moments: list[float] = []
    with caplog.at_level(logging.INFO, module.log.name):
        follower = Follower(shop.live.refresh, 0.01, moments.append)
        try:
            until(lambda: bool(moments), PATIENCE_S)
            catalog.failure = failure
            catalog.write(records[10:])
            until(lambda: len(caplog.records) >= 3, PATIENCE_S)
            told = len(moments)
            assert shop.live.seq < catalog.sequence()
            assert len(moments) == told, "nothing is fresh while nothing can be read"
            catalog.failure = None
            until(lambda: shop.live.seq == catalog.sequence() and len(moments) > told, PATIENCE_S)
            until(lambda: "again" in caplog.records[-1].getMessage(), PATIENCE_S)
        finally:
            follower.close()
    first = caplog.records[0]
    assert str(failure) in first.getMessage() and bool(first.exc_info) == traceback


def test_it_asks_ever_more_rarely_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def fail() -> None:
        looks.append(monotonic())
        raise CatalogError("gone")

    monkeypatch.setattr(module, "MAX_WAIT_S", 0.4)
    follower = Follower(fail, 0.02, lambda moment: None)
    until(lambda: len(looks) >= 7, PATIENCE_S)
    follower.close()
    pauses = np.diff(looks)
    for pause, least in zip(pauses, (0.04, 0.08, 0.16, 0.32, 0.4, 0.4), strict=False):
        assert pause >= least - 0.01


def test_it_ends_at_once_however_long_it_would_wait() -> None:
    started = monotonic()
    follower = Follower(lambda: None, 1000.0, lambda moment: None)
    follower.close()
    assert monotonic() - started < PATIENCE_S
