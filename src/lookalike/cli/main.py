"""`lookalike`: the commands, and the one place where errors become a line for people instead of a traceback."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from lookalike import __version__
from lookalike.cli import clicks, demo, embed, evaluate, index, keys, models, search, serve, upgrade
from lookalike.cli.options import Wordless, unwrapped
from lookalike.core.errors import LookalikeError

app = typer.Typer(
    name="lookalike",
    help=(
        "Visual and text product search.\n\n"
        "Start with:  lookalike demo   or, with a catalogue of your own:\n\n"
        "  lookalike index products.parquet --shop shop.db\n\n"
        "  lookalike search --shop shop.db --text 'red checked shirt' --where 'price < 50'"
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("index")(index.index)
app.command("embed")(embed.embed)
app.command("search", cls=Wordless)(search.search)
app.command("show")(search.show)
app.command("delete")(search.delete)
app.command("eval")(evaluate.evaluate)
app.command("clicks")(clicks.clicks)
app.command("demo")(demo.demo)
app.command("serve", cls=Wordless)(serve.serve)
app.add_typer(keys.app, name="keys")
app.add_typer(upgrade.app, name="upgrade")
app.add_typer(models.app, name="models")
for each in (app, *(group.typer_instance for group in app.registered_groups)):
    for command in each.registered_commands if each is not None else ():
        command.help = unwrapped((command.callback.__doc__ if command.callback else None) or "")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    pass


INTERRUPTED = 130
"""The exit code Typer leaves with after Ctrl-C."""


def main() -> None:
    """Run a command; a known error prints what is wrong and what to do, and exits with 1 (interrupted: 130)."""
    console = Console(stderr=True, highlight=False)
    try:
        app()
    except LookalikeError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        if error.hint:
            console.print(escape(error.hint), soft_wrap=True)
        sys.exit(1)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            console.print("Interrupted. Run the same command again to go on where it stopped.")
        raise
    except OSError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        console.print("Check that the path exists, that it may be written to, and that the disk has room.")
        sys.exit(1)
