"""`lookalike keys`: make, list and revoke the API keys of the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys of the service.")

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--keys", help="The file that keeps the hashes of the keys, by default that of the service."
    ),
]


def _file(given: Path | None) -> Path:
    from lookalike.service.settings import ServiceSettings
    from lookalike.settings import read_settings

    return given or read_settings(ServiceSettings).keys_file


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as shop-frontend.")],
    scopes: Annotated[
        list[str], typer.Option("--scope", help="search, write or admin; may be given several times.")
    ] = ["search"],  # noqa: B006 - Typer copies it
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="After so many days it opens nothing.")
    ] = None,
    keys: FileOption = None,
) -> None:
    """Make a key and print it, once: only its hash is kept.

    Examples:

      lookalike keys new shop-frontend --scope search

      lookalike keys new importer --scope search --scope write --days 90
    """
    from lookalike.service.keys import add_key, new_key

    file = _file(keys)
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days)
    text, key = new_key(name, scopes, expires=expires)
    add_key(file, key)
    typer.echo(text)
    until = f", until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else ""
    said = f"Key {key.id} for {', '.join(key.scopes)}{until}. Keep it now: {file} holds only its hash."
    Console(stderr=True, highlight=False).print(escape(said), soft_wrap=True)


@app.command("list")
def list_(keys: FileOption = None) -> None:
    """List the keys: who, what for, since when and until when. Their secrets cannot be shown.

    Examples:

      lookalike keys list
    """
    from lookalike.service.keys import read_keys

    table = Table("id", "name", "scopes", "created", "expires", box=None, pad_edge=False)
    file, now = _file(keys), datetime.now(UTC)
    held = read_keys(file)
    for key in held.values():
        until = f"{key.expires:%Y-%m-%d}{' (over)' if key.expired(now) else ''}" if key.expires else "never"
        table.add_row(key.id, escape(key.name), ", ".join(key.scopes), f"{key.created:%Y-%m-%d}", until)
    if held:
        Console(highlight=False).print(table)
    else:
        typer.echo(f"{file} holds no keys. Make one: lookalike keys new NAME --scope search")


@app.command("revoke")
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As in: lookalike keys list.")],
    keys: FileOption = None,
) -> None:
    """Take a key away; a running service obeys within a second.

    Examples:

      lookalike keys revoke ID
    """
    from lookalike.service.keys import revoke_key

    key = revoke_key(_file(keys), id_)
    typer.echo(f"revoked {key.id} ({key.name})")
