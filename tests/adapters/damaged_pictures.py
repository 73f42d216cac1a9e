"""Pictures with something wrong, or merely unusual, about them: real files made by Pillow, and hand-built ones."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>No such picture.</body></html>"


@dataclass(frozen=True)
class Picture:
    """The bytes of a picture file, the ending it comes with, and whether it can be decoded."""

    name: str
    data: bytes
    works: bool
    suffix: str = ".jpg"


def drawing(seed: int, side: int = 64) -> Image.Image:
    """Draw a picture unlike those of other seeds."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(int(c) for c in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, r = (int(v) for v in rng.integers(4, side - 4, 3))
        draw.ellipse(
            (x - r // 3, y - r // 4, x + r // 3, y + r // 4),
            fill=tuple(int(c) for c in rng.integers(0, 256, 3)),
        )
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return the file of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of_zeros(width: int, height: int) -> bytes:
    """Build a valid one-bit PNG of one colour by hand, without ever holding its pixels."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _gif(frames: int) -> bytes:
    first, *others = (drawing(300 + n).convert("P") for n in range(frames))
    return encoded(first, "GIF", save_all=True, append_images=others, duration=40)


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _sixteen_bits() -> bytes:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    return encoded(Image.fromarray(ramp), "PNG")


def pictures() -> Mapping[str, Picture]:
    """Make one picture of each kind, by name."""
    photo = encoded(drawing(200))
    large = encoded(drawing(201, 256), quality=95)
    alpha = drawing(202).convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(alpha.size))
    gif = _gif(5)
    png = encoded(drawing(203), "PNG")
    made = (
        Picture("zero bytes", b"", False),
        Picture("truncated JPEG", large[: len(large) // 2], False),
        Picture("JPEG cut off in its header", photo[:20], False),
        Picture("text file named .jpg", b"This is not a picture.\n" * 40, False),
        Picture("HTML page named .jpg", HTML, False),
        Picture("PDF named .jpg", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" * 10, False),
        Picture(
            "SVG named .png",
            b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
            False,
            ".png",
        ),
        Picture("random bytes", np.random.default_rng(1).bytes(4000), False),
        Picture("run of zero bytes", b"\0" * 5000, False),
        Picture("decompression bomb PNG", png_of_zeros(30_000, 30_000), False, ".png"),
        Picture(
            "PNG of no width",
            png.replace(struct.pack(">II", 64, 64), struct.pack(">II", 0, 64)),
            False,
            ".png",
        ),
        Picture("truncated PNG", png[: len(png) // 2], False, ".png"),
        Picture("truncated GIF", gif[:100], False, ".gif"),
        Picture("PNG named .jpg", png, True),
        Picture("one pixel high", encoded(Image.new("RGB", (60_000, 1), "red"), "PNG"), True, ".png"),
        Picture("one pixel", encoded(Image.new("RGB", (1, 1), "blue"), "PNG"), True, ".png"),
        Picture("animated GIF", gif, True, ".gif"),
        Picture("CMYK JPEG", encoded(drawing(204).convert("CMYK")), True),
        Picture("grey JPEG", encoded(drawing(205).convert("L")), True),
        Picture("16-bit PNG", _sixteen_bits(), True, ".png"),
        Picture("transparent PNG", encoded(alpha, "PNG"), True, ".png"),
        Picture("palette PNG", encoded(drawing(206).quantize(16), "PNG"), True, ".png"),
        Picture("JPEG turned by EXIF", encoded(drawing(207), exif=_exif(6)), True),
        Picture("corrupt EXIF", encoded(drawing(208), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage"), True),
        Picture("progressive JPEG", encoded(drawing(209), progressive=True), True),
        Picture("JPEG with a tail", encoded(drawing(210)) + b"\0\0some camera's notes", True),
        Picture("WebP", encoded(drawing(211), "WEBP"), True, ".webp"),
        Picture("WebP named .jpg", encoded(drawing(212), "WEBP"), True),
        Picture("BMP", encoded(drawing(213), "BMP"), True, ".bmp"),
        Picture("TIFF", encoded(drawing(214), "TIFF"), True, ".tif"),
    )
    return {picture.name: picture for picture in made}
