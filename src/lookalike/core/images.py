"""The one way from image bytes nobody vouches for to pixels, for query and catalogue pictures alike.

Every picture takes the same steps: recognise the file by content, cut it down to its first picture (see
`image_files`), check its size before anything is decoded, decode, reduce, lay transparency on white, bring colours to
sRGB, turn it upright. The functions here keep no state and change none (not Pillow's global limits, not the warning
filters), so threads may call them freely.

An embedded colour profile other than sRGB is applied, since shops mix Adobe RGB, Display P3 and print (CMYK) files,
and the same shirt must not look like two; it is cheap once a profile has been seen. A broken one is ignored.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from lookalike.core import image_files, image_kinds
from lookalike.core.errors import ImageError, InputError, LimitError, LookalikeError
from lookalike.core.types import Pixels

if TYPE_CHECKING:
    from PIL import ImageCms

_PILLOW_MAX_PIXELS: Final = 89_478_485
"""Above this Pillow itself warns, and above twice as much refuses."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may cost. A decoded picture is at most `reduce_to_px` on its longer side, whatever was sent.

    On the way to it, each pixel takes 4 bytes for most kinds of files, next to none for a JPEG, and 16 for a WebP.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    reduce_to_px: int = 512

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if min(self.max_bytes, self.max_pixels, self.reduce_to_px) < 1:
            raise InputError("max_bytes, max_pixels and reduce_to_px must be at least 1.")
        if self.max_pixels > _PILLOW_MAX_PIXELS:
            raise InputError(
                f"max_pixels can be at most {_PILLOW_MAX_PIXELS}.", hint="Scale such pictures down."
            )


LIMITS: Final = ImageLimits()
Box = tuple[float, float, float, float]
"""A part of a picture: x and y of its upper left corner, width and height, as shares of the picture's."""
_ROUNDING: Final = 1e-6
"""How far the sum of two shares may pass a pixel's edge, or the picture's, and still mean it."""

_DECODERS: Final = {
    "JPEG": "PIL.JpegImagePlugin:JpegImageFile",
    "PNG": "PIL.PngImagePlugin:PngImageFile",
    "WebP": "PIL.WebPImagePlugin:WebPImageFile",
    "GIF": "PIL.GifImagePlugin:GifImageFile",
    "BMP": "PIL.BmpImagePlugin:BmpImageFile",
    "TIFF": "PIL.TiffImagePlugin:TiffImageFile",
    "AVIF": "PIL.AvifImagePlugin:AvifImageFile",
}

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PROFILE_MODES: Final = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


def decode(data: bytes, limits: ImageLimits = LIMITS) -> Pixels:
    """Decode a picture of one of KINDS -> uint8 [h, w, 3], upright sRGB on white, its own C-contiguous array.

    Longer sides than `limits.reduce_to_px` are reduced to it. Of an animation, the first frame counts. Raises
    ImageError for bytes that are no picture, or only part of one, and LimitError where a limit was passed. Damage
    that a format has no means to show, such as a few wrong bits in a JPEG, comes out as it stands.
    """
    if len(data) > limits.max_bytes:
        raise LimitError(
            "images.max_bytes", f"The image has {len(data):,} bytes; {limits.max_bytes:,} are allowed."
        )
    kind = image_kinds.recognise(data)
    try:
        contents = image_files.READERS[kind](data)
        _check_size(contents.width, contents.height, limits)
        image = _decoder(kind)(BytesIO(contents.data))
        _check_size(*image.size, limits)
        return _pixels(image, contents, limits.reduce_to_px)
    except LookalikeError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LimitError("images.max_pixels", f"The {kind} image has too many pixels.") from error
    except ImportError as error:
        raise ImageError(f"This Pillow cannot read {kind}.", hint="pip install --upgrade pillow") from error
    except Exception as error:  # a decoder given hostile bytes may raise anything, and all of it means this
        raise image_files.damaged(kind, _reason(error)) from error


def from_array(array: NDArray[Any], limits: ImageLimits = LIMITS) -> Pixels:
    """Check a caller's picture and bring it to uint8 [h, w, 3] RGB, reduced as `decode` does; the result is a copy.

    Takes uint8, or floats from 0 to 1, of shape [h, w], [h, w, 1], [h, w, 3] or [h, w, 4] (RGBA, laid on white).
    """
    array = np.asarray(array)
    shape = f"the array is {array.dtype} {list(array.shape)}"
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        hint = "Give [height, width, 3]."
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "The channels come last: array.transpose(1, 2, 0)."
        raise ImageError(f"A picture is [height, width, 3], but {shape}.", hint=hint)
    _check_size(array.shape[1], array.shape[0], limits)
    if array.dtype.kind == "f":
        if not ((array >= 0) & (array <= 1)).all():  # NaN fails this too
            raise ImageError(
                "A float picture must lie between 0 and 1.", hint="Divide by 255, and remove NaN."
            )
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(
            f"A picture is uint8 or float, but {shape}.", hint="Use array.astype(np.uint8), 0 to 255."
        )
    image = Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))
    return np.array(_on_white(_reduced(image, limits.reduce_to_px)).convert("RGB"))


def crop(pixels: Pixels, box: Box) -> Pixels:
    """Cut a box out of a picture -> uint8 [h, w, 3], a copy: every pixel the box touches, so at least one.

    Raises ImageError for a box that is empty or reaches out of the picture.
    """
    left, top, width, height = box
    right, bottom = left + width, top + height
    inside = left >= 0 and top >= 0 and width > 0 and height > 0 and max(right, bottom) <= 1 + _ROUNDING
    if not inside:  # NaN fails every comparison
        raise ImageError(
            f"The box {left:g}, {top:g}, {width:g}, {height:g} does not lie in the picture.",
            hint="Give x, y, width, height as shares from 0 to 1, such as 0.25, 0.1, 0.5, 0.8.",
        )
    rows, columns = pixels.shape[:2]
    first_row, first_column = min(int(top * rows), rows - 1), min(int(left * columns), columns - 1)
    last_row = max(ceil((bottom - _ROUNDING) * rows), first_row + 1)
    last_column = max(ceil((right - _ROUNDING) * columns), first_column + 1)
    return pixels[first_row:last_row, first_column:last_column].copy()


def thumbnail(data: bytes, pixels: Pixels, side_px: int = 256, max_bytes: int = 24_000) -> bytes:
    """Return a JPEG without metadata, at most `side_px` on its longer side: the original where it is one, or a new one.

    `pixels` is what `decode` made of `data`. The original is only cut down to its picture, never decoded. If no
    quality reaches `max_bytes` the picture gets smaller, down to 16 px.
    """
    return _as_it_is(data, side_px, max_bytes) or _encoded(Image.fromarray(pixels), side_px, max_bytes)


def _as_it_is(data: bytes, side_px: int, max_bytes: int) -> bytes | None:
    """Return a small, upright RGB or grey JPEG of one piece without its metadata; None for anything else."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        contents = image_files.jpeg(data)
    except (LookalikeError, IndexError, struct.error):
        return None
    small = max(contents.width, contents.height) <= side_px and len(contents.data) <= max_bytes
    plain = contents.orientation == 1 and contents.profile is None and contents.channels in (1, 3)
    whole = contents.data.find(b"\xff\xd9") == len(contents.data) - 2  # nothing hides behind the picture
    return contents.data if small and plain and whole else None


def _encoded(image: Image.Image, side_px: int, max_bytes: int) -> bytes:
    """Write a JPEG of at most `side_px`, at the best quality that fits."""
    image = _reduced(image, side_px)
    for quality in (85, 70, 50, 30):
        out = BytesIO()
        image.save(out, "JPEG", quality=quality)
        if out.tell() <= max_bytes:
            return out.getvalue()
    return out.getvalue() if side_px <= 16 else _encoded(image, side_px * 2 // 3, max_bytes)


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    """Raise LimitError for a picture of more pixels than allowed, before any is decoded."""
    if width * height > limits.max_pixels:
        size = f"{width} x {height}"
        raise LimitError(
            "images.max_pixels", f"The image has {size} pixels; {limits.max_pixels:,} in all are allowed."
        )


@cache
def _decoder(kind: str) -> type[ImageFile.ImageFile]:
    """Import Pillow's decoder of one kind of file. Used directly: `Image.open` would try others, and check by global limits."""
    module, _, name = _DECODERS[kind].partition(":")
    decoder: type[ImageFile.ImageFile] = getattr(import_module(module), name)
    return decoder


def _reason(error: Exception) -> str:
    """Say in a few words why a decoder gave up."""
    if isinstance(error, (IndexError, struct.error, EOFError)):
        return "it ends too early"
    return str(error)[:200].rstrip(".") or type(error).__name__


def _pixels(image: Image.Image, contents: image_files.Contents, side_px: int) -> Pixels:
    """Decode an opened picture, reduced, in sRGB, on white and upright -> uint8 [h, w, 3]."""
    profile = contents.profile or image.info.get("icc_profile")
    orientation = contents.orientation
    if orientation == 1 and "exif" in image.info:
        orientation = image_files.exif_orientation(image.info["exif"])
    image = _in_srgb(_on_white(_reduced(image, side_px)), profile)
    if orientation != 1:
        image = image.transpose(_UPRIGHT[orientation])
    return np.array(image)


def _reduced(image: Image.Image, side_px: int) -> Image.Image:
    """Load a picture, at most `side_px` on its longer side, in a mode that can be averaged (L, LA, RGB, RGBA, CMYK ..).

    A JPEG is shrunk by 2, 4 or 8 while it is decoded, which is a good average of its pixels; the rest is bicubic, after a box
    filter where it is far to go.
    """
    width, height = image.size
    if max(width, height) <= side_px:
        return _continuous(image)
    scale = side_px / max(width, height)
    target = max(1, round(width * scale)), max(1, round(height * scale))
    drafted = image.draft(None, target) if isinstance(image, ImageFile.ImageFile) else None
    box = drafted[1] if drafted else None
    return _continuous(image).resize(target, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


def _continuous(image: Image.Image) -> Image.Image:
    """Load a picture and turn modes whose values are no 8-bit intensities into ones whose are."""
    image.load()
    clear = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        return _eight_bits(image, clear)
    if image.mode in ("I", "F"):
        raise ImageError("The image has 32-bit or floating-point samples.", hint="Save it with 8 or 16 bits.")
    if clear is not None and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if image.mode in ("RGB", "RGBA", "L", "CMYK", "LA"):
        return image
    return image.convert({"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(image.mode, "RGB"))


def _eight_bits(image: Image.Image, clear: object) -> Image.Image:
    """Scale 16-bit grey to 8 bits by its high byte, as Pillow does for 16-bit RGB (its own conversion of grey clips)."""
    grey = np.asarray(image).astype(np.uint16)
    high = Image.fromarray((grey >> 8).astype(np.uint8))
    if isinstance(clear, int):
        high.putalpha(Image.fromarray(np.where(grey == clear, 0, 255).astype(np.uint8)))
    return high


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a picture with transparency on a white ground."""
    if image.mode not in ("RGBA", "LA"):
        return image
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    ground = Image.new(opaque.mode, image.size, "white")
    ground.paste(opaque, mask=image.getchannel("A"))
    return ground


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Bring RGB, L or CMYK to sRGB, by its profile if that is one for its mode."""
    if profile and _PROFILE_MODES.get(profile[16:20]) == image.mode and not _is_srgb(profile):
        transform = _transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_srgb(profile: bytes) -> bool:
    """Say whether a profile calls itself sRGB, as most do: in ASCII (version 2) or UTF-16 (version 4)."""
    return b"sRGB" in profile or b"s\0R\0G\0B" in profile


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the way from a profile to sRGB, None if it is broken. LittleCMS transforms may be shared between threads."""
    try:
        from PIL import ImageCms

        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
    except (
        Exception
    ):  # as in decode: an untrusted profile may raise anything; colours are then taken as they are
        return None
