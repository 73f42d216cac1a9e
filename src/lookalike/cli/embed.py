"""`lookalike embed`: a source into a file of vectors."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lookalike.cli.index import ProblemFile, override, print_recognised, shown_progress, split_at
from lookalike.cli.options import ImagesOption, QueryOption, SourceArgument, TextEncoderOption
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.core.column_map import ColumnMap
    from lookalike.core.ports import Source


def embed(  # noqa: PLR0913 - one option per thing a person can say
    source: SourceArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .parquet file to write.")],
    encoder: Annotated[str, typer.Option("--encoder", help="Encoder by name.")] = "builtin",
    text_encoder: TextEncoderOption = None,
    part: Annotated[
        str,
        typer.Option(help="Only every fourth row, from the second on: 2/4. Each part needs its own --out."),
    ] = "1/1",
    half: Annotated[
        bool, typer.Option("--half", help="Keep numbers in 16 bits: a file of half the size.")
    ] = False,
    npy: Annotated[
        bool, typer.Option("--npy", help="Also write an array, OUT.npy, and what its rows are, OUT.rows.csv.")
    ] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", "-m", help="Say which column is what: title=productDisplayName, id=@row."),
    ] = None,
    query: QueryOption = None,
    images: ImagesOption = None,
    split: Annotated[
        list[str] | None, typer.Option("--split", help='Say at what lists in a column are split: sizes=";".')
    ] = None,
    failures: Annotated[
        Path | None, typer.Option(help="CSV file for rows and pictures that could not be used.")
    ] = None,
) -> None:
    """Embed the pictures and texts of a catalogue into a Parquet file: id, space, content_hash, ref, vector.

    Run it again to go on after a crash, or when the source has changed: what has a vector already is not embedded again. What
    cannot be read is listed in a CSV file, and the rest goes on.

    With --part a source is shared by any number of runs, on any machines and GPUs. Their files are then named one after the
    other:  lookalike index SOURCE --embeddings a.parquet --embeddings b.parquet

    Examples:

      lookalike embed products.parquet --out vectors.parquet --encoder clip-vit-b32

      lookalike embed products.parquet --out v2.parquet --part 2/4 --encoder torch:siglip2-base

      lookalike index products.parquet --encoder clip-vit-b32 --embeddings vectors.parquet
    """
    from lookalike.embed import embed as embed_source  # the libraries behind it take their time to load

    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        problems = stack.enter_context(ProblemFile(failures or Path(f"{out.stem}-failures.csv")))
        progress = stack.enter_context(shown_progress(console))
        task = progress.add_task("reading", total=None)

        def start(opened: Source, recognised: ColumnMap) -> None:
            print_recognised(progress.console, opened.name, recognised)
            progress.update(task, total=opened.total, description="embedding")

        report = embed_source(
            source,
            out,
            encoder=encoder,
            text_encoder=text_encoder,
            part=_part(part),
            half=half,
            npy=npy,
            columns=dict(override(text) for text in columns or []),
            query=query,
            images=images,
            split=dict(split_at(text) for text in split or []),
            on_start=start,
            on_problem=problems.add,
            progress=lambda rows: progress.update(task, completed=rows),
        )
        progress.update(task, total=report.ingest.read, completed=report.ingest.read, description="done")
    done = report.ingest
    encoded = ", ".join(f"{count:,} {space}s" for space, count in done.encoded.items())
    rate = sum(done.encoded.values()) / done.took_s if done.took_s else 0.0
    console.print(
        f"read {done.read:,} rows, failed {done.failed:,}; images {done.images:,}, failed {done.failed_images:,}",
        soft_wrap=True,
    )
    console.print(
        f"embedded: {encoded}; had before: {done.given:,}  ({done.took_s:.1f} s, {rate:,.0f} a second)",
        soft_wrap=True,
    )
    console.print(f"wrote {report.vectors:,} vectors to {out}", soft_wrap=True)
    problems.print_to(console)


def _part(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()):
        raise InputError(f"--part {text}: that is no part", hint="Write --part 2/4 for the second of four.")
    return int(number), int(of)
