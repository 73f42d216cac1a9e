"""A small internet inside this process, and witnesses of every connection that is opened.

Names are looked up in a table, and the few public addresses there are lead to a hostile server on this machine: nothing
leaves it. A canary listens on all addresses of this machine, private ones included, and an audit hook sees each `connect`
of the process, so that what should reach nothing is seen if it does.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from adapters.hostile_server import GOOD, Answers, HostileServer

PUBLIC: Final = ("8.8.8.8", "2606:4700:4700::1111")
"""Where the hostile server can be reached, as far as the service knows."""
NAMES: Final[Mapping[str, Sequence[str]]] = {
    "public.test": PUBLIC[:1],
    "public6.test": PUBLIC[1:],
    "loop.test": ["127.0.0.1"],
    "six.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "compatible.test": ["::127.0.0.1"],
    "tunnel.test": ["2002:7f00:1::1"],
    "translated.test": ["64:ff9b::7f00:1"],
    "teredo.test": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "scoped.test": ["fe80::1%lo"],
    "local.test": ["fd00::2"],
    "any.test": ["0.0.0.0"],
    "any6.test": ["::"],
    "office.test": ["10.0.0.1"],
    "home.test": ["192.168.1.1"],
    "container.test": ["172.17.0.1"],
    "carrier.test": ["100.64.0.1"],
    "group.test": ["224.0.0.1"],
    "broadcast.test": ["255.255.255.255"],
    "paper.test": ["192.0.2.2"],
    "azure.test": ["168.63.129.16"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "mixed.test": [PUBLIC[0], "127.0.0.1"],
    "mixed-late.test": [PUBLIC[0]] * 20 + ["10.0.0.1"],
    "mixed6.test": [PUBLIC[1], "fe80::1%lo"],
    "nonsense.test": ["not an address"],
}
PRIVATE_NAMES: Final = [name for name in NAMES if not name.startswith("public")]


class Canary(ThreadingHTTPServer):
    """Gives a good picture to whoever connects, at every address of this machine, and counts them."""

    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET

    def __init__(self) -> None:
        super().__init__(("::" if socket.has_ipv6 else "0.0.0.0", 0), _Sings)
        self.visits = 0

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, Any]:
        self.visits += 1
        return super().get_request()


class _Sings(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(GOOD)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class PictureServer(HostileServer):
    """The hostile server, with files of one's own under /file/NAME."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.RequestHandlerClass = _Files


class _Files(Answers):
    server: PictureServer

    def file(self) -> None:
        self.reply(self.server.files[urlsplit(self.path).path.rpartition("/")[2]])


class Internet:
    """What names mean and where addresses lead, as long as `installed`."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.asked: Counter[str] = Counter()
        self.rebinding: dict[str, list[list[str]]] = {}
        """Names that mean something else each time they are asked for."""
        self._ask, self._connect = socket.getaddrinfo, socket.create_connection

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        """Look names up in the table, and let the system read numbers, in its many ways; nothing else is asked."""
        name = host.decode() if isinstance(host, bytes) else host
        plain = (name or "").encode("idna").decode().lower().rstrip(".") if name else ""
        self.asked[plain] += 1
        if plain in self.rebinding:
            answers = self.rebinding[plain].pop(0)
        elif plain in NAMES:
            answers = list(NAMES[plain])
        elif plain.endswith(".public.test"):
            answers = list(PUBLIC[:1])
        elif not plain or ":" in plain or plain == "localhost" or _is_number(plain):
            return self._ask(host, port, *args, **options)
        else:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answers]

    def create_connection(self, address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        """Let public addresses lead to the hostile server; all others are what they are."""
        if address[0] in PUBLIC:
            address = ("127.0.0.1", self.server_port)
        return self._connect(address, *args, **options)

    @contextmanager
    def installed(self) -> Iterator[Internet]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", self.getaddrinfo)
            patch.setattr(socket, "create_connection", self.create_connection)
            yield self


def _is_number(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


class Witness:
    """Notes each address this process connects to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.watching = False
        sys.addaudithook(self._hear)  # hooks stay as long as the process: this one then hears nothing

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.watching and event == "socket.connect" and isinstance(args[1], tuple):
            self.seen.append((str(args[1][0]), int(args[1][1])))

    def elsewhere(self, *ports: int) -> list[tuple[str, int]]:
        """Return where this process connected to, other than to these ports of this machine."""
        return [
            (host, port)
            for host, port in self.seen
            if port not in ports or not ip_address(host.partition("%")[0]).is_loopback
        ]


@contextmanager
def in_thread(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server of http.server run until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
