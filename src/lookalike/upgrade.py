"""A shop goes over to another encoder while it is searched: a second generation of vectors, compared, cut over, taken back.

The state is the artifact "encoder" alone, so each step is one write of it, and every process that follows the catalogue follows
the step: `start` names a second generation, which everybody who writes keeps up from then on, and makes what is missing of it;
`finish` lets the two change places; `rollback` does so again; `clean` drops the one that is not searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex

from lookalike import wiring
from lookalike.api import Shop
from lookalike.api import open as open_shop
from lookalike.core.errors import InputError, LookalikeError, QueryError
from lookalike.core.ports import Catalog, Encoder
from lookalike.core.rows import Problem
from lookalike.engine.backfill import Backfill, BackfillReport, reader_of
from lookalike.engine.comparison import Compared, Comparison, Found, compared
from lookalike.engine.encoders import Encoders
from lookalike.engine.evaluation import Estimate
from lookalike.engine.generations import (
    ARTIFACT,
    Generation,
    Generations,
    Shelf,
    Stage,
    learned_suffix,
)
from lookalike.engine.indexing import LiveIndex, learn_from
from lookalike.engine.ingest import nothing_given
from lookalike.questions import Question
from lookalike.settings import Settings, load_settings

LATELY = timedelta(days=30)
ROUNDS = 5
"""How often `finish` catches up with what is written meanwhile before it cuts over; the rest is mended after."""


class Upgrade:
    """The upgrade of the shop at a path or postgresql:// URL. `encoders` are those that cannot be loaded by name."""

    def __init__(
        self, place: str | Path, *, encoders: Iterable[Encoder] = (), settings: Settings | None = None
    ) -> None:
        self._place = place
        self._given = tuple(encoders)
        self._settings = settings or load_settings()
        self._shelf = Shelf(partial(wiring.load_encoder, settings=self._settings), self._given)
        self._catalog: Catalog = wiring.open_catalog(place, create=False)

    def __enter__(self) -> Upgrade:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._catalog.close()

    @property
    def state(self) -> Generations:
        """Who makes the vectors that are searched, and those beside them."""
        return Generations.from_bytes(self._held())

    def _held(self) -> bytes:
        held = self._catalog.artifact(ARTIFACT)
        if held is None:
            raise InputError(
                f"{self._place} was never indexed",
                hint="Index it with the encoder you want: no upgrade is needed.",
            )
        return held

    def start(  # noqa: PLR0913 - one call, as people type it
        self,
        encoder: str | Encoder,
        text_encoder: str | Encoder | None = None,
        *,
        originals: Path | None = None,
        rate: float | None = None,
        embeddings: Sequence[str | Path] = (),
        on_problem: Callable[[Problem], None] = lambda problem: None,
        progress: Callable[[int], None] = lambda products: None,
    ) -> BackfillReport:
        """Make the vectors of another encoder beside those that are searched; run again, it goes on where it stopped.

        Pictures are read from the catalogue's thumbnails; with `originals`, the folder that image paths start from, from the
        files and URLs they came from, as far as these are still the same. `rate` is the most products a second. `embeddings`
        are files that `lookalike embed` wrote with that encoder, say on a machine with a GPU: what is there is not made.
        """
        main = self._shelf.named(encoder)
        texts = None if text_encoder is None else self._shelf.named(text_encoder)
        if texts is not None and texts.fingerprint == main.fingerprint:
            texts = None
        encoders = Encoders(main, texts)
        asked = self._shelf.remembered(encoders)
        with ExitStack() as stack:
            given = nothing_given
            if embeddings:  # before anything is begun: they may be another encoder's
                given = stack.enter_context(wiring.given_vectors(embeddings, encoders))
            second = self._begin(asked)
            loader = None
            if originals is not None:
                loader = stack.enter_context(closing(wiring.image_loader(originals, self._settings)))

            def told(products: int) -> None:
                if self.state.beside != second:
                    raise _others()
                progress(products)

            limits = self._settings.images
            backfill = Backfill(self._catalog, self._shelf(second), on_problem, limits, loader, given)
            return backfill.run(rate, told)

    def _begin(self, asked: Generation) -> Generation:
        """Name the second generation, unless it is named, and return it; of two who name different ones, one is refused.

        Each beginning is marked: whoever still makes or finishes one that was let go of does not take the next for it.
        """
        named = replace(asked, learned=f"{learned_suffix(asked)}.{token_hex(4)}")
        while True:
            said = self._held()
            held = Generations.from_bytes(said)
            self._require_other(held, asked)
            if held.beside is not None:
                return held.beside
            if self._replaced(said, replace(held, beside=named, stage="next")):
                return named

    def _replaced(self, said: bytes, state: Generations) -> bool:
        """Write the state, unless somebody else wrote one since it was read."""
        return self._catalog.replace_artifact(ARTIFACT, said, state.to_bytes()) is not None

    def _require_other(self, held: Generations, asked: Generation) -> None:
        if held.live.fingerprints == asked.fingerprints:
            raise InputError(
                f"{self._place} is searched with {held.live} already", hint="Name another encoder."
            )
        if held.beside is not None and held.beside.fingerprints != asked.fingerprints:
            raise InputError(
                f"{self._place} has a second generation already, of {held.beside}",
                hint=f"Let go of it first: lookalike upgrade clean {self._place}",
            )

    def _backfill(self, on_problem: Callable[[Problem], None] = lambda problem: None) -> Backfill:
        return Backfill(self._catalog, self._shelf(self._second()), on_problem, self._settings.images)

    def _second(self) -> Generation:
        beside = self.state.beside
        if beside is None:
            raise InputError(
                f"{self._place} has no second generation of vectors",
                hint=f"Make one: lookalike upgrade start {self._place} --encoder NAME",
            )
        return beside

    # --- comparing --------------------------------------------------------------------------------------------------

    def compare(
        self,
        judgments: str | Path | None = None,
        *,
        queries: int = 200,
        k: int = 10,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Comparison:
        """Ask both generations the same: `like` for products spread over the shop, phrases that were searched for, judgments.

        Searches of running services are not touched; the two are opened here.
        """
        self.learn()
        state = self.state
        with self.live_shop() as live, self.second_shop() as second:
            asked = _questions(live, queries)
            found: list[Compared] = []
            for done, (kind, text, question) in enumerate(asked, start=1):
                sides = [_found(shop, question, k) for shop in (live, second)]
                found.append(compared(kind, text, sides[0], sides[1], k))
                progress(done, len(asked))
            gains = {} if judgments is None else _gains(live, second, judgments)
        return Comparison(str(state.live), str(state.beside), k, tuple(found), gains)

    def live_shop(self) -> Shop:
        """Open the shop as it is searched."""
        return self._opened(self.state.live, beside=False)

    def second_shop(self) -> Shop:
        """Open the shop as it would be searched with the second generation."""
        return self._opened(self._second(), beside=True)

    def _opened(self, generation: Generation, *, beside: bool) -> Shop:
        encoders = self._shelf(generation)
        return open_shop(
            self._place,
            encoder=encoders.main,
            text_encoder=encoders.texts,
            create=False,
            settings=self._settings,
            beside=beside,
        )

    def learn(self) -> None:
        """Learn the attribute model and the calibration of the second generation, if it never was."""
        second = self._second()
        if self._catalog.artifact(f"calibration{second.learned}") is None:
            self._learn(self._shelf(second))

    def _learn(self, encoders: Encoders) -> None:
        index = self._settings.index
        live = LiveIndex(
            self._catalog, encoders, lambda dim: wiring.make_index(dim, index), wiring.make_words()
        )
        learn_from(self._catalog, live)

    # --- going over -------------------------------------------------------------------------------------------------

    def finish(self, on_problem: Callable[[Problem], None] = lambda problem: None) -> int:
        """Let the second generation be searched, and the one that is searched be kept up beside it.

        Before that, what is missing is made; raises InputError if there is no second generation. Running services load the new
        one beside the old, and change over between two searches. Return how many products were mended after.
        """
        second = self._of_stage("next", "already", "Go back: lookalike upgrade rollback.")
        self._caught_up(on_problem)
        self._learn(self._shelf(second))
        return self._swap(second, on_problem)

    def rollback(self, on_problem: Callable[[Problem], None] = lambda problem: None) -> int:
        """Let the former generation be searched again: its vectors, and what was learned from them, are as they were.

        What was written meanwhile without such vectors gets them. Return how many products that were.
        """
        clean = f"To let go of what was made: lookalike upgrade clean {self._place}"
        former = self._of_stage("former", "still, and was not cut over", clean)
        backfill = self._backfill(on_problem)
        seq = self._catalog.sequence()
        # As changes, unlike `finish`: whoever could not load the other generation searches with this one still.
        mended = backfill.mend(self._catalog.position(backfill.reader))
        self._catalog.set_position(backfill.reader, seq)
        return mended + self._swap(former, on_problem)

    def _of_stage(self, stage: Stage, why: str, hint: str) -> Generation:
        """Return the second generation; raise InputError if it is at the other stage."""
        state, second = self.state, self._second()
        if state.stage != stage:
            raise InputError(f"{self._place} is searched with {state.live} {why}", hint=hint)
        return second

    def _caught_up(self, on_problem: Callable[[Problem], None]) -> None:
        backfill = self._backfill(on_problem)
        for _ in range(ROUNDS):
            backfill.run()
            if not backfill.lacking():
                return

    def _swap(self, wanted: Generation, on_problem: Callable[[Problem], None]) -> int:
        backfill = self._backfill(on_problem)
        after = self._catalog.position(backfill.reader)
        said = self._held()
        state = Generations.from_bytes(said)
        swapped = state.swapped("former" if state.stage == "next" else "next")
        if state.beside != wanted or not self._replaced(said, swapped):
            raise _others()
        return backfill.mend(after)

    def clean(self) -> int:
        """Drop the generation that is not searched, for good and in one step; return how many vectors that were."""
        said, second = self._held(), self._second()
        state = Generations.from_bytes(said)
        kept = state.live.by_space
        gone = {space: made_by for space, made_by in second.by_space.items() if kept[space] != made_by}
        dropped = self._catalog.replace_artifact(ARTIFACT, said, state.alone().to_bytes(), gone)
        if dropped is None:
            raise _others()
        return dropped

    def status(self) -> Mapping[str, object]:
        """Say what is searched, what is beside it, and how far that has come."""
        state = self.state
        said: dict[str, object] = {"live": str(state.live), "products": self._catalog.count()}
        if state.beside is None:
            return said
        position = self._catalog.position(reader_of(state.beside))
        return said | {
            state.stage: str(state.beside),
            "made_up_to": position,
            "sequence": self._catalog.sequence(),
            "complete": not self._catalog.changes(position, 1),
        }


def _others() -> LookalikeError:
    return LookalikeError(
        "somebody else upgrades this shop, or let go of it", hint="Look at: lookalike upgrade status."
    )


def _questions(shop: Shop, count: int) -> list[tuple[str, str, Question]]:
    """Return what to ask: products spread over the shop, and the phrases that were searched for most of late."""
    until = datetime.now(UTC)
    top = shop.event_log.counts(until - LATELY, until, max(1, count // 4)).top
    phrases = [("text", each.phrase, Question(text=each.phrase)) for each in top]
    products = [("like", id_, Question(like=id_)) for id_ in shop.sample(count - len(phrases))]
    return [*phrases, *products]


def _found(shop: Shop, question: Question, k: int) -> list[Found]:
    question["k"] = k
    try:
        return [Found(hit.product.id, hit.product.title) for hit in shop.search(**question).hits]
    except QueryError:  # nothing of it can be compared on this side
        return []


def _gains(live: Shop, second: Shop, judgments: str | Path) -> Mapping[str, Estimate]:
    from lookalike.engine.evaluate import compare  # SciPy takes its second to load

    return compare(live.evaluate(judgments), second.evaluate(judgments))
