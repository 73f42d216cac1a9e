"""Words of texts and products."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.types import Product
from lookalike.core.words import LONGEST_WORD, code_in, document_of, folded, runs
from strategies import examples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Blue  Shirt!", [("blue",), ("shirt",)]),
        ("T-Shirt", [("t", "shirt")]),
        ("Sony WH-1000XM4", [("sony",), ("wh", "1000xm4")]),
        ("men's women’s boss'", [("men",), ("women",), ("boss",)]),
        ("Größe CAFÉ Ёлка", [("grosse",), ("cafe",), ("елка",)]),
        ("ｶﾞﾗｽ ガラス", [("ガラ", "ラス"), ("ガラ", "ラス")]),
        ("赤いＴシャツ", [("赤い",), ("t",), ("シャ", "ャツ")]),
        ("हिन्दी शब्द", [("हिन्दी",), ("शब्द",)]),
        ("靴", [("靴",)]),
        ("", []),
        ("— … 👟", []),
    ],
)
def test_what_is_written_together(text: str, expected: list[tuple[str, ...]]) -> None:
    assert list(runs(text)) == expected


@examples(200)
@given(st.text(max_size=300))
def test_any_text_gives_words_that_are_folded_and_short(text: str) -> None:
    for pieces in runs(text):
        assert pieces
        for piece in pieces:
            assert 0 < len(piece) <= LONGEST_WORD and folded(piece) == piece


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WH-1000XM4", "wh1000xm4"),
        (" a 17 ", "a17"),
        ("lamp", ""),
        ("", ""),
        ("9" * 65, ""),
        ("1" + " " * 500, ""),
    ],
)
def test_a_code_has_a_digit(text: str, expected: str) -> None:
    assert code_in(text) == expected


def test_a_product_is_found_by_all_it_says_of_itself() -> None:
    document = document_of(
        Product(
            "MH12-XL",
            family="MH12",
            title="Blue T-Shirt KX-500",
            description="soft blue cloth",
            brand="Aro",
            categories=("Men/Tops", "Sale"),
            attributes={
                "color": "navy",
                "sizes": ("S", "M"),
                "organic": True,
                "toxic": False,
                "year": 2012,
                "litres": 1.5,
                "ean": 4006381333931,
                "since": datetime(2020, 1, 1, tzinfo=UTC),
            },
            price=49.0,
        )
    )
    assert document.words["blue"] == 4.0  # in the title and the description
    assert {
        "tshirt",
        "t",
        "shirt",
        "aro",
        "men",
        "tops",
        "navy",
        "s",
        "m",
        "organic",
        "2012",
        "cloth",
    } <= document.words.keys()
    assert not {"toxic", "49", "2020"} & document.words.keys()
    assert document.codes == {"mh12xl", "mh12", "kx500", "4006381333931"}
    assert document.length == sum(document.words.values())


def test_a_product_that_says_nothing_has_its_id() -> None:
    assert document_of(Product("p-1")).words.keys() == {"p", "1", "p1"}
    assert document_of(Product("—")).words == {}
