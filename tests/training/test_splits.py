"""What is held out stays held out, by the shares it should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.splits import (
    CLOTHING_SHARE,
    FASHION_SHARE,
    LUMA_SHARE,
    fold,
    held_out_family,
    held_out_fashion,
    held_out_sender,
)

DATA = Path(os.environ.get("LOOKALIKE_DATA", "data"))  # the sets themselves, where someone has them
NAMES = [f"name {number}" for number in range(20_000)]


@given(st.text())
def test_a_fold_lies_in_0_to_1(key: str) -> None:
    assert 0 <= fold(key) < 1


def test_folds_are_spread_evenly() -> None:
    counts = [0] * 10
    for name in NAMES:
        counts[int(fold(name) * 10)] += 1
    assert min(counts) > 1_850 and max(counts) < 2_150


@pytest.mark.parametrize(
    ("held_out", "share"),
    [
        (held_out_fashion, FASHION_SHARE),
        (held_out_sender, CLOTHING_SHARE),
        (held_out_family, LUMA_SHARE),
    ],
)
def test_the_share_of_names_is_held_out(held_out: Callable[[str], bool], share: float) -> None:
    assert sum(map(held_out, NAMES)) / len(NAMES) == pytest.approx(share, abs=0.015)


def test_the_split_is_the_one_the_shipped_model_was_trained_with() -> None:
    """Another hash, salt or share would put what the model has seen among what it is tested on."""
    assert [sender for sender in range(40) if held_out_sender(sender)] == [
        1,
        5,
        6,
        7,
        14,
        16,
        22,
        28,
        31,
        38,
        39,
    ]
    families = ("MH01", "MH02", "MH03", "WS12", "WP07", "24-MB01")
    assert [family for family in families if held_out_family(family)] == ["MH03", "WP07", "24-MB01"]
    assert fold("fashion:red tshirt") == 0.9448105784455478


@given(st.text(), st.sampled_from(["", " ", "\t", "\n "]))
def test_case_and_outer_spaces_make_no_other_title(title: str, space: str) -> None:
    assert held_out_fashion(f"{space}{title}{space}") == held_out_fashion(title)
    assert held_out_fashion(title.casefold()) == held_out_fashion(title)


def test_a_product_without_a_title_goes_with_the_empty_title() -> None:
    assert held_out_fashion(None) == held_out_fashion("")


@given(st.integers(min_value=0))
def test_a_sender_is_the_same_as_number_and_as_text(sender: int) -> None:
    assert held_out_sender(sender) == held_out_sender(str(sender))


@pytest.mark.parametrize(
    ("file", "column", "held_out", "expected"),
    [
        ("fashion.parquet", "title", held_out_fashion, 5_289),
        ("clothing.parquet", "sender", held_out_sender, 1_269),
        ("luma.parquet", "product_id", held_out_family, 243),
    ],
)
def test_as_much_is_held_out_as_is_said(
    file: str, column: str, held_out: Callable[[object], bool], expected: int
) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"{DATA / file} is not there; LOOKALIKE_DATA names the folder of the sets")
    labels = ["label"] if file == "clothing.parquet" else []
    rows = pq.read_table(DATA / file, columns=[column, *labels]).to_pylist()
    asked = [row[column] for row in rows if row.get("label") not in ("Not sure", "Skip", "Other")]
    assert sum(map(held_out, asked)) == expected
