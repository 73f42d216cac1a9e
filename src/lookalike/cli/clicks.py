"""`lookalike clicks`: what people searched for and clicked, and judged queries made of it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lookalike.cli.options import DEFAULT_SHOP, ShopOption
from lookalike.core.click_grades import judgments_of
from lookalike.core.clicks import Measures, PhraseCount, Report, plain, report_of

SHOWN_POSITIONS = 10


def clicks(
    shop: ShopOption = DEFAULT_SHOP,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How far back.")] = 7,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="How many phrases to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    judgments: Annotated[
        Path | None, typer.Option(help="Write judged queries to this file, for `lookalike eval`.")
    ] = None,
    min_clicks: Annotated[
        int, typer.Option("--min-clicks", min=1, help="Clicks a phrase needs to become a judged query.")
    ] = 10,
) -> None:
    """Measure how searches of the service did: what was clicked, bought, not found, and how long answers took.

    `lookalike serve` logs its searches; clients report what people do with the results to POST /v1/events.

    With --judgments, phrases that were clicked often become judged queries. A product has grade 3, 2 or 1 if it was clicked 1.5
    times as often as expected, as often, or less often, and 0 if it was not clicked where one click or more was expected.
    Expected is what all products were clicked at the positions where it was shown.

    Examples:

      lookalike clicks --shop shop.db --days 30

      lookalike clicks --judgments clicked.jsonl --min-clicks 5
    """
    from lookalike.wiring import open_event_log

    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    with closing(open_event_log(shop)) as log:
        counts = log.counts(since, until, top)
        report = report_of(counts, since, until)
        if as_json:
            typer.echo(json.dumps(plain(report), ensure_ascii=False, indent=2))
        else:
            print_report(Console(highlight=False), report)
        if judgments is not None:
            shown = log.shown(since, until, min_clicks)
            lines = [
                json.dumps(each, ensure_ascii=False)
                for each in judgments_of(shown, counts.positions, min_clicks)
            ]
            judgments.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            typer.echo(f"wrote {len(lines):,} judged queries to {judgments}", err=True)
            if not lines:
                few = f"no phrase has {min_clicks:,} clicks or more in these days"
                typer.echo(f"{few}: ask for fewer with --min-clicks, or for more days with --days", err=True)


def print_report(console: Console, report: Report) -> None:
    """Print the measures as tables."""
    console.print(f"searches from {report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC")
    named = {"all": report.total, **report.by_kind}
    for table in (_measures(named), _outcomes(named)):  # one of both would be wider than most windows
        console.print(table)
    console.print("events: " + ", ".join(f"{number:,} {action}" for action, number in report.events.items()))
    if report.by_position:
        table = _table("position", "seen", "clicked", "CTR")
        for at in report.by_position[:SHOWN_POSITIONS]:
            table.add_row(str(at.position), f"{at.seen:,}", f"{at.clicked:,}", _percent(at.ctr))
        console.print(table)
    for title, phrases in (
        ("searched for most", report.top_queries),
        ("searched for in vain", report.zero_result_queries),
    ):
        if phrases:
            console.print(_phrases(title, phrases))


def _measures(named: dict[str, Measures]) -> Table:
    table = _table("kind", "searches", "no results", "seen", "CTR", "clicks", "MRR")
    for kind, each in named.items():
        table.add_row(
            kind,
            f"{each.searches:,}",
            _percent(each.zero_result_share),
            f"{each.seen:,}",
            _percent(each.ctr),
            _number(each.clicks_per_search),
            _number(each.mrr),
        )
    return table


def _outcomes(named: dict[str, Measures]) -> Table:
    table = _table("kind", "cart", "bought", "diversity", "p50 ms", "p95 ms", "p99 ms")
    for kind, each in named.items():
        times = each.latency
        table.add_row(
            kind,
            *map(_percent, (each.add_to_cart_rate, each.purchase_rate)),
            _number(each.diversity),
            *(_number(ms) for ms in ((times.p50_ms, times.p95_ms, times.p99_ms) if times else (None,) * 3)),
        )
    return table


def _phrases(title: str, phrases: tuple[PhraseCount, ...]) -> Table:
    table = _table(title, "searches", "no results", "CTR")
    for each in phrases:
        ctr = each.clicked / each.seen if each.seen else None
        table.add_row(escape(each.phrase), f"{each.searches:,}", f"{each.zero_results:,}", _percent(ctr))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for at, heading in enumerate(headings):
        # Long phrases are folded; a number is never cut in two.
        table.add_column(heading, justify="right" if at else "left", overflow="fold", no_wrap=at > 0)
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
