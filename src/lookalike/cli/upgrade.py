"""`lookalike upgrade`: to another encoder while the shop is searched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lookalike.cli.index import ProblemFile
from lookalike.cli.options import (
    DEFAULT_SHOP,
    EmbeddingsOption,
    PlaceArgument,
    ShopOption,
    TextEncoderOption,
    shop_of,
)

if TYPE_CHECKING:
    from lookalike.core.rows import Problem
    from lookalike.upgrade import Upgrade

app = typer.Typer(
    help=(
        "Go over to another encoder while the shop is searched and written to.\n\n"
        "start makes its vectors beside those that are searched, report compares the two, finish lets the new be searched, "
        "rollback the former ones again, and clean drops those that are not."
    ),
    no_args_is_help=True,
)


def _open(shop: str) -> Upgrade:
    from lookalike.upgrade import Upgrade  # the libraries behind it take their time to load

    return Upgrade(shop)


def _problems(shop: str) -> ProblemFile:
    return ProblemFile(Path(f"{Path(shop).stem if '://' not in shop else 'shop'}-failures.csv"))


@app.command()
def start(  # noqa: PLR0913 - one option per thing a person can say
    encoder: Annotated[str, typer.Option("--encoder", help="The encoder to go over to, by name.")],
    place: PlaceArgument = None,
    shop: ShopOption = DEFAULT_SHOP,
    text_encoder: TextEncoderOption = None,
    rate: Annotated[
        float | None, typer.Option(help="Products a second, at most; by default as fast as it goes.")
    ] = None,
    originals: Annotated[
        Path | None,
        typer.Option(
            help="Read pictures anew, from the folder their paths start from and from URLs; else thumbnails."
        ),
    ] = None,
    embeddings: EmbeddingsOption = None,
) -> None:
    """Make the vectors of another encoder beside those that are searched. Run it again to go on after a crash.

    Searches see nothing of it. What is written from now on gets both kinds of vectors.

    Examples:

      lookalike upgrade start --shop shop.db --encoder siglip2-base
    """
    from rich.progress import Progress

    shop = shop_of(place, shop)
    console = Console(stderr=True, highlight=False)
    with _open(shop) as upgrade, _problems(shop) as problems, Progress(console=console) as progress:
        total = upgrade.status()["products"]
        task = progress.add_task("embedding", total=total if isinstance(total, int) else None)
        report = upgrade.start(
            encoder,
            text_encoder,
            originals=originals,
            rate=rate,
            embeddings=embeddings or [],
            on_problem=problems.add,
            progress=lambda done: progress.update(task, completed=done),
        )
    given = f", {report.given:,} were given" if report.given else ""
    console.print(
        f"looked at {report.products:,} products, embedded {report.encoded:,} contents{given}, failed {report.failed:,} "
        f"({report.took_s:.1f} s)",
        soft_wrap=True,
    )
    problems.print_to(console)
    console.print(
        f"Compare: lookalike upgrade report --shop {shop}   then: lookalike upgrade finish --shop {shop}"
    )


@app.command()
def status(place: PlaceArgument = None, shop: ShopOption = DEFAULT_SHOP) -> None:
    """Say what is searched, what is made beside it, and how far that has come.

    Examples:

      lookalike upgrade status --shop shop.db
    """
    shop = shop_of(place, shop)
    with _open(shop) as upgrade:
        for name, value in upgrade.status().items():
            typer.echo(f"{name.replace('_', ' '):<12} {value}")


@app.command()
def report(  # noqa: PLR0913 - one option per thing a person can say
    place: PlaceArgument = None,
    shop: ShopOption = DEFAULT_SHOP,
    judgments: Annotated[
        Path | None, typer.Option(help="Judged queries, as for `lookalike eval`: what they gain or lose.")
    ] = None,
    queries: Annotated[int, typer.Option(min=1, help="How many questions to ask both.")] = 200,
    k: Annotated[int, typer.Option("-k", min=1, help="How many hits to compare.")] = 10,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with the answers that differ most.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
) -> None:
    """Ask both generations the same, and say how much of the answers they share and where they differ most.

    Examples:

      lookalike upgrade report --shop shop.db --html differences.html

      lookalike upgrade report --shop shop.db --judgments judgments.jsonl
    """
    from rich.progress import Progress

    from lookalike.engine.comparison import html_report, json_report, text_report

    shop = shop_of(place, shop)
    with _open(shop) as upgrade:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("asking", total=queries)
            compared = upgrade.compare(
                judgments,
                queries=queries,
                k=k,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        typer.echo(text_report(compared), nl=False)
        if as_json is not None:
            as_json.write_text(json_report(compared), encoding="utf-8")
        if html is not None:
            with upgrade.live_shop() as live:
                html.write_text(html_report(compared, live.picture_of), encoding="utf-8")
            typer.echo(f"wrote {html}")


@app.command()
def finish(place: PlaceArgument = None, shop: ShopOption = DEFAULT_SHOP) -> None:
    """Let the new vectors be searched. Running services follow by themselves; the former vectors are kept up beside.

    Examples:

      lookalike upgrade finish --shop shop.db
    """
    shop = shop_of(place, shop)
    console = _change_over(shop, lambda upgrade: upgrade.finish)
    console.print(
        f"Back: lookalike upgrade rollback --shop {shop}   for good: lookalike upgrade clean --shop {shop}"
    )


@app.command()
def rollback(place: PlaceArgument = None, shop: ShopOption = DEFAULT_SHOP) -> None:
    """Let the former vectors be searched again: answers are exactly as they were.

    Examples:

      lookalike upgrade rollback --shop shop.db
    """
    shop = shop_of(place, shop)
    _change_over(shop, lambda upgrade: upgrade.rollback)


def _change_over(shop: str, step: Callable[[Upgrade], Callable[[Callable[[Problem], None]], int]]) -> Console:
    """Let the two generations change places by one of the steps, and say what is searched from now on."""
    console = Console(stderr=True, highlight=False)
    with _open(shop) as upgrade, _problems(shop) as problems:
        step(upgrade)(problems.add)
        problems.print_to(console)
        console.print(f"searched from now on: {escape(str(upgrade.state.live))}")
    return console


@app.command()
def clean(place: PlaceArgument = None, shop: ShopOption = DEFAULT_SHOP) -> None:
    """Drop the vectors that are not searched, for good.

    Examples:

      lookalike upgrade clean --shop shop.db
    """
    shop = shop_of(place, shop)
    console = Console(stderr=True, highlight=False)
    with _open(shop) as upgrade:
        console.print(f"dropped {upgrade.clean():,} vectors")
