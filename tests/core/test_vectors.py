"""What becomes a unit row, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import VectorError
from lookalike.core.vectors import keyed_rows, unit_rows
from strategies import examples


@examples(50)
@given(
    st.integers(0, 5),
    st.integers(1, 40),
    st.integers(0, 1000),
    st.sampled_from([1e-30, 1e-3, 1.0, 1e6, 1e30]),
)
def test_rows_come_out_with_length_one_and_the_same_direction(
    n: int, dim: int, seed: int, scale: float
) -> None:
    given_rows = np.random.default_rng(seed).standard_normal((n, dim)) * scale
    rows = unit_rows(given_rows, dim)
    assert rows.dtype == np.float32 and rows.shape == (n, dim) and rows.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1.0, atol=1e-5)
    wanted = given_rows / np.linalg.norm(given_rows, axis=1, keepdims=True)
    np.testing.assert_allclose(rows, wanted, atol=1e-5)


def test_rows_of_length_one_stay_as_they_are_to_the_bit() -> None:
    rows = unit_rows(np.random.default_rng(1).standard_normal((20, 8)), 8)
    np.testing.assert_array_equal(unit_rows(rows, 8), rows)
    np.testing.assert_array_equal(unit_rows(np.asfortranarray(rows), 8), rows)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf, 1e300], ids=str)
def test_a_row_without_a_direction_is_named(bad: float) -> None:
    rows = np.ones((4, 3))
    rows[2] = (bad, 0, 0)
    with pytest.raises(VectorError) as error:
        unit_rows(rows, 3, "query vectors")
    message = "row 2 of the query vectors is zero, infinite or not a number (1 of 4 rows are)"
    assert str(error.value) == message and error.value.hint


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), (0, 2), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(VectorError, match=r"expected \[n, 3\]"):
        unit_rows(np.ones(shape), 3)


def test_every_row_needs_a_key() -> None:
    keys, rows = keyed_rows([5, 5], np.eye(2), 2)  # type: ignore[arg-type]
    assert keys.dtype == np.int64 and keys.tolist() == [5, 5] and rows.dtype == np.float32
    for wrong in (np.arange(3), np.arange(0), np.zeros((2, 1), np.int64)):
        with pytest.raises(VectorError, match="for 2 vectors"):
            keyed_rows(wrong, np.eye(2), 2)
