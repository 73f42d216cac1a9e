"""`lookalike clicks`: the measures as tables and JSON, and judged queries that `lookalike eval` can read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lookalike
from lookalike.adapters.events_sql import SqlEventLog
from lookalike.cli.main import app
from lookalike.core.clicks import CLICK, IMPRESSION, Event, LoggedSearch
from lookalike.core.errors import CatalogError

NOW = datetime.now(UTC)
YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def place(drawn_place: Path, tmp_path: Path) -> Iterator[Path]:
    """The drawn shop, with a day of searches: the second lamp is clicked whenever it is seen, which is below the first."""
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with closing(SqlEventLog.open(place, create=False)) as log:
        for number in range(20):
            name, phrase = f"q{number}", "Lamp [b]" if number % 2 else "vase"
            log.write_searches([
                LoggedSearch(name, YESTERDAY, "text", phrase, None, ("D00001", "D00002"), took_ms=5.0)
            ])  # fmt: skip
            log.write_events([Event(IMPRESSION, YESTERDAY, name, f"D0000{at}", at) for at in (1, 2)])
            if number % 2:
                log.write_events([Event(CLICK, YESTERDAY, name, "D00002", 2)])
        log.write_searches([LoggedSearch("none", YESTERDAY, "text", "sofa")])
        log.write_searches([LoggedSearch("old", NOW - timedelta(days=20), "image")])
    yield place


def run(*words: object) -> str:
    done = CliRunner().invoke(
        app, ["clicks", *map(str, words)], env={"COLUMNS": "80"}, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_tables(place: Path) -> None:
    lines = [line.split() for line in run("--shop", place).splitlines()]
    assert ["all", "21", "4.8%", "20", "50.0%", "0.50", "0.50"] in lines
    assert ["all", "0.0%", "0.0%", "–", "5.00", "5.00", "5.00"] in lines
    assert ["2", "20", "10", "50.0%"] in lines
    assert ["lamp", "[b]", "10", "0", "100.0%"] in lines  # what looks like markup is shown as it is
    assert ["sofa", "1", "1", "–"] in lines
    assert not [line for line in lines if "image" in line]
    assert [
        line for line in run("--shop", place, "--days", 30).splitlines() if line.split()[:2] == ["image", "1"]
    ]


def test_json(place: Path) -> None:
    told = json.loads(run("--shop", place, "--json", "--top", 1))
    assert told["total"]["searches"] == 21
    assert told["top_queries"] == [
        {"phrase": "lamp [b]", "searches": 10, "zero_results": 0, "seen": 10, "clicked": 10}
    ]
    assert told["events"] == {"impression": 40, "click": 10, "add_to_cart": 0, "purchase": 0}


def test_judged_queries_can_be_evaluated(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "clicked.jsonl"
    run("--shop", place, "--judgments", file, "--min-clicks", 11)
    assert file.read_text() == ""
    run("--shop", place, "--judgments", file)
    [line] = [json.loads(line) for line in file.read_text().splitlines()]
    assert line == {"id": "lamp [b]", "query": {"text": "lamp [b]"}, "relevant": {"D00002": 3}}
    with lookalike.open(place, create=False) as shop:
        evaluation = shop.evaluate(file)
    assert (len(evaluation.outcomes), evaluation.failures, evaluation.problems) == (1, (), ())


def test_without_enough_clicks_the_option_is_named(place: Path, tmp_path: Path) -> None:
    words = ["clicks", "--shop", str(place), "--judgments", str(tmp_path / "j.jsonl")]
    few = CliRunner().invoke(app, [*words, "--min-clicks", "500"])
    assert (
        few.exit_code == 0
        and "no phrase has 500 clicks or more" in few.output
        and "--min-clicks" in few.output
    )
    assert "--min-clicks" not in CliRunner().invoke(app, [*words, "--min-clicks", "5"]).output


def test_a_shop_nobody_searched_yet(drawn_place: Path, tmp_path: Path) -> None:
    assert "0" in run("--shop", shutil.copy(drawn_place, tmp_path / "own.db")).split()


def test_where_there_is_no_shop(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.db"):
        run("--shop", tmp_path / "nowhere.db")
    assert not (tmp_path / "nowhere.db").exists()
