"""How good a search is: judged queries in; recall, precision, nDCG, MRR and latency out, with intervals.

The measures are those of trec_eval, by way of ir_measures: R (recall), P (precision), nDCG (gain = grade, discount
log2(rank + 1)), Success (a relevant hit in the first k), RR (1 / rank of the first relevant hit; its mean is MRR) and AP.
Every measure lies in [0, 1], higher is better. Queries run one after the other, so that their times mean something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from heapq import nsmallest
from typing import Any

import ir_measures
import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from lookalike.core.errors import InputError, LimitError, LookalikeError
from lookalike.core.judgments import Judgment, JudgmentProblem, QueryForm
from lookalike.core.query import Hit, SearchResult
from lookalike.engine.evaluation import (
    Curve,
    Estimate,
    Evaluation,
    EvaluationOptions,
    Failure,
    JudgedHit,
    Latency,
    QueryOutcome,
)

Search = Callable[[QueryForm, int], SearchResult]
"""Runs a query for so many hits. Its LookalikeErrors fail that one query; anything else is a bug and stops the run."""
Select = Callable[[str], frozenset[str]]
"""The ids of the products that satisfy a filter, given as text."""

SHOWN_HITS = 10
EXPECTED_IDS = 8
SELECTIONS_KEPT = 64
"""Filters whose ids are remembered: judgments repeat a few filters, and a set of ids may be large."""
CONFIDENCE = 0.95


def evaluate(
    judgments: Sequence[Judgment],
    search: Search,
    select: Select,
    options: EvaluationOptions | None = None,
    *,
    problems: Sequence[JudgmentProblem] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Run and measure every judged query. `progress` is told how many are done, of how many.

    `problems` are the lines that could not be read; they are carried into the result. Raises InputError without a query.
    """
    options = options or EvaluationOptions()
    if not judgments:
        reason = f": {problems[0]}" if problems else ""
        raise InputError(
            f"there is no query to evaluate{reason}",
            hint=(
                problems[0].hint
                if problems
                else 'Write lines such as {"id": ..., "query": ..., "relevant": ...}.'
            ),
        )
    select = lru_cache(maxsize=SELECTIONS_KEPT)(select)
    names = _measures(options)
    outcomes: list[QueryOutcome] = []
    failures: list[Failure] = []
    for done, judgment in enumerate(judgments, start=1):
        try:
            outcomes.append(_run(judgment, search, select, options, names))
        except LookalikeError as error:
            failures.append(Failure(judgment.id, str(error), error.hint, error.code))
        if progress:
            progress(done, len(judgments))
    return Evaluation(
        options=options,
        measures=_estimates([outcome.values for outcome in outcomes], options),
        latency=_latency([outcome.took_ms for outcome in outcomes]),
        curve=_curve(outcomes, options.depth),
        outcomes=tuple(outcomes),
        failures=tuple(failures),
        problems=tuple(problems),
    )


def compare(before: Evaluation, after: Evaluation) -> Mapping[str, Estimate]:
    """Return, per measure both have, the mean gain from `before` to `after` over the queries both ran, paired by id.

    A gain whose interval leaves out 0 is more than chance among such queries. Raises InputError when no query is shared.
    """
    old = {outcome.id: outcome.values for outcome in before.outcomes}
    pairs = [(old[outcome.id], outcome.values) for outcome in after.outcomes if outcome.id in old]
    if not pairs:
        raise InputError("the two evaluations share no query", hint="Compare runs of the same judgments.")
    shared = [name for name in pairs[0][0] if name in pairs[0][1]]
    return _estimates([{name: new[name] - was[name] for name in shared} for was, new in pairs], after.options)


def _measures(options: EvaluationOptions) -> Mapping[Any, str]:
    """Return the measures in the order they are reported in, each with its name."""
    ladder = (ir_measures.R, ir_measures.P, ir_measures.nDCG, ir_measures.Success)
    at = [measure @ k for measure in ladder for k in sorted(set(options.cutoffs))]
    return {measure: str(measure) for measure in (*at, ir_measures.RR, ir_measures.AP @ options.depth)}


def _run(
    judgment: Judgment,
    search: Search,
    select: Select,
    options: EvaluationOptions,
    measures: Mapping[Any, str],
) -> QueryOutcome:
    grades, excluded = _truth(judgment, select)
    result, ranking, cut = _ranking(judgment.query, search, excluded, options)
    ids = [hit.product.id for hit in ranking]
    relevant = [(-grade, id_) for id_, grade in grades.items() if grade]
    return QueryOutcome(
        id=judgment.id,
        query=judgment.query,
        values=_values(grades, ids, measures),
        hits=tuple(
            JudgedHit(hit.product.id, hit.product.title, float(hit.score), grades.get(hit.product.id, 0))
            for hit in ranking[:SHOWN_HITS]
        ),
        expected=tuple(id_ for _, id_ in nsmallest(EXPECTED_IDS, relevant)),
        relevant_count=len(relevant),
        relevant_ranks=tuple(rank for rank, id_ in enumerate(ids, start=1) if grades.get(id_, 0)),
        found=len(ids),
        cut=cut,
        took_ms={stage: float(took) for stage, took in result.took_ms.items()},
        plan=result.plan,
        notes=result.notes,
    )


def _truth(judgment: Judgment, select: Select) -> tuple[Mapping[str, int], frozenset[str]]:
    """Work out the grades that count and the ids that do not. A product a query refers to never comes: excluded."""
    excluded = frozenset((*judgment.exclude, *judgment.query.likes))
    if judgment.exclude_where:
        excluded |= select(judgment.exclude_where)
    grades = dict.fromkeys(select(judgment.relevant_where), 1) if judgment.relevant_where else {}
    grades |= judgment.relevant
    grades = {id_: grade for id_, grade in grades.items() if id_ not in excluded}
    if not any(grades.values()):
        raise InputError(
            "no product is both relevant and not excluded",
            hint="Check relevant, relevant_where, exclude and exclude_where against the catalogue.",
        )
    return grades, excluded


def _ranking(
    form: QueryForm, search: Search, excluded: frozenset[str], options: EvaluationOptions
) -> tuple[SearchResult, list[Hit], bool]:
    """Search until `depth` hits are left that count; return the first result, those hits, and whether max_hits cut them.

    The first result is the one whose times are like a user's. Excluded products tend to be the nearest ones (the query's
    own photo, its family), so a few more are asked for at once, then four times as many.
    """
    asked = min(options.depth + min(len(excluded), options.depth), options.max_hits)
    first = result = search(form, asked)
    while True:
        hits = [hit for hit in result.hits if hit.product.id not in excluded][: options.depth]
        if len(hits) == options.depth or len(result.hits) < asked:
            return first, hits, False
        if asked == options.max_hits:
            return first, hits, True
        asked = min(asked * 4, options.max_hits)
        try:
            result = search(form, asked)
        except LimitError:  # the search allows fewer hits than max_hits: what came before has to do
            return first, hits, True


def _values(
    grades: Mapping[str, int], ids: Sequence[str], measures: Mapping[Any, str]
) -> Mapping[str, float]:
    """Measure one ranking. Products go by number: pytrec_eval keeps ids as C strings, which not every id survives."""
    ranks = {id_: str(rank) for rank, id_ in enumerate(ids)}
    missed = [grade for id_, grade in grades.items() if id_ not in ranks]
    judged = {ranks[id_]: grades[id_] for id_ in ids if id_ in grades}
    judged |= zip(map(str, range(len(ids), len(ids) + len(missed))), missed, strict=True)
    run = {rank: -float(rank) for rank in ranks.values()}
    evaluator = ir_measures.pytrec_eval.evaluator(list(measures), {"q": judged})
    values = {metric.measure: float(metric.value) for metric in evaluator.iter_calc({"q": run})}
    return {name: values[measure] for measure, name in measures.items()}


def _estimates(rows: Sequence[Mapping[str, float]], options: EvaluationOptions) -> Mapping[str, Estimate]:
    """Return the mean of each measure with its percentile bootstrap interval (Efron, 1979) over queries."""
    if not rows:
        return {}
    names = list(rows[0])
    values = np.array(
        [[row[name] for row in rows] for name in names], dtype=np.float64
    )  # [measures, queries]
    means = values.mean(axis=1)
    if len(rows) == 1:
        return {name: Estimate(float(mean), None, None) for name, mean in zip(names, means, strict=True)}
    interval = bootstrap(
        (values,),
        np.mean,
        axis=-1,
        confidence_level=CONFIDENCE,
        n_resamples=options.resamples,
        method="percentile",
        batch=max(1, 2_000_000 // values.size),  # bounds the memory for resamples to some 16 MB
        rng=np.random.default_rng(options.seed),
    ).confidence_interval
    triples = zip(names, means, interval.low, interval.high, strict=True)
    return {name: Estimate(float(mean), float(low), float(high)) for name, mean, low, high in triples}


def _latency(rows: Sequence[Mapping[str, float]]) -> Mapping[str, Latency]:
    """Return percentiles per stage, stages in the order they first appear, over the queries that went through them."""
    stages = dict.fromkeys(stage for row in rows for stage in row)
    taken = {stage: [row[stage] for row in rows if stage in row] for stage in stages}
    return {stage: Latency(*map(float, np.percentile(ms, (50, 95, 99)))) for stage, ms in taken.items()}


def _curve(outcomes: Sequence[QueryOutcome], depth: int) -> Curve:
    recall: NDArray[np.float64] = np.zeros(depth)
    success: NDArray[np.float64] = np.zeros(depth)
    for outcome in outcomes:
        ranks = np.array(outcome.relevant_ranks, dtype=np.intp) - 1
        recall[ranks] += 1 / outcome.relevant_count
        success[ranks[:1]] += 1
    shares = max(len(outcomes), 1)
    return Curve(
        recall=tuple(map(float, np.cumsum(recall) / shares)),
        success=tuple(map(float, np.cumsum(success) / shares)),
    )
