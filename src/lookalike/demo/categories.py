"""The departments of the shop: one row per category.

To add a category, write one function `(Sketch, Look) -> None` and add one row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lookalike.demo import shapes_accessories as worn
from lookalike.demo import shapes_bags as bags
from lookalike.demo import shapes_clothing as clothes
from lookalike.demo import shapes_furnishing as furnishing
from lookalike.demo import shapes_jewellery as jewellery
from lookalike.demo import shapes_open_shoes as open_shoes
from lookalike.demo import shapes_play as play
from lookalike.demo import shapes_pots as pots
from lookalike.demo import shapes_shoes as shoes
from lookalike.demo import shapes_tableware as tableware
from lookalike.demo import shapes_tops as tops
from lookalike.demo.look import Look
from lookalike.demo.sketch import Sketch

Words = tuple[str, ...]

FABRIC: Final[Words] = (
    *("stripes", "checks", "dots", "floral", "zigzag", "tartan", "gradient"),
    *("leopard", "waves", "camouflage", "diamonds", "stars", "colour block"),
)
FORMAL: Final[Words] = ("pinstripes", "stripes", "checks", "tartan", "dots", "floral", "diamonds")
KNIT: Final[Words] = ("stripes", "zigzag", "diamonds", "colour block", "gradient", "checks")
SHOE: Final[Words] = ("leopard", "camouflage", "colour block", "checks", "floral", "gradient")
CERAMIC: Final[Words] = (
    "stripes",
    "dots",
    "floral",
    "waves",
    "terrazzo",
    "marble",
    "zigzag",
    "gradient",
    "checks",
)
BOLD: Final[Words] = ("stripes", "zigzag", "stars", "colour block", "gradient", "dots", "waves", "camouflage")

ADULT: Final[Words] = ("XS", "S", "M", "L", "XL")
MEN_SIZES: Final[Words] = ("S", "M", "L", "XL", "XXL")
LADIES_SHOES: Final[Words] = ("36", "37", "38", "39", "40", "41")
SHOE_SIZES: Final[Words] = ("37", "38", "39", "40", "41", "42", "43", "44", "45")


@dataclass(frozen=True)
class Category:
    """What is special about a category; everything it leaves out falls back to the defaults."""

    path: str
    nouns: Words
    draw: Callable[[Sketch, Look], None]
    prices: tuple[float, float]
    styles: Words
    materials: Words
    patterns: Words = ()
    pose: str = "flat"
    genders: Words = ()
    sizes: Words = ()
    weight_g: tuple[int, int] = (150, 500)
    plain_share: float = 0.3
    tall: bool = False
    uses: Words = ("every day",)

    @property
    def department(self) -> str:
        """The first level of the path."""
        return self.path.split("/")[0]


CATEGORIES: Final[tuple[Category, ...]] = (
    Category("Women/Dresses", ("dress",), clothes.dress, (39, 129), ("mini", "midi", "maxi", "wrap", "slip"),
             ("cotton", "viscose", "linen", "silk"), FABRIC, genders=("women",), sizes=ADULT, tall=True,
             uses=("garden parties", "warm evenings", "the office and after", "a summer wedding")),
    Category("Women/Tops/Blouses", ("blouse", "top"), tops.blouse, (25, 85), ("bow", "V-neck", "buttoned"),
             ("viscose", "silk", "cotton"), FABRIC, genders=("women",), sizes=ADULT,
             uses=("the office", "dinner with friends", "tucking into high-waisted trousers")),
    Category("Women/Skirts", ("skirt",), clothes.skirt, (29, 89), ("pleated", "A-line", "pencil"),
             ("cotton", "wool", "satin", "denim"), FABRIC, genders=("women",), sizes=ADULT,
             uses=("dancing", "the office", "long walks in town")),
    Category("Women/Knitwear", ("jumper", "pullover"), tops.jumper, (45, 139), ("crew-neck", "roll-neck"),
             ("wool", "merino", "cashmere"), KNIT, genders=("women", "unisex"), sizes=ADULT,
             weight_g=(300, 700), plain_share=0.4, uses=("cold mornings", "layering", "evenings by the fire")),
    Category("Women/Cardigans", ("cardigan",), tops.cardigan, (45, 129), ("buttoned",),
             ("wool", "merino", "cashmere"), KNIT, genders=("women",), sizes=ADULT, weight_g=(300, 700),
             plain_share=0.4, uses=("cool offices", "layering over a dress", "slow Sundays")),
    Category("Women/Coats", ("coat",), tops.coat, (99, 289), ("trench", "double-breasted", "single-breasted"),
             ("wool", "cotton", "twill"), ("checks", "tartan", "pinstripes", "leopard"), genders=("women",),
             sizes=ADULT, weight_g=(900, 1800), plain_share=0.6, tall=True,
             uses=("windy days", "the commute", "autumn in the city")),
    Category("Men/Shirts", ("shirt",), tops.shirt, (29, 99), ("long-sleeved", "short-sleeved"),
             ("cotton", "linen", "twill"), FORMAL, genders=("men",), sizes=MEN_SIZES, plain_share=0.2,
             uses=("the office", "weekends away", "a wedding by the sea")),
    Category("Men/T-shirts", ("T-shirt", "tee"), tops.t_shirt, (12, 45), ("crew-neck", "V-neck", "long-sleeved"),
             ("cotton",), ("stripes", "camouflage", "gradient", "colour block", "dots", "zigzag"),
             genders=("men", "unisex"), sizes=MEN_SIZES, plain_share=0.45,
             uses=("hot days", "the gym", "doing nothing at all")),
    Category("Men/Trousers", ("trousers",), clothes.trousers, (39, 119), ("jeans", "chinos", "shorts"),
             ("denim", "twill", "cotton"), ("checks", "pinstripes", "camouflage", "tartan"), genders=("men",),
             sizes=("30", "31", "32", "33", "34", "36"), weight_g=(350, 800), plain_share=0.65,
             uses=("work and weekend", "cycling to town", "long flights")),
    Category("Men/Hoodies", ("hoodie", "hooded sweatshirt"), tops.hoodie, (35, 95), ("pullover", "zip"),
             ("cotton", "fleece"), ("camouflage", "colour block", "stripes", "gradient", "stars"),
             genders=("men", "unisex"), sizes=MEN_SIZES, weight_g=(450, 800), plain_share=0.45,
             uses=("after training", "cool evenings", "festival nights")),
    Category("Shoes/Sneakers", ("sneakers", "trainers"), shoes.sneaker, (45, 149), ("low-top", "high-top", "chunky"),
             ("canvas", "mesh", "leather"), SHOE, "stand", ("women", "men", "unisex"), SHOE_SIZES, (500, 950), 0.5,
             uses=("city miles", "school runs", "standing all day")),
    Category("Shoes/Boots", ("boots",), shoes.boot, (79, 229), ("Chelsea", "lace-up", "knee-high"),
             ("leather", "suede", "vegan leather"), ("leopard", "tartan", "camouflage"), "stand",
             ("women", "men"), SHOE_SIZES, (800, 1500), 0.8, uses=("wet pavements", "autumn walks", "concert nights")),
    Category("Shoes/Sandals", ("sandals",), open_shoes.sandal, (25, 99), ("flat", "wedge", "slide"),
             ("leather", "vegan leather", "suede"), ("leopard", "stripes", "floral", "colour block"), "stand",
             ("women",), LADIES_SHOES, (350, 800), 0.65, uses=("the beach", "city breaks", "long summer lunches")),
    Category("Shoes/Heels", ("heels", "pumps"), open_shoes.heels, (59, 189), ("stiletto", "block", "kitten"),
             ("leather", "suede", "satin"), ("leopard", "dots", "floral", "checks"), "stand",
             ("women",), LADIES_SHOES, (450, 800), 0.7, uses=("weddings", "the theatre", "dancing past midnight")),
    Category("Bags/Backpacks", ("backpack", "rucksack"), bags.backpack, (45, 139), ("daypack", "roll-top", "flap"),
             ("nylon", "canvas", "ripstop"), BOLD, "stand", ("unisex",), (), (500, 1300), 0.45,
             uses=("the commute", "school", "day hikes with a laptop")),
    Category("Bags/Totes", ("tote bag", "shopper"), bags.tote, (19, 119), ("open", "two-tone", "pocket", "tassel"),
             ("canvas", "cotton", "jute", "leather"), FABRIC, "stand", ("women", "unisex"), (), (250, 900), 0.3,
             uses=("the market", "the beach", "books and a jumper")),
    Category("Bags/Handbags", ("handbag", "shoulder bag"), bags.handbag, (49, 259), ("chain", "satchel", "half-moon"),
             ("leather", "vegan leather", "velvet"), ("leopard", "checks", "diamonds", "floral", "dots"), "stand",
             ("women",), (), (300, 900), 0.6, uses=("evenings out", "phone, keys and lipstick", "work and dinner")),
    Category("Bags/Suitcases", ("suitcase", "trolley case"), bags.suitcase, (69, 239), ("hard-shell", "soft", "vintage"),
             ("polycarbonate", "aluminium", "nylon"), ("stripes", "camouflage", "dots", "marble", "stars", "waves"),
             "stand", (), ("cabin", "medium", "large"), (2200, 4600), 0.55, tall=True,
             uses=("weekend trips", "long-haul flights", "train journeys")),
    Category("Accessories/Watches", ("watch", "wristwatch"), worn.watch, (49, 349), ("round", "square", "bracelet"),
             ("leather", "steel", "nylon"), ("stripes",), "flat", ("women", "men", "unisex"), (), (40, 140), 0.85,
             uses=("being on time", "meetings and weekends", "a graduation gift")),
    Category("Accessories/Sunglasses", ("sunglasses",), worn.sunglasses, (19, 189),
             ("round", "square", "cat-eye", "aviator"), ("acetate", "steel"), ("leopard", "gradient", "marble"),
             "flat", ("women", "men", "unisex"), (), (20, 45), 0.65, uses=("driving", "the beach", "bright winter days")),
    Category("Accessories/Hats", ("hat",), worn.hat, (19, 99), ("fedora", "wide-brim", "bucket"),
             ("straw", "felt", "cotton"), ("checks", "stripes", "camouflage", "floral", "tartan"), "flat",
             ("women", "men", "unisex"), ("S", "M", "L"), (60, 200), 0.55,
             uses=("the races", "sunny terraces", "gardening")),
    Category("Accessories/Beanies", ("beanie", "knitted cap"), worn.beanie, (12, 49), ("bobble", "slouchy", "cuffed"),
             ("wool", "merino", "cashmere"), KNIT, "flat", ("unisex",), (), (50, 120), 0.35,
             uses=("ski slopes", "cold platforms", "bad hair days")),
    Category("Accessories/Scarves", ("scarf",), clothes.scarf, (19, 119), ("looped", "square"),
             ("wool", "silk", "cashmere"), FABRIC, "flat", ("women", "men", "unisex"), (), (60, 250), 0.15,
             uses=("windy corners", "a plain coat", "draughty theatres")),
    Category("Accessories/Ties", ("tie",), clothes.tie, (15, 89), ("classic", "slim", "bow"), ("silk", "wool", "cotton"),
             (*FORMAL, "zigzag", "stars"), "flat", ("men",), (), (40, 80), 0.15,
             uses=("interviews", "weddings", "the opera")),
    Category("Accessories/Socks", ("socks",), clothes.socks, (5, 19), ("ankle", "crew", "knee-high"),
             ("cotton", "merino"), (*KNIT, "dots", "stars"), "flat", ("unisex", "men", "women"),
             ("36-38", "39-42", "43-46"), (40, 90), 0.12, uses=("boots", "office shoes", "padding about the house")),
    Category("Accessories/Umbrellas", ("umbrella",), worn.umbrella, (15, 69), ("dome", "two-tone", "rolled"),
             ("nylon", "polyester"), FABRIC, "hang", (), (), (350, 700), 0.3,
             uses=("April", "sudden showers", "waiting for the bus")),
    Category("Jewellery/Necklaces", ("necklace",), jewellery.necklace, (19, 249), ("pendant", "pearl", "bead"),
             ("gold", "silver", "rose gold"), (), "flat", ("women",), (), (8, 60), 1.0,
             uses=("open necklines", "a birthday", "plain black dresses")),
    Category("Jewellery/Earrings", ("earrings",), jewellery.earrings, (15, 199), ("hoop", "drop", "stud"),
             ("gold", "silver", "rose gold"), (), "flat", ("women",), (), (4, 25), 1.0,
             uses=("short hair", "an evening out", "a small gift")),
    Category("Jewellery/Rings", ("ring",), jewellery.ring, (25, 399), ("solitaire", "band", "trilogy"),
             ("gold", "silver", "rose gold"), (), "flat", ("women", "unisex"), ("50", "52", "54", "56", "58"), (3, 12), 1.0,
             uses=("a proposal", "stacking", "marking a year")),
    Category("Home/Lamps", ("lamp",), furnishing.lamp, (39, 199), ("table", "floor", "pendant"),
             ("linen", "paper", "cotton", "steel"), ("stripes", "dots", "floral", "zigzag", "waves", "gradient", "checks"),
             "stand", (), (), (800, 5200), 0.45, tall=True, uses=("reading corners", "long winter evenings", "a dark hallway")),
    Category("Home/Chairs", ("chair",), furnishing.chair, (89, 449), ("armchair", "dining", "shell"),
             ("velvet", "linen", "wool", "leather"), ("checks", "floral", "stripes", "zigzag", "leopard", "diamonds", "tartan"),
             "stand", (), (), (4200, 21000), 0.55, uses=("small flats", "the reading corner", "long dinners")),
    Category("Home/Vases", ("vase",), pots.vase, (15, 99), ("bottle", "round", "cylinder"),
             ("ceramic", "stoneware", "glass"), CERAMIC, "stand", (), (), (500, 2400), 0.3, tall=True,
             uses=("a single branch", "market flowers", "an empty shelf")),
    Category("Home/Cushions", ("cushion", "throw pillow"), furnishing.cushion, (15, 69), ("square", "round", "oblong"),
             ("linen", "velvet", "cotton", "wool"), FABRIC, "flat", (), ("40x40", "50x50"), (300, 900), 0.15,
             uses=("a grey sofa", "the window seat", "afternoon naps")),
    Category("Home/Rugs", ("rug", "carpet"), furnishing.rug, (49, 389), ("oblong", "round", "runner"),
             ("wool", "cotton", "jute"), (*FABRIC, "terrazzo"), "flat", (), ("120x180", "160x230", "200x300"),
             (2400, 14000), 0.2, tall=True, uses=("cold floors", "under the dining table", "the hallway")),
    Category("Home/Plant pots", ("plant pot", "planter"), pots.plant_pot, (9, 59), ("tapered", "rounded", "on legs"),
             ("ceramic", "stoneware"), CERAMIC, "stand", (), (), (400, 3200), 0.35, tall=True,
             uses=("window sills", "balconies", "plants that get forgotten")),
    Category("Home/Clocks", ("wall clock", "clock"), furnishing.clock, (25, 129), ("round", "square", "sunburst"),
             ("oak", "aluminium", "polypropylene"), ("marble", "terrazzo", "dots", "floral", "gradient", "stripes"),
             "hang", (), (), (400, 1500), 0.6, uses=("kitchens", "classrooms", "home offices")),
    Category("Kitchen/Mugs", ("mug", "cup"), tableware.mug, (8, 29), ("straight", "tapered", "rounded"),
             ("ceramic", "stoneware", "porcelain", "enamel"), (*CERAMIC, "stars", "leopard"), "stand", (), (),
             (220, 420), 0.25, uses=("the first coffee", "cocoa", "pens on a desk")),
    Category("Kitchen/Teapots", ("teapot",), tableware.teapot, (19, 89), ("round", "tall", "hoop-handled"),
             ("ceramic", "stoneware", "porcelain", "cast iron"), CERAMIC, "stand", (), (), (600, 1600), 0.35,
             uses=("tea for two", "rainy afternoons", "green tea")),
    Category("Kitchen/Plates", ("plate",), tableware.plate, (7, 39), ("rimmed", "coupe", "dinner"),
             ("ceramic", "stoneware", "porcelain"), CERAMIC, "flat", (), (), (350, 900), 0.25,
             uses=("pasta", "Sunday roasts", "cake")),
    Category("Toys/Balls", ("ball",), play.ball, (6, 35), ("beach", "football", "basketball"), ("rubber", "vegan leather"),
             ("stars", "dots", "camouflage", "gradient", "marble", "stripes"), "stand", ("kids",), (), (120, 600), 0.45,
             uses=("the park", "the beach", "the school yard")),
    Category("Toys/Kites", ("kite",), play.kite, (12, 59), ("diamond", "delta", "two-tone"), ("ripstop", "nylon"),
             BOLD, "air", ("kids", "unisex"), (), (120, 350), 0.25, uses=("windy beaches", "autumn fields", "a first kite")),
    Category("Toys/Soft toys", ("soft toy", "plush toy"), play.soft_toy, (14, 49), ("bear", "rabbit", "cat"), ("plush",),
             ("dots", "floral", "stars", "checks", "stripes", "leopard"), "stand", ("kids",), (), (180, 600), 0.55,
             uses=("bedtime", "long car rides", "a new baby")),
    Category("Sport/Water bottles", ("water bottle", "drinking bottle"), play.water_bottle, (12, 49),
             ("loop-cap", "sport", "flask"), ("steel", "aluminium", "glass"), (*BOLD, "marble", "floral", "terrazzo"),
             "stand", (), ("500 ml", "750 ml", "1 l"), (180, 520), 0.4, tall=True,
             uses=("the gym", "the desk", "mountain trails")),
    Category("Sport/Skateboards", ("skateboard", "deck"), play.skateboard, (39, 159), ("classic", "street", "longboard"),
             ("maple",), (*BOLD, "checks", "leopard", "floral"), "flat", ("unisex",), (), (1800, 3600), 0.25, tall=True,
             uses=("the skate park", "cruising home", "learning to ollie")),
    Category("Music/Guitars", ("guitar",), play.guitar, (99, 899), ("acoustic", "electric"), ("spruce", "maple"),
             ("gradient", "camouflage", "floral", "stars", "leopard"), "hang", (), (), (1600, 4200), 0.65, tall=True,
             uses=("camp fires", "first chords", "the band room")),
    Category("Music/Headphones", ("headphones", "headset"), play.headphones, (29, 299), ("over-ear", "on-ear", "gaming"),
             ("polypropylene", "aluminium", "leather"), ("camouflage", "marble", "gradient"), "hang", (), (), (150, 380),
             0.75, uses=("open offices", "night trains", "late games")),
)  # fmt: skip
