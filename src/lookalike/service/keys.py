"""API keys: `lk_<id>_<secret>`, shown once, kept as hashes in a small JSON file.

The hash is one SHA-256. Slow, salted hashes protect what people choose; a secret of 192 random bits can neither be guessed
nor looked up in a table, so it needs no salt, and a fast hash lets every request be checked anew. What is compared is the
hash, in constant time, so that the time of a refusal says nothing.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Annotated, Literal, get_args

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from lookalike.core.errors import InputError

try:
    from fcntl import LOCK_EX, flock
except ImportError:  # Windows; there, run one `lookalike keys` at a time
    flock = None  # type: ignore[assignment]

Scope = Literal["search", "write", "admin"]
"""What a key may do: ask, change products, or everything."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
KEYS_FILE = Path("lookalike-keys.json")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key. `hash` is the SHA-256 of all of it, 64 hex digits; `name` says whose it is."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
    name: str
    scopes: tuple[Scope, ...]
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created: AwareDatetime
    expires: AwareDatetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Say whether it may do this; "admin" may do everything."""
        return scope in self.scopes or "admin" in self.scopes

    def expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires is not None and self.expires <= now


_KEYS = TypeAdapter(tuple[Key, ...])
_SAID = {"string_pattern_mismatch": "it is not as it was written"}
"""What pydantic says in regular expressions, in words."""


def new_key(name: str, scopes: Iterable[str], *, expires: datetime | None = None) -> tuple[str, Key]:
    """Make a key: the text, which is kept nowhere, and the record to keep. Raises InputError for an unknown scope."""
    wanted = tuple(scope for scope in SCOPES if scope in set(scopes))
    unknown = sorted(set(scopes).difference(SCOPES))
    if unknown or not wanted:
        raise InputError(
            f"there is no scope {unknown[0]!r}" if unknown else "a key without a scope opens nothing",
            hint=f"Scopes are {', '.join(SCOPES)}; admin may do everything.",
        )
    id_ = secrets.token_hex(4)
    text = f"lk_{id_}_{secrets.token_hex(24)}"
    return text, Key(id_, name, wanted, _hash(text), datetime.now(UTC).replace(microsecond=0), expires)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


# --- the file ---------------------------------------------------------------------------------------------------------


def read_keys(path: Path) -> dict[str, Key]:
    """Read the keys by id, none if there is no file. Raises InputError for a file that holds something else."""
    try:
        return {key.id: key for key in _KEYS.validate_json(path.read_bytes())}
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the file"
        raise InputError(
            f"{path.absolute()} holds no API keys: {place}: {_SAID.get(first['type'], first['msg'])}",
            hint="It is written by: lookalike keys new. Mend it or move it away.",
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check its owner and mode.") from None


def add_key(path: Path, key: Key) -> None:
    """Write a key to the file, beside those in it."""
    with _alone(path):
        keys = read_keys(path)
        if key.id in keys:  # one in four thousand million, and yet
            raise InputError(f"there is a key {key.id} already", hint="Make another.")
        _write(path, {**keys, key.id: key})


def revoke_key(path: Path, id_: str) -> Key:
    """Take a key out of the file; raise InputError for an id that is not in it."""
    with _alone(path):
        keys = read_keys(path)
        if id_ not in keys:
            raise InputError(f"{path} holds no key {id_}", hint="See: lookalike keys list")
        key = keys.pop(id_)
        _write(path, keys)
        return key


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let nobody else change the file meanwhile: two that read the same would undo what the other wrote.

    The lock is on a file of its own, which stays, as the other one is replaced by each change.
    """
    lock = path.with_name(f"{path.name}.lock")
    lock.touch(0o600)  # who cannot open it cannot hold it
    with lock.open("rb+") as file:
        if flock is not None:
            flock(file, LOCK_EX)
        yield


def _write(path: Path, keys: Mapping[str, Key]) -> None:
    """Replace the file in one step: a service that reads it meanwhile sees all of the old or all of the new."""
    data = _KEYS.dump_json(tuple(keys.values()), indent=2)
    with NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:  # made with mode 0600
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


# --- while serving ----------------------------------------------------------------------------------------------------


class KeyRing:
    """The keys of a file, as it is now: a revoked one opens nothing `recheck_s` later. Safe to use from threads."""

    def __init__(self, path: Path, recheck_s: float = 1.0) -> None:
        self._path = path
        self._recheck_s = recheck_s
        self._lock = Lock()
        self._stamp = _stamp(path)
        self._keys = read_keys(path)
        self._checked = time.monotonic()
        self._trouble = ""
        """Why the file could not be read lately; it is logged once."""

    def verify(self, text: str) -> Key | None:
        """Return the key that this text is, None if it is unknown, revoked or expired."""
        id_ = text.removeprefix("lk_").partition("_")[0]
        key = self.keys().get(id_)
        if key is None or not hmac.compare_digest(_hash(text), key.hash):
            return None
        return None if key.expired(datetime.now(UTC)) else key

    def keys(self) -> Mapping[str, Key]:
        """Return the keys by id. A file that became unreadable changes nothing; one that is gone takes all keys along."""
        with self._lock:
            now = time.monotonic()
            if now - self._checked >= self._recheck_s:
                self._checked = now
                stamp = _stamp(self._path)
                if stamp != self._stamp:
                    self._read(stamp)
            return self._keys

    def _read(self, stamp: tuple[int, int, int] | None) -> None:
        """Read the file; if that fails it is tried again at the next look, or a revocation could be missed for good."""
        try:
            self._keys = read_keys(self._path)
        except InputError as error:
            if str(error) != self._trouble:
                _log.error("API keys stay as they were: %s", error)
            self._trouble = str(error)
        else:
            self._stamp, self._trouble = stamp, ""


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def keys_needed(host: str, setting: bool | None) -> bool:
    """Say whether callers need keys: as the setting says, or else whenever others than this machine can call."""
    if setting is not None:
        return setting
    try:
        return not ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:  # a name: only this one is sure to stay here
        return host.lower() != "localhost"


def open_keys(path: Path, host: str, setting: bool | None) -> KeyRing | None:
    """Return the keys that callers need, None if they need none. Raises InputError if they do and there are none."""
    if not keys_needed(host, setting):
        return None
    ring = KeyRing(path)
    now = datetime.now(UTC)
    if all(key.expired(now) for key in ring.keys().values()):
        why = (
            "keys are switched on"
            if setting
            else f"others can reach the service at {host or 'every address'}"
        )
        place = path.absolute()
        raise InputError(
            f"callers need API keys, because {why}, and {place} holds no valid one",
            hint=f"Make one: lookalike keys new NAME --scope search --keys {place}. Or listen on 127.0.0.1, or switch "
            "keys off with LOOKALIKE_SERVICE__REQUIRE_KEYS=false if a proxy before the service checks who calls.",
        )
    return ring
