"""Business signals: each within [0, 1] whatever the columns hold, and each with the meaning its words promise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.columns import Columns
from lookalike.core.errors import QueryError
from lookalike.core.rerank import PROFILES, SIGNALS, Context, profile, rank_signals
from lookalike.core.types import Product
from strategies import any_dates, examples

NOW = datetime(2026, 6, 1, tzinfo=UTC)

numbers = st.one_of(st.none(), st.floats(), st.integers(-5, 50), st.sampled_from([0.0, 5e-324, 1.7e308]))
rated = st.builds(
    Product,
    id=st.just("P"),
    availability=st.one_of(st.none(), st.booleans()),
    popularity=numbers,
    rating=numbers,
    conversion_rate=numbers,
    added=st.one_of(st.none(), any_dates),
)


def signals(products: list[Product], *more_keys: int) -> dict[str, Any]:
    columns = Columns()
    columns.set(range(len(products)), products)
    keys = np.array([*range(len(products)), *more_keys], np.int64)
    return rank_signals(dict.fromkeys(SIGNALS, 1.0), Context(columns, NOW.timestamp()), keys)


@examples(120)
@given(st.lists(rated, max_size=5))
def test_each_signal_of_any_columns_is_within_zero_and_one(products: list[Product]) -> None:
    found = signals(products, 1000, 10**6)  # one key without a product, one beyond the columns
    assert found.keys() == SIGNALS.keys()
    for name, values in found.items():
        assert values.shape == (len(products) + 2,) and values.dtype == np.float64, name
        assert not np.isnan(values).any(), name
        assert ((values >= 0) & (values <= 1)).all(), name
        assert values[-2:].tolist() == [SIGNALS[name].neutral] * 2, name


def test_every_signal_has_words_and_a_neutral_value_within_zero_and_one() -> None:
    for name, signal in SIGNALS.items():
        assert signal.name == name and signal.words and 0 <= signal.neutral <= 1


def test_no_products_give_no_values() -> None:
    assert all(values.shape == (0,) for values in signals([]).values())


def one(name: str, *fields: dict[str, Any]) -> list[float]:
    return [round(v, 6) for v in signals([Product("P", **f) for f in fields])[name]]


def test_rating_and_conversion_and_availability() -> None:
    assert one("rating", {"rating": 5}, {"rating": 2.5}, {"rating": 0}, {}) == [1, 0.5, 0, 0.7]
    assert one("conversion", {"conversion_rate": 0.1}, {"conversion_rate": 0.025}, {}) == [1, 0.5, 0.3]
    assert one("conversion", {"conversion_rate": 0.5}, {"conversion_rate": 0.0}) == [1, 0]
    assert one("availability", {"availability": True}, {"availability": False}, {}) == [1, 0, 1]


def test_popularity_is_logarithmic_and_against_the_most_popular() -> None:
    assert one("popularity", {"popularity": 99}, {"popularity": 9}, {"popularity": 0}, {}) == [1, 0.5, 0, 0]
    assert one("popularity", {"popularity": 0}, {}) == [0, 0]
    assert one("popularity", {}, {}) == [0, 0]


def test_freshness_halves_in_thirty_days_and_the_future_is_new() -> None:
    ages = [0, 30, 60, -10]
    fields = [{"added": NOW - timedelta(days=days)} for days in ages]
    assert one("freshness", *fields, {}) == [1, 0.5, 0.25, 1, 0]


def test_only_weighted_signals_are_worked_out() -> None:
    context = Context(Columns(), 0.0)
    assert rank_signals({}, context, np.arange(3)) == {}
    assert rank_signals({"rating": 0.0}, context, np.arange(3))["rating"].tolist() == [0.7] * 3


def test_profiles_are_weights_of_signals() -> None:
    assert profile("relevance") == {}
    for name, weights in PROFILES.items():
        assert profile(name) is weights
        assert weights.keys() <= SIGNALS.keys()
    assert profile({"rating": -0.5}) == {"rating": -0.5}


@pytest.mark.parametrize(
    "asked", ["best", "", {"ratings": 1.0}, {"rating": float("nan")}, {"rating": float("inf")}], ids=str
)
def test_an_unknown_profile_or_weight_names_those_there_are(asked: Any) -> None:
    with pytest.raises(QueryError) as error:
        profile(asked)
    for name in PROFILES if isinstance(asked, str) else SIGNALS:
        assert name in error.value.hint
