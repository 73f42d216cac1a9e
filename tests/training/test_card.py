"""The card's tables are what was measured, and its prose stays as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import lookalike.models
from lookalike.core.errors import InputError
from training import card

CARD = Path(lookalike.models.__file__).with_name("builtin.md")


def estimate(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}


def told(mean: float) -> dict[str, Any]:
    lines = {
        "fashion: title -> picture": {"queries": 2000, "measures": {"Success@10": estimate(mean)}},
        "grocery: shelf photo -> product": {
            "queries": 296,
            "measures": {"R@1": estimate(mean / 2), "R@5": estimate(1)},
        },
    }
    return {"fingerprint": "x", "dim": 8, "lines": lines}


RESULTS = {
    "int8": told(0.5),
    "hsv": {
        "lines": {"grocery: shelf photo -> product": told(0.1)["lines"]["grocery: shelf photo -> product"]}
    },
}
KIND = {
    "bytes": {"image": 4_000_000, "text": 3_500_000},
    "pictures": {"mean": 0.99998, "least": 0.9999},
    "titles": {"mean": 1.0, "least": 0.5},
    "open_ms": 99.4,
    "picture_ms": 6.84,
    "title_ms": 0.191,
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_quality_table_shows_the_model_beside_the_floors() -> None:
    lines = card.quality(RESULTS).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert cells(lines[2]) == [
        "title → its picture, in the first ten", "Success@10", "2,000", "**.500**", ".480–.520", "–", "–", "–",
    ]  # fmt: skip
    shelf = next(line for line in lines if "at the shelf" in line)
    assert cells(shelf)[2:] == ["296", "**.250**", ".230–.270", "–", ".050", "–"]


def test_what_was_not_measured_is_a_dash() -> None:
    body = card.quality({}).splitlines()[2:]
    assert len(body) == len(card.SHOWN)
    assert all(set(cells(line)[2:]) == {"–"} for line in body)


def test_the_storage_table_shows_size_closeness_time_and_quality() -> None:
    head, _, row = card.storage({"products": 9, "kinds": {"int8": KIND}}, RESULTS).splitlines()
    assert cells(row) == [
        "int8", "7.5 MB", "0.99998, least 0.9999", "1.00000, least 0.5000", "99 ms", "6.8 ms", "0.19 ms",
        ".500", "–", "–", ".250",
    ]  # fmt: skip
    assert head.count("|") == row.count("|")


def test_a_table_replaces_the_former_one_and_nothing_else() -> None:
    text = "a\n<!-- begin cost -->\nold\n<!-- end cost -->\nb \\1 <!-- begin other --><!-- end other -->\n"
    once = card.with_tables(text, {"cost": r"new \g<0>"})
    assert once == text.replace("\nold\n", "\nnew \\g<0>\n")
    assert card.with_tables(once, {"cost": r"new \g<0>"}) == once


@pytest.mark.parametrize("places", [0, 2])
def test_a_table_has_one_place(places: int) -> None:
    with pytest.raises(InputError, match=f"{places} places for the table cost") as caught:
        card.with_tables("<!-- begin cost --><!-- end cost -->\n" * places, {"cost": "new"})
    assert "<!-- begin cost -->" in caught.value.hint


def test_the_command_fills_the_card_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "card.md"
    out.write_text(CARD.read_text(encoding="utf-8"), encoding="utf-8")
    given = {"results": RESULTS, "storage": {"kinds": {"int8": KIND}}, "cost": {"steps": 2600, "hours": 1.6}}
    for name, content in given.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    options = [part for name in given for part in (f"--{name}", str(tmp_path / f"{name}.json"))]
    monkeypatch.setattr(sys, "argv", ["card", *options, "--out", str(out)])
    card.main()
    filled = out.read_text(encoding="utf-8")
    assert "| steps | 2,600 |" in filled and "| hours | 1.6 |" in filled
    assert "| int8 | 7.5 MB |" in filled and "**.500**" in filled


def test_lines_are_called_as_the_exams_call_them() -> None:
    """Or a table would show a dash for what was measured."""
    source = Path(card.__file__).with_name("exams.py").read_text(encoding="utf-8")
    for _, line, measure in (*card.SHOWN, *card.KIND_SHOWN):
        before, arrow, _ = line.partition("-> ")
        assert f'"{line}"' in source or f"'{line}'" in source or f"{before}{arrow}{{right}}" in source
        assert f'"{measure}"' in source
