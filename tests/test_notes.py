"""What an answer says beside its hits: phrases that fit nothing, and filters that name what no product has."""

from __future__ import annotations

from pathlib import Path

import lookalike

NONSENSE = ("qwertyuiop", "asdfgh jkl", "xyzzy", "zxcvbnm uiop", "fupe vona", "lorem ipsum dolor sit amet")


def test_a_phrase_that_fits_nothing_is_told_and_an_ordinary_one_is_not(drawn: lookalike.Shop) -> None:
    for text in NONSENSE:
        found = drawn.search(text=text, k=5)
        assert found.notes == (
            f'no good match for "{text}": no product has any of its words or is much like it',
        )
        assert len(found.hits) == 5 and found.cursor  # they stay, and later pages do not say it again
        assert drawn.search(text=text, k=5, cursor=found.cursor).notes == ()
    titles = [product.title for product in drawn.get(drawn.select("id exists")).values()]
    for text in (*titles, "red", "shoes", "shrit", "blue dres", "a lamp for my desk"):
        assert drawn.search(text=text, k=3).notes == (), text


def test_only_a_phrase_that_attracts_is_judged(drawn: lookalike.Shop) -> None:
    assert drawn.search(like="D00001", parts=[{"text": "qwertyuiop", "weight": -1}]).notes == ()
    (note,) = drawn.search(like="D00001", text="qwertyuiop").notes
    assert '"qwertyuiop"' in note
    assert drawn.search(text="lamp", where="price < 0").notes == ()


def test_under_a_filter_nothing_is_said_of_what_it_keeps_out(drawn: lookalike.Shop) -> None:
    (note,) = drawn.search(text="qwertyuiop", where="price > 0").notes
    assert note.endswith(
        "no product has any of its words, and none that the filter lets through is much like it"
    )


def test_without_titles_nothing_is_said_of_phrases(drawn_source: Path, tmp_path: Path) -> None:
    pictures = sorted((drawn_source.parent / "images").glob("*-1.jpg"))[:40]
    with lookalike.open(tmp_path / "pictures.db") as shop:
        shop.index([{"id": path.stem, "image": str(path)} for path in pictures])
        assert shop.search(text="qwertyuiop").notes == ()


def test_a_filter_that_names_what_is_written_otherwise_says_so(drawn: lookalike.Shop) -> None:
    color = drawn.search(facets=["color"]).facets["color"][0].value
    found = drawn.search(text="lamp", where=f'color = "{str(color).upper()}"')
    assert found.hits == ()
    assert found.notes == (f'no product has color "{str(color).upper()}"; there is "{color}"',)
    assert drawn.search(where=f'color = "{color}"').notes == ()


def test_the_beginning_of_a_code_finds_what_begins_so_and_not_what_looks_like_it(tmp_path: Path) -> None:
    rows = [{"id": f"F{n}", "title": f"fresh fruit number {n}"} for n in range(30)]
    rows += [{"id": f"MSH1{n}-{color}", "title": f"shorts {n}"} for n in (1, 2) for color in ("Blue", "Red")]
    with lookalike.open(tmp_path / "codes.db") as shop:
        shop.index(rows)
        for text in ("MSH11", "msh11-", "MSH11-B"):
            assert next(hit.product.id for hit in shop.search(text=text).hits) == "MSH11-Blue", text
        assert {hit.product.id for hit in shop.search(text="MSH1", k=4).hits} == {
            row["id"] for row in rows[30:]
        }


def test_of_a_category_any_step_is_enough_to_be_told_its_path(drawn: lookalike.Shop) -> None:
    path = str(drawn.search(facets=["category"], where='category prefix "Home"').facets["category"][-1].value)
    top, _, last = path.rpartition("/")
    assert top
    for where in (f'category = "{last}"', {"field": "category", "op": "prefix", "value": last}):
        found = drawn.search(where=where)
        assert found.hits == () and len(found.notes) == 1
        assert f'no product has category "{last}"' in found.notes[0] and f'"{path}"' in found.notes[0]


def test_a_filter_that_nothing_can_satisfy_says_why(drawn: lookalike.Shop) -> None:
    (note,) = drawn.search(where="price >= 50 and price <= 10").notes
    assert note == "no product has price >= 50 and <= 10: nothing lies between"
    assert drawn.search(where="price >= 10 and price <= 50").notes == ()
    assert drawn.search(where="price > 1000000").notes == ()
