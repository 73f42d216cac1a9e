"""Long work beside Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def freeze_for_good() -> None:
    """Collect, and have the collector never again look at what is alive now: it is there to stay.

    A shop holds millions of objects, and to look at all of them stops every thread for as long as many searches take.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep the collector from looking at what was alive before, over and over, while many new objects come and go.

    That alone is a fifth of indexing's own time. If the program has frozen objects itself, nothing is touched.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
