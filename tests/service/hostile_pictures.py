"""Uploads that are bombs, cut off, lying about themselves, or no pictures: built by hand, where Pillow would not."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from adapters.damaged_pictures import drawing, encoded, pictures, png_of_zeros

PNG: Final = b"\x89PNG\r\n\x1a\n"
MARK: Final = Path(tempfile.gettempdir()) / f"lookalike-unpickled-{os.getpid()}"
"""A folder that comes into being if anyone unpickles what was uploaded."""
KINDS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
HUGE: Final = (
    (65_535, 65_535),
    (2**31 - 1, 1_000),
    (1_000, 2**31 - 1),
    (2**31 - 1, 2**31 - 1),
    (100_000, 100_000),
)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, *chunks: bytes, bits: int = 8, colour: int = 2, packed: bytes | None = None
) -> bytes:
    """Build a PNG that says what it is told to."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100) if packed is None else packed
    return PNG + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int, channels: int = 3) -> bytes:
    """Rewrite the size in the frame of a real JPEG."""
    data = bytearray(encoded(drawing(900)))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HHB", data, at + 5, height, width, channels)
    return bytes(data)


def gif(width: int, height: int, code_size: int = 2, body: bytes = b"\x02\x4c\x01\x00") -> bytes:
    """Build a GIF of one frame as large as its screen."""
    palette = b"\0\0\0\xff\xff\xff"
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + palette
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return screen + frame + bytes([code_size]) + body + b";"


def riff(name: bytes, data: bytes, length: int | None = None) -> bytes:
    size = len(data) + 12 if length is None else length
    return b"RIFF" + struct.pack("<I", size) + b"WEBP" + name + struct.pack("<I", len(data)) + data


def vp8x(width: int, height: int) -> bytes:
    """Build a WebP that is all canvas."""
    return riff(
        b"VP8X", b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, body: bytes = bytes(300)) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + info + body


def tiff(order: str = "<", **changes: tuple[int, int, int]) -> bytes:
    """Build a TIFF of 8 x 8 grey pixels; changes are entries {name: (type, count, value)}."""
    tags = {"width": 256, "height": 257, "bits": 258, "compression": 259, "photometric": 262}
    tags |= {"offsets": 273, "samples": 277, "rows": 278, "lengths": 279}
    values: dict[str, tuple[int, int, int]] = {
        "width": (4, 1, 8),
        "height": (4, 1, 8),
        "bits": (3, 1, 8),
        "compression": (3, 1, 1),
        "photometric": (3, 1, 1),
        "offsets": (4, 1, 200),
        "samples": (3, 1, 1),
        "rows": (4, 1, 8),
        "lengths": (4, 1, 64),
    }
    values |= changes
    entries = b""
    for name, (kind, count, value) in values.items():
        shown = (
            struct.pack(order + "HH", value, 0)
            if kind == 3 and count == 1
            else struct.pack(order + "I", value)
        )
        entries += struct.pack(order + "HHI", tags[name], kind, count) + shown
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return (head + struct.pack(order + "H", len(values)) + entries + bytes(4)).ljust(200, b"\0") + bytes(64)


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jpg", bytes(50_000_000))
    return out.getvalue()


SVG: Final = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><text>&x;</text>
<image xlink:href="http://127.0.0.1/a.png"/><script>alert(1)</script></svg>"""
LAUGHS: Final = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, (b"&%c;" % (97 + i)) * 10) for i in range(9))
    + b"]><svg>&j;</svg>"
)


class Leaves:
    """Would make a folder if anyone unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(MARK),)


def _other_files() -> Iterator[tuple[str, bytes]]:
    """Files of other kinds; some are pictures of which other programs know how to run what is in them."""
    yield from {
        "one byte": b"\xff",
        "line breaks": b"\r\n" * 500,
        "UTF-16 text": "\ufeffpicture".encode("utf-16") * 50,
        "SVG that includes files": SVG,
        "SVG of a billion laughs": LAUGHS,
        "SVG, compressed": gzip.compress(SVG),
        "gzip bomb": gzip.compress(bytes(50_000_000), 9),
        "zip bomb": zip_bomb(),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\nshowpage\n",
        "EPS in DOS form": b"\xc5\xd0\xd3\xc6"
        + struct.pack("<6I", 30, 10, 0, 0, 0, 0)
        + b"\xff\xff%!PS-Adobe",
        "PDF": b"%PDF-1.7\n1 0 obj<</JS(app.alert(1))>>endobj",
        "MVG": b"push graphic-context\nviewbox 0 0 9 9\nfill 'url(https://127.0.0.1/x.jpg\"|ls \"-la)'\npop graphic-context",
        "MSL": b'<?xml version="1.0"?><image><read filename="/etc/passwd"/><write filename="/tmp/x"/></image>',
        "pickle": pickle.dumps(Leaves()),
        "NumPy array of objects": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
        + pickle.dumps(Leaves()),
        "ELF program": b"\x7fELF\x02\x01\x01" + bytes(200),
        "Windows program": b"MZ\x90\0" + bytes(200),
        "Java class": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(100),
        "WebAssembly": b"\0asm\x01\0\0\0" + bytes(50),
        "shell script": b"#!/bin/sh\ntouch /tmp/x\n",
        "PHP": b"<?php system($_GET['c']); ?>",
        "JavaScript": b"alert(1)//" + bytes(20),
        "JSON": b'{"image": "/etc/passwd"}',
        "plain path": b"/etc/passwd",
        "URL": b"http://127.0.0.1/a.jpg",
        "data URI": b"data:image/png;base64,iVBORw0KGgo=",
        "icon": b"\0\0\x01\0\x01\0\xff\xff\0\0\x01\0\x20\0\xff\xff\xff\x7f\x16\0\0\0" + bytes(40),
        "Photoshop": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 56, 300_000, 300_000, 32, 3),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60),
        "MP4": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(60),
        "PPM of any size": b"P6 99999 99999 255\n" + bytes(60),
        "TGA": b"\0\0\x02" + bytes(9) + b"\xff\xff\xff\xff\x18\0" + bytes(40),
        "PCX": b"\x0a\x05\x01\x08\0\0\0\0\xff\xff\xff\xff" + bytes(120),
        "DDS": b"DDS |\0\0\0" + b"\xff" * 120,
        "FITS": b"SIMPLE  =                    T".ljust(2880),
        "XPM": b'/* XPM */ static char *x[] = {"99999 99999 1 1"};',
        "Windows metafile": b"\xd7\xcd\xc6\x9a" + bytes(100),
        "sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "RIFF of nothing": b"RIFF\0\0\0\0WEBP",
        "GIF of nothing": b"GIF89a",
        "BMP of nothing": b"BM",
        "TIFF of nothing": b"II*\0",
        "AVIF of nothing": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
        "JPEG of nothing": b"\xff\xd8\xff\xd9",
        "PNG of nothing": PNG,
        "PDF that holds a JPEG": b"%PDF-1.4\n" + encoded(drawing(901)),
        "web page that holds a PNG": b"<html><!--" + encoded(drawing(902), "PNG") + b"--></html>",
        "zip that holds a PNG": zip_bomb()[:300] + encoded(drawing(903), "PNG"),
    }.items()


def _bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that claim, or really unpack to, far too much."""
    yield "PNG of 900 million real pixels", png_of_zeros(30_000, 30_000)
    yield "WebP canvas of 16 million squared", vp8x(2**24, 2**24)
    yield "WebP canvas of 16 thousand squared", vp8x(16_384, 16_384)
    yield "WebP, lossless, of 16 thousand squared", riff(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(60))
    yield (
        "WebP, lossy, of 16 thousand squared",
        riff(b"VP8 ", b"\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(60)),
    )
    yield "JPEG of 65,535 squared", jpeg(65_535, 65_535)
    yield "GIF of 65,535 squared", gif(65_535, 65_535)
    yield "BMP of negative size", bmp(-(2**31), -(2**31))
    yield "BMP of run lengths", bmp(60_000, 60_000, 8, 1, b"\xff\0" * 200)
    for width, height in HUGE:
        yield f"PNG of {width} x {height}", png(width, height)
        yield f"BMP of {width} x {height}", bmp(width, height)
        yield f"TIFF of {width} x {height}", tiff(width=(4, 1, width), height=(4, 1, height))
        yield (
            f"compressed TIFF of {width} x {height}",
            tiff(width=(4, 1, width), height=(4, 1, height), compression=(3, 1, 8)),
        )
    yield "PNG of 60,000 parts", png(8, 8, chunk(b"teXt", b"") * 60_000)
    yield "GIF of 60,000 extensions", b"GIF89a\x01\0\x01\0\0\0\0" + b"\x21\xfe\0" * 60_000 + b";"
    yield "JPEG of 60,000 segments", b"\xff\xd8" + b"\xff\xfe\0\x02" * 60_000 + b"\xff\xd9"
    scans = encoded(drawing(904), progressive=True)
    first = scans.index(b"\xff\xda")
    second = scans.index(b"\xff\xc4", first)
    yield "JPEG of 2,000 scans", scans[:first] + scans[first:second] * 2_000 + b"\xff\xd9"


def _liars() -> Iterator[tuple[str, bytes]]:
    """Files whose parts contradict each other."""
    for width, height in ((0, 0), (0, 9), (9, 0)):
        yield f"PNG of {width} x {height}", png(width, height)
        yield f"BMP of {width} x {height}", bmp(width, height)
        yield f"TIFF of {width} x {height}", tiff(width=(4, 1, width), height=(4, 1, height))
    yield "PNG of 3 bits", png(8, 8, bits=3)
    yield "PNG of no known colour", png(8, 8, colour=5)
    yield "PNG with too few rows", png(500, 500)
    yield "PNG of broken rows", png(8, 8, packed=b"\x78\x9c" + b"\xff" * 50)
    yield "PNG with a wrong checksum", png(8, 8)[:-20] + bytes(20)
    yield "PNG whose part is longer than it", PNG + struct.pack(">I", 2**31) + b"IHDR" + bytes(30)
    yield "PNG without a header", PNG + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    yield "JPEG of 0 x 0", jpeg(0, 0)
    yield "JPEG of 200 channels", jpeg(64, 64, 200)
    yield "JPEG without a frame", b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(50) + b"\xff\xd9"
    yield "JPEG with a segment of no length", b"\xff\xd8\xff\xe0\0\0" + encoded(drawing(905))[2:]
    yield "JPEG whose header has no end", b"\xff\xd8" + b"\xff" * 5_000
    yield "GIF of code size 0", gif(8, 8, code_size=0)
    yield "GIF of code size 200", gif(8, 8, code_size=200)
    yield "GIF of no codes", gif(300, 300, body=b"\0")
    yield "GIF of stray bytes", b"GIF89a\x01\0\x01\0\0\0\0" + bytes(60_000)
    yield "WebP of no picture", riff(b"ICCP", bytes(40))
    yield "WebP of nonsense", riff(b"VP8 ", bytes(60))
    yield "WebP, lossless, of nonsense", riff(b"VP8L", b"\x2f" + b"\xff" * 60, 2**32 - 1)
    yield "BMP of 7 bits", bmp(8, 8, 7)
    yield "BMP of unknown compression", bmp(8, 8, 24, 77)
    yield "BMP that lacks its pixels", bmp(500, 500)
    yield "TIFF with strips outside", tiff(offsets=(4, 1, 2**31))
    yield "TIFF with too short strips", tiff(lengths=(4, 1, 1))
    yield "TIFF of 60,000 channels", tiff(samples=(3, 1, 60_000))
    yield "TIFF of unknown compression", tiff(compression=(3, 1, 4711))
    yield "TIFF with endless values", tiff(bits=(3, 2**32 - 1, 8))
    yield "TIFF with strips without number", tiff(offsets=(4, 2**30, 8))
    yield "TIFF whose directory is outside", b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(60)
    yield "TIFF of the other order", tiff(">", bits=(3, 1, 77))
    yield "BigTIFF", b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + bytes(60)
    yield "AVIF with a box of no length", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(80)
    yield "AVIF of nonsense", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x20meta" + b"\xff" * 40


def _cut() -> Iterator[tuple[str, bytes]]:
    for kind in KINDS:
        whole = encoded(drawing(910, 128), kind)
        for percent in (5, 20, 40, 60, 80):
            yield f"{kind} of which {percent} % came", whole[: len(whole) * percent // 100]


def hostile_pictures() -> Mapping[str, bytes]:
    """Return files that are no picture or too much of one, by name."""
    broken = {
        picture.name: picture.data for picture in pictures().values() if picture.data and not picture.works
    }
    return broken | dict([*_other_files(), *_bombs(), *_liars(), *_cut()])


def odd_pictures() -> Mapping[str, bytes]:
    """Return real pictures with something in them that must come to nothing."""
    photo, small = encoded(drawing(920)), encoded(drawing(921), "PNG")
    head, rest = small[:33], small[33:]
    bomb = zlib.compress(bytes(40_000_000), 9)
    frames = [Image.new("P", (64, 64), n % 200) for n in range(300)]
    page = b"<html><script>alert(1)</script></html>"
    return {
        "PNG with a text bomb": head + chunk(b"zTXt", b"Comment\0\0" + bomb) + rest,
        "PNG with a profile bomb": head + chunk(b"iCCP", b"sRGB\0\0" + bomb) + rest,
        "PNG with an endless animation": head + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + rest,
        "GIF of 300 frames": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "JPEG that is a web page as well": photo + page,
        "JPEG with a web page as its comment": photo[:2]
        + b"\xff\xfe"
        + struct.pack(">H", len(page) + 2)
        + page
        + photo[2:],
        "JPEG that is a zip as well": photo + zip_bomb(),
        "PNG that is a PHP program as well": small + b"<?php system('id'); ?>",
        "GIF that is JavaScript as well": encoded(drawing(922).convert("P"), "GIF") + b"=1;alert(1)//",
        "JPEG with EXIF that runs in circles": encoded(
            drawing(923), exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
        ),
        "TIFF whose pages run in circles": _with_next_page(tiff(), 8),
        "PNG with a palette and none": png(8, 8, colour=3),
    }


def _with_next_page(data: bytes, at: int) -> bytes:
    after = 10 + 12 * int.from_bytes(data[8:10], "little")
    return data[:after] + struct.pack("<I", at) + data[after + 4 :]


def mutated(count: int) -> Iterator[bytes]:
    """Yield real pictures of all kinds with a few bytes changed, always the same ones."""
    rng = np.random.default_rng(7)
    whole = [encoded(drawing(930, 48), kind) for kind in KINDS]
    for number in range(count):
        data = bytearray(whole[number % len(whole)])
        near = len(data) if number % 2 else min(len(data), 120)  # every other time in the header
        for at in rng.integers(0, near, rng.integers(1, 6)):
            data[int(at)] = int(rng.integers(256))
        yield bytes(data)
