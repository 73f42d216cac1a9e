"""Cursors: what was shown comes back to the key, and nothing else is taken for a cursor."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import LimitError, QueryError
from lookalike.core.filter_text import parse
from lookalike.core.query import ImagePart, ProductPart, Query, TextPart, VectorPart
from lookalike.engine.cursor import read, signature, write
from strategies import examples

SIGNED = "0123456789ab"
PIXELS = np.zeros((4, 6, 3), np.uint8)
VECTOR = np.array([1, 0], np.float32)
PARTS = (ImagePart(PIXELS), TextPart("red"), ProductPart("P1"), VectorPart("image", VECTOR))
QUERY = Query(PARTS)


@examples(100)
@given(st.lists(st.integers(0, 2**31 - 1), max_size=60))
def test_what_was_shown_comes_back_in_order(keys: list[int]) -> None:
    cursor = write(SIGNED, np.array(keys, np.int64))
    seen = read(cursor, SIGNED, 100)
    assert seen.dtype == np.int64 and seen.tolist() == keys
    assert cursor.isascii() and not set(cursor) & set("+/=&?# ")  # fits into a URL as it is


def test_no_cursor_means_nothing_shown() -> None:
    assert read(None, SIGNED, 100).tolist() == []


def test_a_cursor_is_short_for_the_pages_people_turn() -> None:
    keys = np.random.default_rng(0).integers(0, 100_000, 100)
    assert len(write(SIGNED, keys)) < 500


def refused(cursor: str, max_depth: int = 100) -> str:
    with pytest.raises(QueryError) as error:
        read(cursor, SIGNED, max_depth)
    assert error.value.hint == "Repeat the query without a cursor."
    return str(error.value)


def test_the_cursor_of_another_query_is_refused() -> None:
    cursor = write("0123456789ac", np.arange(5))
    assert refused(cursor) == "this cursor belongs to another query"


def test_what_is_no_cursor_is_called_so() -> None:
    for text, shown in (("", "''"), ("abc", "'abc'"), ("x" * 50, f"'{'x' * 39}…'")):
        with pytest.raises(QueryError) as error:
            read(text, SIGNED, 100)
        assert str(error.value) == f"{shown} is no cursor"
        assert error.value.hint == "Give the cursor of the page before, whole; or none."


def test_a_cursor_cut_anywhere_is_damaged() -> None:
    cursor = write(SIGNED, np.arange(40))
    for length in range(len(SIGNED), len(cursor)):
        assert refused(cursor[:length]) == "this cursor is damaged"


@examples(100)
@given(st.integers(0, 1000), st.sampled_from("Aaz09-_!é=+/ \n"))
def test_a_cursor_with_another_character_is_damaged_or_says_the_same(place: int, character: str) -> None:
    cursor = write(SIGNED, np.arange(40))
    place = len(SIGNED) + place % (len(cursor) - len(SIGNED))
    changed = cursor[:place] + character + cursor[place + 1 :]
    try:
        assert read(changed, SIGNED, 100).tolist() == list(range(40))  # the last character has bits to spare
    except QueryError as error:
        assert str(error) == "this cursor is damaged"


@examples(60)
@given(st.text(max_size=30))
def test_any_text_behind_a_signature_is_damaged(text: str) -> None:
    assert refused(SIGNED + text) == "this cursor is damaged"


def packed(raw: bytes) -> str:
    return SIGNED + base64.urlsafe_b64encode(zlib.compress(raw)).decode().rstrip("=")


def test_bytes_that_are_no_keys_are_damaged() -> None:
    assert refused(packed(b"abc")) == "this cursor is damaged"
    assert refused(packed(np.array([1, -1], "<i4").tobytes())) == "this cursor is damaged"
    whole = base64.urlsafe_b64encode(zlib.compress(b"\1\0\0\0") + b"more").decode().rstrip("=")
    assert refused(SIGNED + whole) == "this cursor is damaged"


def test_the_pages_of_one_search_have_a_limit() -> None:
    assert len(read(write(SIGNED, np.arange(99)), SIGNED, 100)) == 99
    for count in (100, 101, 5000):
        with pytest.raises(LimitError) as error:
            read(write(SIGNED, np.arange(count)), SIGNED, 100)
        assert error.value.limit == "search.max_depth"
    bomb = packed(bytes(400_000_000 // 16))
    with pytest.raises(LimitError):
        read(bomb, SIGNED, 100)


# --- signatures -----------------------------------------------------------------------------------------------------

SHAPING: dict[str, Any] = {
    "where": parse("price < 5"),
    "mode": "any",
    "weights": {"image": 1.0},
    "rerank": "new",
    "diversity": 0.5,
    "group": True,
    "max_per_category": 3,
}


def test_all_that_shapes_an_answer_is_signed() -> None:
    queries = [QUERY, *(replace(QUERY, **{name: value}) for name, value in SHAPING.items())]
    queries += [replace(QUERY, where=parse("price <= 5")), replace(QUERY, rerank={"rating": 1.0})]
    others = [
        (),
        PARTS[:-1],
        PARTS[::-1],
        (*PARTS, PARTS[1]),
        *((*PARTS[:at], replace(part, weight=0.5), *PARTS[at + 1 :]) for at, part in enumerate(PARTS)),
        (ImagePart(PIXELS + 1), *PARTS[1:]),
        (ImagePart(PIXELS.reshape(6, 4, 3)), *PARTS[1:]),
        (PARTS[0], TextPart("Red"), *PARTS[2:]),
        (PARTS[0], ProductPart("red"), *PARTS[2:]),
        (*PARTS[:2], ProductPart("P2"), PARTS[3]),
        (*PARTS[:3], VectorPart("title", VECTOR)),
        (*PARTS[:3], VectorPart("image", -VECTOR)),
        (*PARTS[:3], VectorPart("image", np.array([VECTOR]))),
    ]
    queries += [Query(parts) for parts in others]
    signed = [signature(query) for query in queries]
    assert len(set(signed)) == len(signed) and {len(s) for s in signed} == {len(SIGNED)}


def test_what_only_shows_more_or_turns_the_page_is_not_signed() -> None:
    same = [QUERY, replace(QUERY, facets=("brand",)), replace(QUERY, cursor="x")]
    same.append(Query((ImagePart(PIXELS.copy(), name="image a.jpg"), *PARTS[1:])))
    same.append(Query((*PARTS[:3], VectorPart("image", VECTOR.astype(np.float64)))))
    assert len({signature(query) for query in same}) == 1


def test_weights_are_signed_whatever_their_order_and_container() -> None:
    for name in ("weights", "rerank"):
        orders: list[Any] = [
            {"a": 1.0, "b": 2.0},
            {"b": 2.0, "a": 1.0},
            MappingProxyType({"a": 1.0, "b": 2.0}),
        ]
        assert len({signature(replace(QUERY, **{name: weights})) for weights in orders}) == 1
