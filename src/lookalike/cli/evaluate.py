"""`lookalike eval`: judged queries against a shop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption


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
        typer.echo(text_report(evaluation))
        if as_json:
            as_json.write_text(json_report(evaluation), encoding="utf-8")
        if html:
            page = html_report(
                evaluation, opened.picture_of, lambda form: opened.query_picture(form, judgments.parent)
            )
            html.write_text(page, encoding="utf-8")
            typer.echo(f"report with pictures: {html}")
