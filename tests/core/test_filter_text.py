"""The text form of filters: what it reads, that it reads what it writes, and where it points when it cannot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lookalike.core.errors import FilterError
from lookalike.core.filter_json import from_json, to_json
from lookalike.core.filter_text import parse, to_text
from lookalike.core.filters import (
    MAX_DEPTH,
    OPERATORS,
    And,
    Compare,
    Filter,
    Not,
    Or,
    compare,
    matches,
)
from lookalike.core.types import Product
from strategies import any_scalars, examples, filters, products

A, B, C = compare("a", "=", 1), compare("b", "=", 2), compare("c", "=", 3)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = 1", A),
        ("a=1", A),
        ("  a\n=\t1 ", A),
        ("a == 1.0", A),
        ("(((a = 1)))", A),
        ("a <> 1", compare("a", "!=", 1)),
        ("a<-5", compare("a", "<", -5)),
        ("a >= +.5e1", compare("a", ">=", 5)),
        ("a = 5.", compare("a", "=", 5)),
        ("a = 1 and b = 2 or c = 3", Or((And((A, B)), C))),
        ("a = 1 or b = 2 and c = 3", Or((A, And((B, C))))),
        ("(a = 1 or b = 2) and c = 3", And((Or((A, B)), C))),
        ("a = 1 AND b = 2 And c = 3", And((A, B, C))),
        ("a = 1 and (b = 2 and c = 3)", And((A, And((B, C))))),
        ("not a = 1 and b = 2", And((Not(A), B))),
        ("not (a = 1 and b = 2)", Not(And((A, B)))),
        ("NOT not a = 1", Not(Not(A))),
        ("a in (1, 2)", compare("a", "in", (1, 2))),
        ("a in (1, 2,)", compare("a", "in", (1, 2))),
        ("a in ()", compare("a", "in", ())),
        ("a not in (1)", compare("a", "not in", (1,))),
        ("not a in (1)", Not(compare("a", "in", (1,)))),
        ("a between 1 and 2 and b = 2", And((compare("a", "between", (1, 2)), B))),
        ("a between 'x' and \"y\"", compare("a", "between", ("x", "y"))),
        ("a contains 'red'", compare("a", "contains", "red")),
        ("a prefix 'Women/Shoes'", compare("a", "prefix", "Women/Shoes")),
        ("a exists and b = 2", And((compare("a", "exists"), B))),
        ("a = true or a = FALSE", Or((compare("a", "=", True), compare("a", "=", False)))),
        ("a = 'it''s'", compare("a", "=", "it's")),
        ('a = "say ""hi"""', compare("a", "=", 'say "hi"')),
        ("a = '' and b = 2", And((compare("a", "=", ""), B))),
        ("a = 'and )('", compare("a", "=", "and )(")),
        ("`on sale` = 1", compare("on sale", "=", 1)),
        ("`and` = 1 and `a``b` = 1", And((compare("and", "=", 1), compare("a`b", "=", 1)))),
        ("größe.eu = 1", compare("größe.eu", "=", 1)),
        ("added >= 2026-05-01", compare("added", ">=", MAY)),
        ("added >= 2026-05-01T02:00+02:00", compare("added", ">=", MAY)),
        ("added >= 2026-05-01 00:00:00.000Z", compare("added", ">=", MAY)),
        ("added in (2026-05-01)", compare("added", "in", (MAY,))),
        ("added = 2026-05-01 and a = 1", And((compare("added", "=", MAY), A))),
        ("a = '2026-05-01'", compare("a", "=", "2026-05-01")),
    ],
)
def test_texts_read_as_meant(text: str, tree: Filter) -> None:
    assert parse(text) == tree
    assert parse(to_text(tree)) == tree


def test_it_is_written_as_people_write_it() -> None:
    text = (
        'not color = "red" and (price <= 5.0 or brand not in ("A", "B")) and `on sale` = true and size exists'
    )
    assert to_text(parse(text)) == text
    assert to_text(compare("added", "between", (MAY, MAY))) == (
        "added between 2026-05-01T00:00:00+00:00 and 2026-05-01T00:00:00+00:00"
    )


names = st.one_of(
    st.sampled_from(["price", "and", "Not", "a.b", "größe", "`", "a`b", "1a"]), st.text(min_size=1)
)


@examples(200)
@given(filters(names, any_scalars, least=2))
@example(Compare("a`", "exists"))
@example(Not(Not(And((A, Or((A, B)))))))
def test_what_is_written_reads_back_to_an_equal_tree(tree: Filter) -> None:
    assert parse(to_text(tree)) == tree
    assert from_json(to_json(parse(to_text(tree)))) == tree


@examples(60)
@given(filters(least=1), products())
def test_an_and_or_an_or_of_one_reads_back_to_the_same_meaning(tree: Filter, product: Product) -> None:
    assert matches(parse(to_text(tree)), product) is matches(tree, product)


@examples(200)
@given(
    st.lists(
        st.sampled_from([*"ab19.-+\"'`()<>=!,%& ", "and ", "not ", "in ", "a ", "= ", "2026-01-01 "])
    ).map("".join)
)
def test_any_text_is_a_filter_or_a_filter_error_with_a_place(text: str) -> None:
    try:
        tree = parse(text)
    except FilterError as error:
        assert error.position is not None and 0 <= error.position <= len(text)
        assert error.hint
    else:
        assert parse(to_text(tree)) == tree


# --- errors ---------------------------------------------------------------------------------------------------------

OPERATOR_WANTED = f"expected an operator ({' '.join(OPERATORS)}), not "
VALUE_WANTED = "expected a number, text in quotes, a date, true or false, not "
# "^" stands before the place the error points at and is no part of the text.
ERRORS: list[tuple[str, str]] = [
    ("^", "expected a column name, not 'the end'"),
    ("   ^", "expected a column name, not 'the end'"),
    ("^5 = price", "expected a column name, not '5'"),
    ('^"price" = 5', "expected a column name, not '\"price\"'"),
    ("^and a = 1", "expected a column name, not 'and'"),
    ("^= 1", "expected a column name, not '='"),
    ("a = 1 and ^", "expected a column name, not 'the end'"),
    ("a = 1 or ^or b = 2", "expected a column name, not 'or'"),
    ("a = 1 or not ^)", "expected a column name, not ')'"),
    ("(^)", "expected a column name, not ')'"),
    ("a^", OPERATOR_WANTED + "'the end'"),
    ("a ^5", OPERATOR_WANTED + "'5'"),
    ("a ^like 'x'", OPERATOR_WANTED + "'like'"),
    ("a ^'='  5", OPERATOR_WANTED + "\"'='\""),
    ("a ^and b = 2", OPERATOR_WANTED + "'and'"),
    ("a = ^", VALUE_WANTED + "'the end'"),
    ("a = ^red", VALUE_WANTED + "'red'"),
    ("a = ^= 5", VALUE_WANTED + "'='"),
    ("a < ^not", VALUE_WANTED + "'not'"),
    ("a = ^(1)", VALUE_WANTED + "'('"),
    ("a not ^= 5", "expected 'in' after 'not', not '='"),
    ("a in ^5", "expected a list in brackets, not '5'"),
    ("a in (1 ^2)", "expected ',' or ')', not '2'"),
    ("a in (^,1)", VALUE_WANTED + "','"),
    ("a in (1, ^", VALUE_WANTED + "'the end'"),
    ("a in (1^", "expected ',' or ')', not 'the end'"),
    ("a between 1 ^, 2", "expected 'and' between the two ends, not ','"),
    ("a between 1 and ^", VALUE_WANTED + "'the end'"),
    ("(a = 1 or b = 2^", "expected ')', not 'the end'"),
    ("(a = 1 ^b = 2)", "expected ')', not 'b'"),
    ("a = 1^)", "expected 'and', 'or' or the end, not ')'"),
    ("a = 1 ^b = 2", "expected 'and', 'or' or the end, not 'b'"),
    ("a exists ^5", "expected 'and', 'or' or the end, not '5'"),
    ("a = ^5and b = 1", "cannot read this"),
    ("a = ^1.2.3", "cannot read this"),
    ("a = ^'red", "cannot read this"),
    ('a = "red"^"', "cannot read this"),
    ("^`a = 1", "cannot read this"),
    ("^`` = 1", "cannot read this"),
    ("a ^& b", "cannot read this"),
    ("a = 1^;", "cannot read this"),
    ("\n a ^~ 'x'\n", "cannot read this"),
    ("a ^= 1e999", "a filter cannot compare with NaN or infinity"),
    ("a ^< true", "'<' cannot order true and false"),
    ("a ^prefix 5", "'prefix' takes a string, not 5.0"),
    ("a ^in (1, 'x')", "the values of 'in' are of several types: (1.0, 'x')"),
    ("b = 1 and a ^between 1 and 'x'", "the values of 'between' are of several types: (1.0, 'x')"),
    ("added >= ^2026-13-01", "'2026-13-01' is not a date"),
    ("added in (2026-01-01, ^2026-02-30)", "'2026-02-30' is not a date"),
    ("added < ^0001-01-01T00:00:00+01:00", "0001-01-01 00:00:00+01:00 lies outside the years 1 to 9999"),
]


@pytest.mark.parametrize(("marked", "message"), ERRORS, ids=[text for text, _ in ERRORS])
def test_an_error_says_what_is_wrong_and_points_at_the_place(marked: str, message: str) -> None:
    text, position = marked.replace("^", ""), marked.index("^")
    with pytest.raises(FilterError) as error:
        parse(text)
    first, line, pointer = str(error.value).split("\n")
    assert first == message
    assert error.value.position == position
    assert line == "  " + text.replace("\n", " ") and pointer == "  " + " " * position + "^"
    assert error.value.hint.endswith(".") or error.value.hint.endswith(").")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("a = 1 && b = 2", "Use and."), ("a = 1 | b = 2", "Use or."), ("!a = 1", "Use not."), ("a = ~", "Strings stand in")],
)  # fmt: skip
def test_signs_of_other_languages_are_told_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(FilterError) as error:
        parse(text)
    assert error.value.hint.startswith(hint)


def test_an_unknown_column_names_close_matches_and_the_place() -> None:
    columns = ["price", "brand", "color", "colour group"]
    assert parse('`colour group` = "x" and price < 5', columns)
    with pytest.raises(FilterError) as error:
        parse('price < 5 and (not colour = "red")', columns)
    assert error.value.position == 19
    assert str(error.value).split("\n")[0] == "no column 'colour'"
    assert (
        error.value.hint == "Did you mean color or colour group? Columns: brand, color, colour group, price."
    )
    with pytest.raises(FilterError) as error:
        parse("xyzzy exists", columns)
    assert error.value.hint == "Columns: brand, color, colour group, price."
    with pytest.raises(FilterError) as error:
        parse("price <", columns)
    assert error.value.hint.endswith("Columns: brand, color, colour group, price.")


def test_without_columns_any_name_goes() -> None:
    assert parse("xyzzy exists") == compare("xyzzy", "exists")
    with pytest.raises(FilterError, match="no column"):
        parse("xyzzy exists", [])


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not ", "")])
def test_brackets_and_not_nest_only_so_deep(opening: str, closing: str) -> None:
    assert parse(opening * MAX_DEPTH + "a = 1" + closing * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 20_000):
        with pytest.raises(FilterError, match=f"deeper than {MAX_DEPTH}") as error:
            parse(opening * depth + "a = 1" + closing * depth)
        assert error.value.position == len(opening) * (MAX_DEPTH + 1)


def test_what_json_may_nest_text_can_say() -> None:
    tree: object = {"and": [{"field": "a", "op": "exists"}, {"field": "b", "op": "exists"}]}
    for level in range(MAX_DEPTH - 1):
        tree = {"not": tree} if level % 2 else {"or": [tree, {"field": "a", "op": "exists"}]}
    read = from_json(tree)
    assert parse(to_text(read)) == read


def test_a_long_filter_of_many_comparisons_is_no_trouble() -> None:
    tree = parse(" or ".join(f"id = 'P{number}'" for number in range(5000)))
    assert isinstance(tree, Or) and len(tree.filters) == 5000
