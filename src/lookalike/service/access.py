"""Who may call what, and how often: one middleware before the routes, which know nothing of it.

A table says which scope a request needs. What it does not name needs "admin", so a new route is shut until somebody
thought about it. Requests are counted per key, or per address of the client where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from threading import Lock
from urllib.parse import urlsplit

from cachetools import LRUCache
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lookalike.core.errors import InputError, LookalikeError, Overloaded
from lookalike.service import keys
from lookalike.service.bounds import path_of, refusal
from lookalike.service.errors import Refused


@dataclass(frozen=True, slots=True)
class Rule:
    """Which scope it takes to use these methods on a path and all below it; None leaves it open, and uncounted."""

    methods: str
    path: str
    scope: keys.Scope | None

    def covers(self, method: str, path: str) -> bool:
        """Say whether this is the rule for such a request."""
        below = self.path != "/" and path.startswith(f"{self.path}/")
        return (path == self.path or below) and method in self.methods.split()


RULES: tuple[Rule, ...] = (
    Rule("GET HEAD", "/healthz", None),
    Rule("GET HEAD", "/readyz", None),
    Rule("GET HEAD", "/", None),  # our page is the same for all; what it asks for is not
    Rule("GET HEAD", "/operators", None),
    Rule("GET HEAD", "/ui", None),
    Rule("GET HEAD", "/favicon.ico", None),
    Rule("GET HEAD", "/openapi.json", None),
    Rule("GET HEAD", "/docs", None),
    Rule("GET HEAD", "/redoc", None),
    Rule("GET HEAD POST", "/v1/search", "search"),
    Rule("GET HEAD", "/v1/products", "search"),
    Rule("GET HEAD", "/v1/columns", "search"),
    Rule("POST", "/v1/events", "search"),
    Rule("PUT PATCH DELETE POST", "/v1/products", "write"),
    Rule("GET HEAD", "/v1/stats", "admin"),  # it tells what people searched for
    Rule("GET HEAD", "/metrics", "admin"),
)
"""The first rule that covers a request counts."""


def scope_of(method: str, path: str, rules: Sequence[Rule] = RULES) -> keys.Scope | None:
    """Say which scope a request takes, None for none: "admin" for what no rule covers."""
    for rule in rules:
        if rule.covers(method, path):
            return rule.scope
    return "admin"


# --- rates ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How many requests one key or address may make: `per_s` on average (0: any number), `burst` at once.

    The last `max_callers` are remembered. Who is forgotten begins anew with a full bucket, as does who made no request for
    `burst` / `per_s` seconds.
    """

    per_s: float = 100.0
    burst: int = 300
    max_callers: int = 10_000

    def __post_init__(self) -> None:
        """Refuse rates that make no sense."""
        if self.per_s < 0 or self.burst < 1 or self.max_callers < 1:
            raise InputError("per_s cannot be negative, burst and max_callers must be at least 1.")

    def shared(self, workers: int) -> RateLimits:
        """Return what each of so many processes may grant, so that together they grant this."""
        return replace(self, per_s=self.per_s / workers, burst=max(1, self.burst // workers))


class Rates:
    """A token bucket per caller. Safe to use from several threads."""

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = Lock()
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(limits.max_callers)
        """Tokens, and when there were so many."""

    def take(self, caller: str) -> float:
        """Take a token: return 0.0, or without taking one the seconds until there is one."""
        if not self._limits.per_s:
            return 0.0
        now = self._clock()
        with self._lock:
            tokens, at = self._buckets.get(caller, (float(self._limits.burst), now))
            tokens = min(float(self._limits.burst), tokens + (now - at) * self._limits.per_s)
            granted = tokens >= 1.0
            self._buckets[caller] = (tokens - granted, now)
        return 0.0 if granted else (1.0 - tokens) / self._limits.per_s


def caller_of(scope: Scope) -> str:
    """Name the client by its address; an IPv6 client by its /64, for it has all addresses in it.

    Behind a proxy of the setting `service.proxies` this is whom its X-Forwarded-For names, else the proxy itself.
    """
    host = (scope.get("client") or ("local", 0))[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # a Unix socket
        return str(host)
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


# --- the door ---------------------------------------------------------------------------------------------------------

_SEND_KEY = "Send it as: Authorization: Bearer lk_... (or X-API-Key: lk_...)."
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="lookalike"'}


class Access:
    """Refuses who has no key (401), one of another scope (403), or who asks too often (429).

    With `ring` None nobody needs a key. The id of the caller's key is left in `request.state.key_id`, for the logs; and
    where callers are told apart, by keys or rates, who it is in `request.state.caller`, for `RequestLimit`.
    """

    def __init__(
        self,
        app: ASGIApp,
        ring: keys.KeyRing | None = None,
        rates: Rates | None = None,
        rules: Sequence[Rule] = RULES,
    ) -> None:
        self.app = app
        self._ring = ring
        self._rates = rates
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._error(scope) if scope["type"] == "http" else None
        if error is None:
            return await self.app(scope, receive, send)
        unknown = isinstance(error, Refused) and error.status == 401
        return await refusal(scope, error, _CHALLENGE if unknown else None)(scope, receive, send)

    def _error(self, scope: Scope) -> LookalikeError | None:
        needed = scope_of(scope["method"], path_of(scope), self._rules)
        if self._ring or self._rates:
            scope.setdefault("state", {})["caller"] = caller_of(scope)
        if needed is None:
            return None
        text = presented_key(Headers(scope=scope))
        key = self._ring.verify(text) if self._ring and text else None
        if key is not None:
            scope.setdefault("state", {})["key_id"] = key.id
            scope["state"]["caller"] = f"key {key.id}"
        caller = scope.get("state", {}).get("caller", "")
        if self._rates and (wait_s := self._rates.take(caller)):
            return Overloaded(f"too many requests from {caller}", retry_after_s=wait_s, code="rate_limited")
        if self._ring is None:
            return None
        return _shut(needed, text, key)


def presented_key(headers: Headers) -> str:
    """Return the key that came with a request, "" if there is none. Never from the address: addresses are logged."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()


def _shut(needed: keys.Scope, text: str, key: keys.Key | None) -> Refused | None:
    """Say why this key, or none, does not open what needs a scope; None if it does."""
    if not text:
        return Refused(401, "missing_key", "this takes an API key", hint=_SEND_KEY)
    if key is None:
        said = "the API key is unknown, expired or revoked"
        return Refused(401, "invalid_key", said, hint=f"Check that all of it was copied. {_SEND_KEY}")
    if key.allows(needed):
        return None
    return Refused(
        403,
        "forbidden",
        f"this takes a key of the scope {needed}, and the key {key.id} has {', '.join(key.scopes)}",
        hint=f"Use another, or make one: lookalike keys new NAME --scope {needed}",
    )


# --- without keys, on one's own machine -------------------------------------------------------------------------------

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
_READING = ("GET", "HEAD", "OPTIONS")


class OwnMachine:
    """Keeps web sites off a service that asks for no keys because only this machine can call it.

    For a browser on this machine can, and so can any page open in it. A page that gives its own name our address (DNS
    rebinding) could even read the answers: so the name we are called by must be one of `hosts`. And what a page of another
    site sends without asking first, a form or a plain text, must change nothing: so only `origins` and we ourselves may.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], origins: Collection[str] = ()) -> None:
        self.app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._error(scope) if scope["type"] == "http" else None
        if error is None:
            return await self.app(scope, receive, send)
        return await refusal(scope, error)(scope, receive, send)

    def _error(self, scope: Scope) -> Refused | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        if _named(host) not in self._hosts:
            return Refused(
                403,
                "unknown_host",
                f"this service does not go by the name {host!r}",
                hint="Call it by its address, or add the name to the setting service.hosts.",
            )
        if scope["method"] in _READING or not origin or self._origins & {"*", origin}:
            return None
        if origin.partition("://")[2] == host:
            return None
        return Refused(
            403,
            "cross_site",
            f"pages of {origin!r} may not do this here",
            hint="If they should, add the origin to the setting service.bounds.origins.",
        )


def _named(host: str) -> str | None:
    """Return the name in a Host header, without port and brackets; None if there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
