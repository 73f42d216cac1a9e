"""A real web server on this machine that behaves as badly as servers do, and well where it should."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from PIL import Image

HTML: Final = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def picture() -> bytes:
    """Return a small JPEG."""
    out = BytesIO()
    Image.effect_noise((40, 40), 60).save(out, "JPEG")
    return out.getvalue()


GOOD: Final = picture()
BOMB: Final = gzip.compress(bytes(30_000_000), 1)


class Answers(BaseHTTPRequestHandler):
    """One method per path: /reset is answered by `reset`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HostileServer

    def do_GET(self) -> None:
        """Note the request and answer it as its path says."""
        path = urlsplit(self.path).path
        name = path.strip("/").split("/")[0]
        with self.server.lock:
            self.server.hits[path] += 1
            self.server.seen[path] = {name.lower(): text for name, text in self.headers.items()}
            self.server.peers.add(self.client_address)
            self.server.last[name] = time.monotonic()
            self.server.busy[name] += 1
            self.server.most_busy[name] = max(self.server.most_busy[name], self.server.busy[name])
        try:
            answer: Callable[[], None] = getattr(self, name.replace("-", "_"), self.missing)
            answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.busy[name] -= 1

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def reply(self, body: bytes, status: int = 200, kind: str = "image/jpeg", **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        headers = {"Content-Length": str(len(body))} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def count(self) -> int:
        """Say how often this very path was asked for, this time included."""
        return self.server.hits[urlsplit(self.path).path]

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the end of the test."""
        self.server.over.wait(seconds)

    def good(self) -> None:
        self.reply(GOOD)

    def slow(self) -> None:
        self.wait(0.1)
        self.reply(GOOD)

    def chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(GOOD), 100):
            piece = GOOD[at : at + 100]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def until_closed(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD)

    def gzipped(self) -> None:
        self.reply(gzip.compress(GOOD), Content_Encoding="gzip")

    def hang(self) -> None:
        self.wait(30)
        self.close_connection = True

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.drop_by_drop(b"x" * 1000)

    def drip_head(self) -> None:
        self.drop_by_drop(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 100)

    def drop_by_drop(self, data: bytes) -> None:
        self.close_connection = True
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wait(0.05)
            if self.server.over.is_set():
                return

    def loop(self) -> None:
        self.reply(b"", 302, Location="/loop")

    def loop2(self) -> None:
        self.reply(b"", 302, Location="/loop3")

    def loop3(self) -> None:
        self.reply(b"", 301, Location="loop2")

    def endless(self) -> None:
        self.reply(b"", 307, Location=f"/endless/{self.count()}-{time.monotonic_ns()}")

    def hop(self) -> None:
        left = int(self.path.split("/")[2])
        self.reply(b"", 308, Location=f"../hop/{left - 1}" if left > 1 else "/good")

    def to(self) -> None:
        """Redirect to the URL in the query."""
        self.reply(b"", 302, Location=unquote(urlsplit(self.path).query))

    def html(self) -> None:
        self.reply(HTML, kind="text/html")

    def html_as_jpeg(self) -> None:
        self.reply(HTML, kind="image/jpeg")

    def json(self) -> None:
        self.reply(b'{"error": "no such picture"}', kind="application/json")

    def nothing(self) -> None:
        self.reply(b"")

    def no_content(self) -> None:
        self.send_response(204)
        self.end_headers()

    def long_length(self) -> None:
        """Promise more than is sent."""
        self.close_connection = True
        self.reply(GOOD, Content_Length=str(len(GOOD) + 1000))

    def huge_length(self) -> None:
        self.close_connection = True
        self.reply(b"", Content_Length="10000000000")

    def absurd_length(self) -> None:
        self.close_connection = True
        self.reply(GOOD, Content_Length="9" * 400)

    def endless_body(self) -> None:
        """Send 10 GB without saying so, as fast as they are taken."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        block = bytes(1 << 16)
        for _ in range(10 * 2**30 // len(block)):
            self.wfile.write(block)

    def endless_chunks(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not self.server.over.is_set():
            self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    def endless_head(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server.over.is_set():
            self.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    def gzip_bomb(self) -> None:
        self.reply(BOMB, Content_Encoding="gzip")

    def gzip_nonsense(self) -> None:
        self.reply(GOOD, Content_Encoding="gzip")

    def brotli(self) -> None:
        self.reply(GOOD, Content_Encoding="br")

    def gzip_twice(self) -> None:
        self.reply(gzip.compress(gzip.compress(GOOD)), Content_Encoding="gzip, gzip")

    def reset(self) -> None:
        """Break the connection with RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def nonsense(self) -> None:
        self.close_connection = True
        self.wfile.write(b"\x00\x01\x02 what?\r\n\r\n")

    def silence(self) -> None:
        self.close_connection = True

    def third_time(self) -> None:
        self.reply(GOOD) if self.count() > 2 else self.reply(b"", 503)

    def third_time_reset(self) -> None:
        self.reply(GOOD) if self.count() > 2 else self.reset()

    def later(self) -> None:
        """Ask for a pause of a second, once."""
        self.reply(GOOD) if self.count() > 1 else self.reply(b"", 429, Retry_After="1")

    def much_later(self) -> None:
        self.reply(b"", 429, Retry_After="3600")

    def broken(self) -> None:
        self.reply(b"", 500)

    def forbidden(self) -> None:
        self.reply(b"", 403)

    def gone(self) -> None:
        self.reply(b"", 410)

    def odd_status(self) -> None:
        self.reply(b"", 799)

    def nowhere(self) -> None:
        self.reply(b"", 302)

    def missing(self) -> None:
        self.reply(b"not found", 404, kind="text/plain")


class HostileServer(ThreadingHTTPServer):
    """Serves `Answers` on a free port of 127.0.0.1, in threads of its own, until the `with` ends."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, certificate: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.hits: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.most_busy: Counter[str] = Counter()
        self.seen: dict[str, dict[str, str]] = {}
        self.last: dict[str, float] = {}
        self.peers: set[tuple[str, int]] = set()
        self.names: list[str | None] = []
        self.secure = certificate is not None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"{'https' if self.secure else 'http'}://{host}:{self.server_port}/{path}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that left."""

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
