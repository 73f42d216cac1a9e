"""HTML in catalogue cells: entities become characters, tags go, and doing it again changes nothing."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.ports import Row
from lookalike.core.recognition import columns_of
from lookalike.core.rows import read_row, recognise
from lookalike.core.values import prose, unescaped
from strategies import examples


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Marks &amp; Spencer", "Marks & Spencer"),
        ("Tom &amp;amp; Jerry", "Tom & Jerry"),  # escaped twice on its way through two exports
        ("Caf&eacute; &#8211; 5&#x2033;&nbsp;cup", "Café – 5″ cup"),
        ("AT&T, R&D, rock&reggae, A &amp B", "AT&T, R&D, rock&reggae, A &amp B"),  # no semicolon, no entity
        ("&unknown; &ampfoo; &#xD800;", "&unknown; &ampfoo; \ufffd"),
        ("?a=1&b=2", "?a=1&b=2"),
    ],
)
def test_entities_are_the_characters_they_stand_for(written: str, meant: str) -> None:
    assert unescaped(written) == meant


def test_escaped_markup_is_markup_and_a_bare_sign_is_none() -> None:
    assert prose("&lt;p&gt;Soft &amp;amp; light&lt;/p&gt;") == "Soft & light"
    assert prose("from 5 &lt; 7 &gt; 3 cm") == "from 5 < 7 > 3 cm"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("&" + "amp;" * 100_000 + "lt;", "<"),
        ("&" + "#38;" * 100_000 + "Amp;", "&Amp;"),
        ("<p" * 100_000 + ">" * 100_000 + "x", "p"),
    ],
)
def test_what_is_nested_without_end_takes_no_longer_than_other_texts(written: str, meant: str) -> None:
    began = process_time()
    read = prose(written)
    assert process_time() - began < 5  # it would be hours
    assert set(read.split()) <= {meant, "x"} and "<" not in read.replace(meant, "") and prose(read) == read


PIECES = st.sampled_from(
    ["<", ">", "&", ";", "p", "/p", "<p>", "</b>", "&amp;", "&lt;", "&#60;", "gt", "script", " ", "x"]
)


@examples(400)
@given(st.lists(PIECES, max_size=24).map("".join))
def test_what_was_read_reads_the_same_again(written: str) -> None:
    once = prose(written)
    assert prose(once) == once
    assert unescaped(unescaped(written)) == unescaped(written)


def test_every_text_field_of_a_row_is_decoded_and_nothing_else() -> None:
    values: dict[str, object] = {
        "id": "A&amp;1",
        "title": "<b>Salt</b> &amp; pepper",
        "description": "<ul><li>For &frac12; litre</li></ul>",
        "brand": "H&amp;M",
        "category": "Kitchen &amp; Bar &gt; Mills",
        "material": "Steel &amp; glass",
        "tags": ["new &amp; hot", "sale"],
        "image": "https://shop.example/a.jpg?w=1&amp;h=2",
    }
    product, problems = read_row(Row(1, "line 2", values), recognise(columns_of([values]), [values]))
    assert product is not None and not problems
    assert (product.title, product.description) == ("Salt & pepper", "For ½ litre")
    assert (product.brand, product.categories) == ("H&M", ("Kitchen & Bar/Mills",))
    assert product.attributes == {"material": "Steel & glass", "tags": ("new & hot", "sale")}
    assert product.id == "A&amp;1" and product.images[0].ref == values["image"]
