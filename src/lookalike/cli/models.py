"""`lookalike models`: the encoders there are by name, and their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from lookalike.cli.models_export import export
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.adapters.encoder_onnx_preset import Preset
    from lookalike.adapters.model_hub import Progress as Told
    from lookalike.adapters.model_hub import Wanted
    from lookalike.adapters.model_lock import Lock

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "List, fetch and check the models that turn pictures and texts into vectors.\n\n"
        "`builtin` is in the package and needs none of this. A larger one finds more, and takes longer; fetch it once, then\n\n"
        "  lookalike models fetch clip-vit-b32\n\n"
        "  lookalike index products.parquet --shop shop.db --encoder clip-vit-b32"
    ),
)
app.command("export")(export)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="As in: lookalike models list; or the path of a model's .toml.")
]


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, for programs.")] = False,
) -> None:
    """List the models: what they take, how long their vectors are, their size, licence, and whether they are here.

    A model for `image+text` compares words with pictures; one for `image` or `text` does half of that. Longer vectors take more
    memory: 4 bytes times `dim` for each picture and each text of the shop.

    Examples:

      lookalike models list

      lookalike models list --json
    """
    from lookalike.wiring import model_presets

    rows = [_row(*_preset(name)) for name in model_presets()]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("name", "takes", box=None, pad_edge=False)
    table.add_column("dim", justify="right")
    table.add_column("MB", justify="right")
    table.add_column("licence")
    table.add_column("here")
    for row in rows:
        size = f"{row['size_mb']:,}" if row["size_mb"] else "?"
        licence = f"{row['licence']} ({row['licence_class']})"
        table.add_row(row["name"], row["kind"], str(row["dim"]), size, escape(licence), row["here"])
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "\nMore of one: lookalike models show NAME. Get one: lookalike models fetch NAME.", soft_wrap=True
    )


@app.command("show")
def show(name: NameArgument) -> None:
    """Show what is known of a model: its files, how pictures and texts are prepared for it, licence and source.

    Examples:

      lookalike models show siglip2-base
    """
    from lookalike.adapters.model_hub import read_lock

    preset, folder = _preset(name)
    row = _row(preset, folder)
    lock = read_lock(folder) if preset.hub else None
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in _facts(preset, row, lock, folder):
        table.add_row(what, escape(value))
    Console(highlight=False).print(table)


@app.command("fetch")
def fetch(
    name: NameArgument,
    directory: Annotated[
        Path | None,
        typer.Option("--from", help="Copy from a directory that holds the repository's files; no network."),
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="Address of another hub with the same repository; it gets no token.")
    ] = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Agree to a licence that is not an open one.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit, if not the one the model names.")
    ] = None,
) -> None:
    """Fetch the files of a model, once; from then on it is used without a network.

    They go into the folder of its name in `models_dir` (a setting, LOOKALIKE_MODELS_DIR), with a lock.json of their hashes.
    Only the files the model names are fetched, never code. What broke off goes on where it stopped when it is run again.

    Where the model names no hash, the first fetch is trusted, and the lock holds what came: to pin more, give a commit as
    --revision, and keep lock.json.

    Without a network: get the repository on another machine, bring it here, and name its directory with --from.

    Examples:

      lookalike models fetch clip-vit-b32

      lookalike models fetch clip-vit-b32 --from ~/Downloads/clip-vit-base-patch32

      lookalike models fetch clip-vit-b32 --mirror https://hub.example.com

      lookalike models fetch clip-vit-b32 --revision 0123456789abcdef0123456789abcdef01234567
    """
    from lookalike.adapters import model_hub

    preset, folder = _preset(name)
    if preset.hub is None:
        typer.echo(f"{preset.name} needs no fetching: its files lie beside its .toml, in {folder}")
        return
    if directory is not None and (mirror is not None or revision is not None):
        raise InputError(
            "--from takes the files as they are", hint="Leave out --mirror and --revision, or --from."
        )
    _allow(preset, accept_license)
    wanted = _wanted(preset)
    lock = None if directory else model_hub.fetched(wanted, folder, revision)
    did = "is here already" if lock else "is fetched"
    if lock is None:
        with _shown() as told:
            if directory is not None:
                lock = model_hub.copy(wanted, folder, directory, progress=told)
            else:
                lock = model_hub.fetch(wanted, folder, revision=revision, mirror=mirror, progress=told)
    commit = f", commit {lock.commit[:12]}" if lock.commit else ""
    typer.echo(
        f"{preset.name} {did}: {len(lock.files)} files, {lock.bytes / 1e6:,.0f} MB{commit}, in {folder}"
    )
    typer.echo(f"Check it:  lookalike models verify {name}")
    typer.echo(f"Use it:    lookalike index SOURCE --encoder {name}")


@app.command("verify")
def verify(name: NameArgument) -> None:
    """Check the files of a model by their hashes, run it, and compare its vectors with the golden ones it came with.

    Examples:

      lookalike models verify builtin

      lookalike models verify clip-vit-b32
    """
    from lookalike.adapters import model_hub
    from lookalike.adapters.encoder_onnx import OnnxEncoder
    from lookalike.wiring import load_encoder

    preset, folder = _preset(name)
    if preset.hub is not None:
        lock = model_hub.check(_wanted(preset), folder)
        typer.echo(f"files:   {len(lock.files)}, {lock.bytes / 1e6:,.0f} MB, each as its SHA-256 says")
    else:
        typer.echo(f"files:   {len(preset.files())}, each as the .toml says")
    encoder = load_encoder(name)
    assert isinstance(encoder, OnnxEncoder)
    encoder.warm_up()
    typer.echo(f"runs:    yes, {_kind(preset)} to {preset.dim} numbers; fingerprint {encoder.fingerprint}")
    if preset.golden is None:
        typer.echo("vectors: not compared, for its .toml has no golden values")
    else:
        typer.echo(f"vectors: as they should be, to {encoder.verify():.2g}")


def _preset(name: str) -> tuple[Preset, Path]:
    """Return a model by name or by the path of its TOML, and the folder its files are or will be in."""
    from lookalike.adapters.encoder_onnx_preset import read_preset
    from lookalike.settings import load_settings, models_folder
    from lookalike.wiring import model_presets

    known = model_presets()
    path = Path(name) if name.endswith(".toml") else known.get(name)
    if path is None:
        raise InputError(
            f"no model {name!r}", hint=f"There are: {', '.join(known)}; or give the path of a .toml."
        )
    preset = read_preset(path)
    return preset, path.parent if preset.hub is None else models_folder(load_settings()) / preset.name


def _wanted(preset: Preset) -> Wanted:
    from lookalike.adapters.model_hub import Wanted

    made = f"ONNX files of {preset.source} can be made: lookalike models export --help."
    hint = made if preset.source else ""
    return Wanted(preset.name, preset.hub or "", preset.revision, preset.files(), hint)


def _allow(preset: Preset, accepted: bool) -> None:
    if preset.licence_class != "open" and not accepted:
        raise InputError(
            f"{preset.name} has the licence {preset.licence}, which is {preset.licence_class}",
            hint=f"Read it at {preset.card}. If your use is within it, add --accept-license.",
            code="model",
        )


def _kind(preset: Preset) -> str:
    return "+".join(kind for kind in ("image", "text") if getattr(preset, kind) is not None)


def _row(preset: Preset, folder: Path) -> dict[str, Any]:
    from lookalike.adapters.model_hub import here

    if preset.hub is None:
        state = "built in"
        there = [folder / file for file in preset.files() if (folder / file).is_file()]
        size_mb = round(sum(file.stat().st_size for file in there) / 1e6)
    else:
        state, size_mb = "yes" if here(_wanted(preset), folder) else "no", preset.size_mb
    return {
        "name": preset.name,
        "kind": _kind(preset),
        "dim": preset.dim,
        "size_mb": size_mb,
        "licence": preset.licence,
        "licence_class": preset.licence_class,
        "here": state,
        "fetched": state != "no",
        "aligned": preset.aligned,
        "summary": preset.summary,
        "card": preset.card,
        "hub": preset.hub,
        "revision": preset.revision if preset.hub else None,
        "source": preset.source,
    }


def _facts(preset: Preset, row: dict[str, Any], lock: Lock | None, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a model."""
    yield "name", preset.name
    if preset.summary:
        yield "what", preset.summary
    yield "takes", f"{row['kind']}{', words comparable with pictures' if preset.aligned else ''}"
    yield "gives", f"{preset.dim} numbers each"
    yield "licence", f"{preset.licence} ({preset.licence_class})"
    yield "card", preset.card
    if preset.hub is not None:
        yield "hub", f"{preset.hub}, revision {preset.revision}"
    if preset.source is not None:
        yield "source", preset.source
    yield from _prepared(preset)
    for file, sha256 in preset.files().items():
        held = lock.files.get(file) if lock else None
        size = f", {held.bytes:,} bytes" if held else ""
        pinned = sha256 or (held.sha256 if held else None)
        yield "file", f"{file}{size}, {'SHA-256 ' + pinned[:12] if pinned else 'no hash until it is fetched'}"
    if lock is not None and row["fetched"]:
        yield "fetched", f"commit {lock.commit or 'unknown'}, in {folder}"
    elif preset.hub is not None:
        size = f" ({preset.size_mb:,} MB)" if preset.size_mb else ""
        yield "fetched", f"no{size}: lookalike models fetch {preset.name}"


def _prepared(preset: Preset) -> Iterator[tuple[str, str]]:
    if preset.image is not None:
        image = preset.image
        yield (
            "pictures",
            f"{image.size_px} px, {image.resize}, {image.interpolation}; mean {image.mean}, std {image.std}",
        )
    if preset.text is not None:
        text = preset.text
        tokens = (
            ""
            if text.tokenizer == "hashed-words"
            else f", up to {text.context} tokens, padded to {text.pad_to}"
        )
        yield "texts", f"{text.tokenizer}{tokens}{f', after {text.prefix!r}' if text.prefix else ''}"


@contextmanager
def _shown() -> Iterator[Told]:
    """Yield what shows the progress of files as bars, on the error stream."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def told(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(escape(Path(file).name), total=total)
            progress.update(tasks[file], completed=done)

        yield told
