"""`lookalike index` over again: lists in cells, exports cut short, and what was changed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lookalike
from lookalike.cli.main import app
from lookalike.core.errors import InputError, LookalikeError
from small_encoders import SmallEncoder

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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--map", "title=absent"], "absent"),
        (["--map", "title"], "no '='"),
        (["--split", "sizes"], "no '='"),
        (["--encoder", "clip-vit-b32"], "clip-vit-b32 is not here"),
        (["--text-encoder", "all-minilm-l6-v2"], "all-minilm-l6-v2 is not here"),
        (["--encoder", "nobody"], "no encoder 'nobody'"),
    ],
)
def test_what_is_refused_leaves_nothing_of_a_shop_that_was_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.setenv("LOOKALIKE_MODELS_DIR", str(tmp_path / "models"))
    source, folder = a_csv(tmp_path, 8), tmp_path / "new"
    folder.mkdir()
    refused = CliRunner().invoke(app, ["index", str(source), "--shop", str(folder / "s.db"), *words])
    assert isinstance(refused.exception, InputError)
    assert said in str(refused.exception)
    assert not list(folder.iterdir())


def test_a_source_without_ids_leaves_no_shop_and_one_that_is_there_stays(tmp_path: Path) -> None:
    place, source = tmp_path / "new" / "s.db", tmp_path / "empty.csv"
    source.write_text("")
    place.parent.mkdir()
    assert CliRunner().invoke(app, ["index", str(source), "--shop", str(place)]).exit_code
    assert not list(place.parent.iterdir())
    good = ["index", str(a_csv(tmp_path, 8)), "--shop", str(place)]
    assert CliRunner().invoke(app, good).exit_code == 0
    assert isinstance(CliRunner().invoke(app, [*good, "--map", "title=absent"]).exception, InputError)
    with lookalike.open(place) as shop:
        assert len(shop) == 8


def test_opening_with_encoders_that_do_not_fit_leaves_nothing(tmp_path: Path) -> None:
    blind, mute = SmallEncoder("blind", 5, sees=False), SmallEncoder("mute", 5, reads=False)
    for options in ({"encoder": blind, "text_encoder": SmallEncoder("x", 4)}, {"text_encoder": mute}):
        with pytest.raises(InputError):
            lookalike.open(tmp_path / "s.db", **options)
    with pytest.raises(LookalikeError):
        lookalike.open(tmp_path / "s.db", beside=True)
    assert not list(tmp_path.iterdir())


def test_pruning_that_was_not_done_ends_with_an_error_and_the_rows_land(tmp_path: Path) -> None:
    place, source = str(tmp_path / "p.db"), tmp_path / "p.csv"
    words = ["index", str(source), "--shop", place, "--failures", str(tmp_path / "f.csv")]
    source.write_text("id,title\nA1,lamp\nA2,vase\n")
    assert CliRunner().invoke(app, words).exit_code == 0
    source.write_text("id,title\nA1,lamp\nA3,mug\n,nameless\n")
    done = CliRunner().invoke(app, [*words, "--prune"])
    assert done.exit_code == 1 and "1 row could not be read" in str(done.exception)
    assert "1 problem is listed in" in done.output
    with lookalike.open(place, create=False) as shop:
        assert set(shop.get(["A1", "A2", "A3"])) == {"A1", "A2", "A3"}


def test_a_file_of_which_nothing_can_be_read_is_told_by_its_first_line(tmp_path: Path) -> None:
    source = tmp_path / "broken.jsonl"
    source.write_text('{"id": "a", "title":\n')
    done = CliRunner().invoke(app, ["index", str(source), "--shop", str(tmp_path / "p.db")])
    assert done.exit_code == 1 and "line 1 is not JSON" in str(done.exception)
    assert not (tmp_path / "p.db").exists()


def test_no_folder_is_made_for_a_shop(tmp_path: Path) -> None:
    source = a_csv(tmp_path, 3)
    done = CliRunner().invoke(app, ["index", str(source), "--shop", str(tmp_path / "typo" / "x" / "p.db")])
    assert done.exit_code == 1 and "There is no folder" in str(done.exception)
    assert not (tmp_path / "typo").exists()


def test_inactive_products_are_counted_apart(tmp_path: Path) -> None:
    source, place = tmp_path / "p.csv", str(tmp_path / "p.db")
    source.write_text("id,title,active\nA1,lamp,yes\nA2,vase,no\nA3,mug,yes\n")
    assert (
        "1 of them is inactive, and never found"
        in CliRunner().invoke(app, ["index", str(source), "--shop", place]).output
    )
    assert "3 products, 1 of them inactive" in CliRunner().invoke(app, ["show", "--shop", place]).output


def test_a_product_deleted_or_changed_in_between_is_as_the_source_says(shop: lookalike.Shop) -> None:
    with shop:
        shop.delete(["A3"])
        report = shop.index(ROWS)
        assert (report.new, report.unchanged) == (1, 39) and list(shop.get(["A3"])) == ["A3"]


def test_source_is_needed_but_for_a_plan() -> None:
    done = CliRunner().invoke(app, ["index"])
    assert done.exit_code == 2 and "SOURCE" in done.output
