"""What to use in place of a field that is not known: by what people look for, or by how it is spelled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from rapidfuzz import fuzz, process

CLOSE: Final = 70
"""How alike two names are, of 100, for one to be taken for a misspelling of the other."""
MAX_LETTERS: Final = 80


def shown(name: str) -> str:
    """Return a name that a stranger made up, cut to what is worth reading, with "?" for what cannot be."""
    cut = name if len(name) <= MAX_LETTERS else f"{name[:MAX_LETTERS]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in cut)


def instead_of(name: str, known: Collection[str], told: Mapping[str, str]) -> tuple[str, str]:
    """Say what to use in place of a field, and all there are: what is `told` of it, else the one spelled alike."""
    if name in told:
        return told[name], ""
    near = process.extractOne(name[:MAX_LETTERS].lower(), list(known), scorer=fuzz.ratio, score_cutoff=CLOSE)
    return f"Did you mean {near[0]}?" if near else "", f"Known here: {', '.join(known)}."


PICTURE: Final = (
    "A path on your machine cannot be read here: send an http(s) URL or a data: URI, in a search also the file itself "
    "(curl -F image=@photo.jpg), or read products with their pictures in by: lookalike index."
)

# --- what each request calls otherwise --------------------------------------------------------------------------------


def _use(name: str, *others: str) -> dict[str, str]:
    return dict.fromkeys(others, f"Use {name} instead.")


def _part(kind: str, *others: str) -> dict[str, str]:
    return dict.fromkeys(others, f'Write it as a part: {{"parts": [{{"{kind}": "..."}}]}}.')


OPTIONS: Final = {
    **_use("limit", "k", "n", "top", "size", "count", "per_page"),
    **_use("where", "filter", "filters"),
    **_use("rerank", "sort", "sort_by", "order", "ranking"),
    **_use("the cursor of the answer before", "page", "offset"),
    **_use("price_min", "min_price", "price_from"),
    **_use("price_max", "max_price", "price_to"),
    **_use("category", "categories"),
    **_use("brand", "brands"),
    **_use("facets", "facet"),
    **_use("fields", "field"),
}
TEXT_SEARCH: Final = {
    **OPTIONS,
    **_use("q", "text", "query", "phrase"),
    **_use("POST /v1/search/image", "image", "image_url", "photo"),
    **_use("GET /v1/products/{id}/similar", "like"),
}
IMAGE_SEARCH: Final = {
    **OPTIONS,
    **dict.fromkeys(
        ("file", "files", "images", "photo", "picture", "img", "upload"),
        "Send the picture as image: curl -F image=@photo.jpg ...",
    ),
    **_use("image_url", "url", "image_urls"),
    **_use("POST /v1/search/multimodal", "text", "q", "query"),
}
MULTIMODAL: Final = IMAGE_SEARCH | _use("text", "q", "query", "phrase")
PART: Final = {
    **_use("text", "q", "query", "phrase"),
    **_use("image", "image_url", "url", "photo"),
    **_use("like", "id", "product", "product_id"),
}
SEARCH: Final = {
    **OPTIONS,
    **_part("text", "text", "q", "query", "phrase"),
    **_part("image", "image", "image_url", "photo"),
    **_part("like", "like", "id", "product"),
}
BATCH: Final = _use("queries", "searches", "requests", "parts")
_PRODUCT: Final = {
    **_use("categories, a list of paths such as Women/Shoes,", "category", "category_path", "product_type"),
    **_use("brand", "manufacturer", "vendor"),
    **_use("availability", "in_stock", "stock", "available"),
    **_use("attributes.url", "url", "link"),
}
CHANGES: Final = {
    **_PRODUCT,
    **dict.fromkeys(
        ("title", "name", "description", "image", "images"),
        "It is what a product is embedded by: write the whole product, PUT /v1/products/{id}.",
    ),
    "id": "The path says which product it is.",
}
ROW: Final = {
    **_PRODUCT,
    **_use("title", "name", "label"),
    **_use("images, a list,", "image_url", "image_urls", "picture", "pictures", "photo", "photos", "file"),
}
ONLY_TOLD: Final[Mapping[str, str]] = {
    "category": "Write categories, a list of paths, the main one first.",
    "url": "Write attributes.url.",
    "image": "Write images, a list of URLs or data: URIs.",
}
"""Fields of a product that GET tells and that others decide, with those others."""
EVENT: Final = {
    **_use("action_name", "action", "event", "event_name", "event_type", "name", "type"),
    **_use("query_id, which is the search_id of the answer,", "search_id", "search", "query", "queryid"),
    **_use(
        'event_attributes.object.object_id, {"event_attributes": {"object": {"object_id": "..."}}},',
        *("product_id", "product", "object_id", "object", "id", "item_id", "sku"),
    ),
    **_use(
        'event_attributes.position.ordinal, {"event_attributes": {"position": {"ordinal": 1}}},',
        *("position", "ordinal", "rank", "index"),
    ),
    **_use("client_id", "client"),
    **_use("session_id", "session"),
    **_use("timestamp", "time", "ts", "date"),
}
