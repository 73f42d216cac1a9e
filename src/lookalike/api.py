"""The public face: `lookalike.open` gives a Shop; a shop indexes, searches, changes and evaluates."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from time import time
from types import TracebackType
from typing import Self, Unpack

import numpy as np

from lookalike import wiring
from lookalike.core.column_map import ColumnMap
from lookalike.core.errors import (
    InputError,
    LimitError,
    LookalikeError,
    Overloaded,
    QueryError,
)
from lookalike.core.filter_text import parse
from lookalike.core.filters import bind
from lookalike.core.judgments import QueryForm, read_judgments
from lookalike.core.limits import FetchLimits
from lookalike.core.ports import Catalog, Encoder, EventLog, ImageLoader, Source, VectorIndex
from lookalike.core.query import Query, SearchResult
from lookalike.core.rows import Problem, read_row
from lookalike.core.types import ImageRef, Product, Record, contents
from lookalike.engine.backfill import Backfill
from lookalike.engine.encoders import Encoders
from lookalike.engine.encoding import CachedEncoder
from lookalike.engine.evaluation import Evaluation, EvaluationOptions
from lookalike.engine.follow import Follower
from lookalike.engine.garbage import frozen_heap
from lookalike.engine.generations import (
    ARTIFACT,
    Generation,
    Generations,
    Shelf,
    chosen,
    generation_of,
    require_same,
)
from lookalike.engine.indexing import LiveIndex, learn_from
from lookalike.engine.ingest import Given, Ingest, IngestReport, nothing_given
from lookalike.engine.search import Searcher
from lookalike.engine.snapshots import Keeper
from lookalike.engine.turns import Turns
from lookalike.intake import first_rows, ids_of, known_ids, reader_of, recognise_rows, rows_of
from lookalike.questions import Question, QuestionReader, question_of
from lookalike.settings import Settings, load_settings

Rows = Iterable[Mapping[str, object]]
QueryEncoder = Callable[[Encoder], Encoder]
"""Puts an encoder of its own before that of a shop."""
log = logging.getLogger("lookalike.shop")
LEARNED = "learned"
"""The reader position at which the attribute model and the calibration were learned last."""
CHANGE_ATTEMPTS = 50
"""Each that fails means that some other process changed the very product within a millisecond or two."""


def open(  # noqa: PLR0913 - one call, as people type it
    place: str | Path,
    *,
    encoder: str | Encoder | None = None,
    text_encoder: str | Encoder | None = None,
    create: bool = True,
    reembed: bool = False,
    settings: Settings | None = None,
    local_files: bool = True,
    query_encoder: QueryEncoder = lambda encoder: encoder,
    query_fetch: FetchLimits | None = None,
    beside: bool = False,
) -> Shop:
    """Open the shop whose catalogue is at a path (SQLite) or postgresql:// URL; make an empty one where there is none.

    `encoder` is a name or an Encoder; by default the one the catalogue was made with, or "builtin" for a new one.
    `text_encoder` embeds titles and descriptions in its place. Raises EncoderMismatch when the catalogue was made with
    another, unless `reembed` says that it is about to be indexed anew.
    With `local_files` False no picture is read from a path of this machine, whoever asks: for questions and products that
    come from strangers. `query_encoder` makes of each of the shop's encoders the one that queries go through, such as one
    that encodes for several callers at once. `query_fetch` bounds the pictures of queries that come from the web, by default as
    `settings.fetch` bounds those of products. `beside` opens the second generation of a shop that is being upgraded, to be
    looked at before it goes live.
    """
    create = create and not beside
    settings = settings or load_settings()
    shelf = Shelf(partial(wiring.load_encoder, settings=settings))
    if create and not (encoder is None and text_encoder is None) and not wiring.has_catalog(place):
        # Encoders that cannot be had must not leave an empty shop behind.
        first = chosen(shelf, None, encoder, text_encoder, wiring.DEFAULT_ENCODER)
        encoder, text_encoder = first.main, first.texts
    catalog = wiring.open_catalog(place, create=create)
    try:
        held = _generations(catalog)
        if beside:
            held = Generations(_second(held))
        elif reembed and held is not None and held.beside is not None:
            raise InputError(
                f"{place} is being upgraded to another encoder",
                hint=f"First: lookalike upgrade clean {place}, or finish it.",
            )
        encoders = chosen(shelf, held, encoder, text_encoder, wiring.DEFAULT_ENCODER)
        if held is not None and not reembed:
            require_same(place, held, encoders)
        return Shop(
            catalog,
            encoders,
            settings,
            shelf=shelf,
            reembeds=reembed,
            local_files=local_files,
            query_encoder=query_encoder,
            query_fetch=query_fetch,
            snapshots=None if beside else wiring.snapshots_folder(place, settings),
            follows=not (beside or reembed),
            name=wiring.shown_place(place),
        )
    except BaseException:
        catalog.close()
        raise


class Shop:
    """One catalogue, searchable. Safe to use from several threads; use it as a context manager, or call `close`."""

    def __init__(  # noqa: PLR0913 - all that `open` was told
        self,
        catalog: Catalog,
        encoders: Encoders,
        settings: Settings,
        *,
        shelf: Shelf,
        reembeds: bool = False,
        local_files: bool = True,
        query_encoder: QueryEncoder = lambda encoder: encoder,
        query_fetch: FetchLimits | None = None,
        snapshots: Path | None = None,
        follows: bool = True,
        name: str = "",
    ) -> None:
        self.local_files = local_files
        self.name = name
        """Where it is kept, for people; without a password."""
        self._catalog = catalog
        self._encoders = encoders
        self._shelf = shelf
        self._reembeds = reembeds
        self._settings = settings
        self._query_encoder = query_encoder
        self.shared_cache = wiring.shared_cache(settings)
        """What other processes share with this one, None for nothing; see the setting `cache_url`."""
        self._query_cache = wiring.make_cache(settings.cache_bytes, self.shared_cache, "vectors:")
        self._turns = Turns()
        self._follower: Follower | None = None
        self._ending = ExitStack()
        folded = Event()
        make_index = partial(
            wiring.make_index,
            kind=settings.index,
            recall=settings.index_recall,
            folded=folded.set,
            memory_bytes=settings.index_memory_bytes,
            folder=snapshots,
        )
        self._keeper = None
        if snapshots is not None:
            self._keeper = Keeper(catalog, folded, wiring.make_snapshots(snapshots, make_index), encoders)
        kept = self._keeper.kept if self._keeper else None
        self._live = LiveIndex(
            catalog,
            encoders.wrapped(self._for_queries),
            make_index,
            wiring.make_words(),
            kept,
            self._renewed if follows else None,
        )
        self._searcher = Searcher(self._live, catalog, time, settings.search)
        self._queries_from = self._pictures_from(Path(), query_fetch)
        self._live.refresh()
        self._brought_in = False
        if self._keeper is not None:
            self._keeper.start(self._live)

    def __len__(self) -> int:
        """Count the products, inactive ones included."""
        return self._catalog.count()

    def __repr__(self) -> str:
        """Say where it is kept, and how many products searches can find; asks no database."""
        return f"<Shop {self.name}: {self.findable:,} products that can be found>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database, and of connections that query pictures came by.

        If a whole source was brought in, and it is a large one, that takes until its index is made and on disk.
        """
        self._ending.close()
        if self._keeper is not None:
            if self._brought_in:
                self._keeper.save(self._live)
            self._keeper.close()
        if self._follower is not None:
            self._follower.close()
        self._queries_from.close()
        if self.shared_cache is not None:
            self.shared_cache.close()
        self._catalog.close()

    @property
    def columns(self) -> dict[str, str]:
        """The columns filters and facets can name, with what each holds."""
        return {
            name: " and ".join(sorted(t.__name__ for t in types)) or "nothing yet"
            for name, types in self._live.columns.types().items()
        }

    @property
    def findable(self) -> int:
        """How many products searches can find: those that are active, as far as searches have come."""
        return len(self._live.columns)

    @property
    def encoder(self) -> Encoder:
        """What makes its vectors; with a `text_encoder`, those of pictures."""
        return self._encoders.main

    @property
    def text_encoder(self) -> Encoder | None:
        """What makes the vectors of titles and descriptions, None where `encoder` does."""
        return self._encoders.texts

    @property
    def searched_by(self) -> Encoders:
        """The encoders of the vectors that are searched now, as queries go through them."""
        return self._live.view.encoders

    @property
    def signature(self) -> str:
        """The encoders of all spaces that are searched, as one string."""
        return self.searched_by.signature

    @property
    def sequence(self) -> int:
        """How far in the catalogue's sequence of changes searches have come."""
        return self._live.seq

    @property
    def spaces(self) -> Mapping[str, VectorIndex]:
        """What compares vectors, by space, as it is now: to be looked at, not to be changed."""
        return self._live.spaces

    @property
    def settled(self) -> int | None:
        """`sequence` while all that searches see is of that moment; None while changes are being brought in.

        A search is of one state if this is the same number before and after it.
        """
        return self._live.settled

    @property
    def answers_name(self) -> str:
        """What answers are kept under in a cache that other shops use as well, see `wiring.answers_name`."""
        return wiring.answers_name(self._catalog, self._settings)

    @property
    def event_log(self) -> EventLog:
        """Where searches, and what people did with their results, are kept beside the products."""
        return wiring.event_log(self._catalog)

    def warm(self) -> None:
        """Let the encoders load their models now, rather than for the first who asks."""
        for encoder in self._encoders.each:
            _warm(encoder)

    def before_closing(self, action: Callable[[], None]) -> None:
        """Have something done when the shop is closed, while its database is still open."""
        self._ending.callback(action)

    def follow(self, every_s: float, on_fresh: Callable[[float], None] = lambda moment: None) -> None:
        """Look for changes by other processes in a thread from now on, every so many seconds, until the shop is closed.

        Searches then no longer look for themselves; the shop's own changes stay searchable at once. `on_fresh` is told
        after each look since when all is searchable: what was written before that moment (Unix time), by anybody.
        """
        if self._follower is not None:
            self._follower.close()
        self._follower = Follower(self._live.refresh, every_s, on_fresh)

    # --- searching --------------------------------------------------------------------------------------------------

    def search(self, **question: Unpack[Question]) -> SearchResult:
        """Find products by image, text, both, several of them, or by likeness to products, under a filter.

        image: a path, URL, bytes or pixels; text: a phrase; like: a product id; each may be a list. parts: the same with
        signed weights, [{"like": "P1"}, {"text": "in blue", "weight": 0.5}, {"text": "floral", "weight": -0.5}].
        where: `price < 50 and brand in ("A", "B")`. k: how many hits. mode: how several parts combine, mix, any or all.
        weights: how much each space counts, {"image": 0.7, "title": 0.3}. rerank: a profile or {"popularity": 0.1}.
        diversity: 0 to 1. group: one product per family. facets: columns to count. cursor: the next page of an answer.
        explain: False leaves out what scores are made of, which is faster.
        """
        return self.search_many([question])[0]

    def search_many(self, questions: Sequence[Question]) -> list[SearchResult]:
        """Answer several questions; their pictures and phrases are got and encoded together."""
        read = self._read(questions)
        for each in read:
            if isinstance(each, LookalikeError):
                raise each
        return self._searcher.search_many([each for each in read if isinstance(each, Query)])

    def search_each(self, questions: Sequence[Question]) -> list[SearchResult | LookalikeError]:
        """Answer several questions as `search_many` does; one that is wrong gets its error, and the others are answered."""
        read = self._read(questions)
        found = iter(self._found([each for each in read if isinstance(each, Query)]))
        return [each if isinstance(each, LookalikeError) else next(found) for each in read]

    def search_exactly(self, question: Question) -> SearchResult:
        """Answer a question by comparing all products that match, whatever the indexes do: what `search` is measured against.

        Takes time in proportion to the catalogue.
        """
        [read] = self._read([question])
        if isinstance(read, LookalikeError):
            raise read
        return self._searcher.search_many([read], exact=True)[0]

    def _read(self, questions: Sequence[Question]) -> list[Query | LookalikeError]:
        if self._follower is None:
            self._live.refresh(wait=False)
        reader = QuestionReader(self._queries_from, self._settings.images, self._live.columns.types())
        return reader.read_each(questions)

    def _found(self, queries: Sequence[Query]) -> list[SearchResult | LookalikeError]:
        """Answer queries together, which is faster; if one of them fails, each by itself. Vectors made so far are cached."""
        try:
            return [*self._searcher.search_many(queries)]
        except (InputError, LimitError) as error:
            return [error] if len(queries) == 1 else [self._found([query])[0] for query in queries]

    def get(self, ids: Iterable[str]) -> dict[str, Product]:
        """Return the products with these ids, by id, in the order asked for; unknown ids are left out."""
        wanted = [str(id_) for id_ in ids_of(ids)]
        keys = self._catalog.keys(wanted)
        held = self._catalog.get_many(list(keys.values()))
        return {id_: held[keys[id_]] for id_ in wanted if id_ in keys and keys[id_] in held}

    def select(self, where: str) -> list[str]:
        """Return the ids of all active products that satisfy a filter."""
        self._live.refresh()
        types = self._live.columns.types()
        allowed = self._live.columns.allowed(bind(parse(where, types), types))
        keys = np.flatnonzero(allowed.mask)
        codes = self._live.columns.codes("id", keys)
        return [str(value[0]) for value in self._live.columns.values("id", codes.tolist()) if value]

    def sample(self, count: int) -> list[str]:
        """Return the ids of at most so many active products, evenly spread in the order they came."""
        self._live.refresh()
        keys = np.flatnonzero(self._live.columns.live)
        some = keys[np.linspace(0, len(keys) - 1, min(count, len(keys))).astype(np.int64)]
        return [product.id for product in self._catalog.get_many(some.tolist()).values()]

    def picture(self, product: Product) -> bytes | None:
        """Return a small JPEG of a product, or None if it has no usable picture."""
        for image in product.images:
            if image.content_hash and (data := self._catalog.thumbnail(image.content_hash)):
                return data
        return None

    def picture_of(self, id_: str) -> bytes | None:
        """Return a small JPEG of the product with this id, or None."""
        return next((self.picture(product) for product in self.get([id_]).values()), None)

    def query_picture(self, form: QueryForm, base: Path) -> bytes | None:
        """Return the first picture of a judged query, found relative to `base`, or that of the product it refers to."""
        for part in form.parts:
            if part.kind == "like":
                return self.picture_of(str(part.value))
            if part.kind == "image":
                with closing(self._pictures_from(base)) as loader:
                    [data] = loader.load([ImageRef(str(part.value))])
                return data if isinstance(data, bytes) else None
        return None

    # --- changing ---------------------------------------------------------------------------------------------------

    def index(  # noqa: PLR0913 - one call, as people type it
        self,
        source: str | Path | Rows,
        *,
        columns: Mapping[str, str] | None = None,
        query: str | None = None,
        images: str | Path | None = None,
        prune: bool = False,
        prune_any: bool = False,
        split: Mapping[str, str] | None = None,
        embeddings: Sequence[str | Path] = (),
        on_start: Callable[[Source, ColumnMap], None] = lambda source, columns: None,
        on_problem: Callable[[Problem], None] = lambda problem: None,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> IngestReport:
        """Bring a whole source into the catalogue and learn from it; what has not changed is skipped.

        `columns` overrides what is recognised, {"title": "productDisplayName"}, also for later sources that have it. `query`
        is the SELECT for a database URL. `images` is the folder that image paths start from, by default that of the source.
        `split` says at what the lists in the texts of a column are split, {"sizes": ";"}, or "@none", and is kept likewise.
        `prune` deletes the products that are not in the source, if every row of it could be read; if they are more than 30 %
        of those there were, and ten or more, none of them (`IngestReport.spared` says how many) unless `prune_any`.
        `embeddings` are files that `lookalike embed` wrote, or folders of them: what has its vector there is not embedded
        here. `on_start` is told what was recognised before work begins, `on_problem` of every row or field that cannot be
        used. What the source says of a product replaces what was changed since, also where its row is the same as last time.
        """
        opened, base = wiring.open_source(source, query)
        base = Path(images) if images else base
        with ExitStack() as stack:
            given = nothing_given
            if embeddings:  # before anything is written: they may be another encoder's
                given = stack.enter_context(wiring.given_vectors(embeddings, self._encoders))
            recognised = recognise_rows(self._catalog, first_rows(opened), columns or {}, split)
            on_start(opened, recognised)
            stack.enter_context(frozen_heap())
            ingest = stack.enter_context(self._ingest(base, on_problem, given))
            report = ingest.run(opened, partial(read_row, columns=recognised), progress)
            if (prune or prune_any) and not report.failed:
                deleted, spared = ingest.prune(any_share=prune_any)
                report = replace(report, deleted=deleted, spared=spared)
        self._learn()
        self._brought_in = True
        return report

    def upsert(
        self,
        products: Iterable[Product | Mapping[str, object]],
        on_problem: Callable[[Problem], None] = lambda problem: None,
    ) -> IngestReport:
        """Insert or replace products, searchable at once. Only new pictures and texts are embedded, never a new price.

        A product is replaced as a whole: to change one field, `get` it, `dataclasses.replace` the field, and upsert it.
        `on_problem` is told of every row or field that cannot be used.
        """
        rows = rows_of(products)
        source, base = wiring.open_source(rows)
        with self._turns.of(known_ids(rows)), self._ingest(base, on_problem) as ingest:
            report = ingest.run(source, reader_of(self._catalog, rows))
        self._live.refresh()
        return report

    def change(self, id_: str, edit: Callable[[Product], Product]) -> Product | None:
        """Change one product at once, without fetching or embedding anything; return it, or None if it is not there.

        Raises InputError when `edit` changes what is embedded (title, description, pictures): that takes `upsert`. `edit` is
        called again if another process changes the product meanwhile; Overloaded is raised if that does not end.
        """
        with self._turns.of([id_]):
            for _ in range(CHANGE_ATTEMPTS):
                known = self._catalog.known([id_]).get(
                    id_
                )  # before the product: what is newer than it is noticed
                product = self.get([id_]).get(id_)
                if known is None or product is None:
                    return None
                changed = _edited(product, edit)
                if changed == product or not self._catalog.write(
                    [Record(changed, embedded=known.embedded, read_seq=known.seq)]
                ):
                    self._live.refresh()
                    return changed
        raise Overloaded(f"product {id_!r} is being changed by others all the time", retry_after_s=1.0)

    def delete(self, ids: Iterable[str]) -> int:
        """Delete products; return how many there were. They are not found from now on."""
        wanted = ids_of(ids)
        with self._turns.of(wanted):
            gone = self._catalog.delete(wanted)
        self._live.refresh()
        return gone

    @contextmanager
    def _ingest(
        self, base: Path, on_problem: Callable[[Problem], None], given: Given = nothing_given
    ) -> Iterator[Ingest]:
        begun, held = self._catalog.sequence(), self._remember_encoders()
        live, beside = self._shelf(held.live), self._to_keep_up(held)
        limits, workers = self._settings.images, self._settings.workers
        with closing(self._pictures_from(base)) as loader:
            yield Ingest(self._catalog, live, loader, on_problem, limits, workers, beside, given)
        now = _generations(self._catalog)
        if now is not None and now.live.fingerprints not in (held.live.fingerprints, *_made_by(beside)):
            # Another generation went live meanwhile, and what was written here may have no vectors of it.
            Backfill(self._catalog, self._shelf(now.live), on_problem, limits).mend(begun)

    def _remember_encoders(self) -> Generations:
        """Return who makes the vectors of what is written now; the first who writes, or embeds anew, decides."""
        mine = self._shelf.remembered(self._encoders)
        while True:
            said = self._catalog.artifact(ARTIFACT)
            held = None if said is None else Generations.from_bytes(said)
            if held is not None and not (self._reembeds and held.live.fingerprints != mine.fingerprints):
                return held
            if held is not None and held.beside is not None:  # others began it meanwhile: it would be lost
                raise InputError(
                    f"the shop is being upgraded to another encoder, {held.beside}",
                    hint="Finish that, or let go of it: lookalike upgrade clean SHOP.",
                )
            asked = Generations(mine, reembedded=held is not None)
            if self._catalog.replace_artifact(ARTIFACT, said, asked.to_bytes()) is not None:
                return asked

    def _to_keep_up(self, held: Generations) -> Encoders | None:
        """Return who makes a second set of vectors: the other generation's encoders, or our own while we search by others."""
        if held.beside is None:
            mine = self._encoders
            return None if held.live.fingerprints == generation_of(mine).fingerprints else mine
        try:
            return self._shelf(held.beside)
        except LookalikeError as error:  # no reason not to write: `upgrade` makes what is missing
            log.warning("vectors of %s are not made here: %s", held.beside, error)
            return None

    def _renewed(self, made_with: bytes) -> Encoders | None:
        """Return the encoders to search with from now on, loaded; None if they cannot be had, and we go on as we are."""
        held = Generations.from_bytes(made_with)
        mine = generation_of(self._encoders)
        if held.reembedded or (held.live.fingerprints, held.live.learned) == (
            mine.fingerprints,
            mine.learned,
        ):
            return self._live.view.encoders
        try:
            encoders = self._shelf(held.live)
            found = encoders.wrapped(self._for_queries)
            for encoder in found.each if self._follower is not None else ():
                _warm(encoder)
        except LookalikeError as error:
            log.error("searches go on with %s, as %s cannot be used here: %s", mine, held.live, error)
            return None
        self._encoders = encoders
        return found

    def _for_queries(self, encoder: Encoder) -> Encoder:
        """Put an encoder behind what queries go through; they share one cache, whose keys name the encoder."""
        return CachedEncoder(self._query_encoder(encoder), self._query_cache)

    def _pictures_from(self, base: Path, fetch: FetchLimits | None = None) -> ImageLoader:
        settings = self._settings.model_copy(update={"fetch": fetch}) if fetch else self._settings
        return wiring.image_loader(base, settings, allow_local=self.local_files)

    def _learn(self) -> None:
        """Learn anew if products changed since last time."""
        self._live.refresh()
        if self._catalog.position(LEARNED) != self._live.seq:
            learn_from(self._catalog, self._live)
            self._catalog.set_position(LEARNED, self._live.seq)

    # --- evaluating -------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        judgments: str | Path | Iterable[Mapping[str, object]],
        *,
        options: EvaluationOptions | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Evaluation:
        """Run judged queries, from a JSONL file or as mappings, and measure recall, precision, MRR, nDCG and latency.

        Pictures are found relative to the file.
        """
        from lookalike.engine.evaluate import evaluate  # SciPy takes its second to load

        if isinstance(judgments, str | Path):
            base, lines = Path(judgments).parent, _lines_of(Path(judgments))
        else:
            base, lines = Path(), [json.dumps(line) for line in judgments]
        self._live.refresh()
        found, problems = read_judgments(lines)
        listed = {id_ for judgment in found for id_ in judgment.relevant}
        if listed and not self._catalog.keys(list(listed)):
            raise QueryError(
                f"none of the {len(listed)} products the judgments list is in this shop, such as {min(listed)!r}",
                hint="Evaluate the shop the judgments were made for.",
            )
        with closing(self._pictures_from(base)) as loader:
            reader = QuestionReader(loader, self._settings.images, self._live.columns.types())

            def search(form: QueryForm, k: int) -> SearchResult:
                return self._searcher.search_many([reader.read(question_of(form, k))])[0]

            return evaluate(
                found,
                search,
                lambda where: frozenset(self.select(where)),
                options,
                problems=problems,
                progress=progress,
            )


_TYPE_WORDS = {"str": "text", "float": "number", "bool": "true/false", "datetime": "date"}


def types_in_words(holds: str) -> list[str]:
    """Return what a column of `Shop.columns` holds, in words for people; nothing for one that holds nothing yet."""
    return [_TYPE_WORDS[held] for held in holds.split(" and ") if held in _TYPE_WORDS]


def _warm(encoder: Encoder) -> None:
    """Let an encoder load its models now, rather than for the first who asks."""
    if encoder.reads:
        encoder.encode_texts(["warm"])
    if encoder.sees:
        encoder.encode_images([np.zeros((8, 8, 3), np.uint8)])


def _second(held: Generations | None) -> Generation:
    if held is None or held.beside is None:
        raise InputError(
            "there is no second generation of vectors in this shop",
            hint="Make one: lookalike upgrade start SHOP --encoder NAME",
        )
    return held.beside


def _made_by(encoders: Encoders | None) -> list[tuple[str, str]]:
    return [] if encoders is None else [generation_of(encoders).fingerprints]


def _generations(catalog: Catalog) -> Generations | None:
    held = catalog.artifact(ARTIFACT)
    return None if held is None else Generations.from_bytes(held)


def _edited(product: Product, edit: Callable[[Product], Product]) -> Product:
    """Return a product as `edit` leaves it; raise InputError if it would have to be embedded anew."""
    changed = edit(product)
    if contents(changed) != contents(product) or changed.images != product.images:
        raise InputError(
            f"a change of {product.id!r} may not touch its title, description or pictures",
            hint="Write the whole product instead: then they are embedded anew.",
        )
    return changed


def _lines_of(path: Path) -> list[str]:
    if not path.is_file():
        raise QueryError(f"there is no file {path}", hint="Give a JSONL file of judged queries.")
    try:
        # Not `splitlines`: it would also cut at characters that JSON strings may hold as they are.
        return path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise QueryError(
            f"{path} is not text in UTF-8", hint="Save it as UTF-8, one JSON object a line."
        ) from None
