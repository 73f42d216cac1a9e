"""Evaluation against rankings small enough to work out by hand, and laws that hold for all of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import FilterError, InputError, LimitError, QueryError
from lookalike.core.judgments import Judgment, JudgmentProblem, PartForm, QueryForm
from lookalike.core.query import Hit, SearchResult
from lookalike.core.types import Product
from lookalike.engine.evaluate import compare, evaluate
from lookalike.engine.evaluation import Evaluation, EvaluationOptions


def form(text: str) -> QueryForm:
    return QueryForm(parts=(PartForm("text", text),))


def answer(ids: Sequence[str], **fields: object) -> SearchResult:
    hits = tuple(Hit(Product(id_, title=f"title of {id_}"), 1 - rank / 1000) for rank, id_ in enumerate(ids))
    known: dict[str, object] = {
        "plan": "exact",
        "took_ms": {"retrieve": 2.0, "total": 3.0},
        "notes": (),
    } | fields
    return SearchResult(hits, len(ids), facets={}, cursor=None, snapshot="1", **known)  # type: ignore[arg-type]


def rankings(**by_text: Sequence[str]) -> Callable[[QueryForm, int], SearchResult]:
    """A search that knows the whole ranking of each phrase."""
    return lambda query, k: answer(by_text[str(query.parts[0].value)][:k])


def nothing(text: str) -> frozenset[str]:
    raise AssertionError(f"no filter was expected, got {text}")


def one(ids: Sequence[str], options: EvaluationOptions | None = None, **judged: object) -> Evaluation:
    judgment = Judgment("q", form("a"), **judged)  # type: ignore[arg-type]
    return evaluate([judgment], rankings(a=ids), nothing, options)


SMALL = EvaluationOptions(cutoffs=(1, 3), depth=5, resamples=200)


def test_measures_worked_out_by_hand() -> None:
    # the ranking x A y B with A of grade 3, B of grade 1, C (grade 2) never found
    (outcome,) = one(["x", "A", "y", "B"], SMALL, relevant={"A": 3, "B": 1, "C": 2}).outcomes
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert outcome.values == pytest.approx(
        {
            "R@1": 0,
            "R@3": 1 / 3,
            "P@1": 0,
            "P@3": 1 / 3,
            "nDCG@1": 0,
            "nDCG@3": 3 / math.log2(3) / ideal,
            "Success@1": 0,
            "Success@3": 1,
            "RR": 1 / 2,
            "AP@5": (1 / 2 + 2 / 4) / 3,
        }
    )
    assert list(outcome.values) == [
        "R@1", "R@3", "P@1", "P@3", "nDCG@1", "nDCG@3", "Success@1", "Success@3", "RR", "AP@5",
    ]  # fmt: skip
    assert (outcome.first_rank, outcome.relevant_ranks, outcome.relevant_count) == (2, (2, 4), 3)
    assert outcome.expected == ("A", "C", "B")  # best grade first
    assert [(hit.id, hit.grade) for hit in outcome.hits] == [("x", 0), ("A", 3), ("y", 0), ("B", 1)]


def test_means_latency_and_curve_over_queries() -> None:
    judgments = [Judgment("1", form("a"), {"A": 1}), Judgment("2", form("b"), {"A": 1, "B": 1})]
    took = {"a": {"encode": 1.0, "total": 4.0}, "b": {"total": 8.0}}
    search = rankings(a=["A", "x"], b=["x", "B"])
    timed = lambda query, k: answer(  # noqa: E731
        [hit.product.id for hit in search(query, k).hits], took_ms=took[query.parts[0].value]
    )
    evaluation = evaluate(judgments, timed, nothing, SMALL)
    assert evaluation.measures["R@1"].mean == pytest.approx(0.5)
    assert evaluation.measures["R@3"].mean == pytest.approx(0.75)
    assert evaluation.measures["RR"].mean == pytest.approx(0.75)
    assert evaluation.curve.recall == pytest.approx((0.5, 0.75, 0.75, 0.75, 0.75))
    assert evaluation.curve.success == pytest.approx((0.5, 1, 1, 1, 1))
    assert list(evaluation.latency) == ["encode", "total"]
    assert evaluation.latency["encode"].p99 == 1.0  # only one query was encoded
    assert evaluation.latency["total"].p50 == pytest.approx(6.0)
    assert evaluation.complete == 2 and evaluation.cut == 0


def test_intervals_hold_the_mean_and_depend_on_the_seed_only() -> None:
    judgments = [Judgment(str(n), form("a" if n % 3 else "b"), {"A": 1}) for n in range(60)]
    search = rankings(a=["A"], b=["x"])
    first, again = (evaluate(judgments, search, nothing, SMALL) for _ in range(2))
    estimate = first.measures["R@1"]
    assert first.measures == again.measures
    assert estimate.mean == pytest.approx(2 / 3)
    assert estimate.low is not None and estimate.high is not None
    # the normal approximation gives 0.667 ± 1.96 × 0.0609
    assert estimate.low == pytest.approx(0.547, abs=0.04) and estimate.high == pytest.approx(0.786, abs=0.04)


def test_one_query_has_no_interval() -> None:
    estimate = one(["A"], relevant={"A": 1}).measures["R@1"]
    assert (estimate.mean, estimate.low, estimate.high) == (1.0, None, None)


def test_filters_say_what_is_relevant_and_what_does_not_count() -> None:
    asked: list[str] = []

    def select(text: str) -> frozenset[str]:
        asked.append(text)
        return {"label = Hat": frozenset("ABC"), "sender = 1": frozenset("Ax")}[text]

    judged = Judgment("q", form("a"), {"B": 2}, "label = Hat", ("y",), "sender = 1")
    twin = Judgment("r", form("a"), {}, "label = Hat")
    evaluation = evaluate([judged, twin], rankings(a=["A", "x", "y", "z", "B", "C"]), select, SMALL)
    outcome = evaluation.outcomes[0]
    assert [(hit.id, hit.grade) for hit in outcome.hits] == [("z", 0), ("B", 2), ("C", 1)]
    assert outcome.relevant_ranks == (2, 3) and outcome.relevant_count == 2
    assert evaluation.outcomes[1].relevant_ranks == (1, 5)
    assert sorted(asked) == ["label = Hat", "sender = 1"]  # each filter is run once


def test_the_product_a_query_is_about_does_not_count() -> None:
    judgment = Judgment("q", QueryForm((PartForm("like", "A"),)), {"A": 1, "B": 1})
    (outcome,) = evaluate([judgment], lambda query, k: answer(["A", "B"][:k]), nothing, SMALL).outcomes
    assert outcome.relevant_ranks == (1,) and outcome.values["R@1"] == 1


def test_searches_further_when_excluded_products_take_the_places() -> None:
    everything = [f"x{n}" for n in range(200)] + ["A", *(f"y{n}" for n in range(50))]
    asked: list[int] = []

    def search(query: QueryForm, k: int) -> SearchResult:
        asked.append(k)
        return answer(everything[:k], took_ms={"total": float(len(asked))})

    judgment = Judgment("q", form("a"), {"A": 1}, exclude_where="x")
    taken = frozenset(everything[:200])
    evaluation = evaluate([judgment], search, lambda text: taken, EvaluationOptions((1,), 5, max_hits=1000))
    assert asked == [10, 40, 160, 640]
    assert evaluation.outcomes[0].first_rank == 1 and evaluation.outcomes[0].found == 5
    assert evaluation.latency["total"].p50 == 1.0  # the times are those of the first search
    assert evaluation.cut == 0

    short = evaluate([judgment], search, lambda text: taken, EvaluationOptions((1,), 5, max_hits=203))
    assert asked[4:] == [10, 40, 160, 203]
    assert (short.cut, short.complete, short.outcomes[0].found) == (1, 0, 3)


def test_a_limit_on_hits_met_on_the_way_keeps_what_came() -> None:
    def search(query: QueryForm, k: int) -> SearchResult:
        if k > 10:
            raise LimitError("max_k", f"k {k} is more than 10")
        return answer([f"x{n}" for n in range(9)] + ["A"])

    judgment = Judgment("q", form("a"), {"A": 1}, exclude=tuple(f"x{n}" for n in range(9)))
    evaluation = evaluate([judgment], search, nothing, EvaluationOptions((1,), 5))
    assert evaluation.cut == 1 and evaluation.measures["R@1"].mean == 1


def test_failing_queries_are_told_and_not_averaged() -> None:
    def search(query: QueryForm, k: int) -> SearchResult:
        if query.parts[0].value == "bad":
            raise QueryError("no such product", hint="Name another.")
        return answer(["A"])

    def select(text: str) -> frozenset[str]:
        if text == "empty":
            return frozenset()
        raise FilterError("unknown column", hint="Known: price.")

    judgments = [
        Judgment("good", form("a"), {"A": 1}),
        Judgment("bad", form("bad"), {"A": 1}),
        Judgment("filter", form("a"), relevant_where="colour = red"),
        Judgment("none", form("a"), relevant_where="empty"),
        Judgment("itself", form("a"), {"A": 1}, exclude=("A",)),
    ]
    progress: list[tuple[int, int]] = []
    unread = [JudgmentProblem(6, "id: missing", "Give it one.")]
    evaluation = evaluate(
        judgments,
        search,
        select,
        SMALL,
        problems=unread,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert evaluation.measures["R@1"].mean == 1
    assert [(failure.id, failure.code) for failure in evaluation.failures] == [
        ("bad", "query"), ("filter", "filter"), ("none", "input"), ("itself", "input"),
    ]  # fmt: skip
    assert evaluation.failures[0].hint == "Name another."
    assert progress == [(n, 5) for n in (1, 2, 3, 4, 5)]
    told = evaluation.to_dict()
    assert told["queries"] == {"measured": 1, "failed": 4, "unread": 1}


def test_bugs_are_not_taken_for_failing_queries() -> None:
    def search(query: QueryForm, k: int) -> SearchResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        evaluate([Judgment("q", form("a"), {"A": 1})], search, nothing)


def test_all_queries_failing_gives_an_evaluation_without_measures() -> None:
    def search(query: QueryForm, k: int) -> SearchResult:
        raise QueryError("no")

    evaluation = evaluate([Judgment("q", form("a"), {"A": 1})], search, nothing, SMALL)
    assert evaluation.measures == {} and evaluation.latency == {} and len(evaluation.failures) == 1
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_no_query_is_an_error_that_passes_on_the_first_problem() -> None:
    with pytest.raises(InputError, match="line 3: id: missing") as caught:
        evaluate([], rankings(), nothing, problems=[JudgmentProblem(3, "id: missing", "Give it one.")])
    assert caught.value.hint == "Give it one."


@pytest.mark.parametrize(
    ("cutoffs", "depth", "max_hits"), [((), 10, 100), ((0,), 10, 100), ((11,), 10, 100), ((1,), 101, 100)]
)
def test_impossible_options_are_refused(cutoffs: tuple[int, ...], depth: int, max_hits: int) -> None:
    with pytest.raises(InputError) as caught:
        EvaluationOptions(cutoffs, depth, max_hits)
    assert caught.value.hint


def test_worst_goes_by_ndcg_then_reciprocal_rank() -> None:
    judgments = [Judgment(text, form(text), {"A": 1}) for text in ("good", "far", "never", "near")]
    search = rankings(good=["A"], far=["x", "y", "z", "w", "A"], never=["x"], near=["x", "y", "z", "A"])
    evaluation = evaluate(judgments, search, nothing, SMALL)
    assert [outcome.id for outcome in evaluation.worst(3)] == ["never", "far", "near"]


def test_plans_and_notes_are_counted() -> None:
    judgments = [Judgment(text, form(text), {"A": 1}) for text in ("a", "b", "c")]
    plans = {"a": "exact", "b": "ann", "c": "ann"}

    def search(query: QueryForm, k: int) -> SearchResult:
        plan = plans[str(query.parts[0].value)]
        return answer(["A"], plan=plan, notes=("no titles",) if plan == "ann" else ())

    evaluation = evaluate(judgments, search, nothing, SMALL)
    assert evaluation.plans == {"exact": 1, "ann": 2} and evaluation.notes == {"no titles": 2}


def test_compare_pairs_queries_by_id() -> None:
    judgments = [Judgment(str(n), form("a" if n % 2 else "b"), {"A": 1}) for n in range(40)]
    before = evaluate(judgments, rankings(a=["A"], b=["x", "A"]), nothing, SMALL)
    after = evaluate(judgments[::-1][:30], rankings(a=["A"], b=["A"]), nothing, SMALL)
    gain = compare(before, after)["RR"]
    assert gain.mean == pytest.approx(0.25)
    assert gain.low is not None and gain.high is not None and 0 < gain.low < 0.25 < gain.high < 0.5
    assert compare(before, before)["R@1"].high == 0
    with pytest.raises(InputError, match="share no query"):
        compare(before, evaluate([Judgment("new", form("a"), {"A": 1})], rankings(a=["A"]), nothing, SMALL))


ids = st.text(min_size=1, max_size=6)
OPTIONS = EvaluationOptions(cutoffs=(1, 2, 5), depth=20, resamples=10)


@given(st.lists(ids, max_size=20, unique=True), st.dictionaries(ids, st.integers(0, 4), max_size=12))
def test_every_measure_lies_between_0_and_1_and_agrees_with_counting(
    ranking: list[str], grades: dict[str, int]
) -> None:
    evaluation = one(ranking, OPTIONS, relevant=grades)
    if not any(grades.values()):
        assert len(evaluation.failures) == 1
        return
    (outcome,) = evaluation.outcomes
    assert all(0 <= value <= 1 + 1e-9 for value in outcome.values.values())
    relevant = {id_ for id_, grade in grades.items() if grade}
    for k in OPTIONS.cutoffs:
        among = len(relevant.intersection(ranking[:k]))
        assert outcome.values[f"R@{k}"] == pytest.approx(among / len(relevant))
        assert outcome.values[f"P@{k}"] == pytest.approx(among / k)
        assert outcome.values[f"Success@{k}"] == (among > 0)
        assert evaluation.curve.recall[k - 1] == pytest.approx(outcome.values[f"R@{k}"])
        assert evaluation.curve.success[k - 1] == outcome.values[f"Success@{k}"]
    assert outcome.values["RR"] == pytest.approx(1 / outcome.first_rank if outcome.first_rank else 0)


@given(st.dictionaries(ids, st.integers(1, 4), min_size=1, max_size=10), st.integers(0, 5))
def test_a_perfect_ranking_measures_1(grades: dict[str, int], tail: int) -> None:
    ranking = sorted(grades, key=lambda id_: -grades[id_]) + [f"irrelevant {n}" for n in range(tail)]
    values = one(ranking, OPTIONS, relevant=grades).outcomes[0].values
    perfect = {
        name: value for name, value in values.items() if name.startswith(("nDCG", "Success", "RR", "AP"))
    }
    assert perfect == pytest.approx(dict.fromkeys(perfect, 1.0))


@given(st.permutations([f"x{n}" for n in range(8)]), st.integers(0, 3))
def test_the_order_of_irrelevant_products_changes_nothing(tail: list[str], place: int) -> None:
    def ranking(irrelevant: Sequence[str]) -> list[str]:
        return [*irrelevant[:place], "A", *irrelevant[place:], "B"]

    plain = one(ranking([f"x{n}" for n in range(8)]), OPTIONS, relevant={"A": 2, "B": 1})
    assert (
        one(ranking(tail), OPTIONS, relevant={"A": 2, "B": 1}).outcomes[0].values == plain.outcomes[0].values
    )


@given(st.integers(0, 2**32 - 1))
def test_intervals_lie_around_the_mean(seed: int) -> None:
    places = np.random.default_rng(seed).integers(0, 6, size=12)
    judgments = [Judgment(str(n), form(str(place)), {"A": 1}) for n, place in enumerate(places)]
    search = rankings(**{str(place): [f"x{n}" for n in range(place)] + ["A"] for place in range(6)})
    for estimate in evaluate(judgments, search, nothing, OPTIONS).measures.values():
        assert estimate.low is not None and estimate.high is not None
        assert 0 <= estimate.low <= estimate.high <= 1 + 1e-9


def test_json_form_holds_everything() -> None:
    evaluation = one(["x", "A"], SMALL, relevant={"A": 1})
    told = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert told["measures"]["RR"] == {"mean": 0.5, "low": None, "high": None}
    (query,) = told["per_query"]
    assert query["query"] == '"a"' and query["first_rank"] == 2 and query["hits"][1]["title"] == "title of A"
    assert told["short_rankings"] == {"cut": 0, "complete": 1}
