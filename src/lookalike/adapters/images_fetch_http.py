"""One picture from one URL: redirects, retries, limits and deadlines (urllib3).

Every wait, each single `recv` included, ends at the deadline of the picture, so a server that sends a byte a second
gains nothing. Bytes are counted as they arrive and again as they are decompressed. Proxies set in the environment are
not used: through a proxy nobody can tell which address is reached.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urljoin

from urllib3 import PoolManager, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, InvalidHeader, LocationParseError, ReadTimeoutError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Url, make_headers, parse_url

from lookalike.adapters.images_fetch_address import Permit, Resolve, connect, is_public, look_up
from lookalike.adapters.images_fetch_connection import clock, pool_classes
from lookalike.core.errors import FetchError, LimitError
from lookalike.core.image_kinds import JSON, WEB_PAGE, looks_like
from lookalike.core.limits import FetchLimits

_MAY_PASS: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_HINTS: Final = {
    401: "The server asks for a login.",
    403: "The server refuses to give this picture to programs, or the link has expired.",
    404: "Check the URL; the picture may have been removed.",
    410: "The picture was removed.",
}
_BLOCK_BYTES: Final = 65_536
_SILENT_AFTER, _SILENT_FOR_S = 5, 30.0
"""After so many pictures in a row got no answer from a host, it is left alone for so long."""
_HOSTS_REMEMBERED: Final = 1000
_PORTS: Final = {"http": 80, "https": 443}
Place = tuple[str, int]
"""A host, and a port of it: who asks it at ports where nobody listens must not close it to others."""


class _Trouble(Exception):  # noqa: N818 - it is caught right here and tried again
    """Something that may pass. `wait_s` is how long the server asks to wait; `silent`, that it gave no answer at all."""

    def __init__(self, what: str, *, wait_s: float | None = None, silent: bool = True) -> None:
        super().__init__(what)
        self.wait_s = wait_s
        self.silent = silent


@dataclass(slots=True)
class _SilentHosts:
    """Which hosts gave no answer lately, so that one dead host does not cost its timeout for each of its pictures."""

    _in_a_row: dict[Place, tuple[int, float]] = field(default_factory=dict)
    """How often, and when last; who was silent last comes last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, place: Place) -> None:
        """Raise FetchError for a host that is being left alone."""
        count, last = self._in_a_row.get(place, (0, 0.0))
        if count >= _SILENT_AFTER and time.monotonic() - last < _SILENT_FOR_S:
            raise FetchError(
                f"{place[0]} gave no answer {count} times in a row and is left alone for {_SILENT_FOR_S:.0f} s.",
                hint="Run again when the server is back; what was got is kept.",
            )

    def note(self, place: Place, silent: bool) -> None:
        """Remember how the last picture went."""
        with self._lock:
            count, _ = self._in_a_row.pop(place, (0, 0.0))
            if silent:
                self._in_a_row[place] = (count + 1, time.monotonic())
            if len(self._in_a_row) > _HOSTS_REMEMBERED:
                del self._in_a_row[next(iter(self._in_a_row))]


class UrlReader:
    """Gets pictures from http and https URLs; connections are kept. Safe to use from several threads."""

    def __init__(self, limits: FetchLimits, permit: Permit = is_public, resolve: Resolve = look_up) -> None:
        self._limits = limits
        self._permit = permit
        self._resolve = resolve
        self._silent = _SilentHosts()
        self._manager = PoolManager(num_pools=32, maxsize=limits.concurrency)
        self._manager.pool_classes_by_scheme = pool_classes(self._dial)

    def read(self, url: str) -> bytes:
        """Return what a URL serves. Raises FetchError or LimitError, with nothing secret of the URL in the message."""
        place = _place_of(url)
        self._silent.check(place)
        clock.due = time.monotonic() + self._limits.total_timeout_s
        clock.read_timeout_s = self._limits.read_timeout_s
        silent = False
        try:
            return self._persist(url)
        except _Trouble as trouble:
            silent = trouble.silent
            raise FetchError(f"{shown(url)}: {trouble}.", hint="Try again later.") from None
        finally:
            self._silent.note(place, silent)

    def close(self) -> None:
        """Close the kept connections."""
        self._manager.clear()

    def _persist(self, url: str) -> bytes:
        """Try until it works, it is clear that it never will, attempts are used up or the time is."""
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return self._follow(url)
            except _Trouble as trouble:
                wait_s = trouble.wait_s
                if wait_s is None:
                    wait_s = self._limits.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                if attempt == self._limits.attempts:
                    raise
                if time.monotonic() + wait_s >= clock.due:
                    limit = f"{trouble}, and total_timeout_s ({self._limits.total_timeout_s:g} s) is used up"
                    if trouble.wait_s is not None:
                        limit = (
                            f"{trouble} and asks to wait {wait_s:.0f} s, longer than total_timeout_s allows"
                        )
                    raise _Trouble(limit, silent=trouble.silent) from None
                time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _follow(self, url: str) -> bytes:
        """Get a URL, by way of redirects."""
        seen: list[str] = []
        while len(seen) <= self._limits.max_redirects:
            if url in seen:
                raise FetchError(
                    f"{shown(url)} redirects in a loop.", hint="Open it in a browser and use where it leads."
                )
            seen.append(url)
            response = self._ask(url)
            try:
                location = response.get_redirect_location()
                if not location:
                    data = self._body(url, response)
                    response.release_conn()
                    return data
                url = _joined(url, location)
            except HTTPError as error:
                raise self._trouble(error) from None
            finally:
                response.close()  # which leaves a connection alone that was released
        raise FetchError(
            f"{shown(seen[0])} redirects more than {self._limits.max_redirects} times.",
            hint="Use the URL it leads to, or raise the setting max_redirects.",
        )

    def _ask(self, url: str) -> BaseHTTPResponse:
        """Send a request and read the head of the answer."""
        parts = _parsed(url)
        headers = {
            "Accept": "image/jpeg,image/png,image/webp,image/*;q=0.8,*/*;q=0.1",
            "Accept-Encoding": "identity",
            "User-Agent": "lookalike",
        }
        if parts.auth:
            headers |= make_headers(basic_auth=unquote(parts.auth))
        try:
            timeout = Timeout(
                connect=clock.left_s(self._limits.connect_timeout_s),
                read=clock.left_s(self._limits.read_timeout_s),
            )
            return self._manager.urlopen(
                "GET",
                parts._replace(auth=None, fragment=None).url,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=timeout,
            )
        except SSLError as error:
            if not isinstance(error.args[0], ssl.SSLCertVerificationError):
                raise _Trouble(f"no secure connection to {parts.host}") from None
            raise FetchError(
                f"{shown(url)}: the certificate of {parts.host} cannot be trusted.",
                hint="It is expired, self-made or for another name; open the URL in a browser.",
            ) from None
        except (HTTPError, OSError) as error:
            raise self._trouble(error) from None
        except ValueError:  # what http.client says of headers and paths it will not send
            raise FetchError(f"{shown(url)} cannot be asked for.", hint="Check the URL.") from None

    def _dial(self, connection: HTTPConnection) -> socket.socket:
        """Open a connection for urllib3, to a checked address."""
        limit_s = self._limits.connect_timeout_s

        def wait_s() -> float:
            return clock.left_s(limit_s)

        try:
            return connect(connection.host, connection.port, self._resolve, self._permit, wait_s)
        except TimeoutError:
            raise _Trouble(f"no connection within connect_timeout_s ({limit_s:g} s)") from None
        except OSError as error:
            raise _Trouble(f"no connection ({error.strerror or error})") from None

    def _trouble(self, error: Exception) -> _Trouble:
        """Say what went wrong on the way without repeating urllib3, whose messages hold the whole URL."""
        if time.monotonic() >= clock.due:
            return _Trouble(f"not complete within total_timeout_s ({self._limits.total_timeout_s:g} s)")
        if isinstance(error, (ReadTimeoutError, TimeoutError)):
            return _Trouble(f"nothing came for read_timeout_s ({self._limits.read_timeout_s:g} s)")
        return _Trouble("the connection broke before the answer was complete")

    def _body(self, url: str, response: BaseHTTPResponse) -> bytes:
        """Read an answer that should be a picture."""
        _check_status(url, response)
        limit = self._limits.max_bytes
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise _too_large(url, limit)
        inflater = _inflater(url, response)
        data, received = bytearray(), 0
        while block := response.read(_BLOCK_BYTES, decode_content=False):
            received += len(block)
            try:
                data += inflater.decompress(block, limit + 1 - len(data)) if inflater else block
            except zlib.error:
                raise FetchError(
                    f"{shown(url)} serves damaged gzip data.", hint="The server is at fault."
                ) from None
            if max(len(data), received) > limit:
                raise _too_large(url, limit)
        _check_content(url, data[:2048])
        return bytes(data)


def host_of(url: str) -> str:
    """Return the host a URL names, "" if none can be read."""
    try:
        return parse_url(url).host or ""
    except LocationParseError:
        return ""


def _place_of(url: str) -> Place:
    """Return the host and port a URL names."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "", 0
    return parts.host or "", parts.port or _PORTS.get(parts.scheme or "", 0)


def shown(url: str) -> str:
    """Return a URL as it may be shown: no login, no query (which may hold a key), not endless."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "A URL that cannot be read"
    path = (parts.path or "") + ("?..." if parts.query else "")
    text = parts._replace(auth=None, path=path, query=None, fragment=None).url
    return text if len(text) <= 200 else text[:197] + "..."


def _parsed(url: str) -> Url:
    """Take a URL apart; raises FetchError unless it is http or https with a host."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise FetchError(
            "The URL cannot be read.", hint="It should look like https://shop.example/photo.jpg."
        ) from None
    if parts.scheme not in ("http", "https"):
        raise FetchError(f"Pictures are got by http and https, not {parts.scheme}.", hint="Check the URL.")
    if not parts.host:
        raise FetchError(
            f"{shown(url)} names no host.", hint="It should look like https://shop.example/photo.jpg."
        )
    return parts


def _joined(url: str, location: str) -> str:
    """Say where a redirect leads."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise FetchError(
            f"{shown(url)} redirects to something that is no URL.", hint="The server is at fault."
        ) from None


def _check_status(url: str, response: BaseHTTPResponse) -> None:
    """Raise unless the answer is a success."""
    status = response.status
    if 200 <= status < 300:
        return
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    answered = f"answered {status} {phrase}".rstrip()
    if status in _MAY_PASS:
        raise _Trouble(answered, wait_s=_retry_after_s(response), silent=False)
    raise FetchError(f"{shown(url)} {answered}.", hint=_HINTS.get(status, "Check the URL."))


def _retry_after_s(response: BaseHTTPResponse) -> float | None:
    """Return how long the server asks to wait, None if it does not say."""
    value = response.headers.get("Retry-After")
    try:
        return Retry(0).parse_retry_after(value) if value else None
    except InvalidHeader:
        return None


def _inflater(url: str, response: BaseHTTPResponse) -> Any:
    """Return what undoes the compression of an answer, None for none. We ask for none, but not every server listens."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32)
    raise FetchError(
        f"{shown(url)} is compressed in a way we did not ask for.", hint="The server is at fault."
    )


def _too_large(url: str, limit: int) -> LimitError:
    """Make the error for more bytes than allowed."""
    return LimitError("fetch.max_bytes", f"{shown(url)} is larger than {limit:,} bytes.")


def _check_content(url: str, start: bytes | bytearray) -> None:
    """Raise for answers that are plainly no picture, whatever their Content-Type says; the decoder judges the rest."""
    if not start:
        raise FetchError(f"{shown(url)} serves nothing (0 bytes).", hint="Open it in a browser.")
    kind = looks_like(bytes(start))
    if kind in (WEB_PAGE, JSON):
        raise FetchError(
            f"{shown(url)} serves {kind}, not an image.",
            hint="Use the address of the picture itself: in a browser, right-click it and copy its address.",
        )
