"""What kind of file some bytes are, by how they begin: an image we read, or something else and what to do about it."""

from __future__ import annotations

import re
from typing import Final

from lookalike.core.errors import ImageError

KINDS: Final = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF")

WEB_PAGE, JSON = "a web page (HTML)", "JSON text"
_SAVE_AS: Final = "Save it as JPEG, PNG or WebP."
_WRONG_FILE: Final = "Give the picture itself, not a page or document about it."

_MAGIC: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
)

_OTHERS: Final = (
    # what it is, how it begins (spaces skipped, letters in lower case), what to do
    ("an SVG drawing", re.compile(rb"(<\?xml.*?)?(<!--.*?-->\s*)?(<!doctype svg.*?)?<svg", re.S), _SAVE_AS),
    (
        WEB_PAGE,
        re.compile(rb"(<!--.*?-->\s*)?<(!doctype html|html|head|body|script|title|div|meta)"),
        _WRONG_FILE,
    ),
    ("XML text", re.compile(rb"<\?xml|<[a-z]+"), _WRONG_FILE),
    (JSON, re.compile(rb'\{\s*["}]|\[\s*["{\[\]0-9]'), _WRONG_FILE),
    ("a PDF document", re.compile(rb"%pdf-"), _SAVE_AS),
    ("a PostScript file", re.compile(rb"%!ps"), _SAVE_AS),
    (
        "a Git LFS pointer",
        re.compile(rb"version https://git-lfs"),
        "Fetch the real file with `git lfs pull`.",
    ),
    (
        "base64 text",
        re.compile(rb"data:[a-z]+/|/9j/[a-z0-9+/]|ivborw0kggo|r0lgod|uklgr"),
        "Decode the base64 first, or give it as a data URI.",
    ),
    (
        "an HEIC photo",
        re.compile(rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.S),
        "Save it as JPEG (iPhones: Settings, Camera, Formats, Most Compatible).",
    ),
    (
        "a video",
        re.compile(rb".{4}ftyp|\x1ae\xdf\xa3|riff.{4}avi |\0\0\x01[\xba\xb3]|flv\x01", re.S),
        _SAVE_AS,
    ),
    ("a JPEG XL image", re.compile(rb"\xff\n|\0\0\0\x0cjxl "), _SAVE_AS),
    ("a JPEG 2000 image", re.compile(rb"\0\0\0\x0cjp  |\xff\x4f\xff\x51"), _SAVE_AS),
    ("a Photoshop document", re.compile(rb"8bps"), _SAVE_AS),
    ("an icon file", re.compile(rb"\0\0[\x01\x02]\0"), _SAVE_AS),
    ("a BigTIFF image", re.compile(rb"ii\+\0|mm\0\+"), _SAVE_AS),
    ("a ZIP archive", re.compile(rb"pk\x03\x04"), "Unpack it and give the pictures inside."),
    ("gzip-compressed data", re.compile(rb"\x1f\x8b"), "Decompress it first."),
    (
        "a run of zero bytes",
        re.compile(rb"\0{16}"),
        "The file was probably not written completely; copy it again.",
    ),
)


def looks_like(data: bytes) -> str:
    """Name what the bytes look like: a kind of image we read ("JPEG", "PNG" ..) or something in words ("a PDF document")."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp" and re.search(b"avi[fs]", data[8 : min(256, int.from_bytes(data[:4], "big"))]):
        return "AVIF"
    return _other(data)[0]


def recognise(data: bytes) -> str:
    """Return the kind of image the bytes begin like (one of KINDS), or raise ImageError that says what they are instead."""
    if not data:
        raise ImageError("The image is empty (0 bytes).", hint="Check how the file was written or fetched.")
    kind = looks_like(data)
    if kind in KINDS:
        return kind
    what, hint = _other(data)
    raise ImageError(f"This is not an image we can read but {what}.", hint=hint)


def _other(data: bytes) -> tuple[str, str]:
    """Name something that is no image we read, with a hint."""
    start = data[:2048].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for what, begins, hint in _OTHERS:
        if begins.match(start):
            return what, hint
    if start and not re.search(rb"[\0-\x08\x0e-\x1f\x7f-\xff]", start):
        return "plain text", _WRONG_FILE
    return "data of an unknown kind", "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF can be read."
