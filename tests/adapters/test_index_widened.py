"""What live searches find less of than was promised is looked for further."""

from __future__ import annotations

import pytest

from lookalike.adapters.index_cells_widened import ENOUGH, MORE, MOST, Widened


def test_only_kinds_of_searches_that_certainly_fall_short_look_further() -> None:
    widened = Widened(0.95)
    said = [widened.found(0.05, 0.8) for _ in range(ENOUGH)]
    assert said == [False] * (ENOUGH - 1) + [True]
    assert widened.times(0.05) == widened.times(0.02) == MORE
    assert [widened.times(share) for share in (0.0001, 0.005, 0.5, 1.0)] == [1.0] * 4
    assert widened.state() == {"0": 1.0, "0.001": 1.0, "0.01": MORE, "0.1": 1.0, "all": 1.0}


def test_chance_is_not_taken_for_a_shortfall() -> None:
    widened = Widened(0.95)
    for number in range(40 * ENOUGH):
        assert not widened.found(1.0, 0.4 if number % 12 == 0 else 1.0)  # 0.95 in the mean
    assert widened.times(1.0) == 1.0


def test_it_goes_on_as_far_as_it_may_and_forgets_old_times() -> None:
    widened = Widened(0.95)
    for _ in range(20 * ENOUGH):
        widened.found(0.5, 0.5)
    assert widened.times(0.5) == MOST
    better = Widened(0.95)
    for _ in range(20 * ENOUGH):
        better.found(1.0, 1.0)
    short = [better.found(1.0, 0.5) for _ in range(ENOUGH)]
    assert short[-1], "what was found long ago hides nothing"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 1.0])
def test_every_share_has_a_place(share: float) -> None:
    assert Widened(0.9).times(share) == 1.0
