"""A source of products into a file of vectors, without a shop: `lookalike embed`.

It is `Shop.index` with a catalogue of its own beside the file, which is gone when the file is there: the same reading, decoding
and encoding. So a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lookalike import wiring
from lookalike.core.column_map import ColumnMap
from lookalike.core.errors import InputError
from lookalike.core.ports import BadRow, Catalog, Encoder, Row, Source
from lookalike.core.rows import Problem, columns_of, read_row, recognise
from lookalike.core.types import Vectors, contents
from lookalike.engine.encoders import Encoders
from lookalike.engine.ingest import CHUNK_IMAGES, Ingest, IngestReport
from lookalike.intake import first_rows
from lookalike.settings import Settings, load_settings

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows
    flock = None  # type: ignore[assignment]

WORK = ".work"
"""What the folder of what is made so far is called after the file."""
READ_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What became of the rows of the source, and how many `vectors` are in the file."""

    ingest: IngestReport
    vectors: int


class Part:
    """Every `of`-th row of a source, from row `number` on (counted from 1): as a Source."""

    def __init__(self, source: Source, number: int, of: int) -> None:
        self._source, self._number, self._of = source, number, of

    @property
    def name(self) -> str:
        """That of the whole, and which part this is."""
        return f"{self._source.name}, part {self._number} of {self._of}"

    @property
    def total(self) -> int | None:
        """How many of its rows there will be."""
        total = self._source.total
        return None if total is None else len(range(self._number - 1, total, self._of))

    def rows(self) -> Iterator[Row | BadRow]:
        """Read from the start; rows keep the numbers they have in the whole."""
        return (row for row in self._source.rows() if (row.number - self._number) % self._of == 0)


def embed(  # noqa: PLR0913 - one call, as people type it
    source: str | Path | Iterable[Mapping[str, object]],
    out: str | Path,
    *,
    encoder: str | Encoder = wiring.DEFAULT_ENCODER,
    text_encoder: str | Encoder | None = None,
    part: tuple[int, int] = (1, 1),
    half: bool = False,
    npy: bool = False,
    columns: Mapping[str, str] | None = None,
    query: str | None = None,
    images: str | Path | None = None,
    split: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    on_start: Callable[[Source, ColumnMap], None] = lambda source, columns: None,
    on_problem: Callable[[Problem], None] = lambda problem: None,
    progress: Callable[[int], None] = lambda rows: None,
) -> EmbedReport:
    """Embed all pictures, titles and descriptions of a source into the Parquet file `out`.

    `part` (2, 4) takes every fourth row from the second on: four runs with files of their own share a source, on any number of
    machines. `half` keeps numbers in 16 bits. With `npy` the vectors are also written as an array, OUT.npy, with OUT.rows.csv
    saying what its rows are. Vectors that `out` has already, from an earlier run, are not made again. What cannot be read is
    told to `on_problem`, and the rest goes on. The other arguments are those of `Shop.index`.
    """
    settings, out = settings or load_settings(), Path(out)
    _require_possible(out, part)
    encoders = _encoders(encoder, text_encoder, settings)
    if npy and len({each.dim for each in encoders.each}) > 1:
        raise InputError(
            f"vectors of {encoders} are of several lengths, and no array",
            hint="Leave out --npy, or --text-encoder.",
        )
    opened, base = wiring.open_source(source, query)
    samples = first_rows(opened)  # of the whole: all parts are to be read alike, and as `index` reads them
    recognised = recognise(columns_of(samples), samples, columns or {}, split or {})
    if part != (1, 1):
        opened = Part(opened, *part)
    with ExitStack() as stack:
        # What an earlier run left: another encoder's vectors are not written over.
        earlier = [out] if out.is_file() else []
        given = stack.enter_context(wiring.given_vectors(earlier, encoders))
        on_start(opened, recognised)
        work = stack.enter_context(_work_on(out))
        catalog = stack.enter_context(closing(wiring.open_catalog(work / "made.db", create=True)))
        loader = stack.enter_context(closing(wiring.image_loader(Path(images) if images else base, settings)))
        ingest = Ingest(
            catalog,
            encoders,
            loader,
            on_problem,
            settings.images,
            max(settings.workers, wiring.cores()),
            given=given,
            thumbnails=False,
            images_at_once=max(CHUNK_IMAGES, getattr(encoders.main, "images_at_once", 0)),
        )
        report = ingest.run(opened, partial(read_row, columns=recognised), progress)
        ingest.prune(any_share=True)  # what an interrupted run made of rows that are gone since
        written = wiring.write_embeddings(out, encoders, vectors_of(catalog, encoders), half=half)
    if npy:
        wiring.write_array(out, out.with_suffix(".npy"), out.with_suffix(".rows.csv"))
    return EmbedReport(report, written)


def vectors_of(catalog: Catalog, encoders: Encoders) -> Iterator[tuple[str, str, str, str | None, Vectors]]:
    """Yield the vectors that a catalogue has of these encoders: id, space, content hash, picture's address, float32 [dim]."""
    made_by, after = encoders.fingerprints, 0
    while changes := catalog.changes(after, READ_AT_ONCE):
        after = changes[-1].seq
        products = {change.key: change.product for change in changes if change.product is not None}
        held = catalog.embedded([product.id for product in products.values()], made_by)
        found: dict[tuple[int, str, str], Vectors] = {}
        for space, (_, vectors) in catalog.embeddings(np.array(list(products), np.int64), made_by).items():
            names = [
                (key, space, digest)
                for key in sorted(products)
                for digest in sorted(d for s, d in held[products[key].id] if s == space)
            ]
            found.update(zip(names, vectors, strict=True))
        for key, product in products.items():
            refs = {image.content_hash: image.ref for image in product.images}
            for space, digests in contents(product).items():
                for digest in digests:
                    if (key, space, digest) in found:
                        yield product.id, space, digest, refs.get(digest), found[key, space, digest]


def require_vectors(paths: Sequence[Path], encoder: str | None, text_encoder: str | None) -> None:
    """Raise what is wrong with files of vectors, for a shop that is yet to be made with these encoders."""
    if paths:
        encoders = _encoders(encoder or wiring.DEFAULT_ENCODER, text_encoder, load_settings())
        wiring.given_vectors(paths, encoders).close()


def _require_possible(out: Path, part: tuple[int, int]) -> None:
    if out.suffix != ".parquet":
        raise InputError(
            f"vectors are written as Parquet, and {out.name} is called otherwise",
            hint=f"Name it {out.with_suffix('.parquet').name}; --npy writes an array beside it.",
        )
    number, of = part
    if not 1 <= number <= of:
        raise InputError(f"there is no part {number} of {of}", hint="Parts are 1/4, 2/4, 3/4 and 4/4.")


@contextmanager
def _work_on(out: Path) -> Iterator[Path]:
    """Yield the folder of what is made so far of a file, and drop it when all is done; raise InputError if others use it."""
    work = out.with_name(out.name + WORK)
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if flock is not None:
            lock = stack.enter_context((work / "lock").open("wb"))
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"another run is making {out}",
                    hint="Wait for it, or give this one an --out of its own.",
                ) from None
        yield work
        shutil.rmtree(work)


def _encoders(encoder: str | Encoder, text_encoder: str | Encoder | None, settings: Settings) -> Encoders:
    def loaded(chosen: str | Encoder) -> Encoder:
        return wiring.load_encoder(chosen, settings) if isinstance(chosen, str) else chosen

    main = loaded(encoder)
    texts = None if text_encoder is None else loaded(text_encoder)
    return Encoders(main, None if texts is None or texts.fingerprint == main.fingerprint else texts)
