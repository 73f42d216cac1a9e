"""Names -> adapters: the only place that knows which module is behind a name, and which extra it comes with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from lookalike.core.attributes import AttributeModel
from lookalike.core.errors import CatalogError, InputError, MissingExtra, SourceError
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
from lookalike.core.types import ATTRIBUTES, DESCRIPTION, IMAGE, TITLE, content_hash
from lookalike.engine.encoders import Encoders
from lookalike.engine.generations import ARTIFACT, Generations
from lookalike.engine.snapshots import Snapshots, count_vectors, saved_segments
from lookalike.settings import Settings, load_settings, models_folder

DEFAULT_ENCODER = "builtin"
ENCODERS: Mapping[str, str] = {
    "onnx": "lookalike.adapters.encoder_onnx:OnnxEncoder",
    "torch": "lookalike.adapters.encoder_torch:TorchEncoder",
}
"""What runs the model of a preset. Before a colon in an encoder's name, as in "torch:NAME"; without one it is `onnx`."""
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
CACHES: Mapping[str, str] = dict.fromkeys(
    ("redis", "rediss", "unix"), "lookalike.adapters.cache_redis:RedisCache"
)
"""Caches that processes share, by the beginning of their URL."""
EXTRAS: Mapping[str, str] = {"opentelemetry": "otel", "psycopg": "postgres", "redis": "redis"}


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


def load_encoder(name: str = DEFAULT_ENCODER, settings: Settings | None = None) -> Encoder:
    """Return an encoder by name: `encode_images` and `encode_texts`, each -> float32 [n, dim], unit rows.

    `name` is that of a model in the package, or the path of its .toml; "torch:" before it lets torch run it. Raises InputError
    for a model that is unknown, or was not fetched, and MissingExtra for what is not installed.
    """
    settings = settings or load_settings()
    kind, colon, model = name.partition(":")
    if not colon or kind not in ENCODERS:  # C:/models/small.toml has a colon of its own
        kind, model = "onnx", name
    path = Path(model) if model.endswith(".toml") else model_presets().get(model)
    if path is None:
        raise InputError(
            f"no encoder {name!r}",
            hint=f"There are: {', '.join(model_presets())}; or give the path of a .toml.",
        )
    adapter = load(ENCODERS[kind])
    encoder: Encoder = adapter.from_preset(
        path,
        settings.encoder_threads,
        models_dir=models_folder(settings),
        providers=settings.encoder_providers,
    )
    return encoder


def model_presets() -> dict[str, Path]:
    """Return the .toml of each model in the package, by its name."""
    folder = Path(str(files("lookalike.models")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def make_index(
    dim: int,
    kind: str = "auto",
    recall: float = 0.95,
    folded: Callable[[], None] = lambda: None,
    memory_bytes: int | None = None,
    folder: Path | None = None,
) -> VectorIndex:
    """Return an empty index of vectors of this length; `folded` is called whenever most of it was made anew.

    One that is not exact is tuned to find `recall` of the ten nearest, and where it would take more than `memory_bytes`, keeps
    its vectors in half precision in `folder` (None: where temporary files go).
    """
    own = {"recall": recall, "memory_bytes": memory_bytes, "folder": folder} if kind == "auto" else {}
    index: VectorIndex = _named(INDEXES, "index", kind)(dim, folded, **own)
    return index


def snapshots_folder(place: str | Path, settings: Settings) -> Path | None:
    """Return where snapshots of the indexes of a catalogue are kept; None for nowhere."""
    if settings.snapshots == "auto":
        url = load("lookalike.adapters.catalog_sql_engine:parse")(place)
        return Path(f"{url.database}.index") if url.get_backend_name() == "sqlite" else None
    return None if settings.snapshots == "off" else Path(settings.snapshots).expanduser()


def shown_place(place: str | Path) -> str:
    """Return a path or URL as it may be shown to people: without a password."""
    if "://" not in str(place):
        return str(place)
    url = load("lookalike.adapters.catalog_sql_engine:parse")(place)
    return str(load("lookalike.adapters.catalog_sql_engine:shown")(url))


def make_snapshots(folder: Path, make_index: Callable[[int], VectorIndex]) -> Snapshots:
    """Return the snapshots in a folder, of indexes that `make_index` makes. There need be no folder yet."""
    snapshots: Snapshots = load("lookalike.adapters.index_store:IndexStore")(folder, make_index)
    return snapshots


def plan_indexes(place: str | Path, settings: Settings) -> list[Any]:
    """Return what index each space of a catalogue would have (`adapters.index_plan.Planned`), without building any."""
    plan = load("lookalike.adapters.index_plan:plan")
    with closing(open_catalog(place, create=False)) as catalog:
        held = catalog.artifact(ARTIFACT)
        if held is None:
            return []
        live = Generations.from_bytes(held).live
        texts = (live.texts or live.main).fingerprint
        fingerprints = {IMAGE: live.main.fingerprint, TITLE: texts, DESCRIPTION: texts}
        products, found = count_vectors(catalog, fingerprints)
        model = catalog.artifact(f"attributes{live.learned}")
        if model is not None and (dim := AttributeModel.from_bytes(model).dim):
            found[ATTRIBUTES] = products, dim
        folder = snapshots_folder(place, settings)
        saved = saved_segments(catalog, make_snapshots(folder, make_index)) if folder else {}
    return [
        plan(
            space,
            count,
            dim,
            settings.index,
            saved.get(space),
            settings.index_recall,
            settings.index_memory_bytes,
        )
        for space, (count, dim) in found.items()
    ]


def make_words(kind: str = "postings") -> LexicalIndex:
    """Return an empty index of words."""
    index: LexicalIndex = _named(LEXICAL_INDEXES, "lexical index", kind)()
    return index


def open_catalog(place: str | Path, *, create: bool) -> Catalog:
    """Open the catalogue at a path (SQLite) or a postgresql:// URL."""
    catalog: Catalog = load("lookalike.adapters.catalog_sql:SqlCatalog").open(place, create=create)
    return catalog


def has_catalog(place: str | Path) -> bool:
    """Say whether there is a catalogue at a path or a postgresql:// URL; none is made."""
    try:
        open_catalog(place, create=False).close()
    except CatalogError as error:
        if error.code != "catalog.missing":
            raise
        return False
    return True


def open_event_log(place: str | Path) -> EventLog:
    """Open the log of searches and events beside the catalogue at a path (SQLite) or a postgresql:// URL."""
    log: EventLog = load("lookalike.adapters.events_sql:SqlEventLog").open(place, create=False)
    return log


def event_log(catalog: Catalog) -> EventLog:
    """Return the log of searches and events beside an open catalogue; it ends with it."""
    log: EventLog = load("lookalike.adapters.events_sql:SqlEventLog").beside(catalog)
    return log


class SharedCache(Cache, Protocol):
    """A cache outside this process. While it is gone everything is a miss; `on_outage` is called once each time."""

    on_outage: Callable[[], None]

    def close(self) -> None:
        """Let go of it."""
        ...


def shared_cache(settings: Settings) -> SharedCache | None:
    """Return the cache that `cache_url` names, None without; raise InputError for a URL of no kind that is known."""
    if settings.cache_url is None:
        return None
    url = settings.cache_url.get_secret_value()
    kind = url.partition("://")[0]
    if kind not in CACHES or "://" not in url:
        kinds = ", ".join(f"{each}://" for each in CACHES)
        raise InputError("cache_url is of no kind that is known", hint=f"It begins with one of {kinds}.")
    limits = load("lookalike.adapters.cache_redis:RedisLimits")(
        settings.cache_ttl_s, settings.cache_timeout_s, settings.cache_max_value_bytes
    )
    cache: SharedCache = load(CACHES[kind])(url, limits)
    return cache


def make_cache(max_bytes: int, shared: Cache | None = None, prefix: str = "") -> Cache:
    """Return a cache in this process, of query vectors or of answers; before a shared one, if there is one."""
    near: Cache = load("lookalike.adapters.cache_memory:MemoryCache")(max_bytes)
    if shared is None:
        return near
    tiered: Cache = load("lookalike.adapters.cache_tiered:TieredCache")(near, shared, prefix)
    return tiered


def answers_name(catalog: Catalog, settings: Settings) -> str:
    """Return a name for what a catalogue answers: the same in two processes if equal questions get equal answers at one
    moment of the change sequence, with the same encoders and the same code."""
    which = load("lookalike.adapters.catalog_sql_identity:identity")(catalog)
    found_by = settings.index, settings.index_recall, settings.index_memory_bytes
    return content_hash(repr((which, settings.images, settings.search, found_by)))


def image_loader(base: Path, settings: Settings, *, allow_local: bool = True) -> ImageLoader:
    """Return what gets pictures from paths under `base` and from URLs."""
    fetcher = load("lookalike.adapters.images_fetch:ImageFetcher")
    loader: ImageLoader = fetcher(
        base, allow_private=settings.allow_private_urls, allow_local=allow_local, limits=settings.fetch
    )
    return loader


def given_vectors(paths: Sequence[str | Path], encoders: Encoders) -> Any:
    """Return the vectors of these encoders that are in files, checked: `adapters.embeddings_parquet_given.GivenVectors`."""
    given = load("lookalike.adapters.embeddings_parquet_given:GivenVectors")
    return given([Path(path) for path in paths], _makers(encoders))


def write_embeddings(path: Path, encoders: Encoders, rows: Iterable[Any], *, half: bool) -> int:
    """Write vectors to a Parquet file: `adapters.embeddings_parquet.write`."""
    write: Callable[..., int] = load("lookalike.adapters.embeddings_parquet:write")
    return write(path, _makers(encoders), rows, half=half)


def write_array(source: Path, array: Path, names: Path) -> None:
    """Write the vectors of a Parquet file as an array, and what its rows are as CSV."""
    load("lookalike.adapters.embeddings_parquet:write_array")(source, array, names)


def _makers(encoders: Encoders) -> dict[str, Any]:
    made_by = load("lookalike.adapters.embeddings_parquet:MadeBy")
    return {
        space: made_by(encoder.name, encoder.fingerprint, encoder.dim)
        for space, encoder in encoders.by_space.items()
    }


def cores() -> int:
    """Return how many cores this process may use."""
    count: int = load("lookalike.adapters.encoder_onnx_session:cores")()
    return count


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
