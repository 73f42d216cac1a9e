"""Clicks become grades: what is good is found, wherever it stood."""

from __future__ import annotations

import json
from itertools import groupby
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.click_grades import Shown, grade_of, judgments_of
from lookalike.core.clicks import AtPosition
from lookalike.core.judgments import parse_judgment

POSITIONS = {1: AtPosition(100, 40), 2: AtPosition(100, 20), 3: AtPosition(100, 10)}
TEXTS = st.sampled_from(["lamp", "red shirt", 'a "b" \\', "ö"])
SHOWN = st.builds(
    lambda phrase, where, id_, at, seen, clicked: Shown(phrase, where, id_, at, seen, min(seen, clicked)),
    TEXTS, st.sampled_from(["", 'brand = "A"']), st.sampled_from(["P1", "P2", "é"]),
    st.integers(1, 4), st.integers(1, 50), st.integers(0, 50),
)  # fmt: skip


def test_a_click_counts_by_where_it_came() -> None:
    """Twice as many clicks at the top, where five times as many were due, are the worse sign."""
    [judged] = judgments_of(
        [Shown("lamp", "", "low", 3, 50, 10), Shown("lamp", "", "top", 1, 50, 15), Shown("lamp", "", "unseen", 3, 2, 0),
         Shown("lamp", "", "unwanted", 2, 50, 0), Shown("lamp", "", "usual", 2, 50, 10)],
        POSITIONS, min_clicks=1,
    )  # fmt: skip
    assert judged == {
        "id": "lamp",
        "query": {"text": "lamp"},
        "relevant": {"low": 3, "top": 1, "unwanted": 0, "usual": 2},
    }


def test_a_product_counts_at_all_its_positions() -> None:
    shown = [Shown("lamp", "", "P1", 1, 10, 2), Shown("lamp", "", "P1", 3, 40, 6)]
    [judged] = judgments_of(shown, POSITIONS, 1)
    assert judged["relevant"] == {"P1": grade_of(8, 10 * 0.4 + 40 * 0.1)}


def test_few_clicks_say_little() -> None:
    assert grade_of(1, 0.1) == 3 and grade_of(1, 0.9) == 2 and grade_of(1, 1.1) == 1
    assert grade_of(0, 0.99) is None and grade_of(0, 1.0) == 0
    assert grade_of(3, 2.0) == 2 and grade_of(30, 20.0) == 2 and grade_of(31, 20.0) == 3


@given(st.lists(SHOWN, max_size=25), st.integers(1, 60))
def test_what_comes_out_can_be_evaluated(shown: list[Shown], min_clicks: int) -> None:
    ordered = sorted(shown, key=lambda each: (each.phrase, each.where, each.object_id, each.ordinal))
    clicks = {
        asked: sum(each.clicked for each in some)
        for asked, some in groupby(ordered, key=lambda each: (each.phrase, each.where))
    }
    found = [parse_judgment(json.dumps(each)) for each in judgments_of(ordered, POSITIONS, min_clicks)]
    assert [(str(each.query.parts[0].value), each.query.where or "") for each in found] == [
        asked for asked, number in clicks.items() if number >= min_clicks
    ]
    assert len({each.id for each in found}) == len(found)
    for each in found:
        assert set(each.relevant.values()) <= {0, 1, 2, 3}
        clicked = {s.object_id for s in shown if s.clicked and s.phrase == each.query.parts[0].value
                   and s.where == (each.query.where or "")}  # fmt: skip
        assert {id_ for id_, grade in each.relevant.items() if grade} == clicked


def test_the_bias_of_positions_is_taken_out() -> None:
    """People look at what stands low less often. Graded by clicks alone the bad product would win, as it stands on top."""
    rng = Random(7)
    looks = {1: 0.9, 2: 0.3}
    likes = {"good": 0.6, "bad": 0.3}
    shown = []
    for id_, share_on_top in (("good", 0.1), ("bad", 0.9)):
        for at in (1, 2):
            seen = round(1000 * (share_on_top if at == 1 else 1 - share_on_top))
            shown.append(
                Shown(
                    "lamp", "", id_, at, seen, sum(rng.random() < looks[at] * likes[id_] for _ in range(seen))
                )
            )
    of = {id_: sum(each.clicked for each in shown if each.object_id == id_) for id_ in likes}
    assert of["bad"] > of["good"]
    everything = {at: AtPosition(10_000, round(10_000 * looks[at] * 0.4)) for at in looks}
    [judged] = judgments_of(shown, everything, 10)
    assert judged["relevant"] == {"good": 3, "bad": 1}
