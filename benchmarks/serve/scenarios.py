"""What is measured of the service, and what is aimed at: a table of scenarios, each a function from a bench to figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serve.material import Material
from benchmarks.serve.openloop import Times, offer
from benchmarks.serve.process import Served, serving
from benchmarks.serve.wrk import Stream, drive

Figures = dict[str, Any]
MOST_PER_S = {"similar": 4000, "text": 4000, "filtered": 4000, "image": 400, "mix": 3000}
"""So many requests are made for each second of a run, if the shop has them."""
WARM_UP_S = 2.0
WARM, WARM_ROUNDS = 50, 40
"""Different questions of the warm scenario, and how often each is asked before."""
FIXED_PER_S = 500.0


@dataclass(slots=True)
class Bench:
    """A shop, what is asked of it, and how."""

    place: Path
    material: Material
    seconds: float
    workers: int
    minutes: float
    streams: dict[str, Stream] = field(default_factory=dict)

    def stream(self, kind: str, seconds: float) -> Stream:
        """Return requests of a kind, enough for so many seconds; each scenario begins a new file, so a new service."""
        lines = self.material.requests(kind, int(MOST_PER_S[kind] * (seconds + WARM_UP_S)))
        return Stream.of(lines, self.place.parent / f"{kind}.requests")

    @contextmanager
    def serving(self, workers: int | None = None, **settings: object) -> Iterator[Served]:
        """Serve the shop, without measuring recall unless that is what is measured."""
        with serving(self.place, workers or self.workers, **{"shadow_share": 0, **settings}) as served:
            yield served


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to be: at least, or at most."""

    figure: str
    least: float | None = None
    most: float | None = None

    def judged(self, figures: Figures) -> str:
        """Return the figure beside its goal."""
        value = figures.get(self.figure)
        if value is None:
            return f"{self.figure} not measured"
        met = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        said = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return f"{self.figure} {value:,.2f} (goal {said}: {'met' if met else 'missed'})"


def closed_loop(bench: Bench, kind: str, connections: int) -> Figures:
    """Measure the throughput of one kind of request."""
    with bench.serving() as served:
        stream = bench.stream(kind, bench.seconds)
        drive(served.address, stream, connections, WARM_UP_S)
        return drive(served.address, stream, connections, bench.seconds)


def similar(bench: Bench) -> Figures:
    """Measure products like one: as many as can be, and what each takes at a fixed rate."""
    with bench.serving() as served:
        stream = bench.stream("similar", 2 * bench.seconds)
        drive(served.address, stream, 16, WARM_UP_S)
        figures = drive(served.address, stream, 16, bench.seconds)
        return figures | _at_a_rate(offer(served.address, stream, FIXED_PER_S, bench.seconds))


def _at_a_rate(times: Times) -> Figures:
    return {
        "fixed_per_s": FIXED_PER_S,
        "fixed_p50_ms": times.percentile_ms(50),
        "fixed_p99_ms": times.percentile_ms(99),
        "fixed_statuses": times.counts(),
    }


def warm(bench: Bench) -> Figures:
    """Measure questions that come again and again."""
    lines = bench.material.requests("text", WARM // 2) + bench.material.requests("similar", WARM // 2)
    with bench.serving() as served:
        stream = Stream.of(lines, bench.place.parent / "warm.requests")
        while stream.next < WARM_ROUNDS * stream.count:  # each worker remembers for itself
            drive(served.address, stream, 16, WARM_UP_S)
        return drive(served.address, stream, 16, bench.seconds)


def batching(bench: Bench) -> Figures:
    """Measure 64 callers with photos, encoded together and one at a time, by one process."""
    found: dict[str, Figures] = {}
    for name, images in (("batched", 16), ("single", 1)):
        with bench.serving(1, batching__images=images, bounds__max_requests=128) as served:
            stream = bench.stream("image", bench.seconds)
            drive(served.address, stream, 64, WARM_UP_S)
            found[name] = drive(served.address, stream, 64, bench.seconds)
    batched, single = found["batched"], found["single"]
    return {
        "throughput_ratio": batched["per_s"] / max(single["per_s"], 1e-9),
        "p99_ratio": batched["p99_ms"] / max(single["p99_ms"], 1e-9),
        **found,
    }


def overload(bench: Bench) -> Figures:
    """Offer four times what the service can do; see what is served, what is refused, and how soon it is itself again."""
    lasts_s, after_s = 1.5 * bench.seconds, max(10.0, bench.seconds / 2)
    with bench.serving() as served:
        stream = bench.stream("mix", 6 * bench.seconds + 2 * after_s)
        drive(served.address, stream, 16, WARM_UP_S)
        able = drive(served.address, stream, 16, max(bench.seconds / 2, 2))["per_s"]
        calm = offer(served.address, stream, able / 2, max(bench.seconds / 4, 2))
        flood = offer(served.address, stream, 4 * able, lasts_s, connections=512)
        after = offer(served.address, stream, able / 2, after_s)
    served_well, refused = flood.status == 200, flood.status == 429
    return {
        "able_per_s": able,
        "offered_per_s": len(flood.due_s) / lasts_s,
        "served_per_s": int(served_well.sum()) / lasts_s,
        "served_p99_ms": flood.percentile_ms(99, served_well),
        "refused_p99_ms": flood.percentile_ms(99, refused),
        "statuses": flood.counts(),
        "calm_p99_ms": calm.percentile_ms(99),
        "recovered_s": recovered_s(after, 2 * (calm.percentile_ms(99) or 0) + 50),
    }


def recovered_s(after: Times, good_ms: float) -> float | None:
    """Return after how many whole seconds all were answered with 200 and 99 % within `good_ms`; None if never."""
    for second in range(int(after.due_s[-1]) + 1):
        later = after.due_s >= second
        answered = bool((after.status[later] == 200).all())
        p99 = after.percentile_ms(99, later)
        if answered and p99 is not None and p99 <= good_ms:
            return float(second)
    return None


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured, and its goals."""

    measure: Callable[[Bench], Figures]
    goals: tuple[Goal, ...] = ()


def scenarios() -> Mapping[str, Scenario]:
    """Return all scenarios by name."""
    from benchmarks.serve.mixed import mixed  # it builds on this module

    return {
        "similar": Scenario(similar, (Goal("per_s", least=1500), Goal("fixed_p99_ms", most=25))),
        "text": Scenario(partial(closed_loop, kind="text", connections=16), (Goal("per_s", least=800),)),
        "image": Scenario(partial(closed_loop, kind="image", connections=16), (Goal("per_s", least=80),)),
        "filtered": Scenario(partial(closed_loop, kind="filtered", connections=16)),
        "mix": Scenario(partial(closed_loop, kind="mix", connections=16)),
        "warm": Scenario(warm, (Goal("per_s", least=3000),)),
        "batching": Scenario(batching, (Goal("throughput_ratio", least=1.3), Goal("p99_ratio", most=2))),
        "overload": Scenario(overload, (Goal("served_p99_ms", most=1000), Goal("recovered_s", most=5))),
        "mixed": Scenario(
            mixed,
            (
                Goal("server_errors", most=0),
                Goal("memory_growth", most=0.05),
                Goal("fresh_p99_s", most=2),
                Goal("recall_at_10", least=0.95),
                Goal("deleted_returned", most=0),
            ),
        ),
    }
