"""Names -> adapters: the only place that knows which module is behind a name, and which extra it comes with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, MissingExtra, SourceError
from lookalike.core.ports import (
    Cache,
    Catalog,
    Encoder,
    EventLog,
    ImageLoader,
    LexicalIndex,
    Source,
    VectorIndex,
)
from lookalike.settings import Settings

DEFAULT_ENCODER = "builtin"
ENCODERS: Mapping[str, str] = {"builtin": "lookalike.adapters.encoder_onnx:builtin"}
INDEXES: Mapping[str, str] = {
    "auto": "lookalike.adapters.index_cells:CellsIndex",
    "exact": "lookalike.adapters.index_exact:ExactIndex",
}
"""`auto` is exact up to 50,000 vectors, and cells from there on."""
LEXICAL_INDEXES: Mapping[str, str] = {"postings": "lookalike.adapters.lexical_postings:PostingsIndex"}
SOURCES: Mapping[str, str] = {
    ".parquet": "lookalike.adapters.source_parquet:ParquetSource",
    ".pq": "lookalike.adapters.source_parquet:ParquetSource",
    ".csv": "lookalike.adapters.source_csv:CsvSource",
    ".tsv": "lookalike.adapters.source_csv:CsvSource",
    ".txt": "lookalike.adapters.source_csv:CsvSource",
    ".jsonl": "lookalike.adapters.source_jsonl:JsonlSource",
    ".ndjson": "lookalike.adapters.source_jsonl:JsonlSource",
    ".json": "lookalike.adapters.source_jsonl:JsonlSource",
}
"""By file name ending; `.gz` after the text formats is fine."""
EXTRAS: Mapping[str, str] = {"opentelemetry": "otel", "psycopg": "postgres"}


def load(target: str) -> Any:
    """Import "module:Name"; raise MissingExtra with the install line when what it needs is not installed."""
    module, name = target.split(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0], "")
        line = f'pip install "lookalike[{extra}]"' if extra else f"pip install {error.name}"
        raise MissingExtra(f"{error.name} is not installed", hint=line) from error


def _named(table: Mapping[str, str], kind: str, name: str) -> Any:
    if name not in table:
        raise InputError(f"no {kind} {name!r}", hint=f"There are: {', '.join(table)}.")
    return load(table[name])


def load_encoder(name: str = DEFAULT_ENCODER) -> Encoder:
    """Return an encoder by name: `encode_images` and `encode_texts`, each -> float32 [n, dim], unit rows."""
    encoder: Encoder = _named(ENCODERS, "encoder", name)()
    return encoder


def make_index(dim: int, kind: str = "auto") -> VectorIndex:
    """Return an empty index of vectors of this length."""
    index: VectorIndex = _named(INDEXES, "index", kind)(dim)
    return index


def make_words(kind: str = "postings") -> LexicalIndex:
    """Return an empty index of words."""
    index: LexicalIndex = _named(LEXICAL_INDEXES, "lexical index", kind)()
    return index


def open_catalog(place: str | Path, *, create: bool) -> Catalog:
    """Open the catalogue at a path (SQLite) or a postgresql:// URL."""
    catalog: Catalog = load("lookalike.adapters.catalog_sql:SqlCatalog").open(place, create=create)
    return catalog


def open_event_log(place: str | Path) -> EventLog:
    """Open the log of searches and events beside the catalogue at a path (SQLite) or a postgresql:// URL."""
    log: EventLog = load("lookalike.adapters.events_sql:SqlEventLog").open(place, create=False)
    return log


def event_log(catalog: Catalog) -> EventLog:
    """Return the log of searches and events beside an open catalogue; it ends with it."""
    log: EventLog = load("lookalike.adapters.events_sql:SqlEventLog").beside(catalog)
    return log


def make_cache(max_bytes: int) -> Cache:
    """Return a cache in this process, of query vectors or of answers."""
    cache: Cache = load("lookalike.adapters.cache_memory:MemoryCache")(max_bytes)
    return cache


def image_loader(base: Path, settings: Settings, *, allow_local: bool = True) -> ImageLoader:
    """Return what gets pictures from paths under `base` and from URLs."""
    fetcher = load("lookalike.adapters.images_fetch:ImageFetcher")
    loader: ImageLoader = fetcher(
        base, allow_private=settings.allow_private_urls, allow_local=allow_local, limits=settings.fetch
    )
    return loader


def open_source(
    source: str | Path | Iterable[Mapping[str, object]], query: str | None = None
) -> tuple[Source, Path]:
    """Return a source of products and the folder its relative image paths start from.

    `source` is a file or folder, a database URL (with `query`, the SELECT to run on it), or rows in memory.
    """
    opened: Source
    if not isinstance(source, str | Path):
        opened = load("lookalike.adapters.source_list:ListSource")(source)
        return opened, Path()
    if query is not None:
        opened = load("lookalike.adapters.source_sql:SqlSource")(str(source), query)
        return opened, Path()
    path = Path(source)
    if path.is_dir():
        parquet = next(path.rglob("*.parquet"), None) is not None
        kind = "source_parquet:ParquetSource" if parquet else "source_folder:FolderSource"
        opened = load(f"lookalike.adapters.{kind}")(path)
        return opened, path
    if not path.exists():
        raise SourceError(f"there is no file or folder {str(source)!r}", hint=_missing_hint(str(source)))
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix not in SOURCES:
        raise SourceError(
            f"{path.name} is of no kind that is known",
            hint=f"Known endings: {', '.join(SOURCES)}, or a folder of images.",
        )
    opened = load(SOURCES[suffix])(path)
    return opened, path.parent


def _missing_hint(source: str) -> str:
    if "://" in source:
        return 'For a database, give the SELECT as well: --query "SELECT ... FROM products".'
    return "Check the path."
