"""Rows of a source -> products with embeddings in the catalogue.

Three stages run side by side: reading, fetching and decoding run ahead in threads; encoding happens in the caller's thread;
writing follows in a thread behind. Rows pass in chunks bounded in rows and in pictures, so memory does not grow with the
source.

What is left to do for a row is decided by what the catalogue holds: nothing when the row's hash and the encoders are those
of last time; no encoding when only fields such as the price changed. A run that was killed is resumed by running it again:
chunks are written whole or not at all.

Others may write the same products meanwhile, also from other processes. A product that counted on embeddings which are gone
by the time it is written is left out by the catalogue, and its row is read and worked on again; the last time, nothing the
catalogue holds is counted on, so that it is written whatever others do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from time import perf_counter
from typing import NamedTuple

from lookalike.core.errors import FetchError, LookalikeError
from lookalike.core.images import ImageLimits, decode, thumbnail
from lookalike.core.ports import BadRow, Catalog, ImageLoader, Row, Source
from lookalike.core.rows import Problem, problem_of
from lookalike.core.types import (
    IMAGE,
    TITLE,
    Embedding,
    ImageRef,
    Pixels,
    Product,
    Record,
    Thumbnail,
    Vectors,
    content_hash,
)
from lookalike.engine.ahead import ahead
from lookalike.engine.encoders import Encoders
from lookalike.engine.seen import SeenIds
from lookalike.engine.work import Work, parts, to_decode, to_get

CHUNK_ROWS = 256
CHUNK_IMAGES = 64
"""So many pictures are got at a time, and their bytes are in memory together; then those decoded, 50 MB at 512 x 512 pixels."""
CHUNKS_AHEAD = 2
PRUNED_AT_ONCE = 2000
MOST_PRUNED_SHARE, FEW_PRUNED = 0.3, 10
"""More than this share of the products there were, and not just a few, is no usual change of a shop: a source cut short, more
likely."""
RECORDS_A_WRITE = 256
"""Each write is a transaction, and searches see whole writes."""
ROUNDS = 3
"""How often a source is read, at most: once, and again for products that others changed meanwhile."""

ReadRow = Callable[[Row], tuple[Product | None, list[Problem]]]
"""Reads one row into a product, with everything about it that could not be kept."""
Decoded = Mapping[str, tuple[Pixels, bytes] | LookalikeError]
"""By content hash: a picture and its thumbnail (b"" where none is wanted), or why there is none."""
Content = tuple[str, str]
"""A space, and the hash of what is embedded in it."""
Given = Callable[[Collection[Content], Mapping[str, str]], Mapping[Content, Vectors]]
"""Returns those vectors it has of these contents, made by fingerprints[space]: what was embedded elsewhere."""


def nothing_given(wanted: Collection[Content], fingerprints: Mapping[str, str]) -> Mapping[Content, Vectors]:
    """Return no vectors: all are to be made here."""
    return {}


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the rows: `read` = `new` + `changed` + `unchanged` + `failed`.

    `problems` counts everything reported, also single fields and pictures of rows that did land; `images` are the usable
    pictures of the rows read; `encoded` counts the contents that were embedded, by space, and `given` those whose vectors
    were given. `spared` products were not in the source and not deleted: they were too many to be believed.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    images: int = 0
    failed_images: int = 0
    problems: int = 0
    deleted: int = 0
    spared: int = 0
    encoded: Mapping[str, int] = field(default_factory=dict)
    given: int = 0
    took_s: float = 0.0


class Moved(NamedTuple):
    """A product left unwritten as others had changed it: its usable pictures, and whether others of it were reported."""

    id: str
    images: int
    is_reported: bool


_COUNTED = ("read", "new", "changed", "unchanged", "failed", "images", "failed_images", "problems", "given")


class Ingest:
    """Brings sources into a catalogue. `on_problem` is told of each problem as it is met, from another thread.

    With encoders `beside`, whatever is embedded is embedded by them as well: while a shop goes over to others, and until it
    is certain that it does not go back. What is `given` is not embedded. Without `thumbnails` none are made.
    """

    def __init__(  # noqa: PLR0913 - ports and limits, none of which says anything of another
        self,
        catalog: Catalog,
        encoders: Encoders,
        loader: ImageLoader,
        on_problem: Callable[[Problem], None],
        limits: ImageLimits,
        workers: int = 2,
        beside: Encoders | None = None,
        given: Given = nothing_given,
        thumbnails: bool = True,
        images_at_once: int = 0,
    ) -> None:
        self._catalog = catalog
        self._encoders = encoders
        self._loader = loader
        self._on_problem = on_problem
        self._limits = limits
        self._workers = workers
        self._fingerprints = encoders.fingerprints
        self._signature = encoders.signature
        self._beside = beside
        self._given = given
        self._thumbnails = thumbnails
        self._at_once = images_at_once or CHUNK_IMAGES
        self._beside_only = {} if beside is None else own_fingerprints(beside, encoders)
        self._count: Counter[str] = Counter()
        self._seen = SeenIds()
        self._again: dict[str, bool] | None = None
        """The ids to read again, and whether pictures of them were reported already; None while the source is read first."""
        self._counts_on_held = True

    def run(
        self, source: Source, read_row: ReadRow, progress: Callable[[int], None] = lambda rows: None
    ) -> IngestReport:
        """Bring in the whole source; `progress` is called with the number of rows dealt with so far."""
        started = perf_counter()
        with (
            ThreadPoolExecutor(self._workers, "decode") as pool,
            ThreadPoolExecutor(1, "write") as writer,
        ):
            moved = self._round(self._prepared(source, read_row, pool), writer, progress)
            for turn in range(2, ROUNDS + 1):
                if moved:
                    self._again = self._taken_back(moved)
                    self._counts_on_held = turn < ROUNDS
                    moved = self._round(self._prepared(source, read_row, pool), writer)
                    self._report_gone(self._again)
        encoded = {space: self._count[space] for space in self._fingerprints}
        counts = {name: self._count[name] for name in _COUNTED}
        return IngestReport(**counts, encoded=encoded, took_s=perf_counter() - started)

    def _round(
        self,
        prepared: Iterator[list[Work]],
        writer: Executor,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> list[Moved]:
        """Encode and write what was prepared; return what was left unwritten."""
        writing: Future[list[Moved]] | None = None
        records: list[Record] = []
        moved: list[Moved] = []
        done = 0
        # Closed first when something fails: otherwise the thread ahead would go on fetching for nobody.
        with closing(ahead(prepared, CHUNKS_AHEAD)) as ready:
            for works in ready:
                records += self._encoded(works)
                if len(records) >= RECORDS_A_WRITE:
                    # At most one write waits, and its error is raised here.
                    moved += writing.result() if writing else []
                    writing = writer.submit(self._write, records)
                    records = []
                done += len(works)
                progress(done + self._count["failed"])
            moved += writing.result() if writing else []
            return moved + self._write(records)

    def _write(self, records: list[Record]) -> list[Moved]:
        """Write records; return what is left to know of those that were left unwritten."""
        moved = frozenset(self._catalog.write(records))
        return [
            Moved(record.product.id, usable_images(record.product), not record.embedded)
            for record in records
            if record.product.id in moved
        ]

    def _taken_back(self, moved: Sequence[Moved]) -> dict[str, bool]:
        """Uncount what was left unwritten; return which rows to read again."""
        self._count["changed"] -= len(moved)  # what is new counts on nothing, so it is always written
        self._count["images"] -= sum(each.images for each in moved)
        return {each.id: each.is_reported for each in moved}

    def _report_gone(self, ids: Collection[str]) -> None:
        """Report products that others changed meanwhile and that the source, read again, no longer has."""
        for id_ in ids:
            reason = "others changed it meanwhile, and it is no longer in the source"
            self._report(Problem(0, "", id_, "", reason, "Run once more.", fatal=True))

    def prune(self, *, any_share: bool = False) -> tuple[int, int]:
        """Delete the products of the catalogue that this run did not meet; return how many there were, and 0.

        If they are more than `MOST_PRUNED_SHARE` of those there were before, and `FEW_PRUNED` at least, delete none and return
        0, and how many there are; with `any_share` they go all the same.
        """
        unmet = sum(map(len, self._unmet()))
        before = self._catalog.count() - self._count["new"]
        if not any_share and unmet >= FEW_PRUNED and unmet > MOST_PRUNED_SHARE * before:
            return 0, unmet
        return sum(self._catalog.delete(ids) for ids in self._unmet()), 0

    def _unmet(self) -> Iterator[list[str]]:
        """Give the ids of the catalogue's products that this run did not meet, in parts."""
        after = 0
        while changes := self._catalog.changes(after, PRUNED_AT_ONCE):
            ids = [change.id for change in changes if change.product is not None]
            yield [id_ for id_, met in zip(ids, self._seen.has(ids), strict=True) if not met]
            after = changes[-1].seq

    # --- ahead: read, fetch, decode ---------------------------------------------------------------------------------

    def _prepared(self, source: Source, read_row: ReadRow, pool: ThreadPoolExecutor) -> Iterator[list[Work]]:
        rows = source.rows()
        while self._again != {} and (chunk := list(islice(rows, CHUNK_ROWS))):
            works = self._read(chunk, read_row) if self._again is None else self._reread(chunk, read_row)
            for work in works:
                work.recall_images()
            for got in parts(works, self._at_once, to_get):
                self._fetch(got)
                self._plan(got)
                yield from self._decoded(got, pool)

    def _decoded(self, works: Sequence[Work], pool: ThreadPoolExecutor) -> Iterator[list[Work]]:
        """Decode the pictures that need encoding, part by part."""
        for part in parts(works, self._at_once, to_decode):
            # One task per thread: handing over each product alone would cost as much as decoding a thumbnail.
            share = -(-len(part) // self._workers)
            tasks = [part[at : at + share] for at in range(0, len(part), share)]
            decoded = chain.from_iterable(pool.map(self._decode_all, tasks))
            for work, pictures in zip(part, decoded, strict=True):
                self._book(work, pictures)
            yield part

    def _read(self, chunk: Sequence[Row | BadRow], read_row: ReadRow) -> list[Work]:
        """Read rows into products; rows that cannot be, and ids met before, are reported and left out."""
        self._count["read"] += len(chunk)
        read: list[tuple[Row, Product]] = []
        for row in chunk:
            product, problems = (None, [problem_of(row)]) if isinstance(row, BadRow) else read_row(row)
            for problem in problems:
                self._report(problem)
            if product is not None and isinstance(row, Row):
                read.append((row, product))
        ids = [product.id for _, product in read]
        known = self._catalog.known(ids)
        works = []
        for (row, product), again in zip(read, self._seen.add(ids), strict=True):
            if again:
                reason, hint = (
                    f"the id {product.id!r} came before",
                    "Make ids unique; the first row was used.",
                )
                self._report(Problem(row.number, row.place, product.id, "id", reason, hint, fatal=True))
            else:
                works.append(Work(product, row.number, row.place, known.get(product.id)))
        return works

    def _reread(self, chunk: Sequence[Row | BadRow], read_row: ReadRow) -> list[Work]:
        """Read the rows of products to try again; what is wrong with them was reported before."""
        wanted = self._again or {}
        read = [(row, read_row(row)[0]) for row in chunk if wanted and isinstance(row, Row)]
        known = self._catalog.known([product.id for _, product in read if product and product.id in wanted])
        works = []
        for row, product in read:
            if product and product.id in wanted:
                is_reported = wanted.pop(product.id)  # of several rows of one id, the first counts
                works.append(Work(product, row.number, row.place, known.get(product.id), is_reported))
        return works

    def _fetch(self, works: Sequence[Work]) -> None:
        """Get the bytes of pictures that did not come inside their rows."""
        wanted = [(w, image) for w in works for image in w.product.images if image.content_hash is None]
        loaded = self._loader.load([image for _, image in wanted]) if wanted else []
        got = {
            image.ref: ImageRef(image.ref, content_hash(data), data)
            for (_, image), data in zip(wanted, loaded, strict=True)
            if isinstance(data, bytes)
        }
        for (work, image), data in zip(wanted, loaded, strict=True):
            if isinstance(data, Exception):
                self._image_problem(work, image.ref, data)
        for work in works:
            if any(image.ref in got for image in work.product.images):
                images = [got.get(i.ref, i) if i.content_hash is None else i for i in work.product.images]
                work.product = replace(work.product, images=tuple(images))
            work.settle()

    def _plan(self, works: Sequence[Work]) -> None:
        touched = [work for work in works if not work.is_done(self._signature)]
        known = [work.product.id for work in touched if work.known and self._counts_on_held]
        embedded = self._catalog.embedded(known, self._fingerprints) if known else {}
        for work in touched:
            work.plan(embedded.get(work.product.id, frozenset()), self._fingerprints)
        if self._beside_only:
            embedded = self._catalog.embedded(known, self._beside_only) if known else {}
            for work in touched:
                work.plan_beside(embedded.get(work.product.id, frozenset()), self._beside_only)
        elif not self._thumbnails:  # then there is no need to look at a picture whose vector is given
            given = self._given({content for work in touched for content in work.missing}, self._fingerprints)
            for work in touched:
                work.unseen -= {digest for space, digest in given if space == IMAGE}

    def _decode_all(self, works: Sequence[Work]) -> list[Decoded]:
        """Decode the pictures that need encoding, and make their thumbnails; runs in the pool."""
        return [self._decode(work) for work in works]

    def _decode(self, work: Work) -> Decoded:
        decoded: dict[str, tuple[Pixels, bytes] | LookalikeError] = {}
        for image in work.product.images:
            if image.content_hash in work.unseen and image.content_hash not in decoded:
                try:
                    data = image.data if image.data is not None else self._load_again(image)
                    pixels = decode(data, self._limits)
                    small = thumbnail(data, pixels) if self._thumbnails else b""
                    decoded[image.content_hash] = (pixels, small)
                except LookalikeError as error:
                    decoded[image.content_hash] = error
        return decoded

    def _load_again(self, image: ImageRef) -> bytes:
        """Get a picture the catalogue has a hash of, but that these encoders have not seen."""
        [data] = self._loader.load([ImageRef(image.ref)])
        if isinstance(data, Exception):
            raise data
        if content_hash(data) != image.content_hash:
            raise FetchError(
                f"{image.ref} is another picture than it was",
                hint="Run once more: it will be fetched as a new one.",
            )
        return data

    def _book(self, work: Work, decoded: Decoded) -> None:
        failed = {digest: error for digest, error in decoded.items() if isinstance(error, LookalikeError)}
        work.missing_beside = [content for content in work.missing_beside if content[1] not in failed]
        for digest in work.only_beside & failed.keys():
            del failed[digest]  # it stays as it is searched; `upgrade` makes what is missing
        for image in work.product.images:
            if image.content_hash in failed:
                self._image_problem(work, image.ref, failed[image.content_hash])
        work.missing = [content for content in work.missing if content[1] not in failed]
        for digest, outcome in decoded.items():
            if not isinstance(outcome, LookalikeError):
                if IMAGE in self._fingerprints or IMAGE in self._beside_only:
                    work.pixels[digest] = outcome[0]
                if outcome[1]:
                    work.thumbnails.append(Thumbnail(digest, outcome[1]))
        work.strip_images(failed.keys())

    # --- encode -----------------------------------------------------------------------------------------------------

    def _encoded(self, works: Sequence[Work]) -> list[Record]:
        """Embed what is missing, each distinct picture and text of the chunk once; return what to write."""
        wanted = {content for work in works for content in work.missing}
        given = self._given(wanted, self._fingerprints)
        vectors = {**given, **embedded(self._encoders, works, wanted - given.keys())}
        others: Mapping[Content, Vectors] = {}
        if self._beside is not None:
            wanted = {content for work in works for content in work.missing_beside}
            others = embedded(self._beside, works, wanted)
        records = []
        for work in works:
            self._count["images"] += usable_images(work.product)
            if work.is_done("" if work.failed_images else self._signature) and not work.missing:
                self._count["unchanged"] += 1
                continue
            self._count["changed" if work.known else "new"] += 1
            self._count.update("given" if content in given else content[0] for content in work.missing)
            made = [
                Embedding(s, self._fingerprints[s], digest, vectors[s, digest]) for s, digest in work.missing
            ]
            made += [
                Embedding(s, self._beside_only[s], digest, others[s, digest])
                for s, digest in work.missing_beside
            ]
            records.append(work.record(made, self._fingerprints))
        return records

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def _report(self, problem: Problem) -> None:
        self._count["problems"] += 1
        self._count["failed"] += problem.fatal
        self._on_problem(problem)

    def _image_problem(self, work: Work, ref: str, error: Exception) -> None:
        work.failed_images += 1
        if work.is_reported:
            return
        self._count["failed_images"] += 1
        hint = error.hint if isinstance(error, LookalikeError) else ""
        reason = f"{ref}: {error}"
        self._report(Problem(work.number, work.place, work.product.id, "images", reason, hint, fatal=False))


def embedded(
    encoders: Encoders, works: Sequence[Work], wanted: Collection[Content]
) -> dict[Content, Vectors]:
    """Embed contents of some works, by (space, hash): each distinct picture and text once."""
    texts = {c[1]: text for work in works for c, text in work.texts.items() if c in wanted}
    pixels = {d: each for work in works for d, each in work.pixels.items() if (IMAGE, d) in wanted}
    by_space, looks, reads = encoders.by_space, {}, {}
    if pixels:
        looks = dict(zip(pixels, by_space[IMAGE].encode_images(list(pixels.values())), strict=True))
    if texts:
        reads = dict(zip(texts, by_space[TITLE].encode_texts(list(texts.values())), strict=True))
    return {(s, digest): (looks if s == IMAGE else reads)[digest] for s, digest in wanted}


def own_fingerprints(beside: Encoders, live: Encoders) -> dict[str, str]:
    """Return whose vectors a second generation has in the spaces where they are not those that are live anyway."""
    held = live.fingerprints
    return {space: made_by for space, made_by in beside.fingerprints.items() if held.get(space) != made_by}


def usable_images(product: Product) -> int:
    """Count the pictures of a product that were seen and could be used."""
    return sum(image.content_hash is not None for image in product.images)
