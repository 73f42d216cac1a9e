"""The files of a model, fetched once into a folder of its own, checked, and pinned by `lock.json`.

Only the files that are asked for are fetched, and what an ONNX file keeps its weights in beside it; none is ever run.
They come into `.parts` first, so that a fetch that breaks off goes on where it stopped, and move to their places when all are
there and right; the lock is written last. What the caller knows no SHA-256 of is checked by the one the hub gives (of large
files), and from then on by the lock: the first fetch is trusted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Final

from lookalike.adapters.model_hub_http import AGAIN, CODE, COMMIT, Remote, Repository, Told
from lookalike.adapters.model_lock import BESIDE, GRAPH, LOCK, Lock, LockedFile, lock_in, weights_beside
from lookalike.core.errors import InputError

CHUNK_BYTES: Final = 1 << 20
PARTS: Final = ".parts"
POINTER: Final = b"version https://git-lfs.github.com/spec/"
"""How the file begins that stands for a large one in a clone without git-lfs."""

Progress = Callable[[str, int, int], None]
"""Called with a file, how many bytes of it are there, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: the files of a repository by their paths in it, each with its SHA-256 if that is known."""

    name: str
    hub: str
    revision: str
    files: Mapping[str, str | None]
    hint: str = ""
    """What else there is to do when the repository does not have them."""


def read_lock(folder: Path) -> Lock | None:
    """Return what was fetched into a folder; None if that was nothing, or if the lock cannot be read."""
    try:
        return lock_in(folder)
    except (OSError, ValueError):
        return None


def here(wanted: Wanted, folder: Path) -> bool:
    """Say whether all was fetched, going by the lock and by sizes alone."""
    lock = read_lock(folder)
    if lock is None or lock.hub != wanted.hub or not lock.files.keys() >= wanted.files.keys():
        return False
    files = {folder / path: file.bytes for path, file in lock.files.items()}
    return all(file.is_file() and file.stat().st_size == size for file, size in files.items())


def check(wanted: Wanted, folder: Path) -> Lock:
    """Hash every file that was fetched; return the lock, or raise InputError naming the first that is not as it was."""
    lock = read_lock(folder)
    again = f"Fetch it: lookalike models fetch {wanted.name}"
    if lock is None or lock.hub != wanted.hub:
        raise InputError(f"model {wanted.name} was not fetched to {folder}", hint=again, code=CODE)
    for path, file in lock.files.items():
        if not _is(folder / path, file.bytes, wanted.files.get(path) or file.sha256):
            raise InputError(f"{folder / path} is damaged or of another version", hint=again, code=CODE)
    lacking = [
        path for path in (*wanted.files, *weights_beside(wanted.files, folder)) if path not in lock.files
    ]
    if lacking:
        raise InputError(f"{folder / LOCK} says nothing of {lacking[0]}", hint=again, code=CODE)
    return lock


def fetched(wanted: Wanted, folder: Path, revision: str | None = None) -> Lock | None:
    """Return the lock if all is here and right, at the commit the preset (or `revision`) pins; no network is asked."""
    try:
        lock = check(wanted, folder)
    except InputError:
        return None
    pinned = revision or (wanted.revision if re.fullmatch(COMMIT, wanted.revision) else lock.commit)
    return lock if pinned == lock.commit or (not revision and not lock.commit) else None


def fetch(
    wanted: Wanted,
    folder: Path,
    *,
    revision: str | None = None,
    mirror: str | None = None,
    progress: Progress | None = None,
) -> Lock:
    """Fetch what is not here yet; `revision` overrides the preset's, `mirror` is another hub.

    Raises InputError if it cannot be reached (within two seconds), does not have a file, or gives another file than it should;
    and if the folder cannot take them.
    """
    lock = fetched(wanted, folder, revision)
    if lock is not None:
        return lock
    repository = Repository(wanted.hub, mirror, wanted.hint)
    remotes = list(_remotes(repository, wanted, revision or wanted.revision))
    with _writing(folder) as parts:
        lacking = [remote for remote in remotes if not _right(folder / remote.path, remote, wanted)]
        _room(parts, lacking)
        staged = {}
        for remote in lacking:
            part = parts / _part(remote)
            repository.download(remote, part, _told(progress, remote.path, remote.bytes))
            known = {"the preset": wanted.files.get(remote.path), "the hub": remote.sha256}
            staged[remote.path] = part, _checked(part, remote.path, known)
        kept = {
            remote.path: LockedFile(wanted.files.get(remote.path) or remote.sha256 or "", remote.bytes)
            for remote in remotes
            if remote not in lacking
        }
        return _placed(folder, staged, Lock(wanted.hub, remotes[0].commit, kept))


def copy(wanted: Wanted, folder: Path, directory: Path, *, progress: Progress | None = None) -> Lock:
    """Copy the files from a directory that holds them as the repository does, such as a clone or a snapshot of it.

    Raises InputError if one is not there, or is another than the preset says, and if the folder cannot take them.
    """
    missing = [path for path in wanted.files if not (directory / path).is_file()]
    if missing:
        raise InputError(
            f"{directory} has no {', '.join(missing)}",
            hint=f"It must hold these files of {wanted.hub}, by their paths there. {wanted.hint}".rstrip(),
            code=CODE,
        )
    paths = list(dict.fromkeys([*wanted.files, *weights_beside(wanted.files, directory)]))
    with _writing(folder) as parts:
        staged = {}
        for number, path in enumerate(paths):
            part = parts / f"{number}.part"
            _copied(directory / path, part, _told(progress, path, (directory / path).stat().st_size))
            staged[path] = part, _checked(part, path, {"the preset": wanted.files.get(path)})
        name = directory.resolve().name  # that of a snapshot in a hub's cache is its commit
        commit = name if re.fullmatch(COMMIT, name) else ""
        return _placed(folder, staged, Lock(wanted.hub, commit, {}))


def _remotes(repository: Repository, wanted: Wanted, revision: str) -> Iterator[Remote]:
    """Ask what each file is, all of one commit."""
    commit = ""
    for path in wanted.files:
        remote = repository.ask(path, commit) if commit else repository.first(path, revision)
        commit = commit or remote.commit
        yield remote
        beside = [path + ending for ending in BESIDE] if path.endswith(GRAPH) else []
        if not wanted.files.keys() & set(beside):
            # An ONNX file has 2 GB at most; beyond that its weights are beside it.
            found = (repository.has(file, commit) for file in beside)
            yield from [weights for weights in found if weights is not None][:1]


def _right(file: Path, remote: Remote, wanted: Wanted) -> bool:
    """Say whether a file is here already; one whose SHA-256 nobody knows beforehand is fetched anew."""
    known = wanted.files.get(remote.path) or remote.sha256
    return known is not None and _is(file, remote.bytes, known)


def _placed(folder: Path, staged: Mapping[str, tuple[Path, LockedFile]], kept: Lock) -> Lock:
    """Move what was staged to its place, beside what is kept there; the old lock goes first, the new one comes last."""
    (folder / LOCK).unlink(missing_ok=True)
    for path, (part, _) in staged.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        part.replace(folder / path)
    lock = replace(kept, files=kept.files | {path: locked for path, (_, locked) in staged.items()})
    for path in weights_beside(lock.files, folder):
        if path not in lock.files:  # of an older version, which nobody could check
            (folder / path).unlink()
    written = folder / PARTS / LOCK
    with written.open("w", encoding="utf-8") as stream:
        json.dump(asdict(lock), stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    written.replace(folder / LOCK)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    return lock


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Yield the folder of parts, to this process alone; a disk that is full or closed becomes an InputError."""
    from huggingface_hub.utils import WeakFileLock

    try:
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        with WeakFileLock(folder / ".fetching", timeout=0.5):
            yield folder / PARTS
    except TimeoutError:
        raise InputError(
            f"{folder}: another process is fetching this model",
            hint="Wait until it is done, then run the same command again.",
            code=CODE,
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot put the model into {folder}: {error.filename or PARTS}: {error.strerror or error}",
            hint=f"Make room, allow access there, or name another folder by LOOKALIKE_MODELS_DIR. {AGAIN}",
            code=CODE,
        ) from None


def _room(parts: Path, remotes: list[Remote]) -> None:
    have = sum(part.stat().st_size for part in parts.iterdir())
    needed, free = sum(remote.bytes for remote in remotes) - have, shutil.disk_usage(parts).free
    if needed > free:
        raise InputError(
            f"{parts.parent} has room for {free / 1e6:,.0f} MB, the model needs {needed / 1e6:,.0f} MB",
            hint="Make room, or name a folder on another disk by LOOKALIKE_MODELS_DIR.",
            code=CODE,
        )


def _copied(source: Path, part: Path, told: Told) -> None:
    with source.open("rb") as taken, part.open("wb") as stream:
        if taken.read(len(POINTER)) == POINTER:
            raise InputError(
                f"{source} only says where the file is", hint="Run `git lfs pull` in that clone.", code=CODE
            )
        taken.seek(0)
        while chunk := taken.read(CHUNK_BYTES):
            stream.write(chunk)
            told(stream.tell())


def _checked(part: Path, path: str, known: Mapping[str, str | None]) -> LockedFile:
    """Return what a file is; raise InputError, and forget it, if one who knows its SHA-256 says otherwise."""
    found = _sha256(part)
    for who, sha256 in known.items():
        if sha256 is not None and sha256 != found:
            part.unlink()
            raise InputError(
                f"{path} is not the file that was meant: its SHA-256 begins with {found[:12]},"
                f" {who} says {sha256[:12]}",
                hint="It was damaged on the way, or changed since: fetch it again, or from elsewhere (--mirror, --revision).",
                code=CODE,
            )
    return LockedFile(found, part.stat().st_size)


def _part(remote: Remote) -> str:
    """Return a file name for what is there of a file: the same only for the same content."""
    return re.sub(r"[^\w.]", "-", f"{remote.path}-{remote.etag}")[-200:] + ".part"


def _is(file: Path, size: int, sha256: str) -> bool:
    return file.is_file() and file.stat().st_size == size and _sha256(file) == sha256


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _told(progress: Progress | None, path: str, size: int) -> Told:
    return lambda done: progress(path, done, size) if progress is not None else None
