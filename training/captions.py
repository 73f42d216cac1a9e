"""What people might type for a product: captions of several kinds, each with the key that says of what else it is true.

A caption of a kind is true of every product with the same key of that kind, so that two blue shirts in one batch are not
taught apart by "blue shirt".
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from training.items import Item

Caption = tuple[str, str]
"""What is typed, and its kind, one of KEYS; both empty where an item has no such caption."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "Tshirts": ("t-shirt", "tshirt", "tee", "t shirts"),
    "Shirts": ("shirt", "button-down shirt", "dress shirt"),
    "Casual Shoes": ("casual shoes", "sneakers", "casual footwear", "shoes"),
    "Sports Shoes": ("sports shoes", "trainers", "running shoes", "sneakers", "athletic shoes"),
    "Formal Shoes": ("formal shoes", "dress shoes", "leather shoes"),
    "Heels": ("heels", "high heels", "pumps", "stilettos"),
    "Flats": ("flats", "ballerinas", "flat shoes", "flat sandals"),
    "Flip Flops": ("flip flops", "slippers", "thongs", "beach sandals"),
    "Sandals": ("sandals", "sandal"),
    "Handbags": ("handbag", "purse", "ladies bag", "shoulder bag", "tote bag"),
    "Backpacks": ("backpack", "rucksack", "school bag"),
    "Rucksacks": ("rucksack", "trekking backpack"),
    "Clutches": ("clutch", "evening bag", "clutch purse"),
    "Wallets": ("wallet", "billfold", "card holder"),
    "Duffel Bag": ("duffel bag", "gym bag", "sports bag", "holdall"),
    "Laptop Bag": ("laptop bag", "briefcase", "office bag"),
    "Messenger Bag": ("messenger bag", "sling bag"),
    "Watches": ("watch", "wristwatch", "analogue watch"),
    "Sunglasses": ("sunglasses", "shades", "sun glasses"),
    "Belts": ("belt", "waist belt"),
    "Socks": ("socks", "pair of socks"),
    "Ties": ("tie", "necktie"),
    "Caps": ("cap", "hat", "baseball cap"),
    "Scarves": ("scarf",),
    "Stoles": ("stole", "shawl"),
    "Gloves": ("gloves", "mittens"),
    "Earrings": ("earrings", "ear studs"),
    "Pendant": ("pendant", "pendant necklace"),
    "Necklace and Chains": ("necklace", "chain"),
    "Ring": ("ring", "finger ring"),
    "Bangle": ("bangle", "bracelet"),
    "Bracelet": ("bracelet", "wristband"),
    "Perfume and Body Mist": ("perfume", "body mist", "fragrance", "eau de toilette"),
    "Deodorant": ("deodorant", "deo spray"),
    "Nail Polish": ("nail polish", "nail varnish", "nail paint"),
    "Lipstick": ("lipstick", "lip colour"),
    "Lip Gloss": ("lip gloss",),
    "Trousers": ("trousers", "pants", "chinos", "slacks"),
    "Track Pants": ("track pants", "joggers", "sweatpants"),
    "Lounge Pants": ("lounge pants", "pyjama bottoms"),
    "Jeans": ("jeans", "denims", "denim trousers"),
    "Shorts": ("shorts", "short pants"),
    "Skirts": ("skirt",),
    "Leggings": ("leggings", "tights"),
    "Dresses": ("dress", "frock", "gown"),
    "Tops": ("top", "women's top", "blouse"),
    "Tunics": ("tunic",),
    "Sweatshirts": ("sweatshirt", "hoodie", "hooded sweatshirt"),
    "Sweaters": ("sweater", "jumper", "pullover", "cardigan"),
    "Jackets": ("jacket", "coat", "outerwear", "windcheater"),
    "Blazers": ("blazer", "suit jacket", "sport coat"),
    "Waistcoat": ("waistcoat", "vest"),
    "Innerwear Vests": ("undershirt", "vest", "tank top", "singlet"),
    "Briefs": ("briefs", "underwear", "underpants", "panties"),
    "Trunk": ("trunks", "boxer briefs", "underwear"),
    "Boxers": ("boxers", "boxer shorts"),
    "Bra": ("bra", "brassiere", "lingerie"),
    "Camisoles": ("camisole",),
    "Nightdress": ("nightdress", "nightgown", "nightie"),
    "Night suits": ("pyjamas", "pajamas", "night suit"),
    "Bath Robe": ("bath robe", "dressing gown"),
    "Swimwear": ("swimwear", "swimsuit", "bikini"),
    "Kurtas": ("kurta", "long shirt"),
    "Kurtis": ("kurti",),
    "Sarees": ("saree", "sari"),
    "Dupatta": ("dupatta",),
    "Cufflinks": ("cufflinks", "cuff links"),
    "T-Shirt": ("t-shirt", "tshirt", "tee"),
    "Longsleeve": ("long sleeve t-shirt", "longsleeve", "long-sleeved top"),
    "Pants": ("pants", "trousers"),
    "Shoes": ("shoes", "footwear", "pair of shoes"),
    "Outwear": ("jacket", "coat", "outerwear"),
    "Hat": ("hat", "cap"),
    "Undershirt": ("undershirt", "tank top", "vest"),
    "Polo": ("polo shirt", "polo"),
    "Hoodie": ("hoodie", "sweatshirt"),
    "Body": ("baby bodysuit", "romper", "body"),
    "Blouse": ("blouse", "women's shirt"),
    "Basketballs": ("basketball", "ball"),
}
"""By article as the sources call it. Also true of things a source files elsewhere, but good enough to learn from."""

SAME: dict[str, str] = {
    "T-Shirt": "Tshirts", "T-shirts": "Tshirts", "Tees": "Tshirts", "Shirt": "Shirts", "Pants": "Trousers",
    "Outwear": "Jackets", "Coats": "Jackets", "Skirt": "Skirts", "Dress": "Dresses", "Hat": "Caps", "Hats": "Caps",
    "Hoodie": "Sweatshirts", "Hoodies": "Sweatshirts", "Hoodies & Sweatshirts": "Sweatshirts", "Knitwear": "Sweaters",
    "Cardigans": "Sweaters", "Undershirt": "Innerwear Vests", "Tanks": "Innerwear Vests", "Blazer": "Blazers",
    "Top": "Tops", "Blouse": "Tops", "Blouses": "Tops", "Rucksacks": "Backpacks", "Totes": "Handbags",
    "Sneakers": "Casual Shoes", "Rings": "Ring", "Necklaces": "Necklace and Chains",
}  # fmt: skip
"""Articles of different sources that are the same thing."""

COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "Grey": ("grey", "gray"),
    "Gray": ("grey", "gray"),
    "Grey Melange": ("grey melange", "heather grey", "grey"),
    "Navy Blue": ("navy blue", "navy", "dark blue"),
    "Maroon": ("maroon", "dark red", "wine"),
    "Burgundy": ("burgundy", "dark red"),
    "Red": ("red", "crimson", "scarlet"),
    "Multi": ("multicoloured", "multicolor", "colourful"),
    "Off White": ("off white", "ivory"),
    "Cream": ("cream", "ivory"),
    "Lavender": ("lavender", "lilac"),
    "Magenta": ("magenta", "fuchsia"),
    "Gold": ("gold", "golden"),
    "Teal": ("teal", "petrol"),
    "Turquoise Blue": ("turquoise", "turquoise blue", "aqua"),
    "Beige": ("beige", "sand"),
    "Olive": ("olive", "olive green", "khaki green"),
    "Peach": ("peach", "apricot"),
    "Purple": ("purple", "violet"),
    "Tan": ("tan", "light brown", "camel"),
}
GENDER_WORDS: dict[str, tuple[str, ...]] = {
    "Men": ("men", "men's", "mens", "male"),
    "Women": ("women", "women's", "ladies", "womens"),
    "Boys": ("boys", "boy's", "kids"),
    "Girls": ("girls", "girl's", "kids"),
    "Kids": ("kids", "children's"),
    "Unisex": ("unisex",),
}


def article_key(item: Item) -> str:
    """Return one name for an article whatever its source calls it."""
    return SAME.get(item.article, item.article)


def level(item: Item) -> str:
    """Return the category above the last, "" if there is none or it says whom things are for."""
    above = "".join(item.category.split("/")[-2:-1])
    return "" if above in GENDER_WORDS else above


def article_words(item: Item, rng: Random) -> str:
    """Return an article as its source says it, or as people do."""
    words = SYNONYMS.get(item.article, ())
    return rng.choice(words) if words and rng.random() < 0.5 else item.article.lower()


def color_words(color: str, rng: Random) -> str:
    words = COLOR_WORDS.get(color, ())
    return rng.choice(words) if words and rng.random() < 0.5 else color.lower()


def gender_words(gender: str, rng: Random) -> str:
    return rng.choice(GENDER_WORDS.get(gender, (gender.lower(),)))


def name(item: Item, rng: Random) -> Caption:
    """Say the title, or for what has none (a photo from home) its article."""
    return (
        (item.title, "name") if item.title else (article_words(item, rng) if item.article else "", "article")
    )


def color_article(item: Item, rng: Random) -> Caption:
    if not (item.color and item.article):
        return "", ""
    color, article = color_words(item.color, rng), article_words(item, rng)
    return rng.choice(
        (*(f"{color} {article}",) * 3, f"{article} in {color}", f"{article} {color}")
    ), "color_article"


def gender_article(item: Item, rng: Random) -> Caption:
    if not (item.gender and item.article):
        return "", ""
    gender, article = gender_words(item.gender, rng), article_words(item, rng)
    return rng.choice((f"{gender} {article}", f"{article} for {gender}")), "gender_article"


def everything(item: Item, rng: Random) -> Caption:
    if not (item.gender and item.color and item.article and item.usage):
        return "", ""
    color, gender, article = (
        color_words(item.color, rng),
        gender_words(item.gender, rng),
        article_words(item, rng),
    )
    usage = item.usage.lower()
    return rng.choice(
        (f"{color} {usage} {article} for {gender}", f"{gender} {usage} {article} {color}")
    ), "everything"


def article(item: Item, rng: Random) -> Caption:
    return (article_words(item, rng) if item.article else ""), "article"


def path(item: Item, rng: Random) -> Caption:
    """Say the whole category, or a level of it that stands for several articles: then it is true of all of them."""
    if level(item) and rng.random() < 0.5:
        return level(item), "level"
    return (item.category.replace("/", " ") if item.article else ""), "article"


def color(item: Item, rng: Random) -> Caption:
    return (color_words(item.color, rng) if item.color else ""), "color"


def description(item: Item, rng: Random) -> Caption:
    """Say a sentence of the description."""
    sentences = [
        part.strip() for part in item.description.replace("•", ".").split(".") if len(part.strip()) > 12
    ]
    if not sentences:
        return "", ""
    return rng.choice(sentences), "instance"


def _key(*parts: str) -> str:
    """Join what a kind of caption speaks of; empty if any of it is unknown."""
    return "|".join(parts) if all(parts) else ""


KEYS: dict[str, Callable[[Item], str]] = {
    "name": lambda item: _key(item.source, item.title) or (item.instance if item.article else ""),
    "instance": lambda item: item.instance,
    "color_article": lambda item: _key(item.color, article_key(item)),
    "gender_article": lambda item: _key(item.gender, article_key(item)),
    "everything": lambda item: _key(item.color, item.gender, item.usage, article_key(item)),
    "article": article_key,
    "level": lambda item: level(item),
    "color": lambda item: item.color,
}
"""What two items share if a caption of a kind that is true of one is true of the other; empty where nobody knows."""
SLOTS: tuple[tuple[tuple[Callable[[Item, Random], Caption], float], ...], ...] = (
    ((name, 1.0),),
    ((color_article, 0.75), (everything, 0.25)),
    ((article, 0.3), (gender_article, 0.25), (path, 0.15), (color, 0.15), (description, 0.15)),
)
"""Every picture of a batch gets one caption of each slot: who says it, and how often."""


def say(slot: int, item: Item, rng: Random) -> Caption:
    """Return a caption of a slot; ("", "") where the item has none."""
    choices = SLOTS[slot]
    (speaker,) = rng.choices([speaker for speaker, _ in choices], [share for _, share in choices])
    text, kind = speaker(item, rng)
    return (text, kind) if text else ("", "")


def typed(text: str, rng: Random) -> str:
    """Spoil a caption as people do: a letter wrong, a word missing, another order."""
    words = text.split()
    if len(words) > 2 and rng.random() < 0.25:
        del words[rng.randrange(len(words))]
    if len(words) > 1 and rng.random() < 0.12:
        rng.shuffle(words)
    if rng.random() < 0.15:
        place = rng.randrange(len(words))
        words[place] = _typo(words[place], rng)
    return " ".join(words)


def _typo(word: str, rng: Random) -> str:
    if len(word) < 4:
        return word
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :],
        )
    )
