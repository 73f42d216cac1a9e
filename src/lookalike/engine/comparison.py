"""Two rankings of the same questions side by side: how much they share, and where they differ most."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from lookalike.engine.evaluation import Estimate
from lookalike.engine.report import data_uri

PERSISTENCE = 0.9
"""Of rank-biased overlap: the first ten ranks then carry 86 % of the weight."""
WORST = 24


@dataclass(frozen=True, slots=True)
class Found:
    """One product found, with what a person recognises it by."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One question, what either side found, best first, and how alike that is: 0 nothing in common, 1 the same."""

    kind: str
    asked: str
    before: tuple[Found, ...]
    after: tuple[Found, ...]
    overlap: float
    rank_biased_overlap: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All questions; `gains` are those of judged queries, per measure, from before to after."""

    before: str
    after: str
    k: int
    compared: tuple[Compared, ...]
    gains: Mapping[str, Estimate] = field(default_factory=dict)

    def mean(self, kind: str = "") -> tuple[float, float, int]:
        """Return the mean overlap, the mean rank-biased overlap and the number of questions of a kind, "" for all."""
        some = [each for each in self.compared if kind in ("", each.kind)]
        if not some:
            return 0.0, 0.0, 0
        overlaps = np.array([(each.overlap, each.rank_biased_overlap) for each in some])
        shared, ranked = overlaps.mean(axis=0).tolist()
        return shared, ranked, len(some)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of questions, in the order they were asked."""
        return tuple(dict.fromkeys(each.kind for each in self.compared))

    def worst(self, count: int = WORST) -> list[Compared]:
        """Return the questions whose answers differ most."""
        return sorted(self.compared, key=lambda each: each.rank_biased_overlap)[:count]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON can hold."""
        means = {kind or "all": self.mean(kind) for kind in ("", *self.kinds)}
        return {
            "before": self.before,
            "after": self.after,
            "k": self.k,
            "means": {
                kind: {"overlap": shared, "rank_biased_overlap": ranked, "queries": count}
                for kind, (shared, ranked, count) in means.items()
            },
            "gains": {name: asdict(estimate) for name, estimate in self.gains.items()},
            "queries": [asdict(each) for each in self.compared],
        }


def compared(kind: str, asked: str, before: Sequence[Found], after: Sequence[Found], k: int) -> Compared:
    """Compare the first `k` of two rankings."""
    ids = [found.id for found in before[:k]], [found.id for found in after[:k]]
    return Compared(
        kind, asked, tuple(before[:k]), tuple(after[:k]), overlap(*ids), rank_biased_overlap(*ids)
    )


def overlap(before: Sequence[str], after: Sequence[str]) -> float:
    """Return the share of the longer ranking that is in both, 1 for two empty ones."""
    longer = max(len(before), len(after))
    return len(set(before) & set(after)) / longer if longer else 1.0


def rank_biased_overlap(before: Sequence[str], after: Sequence[str], p: float = PERSISTENCE) -> float:
    """Return the rank-biased overlap, extrapolated to what was not seen (Webber, Moffat and Zobel, 2010, equation 23).

    The mean agreement at each depth, weighted by how likely a reader, who goes on with probability `p`, gets there. Of two
    rankings of different length the shorter is taken to end there.
    """
    depth = max(len(before), len(after))
    if not depth:
        return 1.0
    seen: tuple[set[str], set[str]] = set(), set()
    agreement = []
    for rank in range(depth):
        seen[0].update(before[rank : rank + 1])
        seen[1].update(after[rank : rank + 1])
        agreement.append(len(seen[0] & seen[1]) / (rank + 1))
    weights = p ** np.arange(1, depth + 1)
    return float((1 - p) / p * (np.array(agreement) @ weights) + agreement[-1] * p**depth)


def text_report(comparison: Comparison) -> str:
    """Return the means and the questions that changed most as plain text."""
    k = comparison.k
    lines = [f"searched now: {comparison.before}", f"second:       {comparison.after}", ""]
    lines.append(f"{'queries':<12}{'count':>8}{f'overlap@{k}':>13}{'rank-biased':>13}")
    for kind in ("", *comparison.kinds):
        shared, ranked, count = comparison.mean(kind)
        lines.append(f"{kind or 'all':<12}{count:>8,}{shared:>13.3f}{ranked:>13.3f}")
    if comparison.gains:
        lines += ["", "gain on the judged queries, with its 95 % interval:"]
        for name, gain in comparison.gains.items():
            interval = "" if gain.low is None else f"  [{gain.low:+.3f}, {gain.high:+.3f}]"
            lines.append(f"{name:<12}{gain.mean:+8.3f}{interval}")
    differing = [each for each in comparison.worst(5) if each.overlap < 1]
    if differing:
        lines += ["", "changed most:"]
    for each in differing:
        lines.append(f"  {each.kind} {each.asked}: {each.overlap:.2f}")
        lines.append(f"    now:    {', '.join(found.id for found in each.before[:5])}")
        lines.append(f"    second: {', '.join(found.id for found in each.after[:5])}")
    return "\n".join(lines) + "\n"


def json_report(comparison: Comparison) -> str:
    """Return everything, each question included, as indented JSON."""
    return json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def html_report(comparison: Comparison, pictures: Callable[[str], bytes | None]) -> str:
    """Return one self-contained page: the means, and the questions whose answers differ most, with pictures."""
    environment = Environment(
        loader=PackageLoader("lookalike.engine", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    worst = [each for each in comparison.worst() if each.overlap < 1]
    ids = {found.id for each in worst for found in (*each.before, *each.after)}
    ids |= {each.asked for each in worst if each.kind == "like"}
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        rows=[(kind or "all", *comparison.mean(kind)) for kind in ("", *comparison.kinds)],
        worst=worst,
        pictures={id_: data_uri(pictures(id_)) for id_ in sorted(ids)},
    )
