"""One per group, a cap per group, and variety."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.diversify import cap_per_group, first_of_each, maximal_marginal_relevance
from strategies import examples

groups = st.lists(st.one_of(st.none(), st.sampled_from("abc")), max_size=12)


@examples(60)
@given(groups)
def test_the_first_of_each_group_and_all_without_one(held: list[str | None]) -> None:
    kept = first_of_each(held).tolist()
    assert kept == [i for i, group in enumerate(held) if group is None or group not in held[:i]]


@examples(60)
@given(groups, st.integers(1, 4))
def test_beyond_its_cap_a_group_moves_back_and_nothing_is_lost(held: list[str | None], cap: int) -> None:
    order = cap_per_group(held, cap).tolist()
    beyond = [i for i, group in enumerate(held) if group is not None and held[:i].count(group) >= cap]
    assert order == [i for i in range(len(held)) if i not in beyond] + beyond


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores float64 [n] and likeness float64 [n, n] of points on a half circle."""
    n = draw(st.integers(0, 8))
    scores = np.array(draw(st.lists(st.floats(-1, 2), min_size=n, max_size=n)))
    angles = np.array(draw(st.lists(st.floats(0, 3.14), min_size=n, max_size=n)))
    return scores, np.maximum(np.cos(angles[:, None] - angles[None, :]), 0.0)


def greedy(scores: np.ndarray, alike: np.ndarray, diversity: float, count: int) -> list[int]:
    """Choose one after the other, each time looking at all that is left: the definition, word for word."""
    chosen: list[int] = []
    while len(chosen) < min(count, len(scores)):
        left = [i for i in range(len(scores)) if i not in chosen]
        worth = {
            i: (1 - diversity) * scores[i] - diversity * max([0.0, *(alike[j, i] for j in chosen)])
            for i in left
        }
        chosen.append(max(left, key=lambda i: (worth[i], -i)))
    return chosen


@examples(150)
@given(pools(), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_it_is_the_greedy_choice_and_a_shorter_list_begins_a_longer_one(
    pool: tuple[np.ndarray, np.ndarray], diversity: float
) -> None:
    scores, alike = pool
    whole = maximal_marginal_relevance(scores, alike, diversity, len(scores) + 3).tolist()
    assert whole == greedy(scores, alike, diversity, len(scores))
    assert sorted(whole) == list(range(len(scores)))
    for count in range(len(scores)):
        assert maximal_marginal_relevance(scores, alike, diversity, count).tolist() == whole[:count]


def test_without_diversity_the_best_come_first_and_the_input_is_left_alone() -> None:
    scores = np.array([0.2, 0.9, 0.9, 0.5])
    kept = scores.copy()
    order = maximal_marginal_relevance(scores, np.ones((4, 4)), 0.0, 4)
    assert order.tolist() == [1, 2, 3, 0] and order.dtype == np.int64
    np.testing.assert_array_equal(scores, kept)


def test_the_twin_of_the_best_gives_way_to_something_else() -> None:
    alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    scores = np.array([1.0, 0.99, 0.6])
    assert maximal_marginal_relevance(scores, alike, 0.1, 3).tolist() == [0, 1, 2]
    assert maximal_marginal_relevance(scores, alike, 0.4, 3).tolist() == [0, 2, 1]
