"""Reading judged queries: every accepted form, and a named complaint for everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import InputError
from lookalike.core.judgments import Judgment, PartForm, QueryForm, parse_judgment, read_judgments


def line(**changes: Any) -> str:
    row = {"id": "q", "query": {"text": "red dress"}, "relevant": ["P1"]} | changes
    return json.dumps({name: value for name, value in row.items() if value is not ...})


def test_reads_a_whole_judgment() -> None:
    text = line(
        relevant={"P1": 3, "P2": 0, "P3": 1.0},
        relevant_where='label = "Dress"',
        exclude=["P9"],
        exclude_where="sender = 12",
    )
    assert parse_judgment(text) == Judgment(
        id="q",
        query=QueryForm((PartForm("text", "red dress"),)),
        relevant={"P1": 3, "P2": 0, "P3": 1},
        relevant_where='label = "Dress"',
        exclude=("P9",),
        exclude_where="sender = 12",
    )


def test_reads_every_form_of_part() -> None:
    query = {
        "image": ["a.jpg", "https://shop/b.jpg"],
        "text": "red",
        "like": 7,
        "parts": [
            {"text": "long", "weight": -0.5},
            {"space": "image", "vector": [1, 0.5], "weight": 2},
            {"like": "P4"},
        ],
    }
    form = parse_judgment(line(query=query)).query
    assert form.parts == (
        PartForm("image", "a.jpg"),
        PartForm("image", "https://shop/b.jpg"),
        PartForm("text", "red"),
        PartForm("like", "7"),
        PartForm("text", "long", -0.5),
        PartForm("vector", (1.0, 0.5), 2.0, "image"),
        PartForm("like", "P4"),
    )
    assert form.likes == ("7", "P4")
    assert (
        str(form) == 'image a.jpg + image b.jpg + "red" + like 7 + -0.5 × "long" + 2 × image vector + like P4'
    )


def test_reads_the_options_of_a_query() -> None:
    query = {
        "text": "red",
        "where": "price < 50",
        "mode": "all",
        "weights": {"image": 1, "title": 0.5},
        "rerank": {"popularity": 0.2},
        "diversity": 0.3,
        "group": True,
        "max_per_category": 2,
    }
    form = parse_judgment(line(query=query)).query
    assert form == QueryForm(
        parts=(PartForm("text", "red"),),
        where="price < 50",
        mode="all",
        weights=(("image", 1.0), ("title", 0.5)),
        rerank=(("popularity", 0.2),),
        diversity=0.3,
        group=True,
        max_per_category=2,
    )
    assert str(form) == '"red", where price < 50'
    hash(form)  # so that a search may remember what it prepared


def test_null_is_the_same_as_leaving_out() -> None:
    text = line(query={"text": "red", "where": None}, relevant_where=None, exclude=None)
    assert parse_judgment(text) == parse_judgment(line(query={"text": "red"}))


def test_filters_alone_may_say_what_is_relevant() -> None:
    assert parse_judgment(line(relevant=..., relevant_where="type = hat")).relevant == {}


BAD = [
    ("{", "not JSON"),
    ("[]", "the line: not a JSON object"),
    ('{"id": "q", "id": "r"}', "not JSON: 'id' comes twice"),
    (line(relevant={"P1": float("nan")}), "not JSON: NaN"),
    ("[" * 100_000, "not JSON"),
    (line(colour="red"), "the line: unknown field 'colour'"),
    (line(id=...), "id: missing"),
    (line(id=" "), "id: not a text"),
    (line(id=True), "id: not a text"),
    (line(query=...), "query: not a JSON object"),
    (line(query={}), "query: asks for nothing"),
    (line(query={"image": []}), "query: asks for nothing"),
    (line(query={"text": ""}), "query.text: not a text"),
    (line(query={"text": ["red", 1.5]}), "query.text: not a text"),
    (line(query={"txt": "red"}), "query: unknown field 'txt'"),
    (line(query={"text": "red", "k": 5}), "query: k is not a field"),
    (line(query={"text": "red", "mode": "mixed"}), "query.mode: 'mixed'"),
    (line(query={"text": "red", "where": {"price": 5}}), "query.where: not a filter text"),
    (line(query={"text": "red", "weights": {"picture": 1}}), "query.weights: unknown field 'picture'"),
    (line(query={"text": "red", "weights": {"image": "1"}}), "query.weights['image']: not a finite number"),
    (line(query={"text": "red", "rerank": 3}), "query.rerank: not a JSON object"),
    (line(query={"text": "red", "diversity": 1.5}), "query.diversity: 1.5 is not between 0 and 1"),
    (line(query={"text": "red", "group": "yes"}), "query.group: not true or false"),
    (line(query={"text": "red", "max_per_category": 0}), "query.max_per_category: 0"),
    (line(query={"parts": {"text": "red"}}), "query.parts: not a list"),
    (line(query={"parts": ["red"]}), "query.parts[0]: not a JSON object"),
    (line(query={"parts": [{"text": "red", "like": "P1"}]}), "query.parts[0]: needs one of"),
    (line(query={"parts": [{"text": "red", "space": "title"}]}), "query.parts[0]: needs one of"),
    (line(query={"parts": [{"text": "red"}, {"vector": [1]}]}), "query.parts[1]: needs one of"),
    (line(query={"parts": [{"vector": [], "space": "image"}]}), "query.parts[0].vector: not a list"),
    (line(query={"parts": [{"vector": [1], "space": "sound"}]}), "query.parts[0].space: 'sound'"),
    (line(query={"parts": [{"text": "red", "weight": "1"}]}), "query.parts[0].weight: not a finite"),
    (line(query={"parts": [{"text": "red", "weight": 10**400}]}), "query.parts[0].weight: not a finite"),
    (line(relevant=...), "relevant: nothing is relevant"),
    (line(relevant=[]), "relevant: nothing is relevant"),
    (line(relevant={"P1": 0}), "relevant: nothing is relevant"),
    (line(relevant={"P1": -1}), "relevant['P1']: the grade -1"),
    (line(relevant={"P1": 0.5}), "relevant['P1']: the grade 0.5"),
    (line(relevant={"P1": 2**31}), "relevant['P1']: the grade"),
    (line(relevant={"P1": True}), "relevant['P1']: not a finite number"),
    (line(relevant={"P1": None}), "relevant['P1']: not a finite number"),
    (line(relevant_where=""), "relevant_where: not a filter text"),
    (line(exclude=[{}]), "exclude: not a text"),
    (line(exclude_where=3), "exclude_where: not a filter text"),
]


@pytest.mark.parametrize(("text", "complaint"), BAD, ids=[complaint for _, complaint in BAD])
def test_complaints_name_the_field_and_hint(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_judgment(text)
    assert str(caught.value).startswith(complaint)
    assert caught.value.hint.endswith(".")


def test_problems_are_collected_and_good_lines_kept() -> None:
    lines = ["\ufeff" + line(id="a") + "\r\n", "\n", "nonsense", line(id="b"), line(id="a"), line(id=3)]
    judgments, problems = read_judgments(lines)
    assert [judgment.id for judgment in judgments] == ["a", "b", "3"]
    assert [problem.line for problem in problems] == [3, 5]
    assert str(problems[1]) == "line 5: id: 'a' was used on line 1"
    assert all(problem.hint for problem in problems)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["id", "query", "relevant", "relevant_where", "exclude", "exclude_where"]
QUERY_FIELDS = ["image", "text", "like", "parts", "where", "mode", "weights", "rerank", "diversity", "group"]


@given(
    st.dictionaries(st.sampled_from(FIELDS), json_values),
    st.dictionaries(st.sampled_from(QUERY_FIELDS), json_values),
)
def test_any_json_is_read_or_complained_about(row: dict[str, Any], query: dict[str, Any]) -> None:
    for changes in (row, {"query": query}):
        judgments, problems = read_judgments([line(**changes)])
        assert len(judgments) + len(problems) == 1


@given(st.text())
def test_any_text_is_read_or_complained_about(text: str) -> None:
    judgments, problems = read_judgments([text])
    assert not judgments and len(problems) <= 1
