"""The command line as people meet it: real processes, what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lookalike.cli.main import app
from lookalike.cli.search import print_result
from lookalike.core.query import Hit, SearchResult
from lookalike.core.types import Product
from lookalike.service.settings import ServiceSettings
from lookalike.settings import Settings, names_of, unknown_names


def lookalike(*words: object, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lookalike", *(str(word) for word in words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_index_search_show_delete(drawn_source: Path, tmp_path: Path) -> None:
    first = lookalike("index", drawn_source, cwd=tmp_path).stderr
    assert "is read as" in first
    assert "new 92" in first
    assert "unchanged 92" in lookalike("index", drawn_source, cwd=tmp_path).stderr
    photo = drawn_source.parent / "images/D00001-1.jpg"
    assert "D00001" in lookalike("search", "--image", photo, cwd=tmp_path).stdout
    answer = json.loads(
        lookalike("search", "--like", "D00001", "--facet", "brand", "--json", cwd=tmp_path).stdout
    )
    assert len(answer["hits"]) == 10
    assert answer["facets"]["brand"]
    explained = lookalike("search", "--like", "D00001", "--not", "red", "--explain", cwd=tmp_path).stdout
    assert "attributes.category against product D00001" in explained
    lookalike("search", "--text", "lamp", "--html", "page.html", cwd=tmp_path)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    listed = json.loads(lookalike("show", "D00003", "D00002", cwd=tmp_path).stdout)
    assert [product["id"] for product in listed] == ["D00003", "D00002"]
    shown = lookalike("show", cwd=tmp_path).stdout
    assert "92 products" in shown and " number" in shown and " text" in shown
    assert "float" not in shown and " str" not in shown
    partly = lookalike("delete", "D00002", "nope", cwd=tmp_path, code=1)
    assert "deleted 1 product" in partly.stdout and "no product nope" in partly.stderr
    assert "no results" in lookalike("search", "--text", "x", "--where", "price < 0", cwd=tmp_path).stdout


def test_evaluating_writes_its_reports(drawn_place: Path, tmp_path: Path) -> None:
    line = {"id": "q", "query": {"text": "lamp"}, "relevant_where": 'category = "Home/Lamps"'}
    (tmp_path / "judgments.jsonl").write_text(json.dumps(line) + "\n")
    words = ("eval", "judgments.jsonl", "--shop", drawn_place, "--html", "r.html", "--json", "r.json")
    assert "Recall" in lookalike(*words, cwd=tmp_path).stdout
    assert json.loads((tmp_path / "r.json").read_text())
    assert "Search quality" in (tmp_path / "r.html").read_text()


def test_an_evaluation_in_which_every_query_fails_is_an_error(drawn_place: Path, tmp_path: Path) -> None:
    lines = [{"id": "q", "query": {"like": "nope"}, "relevant": {"D00001": 1}}]
    (tmp_path / "j.jsonl").write_text(json.dumps(lines[0]) + "\n")
    done = lookalike("eval", "j.jsonl", "--shop", drawn_place, "--json", "r.json", cwd=tmp_path, code=1)
    assert "0 queries measured" in done.stdout and "nothing was measured" in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["queries"]["failed"] == 1


def test_an_error_is_told_once_with_its_remedy(drawn_place: Path, tmp_path: Path) -> None:
    words = ("search", "--text", "mug", "--where", "prise < 3", "--shop", drawn_place)
    assert lookalike(*words, cwd=tmp_path, code=1).stderr.count("Did you mean price?") == 1


def test_help_shows_examples_and_fits_a_narrow_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ("show", "delete", "eval", "clicks", "keys new", "upgrade start", "upgrade finish", "index"):
        said = CliRunner().invoke(app, [*words.split(), "--help"]).output
        assert f" lookalike {words.split()[0]} " in said.partition("Examples:")[2], words
    for name in ("search", "serve"):
        assert "words" not in CliRunner().invoke(app, [name, "--help"]).output
    said = CliRunner().invoke(app, ["clicks", "--help"]).output
    assert "if it was clicked 1.5 times as often as expected,\n" in "\n".join(
        map(str.strip, said.splitlines())
    )
    assert "Settings are [service] in lookalike.toml" in CliRunner().invoke(app, ["serve", "--help"]).output


def test_problems_are_listed_and_the_rest_lands(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id,title,price\n1,lamp,12\n2,vase,free\n,nameless,3\n")
    said = lookalike("index", "p.csv", cwd=tmp_path).stderr
    assert "new 2" in said
    assert "failed 1" in said
    assert "shop-failures.csv" in said
    assert len((tmp_path / "shop-failures.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("index", "nowhere.csv"), "nowhere.csv"),
        (("index", "p.csv", "--map", "title"), "FIELD=COLUMN"),
        (("index", "p.csv", "--map", "nonsense=title"), "nonsense"),
        (("index", "p.csv", "--failures", "/proc/nowhere/f.csv"), "/proc/nowhere"),
        (("search", "--text", "x"), "lookalike index SOURCE --shop"),
        (("search", "--text", "x", "--shop", "p.csv"), "p.csv"),
        (("eval", "nowhere.jsonl"), "lookalike index SOURCE --shop"),
        (("search",), '--text "red checked shirt"'),
        (("search", "other.db"), "lookalike search --shop other.db --image photo.jpg"),
        (("search", "red", "shirt"), 'lookalike search --text "red shirt"'),
        (("search", "red " * 100), 'lookalike search --text "red red'),  # no name of a file can be so long
        (("search", "other.db", "--text", "red"), "lookalike search --shop other.db ..."),
        (("search", "other.db", "red", "shirt"), 'lookalike search --shop other.db --text "red shirt"'),
        (("serve", "other.db"), "lookalike serve --shop other.db"),
    ],
    ids=str,
)
def test_mistakes_get_an_error_and_a_remedy(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "p.csv").write_text("id,title,price\n1,lamp,12\n2,vase,free\n")
    done = lookalike(*words, cwd=tmp_path, code=1)
    assert "Error:" in done.stderr
    assert says in done.stderr
    if words[:2] == ("index", "nowhere.csv"):
        assert not (tmp_path / "shop.db").exists()


def test_a_shop_that_is_not_there_is_told_and_nothing_else(tmp_path: Path) -> None:
    for more in ((), ("--workers", "2")):
        done = lookalike("serve", "--shop", "nope.db", "--port", "0", *more, cwd=tmp_path, code=1)
        assert done.stdout == ""
        assert done.stderr.startswith("Error:") and "nope.db" in done.stderr.splitlines()[0]


def test_titles_can_be_read_in_a_narrow_window() -> None:
    product = Product(
        "D00001", title="Marlow pleated skirt", price=66.0, categories=("Women/Clothing/Skirts and dresses",)
    )
    result = SearchResult((Hit(product, 0.5),), 1, "exact", {}, {}, None, "seq-1", notes=("Take care.",))
    for width, category in ((80, "Skirts and dre"), (140, "Women/Clothing/Skirts and dresses")):
        console = Console(width=width, record=True, file=StringIO())
        print_result(console, result, explain=False)
        said = console.export_text()
        assert "Marlow pleated skirt" in said and category in said and "Take care." in said


def test_judged_products_that_are_not_there_are_told(drawn_place: Path, tmp_path: Path) -> None:
    line = {
        "id": "q",
        "query": {"text": "lamp"},
        "relevant": {"D00001": 1, "GONE1": 2, "GONE2": 1, "GONE0": 0},
    }
    (tmp_path / "judgments.jsonl").write_text(json.dumps(line) + "\n")
    words = ("eval", "judgments.jsonl", "--shop", drawn_place, "--json", "r.json")
    said = lookalike(*words, cwd=tmp_path).stdout
    assert "2 relevant products cannot be found, not being in the shop" in said
    assert said.index("GONE1") < said.index("GONE2") and "GONE0" not in said
    assert json.loads((tmp_path / "r.json").read_text())["absent"] == ["GONE1", "GONE2"]


def test_a_setting_that_is_none_is_told(
    drawn_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_SERCH__MAX_K", "5")
    monkeypatch.setenv("LOOKALIKE_IMAGES__MAX_BYTES", "5000000")
    said = lookalike("show", "--shop", drawn_place, cwd=tmp_path).stderr
    assert said.count("LOOKALIKE_SERCH__MAX_K") == 1
    assert "did you mean LOOKALIKE_SEARCH__MAX_K?" in said
    monkeypatch.setenv("LOOKALIKE_SHOPP", "x")
    said = lookalike("show", "--shop", drawn_place, cwd=tmp_path).stderr
    assert "LOOKALIKE_SHOPP is no setting, and is not read: did you mean LOOKALIKE_SHOP?" in said
    assert "LOOKALIKE_IMAGES" not in said
    known = {*names_of(ServiceSettings), *names_of(Settings)}
    assert {"LOOKALIKE_SERVICE__BOUNDS__MAX_REQUESTS", "LOOKALIKE_IMAGES__MAX_BYTES"} <= known
    names = ["LOOKALIKE_SERVICE__MAX_IMAGE", "LOOKALIKE_SERVISE__X", "LOOKALIKE_SHOP", "lookalike_workers"]
    assert unknown_names(Settings, names) == ["LOOKALIKE_SERVISE__X"]
    assert unknown_names(ServiceSettings, names) == ["LOOKALIKE_SERVICE__MAX_IMAGE"]
