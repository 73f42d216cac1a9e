"""The nouns of an evaluation: what to measure, what each query gave, and what all of them say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.judgments import JudgmentProblem, QueryForm


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to measure: at which `cutoffs`, in rankings of `depth` hits.

    `max_hits` bounds one search when many hits must be taken out as excluded. `resamples` and `seed` shape the intervals.
    """

    cutoffs: tuple[int, ...] = (1, 5, 10)
    depth: int = 100
    max_hits: int = 1000
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse cutoffs the rankings cannot reach (InputError)."""
        if not self.cutoffs or min(self.cutoffs) < 1 or max(self.cutoffs) > self.depth:
            raise InputError(
                f"cutoffs {self.cutoffs} do not lie between 1 and the depth {self.depth}",
                hint="Measure at smaller cutoffs, or look deeper.",
            )
        if self.depth > self.max_hits:
            raise InputError(
                f"depth {self.depth} is more than the {self.max_hits} hits one search may give",
                hint="Look less deep, or raise max_hits.",
            )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries with its 95 % bootstrap interval; None where one query allows no interval."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds that half, 95 % and 99 % of the queries stayed within."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class JudgedHit:
    """One product that came, and its grade: 0 when it was judged so or not judged at all."""

    id: str
    title: str
    score: float
    grade: int


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """What one query gave. Ranks count from 1, after the excluded products were taken out.

    `found` is how many hits were measured; `cut` says that more were there but max_hits kept them away.
    `expected` names the first few relevant products, best grade first, of `relevant_count`.
    """

    id: str
    query: QueryForm
    values: Mapping[str, float]
    hits: tuple[JudgedHit, ...]
    expected: tuple[str, ...]
    relevant_count: int
    relevant_ranks: tuple[int, ...]
    found: int
    cut: bool
    took_ms: Mapping[str, float]
    plan: str
    notes: tuple[str, ...]

    @property
    def first_rank(self) -> int | None:
        """The rank of the first relevant hit, None when none came."""
        return self.relevant_ranks[0] if self.relevant_ranks else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that could not be run or measured; no mean contains it."""

    id: str
    reason: str
    hint: str
    code: str


@dataclass(frozen=True, slots=True)
class Curve:
    """By rank 1, 2, ... depth: the mean recall, and the share of queries with a relevant hit so far."""

    recall: tuple[float, ...]
    success: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures of a set of queries, and everything that was left out of them.

    `measures` and `latency` are empty when no query ran. `problems` are lines that were no judgments, `failures` queries
    that could not be run: both are missing from the means.
    """

    options: EvaluationOptions
    measures: Mapping[str, Estimate]
    latency: Mapping[str, Latency]
    curve: Curve
    outcomes: tuple[QueryOutcome, ...]
    failures: tuple[Failure, ...]
    problems: tuple[JudgmentProblem, ...]

    def __str__(self) -> str:
        """Return the summary, what failed, and the measures, as text that fits a screen."""
        from lookalike.engine.report import short_report  # it is made of this module's nouns

        return short_report(self)

    @property
    def plans(self) -> Mapping[str, int]:
        """How many queries ran under which plan."""
        return Counter(outcome.plan for outcome in self.outcomes)

    @property
    def notes(self) -> Mapping[str, int]:
        """What the search had to say, and to how many queries."""
        return Counter(note for outcome in self.outcomes for note in set(outcome.notes))

    @property
    def cut(self) -> int:
        """How many rankings are shorter than the depth because max_hits was reached."""
        return sum(outcome.cut for outcome in self.outcomes)

    @property
    def complete(self) -> int:
        """How many rankings are shorter than the depth because the search had no more to give."""
        return sum(outcome.found < self.options.depth and not outcome.cut for outcome in self.outcomes)

    def worst(self, n: int) -> tuple[QueryOutcome, ...]:
        """Return the n worst queries: by nDCG at the last cutoff, then RR, then as they came."""
        last = f"nDCG@{max(self.options.cutoffs)}"
        return tuple(
            sorted(self.outcomes, key=lambda outcome: (outcome.values[last], outcome.values["RR"]))[:n]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON can hold; queries are said in words."""
        return {
            "options": asdict(self.options),
            "queries": {
                "measured": len(self.outcomes),
                "failed": len(self.failures),
                "unread": len(self.problems),
            },
            "measures": {name: asdict(estimate) for name, estimate in self.measures.items()},
            "latency_ms": {stage: asdict(latency) for stage, latency in self.latency.items()},
            "curve": asdict(self.curve),
            "plans": dict(self.plans),
            "notes": dict(self.notes),
            "short_rankings": {"cut": self.cut, "complete": self.complete},
            "failures": [asdict(failure) for failure in self.failures],
            "problems": [asdict(problem) for problem in self.problems],
            "per_query": [
                asdict(outcome) | {"query": str(outcome.query), "first_rank": outcome.first_rank}
                for outcome in self.outcomes
            ],
        }
