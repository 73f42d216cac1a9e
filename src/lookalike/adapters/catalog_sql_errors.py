"""What a database says when it fails, and what we say instead: one table, looked up by the driver's own error code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import exc

from lookalike.core.errors import CatalogError


class Failure(NamedTuple):
    """One way to fail: `states` are beginnings of SQLite error names or of PostgreSQL's SQLSTATE."""

    states: tuple[str, ...]
    code: str
    what: str
    hint: str


FAILURES = (
    Failure(
        ("SQLITE_FULL", "53100"),
        "catalog.full",
        "has no room left on its disk",
        "Free some disk space and run this again; nothing of the failed write was kept.",
    ),
    Failure(
        ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01"),
        "catalog.locked",
        "is locked by another process",
        "Wait until the other process is done with it, or stop that process, and run this again.",
    ),
    Failure(
        ("SQLITE_READONLY", "25006", "42501"),
        "catalog.readonly",
        "may not be written to",
        "Give this user the right to write to the database (for SQLite: the file and its folder).",
    ),
    Failure(
        ("SQLITE_NOTADB",),
        "catalog.not_a_database",
        "is not a database",
        "Name another file; `lookalike index SOURCE --shop PATH` makes a catalogue there.",
    ),
    Failure(
        ("SQLITE_CORRUPT", "XX001", "XX002"),
        "catalog.damaged",
        "is damaged",
        "Restore a backup, or make it anew with `lookalike index SOURCE --shop PATH`.",
    ),
    Failure(
        ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"),
        "catalog.unreachable",
        "cannot be opened",
        "Check that the path is a file in a folder this user may write to.",
    ),
    Failure(
        ("28",),
        "catalog.refused",
        "refuses this user or password",
        "Check the user and the password in the URL.",
    ),
    Failure(
        ("3D000",),
        "catalog.missing",
        "does not exist on the server",
        "Make the database first (`createdb NAME`), then run `lookalike index SOURCE --shop URL`.",
    ),
    Failure(
        ("08", "53300", "57P", "unreachable"),
        "catalog.unreachable",
        "cannot be reached",
        "Check that the server runs and that host, port and database in the URL are right.",
    ),
)
OTHER = Failure(
    (), CatalogError.code, "failed", "Check the database with its own tools; the cause is quoted above."
)

REFUSALS = (
    (r"authentication failed|no password supplied|role \".*\" does not exist", "28000"),
    (r"database \".*\" does not exist", "3D000"),
)


def state(error: exc.SQLAlchemyError) -> str:
    """Return the driver's code for an error: "SQLITE_BUSY", "53100", "unreachable", or "" if it gave none."""
    if isinstance(error, exc.TimeoutError):  # every pooled connection stayed in use
        return "53300"
    cause = error.orig if isinstance(error, exc.DBAPIError) else None
    found = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if found is None and isinstance(error, exc.OperationalError) and hasattr(cause, "sqlstate"):
        return refusal(str(cause))
    return found or ""


def refusal(message: str) -> str:
    """Tell apart the reasons why PostgreSQL let no connection come about; libpq gives them as text only."""
    for pattern, found in REFUSALS:
        if re.search(pattern, message):
            return found
    return "unreachable"


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn whatever the database raises inside the block into a CatalogError about `place`."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        found = state(error)
        failure = next((f for f in FAILURES if found and found.startswith(f.states)), OTHER)
        cause = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        message = f"The catalogue {place} {failure.what} ({cause[0]})."
        raise CatalogError(message, hint=failure.hint, code=failure.code) from error
