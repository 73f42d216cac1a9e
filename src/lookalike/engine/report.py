"""An evaluation for people: a table for the terminal, JSON for programs, and one page with pictures.

The page is a single file: styles, drawings and pictures are inside, and its own security policy lets it load nothing.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lookalike.core.errors import LookalikeError
from lookalike.core.images import decode, thumbnail
from lookalike.core.judgments import QueryForm
from lookalike.engine.evaluation import Curve, Estimate, Evaluation, Failure, QueryOutcome

Pictures = Callable[[str], bytes | None]
"""The picture of a product by its id, in any format `core.images` decodes."""
QueryPicture = Callable[[QueryForm], bytes | None]
"""The picture a query shows; None for words."""

WORST_SHOWN = 24
EXPECTED_SHOWN = 4
LINES_SHOWN = 5
PICTURE_PX = 160
CURVE_WIDTH, CURVE_HEIGHT = 640, 260
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

LABELS = {"R": "Recall", "P": "Precision", "nDCG": "nDCG", "Success": "Success", "RR": "MRR", "AP": "MAP"}
MEANINGS = {
    "R": "share of the relevant products that came",
    "P": "share of the results that are relevant",
    "nDCG": "grades found, early ones counting more, against the best order",
    "Success": "queries with a relevant result",
    "RR": "mean of 1 / rank of the first relevant result",
    "AP": "mean over queries of the average precision",
}


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is not in the figures, or bends them: a sentence and the first few details."""

    text: str
    details: tuple[str, ...] = ()


def text_report(evaluation: Evaluation, absent: Sequence[str] = ()) -> str:
    """Return the measures and times as aligned plain text, after everything that bends them.

    `absent` are products that are judged relevant and that the shop does not have, here and in the other forms.
    """
    blocks = [_summary(evaluation)]
    blocks += [
        "\n".join((f"! {warning.text}", *(f"    {line}" for line in warning.details)))
        for warning in warnings(evaluation, absent)
    ]
    blocks += [
        _aligned(table) for table in (_measure_rows(evaluation), _latency_rows(evaluation)) if len(table) > 1
    ]
    return "\n\n".join(blocks) + "\n"


def short_report(evaluation: Evaluation) -> str:
    """Return the summary, how many queries are in no figure and why the first is not, and the measures: a dozen lines."""
    lines = [_summary(evaluation)]
    if failures := evaluation.failures:
        lines.append(f"! {len(failures):,} failed, such as {_failed(failures[0])}")
    if problems := evaluation.problems:
        lines.append(f"! {_count(len(problems), 'line')} could not be read, such as {problems[0]}")
    table = _measure_rows(evaluation)
    return "\n".join([*lines, *(["", _aligned(table)] if len(table) > 1 else [])])


def json_report(evaluation: Evaluation, absent: Sequence[str] = ()) -> str:
    """Return everything, each query included, as indented JSON."""
    held = {**evaluation.to_dict(), "absent": list(absent)}
    return json.dumps(held, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def html_report(
    evaluation: Evaluation,
    pictures: Pictures,
    query_picture: QueryPicture,
    absent: Sequence[str] = (),
) -> str:
    """Return one self-contained page: measures, times, recall by rank, and the worst queries with their pictures.

    A picture that is missing or cannot be read leaves its frame empty.
    """
    environment = Environment(
        loader=PackageLoader("lookalike.engine", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    titles = {hit.id: hit.title for outcome in evaluation.outcomes for hit in outcome.hits if hit.title}
    return environment.get_template("eval.html.j2").render(
        evaluation=evaluation,
        summary=_summary(evaluation),
        warnings=warnings(evaluation, absent),
        tiles=_tiles(evaluation),
        groups=_groups(evaluation),
        meanings=MEANINGS,
        labels=LABELS,
        curve=_drawing(evaluation.curve) if evaluation.outcomes else None,
        worst=[_card(outcome, titles, pictures, query_picture) for outcome in evaluation.worst(WORST_SHOWN)],
    )


def warnings(evaluation: Evaluation, absent: Sequence[str] = ()) -> list[Warned]:
    """Say what was left out of the figures or bends them, gravest first."""
    failures, problems = evaluation.failures, evaluation.problems
    total = len(failures) + len(evaluation.outcomes)
    told: list[Warned] = []
    if failures:
        lines = [_failed(failure) for failure in failures]
        told.append(
            Warned(f"{len(failures):,} of {total:,} queries failed and are in no figure:", _first(lines))
        )
    if problems:
        lines = [_one_line(str(problem), problem.hint) for problem in problems]
        told.append(
            Warned(
                f"{_count(len(problems), 'line')} could not be read, left out of all figures:", _first(lines)
            )
        )
    if absent:
        count = _count(len(absent), "relevant product")
        told.append(Warned(f"{count} cannot be found, not being in the shop:", _first(absent)))
    if evaluation.cut:
        text = (
            f"{_count(evaluation.cut, 'ranking')} ended before rank {evaluation.options.depth}: excluded products took the "
            f"places and one search may give {evaluation.options.max_hits:,} results."
        )
        told.append(Warned(text))
    told += [Warned(f"{_count(n, 'query', 'queries')}: {note}") for note, n in evaluation.notes.items()]
    return told


def _summary(evaluation: Evaluation) -> str:
    parts = [
        f"{_count(len(evaluation.outcomes), 'query', 'queries')} measured",
        f"rankings of {evaluation.options.depth}",
    ]
    if evaluation.complete:
        parts.append(f"{evaluation.complete:,} of them shorter, there being no more")
    if evaluation.plans:
        parts.append("plan " + ", ".join(f"{plan} {n:,}" for plan, n in sorted(evaluation.plans.items())))
    return " · ".join(parts)


def _groups(evaluation: Evaluation) -> dict[str, list[tuple[str, str, Estimate]]]:
    """Group the measures: "R" -> [("R@1", "@1", estimate), ...], in the order they were measured."""
    groups: dict[str, list[tuple[str, str, Estimate]]] = {}
    for name, estimate in evaluation.measures.items():
        group, at, cutoff = name.partition("@")
        groups.setdefault(group, []).append((name, at + cutoff, estimate))
    return groups


def _measure_rows(evaluation: Evaluation) -> list[list[str]]:
    """Lay out the measures taken at the cutoffs as columns, and those of the whole ranking (MRR, MAP) in the first."""
    cutoffs = [f"@{k}" for k in sorted(set(evaluation.options.cutoffs))]
    rows = [["", *cutoffs]]
    for group, members in _groups(evaluation).items():
        whole = members[0][1] if members[0][1] not in cutoffs else ""
        rows.append([LABELS[group] + whole, *(_said(estimate) for _, _, estimate in members)])
    return rows


def _latency_rows(evaluation: Evaluation) -> list[list[str]]:
    rows = [["ms", "p50", "p95", "p99"]]
    for stage, took in evaluation.latency.items():
        rows.append([stage, *(f"{ms:.1f}" for ms in (took.p50, took.p95, took.p99))])
    return rows


def _said(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.3f}"
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align the first column left and the others right, each as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> Iterator[str]:
        yield row[0].ljust(widths[0])
        yield from (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=False))

    return "\n".join("  ".join(line(row)).rstrip() for row in rows)


def _tiles(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Pick the figures that go on top: (label, figure, its interval or explanation)."""
    measures, cutoffs = evaluation.measures, evaluation.options.cutoffs
    if not measures:
        return []
    names = dict.fromkeys((f"Success@{min(cutoffs)}", f"R@{max(cutoffs)}", f"nDCG@{max(cutoffs)}", "RR"))
    tiles = []
    for name in names:
        group, at, cutoff = name.partition("@")
        mean, _, interval = _said(measures[name]).partition(" ")
        tiles.append((LABELS[group] + at + cutoff, mean, interval.strip("[]").replace(", ", " – ")))
    total = evaluation.latency.get("total")
    return [*tiles, ("p95", f"{total.p95:.0f} ms", f"median {total.p50:.0f} ms")] if total else tiles


def _drawing(curve: Curve) -> dict[str, Any]:
    """Turn the curves into SVG coordinates, ranks on a logarithmic axis so that the first ones have room."""
    depth = len(curve.recall)

    def x(rank: int) -> float:
        return round(CURVE_WIDTH * math.log(rank) / math.log(depth), 1) if depth > 1 else 0.0

    def path(values: Sequence[float]) -> str:
        points = (
            (x(rank), round(CURVE_HEIGHT * (1 - value), 1)) for rank, value in enumerate(values, start=1)
        )
        return " ".join(f"{across:g},{down:g}" for across, down in points)

    return {
        "width": CURVE_WIDTH,
        "height": CURVE_HEIGHT,
        "recall": path(curve.recall),
        "success": path(curve.success),
        "ticks": [(rank, x(rank)) for rank in TICKS if rank <= depth],
        "last_recall": curve.recall[-1],
        "last_success": curve.success[-1],
    }


def _card(
    outcome: QueryOutcome, titles: dict[str, str], pictures: Pictures, query_picture: QueryPicture
) -> dict[str, Any]:
    """Gather what the page shows of one query, with every picture as a data URI or None."""
    return {
        "outcome": outcome,
        "picture": data_uri(query_picture(outcome.query)),
        "expected": [
            (id_, titles.get(id_, ""), data_uri(pictures(id_))) for id_ in outcome.expected[:EXPECTED_SHOWN]
        ],
        "hits": [(hit, data_uri(pictures(hit.id))) for hit in outcome.hits],
    }


def data_uri(data: bytes | None) -> str | None:
    """Shrink a picture to a JPEG small enough to be one of hundreds on a page."""
    if not data:
        return None
    try:
        small = thumbnail(data, decode(data), PICTURE_PX)
    except LookalikeError:
        return None
    return f"data:image/jpeg;base64,{b64encode(small).decode()}"


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _first(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - LINES_SHOWN
    return (*lines[:LINES_SHOWN], f"... and {more:,} more") if more > 0 else tuple(lines)


def _failed(failure: Failure) -> str:
    return _one_line(f"{failure.id}: {failure.reason}", failure.hint)


def _one_line(reason: str, hint: str) -> str:
    """Join a reason and its remedy; filter errors draw their place on further lines, which a list has no room for."""
    first = reason.partition("\n")[0].rstrip(".")
    return f"{first}. {hint}".rstrip()
