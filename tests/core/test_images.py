"""Untrusted bytes to pixels: what is read, what is refused and with which words, and that colours come out right."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from lookalike.core import image_files, image_kinds
from lookalike.core.errors import ImageError, InputError, LimitError, LookalikeError
from lookalike.core.images import ImageLimits, decode, from_array, thumbnail

RED, BLUE, GREY = (200, 30, 40), (20, 60, 220), (128, 128, 128)
SMALL = ImageLimits(max_bytes=200_000, max_pixels=1_000_000, reduce_to_px=512)
TEXTURE = Image.effect_noise((60, 80), 40).convert("RGB")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def plain(mode: str = "RGB", colour: object = RED, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """Return an image of one colour."""
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def palette() -> Image.Image:
    """Return an image all of the second of three colours."""
    image = plain("P", 1)
    image.putpalette([*BLUE, *RED, *GREY])
    return image


def quarters() -> Image.Image:
    """Return 40 x 24: red, green / blue, white, so that every turn and flip of it differs."""
    image = Image.new("RGB", (40, 24), "white")
    for at, colour in (((0, 0), (255, 0, 0)), ((20, 0), (0, 255, 0)), ((0, 12), (0, 0, 255))):
        image.paste(colour, (*at, at[0] + 20, at[1] + 12))
    return image


def exif(orientation: int, order: str = "<") -> bytes:
    """Return an EXIF block that says only how the picture lies."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8)
    entry = struct.pack(order + "HHHLHH", 1, 274, 3, 1, orientation, 0)
    return b"Exif\0\0" + head + entry + bytes(4)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return one PNG chunk."""
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """Return a hand-made PNG; `rows` are the raw bytes, each row with its filter byte."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0))
    body = b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def with_chunks(*chunks: bytes) -> bytes:
    """Return a red PNG with chunks put after its header."""
    data = saved(plain(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """Return a JPEG with a segment put at its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def tiff_entry(data: bytes, tag: int, **to: int) -> bytes:
    """Return a little-endian TIFF with one entry's type, count or value changed."""
    (start,) = struct.unpack_from("<L", data, 4)
    out = bytearray(data)
    for i in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * i
        if struct.unpack_from("<H", data, at)[0] == tag:
            old = dict(
                zip(("tag", "kind", "count", "value"), struct.unpack_from("<HHLL", data, at), strict=True)
            )
            struct.pack_into("<HHLL", out, at, *(old | to).values())
            return bytes(out)
    raise AssertionError(f"no entry {tag}")


def ycck(colour: tuple[int, int, int]) -> bytes:
    """Return a print JPEG in YCCK as Adobe writes it: the YCbCr of 255 - stored CMY, which is itself 255 - ink."""
    ink = tuple(255 - value for value in colour)
    ycc = Image.new("RGB", (24, 16), ink).convert("YCbCr")
    bands = [*ycc.split(), Image.new("L", (24, 16), 255)]
    # Pillow inverts CMYK while writing, so what should be stored as it is goes in inverted.
    stored = Image.merge("CMYK", [band.point(lambda v: 255 - v) for band in bands])
    data = saved(stored, "JPEG", quality=95)
    at = data.index(b"Adobe")
    return data[: at + 11] + b"\x02" + data[at + 12 :]


def animation() -> list[Image.Image]:
    return [plain(colour=colour) for colour in (RED, BLUE, GREY)]


def damaged_idat() -> bytes:
    data = bytearray(saved(TEXTURE, "PNG"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


def cut_idat() -> bytes:
    """Return a PNG whose chunks are all correct, but whose compressed pixels stop halfway."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", 60, 80, 8, 2, 0, 0, 0))
    packed = zlib.compress(np.random.default_rng(0).bytes(80 * 181))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed[: len(packed) // 2]) + chunk(b"IEND", b"")


def many_scans() -> bytes:
    """Return a JPEG whose one scan is repeated 500 times."""
    data = saved(plain(), "JPEG")
    at = data.index(b"\xff\xda")
    return data[:at] + data[at:-2] * 500 + b"\xff\xd9"


JPEG, PNG, GIF = saved(TEXTURE, "JPEG"), saved(TEXTURE, "PNG"), saved(TEXTURE, "GIF")
WEBP, BMP, TIFF = saved(TEXTURE, "WEBP", lossless=True), saved(TEXTURE, "BMP"), saved(TEXTURE, "TIFF")
FORMATS = {"JPEG": JPEG, "PNG": PNG, "GIF": GIF, "WebP": WEBP, "BMP": BMP, "TIFF": TIFF}
FORMATS["TIFF lzw"] = saved(TEXTURE, "TIFF", compression="tiff_lzw")
FORMATS["TIFF jpeg"] = saved(TEXTURE, "TIFF", compression="jpeg")
FORMATS["progressive JPEG"] = saved(TEXTURE, "JPEG", progressive=True)
if find_spec("PIL.AvifImagePlugin") and features.check("avif"):
    FORMATS["AVIF"] = saved(TEXTURE, "AVIF")

# Pictures, and the colour that comes out everywhere.
GOOD: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "JPEG": (saved(plain(), "JPEG", quality=95), RED),
    "progressive JPEG": (saved(plain(), "JPEG", quality=95, progressive=True), RED),
    "grey JPEG": (saved(plain("L", 128), "JPEG"), GREY),
    "JPEG of another name for RGB": (saved(plain(), "JPEG", quality=95, keep_rgb=True), RED),
    "CMYK JPEG": (saved(plain("CMYK", (55, 225, 215, 0)), "JPEG", quality=95), RED),
    "YCCK JPEG": (ycck(RED), RED),
    "JPEG with broken EXIF": (
        with_segment(saved(plain(), "JPEG"), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        RED,
    ),
    "JPEG with an EXIF of nonsense": (
        with_segment(saved(plain(), "JPEG"), 0xE1, b"Exif\0\0" + b"\xee" * 999),
        RED,
    ),
    "JPEG with a comment": (with_segment(saved(plain(), "JPEG"), 0xFE, b"<script>"), RED),
    "JPEG with stray bytes": (saved(plain(), "JPEG").replace(b"\xff\xdb", b"\0\0\0\xff\xdb", 1), RED),
    "JPEG with a broken profile": (saved(plain(), "JPEG", icc_profile=b"x" * 16 + b"RGB " + b"x" * 200), RED),
    "JPEG with a tail": (saved(plain(), "JPEG") + b"PK\x03\x04" * 100, RED),
    "PNG": (saved(plain(), "PNG"), RED),
    "PNG, palette": (saved(plain().quantize(4), "PNG"), RED),
    "PNG, palette, one clear": (saved(palette(), "PNG", transparency=1), (255, 255, 255)),
    "PNG, palette, alphas": (saved(palette(), "PNG", transparency=b"\xff\x00\x80"), (255, 255, 255)),
    "PNG, 1 bit": (saved(plain("1", 1), "PNG"), (255, 255, 255)),
    "PNG, 1 bit, black": (saved(plain("1", 0), "PNG"), (0, 0, 0)),
    "PNG, grey": (saved(plain("L", 128), "PNG"), GREY),
    "PNG, grey with one clear": (saved(plain("L", 128), "PNG", transparency=128), (255, 255, 255)),
    "PNG, grey and alpha": (saved(plain("LA", (0, 127)), "PNG"), GREY),
    "PNG, RGB with one clear": (saved(plain(), "PNG", transparency=RED), (255, 255, 255)),
    "PNG, RGBA, clear": (saved(plain("RGBA", (*RED, 0)), "PNG"), (255, 255, 255)),
    "PNG, RGBA, solid": (saved(plain("RGBA", (*RED, 255)), "PNG"), RED),
    "PNG, RGBA, half": (saved(plain("RGBA", (*RED, 128)), "PNG"), (227, 142, 147)),
    "PNG, 16-bit grey": (saved(Image.new("I;16", (24, 16), 128 * 257), "PNG"), GREY),
    "PNG, 16-bit grey with one clear": (
        png(1, 1, 16, 0, b"\0\x80\x80", chunk(b"tRNS", b"\x80\x80")),
        (255, 255, 255),
    ),
    "PNG, 16-bit RGB": (png(2, 1, 16, 2, b"\0" + b"\xc8\xc8\x1e\x1e\x28\x28" * 2), RED),
    "PNG, 16-bit RGBA": (png(1, 1, 16, 6, b"\0" + b"\xc8\xc8\x1e\x1e\x28\x28\x00\x00"), (255, 255, 255)),
    "PNG, interlaced": (png(1, 1, 8, 2, b"\0\xc8\x1e\x28"), RED),
    "PNG, animated": (saved(animation()[0], "PNG", save_all=True, append_images=animation()[1:]), RED),
    "PNG with a wrong animation": (with_chunks(chunk(b"acTL", bytes(8)), chunk(b"acTL", bytes(8))), RED),
    "PNG with a text bomb": (with_chunks(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))), RED),
    "PNG with a profile bomb": (with_chunks(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))), RED),
    "PNG with a profile of nonsense": (with_chunks(chunk(b"iCCP", b"a\0\0nonsense")), RED),
    "PNG with a damaged text": (with_chunks(chunk(b"tEXt", b"a\0b")[:-1] + b"?"), RED),
    "GIF": (saved(plain(), "GIF"), RED),
    "GIF, animated": (saved(animation()[0], "GIF", save_all=True, append_images=animation()[1:]), RED),
    "GIF, clear": (saved(palette(), "GIF", transparency=1), (255, 255, 255)),
    "GIF with a comment": (saved(plain(), "GIF", comment=b"x" * 5000), RED),
    "WebP, lossless": (saved(plain(), "WEBP", lossless=True), RED),
    "WebP, lossy": (saved(plain(), "WEBP", quality=90), RED),
    "WebP, clear": (saved(plain("RGBA", (*RED, 0)), "WEBP", lossless=True), (255, 255, 255)),
    "WebP, animated": (
        saved(animation()[0], "WEBP", save_all=True, append_images=animation()[1:], lossless=True),
        RED,
    ),
    "BMP": (saved(plain(), "BMP"), RED),
    "BMP, palette": (saved(plain().quantize(4), "BMP"), RED),
    "BMP, 1 bit": (saved(plain("1", 1), "BMP"), (255, 255, 255)),
    "TIFF": (saved(plain(), "TIFF"), RED),
    "TIFF, LZW": (saved(plain(), "TIFF", compression="tiff_lzw"), RED),
    "TIFF, deflate": (saved(plain(), "TIFF", compression="tiff_adobe_deflate"), RED),
    "TIFF, big-endian": (saved(Image.new("I;16B", (24, 16), 128 * 257), "TIFF"), GREY),
    "TIFF, CMYK": (saved(plain("CMYK", (55, 225, 215, 0)), "TIFF"), RED),
    "TIFF, LAB": (saved(plain("LAB", (137, 128, 128)), "TIFF"), GREY),
    "TIFF, RGBA": (saved(plain("RGBA", (*RED, 0)), "TIFF"), (255, 255, 255)),
    "TIFF, 16-bit grey": (saved(Image.new("I;16", (24, 16), 128 * 257), "TIFF"), GREY),
    "TIFF, two pages": (saved(animation()[0], "TIFF", save_all=True, append_images=animation()[1:]), RED),
    "TIFF with a broken date": (
        tiff_entry(saved(plain(), "TIFF", tiffinfo={306: "2020"}), 306, count=10**9),
        RED,
    ),
    "MPO, a camera's two pictures": (
        saved(plain(), "MPO", save_all=True, append_images=[plain(colour=BLUE)]),
        RED,
    ),
}

# What is refused: with which error, and a word of its message or hint.
BAD: dict[str, tuple[bytes, type[LookalikeError], str]] = {
    "nothing": (b"", ImageError, "empty"),
    "HTML": (b"<!DOCTYPE html><html>", ImageError, "web page"),
    "HTML after a comment": (b"\n <!-- a --> <HTML>", ImageError, "web page"),
    "HTML with a mark": (b"\xef\xbb\xbf<html>", ImageError, "web page"),
    "JSON": (b'{"error": "not found"}', ImageError, "JSON"),
    "XML": (b'<?xml version="1.0"?><Error/>', ImageError, "XML"),
    "SVG": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', ImageError, "SVG"),
    "text": (b"Not found\n", ImageError, "plain text"),
    "PDF": (b"%PDF-1.7\n", ImageError, "PDF"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0", ImageError, "PostScript"),
    "MP4": (b"\0\0\0\x18ftypisom\0\0\x02\0", ImageError, "video"),
    "WebM": (b"\x1a\x45\xdf\xa3" + bytes(30), ImageError, "video"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ImageError, "HEIC"),
    "JPEG XL": (b"\xff\x0a" + bytes(20), ImageError, "JPEG XL"),
    "JPEG 2000": (saved(plain(), "JPEG2000"), ImageError, "JPEG 2000"),
    "Photoshop": (b"8BPS\0\x01", ImageError, "Photoshop"),
    "icon": (saved(plain(), "ICO"), ImageError, "icon"),
    "ZIP": (b"PK\x03\x04" + bytes(30), ImageError, "ZIP"),
    "gzip": (b"\x1f\x8b\x08" + bytes(30), ImageError, "gzip"),
    "zeros": (bytes(5000), ImageError, "zero bytes"),
    "base64": (b"/9j/4AAQSkZJRgABAQAAAQABAAD", ImageError, "base64"),
    "data URI": (b"data:image/png;base64,iVBORw0KGgo", ImageError, "base64"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", ImageError, "git lfs pull"),
    "noise": (bytes(range(128, 256)) * 3, ImageError, "unknown kind"),
    "PPM, which is not on the list": (saved(plain(), "PPM"), ImageError, "not an image we can read"),
    "BigTIFF": (saved(plain(), "TIFF", big_tiff=True), ImageError, "BigTIFF"),
    "only a JPEG's first bytes": (b"\xff\xd8\xff", ImageError, "damaged"),
    "only a PNG's first bytes": (PNG[:20], ImageError, "damaged"),
    "JPEG, half": (JPEG[: len(JPEG) // 2], ImageError, "damaged"),
    "JPEG, all but the last bytes": (JPEG[:-30], ImageError, "damaged"),
    "JPEG, header only": (JPEG[: JPEG.index(b"\xff\xda")], ImageError, "damaged"),
    "JPEG without a header": (b"\xff\xd8" + JPEG[JPEG.index(b"\xff\xda") :], ImageError, "damaged"),
    "JPEG with 500 scans": (many_scans(), ImageError, "scans"),
    "JPEG of junk": (b"\xff\xd8\xff" + bytes(150_000), ImageError, "damaged"),
    "JPEG of empty segments": (b"\xff\xd8" + b"\xff\xe3\0\x02" * 40_000, ImageError, "damaged"),
    "JPEG of fill bytes": (b"\xff\xd8" + b"\xff" * 150_000, ImageError, "no end"),
    "PNG, half": (PNG[: len(PNG) // 2], ImageError, "damaged"),
    "PNG without an end": (PNG[:-12], ImageError, "damaged"),
    "PNG with a flipped byte": (damaged_idat(), ImageError, "checksum"),
    "PNG without pixels": (png(4, 4, 8, 2, b""), ImageError, "damaged"),
    "PNG with pixels cut off": (cut_idat(), ImageError, "damaged"),
    "PNG of no size": (png(0, 4, 8, 2, b"\0"), ImageError, "damaged"),
    "PNG of a bad colour type": (png(4, 4, 8, 5, b"\0" * 20), ImageError, "damaged"),
    "PNG of empty chunks": (with_chunks(chunk(b"tEXt", b"") * 15_000 * 4)[:199_000], ImageError, "damaged"),
    "GIF, half": (GIF[: len(GIF) // 2], ImageError, "damaged"),
    "GIF without a picture": (GIF[:13] + b";", ImageError, "damaged"),
    "WebP, half": (WEBP[: len(WEBP) // 2], ImageError, "damaged"),
    "BMP, half": (BMP[: len(BMP) // 2], ImageError, "damaged"),
    "TIFF, half": (TIFF[: len(TIFF) // 2], ImageError, "damaged"),
    "TIFF with two widths": (tiff_entry(TIFF, 256, count=2), ImageError, "entry 256"),
    "TIFF with strips outside": (tiff_entry(TIFF, 273, kind=4, count=50_000), ImageError, "entry 273"),
    "TIFF of a directory outside": (TIFF[:4] + b"\xff\xff\xff\x7f" + TIFF[8:], ImageError, "damaged"),
    "TIFF with short strips": (tiff_entry(TIFF, 279, value=100), ImageError, "too small"),
    "TIFF of many channels": (tiff_entry(TIFF, 277, value=768), ImageError, "values per pixel"),
    "TIFF of an unknown compression": (tiff_entry(TIFF, 259, value=777), ImageError, "damaged"),
    "TIFF of floats": (saved(plain("F", 0.5), "TIFF"), ImageError, "floating-point"),
    "TIFF of 32 bits": (saved(plain("I", 70_000), "TIFF"), ImageError, "32-bit"),
    "too many bytes": (b"\xff\xd8\xff" + bytes(200_001), LimitError, "max_bytes"),
    "PNG bomb": (png(60_000, 60_000, 8, 2, b"\0"), LimitError, "max_pixels"),
    "JPEG bomb": (JPEG.replace(struct.pack(">HH", 80, 60), b"\xff\xff\xff\xff", 1), LimitError, "max_pixels"),
    "GIF bomb": (GIF[:6] + b"\xff\xff\xff\xff" + GIF[10:], LimitError, "max_pixels"),
    "GIF bomb in a frame": (
        GIF.replace(b",\0\0\0\0" + struct.pack("<HH", 60, 80), b"," + b"\xff" * 8, 1),
        LimitError,
        "max_pixels",
    ),
    "WebP bomb": (
        b"RIFF\x80\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xfe\x3f\0\xfe\x3f\0" + bytes(99),
        LimitError,
        "max_p",
    ),
    "BMP bomb": (BMP[:18] + struct.pack("<ll", 30_000, -30_000) + BMP[26:], LimitError, "max_pixels"),
    "TIFF bomb": (
        tiff_entry(tiff_entry(FORMATS["TIFF lzw"], 256, kind=4, value=10**6), 257, value=9999),
        LimitError,
        "max_pixels",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_pictures_of_every_kind_come_out_in_their_colour(name: str) -> None:
    data, colour = GOOD[name]
    pixels = decode(data)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert pixels.flags.owndata
    assert pixels.flags.writeable
    assert np.abs(pixels.astype(int) - colour).max() <= 3, pixels[0, 0]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_in_words(name: str) -> None:
    data, error_type, word = BAD[name]
    with pytest.raises(error_type) as caught:
        decode(data, SMALL)
    assert word in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    assert not str(caught.value).endswith("..")


def test_the_corpus_is_large_enough() -> None:
    assert len(GOOD) >= 40
    assert len(BAD) >= 40


@pytest.mark.parametrize("kind", FORMATS)
def test_every_truncation_is_refused_or_whole(kind: str) -> None:
    data = FORMATS[kind]
    whole = decode(data)
    for cut in range(1, len(data), max(1, len(data) // 60)):
        try:
            pixels = decode(data[:cut])
        except ImageError:
            continue
        assert np.array_equal(pixels, whole), f"{cut} of {len(data)} bytes gave another picture"


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 30),
)
def test_mutations_give_pixels_or_our_errors(kind: str, edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(FORMATS[kind])
    for at, value in edits:
        # Half of the edits hit the first bytes, where the structure is.
        data[at % (200 if value % 2 else len(data))] = value
    try:
        pixels = decode(bytes(data[: len(data) - cut]), SMALL)
    except (ImageError, LimitError):
        return
    assert pixels.shape[2] == 3
    assert max(pixels.shape) <= 512


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    start=st.sampled_from([b"", *(magic for magic, _ in image_kinds._MAGIC), b"RIFF\0\0\0\0WEBPVP8X"]),
    rest=st.binary(),
)
def test_random_bytes_give_pixels_or_our_errors(start: bytes, rest: bytes) -> None:
    try:
        decode(start + rest, SMALL)
    except (ImageError, LimitError) as error:
        assert error.hint


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(orientation: int, kind: str) -> None:
    # What a viewer shows upright is what EXIF 2.32, 4.6.4.A says: where row 0 and column 0 are.
    lies = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = quarters()
    lying = upright if orientation == 1 else upright.transpose(lies[orientation])
    options: dict[str, object] = {"exif": exif(orientation)}
    if kind == "TIFF":
        options = {"tiffinfo": {274: orientation}}
    elif kind == "WEBP":
        options |= {"lossless": True}
    elif kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    pixels = decode(saved(lying, kind, **options)).astype(int)
    assert pixels.shape == (24, 40, 3)
    assert np.abs(pixels - np.asarray(upright)).max() <= (12 if kind == "JPEG" else 0)


def test_orientation_is_read_in_both_byte_orders_and_ignored_when_absurd() -> None:
    assert [image_files.exif_orientation(exif(6, order)) for order in "<>"] == [6, 6]
    assert image_files.exif_orientation(exif(99)) == 1
    assert image_files.exif_orientation(b"") == 1
    assert image_files.exif_orientation(exif(6)[:-8]) == 1


@pytest.mark.skipif("AVIF" not in FORMATS, reason="this Pillow was built without AVIF")
def test_avif_is_turned_by_its_own_property_not_by_its_exif() -> None:
    turned = decode(saved(quarters(), "AVIF", quality=95, exif=exif(6)))
    assert turned.shape == (40, 24, 3)
    assert decode(saved(quarters(), "AVIF", quality=95)).shape == (24, 40, 3)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.arange(0, 65536, 64, dtype=np.uint16).reshape(8, 128)
    for kind in ("PNG", "TIFF"):
        pixels = decode(saved(Image.fromarray(ramp), kind))
        assert np.array_equal(pixels[..., 0], ramp >> 8)
        assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_alpha_is_laid_on_white_exactly() -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (40, 30, 4), np.uint8)
    alpha = rgba[..., 3:].astype(float) / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(saved(Image.fromarray(rgba), "PNG")) - expected).max() <= 1
    assert np.abs(from_array(rgba) - expected).max() <= 1


def test_a_clear_area_does_not_bleed_its_hidden_colour_when_reduced() -> None:
    image = Image.new("RGBA", (1000, 1000), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (500, 0, 1000, 1000))
    pixels = decode(saved(image, "PNG"))
    assert pixels.shape == (512, 512, 3)
    assert pixels[:, :, 0].min() >= 250  # between white and red there is no dark seam


def adobe_like() -> bytes:
    """Return the profile of a space unlike sRGB: LittleCMS' own Lab to RGB serves, with swapped primaries made by hand."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">L", profile, 128)[0]
    for i in range(count):
        at = 132 + 12 * i
        profile[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(
            bytes(profile[at : at + 4]), profile[at : at + 4]
        )
    return bytes(profile).replace(b"s\0R\0G\0B", b"s\0X\0X\0B").replace(b"sRGB", b"test")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_profile_other_than_srgb_is_applied(kind: str) -> None:
    # In this space red and green have changed places, so applying it shows.
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    pixels = decode(saved(plain(colour=(200, 30, 40)), kind, icc_profile=adobe_like(), **options))
    assert np.abs(pixels.astype(int) - (30, 200, 40)).max() <= 4


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode(saved(TEXTURE, "PNG", icc_profile=srgb)), np.asarray(TEXTURE))


@pytest.mark.parametrize(
    ("size", "reduced"), [((1024, 512), (256, 512)), ((100, 3000), (512, 17)), ((3000, 1), (1, 512))]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced(kind: str, size: tuple[int, int], reduced: tuple[int, int]) -> None:
    assert decode(saved(plain(size=size), kind)).shape == (*reduced, 3)


@pytest.mark.parametrize("width", [513, 700, 1024, 1500, 2050])
def test_a_reduced_jpeg_looks_like_the_reduced_picture(width: int) -> None:
    base = (
        Image.effect_noise((40, 30), 80)
        .convert("RGB")
        .resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    )
    data = saved(base, "JPEG", quality=95)
    pixels = decode(data)
    with Image.open(io.BytesIO(data)) as whole:
        expected = whole.resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.BICUBIC)
    assert pixels.shape[1] == 512
    assert np.abs(pixels.astype(int) - np.asarray(expected).astype(int)).mean() < 1.5


def test_threads_may_decode_at_once() -> None:
    names = list(GOOD) * 3
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda name: decode(GOOD[name][0]), names))
    for name, pixels in zip(names, results, strict=True):
        assert np.abs(pixels.astype(int) - GOOD[name][1]).max() <= 3


BOMBS = """
import resource, sys
from pathlib import Path
from lookalike.core.errors import LookalikeError
from lookalike.core.images import decode
files = [Path(name).read_bytes() for name in sys.argv[1:]]
decode(files[0])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for data in files:
    try:
        decode(data)
    except LookalikeError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_little_memory_and_nothing_is_said_aloud(tmp_path) -> None:  # type: ignore[no-untyped-def]
    row = b"\0" + bytes(60_000)
    bomb = png(20_000, 20_000, 8, 2, row * 200)  # 1.2 GB once decoded
    cases = [
        GOOD["PNG"][0],
        bomb,
        *(data for data, _ in GOOD.values()),
        *(data for data, _, _ in BAD.values()),
    ]
    for i, data in enumerate(cases):
        (tmp_path / f"{i:03}").write_bytes(data)
    names = sorted(map(str, tmp_path.iterdir()))
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", BOMBS, *names], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 40_000  # kB
    assert run.stderr == ""  # no warning of Pillow's, no complaint of libtiff's


def test_limits_are_checked_and_reported() -> None:
    with pytest.raises(LimitError) as caught:
        decode(JPEG, ImageLimits(max_bytes=100))
    assert caught.value.limit == "images.max_bytes"
    with pytest.raises(LimitError) as caught:
        decode(JPEG, ImageLimits(max_pixels=4799))
    assert caught.value.limit == "images.max_pixels"
    assert decode(JPEG, ImageLimits(max_pixels=4800)).shape == (80, 60, 3)
    for wrong in ({"max_bytes": 0}, {"reduce_to_px": 0}, {"max_pixels": 10**9}):
        with pytest.raises(InputError):
            ImageLimits(**wrong)


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        return image.size


def metadata(data: bytes) -> set[str]:
    with Image.open(io.BytesIO(data)) as image:
        return {"exif", "icc_profile", "comment", "xmp", "photoshop"} & image.info.keys()


def test_a_small_plain_jpeg_is_its_own_thumbnail() -> None:
    assert thumbnail(JPEG, decode(JPEG)) == JPEG
    grey = saved(plain("L", 9), "JPEG")
    assert thumbnail(grey, decode(grey)) == grey


def test_metadata_is_taken_out_without_touching_the_picture() -> None:
    private = with_segment(with_segment(JPEG, 0xE1, exif(1) + b"GPS"), 0xFE, b"secret")
    assert thumbnail(private, decode(private)) == JPEG


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PNG, id="a PNG"),
        pytest.param(saved(TEXTURE.resize((300, 400)), "JPEG"), id="a large JPEG"),
        pytest.param(saved(TEXTURE, "JPEG", exif=exif(6)), id="a JPEG on its side"),
        pytest.param(saved(plain("CMYK", (1, 2, 3, 4)), "JPEG"), id="a print JPEG"),
        pytest.param(saved(plain(), "JPEG", icc_profile=adobe_like()), id="a JPEG in another colour space"),
        pytest.param(JPEG + b"<script>alert(1)</script>", id="a JPEG with a tail"),
        pytest.param(GOOD["MPO, a camera's two pictures"][0], id="two pictures"),
    ],
)
def test_anything_else_becomes_a_clean_upright_jpeg(data: bytes) -> None:
    pixels = decode(data)
    made = thumbnail(data, pixels)
    assert made != data
    assert max(size_of(made)) <= 256
    assert not metadata(made)
    again = decode(made)
    assert (again.shape[0] > again.shape[1]) == (pixels.shape[0] > pixels.shape[1])
    assert abs(float(again.mean()) - float(pixels.mean())) < 3


@pytest.mark.parametrize(("side_px", "max_bytes"), [(256, 24_000), (256, 3_000), (64, 2_000), (256, 900)])
def test_thumbnails_keep_to_side_and_bytes(side_px: int, max_bytes: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 384, 3), np.uint8)
    made = thumbnail(b"", noise, side_px, max_bytes)
    assert len(made) <= max_bytes
    assert max(size_of(made)) <= side_px


def test_arrays_of_the_usual_shapes_are_taken() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert np.array_equal(from_array(rgb), rgb)
    assert not np.shares_memory(from_array(rgb), rgb)
    assert np.array_equal(from_array(rgb.astype(np.float32) / 255), rgb)
    assert np.array_equal(from_array(rgb[::-1, ::2]), rgb[::-1, ::2])
    grey = rgb[..., 0]
    for shape in (grey, grey[..., None]):
        assert np.array_equal(from_array(shape), np.repeat(grey[..., None], 3, axis=2))
    assert from_array(np.zeros((2000, 1000, 3), np.uint8)).shape == (512, 256, 3)
    assert from_array(np.zeros((3, 3, 3))).max() == 0


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((3, 20, 30), np.uint8), "transpose(1, 2, 0)"),
        (np.zeros((20, 30, 2), np.uint8), "[height, width, 3]"),
        (np.zeros((1, 20, 30, 3), np.uint8), "[height, width, 3]"),
        (np.zeros((0, 30, 3), np.uint8), "[height, width, 3]"),
        (np.zeros(9, np.uint8), "[height, width, 3]"),
        (np.zeros((20, 30, 3), np.int64), "astype"),
        (np.zeros((20, 30, 3), bool), "astype"),
        (np.full((20, 30, 3), 200.0), "Divide by 255"),
        (np.full((20, 30, 3), np.nan), "NaN"),
        (np.full((20, 30, 3), -0.5), "between 0 and 1"),
        (np.array([["a", "b"], ["c", "d"]]), "uint8"),
    ],
)
def test_other_arrays_are_refused_in_words(array: np.ndarray, word: str) -> None:
    with pytest.raises(ImageError) as caught:
        from_array(array)
    assert word in f"{caught.value} {caught.value.hint}"


def test_an_array_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(LimitError):
        from_array(np.broadcast_to(np.uint8(0), (8000, 8000, 3)))
