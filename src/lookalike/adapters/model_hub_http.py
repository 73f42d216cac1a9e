"""Asking a hub of the Hugging Face kind for single files of one repository.

HEAD and GET of ENDPOINT/OWNER/NAME/resolve/REVISION/PATH, where the answer's headers say what the file is: `X-Repo-Commit`, the
commit; `X-Linked-Etag` (large files: their SHA-256) or `ETag`; `X-Linked-Size` or `Content-Length`. Names, tokens and errors
are those of `huggingface_hub`, as are its settings (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE). Its own download is not used:
without a network it tries for 20 seconds and more, and it begins a broken file anew when it is run again.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import urlsplit

from lookalike.core.errors import InputError

CODE: Final = "model"
REACHED_WITHIN_S: Final = 1.5
"""How long the first answer may take in all, the look-up of the host's name included, unless HF_HUB_ETAG_TIMEOUT says it."""
ANSWERED_WITHIN_S: Final = 10
PAUSE_S: Final = 1.0
COMMIT: Final = "[0-9a-f]{40}"
TRIES: Final = 3
"""How often a download may stop in a row without a single byte more."""
AGAIN: Final = "Run the same command again: it goes on where it stopped."

Told = Callable[[int], None]
"""Called with how many bytes of a file are there."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as the hub has it at one commit."""

    path: str
    commit: str
    etag: str
    bytes: int

    @property
    def sha256(self) -> str | None:
        """The hub's own SHA-256: it knows that of files kept in LFS (the large ones), as their ETag."""
        return self.etag if re.fullmatch(r"[0-9a-f]{64}", self.etag) else None


class Repository:
    """One repository of a hub; `endpoint` is a mirror's address, by default that of the hub itself (or HF_ENDPOINT).

    `hint` is what else there is to do when a file is not there.
    """

    def __init__(self, name: str, endpoint: str | None = None, hint: str = "") -> None:
        # What takes its time to load is loaded before the time of an answer runs.
        from huggingface_hub import constants, get_hf_file_metadata, get_session

        self._metadata, self._session = get_hf_file_metadata, get_session()
        self.name = name
        self.endpoint = _address(endpoint) if endpoint else str(constants.ENDPOINT)
        self._hint = hint
        # A mirror is not who the token was made for.
        self._token = False if endpoint else None

    def first(self, path: str, revision: str) -> Remote:
        """Ask what a file is, as the first question: a hub that is out of reach is known to be so within two seconds."""
        from huggingface_hub import constants

        given = "HF_HUB_ETAG_TIMEOUT" in os.environ
        seconds = float(constants.HF_HUB_ETAG_TIMEOUT) if given else REACHED_WITHIN_S
        with self._said(path, revision):
            return _within(seconds, lambda: self._asked(path, revision, seconds))

    def ask(self, path: str, commit: str) -> Remote:
        """Ask what a file is; raise InputError if it is not there, or if there is no answer."""
        with self._said(path, commit):
            return self._asked(path, commit, ANSWERED_WITHIN_S)

    def has(self, path: str, commit: str) -> Remote | None:
        """Ask what a file is that need not be there."""
        from huggingface_hub.errors import HfHubHTTPError

        with self._said(path, commit):
            try:
                return self._asked(path, commit, ANSWERED_WITHIN_S)
            except HfHubHTTPError as error:
                if error.response.status_code == 404:
                    return None
                raise

    def download(self, remote: Remote, part: Path, told: Told) -> None:
        """Append to `part` what it lacks of a file; raise InputError if that cannot be got, OSError if not written."""
        import httpx2

        idle = 0
        part.touch()  # a file may be empty
        while (begun := _size(part)) < remote.bytes:
            with self._said(remote.path, remote.commit):
                try:
                    self._append(remote, part, told)
                except httpx2.TransportError:
                    if idle == TRIES - 1:
                        raise
            idle = 0 if _size(part) > begun else idle + 1
            if idle == TRIES:
                raise self._broken(f"{remote.path} ends after {_size(part):,} of {remote.bytes:,} bytes")
            if _size(part) < remote.bytes:
                time.sleep(PAUSE_S)

    def _append(self, remote: Remote, part: Path, told: Told) -> None:
        from huggingface_hub.utils import hf_raise_for_status

        have = _size(part)
        headers = self._headers() | ({"range": f"bytes={have}-"} if have else {})
        url = self._url(remote.path, remote.commit)
        with self._session.stream("GET", url, headers=headers, timeout=ANSWERED_WITHIN_S) as response:
            if response.status_code == 416:
                part.unlink()
                return
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            have = have if response.status_code == 206 else 0
            with part.open("ab" if have else "wb") as stream:
                for chunk in response.iter_raw():
                    have += len(chunk)
                    if have > remote.bytes:
                        raise self._broken(f"{remote.path} is longer than the {remote.bytes:,} bytes it said")
                    stream.write(chunk)
                    stream.flush()  # what is told is there, also for whoever goes on after we were killed
                    told(have)

    def _asked(self, path: str, revision: str, timeout_s: float) -> Remote:
        found = self._metadata(
            self._url(path, revision), token=self._token, timeout=timeout_s, endpoint=self.endpoint
        )
        if not re.fullmatch(COMMIT, found.commit_hash or "") or not found.etag or found.size is None:
            raise InputError(
                f"{self.endpoint} does not answer as a hub does: no commit, ETag or size of {path}",
                hint="Give the address of a hub, or a directory with the files: --from DIR.",
                code=CODE,
            )
        return Remote(path, found.commit_hash, found.etag, found.size)

    def _url(self, path: str, revision: str) -> str:
        from huggingface_hub import hf_hub_url

        return str(hf_hub_url(self.name, path, revision=revision, endpoint=self.endpoint))

    def _headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers

        return {**build_hf_headers(token=self._token), "accept-encoding": "identity"}

    @contextmanager
    def _said(self, path: str, revision: str) -> Iterator[None]:
        """Turn what can go wrong between here and the hub into an error for people."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            yield
        except HfHubHTTPError as error:
            raise self._refused(error, path, revision) from None
        except OfflineModeIsEnabled:
            raise InputError(
                "HF_HUB_OFFLINE says that no hub is to be asked",
                hint="Unset it, or copy the files from a directory: --from DIR.",
                code=CODE,
            ) from None
        except (httpx2.RequestError, TimeoutError) as error:
            raise self._broken(str(error) or type(error).__name__) from None

    def _broken(self, reason: str) -> InputError:
        return InputError(
            f"cannot get {self.name} from {self.endpoint}: {reason}",
            hint="Without a way to that hub take a directory that holds the repository's files, --from DIR, or another hub, "
            f"--mirror URL. A slow network wants HF_HUB_ETAG_TIMEOUT=10 in the environment. {AGAIN}",
            code=CODE,
        )

    def _refused(self, error: Any, path: str, revision: str) -> InputError:
        from huggingface_hub import errors

        status = error.response.status_code
        where = f"{self.name} at {self.endpoint}"
        other = " ".join(filter(None, ("Take the files from a directory, --from DIR.", self._hint)))
        kinds: tuple[tuple[type[Exception], str, str], ...] = (
            (errors.GatedRepoError, f"{where} is open only to who agreed to its terms",
             "Agree on its page, then set HF_TOKEN to a token of yours."),
            (errors.RepositoryNotFoundError, f"there is no {where}, or it is not public", other),
            (errors.RevisionNotFoundError, f"{where} has no revision {revision}",
             "Give a branch, tag or commit it has: --revision."),
        )  # fmt: skip
        for kind, message, hint in kinds:
            if isinstance(error, kind):
                return InputError(message, hint=hint, code=CODE)
        if status == 404:
            return InputError(f"{where} has no file {path} (revision {revision})", hint=other, code=CODE)
        hint = "Set HF_TOKEN to a token that may read it." if status in (401, 403) else f"Try later. {AGAIN}"
        return InputError(f"{where} answers {status} for {path}", hint=hint, code=CODE)


def _address(given: str) -> str:
    try:
        parts = urlsplit(given)
        if parts.scheme in ("http", "https") and parts.hostname:
            return given.rstrip("/")
    except ValueError:  # such as http://[
        pass
    raise InputError(
        f"{given!r} is no address of a hub",
        hint="Write it with its scheme, such as --mirror https://hub.example.com.",
        code=CODE,
    )


def _within(seconds: float, ask: Callable[[], Remote]) -> Remote:
    """Ask in a thread of its own, for nothing else can break off the look-up of a name."""
    answers: SimpleQueue[Remote | Exception] = SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except Exception as error:  # it is raised where it is waited for
            answers.put(error)

    threading.Thread(target=run, daemon=True, name="lookalike-hub").start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
