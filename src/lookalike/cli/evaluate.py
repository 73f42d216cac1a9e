"""`lookalike eval`: judged queries against a shop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption
from lookalike.core.errors import InputError
from lookalike.core.judgments import read_judgments

if TYPE_CHECKING:
    from lookalike.api import Shop


def evaluate(
    judgments: Annotated[Path, typer.Argument(help="Judged queries, one JSON object per line.")],
    shop: ShopOption = DEFAULT_SHOP,
    k: Annotated[
        list[int] | None, typer.Option("-k", help="Where to measure; may be repeated. Default 1, 5, 10.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with the worst queries and pictures.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    encoder: EncoderOption = None,
) -> None:
    """Measure search quality: recall, precision, MRR and nDCG with 95 % intervals, and latency.

    A line looks like {"id": "q1", "query": {"text": "red dress", "where": "price < 50"}, "relevant": {"P1": 3, "P2": 1}}.
    A query can have image, text, like, parts, where, mode and weights; images are found relative to the file. In place of
    "relevant", "relevant_where" takes a filter; "exclude" and "exclude_where" name products that do not count.

    Ends with an error if no query could be measured.

    Examples:

      lookalike eval judgments.jsonl --shop shop.db

      lookalike eval judgments.jsonl -k 10 -k 50 --html report.html
    """
    from lookalike.api import open as open_shop
    from lookalike.engine.evaluation import EvaluationOptions
    from lookalike.engine.report import html_report, json_report, text_report

    cutoffs = tuple(sorted(set(k))) if k else (1, 5, 10)
    options = EvaluationOptions(cutoffs=cutoffs, depth=max(100, *cutoffs))
    with open_shop(shop, encoder=encoder, create=False) as opened:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("evaluating", total=None)
            evaluation = opened.evaluate(
                judgments,
                options=options,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        absent = _absent(opened, judgments)
        typer.echo(text_report(evaluation, absent))
        if as_json:
            as_json.write_text(json_report(evaluation, absent), encoding="utf-8")
        if html:
            pictures = opened.picture_of
            page = html_report(
                evaluation, pictures, lambda form: opened.query_picture(form, judgments.parent), absent
            )
            html.write_text(page, encoding="utf-8")
            typer.echo(f"report with pictures: {html}")
    if not evaluation.outcomes:
        raise InputError(
            "nothing was measured: every query failed",
            hint="The reasons of the first are above, those of all in --json.",
        )


def _absent(shop: Shop, judgments: Path) -> list[str]:
    """Return the products that are judged relevant and that the shop does not have."""
    found, _ = read_judgments(judgments.read_text(encoding="utf-8").split("\n"))
    relevant = dict.fromkeys(id_ for each in found for id_, grade in each.relevant.items() if grade > 0)
    held = shop.get(relevant)
    return [id_ for id_ in relevant if id_ not in held]
