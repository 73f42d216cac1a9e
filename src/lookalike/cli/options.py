"""Options that several commands share."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from lookalike.core.errors import InputError

SourceArgument = Annotated[
    str, typer.Argument(help="A .parquet, .csv, .tsv, .jsonl or .json file, a folder, or a database URL.")
]
QueryOption = Annotated[str | None, typer.Option(help="The SELECT to run, when SOURCE is a database URL.")]
ImagesOption = Annotated[
    Path | None, typer.Option(help="The folder image paths start from, if not the source's own.")
]
ShopOption = Annotated[
    str,
    typer.Option(
        "--shop", "-s", envvar="LOOKALIKE_SHOP", help="The catalogue: a path, or postgresql://user@host/db."
    ),
]
DEFAULT_SHOP = "shop.db"
PlaceArgument = Annotated[
    str | None, typer.Argument(metavar="SHOP", help="The catalogue, in place of --shop.", show_default=False)
]


class Wordless(TyperCommand):
    """A command whose usage leaves out arguments that are hidden: they are there only to be refused with a remedy."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line."""
        pieces = [self.options_metavar] if self.options_metavar else []
        shown = [param for param in self.get_params(ctx) if not getattr(param, "hidden", False)]
        return [*pieces, *(piece for param in shown for piece in param.get_usage_pieces(ctx))]


def unwrapped(text: str) -> str:
    """Return a docstring with each paragraph in one line, for help that is wrapped to the window; indented ones stay.

    Brackets in it are no markup.
    """
    paragraphs = escape(inspect.cleandoc(text)).split("\n\n")
    return "\n\n".join(each if each.startswith(" ") else each.replace("\n", " ") for each in paragraphs)


def shop_of(place: str | None, shop: str) -> str:
    """Return the shop that was named by an argument or by --shop; raise InputError if both name one, and not the same."""
    if place is None:
        return shop
    if shop not in (place, DEFAULT_SHOP, os.environ.get("LOOKALIKE_SHOP")):
        raise InputError(f"two shops are named, {place} and {shop}", hint="Name one, with --shop.")
    return place


EncoderOption = Annotated[
    str | None, typer.Option("--encoder", help="Encoder by name; by default the one the shop was made with.")
]
TextEncoderOption = Annotated[
    str | None,
    typer.Option(
        "--text-encoder", help="Another encoder for titles and descriptions; the first keeps pictures."
    ),
]
EmbeddingsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--embeddings",
        help="A file that `lookalike embed` wrote, or a folder of them: what has a vector there is not embedded.",
    ),
]
