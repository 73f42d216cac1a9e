"""A real web server on this machine that speaks as much of a model hub's protocol as fetching needs."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
LATER: Final = "89abcdef0123456789abcdef0123456789abcdef"
REPOSITORY: Final = "makers/model"
LARGE: Final = (".onnx", ".onnx_data")
"""What is kept in LFS: the hub redirects to where it is, and says its SHA-256."""


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Hub:
    """What the server has, and how it behaves; `asked` is what it was asked."""

    files: dict[str, bytes] = field(repr=False)
    commits: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    breaks_after: dict[str, list[int]] = field(default_factory=dict)
    """For a file, the bytes after which each next answer breaks off."""
    said_bytes: dict[str, int] = field(default_factory=dict)
    """For a file, the size it is said to have."""
    status: int = 0
    """With which every request is answered."""
    ranges: bool = True
    commit_said: bool = True
    asked: list[Asked] = field(default_factory=list, repr=False)
    address: str = ""

    def paths(self, method: str) -> list[str]:
        """Return what was asked by a method, in order, without the redirects."""
        return [each.path for each in self.asked if each.method == method and "/resolve/" in each.path]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        hub, path = self.server.hub, unquote(self.path)
        headers = self.headers
        hub.asked.append(Asked(self.command, path, headers.get("range"), headers.get("authorization")))
        try:
            if hub.status:
                self._say(hub.status)
            elif path.startswith("/stored/"):
                self._send(path.removeprefix("/stored/"))
            else:
                self._resolve(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _resolve(self, path: str) -> None:
        hub = self.server.hub
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if match is None or match[1] != REPOSITORY:
            return self._say(404, {"X-Error-Code": "RepoNotFound"})
        commit = hub.commits.get(match[2], match[2] if match[2] in hub.commits.values() else None)
        if commit is None:
            return self._say(404, {"X-Error-Code": "RevisionNotFound"})
        said = {"X-Repo-Commit": commit} if hub.commit_said else {}
        file = match[3]
        if file not in hub.files:
            return self._say(404, {**said, "X-Error-Code": "EntryNotFound"})
        if not file.endswith(LARGE):
            return self._send(file, said)
        size = hub.said_bytes.get(file, len(hub.files[file]))
        linked = {"X-Linked-Etag": f'"{_sha256(hub.files[file])}"', "X-Linked-Size": str(size)}
        # Another host by its name, which must not be told the token.
        elsewhere = f"http://localhost:{self.server.server_port}/stored/{file}"
        return self._say(302, {**said, **linked, "Location": elsewhere})

    def _send(self, file: str, said: dict[str, str] | None = None) -> None:
        hub, content = self.server.hub, self.server.hub.files[file]
        blob = sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        start = 0
        if hub.ranges and (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))):
            start = int(match[1])
        size = hub.said_bytes.get(file, len(content))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in {"ETag": f'"{blob}"', **(said or {}), "Content-Length": size - start}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        breaks = hub.breaks_after.get(file)
        self.wfile.write(content[start : breaks.pop(0) if breaks else None])
        self.close_connection = True

    def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        super().__init__(("127.0.0.1", 0), _Answers)
        hub.address = f"http://127.0.0.1:{self.server_port}"


class Serving:
    """Serves a hub until the block ends."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._server = _Server(hub)

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self.hub

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()
