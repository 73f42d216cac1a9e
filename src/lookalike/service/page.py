"""The pages of the service: a document at `/` for shoppers, one at `/operators`, and the files they are made of under `/ui`.

There is no build step: what lies in the folder `ui` is what browsers get. All files are read once, so that nothing a path
says can name another file. Browsers ask each time whether a file has changed (ETag), so that the modules of the page, which
belong together, are always of one version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from lookalike.core.types import content_hash
from lookalike.service.errors import Refused
from lookalike.service.state import tagged_response

router = APIRouter(include_in_schema=False)
TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What the page is made of; other files in the folder are not served."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out."""

    content: bytes
    media_type: str
    tag: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return the files of the page by name."""
    found = {}
    for file in files("lookalike.service").joinpath("ui").iterdir():
        media_type = TYPES.get(f".{file.name.rpartition('.')[2]}")
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = Asset(content, media_type, content_hash(content))
    return found


@router.api_route("/", methods=["GET", "HEAD"])
def page(request: Request) -> Response:
    """Return the page."""
    return _sent(request, "index.html")


@router.api_route("/operators", methods=["GET", "HEAD"])
def operators(request: Request) -> Response:
    """Return the operators' page; what it shows it asks of `/v1/stats`, with a key of theirs."""
    return _sent(request, "operators.html")


@router.api_route("/docs", methods=["GET", "HEAD"])
@router.api_route("/redoc", methods=["GET", "HEAD"])
def docs(request: Request) -> Response:
    """Return the list of routes, made of `/openapi.json`; FastAPI's own pages take their scripts from elsewhere."""
    return _sent(request, "docs.html")


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
def icon(request: Request) -> Response:
    """Return the icon, for who asks where browsers once looked for it."""
    return _sent(request, "icon.svg")


@router.api_route("/ui/{name}", methods=["GET", "HEAD"])
def asset(request: Request, name: str) -> Response:
    """Return one of the files the page is made of; 304 if the caller holds it already (If-None-Match)."""
    return _sent(request, name)


def _sent(request: Request, name: str) -> Response:
    asset = assets().get(name)
    if asset is None:
        raise Refused(404, "not_found", f"the page has no file {name!r}", hint="GET / returns the page.")
    return tagged_response(request, asset.content, asset.media_type, asset.tag, "no-cache")
