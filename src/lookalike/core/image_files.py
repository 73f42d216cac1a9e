"""An image file with nothing left in it but its first picture, and what its header says of that.

Image files carry far more than pixels: text, previews, colour profiles, more frames. Decoders read all of it, warn
about some of it (through `warnings`, which no thread can silence for itself alone) and can be made to choke on it.
So each format has a reader here that walks the file once, takes orientation and profile out, says how large the
picture is, and hands on only the parts that make the picture. Nothing is decompressed here except a colour profile,
and that up to a limit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from lookalike.core.errors import ImageError

_MAX_PARTS: Final = 50_000
"""Segments, chunks or blocks in one file; a file of 20 MB can hold millions of empty ones."""
_MAX_SCANS: Final = 100
"""Passes over the picture in one progressive JPEG; cameras and shops write about ten."""
_MAX_PROFILE_BYTES: Final = 4_000_000


class Contents(NamedTuple):
    """The picture in a file: `data` is the file cut down to it, `width` x `height` pixels are what its header promises.

    `orientation` is the EXIF one, 1 to 8. `profile` is an embedded ICC colour profile. `channels` is told of a JPEG only.
    """

    data: bytes
    width: int
    height: int
    orientation: int = 1
    profile: bytes | None = None
    channels: int = 0


def damaged(kind: str, what: str) -> ImageError:
    """Make the error for a file that is of a known kind but broken."""
    return ImageError(f"The {kind} image is damaged: {what}.", hint="Export or copy the picture again.")


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, from an EXIF block; 1 where the block is broken or says nothing of it."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = ">" if tiff[:2] == b"MM" else "<"
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for i in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHLH", tiff, start + 2 + 12 * i)
            if tag == _ORIENTATION and kind == _SHORT:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _FILL, _NO_LENGTH = 0xDA, 0xFF, frozenset((0x01, *range(0xD0, 0xD8)))


def jpeg(data: bytes) -> Contents:
    """Keep tables, frame and scans, and APP0 and APP14 if they are JFIF and Adobe ones: those define the colours."""
    kept = [b"\xff\xd8"]
    width = height = channels = 0
    exif, profile = b"", []
    for marker, segment in _segments(data):
        if marker in _FRAMES:
            height, width, channels = struct.unpack_from(">HHB", segment, 5)
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0", 4):
            exif = exif or segment[4:]
        elif marker == 0xE2 and segment.startswith(b"ICC_PROFILE\0", 4):
            profile.append(segment[16:])
        if _makes_pixels(marker, segment):
            kept.append(segment)
    if kept[-1].count(b"\xff\xda") > _MAX_SCANS:
        raise damaged("JPEG", f"it has more than {_MAX_SCANS} scans")
    orientation = exif_orientation(exif) if exif else 1
    return Contents(b"".join(kept), width, height, orientation, _joined(profile), channels)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each segment of a JPEG, the last being everything from the first scan on."""
    at = 2
    for _ in range(_MAX_PARTS):
        at = data.find(b"\xff", at)  # stray bytes between segments do occur
        if at < 0:
            break
        marker = data[at + 1]
        if marker == _SCAN:
            yield marker, data[at:]
            return
        end = at + 2
        if marker == _FILL:
            end = at + 1
        elif marker not in _NO_LENGTH:
            end += data[at + 2] << 8 | data[at + 3]
            if end > len(data) or end < at + 4:
                raise damaged("JPEG", "it ends within its header")
            yield marker, data[at:end]
        at = end
    raise damaged("JPEG", "its header has no end")


def _makes_pixels(marker: int, segment: bytes) -> bool:
    """Say whether a JPEG segment matters to the decoder."""
    if marker == 0xE0:
        return segment.startswith(b"JFIF\0", 4)
    return marker < 0xE0 or (marker == 0xEE and segment.startswith(b"Adobe", 4))


def _joined(pieces: list[bytes]) -> bytes | None:
    """Join the pieces of an ICC profile: each begins with its number and how many there are."""
    if not pieces or any(len(p) < 2 or p[1] != len(pieces) for p in pieces):
        return None
    profile = b"".join(p[2:] for p in sorted(pieces, key=lambda p: p[0]))
    return profile if len(profile) <= _MAX_PROFILE_BYTES else None


_PNG_KEPT: Final = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))


def png(data: bytes) -> Contents:
    """Keep header, palette, transparency and pixels, with their checksums verified; text, time and further frames go."""
    view = memoryview(data)
    kept = [view[:8]]
    exif, profile = b"", None
    width, height = struct.unpack_from(">LL", data, 16)
    at = 8
    for _ in range(_MAX_PARTS):
        length, name = struct.unpack_from(">L4s", data, at)
        body, end = at + 8, at + 12 + length
        if end > len(data):
            raise damaged("PNG", "it ends before its picture does")
        if name in _PNG_KEPT:
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
                raise damaged("PNG", f"the checksum of its {name.decode()} part is wrong")
            kept.append(view[at:end])
        elif name == b"eXIf":
            exif = data[body : end - 4]
        elif name == b"iCCP":
            profile = _inflated(data[body : end - 4].partition(b"\0")[2][1:])
        if name == b"IEND":
            return Contents(b"".join(kept), width, height, exif_orientation(exif), profile)
        at = end
    raise damaged("PNG", "it has too many parts")


def _inflated(compressed: bytes) -> bytes | None:
    """Decompress a colour profile; None if it is broken or unreasonably large."""
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(compressed, _MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail else profile


def gif(data: bytes) -> Contents:
    """Keep the screen, its palette and the first frame with its transparency; comments and extensions before it go."""
    at = first = 13 + _palette_bytes(data[10])
    control = b""
    for _ in range(_MAX_PARTS):
        start = at
        if data[at] == 0x2C:
            break
        if data[at] != 0x21:  # stray bytes between blocks are common, and skipped by every reader
            at += 1
            continue
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
        if data[start + 1] == 0xF9:
            control = data[start:at]
    else:
        raise damaged("GIF", "it has no picture")
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    screen = struct.unpack_from("<HH", data, 6)
    kept = data[:first] + control + data[at:]
    return Contents(kept, max(screen[0], left + width), max(screen[1], top + height))


def _palette_bytes(flags: int) -> int:
    """Size of the colour table a GIF flags byte announces."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def webp(data: bytes) -> Contents:
    """Read the size only: the container is unpacked by libwebp, which allocates the whole canvas when it opens a file."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        return Contents(data, width, height)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<L", data, 21)
        return Contents(data, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    width, height = struct.unpack_from("<HH", data, 26)
    return Contents(data, width & 0x3FFF, height & 0x3FFF)


def bmp(data: bytes) -> Contents:
    """Read the size only; a negative height means rows from the top."""
    if struct.unpack_from("<L", data, 14) == (12,):
        return Contents(data, *struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ll", data, 18)
    return Contents(data, abs(width), abs(height))


def avif(data: bytes) -> Contents:
    """Hide the EXIF block (orientation is a property of its own in AVIF); the size is known once the decoder has parsed it."""
    at = 0
    for _ in range(_MAX_PARTS):
        length, name = struct.unpack_from(">L4s", data, at)
        if name == b"meta":
            box = data[at : at + length]
            return Contents(data[:at] + box.replace(b"Exif", b"free") + data[at + length :], 0, 0)
        if length < 8:
            break
        at += length
    raise damaged("AVIF", "it has no description of its contents")


_ORIENTATION, _PROFILE = 274, 34675
_SHORT: Final = 3
_TIFF_TYPES: Final = {_SHORT: (2, "H"), 4: (4, "L"), 7: (1, "B")}
"""The types that matter (short, long, undefined): bytes of one value, and how `struct` calls it."""
# Width, height, compression, photometric, fill order, samples per pixel, rows per strip, planar configuration, predictor, tile
# width and height: one value each ..
_TIFF_SINGLE: Final = frozenset((256, 257, 259, 262, 266, _ORIENTATION, 277, 278, 284, 317, 322, 323))
# .. and bits per sample, strip offsets and byte counts, colour map, tile offsets and byte counts, extra samples, sample format,
# JPEG tables, YCbCr subsampling, profile: any number.
_TIFF_KEPT: Final = _TIFF_SINGLE | {258, 273, 279, 320, 324, 325, 338, 339, 347, 530, _PROFILE}


def tiff(data: bytes) -> Contents:
    """Give the first page a new directory, at the end of the file, of the entries that make its pixels, each checked.

    Should the pixels themselves be damaged, libtiff says so on stderr, which cannot be switched off from here.
    """
    order = "<" if data[:2] == b"II" else ">"
    entries, values = _directory(data, order)
    profile = values.pop(_PROFILE, None)
    orientation = values.pop(_ORIENTATION, (1,))[0]
    width, height = (values.get(tag, (0,))[0] for tag in (256, 257))
    _check_strips(data, width, height, values)
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    padding = bytes(len(data) % 2)
    header = data[:4] + struct.pack(order + "L", len(data) + len(padding))
    return Contents(
        header + data[8:] + padding + directory,
        width,
        height,
        orientation if 1 <= orientation <= 8 else 1,
        bytes(profile) if profile and len(profile) <= _MAX_PROFILE_BYTES else None,
    )


def _directory(data: bytes, order: str) -> tuple[list[bytes], dict[int, tuple[int, ...]]]:
    """Return the entries of a TIFF's first page that the decoder needs, and the values of all that we know."""
    (start,) = struct.unpack_from(order + "L", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries, values = [], {}
    for i in range(count):
        entry = data[start + 2 + 12 * i : start + 14 + 12 * i]
        tag, kind, number, place = struct.unpack(order + "HHLL", entry)
        if tag not in _TIFF_KEPT or tag in values:
            continue
        size, code = _TIFF_TYPES.get(kind, (0, ""))
        at = place if number * size > 4 else start + 10 + 12 * i
        if not 0 < number * size <= len(data) - at or (tag in _TIFF_SINGLE and number != 1):
            raise damaged("TIFF", f"its entry {tag} makes no sense")
        values[tag] = struct.unpack_from(f"{order}{number}{code}", data, at)
        if tag not in (_ORIENTATION, _PROFILE):
            entries.append(entry)
    return entries, values


def _check_strips(data: bytes, width: int, height: int, values: Mapping[int, tuple[int, ...]]) -> None:
    """Raise if strips or tiles lie outside the file or are too small for their pixels, or pixels are too wide."""
    offsets, lengths = (
        values.get(strips) or values.get(tiles, ()) for strips, tiles in ((273, 324), (279, 325))
    )
    ends = (offset + length for offset, length in zip(offsets, lengths, strict=False))
    if max(ends, default=0) > len(data):
        raise damaged("TIFF", "it ends before its picture does")
    if values.get(277, (1,))[0] > 6:
        raise damaged("TIFF", "it has more than 6 values per pixel")
    bits = sum(values.get(258, (1,)))
    whole = values.get(259, (1,)) == (1,) and values.get(262) != (
        6,
    )  # neither compressed nor YCbCr with less colour
    if whole and lengths and sum(lengths) * 8 < width * height * bits:
        raise damaged("TIFF", "its strips are too small")


READERS: Final[Mapping[str, Callable[[bytes], Contents]]] = {
    "JPEG": jpeg,
    "PNG": png,
    "WebP": webp,
    "GIF": gif,
    "BMP": bmp,
    "TIFF": tiff,
    "AVIF": avif,
}
