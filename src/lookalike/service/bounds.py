"""What a request may cost, and what each answer tells a browser: middlewares around the routes, in plain ASGI.

    SecureHeaders     on every answer
    CORSMiddleware    Starlette's, only where origins are configured
    (access)          keys and rates, see `service.access`
    RequestLimit      so many requests at a time
    UploadLimit       so many bytes per body, and none of them too slowly

They stand in this order so that browsers can read refusals, and that who has no key occupies no place. Starlette's own
limit of bodies answers in plain text and knows no time; ours keeps the one error shape.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.core.errors import InputError, LookalikeError, Overloaded
from lookalike.service.errors import Refused, respond

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What requests may cost. `origins` are the web sites, other than our own page, whose scripts may call us.

    `max_bulk_bytes` is for products by the file, `max_body_bytes` for all else. A body must arrive within `upload_grace_s`
    plus its first megabyte / `min_upload_bytes_per_s` plus the rest / `min_large_bytes_per_s`; the time we take to work on
    what has come does not count. Of `max_requests` at a time, one key, or one address without, has `max_requests_each`.
    """

    max_body_bytes: int = 64 * MEGABYTE
    max_bulk_bytes: int = 1_000 * MEGABYTE
    upload_grace_s: float = 10.0
    min_upload_bytes_per_s: int = 10_000
    min_large_bytes_per_s: int = 100_000
    max_requests: int = 64
    max_requests_each: int = 32
    origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse bounds that make no sense, and origins that no browser would ever send."""
        sizes = self.max_body_bytes, self.max_bulk_bytes
        paces = self.min_upload_bytes_per_s, self.min_large_bytes_per_s
        if min(*sizes, *paces, self.max_requests, self.max_requests_each) < 1 or self.upload_grace_s <= 0:
            raise InputError("The bounds of requests must be greater than 0.")
        for origin in self.origins:
            parts = urlsplit(origin)
            if origin != "*" and origin != f"{parts.scheme}://{parts.netloc}".lower():
                raise InputError(
                    f"{origin!r} is no origin of a web site",
                    hint="Write scheme and host in small letters, and no path: https://shop.example",
                )


def around(bounds: Bounds, access: Sequence[Middleware] = ()) -> list[Middleware]:
    """Put the middlewares of this module, and those of `access`, in their order, outermost first."""
    return [
        Middleware(SecureHeaders),
        *([cors(bounds.origins)] if bounds.origins else []),
        *access,
        Middleware(RequestLimit, bounds=bounds),
        Middleware(UploadLimit, bounds=bounds),
    ]


def cors(origins: Sequence[str]) -> Middleware:
    """Let the scripts of these web sites call the service. No cookies: keys travel in headers."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Client-ID", "X-Request-ID"],
        expose_headers=["ETag", "Retry-After", "X-Request-ID"],
    )


def path_of(scope: Scope) -> str:
    """Return the path as the routes see it, less the prefix the service is mounted under."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def refusal(scope: Scope, error: LookalikeError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a request that reaches no route, in the shape of all errors."""
    response = respond(scope, error)
    response.headers.update(headers or {})
    return response


# --- headers ----------------------------------------------------------------------------------------------------------

SECURE_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "img-src 'self' data: blob:",  # blob: shows the photo about to be sent, and pictures fetched with a key
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cache-Control": "no-store",  # proxies too: answers depend on keys
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # a search is in the address
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # frame-ancestors, for old browsers
}
"""What a page of ours may do: nothing but with our own files. A route that sets one of these has its way."""


class SecureHeaders:
    """Adds SECURE_HEADERS to every answer that does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_secured if scope["type"] == "http" else send)


# --- requests at a time -----------------------------------------------------------------------------------------------

ALWAYS = ("/healthz", "/readyz", "/metrics")
"""Who asks here must learn that the service is busy, not be told to come again."""


class RequestLimit:
    """Refuses requests while `max_requests` others, or `max_requests_each` of one caller, are read, worked on or answered."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self.app = app
        self._bounds = bounds
        self._running: Counter[str | None] = Counter()
        """By caller, None where they are not told apart. One event loop, no lock."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope) in ALWAYS:
            return await self.app(scope, receive, send)
        caller: str | None = scope.get("state", {}).get("caller")
        if busy := self._busy(caller):
            return await refusal(scope, busy)(scope, receive, send)
        self._running[caller] += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]

    def _busy(self, caller: str | None) -> Overloaded | None:
        """Say why no other request of a caller may run now, None if one may."""
        running, own = self._running.total(), self._running[caller]
        if running >= self._bounds.max_requests:
            said = f"{running} requests are running, and service.bounds.max_requests allows no more"
        elif caller is not None and own >= self._bounds.max_requests_each:
            said = (
                f"{own} requests of {caller} are running, and service.bounds.max_requests_each allows no more"
            )
        else:
            return None
        return Overloaded(said, retry_after_s=1.0)


# --- uploads ----------------------------------------------------------------------------------------------------------

BULK = {("PUT", "/v1/products")}
"""Where products come by the file; such bodies are worked on as they arrive."""

GONE: Message = {"type": "http.disconnect"}


class UploadLimit:
    """Ends requests whose body is too large (413) or comes too slowly (408), without keeping any of it."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self.app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        upload = _Upload(self._bounds, scope, receive, send)
        if upload.declared_bytes > upload.max_bytes:
            await upload.refuse_large()
            return None
        try:
            await self.app(scope, upload.receive, upload.send)
        except Exception:  # what the routes make of a body that broke off; the client has its answer
            if not upload.refused:
                raise


class _Upload:
    """One body on its way in, counted and timed. To the routes, a refused one looks like a client that left."""

    def __init__(self, bounds: Bounds, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        bulk = (scope["method"], path_of(scope)) in BULK
        self.max_bytes = bounds.max_bulk_bytes if bulk else bounds.max_body_bytes
        self.declared_bytes = int(length) if length.isdecimal() else 0
        self.refused = False
        self._asks_first = "expect" in headers
        self._bounds = bounds
        self._scope, self._receive, self._send = scope, receive, send
        self._received_bytes = 0
        self._waited_s = 0.0
        self._complete = False
        self._answering = False

    async def receive(self) -> Message:
        if self.refused:
            return GONE
        if self._complete:  # the routes wait to learn that the client left: that may take as long as it likes
            return await self._receive()
        message = await self._next()
        if message is None:
            await self._refuse(
                Refused(
                    408, "slow_upload", "the body came too slowly", hint="Send it over a faster connection."
                )
            )
        elif self._received_bytes > self.max_bytes:
            await self.refuse_large()
        return GONE if self.refused or message is None else message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._answering = True
            await self._send(message)

    async def refuse_large(self) -> None:
        """Answer 413.

        Most clients read no answer before they have sent everything, and see a broken connection instead: so what is
        not much more than allowed is received and thrown away first, unless the client asked whether to send at all.
        """
        self.refused = True
        most = 0 if self._asks_first else 2 * self.max_bytes
        while not self._complete and max(self.declared_bytes, self._received_bytes) <= most:
            if await self._next() is None:
                break
        await self._refuse(
            Refused(
                413,
                "limit",
                f"the body is larger than {self.max_bytes} bytes",
                hint="Send smaller pictures, or fewer products at a time; or let the service take larger bodies.",
            )
        )

    async def _refuse(self, error: Refused) -> None:
        self.refused = True
        if not self._answering:
            self._answering = True
            # Without this header the server would go on to receive what nobody wants.
            response = refusal(self._scope, error, {"Connection": "close"})
            await response(self._scope, self._receive, self._send)

    async def _next(self) -> Message | None:
        """Wait for more of the body, None if it does not come in time."""
        first_bytes = min(self._received_bytes, MEGABYTE)
        earned_s = first_bytes / self._bounds.min_upload_bytes_per_s
        earned_s += (self._received_bytes - first_bytes) / self._bounds.min_large_bytes_per_s
        began = time.monotonic()
        try:
            with anyio.fail_after(self._bounds.upload_grace_s + earned_s - self._waited_s):
                message = await self._receive()
        except TimeoutError:
            return None
        self._waited_s += time.monotonic() - began
        self._received_bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        return message
