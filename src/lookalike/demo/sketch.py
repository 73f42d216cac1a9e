"""A sketch is one product without its background: parts filled one over the other, each anti-aliased and shaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lookalike.demo.outlines import Outline, dashes, ribbon
from lookalike.demo.palette import Rgb
from lookalike.demo.surfaces import LIGHTS, SIDE, grain

UNIT: Final = SIDE / 100  # pixels per canvas unit
FINE: Final = 2  # masks are drawn this much larger and averaged down: Pillow's polygons have hard edges
SOFT_STEP: Final = 4  # wide shadows are blurred at a quarter of the size, where it costs a sixteenth
CRISP: Final = (
    0.75  # a blur narrower than this (canvas units) would show the steps, and is drawn at half size
)

Box = tuple[int, int, int, int]
Shapes = Outline | Sequence[Outline]


@dataclass(frozen=True)
class Paint:
    """What a part is filled with: a colour or a picture (RGB, `SIDE` square), and the grain of its surface."""

    base: Rgb | Image.Image
    grain: str = "smooth"

    def crop(self, area: Box) -> Image.Image:
        """Return the paint inside `area`, as an RGB image."""
        if isinstance(self.base, Image.Image):
            return self.base.crop(area)
        return Image.new("RGB", (area[2] - area[0], area[3] - area[1]), self.base)


@dataclass(frozen=True)
class Light:
    """How a part is lit: a row of `LIGHTS`, and how strongly."""

    kind: str = "pillow"
    depth: float = 1.0


@dataclass(frozen=True)
class Part:
    """A filled area: its coverage (mode L) inside `area`, in pixels of the sketch."""

    mask: Image.Image
    area: Box


PILLOW: Final = Light()
FLAT: Final = Light("flat")
TUBE: Final = Light("tube")
BAR: Final = Light("bar")
BALL: Final = Light("ball")
BOWL: Final = Light("bowl")
SLOPE: Final = Light("slope")
FAINT: Final = Light("pillow", 0.45)


@dataclass
class Sketch:
    """The drawing of one product: colours and coverage, both `SIDE` square."""

    rgb: Image.Image = field(default_factory=lambda: Image.new("RGB", (SIDE, SIDE), (128, 128, 128)))
    alpha: Image.Image = field(default_factory=lambda: Image.new("L", (SIDE, SIDE), 0))

    def fill(
        self,
        shapes: Shapes,
        paint: Paint,
        light: Light = PILLOW,
        inside: Part | None = None,
        holes: Iterable[Outline] = (),
    ) -> Part:
        """Fill the union of `shapes` less `holes`, clipped to the part `inside`, and return the new part."""
        part = _coverage(_listed(shapes), holes, inside)
        area = part.area
        if _empty(area):
            return part
        colors = paint.crop(area)
        factor = LIGHTS[light.kind](part.mask) * light.depth + 1.0
        if paint.grain != "smooth":
            factor = factor + grain(paint.grain)[area[1] : area[3], area[0] : area[2]]
        lit = np.asarray(colors, dtype=np.float32) * factor[:, :, None]
        self._lay(Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8)), part, grows=inside is None)
        return part

    def line(self, line: Outline, width: float, paint: Paint, inside: Part | None = None) -> Part:
        """Draw a band of constant `width` along an open line."""
        return self.fill(ribbon(line, width), paint, FLAT, inside)

    def stitch(self, line: Outline, color: Rgb, inside: Part | None = None) -> None:
        """Draw a seam of small stitches along an open line."""
        self.fill(dashes(line, 1.3, 0.9, 0.45), Paint(color), FLAT, inside)

    def shade(
        self,
        shapes: Shapes,
        amount: float,
        blur: float,
        inside: Part | None = None,
        color: Rgb = (30, 22, 44),
    ) -> None:
        """Darken (or with a light `color` brighten) softly over `shapes`; nothing outside the drawing changes.

        `amount` is 0..1; `blur` is in canvas units.
        """
        listed = _listed(shapes)
        area = _around(listed, 2.5 * blur, inside)
        if _empty(area):
            return
        step = SOFT_STEP if blur >= CRISP else SOFT_STEP // 2
        size = (area[2] - area[0], area[3] - area[1])
        soft = Image.new("L", (size[0] // step + 1, size[1] // step + 1), 0)
        pen = ImageDraw.Draw(soft)
        for shape in listed:
            corners = (shape * UNIT - area[:2]) / step
            pen.polygon([(x, y) for x, y in corners.tolist()], fill=round(255 * amount))
        soft = soft.filter(ImageFilter.GaussianBlur(blur * UNIT / step))
        reach = (0.0, 0.0, size[0] / step, size[1] / step)
        veil = soft.resize(size, Image.Resampling.BILINEAR, box=reach)
        limit = inside.mask.crop(_within(area, inside.area)) if inside else self.alpha.crop(area)
        self.rgb.paste(color, area, ImageChops.multiply(veil, limit))

    def gleam(self, shapes: Shapes, amount: float, blur: float = 0.6, inside: Part | None = None) -> None:
        """Brighten softly over `shapes`: a highlight on glaze, glass or metal."""
        self.shade(shapes, amount, blur, inside, (255, 255, 255))

    def crease(
        self, line: Outline, amount: float = 0.3, width: float = 2.0, inside: Part | None = None
    ) -> None:
        """Draw a soft fold along an open line: a dark side and a lit one."""
        self.gleam(ribbon(line - 0.6, width * 0.6, 0.4), amount * 0.5, 0.7, inside)
        self.shade(ribbon(line + 0.3, width, 0.4), amount, 0.7, inside)

    def picture(self) -> Image.Image:
        """Return the sketch as RGBA, `SIDE` square."""
        picture = self.rgb.copy()
        picture.putalpha(self.alpha)
        return picture

    def _lay(self, colors: Image.Image, part: Part, *, grows: bool) -> None:
        if grows:  # a part inside another one adds nothing to the coverage
            under = self.alpha.crop(part.area)
            # Where nothing was drawn yet the colour goes down whole, or the edge would take on the canvas's grey.
            self.rgb.paste(colors, part.area, under.point(_EMPTY))
            self.alpha.paste(ImageChops.screen(under, part.mask), part.area)
        self.rgb.paste(colors, part.area, part.mask)


_EMPTY: Final = [255] + [0] * 255


def _listed(shapes: Shapes) -> Sequence[Outline]:
    return [shapes] if isinstance(shapes, np.ndarray) else shapes


def _around(shapes: Sequence[Outline], margin: float, inside: Part | None) -> Box:
    """Return the pixels that `shapes` cover, and `margin` canvas units more, cut to the canvas or the part."""
    points = np.concatenate(list(shapes)) * UNIT
    left, top = np.floor(points.min(axis=0) - margin * UNIT).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=0) + margin * UNIT).astype(int) + 2
    limit = inside.area if inside else (0, 0, SIDE, SIDE)
    return (
        max(int(left), limit[0]),
        max(int(top), limit[1]),
        min(int(right), limit[2]),
        min(int(bottom), limit[3]),
    )


def _empty(area: Box) -> bool:
    return area[0] >= area[2] or area[1] >= area[3]


def _within(area: Box, frame: Box) -> Box:
    """Return `area` in the pixels of `frame`."""
    return area[0] - frame[0], area[1] - frame[1], area[2] - frame[0], area[3] - frame[1]


def _coverage(shapes: Sequence[Outline], holes: Iterable[Outline], inside: Part | None) -> Part:
    """Return the union of `shapes` less `holes`, anti-aliased and cut to its bounding box."""
    area = _around(shapes, 0.0, inside)
    if _empty(area):
        return Part(Image.new("L", (0, 0)), (area[0], area[1], area[0], area[1]))
    mask = Image.new("L", ((area[2] - area[0]) * FINE, (area[3] - area[1]) * FINE), 0)
    pen = ImageDraw.Draw(mask)
    for outlines, value in ((shapes, 255), (holes, 0)):
        for outline in outlines:
            pixels = (outline * UNIT - area[:2]) * FINE
            pen.polygon([(x, y) for x, y in pixels.tolist()], fill=value)
    mask = mask.reduce(FINE)
    if inside:
        mask = ImageChops.multiply(mask, inside.mask.crop(_within(area, inside.area)))
    return Part(mask, area)
