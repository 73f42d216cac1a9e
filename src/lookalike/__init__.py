"""Visual and text product search for shops: a catalogue in, look-alikes out.

shop = lookalike.open("shop.db")
shop.index("products.parquet")
for hit in shop.search(image="photo.jpg", where="price < 50").hits:
    print(hit.product.title, hit.score)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookalike.api import Shop, open
    from lookalike.core.errors import LookalikeError
    from lookalike.core.query import Hit, SearchResult
    from lookalike.core.types import ImageRef, Product
    from lookalike.wiring import load_encoder

__version__ = "0.1.0"
__all__ = [
    "Hit",
    "ImageRef",
    "LookalikeError",
    "Product",
    "SearchResult",
    "Shop",
    "__version__",
    "load_encoder",
    "open",
]

_HOME = {
    "Shop": "lookalike.api",
    "open": "lookalike.api",
    "load_encoder": "lookalike.wiring",
    "LookalikeError": "lookalike.core.errors",
    "Hit": "lookalike.core.query",
    "SearchResult": "lookalike.core.query",
    "ImageRef": "lookalike.core.types",
    "Product": "lookalike.core.types",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # Importing the package must stay cheap: each name brings its module when it is first used.
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
