"""Reports: figures in their places, every warning shown, nothing loaded from outside, nothing left unescaped."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from lookalike.core.errors import FilterError, QueryError
from lookalike.core.judgments import Judgment, JudgmentProblem, PartForm, QueryForm
from lookalike.core.query import Hit, SearchResult
from lookalike.core.types import Product
from lookalike.engine.evaluate import evaluate
from lookalike.engine.evaluation import Evaluation, EvaluationOptions
from lookalike.engine.report import html_report, json_report, text_report

OPTIONS = EvaluationOptions(cutoffs=(1, 3), depth=5, resamples=200)
HOSTILE = "<script>alert('x')</script> & \"quoted\""


def search(query: QueryForm, k: int) -> SearchResult:
    words = str(query.parts[0].value)
    if words == "fails":
        raise QueryError("no product P0", hint="Name another.")
    ids = {"good": ["A", "x"], "bad": ["x", "y"], "some": [f"e{n}" for n in range(5)] + ["A"]}.get(
        words, ["y", "A"]
    )
    hits = tuple(Hit(Product(id_, title=HOSTILE if id_ == "y" else f"title {id_}"), 0.5) for id_ in ids[:k])
    took = {"encode": 1.5, "total": 12.0}
    return SearchResult(hits, 9, "exact", took, {}, None, "1", notes=("no titles",) if words == "bad" else ())


def select(text: str) -> frozenset[str]:
    raise FilterError(f"unknown column\n  {text}\n  ^", hint="Columns: price.", position=0)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    judgments = [
        Judgment("1", QueryForm((PartForm("text", "good"),)), {"A": 1}),
        Judgment("2", QueryForm((PartForm("image", "https://shop.example/bad.jpg"),)), {"A": 2, HOSTILE: 1}),
        Judgment("3", QueryForm((PartForm("text", "fails"),)), {"A": 1}),
        Judgment("4", QueryForm((PartForm("text", "good"),)), relevant_where="colour = red"),
        Judgment("5", QueryForm((PartForm("text", "bad"),)), {"A": 1}),
        Judgment(HOSTILE, QueryForm((PartForm("text", HOSTILE),), where="price < 5"), {"A": 1}),
    ]
    return evaluate(
        judgments, search, select, OPTIONS, problems=[JudgmentProblem(7, "id: missing", "Give it one.")]
    )


def png(mode: str = "RGBA") -> bytes:
    data = BytesIO()
    Image.new(mode, (400, 200), None if mode == "L" else (200, 30, 30, 0)[: len(mode)]).save(data, "PNG")
    return data.getvalue()


def test_text_report_is_an_aligned_table_under_its_warnings(evaluation: Evaluation) -> None:
    text = text_report(evaluation)
    assert (
        text.splitlines()[0]
        == "4 queries measured · rankings of 5 · 4 of them shorter, there being no more · plan exact 4"
    )
    assert "! 2 of 6 queries failed and are in no figure:\n    3: no product P0. Name another.\n" in text
    assert "    4: unknown column. Columns: price.\n" in text  # without the drawing of the place
    assert (
        "! 1 line could not be read, left out of all figures:\n    line 7: id: missing. Give it one.\n"
        in text
    )
    assert "! 1 query: no titles\n" in text
    measures, times = (block.splitlines() for block in text.rstrip().split("\n\n")[-2:])
    assert re.fullmatch(r"Recall +0\.250 \[0\.000, 0\.750\]  0\.625 \[.{12}\]", measures[1])
    assert [row.split()[0] for row in measures[2:]] == ["Precision", "nDCG", "Success", "MRR", "MAP@5"]
    assert len({len(row) for row in measures[:5]}) == 1  # columns end together
    assert [row.split() for row in times] == [
        ["ms", "p50", "p95", "p99"],
        ["encode", "1.5", "1.5", "1.5"],
        ["total", "12.0", "12.0", "12.0"],
    ]


def test_printing_an_evaluation_shows_its_figures_on_one_screen(evaluation: Evaluation) -> None:
    lines = str(evaluation).splitlines()
    assert len(lines) < 16 and max(map(len, lines)) < 200
    assert lines[0] == text_report(evaluation).splitlines()[0]
    assert "! 2 failed, such as 3: no product P0. Name another." in lines
    assert [line.split()[0] for line in lines[-6:]] == [
        "Recall",
        "Precision",
        "nDCG",
        "Success",
        "MRR",
        "MAP@5",
    ]


def test_long_lists_of_failures_are_counted_not_printed(evaluation: Evaluation) -> None:
    judgments = [Judgment(str(n), QueryForm((PartForm("text", "fails"),)), {"A": 1}) for n in range(8)]
    text = text_report(evaluate(judgments, search, select, OPTIONS))
    assert "8 of 8 queries failed" in text and "... and 3 more" in text and "    5: " not in text
    assert "Recall" not in text  # there is nothing to tell


def test_rankings_cut_short_are_told() -> None:
    judgment = Judgment("1", QueryForm((PartForm("text", "some"),)), {"A": 1}, exclude=("e1",))
    text = text_report(evaluate([judgment], search, select, EvaluationOptions((1,), depth=5, max_hits=5)))
    assert "! 1 ranking ended before rank 5" in text


def test_json_report_is_json_with_every_query(evaluation: Evaluation) -> None:
    told = json.loads(json_report(evaluation, ["P7"]))
    assert told.pop("absent") == ["P7"]
    assert told == json.loads(json.dumps(evaluation.to_dict()))
    assert [query["id"] for query in told["per_query"]] == ["1", "2", "5", HOSTILE]


class Page(HTMLParser):
    """Collects what a browser would see: elements with their attributes, and the text outside styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_page_shows_figures_warnings_and_pictures(evaluation: Evaluation) -> None:
    page = Page(html_report(evaluation, lambda id_: png() if id_ == "A" else None, lambda query: None))
    text = "\n".join(page.texts)
    for shown in (
        "0.625",
        "Recall@3",
        "MAP@5",
        "12.0",
        "2 of 6 queries failed",
        "id: missing",
        "no titles",
        "title x",
    ):
        assert shown in text
    assert page.texts.count("✓") == 3 and page.texts.count("✗") == 5  # A came three times
    pictures = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == 3 + 4  # A came three times, and four queries expect it
    data = base64.b64decode(pictures[0].removeprefix("data:image/jpeg;base64,"))
    with Image.open(BytesIO(data)) as picture:
        assert picture.format == "JPEG" and picture.size == (160, 80)
        assert min(picture.convert("RGB").getpixel((80, 40))) > 250  # type: ignore[type-var,arg-type]  # clear shows white


def test_page_loads_nothing_from_outside(evaluation: Evaluation) -> None:
    html = html_report(evaluation, lambda id_: png("L"), lambda query: png())
    assert "http://" not in html and "https://" not in html and "@import" not in html and "url(" not in html
    for tag, attributes in Page(html).elements:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert not {"href", "srcset", "action", "background", "data"} & attributes.keys()
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
    assert "default-src 'none'" in html


def test_page_escapes_all_it_was_given(evaluation: Evaluation) -> None:
    html = html_report(evaluation, lambda id_: None, lambda query: None)
    assert "<script" not in html
    page = Page(html)
    assert HOSTILE in page.texts  # the id of a query, the title of a hit
    assert f'"{HOSTILE}", where price < 5' in page.texts


def test_broken_pictures_leave_their_frames_empty(evaluation: Evaluation) -> None:
    half = png()[:60]
    page = Page(html_report(evaluation, lambda id_: half, lambda query: b"GIF89a nonsense"))
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_page_without_a_single_measured_query() -> None:
    judgments = [Judgment("1", QueryForm((PartForm("text", "fails"),)), {"A": 1})]
    page = Page(
        html_report(evaluate(judgments, search, select, OPTIONS), lambda id_: None, lambda query: None)
    )
    assert any("1 of 1 queries failed" in text for text in page.texts)
    assert "Measures" not in page.texts


def test_page_of_rankings_one_deep() -> None:
    judgments = [Judgment("1", QueryForm((PartForm("text", "good"),)), {"A": 1})]
    evaluation = evaluate(judgments, search, select, EvaluationOptions((1,), depth=1))
    assert "Success@1" in html_report(evaluation, lambda id_: None, lambda query: None)


def test_judged_products_that_the_shop_does_not_have_are_told(evaluation: Evaluation) -> None:
    assert "not being in the shop" not in text_report(evaluation)
    one, many = (
        text_report(evaluation, ["P7"]),
        text_report(evaluation, [f"P{number}" for number in range(9)]),
    )
    assert "1 relevant product cannot be found, not being in the shop" in one and "P7" in one
    assert "9 relevant products cannot be found" in many and "... and 4 more" in many
