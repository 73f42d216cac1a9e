"""`lookalike demo`: a drawn shop, indexed, searched and served, with nothing but this package."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lookalike.cli.index import run_index
from lookalike.cli.search import print_result
from lookalike.cli.serve import LAST_PORT, listening, plan_service

if TYPE_CHECKING:
    from lookalike.questions import Question
    from lookalike.service.process import Served

HOST = "127.0.0.1"
"""A demo is for who sits at this machine: no keys are asked for, and nobody else can call."""
PORTS = 100
"""How many ports are tried, one after the other, until one is free."""


def demo(
    directory: Annotated[Path, typer.Argument(help="Where to draw the shop.")] = Path("demo-shop"),
    products: Annotated[int, typer.Option(min=1, help="How many products to draw.")] = 1248,
    seed: Annotated[int, typer.Option(help="Another seed draws another shop.")] = 7,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the shop at the end, until Ctrl-C; or just end.")
    ] = True,
    port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="Port; if it is taken, the next free one. 0 takes any.")
    ] = 8000,
) -> None:
    """Draw a shop of 1,248 products, index it, ask it five things, and serve it at http://127.0.0.1:8000.

    The first time takes about 90 seconds, later ones a few seconds: DIRECTORY keeps what is drawn and indexed. Among it are
    results.html, the answers with pictures, and shop.db, the catalogue that all other commands take with --shop.

    It ends with the address to open in a browser, and serves the page there until Ctrl-C. A script wants --no-serve, which
    ends when the questions are answered.

    Examples:

      lookalike demo

      lookalike demo --no-serve

      lookalike demo --port 9000

      lookalike demo small-shop --products 200 --seed 3
    """
    console = Console(highlight=False)
    place = directory / "shop.db"
    # What is wrong with the settings is said now, not after the work.
    served = plan_service(place, HOST) if serve else None
    _fill(console, directory, products, seed)
    questions = _ask(console, directory, products, seed)
    if served is None:
        console.print("Go on:", soft_wrap=True)
        command = f'{sys.argv[0]} search --shop {place} --text "striped scarf" --facet brand'
        console.print(f"  {escape(command)}", soft_wrap=True)
    else:
        _serve(console, served, port, _ideas(directory, questions))


def _fill(console: Console, directory: Path, products: int, seed: int) -> None:
    """Draw and index the shop, or what is missing of it."""
    from lookalike.api import open as open_shop
    from lookalike.demo import draw_shop, plan_shop

    source = directory / "products.jsonl"
    if is_drawn(source, plan_shop(products, seed)):
        console.print(f"{escape(str(source))} is drawn already", soft_wrap=True)
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
    with open_shop(directory / "shop.db") as shop:
        run_index(shop, str(source), directory / "failures.csv")


def _ask(console: Console, directory: Path, products: int, seed: int) -> list[Question]:
    """Ask the shop what the demo asks, print the answers and write the page of them; return the questions."""
    from lookalike.api import open as open_shop
    from lookalike.demo.story import demo_questions
    from lookalike.pages import Shown, results_page

    shown = []
    titled = demo_questions(directory, products, seed)
    with open_shop(directory / "shop.db", create=False) as shop:
        for title, question in titled:
            result = shop.search(**question)
            console.print(f"\n[bold]{title}[/]")
            print_result(console, result, explain=False)
            shown.append(Shown.of(question, result, title))
        page = directory / "results.html"
        page.write_text(results_page(shown, pictures=shop.picture, products=shop.get), encoding="utf-8")
    console.print(f"\nThe results with pictures: {page.resolve().as_uri()}", soft_wrap=True)
    return [question for _, question in titled]


def _ideas(directory: Path, questions: Sequence[Question]) -> str:
    """Return what to try on the page of the shop these questions are about; nothing for a shop without products."""
    from lookalike.demo.story import PHOTO

    phrases = [question["text"] for question in questions if "text" in question]
    if not phrases:
        return ""
    return (
        f" and try three things: drop {directory / PHOTO} on the page, type “{phrases[0]}”, "
        "press + on a product for more like it"
    )


def _serve(console: Console, served: Served, port: int, ideas: str) -> None:
    from lookalike.service.process import serve_alone

    with listening(HOST, port, ports=PORTS) as listener:
        taken = listener.getsockname()[1]

        def ready() -> None:
            if port not in (0, taken):
                console.print(f"\nPort {port} is taken: the shop is served at port {taken}.", soft_wrap=True)
            address = f"[bold]http://{HOST}:{taken}[/]"
            console.print(f"\nOpen {address}{escape(ideas)}. Ctrl-C stops it.", soft_wrap=True)

        # A line for every request would push the address off the screen; what goes wrong is still said.
        logging.disable(logging.INFO)
        serve_alone(served, listener, ready)


def is_drawn(source: Path, plan: list[dict[str, Any]]) -> bool:
    """Say whether just this shop was drawn before; its file is written last, when all pictures are there."""
    return (
        source.exists()
        and [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()] == plan
    )
