"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
