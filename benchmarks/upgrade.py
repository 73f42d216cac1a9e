"""A shop goes over to another encoder while it is searched, and back: what that takes, and what searches notice of it.

    python -m benchmarks.upgrade --place fashion.db --to path/to/builtin.toml
    python -m benchmarks.upgrade --place fashion.db --made

Works on a copy of the shop. Threads of this process and clients of a `lookalike serve` search all the time; what is counted are
failed searches, and those with fewer results than before. After the way back every answer must be what it was, to the last
bit of its scores; so indexes are exact here, as cells are learned anew. `--made` goes from one small CLIP model to another,
both with random weights (needs the extra `torch`).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import lookalike
from benchmarks.record import percentiles, record
from benchmarks.serve.process import copied, serving
from lookalike.engine.comparison import text_report
from lookalike.settings import Settings
from lookalike.upgrade import Upgrade

K = 10
FOLLOW_S = 0.5
PATIENCE_S = 600.0
Ask = Callable[[Any], list[tuple[str, float]]]


@dataclass
class Seen:
    """What the searches of one way to ask came to."""

    ask: Ask
    questions: Sequence[Any]
    before: list[list[tuple[str, float]]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self) -> None:
        """Remember the answers as they are."""
        self.before = [self.ask(question) for question in self.questions]

    def changed(self) -> int:
        """Ask everything again; count the answers that are not exactly what they were."""
        return sum(
            self.ask(question) != was for question, was in zip(self.questions, self.before, strict=True)
        )

    def until(self, done: threading.Event, first: int) -> None:
        """Ask one question after the other."""
        turns = cycle(range(len(self.questions)))
        for _ in range(first):
            next(turns)
        while not done.is_set():
            number, started = next(turns), time.perf_counter()
            try:
                found = self.ask(self.questions[number])
            except Exception as error:
                self._count("failed", started)
                print("failed:", repr(error)[:200], file=sys.stderr)
                time.sleep(0.05)
            else:
                self._count("fewer" if len(found) < len(self.before[number]) else "whole", started)

    def _count(self, outcome: str, started: float) -> None:
        with self.lock:
            self.counts[outcome] += 1
            self.took_ms.append((time.perf_counter() - started) * 1e3)

    def figures(self) -> dict[str, Any]:
        """Return what was counted."""
        searches = sum(self.counts.values())
        return {
            "searches": searches,
            "failed": self.counts["failed"],
            "fewer_results": self.counts["fewer"],
            **(percentiles(self.took_ms) if searches else {}),
        }


def main(arguments: list[str] | None = None) -> None:
    """Measure one upgrade, print it, and record it unless it is a trial."""
    asked = _parser().parse_args(arguments)
    with TemporaryDirectory(prefix="lookalike-upgrade-") as folder:
        place, to = copied(asked.place, Path(folder)), asked.to
        if asked.made:
            first, to = made(Path(folder))
            gone_over(place, first)
        figures = measured(place, str(to), asked)
    if not asked.trial:
        record("upgrade", place=asked.place.name, models="made" if asked.made else "given", **figures)
    print(json.dumps(figures, indent=1))
    if figures["changed_after_rollback"] or any(
        figures[how][name] for how in ("here", "http") for name in ("failed", "fewer_results")
    ):
        raise SystemExit("searches failed, had fewer results, or are not what they were")


def measured(place: Path, to: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Upgrade, compare, go over, and back, under searches."""
    took: dict[str, float] = {}
    with ExitStack() as stack:
        shop = stack.enter_context(lookalike.open(place, settings=Settings(index="exact")))
        served = stack.enter_context(serving(place, index="exact", rates__per_s=0, follow_s=FOLLOW_S))
        upgrade = stack.enter_context(Upgrade(place))
        ids = shop.sample(asked.questions)
        titles = {id_: product.title for id_, product in shop.get(ids).items()}
        here = Seen(lambda question: _here(shop, question), _questions(shop, ids, titles))
        http = Seen(lambda path: _over_http(served.address, path), _paths(ids, titles))
        for seen in (here, http):
            seen.settle()
        shop.follow(FOLLOW_S)
        old = shop.signature, made_by(served)
        with searching(here, asked.threads), searching(http, asked.clients):
            with _timed(took, "start_s"):
                report = upgrade.start(to)
            with _timed(took, "compare_s"):
                compared = upgrade.compare(queries=asked.questions)
            with _timed(took, "finish_s"):
                upgrade.finish()
            with _timed(took, "followed_s"):
                until(lambda: shop.signature != old[0] and made_by(served) != old[1])
            time.sleep(asked.pause_s)
            differ = here.changed()
            with _timed(took, "rollback_s"):
                upgrade.rollback()
            with _timed(took, "followed_back_s"):
                until(lambda: (shop.signature, made_by(served)) == old)
            time.sleep(asked.pause_s)
        changed = here.changed() + http.changed()
    print(text_report(compared))
    return {
        "products": report.products,
        "embedded": report.encoded,
        "not_embedded": report.failed,
        "products_per_s": round(report.products / report.took_s, 1) if report.took_s else 0.0,
        **{name: round(seconds, 2) for name, seconds in took.items()},
        "here": here.figures(),
        "http": http.figures(),
        "answers": len(here.questions) + len(http.questions),
        "differed_while_new": differ,
        "changed_after_rollback": changed,
    }


@contextmanager
def searching(seen: Seen, threads: int) -> Iterator[None]:
    """Search from so many threads until the block ends."""
    done = threading.Event()
    running = [
        threading.Thread(target=seen.until, args=(done, number * 7 % len(seen.questions)))
        for number in range(threads)
    ]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in running:
            thread.join()


@contextmanager
def _timed(took: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    took[name] = time.perf_counter() - started


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; give up after ten minutes."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("the services did not follow")
        time.sleep(0.05)


def _questions(shop: lookalike.Shop, ids: list[str], titles: dict[str, str]) -> list[dict[str, Any]]:
    """Ask by likeness, by words, by pictures and by both."""
    found: list[dict[str, Any]] = [{"like": id_} for id_ in ids]
    found += [{"text": title} for title in titles.values() if title]
    pictures = [picture for id_ in ids[::4] if (picture := shop.picture_of(id_))]
    found += [{"image": picture} for picture in pictures]
    return found + [{"image": picture, "text": "in red"} for picture in pictures[::2]]


def _here(shop: lookalike.Shop, question: dict[str, Any]) -> list[tuple[str, float]]:
    return [(hit.product.id, hit.score) for hit in shop.search(k=K, **question).hits]


def _paths(ids: list[str], titles: dict[str, str]) -> list[str]:
    likes = [f"/v1/products/{quote(id_, safe='')}/similar?limit={K}" for id_ in ids]
    return likes + [f"/v1/search/text?limit={K}&q={quote(title)}" for title in titles.values() if title]


def _over_http(address: str, path: str) -> list[tuple[str, float]]:
    with urllib.request.urlopen(address + path, timeout=60) as response:
        return [(hit["id"], hit["score"]) for hit in json.load(response)["results"]]


def made_by(served: Any) -> str:
    """Return the fingerprint of what a service searches with."""
    return str(served.get("/v1/stats")["encoder"]["fingerprint"])


# --- two models of our own ----------------------------------------------------------------------------------------------


def made(folder: Path) -> list[str]:
    """Export two small CLIP models with different random weights; return the paths of their presets."""
    sys.path.append(str(Path(__file__).parent))
    from encoders import SMALL, exported

    return [str(exported(SMALL, folder / f"made-{seed}", seed=seed)["fp32"]) for seed in (1, 2)]


def gone_over(place: Path, to: str) -> None:
    """Let the copy be a shop of another encoder, so that the upgrade begins there."""
    with Upgrade(place, settings=Settings(snapshots="off")) as upgrade:
        upgrade.start(to)
        upgrade.finish()
        upgrade.clean()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--place", type=Path, required=True, help="a shop in SQLite; it is copied")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--to", help="the encoder to go over to, by name or .toml")
    which.add_argument("--made", action="store_true", help="between two small models made here")
    parser.add_argument("--questions", type=int, default=60, help="products that questions are made of")
    parser.add_argument("--threads", type=int, default=2, help="that search in this process")
    parser.add_argument("--clients", type=int, default=2, help="that search over HTTP")
    parser.add_argument("--pause-s", type=float, default=5.0, help="searched in each state for so long")
    parser.add_argument("--trial", action="store_true", help="record nothing: to see that it runs")
    return parser


if __name__ == "__main__":
    main()
