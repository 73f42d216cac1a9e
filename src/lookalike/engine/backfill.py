"""A second generation of vectors, made for products that are in the catalogue already.

It is made from what the catalogue holds: titles, descriptions and thumbnails; with a `loader` from the original pictures where
they can still be got and are the same. Products are gone through in the order of the change sequence, so one that changes
meanwhile comes again, and a run that was killed goes on where it stopped: the position is kept after each batch, and only what
is missing is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from lookalike.core.errors import LookalikeError
from lookalike.core.images import ImageLimits, decode
from lookalike.core.ports import Catalog, ImageLoader
from lookalike.core.rows import Problem
from lookalike.core.types import IMAGE, Change, Embedding, ImageRef, Pixels, Record, content_hash
from lookalike.engine.ahead import ahead
from lookalike.engine.encoders import Encoders
from lookalike.engine.generations import Generation, generation_of, learned_suffix
from lookalike.engine.ingest import Given, embedded, nothing_given
from lookalike.engine.work import Work

BATCH = 32
AHEAD = 2


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What was gone through: `products` looked at, `encoded` contents made, `given` ones, `failed` ones that cannot be."""

    products: int = 0
    encoded: int = 0
    given: int = 0
    failed: int = 0
    took_s: float = 0.0


class Backfill:
    """Makes the vectors that `encoders` have not made yet; `on_problem` is told of pictures that cannot be read.

    Those that are `given` are not made.
    """

    def __init__(
        self,
        catalog: Catalog,
        encoders: Encoders,
        on_problem: Callable[[Problem], None],
        limits: ImageLimits,
        loader: ImageLoader | None = None,
        given: Given = nothing_given,
    ) -> None:
        self._catalog = catalog
        self._encoders = encoders
        self._fingerprints = encoders.fingerprints
        self._on_problem = on_problem
        self._limits = limits
        self._loader = loader
        self._given = given
        self._failed = self._taken = 0

    @property
    def reader(self) -> str:
        """The name of the position in the change sequence up to which all is made."""
        return reader_of(generation_of(self._encoders))

    def run(
        self, rate: float | None = None, progress: Callable[[int], None] = lambda products: None
    ) -> BackfillReport:
        """Make all that is missing, also of what is written meanwhile; at most `rate` products a second.

        The vectors are added beside those that are searched: no search sees anything of it.
        """
        started = time.monotonic()
        self._failed = self._taken = products = encoded = 0
        with closing(ahead(self._missing(self._catalog.position(self.reader)), AHEAD)) as batches:
            for seq, looked_at, works in batches:
                made = self._made(works)
                self._catalog.add_embeddings([(key, each) for key, _, each in made])
                self._catalog.set_position(self.reader, seq)
                products, encoded = products + looked_at, encoded + len(made)
                progress(products)
                if rate and works:
                    time.sleep(max(0.0, len(works) / rate))
        made_here = encoded - self._taken
        return BackfillReport(products, made_here, self._taken, self._failed, time.monotonic() - started)

    def mend(self, after_seq: int) -> int:
        """Make what is missing of products that changed after a sequence number, where these vectors are searched already.

        They are written as changes, so that whoever searches sees them. Return how many products that were.
        """
        mended = 0
        for _, _, works in self._missing(after_seq):
            by_id: dict[str, list[Embedding]] = {}
            for _, id_, each in self._made(works):
                by_id.setdefault(id_, []).append(each)
            known = self._catalog.known(list(by_id))
            records = [
                Record(
                    work.product,
                    known[work.product.id].source_hash,
                    self._marked(work),
                    tuple(by_id[work.product.id]),
                    read_seq=work.known.seq if work.known else 0,
                )
                for work in works
                if work.product.id in known and work.product.id in by_id
            ]
            # One that changed meanwhile was written by somebody who knows of these vectors.
            mended += len(records) - len(self._catalog.write(records))
        return mended

    def _marked(self, work: Work) -> str:
        """Return `Record.embedded`: as before nothing, where some picture could not be used, so that it is tried again."""
        was = work.known.embedded if work.known else ""
        return self._encoders.signature if was and not work.failed_images else ""

    def lacking(self) -> int:
        """Count the products behind the position; 0 says that nothing is left to be looked at."""
        return len(self._catalog.changes(self._catalog.position(self.reader), BATCH))

    def _missing(self, after: int) -> Iterator[tuple[int, int, list[Work]]]:
        """Yield, batch by batch: the sequence number come to, how many products were looked at, and what lacks of them."""
        while changes := self._catalog.changes(after, BATCH):
            after = changes[-1].seq
            yield after, len(changes), self._works(changes)

    def _works(self, changes: Sequence[Change]) -> list[Work]:
        products = {c.id: (c.key, c.product) for c in changes if c.product is not None}
        held = self._catalog.embedded(list(products), self._fingerprints)
        known = self._catalog.known(list(products))
        works = []
        for change in changes:
            if change.product is None or change.id not in known:
                continue
            as_read = replace(known[change.id], seq=change.seq)
            work = Work(change.product, 0, "", as_read)
            work.plan(held[change.id], self._fingerprints)
            if work.missing:
                works.append(work)
        given = self._given({content for work in works for content in work.missing}, self._fingerprints)
        for work in works:
            work.unseen -= {digest for space, digest in given if space == IMAGE}
            self._look(work)
        return works

    def _look(self, work: Work) -> None:
        """Get the pictures of a product that are to be embedded; leave out those that cannot be got."""
        refs = {image.content_hash: image.ref for image in work.product.images}
        for digest in work.unseen:
            try:
                work.pixels[digest] = self._pixels(digest, refs[digest])
            except LookalikeError as error:
                self._failed += 1
                work.failed_images += 1
                work.missing.remove((IMAGE, digest))
                reason = f"{refs[digest]}: {error}"
                self._on_problem(Problem(0, "", work.product.id, "images", reason, error.hint, fatal=False))

    def _pixels(self, digest: str, ref: str) -> Pixels:
        if self._loader is not None:
            [data] = self._loader.load([ImageRef(ref)])
            if isinstance(data, bytes) and content_hash(data) == digest:
                return decode(data, self._limits)
        small = self._catalog.thumbnail(digest)
        if small is None:
            raise LookalikeError(
                "there is no thumbnail of it", hint="Run `lookalike index` once more with its source."
            )
        return decode(small, self._limits)

    def _made(self, works: Sequence[Work]) -> list[tuple[int, str, Embedding]]:
        """Embed what is missing: key and id of the product, and the embedding."""
        wanted = {content for work in works for content in work.missing}
        given, made_by = self._given(wanted, self._fingerprints), self._fingerprints
        vectors = {**given, **embedded(self._encoders, works, wanted - given.keys())}
        self._taken += sum(content in given for work in works for content in work.missing)
        return [
            (
                work.known.key if work.known else -1,
                work.product.id,
                Embedding(space, made_by[space], digest, vectors[space, digest]),
            )
            for work in works
            for space, digest in work.missing
        ]


def reader_of(generation: Generation) -> str:
    """Return the name of the position in the change sequence up to which all of a generation is made."""
    return f"backfill{generation.learned or learned_suffix(generation)}"
