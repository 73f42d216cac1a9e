"""A look: everything a silhouette needs to know about the design it draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Final

from lookalike.demo.palette import METALS, WOODS, Rgb, Swatch, brightness, darker, jitter, lighter, mix
from lookalike.demo.patterns import printed
from lookalike.demo.sketch import Paint

# How each material looks from a metre away: a row of surfaces.GRAINS.
MATERIAL_GRAINS: Final[dict[str, str]] = {
    "cotton": "weave",
    "linen": "canvas",
    "viscose": "weave",
    "silk": "smooth",
    "satin": "smooth",
    "wool": "knit",
    "cashmere": "knit",
    "merino": "knit",
    "fleece": "felt",
    "denim": "denim",
    "twill": "denim",
    "corduroy": "denim",
    "leather": "leather",
    "vegan leather": "leather",
    "suede": "felt",
    "canvas": "canvas",
    "mesh": "canvas",
    "felt": "felt",
    "straw": "straw",
    "nylon": "weave",
    "polyester": "weave",
    "velvet": "felt",
    "jute": "straw",
    "plush": "plush",
    "acetate": "smooth",
    "ceramic": "glaze",
    "stoneware": "glaze",
    "porcelain": "glaze",
    "glass": "smooth",
    "steel": "brushed",
    "cast iron": "felt",
    "enamel": "glaze",
    "aluminium": "brushed",
    "maple": "wood",
    "spruce": "wood",
    "oak": "wood",
    "beech": "wood",
    "polycarbonate": "brushed",
    "polypropylene": "smooth",
    "rubber": "felt",
    "paper": "felt",
    "ripstop": "canvas",
    "gold": "smooth",
    "silver": "smooth",
    "rose gold": "smooth",
    "brass": "brushed",
}

TANS: Final[tuple[Rgb, ...]] = ((168, 110, 66), (92, 58, 42), (52, 46, 48), (204, 156, 108))


@dataclass
class Look:
    """The colours, pattern, material and shape of one product.

    `shape` yields the shape numbers: it is seeded by the family, so colour variants share one silhouette.
    """

    colors: Swatch
    pattern: str
    material: str
    style: str
    shape: Random
    metal_name: str = "steel"
    wood_index: int = 0
    print_seed: str = field(default="")

    @cached_property
    def cloth(self) -> Paint:
        """The main surface: pattern and grain."""
        return Paint(printed(self.pattern, self.colors, Random(self.print_seed)), self.grain)

    @cached_property
    def grain(self) -> str:
        """The grain of the main material."""
        return MATERIAL_GRAINS[self.material]

    @cached_property
    def plain(self) -> Paint:
        """The main colour without its pattern."""
        return Paint(self.ground, self.grain)

    @cached_property
    def ground(self) -> Rgb:
        """The colour that fills most of the pattern's ground."""
        grounds = {
            "checks": mix(self.colors.main, self.colors.second, 0.3),
            "terrazzo": lighter(self.colors.main, 0.78),
            "marble": lighter(self.colors.main, 0.55),
            "leopard": lighter(mix(self.colors.main, (206, 164, 108), 0.35), 0.2),
        }
        return grounds.get(self.pattern, self.colors.main)

    @cached_property
    def inner(self) -> Paint:
        """The inside of a garment or bag: the main colour in shade."""
        return Paint(darker(self.ground, 0.38), self.grain)

    @cached_property
    def trim(self) -> Paint:
        """A darker (on black: lighter) tone of the main colour, for cuffs, straps and soles."""
        return Paint(self.trim_color, self.grain)

    @cached_property
    def trim_color(self) -> Rgb:
        """The colour of `trim`."""
        deep = brightness(self.ground) < 0.25
        return lighter(self.ground, 0.28) if deep else darker(self.ground, 0.32)

    @cached_property
    def accent(self) -> Paint:
        """The second colour."""
        return Paint(self.colors.second, self.grain)

    @cached_property
    def third(self) -> Paint:
        """The third colour."""
        return Paint(self.colors.third, self.grain)

    @cached_property
    def thread(self) -> Rgb:
        """The colour of stitches: it must show on the main colour."""
        return darker(self.ground, 0.4) if brightness(self.ground) > 0.45 else lighter(self.ground, 0.45)

    @cached_property
    def metal(self) -> Paint:
        """Buckles, rims and chains."""
        return Paint(METALS[self.metal_name])

    @cached_property
    def wood(self) -> Paint:
        """Legs, handles and boards."""
        return Paint(jitter(WOODS[self.wood_index], self.shape), "wood")

    @cached_property
    def tan(self) -> Paint:
        """Leather that does not follow the main colour: belts, handles, straps."""
        return Paint(TANS[self.wood_index], "leather")

    def vary(self, low: float, high: float) -> float:
        """Return the next shape number between `low` and `high`."""
        return self.shape.uniform(low, high)

    def chance(self, share: float) -> bool:
        """Return True for about `share` of all designs."""
        return self.shape.random() < share
