"""Which catalogue this is, of all there are: for what is kept of it where others keep theirs."""

from __future__ import annotations

import platform
from pathlib import Path
from secrets import token_hex

import sqlalchemy as sa

from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.core.types import content_hash

MARK = "identity"
NEAR = (None, "", "localhost", "127.0.0.1", "::1")
"""Hosts of a URL that are another on each machine; none is a socket."""


def identity(catalog: SqlCatalog) -> str:
    """Return a name of an open catalogue that no other has.

    It is made of a mark drawn at random, which is written into the catalogue where there is none (and moves the change
    sequence on by one), so that one that is made anew in the same place is another; and of the place, so that a copy is
    another as well. Of a file, that is the machine, the file system and the number of the file; of a server that is reached
    as localhost, or by a socket, the machine as well. A catalogue that is put back from a backup over itself is still called
    the same.
    """
    mark = catalog.artifact(MARK)
    if mark is None:
        catalog.replace_artifact(MARK, None, token_hex(16).encode())
        mark = catalog.artifact(MARK)  # perhaps that of another process, which drew one at the same moment
    return content_hash(repr((mark, _place(catalog.database.engine.url))).encode())


def _place(url: sa.URL) -> tuple[object, ...]:
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "").stat()
        return platform.node(), file.st_dev, file.st_ino
    here = platform.node() if url.host in NEAR else ""
    return here, str(url.set(password=None).difference_update_query(["password"]))
