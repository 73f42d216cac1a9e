"""Which network addresses pictures may come from, and connections that go to those and no other.

The check is made on numbers, after the name was looked up, and the connection is made to the very number that was
checked. So it does not matter how an address was written (decimal, octal, hexadecimal, as a name, in a redirect), nor
what the name resolves to a moment later. Ranges are those of the IANA special-purpose registries (RFC 6890 and its
updates).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore, Thread
from typing import Final

from lookalike.core.errors import FetchError

Resolve = Callable[[str, int], Sequence[str]]
"""Looks a host name up: (host, port) -> addresses as text. Raises OSError if there are none."""
Permit = Callable[[str], bool]
"""Says whether an address may be connected to."""

_NAME_COMES_TO_NOTHING: Final = frozenset(
    (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
)

_LOOK_UPS: Final = BoundedSemaphore(64)
"""Names looked up at a time: one that hangs goes on when nobody waits for it any more."""
_GLOBAL_IPV6: Final = ip_network("2000::/3")
_REFUSED: Final = tuple(
    # Named because `is_global` differs between Python versions and does not look where tunnels lead.
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "168.63.129.16/32",  # the host agent of Azure: public as a number, answered inside by the machine beneath
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host, in the order it prefers them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Say whether an address belongs to the public internet, not counting tunnels, translations and groups."""
    try:
        number: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if not number.is_global or number.is_multicast or number.is_reserved:
        return False
    if number.version == 6 and number not in _GLOBAL_IPV6:
        return False
    return not any(number in network for network in _REFUSED if network.version == number.version)


def is_any(_address: str) -> bool:
    """Permit every address."""
    return True


def connect(
    host: str, port: int, resolve: Resolve, permit: Permit, wait_s: Callable[[], float]
) -> socket.socket:
    """Connect to the first address of `host` that answers; `wait_s` says anew for each how long it may take.

    Raises FetchError if one of them is not permitted or the name does not exist, else OSError. Where not all addresses are
    permitted, both read the same: who may ask for any URL must not learn which names there are inside.
    """
    addresses = _addresses(host, port, resolve, wait_s)
    if not addresses and permit is is_any:
        raise FetchError(f"There is no host called {host[:100]}.", hint="Check the URL.")
    if not addresses or not all(map(permit, addresses)):
        raise FetchError(
            f"{host[:100]} is not a public address.",
            hint="Check the URL: only hosts that exist, with public addresses, are asked for pictures. "
            "If this server is yours, set allow_private_urls (LOOKALIKE_ALLOW_PRIVATE_URLS=true).",
        )
    failure: OSError = OSError(f"{host} has no address")
    for address in addresses:
        try:
            sock = socket.create_connection((address, port), wait_s())
        except OSError as error:
            failure = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise failure


def _addresses(host: str, port: int, resolve: Resolve, wait_s: Callable[[], float]) -> Sequence[str]:
    """Look a name up, with brackets off an IPv6 address; () if it comes to nothing."""
    try:
        return _in_time(resolve, host.strip("[]"), port, wait_s)
    except UnicodeError:
        raise FetchError(f"{host[:100]} is not a host name.", hint="Check the URL.") from None
    except socket.gaierror as error:
        if error.errno in _NAME_COMES_TO_NOTHING:
            return ()
        raise


def _in_time(resolve: Resolve, host: str, port: int, wait_s: Callable[[], float]) -> Sequence[str]:
    """Look a name up in a thread of its own, as nothing else cuts that short; raises TimeoutError."""
    if not _LOOK_UPS.acquire(timeout=wait_s()):
        raise TimeoutError("too many names are being looked up")
    found: Future[Sequence[str]] = Future()

    def look() -> None:
        try:
            found.set_result(resolve(host, port))
        except BaseException as error:
            found.set_exception(error)
        finally:
            _LOOK_UPS.release()

    Thread(target=look, name="look-up", daemon=True).start()
    return found.result(wait_s())
