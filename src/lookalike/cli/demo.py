"""`lookalike demo`: a drawn shop, indexed and searched, with nothing but this package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lookalike.cli.index import run_index
from lookalike.cli.search import print_result


def demo(
    directory: Annotated[Path, typer.Argument(help="Where to draw the shop.")] = Path("demo-shop"),
    products: Annotated[int, typer.Option(help="How many products to draw.")] = 1248,
    seed: Annotated[int, typer.Option(help="Another seed draws another shop.")] = 7,
) -> None:
    """Draw a shop of 1,248 products, index it, and run a photo, a phrase and a filtered query.

    Ends with a page of results with pictures.
    """
    from lookalike.api import open as open_shop
    from lookalike.demo import draw_shop, plan_shop
    from lookalike.demo.story import demo_questions
    from lookalike.pages import Shown, results_page

    console = Console(highlight=False)
    source = directory / "products.jsonl"
    if is_drawn(source, plan_shop(products, seed)):
        console.print(f"{source} is drawn already")
    else:
        bars = (TextColumn("drawing the shop"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*bars, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=products)
            draw_shop(
                directory,
                products=products,
                seed=seed,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    place = directory / "shop.db"
    with open_shop(place) as shop:
        run_index(shop, str(source), directory / "failures.csv")
    shown = []
    with open_shop(place, create=False) as shop:
        for title, question in demo_questions(directory, products, seed):
            result = shop.search(**question)
            console.print(f"\n[bold]{title}[/]")
            print_result(console, result, explain=False)
            shown.append(Shown.of(question, result, title))
        page = directory / "results.html"
        page.write_text(results_page(shown, pictures=shop.picture, products=shop.get), encoding="utf-8")
    console.print(f"\nThe results with pictures: {page.resolve().as_uri()}")
    console.print("Go on:", soft_wrap=True)
    command = f'{sys.argv[0]} search --shop {place} --text "striped scarf" --facet brand'
    console.print(f"  {command}", soft_wrap=True)


def is_drawn(source: Path, plan: list[dict[str, Any]]) -> bool:
    """Say whether just this shop was drawn before; its file is written last, when all pictures are there."""
    return (
        source.exists()
        and [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()] == plan
    )
