"""The bytes of pictures from paths, URLs and data URIs, several at a time; an `ImageLoader`.

What makes it safe is in two places: `images_fetch_address` sees to it that no URL reaches into a private network, and
`images_fetch_http` that no server holds us up or fills our memory. Here files are read and the work is shared out.
"""

from __future__ import annotations

import base64
import binascii
import re
import stat
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from lookalike.adapters.images_fetch_address import Resolve, is_any, is_public, look_up
from lookalike.adapters.images_fetch_http import UrlReader, host_of
from lookalike.core.errors import FetchError, LimitError, LookalikeError
from lookalike.core.limits import FetchLimits
from lookalike.core.types import ImageRef

__all__ = ["FetchLimits", "ImageFetcher"]

_WEB: Final = re.compile(r"https?:", re.IGNORECASE)
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_BASE64: Final = re.compile(r";\s*base64\s*$", re.IGNORECASE)
_SHOW_CHARS: Final = 200

Got = bytes | Exception


class ImageFetcher:
    """Gets pictures from files under `base` (or anywhere, by absolute path), http(s) URLs and data URIs.

    `base` is the folder relative paths start from, by default the current one. `allow_private` lets URLs lead into
    private networks. Set `allow_local` to False for references from people who may not see this machine's files.
    `resolve` looks host names up. Proxies set in the environment are not used.
    """

    def __init__(
        self,
        base: Path | None = None,
        *,
        allow_private: bool = False,
        allow_local: bool = True,
        limits: FetchLimits = FetchLimits(),  # noqa: B008 - it is frozen
        resolve: Resolve = look_up,
    ) -> None:
        self._base = base or Path()
        self._allow_local = allow_local
        self._limits = limits
        self._urls = UrlReader(limits, is_any if allow_private else is_public, resolve)

    def load(self, refs: Iterable[ImageRef]) -> list[Got]:
        """Return the bytes, or the FetchError / LimitError that says why not, for each reference, in order.

        A reference that comes with its bytes is not looked up; one that occurs several times is looked up once.
        """
        refs = list(refs)
        wanted = dict.fromkeys(ref.ref for ref in refs if ref.data is None)
        web = [ref for ref in wanted if _WEB.match(ref)]
        got = self._load_web(web) if web else {}
        got |= {ref: _attempt(self._load_here, ref) for ref in wanted if ref not in got}
        return [got[ref.ref] if ref.data is None else ref.data for ref in refs]

    def close(self) -> None:
        """Close the kept connections."""
        self._urls.close()

    def _load_web(self, urls: Iterable[str]) -> dict[str, Got]:
        """Get URLs side by side, fairly shared between hosts.

        Each host has a line of URLs. Threads take lines in turns: first every host gets one thread, then every host that has
        more to fetch a second one, and so on. A thread stays with its line until that is empty, so a slow host keeps no more
        than its share.
        """
        lines: dict[str, deque[str]] = defaultdict(deque)
        for url in urls:
            lines[host_of(url)].append(url)
        got: dict[str, Got] = {}
        turns = [
            line for turn in range(self._limits.concurrency) for line in lines.values() if len(line) > turn
        ]
        threads = ThreadPoolExecutor(min(self._limits.concurrency, len(turns)), "lookalike-fetch")
        try:
            for work in [threads.submit(self._work_off, line, got) for line in turns]:
                work.result()
        finally:
            for line in lines.values():  # after an interrupt, nothing new is begun
                line.clear()
            threads.shutdown(wait=False, cancel_futures=True)
        return got

    def _work_off(self, line: deque[str], got: dict[str, Got]) -> None:
        """Get URLs of one host until none is left."""
        while True:
            try:
                url = line.popleft()
            except IndexError:
                return
            got[url] = _attempt(self._urls.read, url)

    def _load_here(self, ref: str) -> bytes:
        """Return what needs no network: a data URI or a file."""
        if ref[:5].lower() == "data:":
            return _from_data_uri(ref, self._limits.max_bytes)
        if not self._allow_local:
            raise FetchError(
                f"{_shown(ref)} is not a web address.", hint="Files of the server are not read here."
            )
        path = self._base / _path_of(ref)
        try:
            return _read_file(path, self._limits.max_bytes)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None


def _attempt(load: Callable[[str], bytes], ref: str) -> Got:
    """Turn the failure of one picture into its result, so that it does not become the failure of the others."""
    try:
        return load(ref)
    except LookalikeError as error:
        return error
    except Exception as error:  # nothing a stranger's server says may stop the rest
        return FetchError(
            f"A picture could not be got ({type(error).__name__}).", hint="Check its path or URL."
        )


def _from_data_uri(uri: str, max_bytes: int) -> bytes:
    """Return what a data URI holds (RFC 2397)."""
    kind, comma, text = uri[5:].partition(",")
    if not comma:
        raise FetchError(
            "The data URI has no comma.", hint='It should look like "data:image/png;base64,iVBO...".'
        )
    raw = unquote_to_bytes(text)
    if _BASE64.search(kind):
        try:
            raw = base64.b64decode(b"".join(raw.split()), validate=True)
        except binascii.Error:
            raise FetchError(
                "The data URI is not correct base64.", hint="It may have been cut off."
            ) from None
    if not raw:
        raise FetchError("The data URI is empty.", hint="Give the picture's bytes after the comma.")
    if len(raw) > max_bytes:
        raise LimitError("fetch.max_bytes", f"The data URI holds more than {max_bytes:,} bytes.")
    return raw


def _path_of(ref: str) -> str:
    """Return the path a local reference means; raises FetchError for what is no path."""
    if not ref.strip():
        raise FetchError("The image reference is empty.", hint="Give a path, a URL or a data URI.")
    if ref.startswith("bytes:"):
        raise FetchError(
            "The picture came inside its row, and its bytes were not kept.", hint="Index the row again."
        )
    if ref.startswith("//"):
        raise FetchError(f"{_shown(ref)} is a URL without a scheme.", hint='Write "https:" before it.')
    if ref[:5].lower() == "file:":
        parts = urlsplit(ref)
        if parts.netloc.lower() not in ("", "localhost"):
            raise FetchError(f"{_shown(ref)} names another machine.", hint="file:///path has three slashes.")
        return url2pathname(parts.path)
    if scheme := _SCHEME.match(ref):
        raise FetchError(f"Pictures are got by http and https, not {scheme[1]}.", hint="Check the reference.")
    return ref


def _read_file(path: Path, max_bytes: int) -> bytes:
    """Return a file's bytes, looking at what it is first: to open a pipe or a device may wait for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no ordinary file"
        raise FetchError(f"{_shown(path)} is {what}.", hint="Give the path of an image file.")
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise LimitError("fetch.max_bytes", f"{_shown(path)} is larger than {max_bytes:,} bytes.")
    return data


def _unreadable(path: Path, error: OSError | ValueError) -> FetchError:
    """Make the error for a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        hint = "Check the path; relative ones start from the file that names them, or from where you are."
        return FetchError(f"There is no file {_shown(path)}.", hint=hint)
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return FetchError(
        f"{_shown(path)} cannot be read: {reason.lower()}.", hint="Check the path and its permissions."
    )


def _shown(ref: str | Path) -> str:
    """Return a path as it may be shown, not endless."""
    text = str(ref)
    return text if len(text) <= _SHOW_CHARS else text[: _SHOW_CHARS - 3] + "..."
