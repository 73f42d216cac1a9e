"""`lookalike index` over again: lists in cells, exports cut short, and what was changed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lookalike
from lookalike.cli.main import app
from lookalike.core.errors import InputError

ROWS = [{"id": f"A{n}", "title": f"lamp {n}", "price": 10.0 + n} for n in range(40)]


@pytest.fixture
def shop(tmp_path: Path) -> lookalike.Shop:
    opened = lookalike.open(tmp_path / "shop.db")
    opened.index(ROWS)
    return opened


@pytest.mark.parametrize(
    ("kept", "deleted", "spared"),
    [
        (40, 0, 0),
        (31, 9, 0),  # few
        (28, 12, 0),  # 30 %
        (27, 0, 13),
        (1, 0, 39),
    ],
)
def test_a_source_cut_short_deletes_nothing(
    shop: lookalike.Shop, kept: int, deleted: int, spared: int
) -> None:
    with shop:
        report = shop.index(ROWS[:kept], prune=True)
        assert (report.deleted, report.spared, len(shop)) == (deleted, spared, 40 - deleted)
        if spared:
            assert shop.index(ROWS[:kept], prune_any=True).deleted == spared
            assert len(shop) == kept


def test_products_that_are_new_do_not_make_the_others_few(shop: lookalike.Shop) -> None:
    renamed = [{**row, "id": f"B{number}"} for number, row in enumerate(ROWS * 4)]
    with shop:
        assert shop.index(renamed, prune=True).spared == 40
        assert len(shop) == 200


def test_the_last_to_write_wins_also_over_a_change_made_in_between(shop: lookalike.Shop) -> None:
    with shop:
        shop.change("A3", lambda product: replace(product, price=1.0))
        assert shop.get(["A3"])["A3"].price == 1.0
        report = shop.index(ROWS)  # the source as it was: it says 13.0, and says so later than the change did
        assert (report.changed, report.unchanged, report.encoded["title"]) == (1, 39, 0)
        assert shop.get(["A3"])["A3"].price == 13.0
        assert shop.index(ROWS).unchanged == 40


def a_csv(folder: Path, count: int) -> Path:
    sizes = ["S;M;L", "M;L", "S;M", "L", "XL;M", "S;L", "M", "M;XL"]
    lines = ["id,title,sizes", *(f"C{n},shirt {n},{sizes[n % 8]}" for n in range(count))]
    file = folder / "export.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_command_tells_of_lists_and_of_what_it_did_not_delete(tmp_path: Path) -> None:
    place, run = str(tmp_path / "s.db"), CliRunner().invoke
    said = run(app, ["index", str(a_csv(tmp_path, 40)), "--shop", place])
    assert said.exit_code == 0 and 'split at ";", such as S;M;L' in said.output, said.output
    with lookalike.open(place) as shop:
        assert shop.get(["C0"])["C0"].attributes["sizes"] == ("S", "M", "L")
        assert shop.search(where='sizes contains "XL"').matched == 10

    cut = ["index", str(a_csv(tmp_path, 8)), "--shop", place]
    refused = run(app, [*cut, "--prune"])
    assert isinstance(refused.exception, InputError)
    assert "32 of 40 products" in str(refused.exception) and "--prune-any" in refused.exception.hint
    assert "deleted 0" not in refused.output
    done = run(app, [*cut, "--prune-any", "--split", "sizes=@none"])
    assert done.exit_code == 0 and "deleted 32 products" in done.output, done.output
    with lookalike.open(place) as shop:
        assert len(shop) == 8 and shop.get(["C0"])["C0"].attributes["sizes"] == "S;M;L"
    assert isinstance(run(app, [*cut, "--split", "sizes"]).exception, InputError)
