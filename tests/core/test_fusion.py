"""Calibration, the ways parts combine, explanations that add up, and the bound on what was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lookalike.core.errors import QueryError
from lookalike.core.fusion import (
    DEFAULT_WEIGHTS,
    NEIGHBOUR,
    UNCALIBRATED,
    Calibration,
    Signal,
    ceiling,
    explain,
    fuse,
    space_weights,
)
from lookalike.core.query import Mode
from lookalike.core.types import ATTRIBUTES, DESCRIPTION, IMAGE, SPACES, TITLE
from strategies import examples

MODES: tuple[Mode, ...] = ("mix", "any", "all")
anchors = st.one_of(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 0.9985, 0.9995, 1.0]))
calibrations = st.builds(Calibration, anchors, anchors)
similarities = st.one_of(st.just(np.nan), st.floats(-1, 1, width=32), st.sampled_from([-1.0, 0.0, 1.0]))


# --- calibration ----------------------------------------------------------------------------------------------------


@examples(200)
@given(calibrations, st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=20))
@example(Calibration(1.0, 1.0), [-1.0, 0.0, 1.0])
@example(Calibration(0.5, -0.5), [-1.0, 0.5, 0.51])
def test_calibration_is_monotone_finite_and_one_for_identical(
    calibration: Calibration, held: list[float]
) -> None:
    ordered = np.sort(np.array([*held, 1.0], np.float32))
    values = calibration(ordered)
    assert values.dtype == np.float64 and np.isfinite(values).all()
    assert (np.diff(values) >= 0).all() and values[-1] == 1.0
    apart = np.diff(ordered) > 1e-3
    assert (np.diff(values)[apart] > 0).all()  # nearer is never only as good
    assert calibration(np.array([np.nan], np.float32)).tolist() == [0.0]


@examples(100)
@given(st.floats(-1, 0.99), st.floats(0.002, 1))
def test_calibration_hits_its_anchors(background: float, gap: float) -> None:
    neighbour = min(background + gap, 0.999)
    values = Calibration(background, neighbour)(np.array([background, neighbour, 1.0]))
    np.testing.assert_allclose(values, [0.0, NEIGHBOUR, 1.0], atol=1e-9)


@pytest.mark.parametrize(
    ("background", "neighbour"), [(0.5, 0.5), (0.5, 0.2), (0.99, 1.0), (0.0, 1.0), (-1.0, -1.0)]
)
def test_anchors_that_meet_or_cross_still_give_a_scale(background: float, neighbour: float) -> None:
    values = Calibration(background, neighbour)(np.array([background, 1.0, 1.0 + 1e-6]))
    np.testing.assert_allclose(values, [0.0, 1.0, 1.0], atol=1e-9)


def test_below_the_background_the_first_slope_goes_on() -> None:
    values = Calibration(0.2, 0.6)(np.array([-1.0, 0.0, 0.2, 0.4, 0.8]))
    np.testing.assert_allclose(values, [-1.2 * 0.75 / 0.4, -0.2 * 0.75 / 0.4, 0, 0.375, 0.875])


def test_uncalibrated_changes_nothing_and_shapes_are_kept() -> None:
    held = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(UNCALIBRATED(held), held, atol=1e-7)


# --- weights of spaces ----------------------------------------------------------------------------------------------


a_weight = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))


@examples(100)
@given(st.sets(st.sampled_from(SPACES), min_size=1), st.dictionaries(st.sampled_from(SPACES), a_weight))
def test_shares_are_positive_and_add_up_to_one(spaces: set[str], weights: dict[str, float]) -> None:
    if not any(weights.get(space, 0.0) for space in spaces):
        with pytest.raises(QueryError, match="leave nothing to search"):
            space_weights(sorted(spaces), weights)
        return
    shares = space_weights(sorted(spaces), weights)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares.keys() == {space for space in spaces if weights.get(space, 0.0) > 0}


def test_default_shares_keep_their_proportions() -> None:
    total = sum(DEFAULT_WEIGHTS.values())
    expected = {space: weight / total for space, weight in DEFAULT_WEIGHTS.items()}
    assert space_weights(SPACES, None) == pytest.approx(expected)
    assert space_weights((TITLE, DESCRIPTION), None) == pytest.approx({TITLE: 0.625, DESCRIPTION: 0.375})


@pytest.mark.parametrize(
    "weights", [{"picture": 1.0}, {IMAGE: -1.0}, {IMAGE: np.nan}, {IMAGE: np.inf}], ids=str
)
def test_bad_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(QueryError) as error:
        space_weights(SPACES, weights)
    assert all(space in error.value.hint for space in SPACES)


# --- fusing ---------------------------------------------------------------------------------------------------------


def seen(
    part: int, held: list[float], part_weight: float = 1.0, space: str = IMAGE, weight: float = 1.0
) -> Signal:
    return Signal(part, part_weight, space, weight, UNCALIBRATED, np.array(held, np.float32))


def test_one_part_is_the_weighted_mean_of_its_spaces() -> None:
    signals = [seen(0, [0.8, 0.4], weight=0.75), seen(0, [0.0, np.nan], space=TITLE, weight=0.25)]
    for mode in MODES:
        np.testing.assert_allclose(fuse(signals, mode), [0.6, 0.3], atol=1e-6)


def test_the_modes_on_two_parts() -> None:
    signals = [seen(0, [0.9, 0.2, 0.5], 3.0), seen(1, [0.1, 0.6, np.nan], 1.0, TITLE)]
    np.testing.assert_allclose(fuse(signals, "mix"), [0.7, 0.3, 0.375], atol=1e-6)
    np.testing.assert_allclose(fuse(signals, "any"), [0.9, 0.6, 0.5], atol=1e-6)
    np.testing.assert_allclose(fuse(signals, "all"), [0.1, 0.2, 0.0], atol=1e-6)


def test_a_negative_part_takes_away_what_is_above_the_background_and_rewards_nothing() -> None:
    signals = [seen(0, [0.8] * 4, 2.0), seen(1, [0.6, 0.0, -0.6, np.nan], -1.0, TITLE)]
    for mode in MODES:
        np.testing.assert_allclose(fuse(signals, mode), [0.5, 0.8, 0.8, 0.8], atol=1e-6)


@st.composite
def queries(draw: st.DrawFn) -> list[Signal]:
    """Signals of a query of up to four parts in up to three spaces each, over the same few products."""
    n = draw(st.integers(1, 6))
    weights = draw(st.lists(st.sampled_from([-2.0, -0.5, 0.3, 1.0, 4.0]), max_size=3))
    signals = []
    for part, part_weight in enumerate(draw(st.permutations([*weights, draw(st.sampled_from([0.5, 1.0]))]))):
        spaces = draw(
            st.lists(st.sampled_from([IMAGE, TITLE, ATTRIBUTES]), min_size=1, max_size=3, unique=True)
        )
        for space, share in space_weights(spaces, None).items():
            held = np.array(draw(st.lists(similarities, min_size=n, max_size=n)), np.float32)
            signals.append(Signal(part, part_weight, space, share, draw(calibrations), held))
    return signals


@examples(100)
@given(queries(), st.sampled_from(MODES))
def test_the_terms_of_an_explanation_add_up(signals: list[Signal], mode: Mode) -> None:
    relevance = fuse(signals, mode)
    names = [f"part {number}" for number in range(4)]
    explained = explain(signals, mode, names)
    assert len(explained) == len(relevance) and relevance.dtype == np.float64
    assert np.isfinite(relevance).all() and (relevance <= 1 + 1e-9).all()
    for number, terms in enumerate(explained):
        assert sum(term.contribution for term in terms) == pytest.approx(
            relevance[number], abs=1e-6, rel=1e-9
        )
        deciding = {term.part for term in terms if term.weight > 0}
        assert mode == "mix" or len(deciding) == 1
        for term in terms:
            (signal,) = [s for s in signals if (names[s.part], s.space) == (term.part, term.name)]
            held = signal.similarities[number]
            assert term.contribution == term.weight * term.value
            assert term.value == signal.values[number]
            assert term.similarity == (None if np.isnan(held) else held)
            assert np.sign(term.weight) == np.sign(signal.part_weight) or not term.weight
        unwanted = {(names[s.part], s.space) for s in signals if s.part_weight < 0}
        assert unwanted <= {(term.part, term.name) for term in terms}  # also where it takes nothing away


@examples(60)
@given(queries(), st.sampled_from(MODES))
def test_more_alike_is_never_worse_and_less_of_the_unwanted_neither(
    signals: list[Signal], mode: Mode
) -> None:
    def moved(signal: Signal) -> Signal:
        step = 0.1 * np.sign(signal.part_weight)
        return replace(signal, similarities=np.clip(signal.similarities + np.float32(step), -1, 1))

    before, after = fuse(signals, mode), fuse([moved(signal) for signal in signals], mode)
    unknown = np.any([np.isnan(s.similarities) for s in signals], axis=0)
    assert (after >= before - 1e-9)[~unknown].all()


# --- the bound ------------------------------------------------------------------------------------------------------


@dataclass
class Pools:
    """Which products were looked at, and per pool the lowest similarity in it (NaN: it holds all there are)."""

    inside: np.ndarray
    bounds: list[Signal]


def pooled(signals: list[Signal], sizes: list[int]) -> Pools:
    """Look at the most similar few of each attracting signal, as retrieval does."""
    inside = np.zeros(len(signals[0].similarities), bool)
    bounds = []
    for signal, size in zip(signals, sizes, strict=False):
        if signal.part_weight <= 0:
            continue
        held = signal.similarities
        known = np.flatnonzero(~np.isnan(held))
        pool = known[np.argsort(-held[known], kind="stable")][:size]
        inside[pool] = True
        lowest = held[pool[-1]] if len(pool) == size else np.nan
        bounds.append(replace(signal, similarities=np.array([lowest], np.float32)))
    return Pools(inside, bounds)


@examples(150)
@given(queries(), st.sampled_from(MODES), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_no_product_outside_the_pools_is_above_the_ceiling(
    signals: list[Signal], mode: Mode, sizes: list[int]
) -> None:
    pools = pooled(signals, sizes)
    outside = fuse(signals, mode)[~pools.inside]
    assert (outside <= ceiling(pools.bounds, mode) + 1e-9).all()


def test_the_ceiling_is_reached_by_a_product_as_near_as_the_last_of_every_pool() -> None:
    bounds = [seen(0, [0.4], weight=0.5), seen(0, [0.2], space=TITLE, weight=0.5), seen(1, [0.9], -1.0)]
    for mode in MODES:
        assert ceiling(bounds, mode) == pytest.approx(0.3)


def test_below_the_background_a_product_without_a_vector_is_the_best_outside() -> None:
    assert ceiling([seen(0, [-0.5])], "mix") == 0.0
    assert ceiling([seen(0, [np.nan])], "mix") == 0.0
