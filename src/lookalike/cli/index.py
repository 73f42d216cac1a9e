"""`lookalike index`: a source into the catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from lookalike.cli.options import (
    DEFAULT_SHOP,
    EmbeddingsOption,
    EncoderOption,
    ImagesOption,
    QueryOption,
    ShopOption,
    SourceArgument,
    TextEncoderOption,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.api import Shop
    from lookalike.core.column_map import ColumnMap
    from lookalike.core.ports import Source
    from lookalike.core.rows import Problem
    from lookalike.engine.ingest import IngestReport

SHOWN_PROBLEMS = 5


def _plan(place: str | None) -> None:
    """Print what index each space of a shop would have, and leave."""
    if place is None:
        return
    from lookalike.settings import load_settings
    from lookalike.wiring import plan_indexes

    planned = plan_indexes(place, load_settings())
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for name in ("space", "vectors", "index", "memory", "disk", "recall@10", "build", "search"):
        table.add_column(
            name, no_wrap=name != "index", justify="left" if name in ("space", "index") else "right"
        )
    for each in planned:
        search = "" if each.search_us is None else f"{each.search_us / 1e3:.2f} ms"
        table.add_row(
            each.space,
            f"{each.vectors:,} x {each.dim}",
            f"{each.kind}: {each.parameters}",
            f"{each.memory_bytes / 1e6:,.0f} MB",
            f"{each.disk_bytes / 1e6:,.0f} MB",
            f"{each.recall:.3f}",
            f"{each.build_s:,.1f} s{'' if each.measured else ' or so'}",
            search,
        )
    console = Console(highlight=False)
    console.print(table if planned else "nothing was indexed yet: there is nothing to plan")
    raise typer.Exit


def index(  # noqa: PLR0913 - one option per thing a person can say
    source: SourceArgument,
    shop: ShopOption = DEFAULT_SHOP,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", "-m", help="Say which column is what: title=productDisplayName, id=@row, brand=@none."
        ),
    ] = None,
    query: QueryOption = None,
    images: ImagesOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split", help='Say at what the lists in a column are split: sizes=";", or sizes=@none.'
        ),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Also delete the products that are not in SOURCE, unless they are too many."
        ),
    ] = False,
    prune_any: Annotated[
        bool, typer.Option("--prune-any", help="Also delete them if they are most of the shop.")
    ] = False,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan",
            metavar="SHOP",
            is_eager=True,
            callback=_plan,
            help="Only print which index each space of a shop would have, and what that takes.",
        ),
    ] = None,
    failures: Annotated[
        Path | None, typer.Option(help="CSV file for rows and fields that could not be used.")
    ] = None,
    encoder: EncoderOption = None,
    text_encoder: TextEncoderOption = None,
    embeddings: EmbeddingsOption = None,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Allow another encoder than the shop was made with.")
    ] = False,
) -> None:
    """Bring a catalogue in: read, embed, store. Run it again to pick up changes, or to go on after a crash.

    Columns are recognised by their names and contents, and shown before work begins. What has not changed since last time is
    skipped.

    Examples:

      lookalike index products.parquet

      lookalike index export.csv --map title=productDisplayName --map images=img_url

      lookalike index photos/ --shop photos.db

      lookalike index postgresql://me@db/shop --query "SELECT * FROM products"
    """
    from lookalike.api import open as open_shop  # the libraries behind it take their time to load
    from lookalike.core.rows import columns_of, recognise
    from lookalike.embed import require_vectors
    from lookalike.intake import first_rows
    from lookalike.wiring import has_catalog, open_source

    overrides = dict(override(text) for text in columns or [])
    splits = dict(split_at(text) for text in split or [])
    file = failures or Path(f"{Path(shop).stem if '://' not in shop else 'shop'}-failures.csv")
    read, _ = open_source(source, query)
    if not has_catalog(shop):
        # What is wrong with the source, or with what is said of it, must not leave an empty shop behind.
        samples = first_rows(read)
        recognise(columns_of(samples), samples, overrides, splits)
        require_vectors(embeddings or [], encoder, text_encoder)
    with open_shop(shop, encoder=encoder, text_encoder=text_encoder, reembed=reembed) as opened:
        run_index(
            opened,
            source,
            file,
            columns=overrides,
            split=splits,
            query=query,
            images=images,
            prune=prune or prune_any,
            prune_any=prune_any,
            embeddings=embeddings or [],
        )


def run_index(shop: Shop, source: str, failures: Path, **options: Any) -> None:
    """Index with a progress bar, and print what became of it; `options` are those of `Shop.index`."""
    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        problems = stack.enter_context(ProblemFile(failures))
        progress = stack.enter_context(shown_progress(console))
        task = progress.add_task("reading", total=None)

        def start(opened: Source, recognised: ColumnMap) -> None:
            print_recognised(progress.console, opened.name, recognised)
            progress.update(task, total=opened.total, description="indexing")

        report = shop.index(
            source,
            on_start=start,
            on_problem=problems.add,
            progress=lambda rows: progress.update(task, completed=rows),
            **options,
        )
        progress.update(task, total=report.read, completed=report.read, description="done")
    print_report(console, report, len(shop), prune=bool(options.get("prune")))
    problems.print_to(console)
    if report.spared:
        raise InputError(
            f"nothing was deleted: {report.spared:,} of {len(shop):,} products are not in {source}, which is too many to be "
            "believed",
            hint="Check that the source is complete. If they are to go, add --prune-any.",
        )


def override(text: str) -> tuple[str, str]:
    """Read FIELD=COLUMN of --map."""
    field, equals, column = text.partition("=")
    if not equals:
        raise InputError(
            f"--map {text}: no '='", hint="Write --map FIELD=COLUMN, such as --map title=productDisplayName."
        )
    return field.strip(), column.strip()


def split_at(text: str) -> tuple[str, str]:
    """Read COLUMN=SIGN of --split."""
    column, equals, separator = text.partition("=")
    if not equals:
        raise InputError(
            f"--split {text}: no '='", hint='Write --split COLUMN=SIGN, such as --split sizes=";".'
        )
    return column.strip(), separator


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="cyan")


def shown_progress(console: Console) -> Progress:
    """Return a bar that counts rows."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
    )


def print_recognised(console: Console, name: str, recognised: ColumnMap) -> None:
    """Print what was recognised, before work begins."""
    from lookalike.core.column_map import describe

    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("field", no_wrap=True)
    table.add_column("from column", overflow="fold", max_width=28)
    table.add_column("such as", overflow="fold")
    for row in describe(recognised):
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(f"[bold]{escape(name)}[/] is read as")
    console.print(table)
    for note in recognised.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)


def print_report(console: Console, report: IngestReport, products: int, *, prune: bool) -> None:
    """Print what became of the rows."""
    rate = report.read / report.took_s if report.took_s else 0.0
    console.print(
        f"read {report.read:,}: new {report.new:,}, changed {report.changed:,}, unchanged {report.unchanged:,}, "
        f"failed {report.failed:,}  ({report.took_s:.1f} s, {rate:,.0f} rows/s)"
    )
    encoded = ", ".join(f"{count:,} {space}s" for space, count in report.encoded.items())
    given = f"; vectors that were given: {report.given:,}" if report.given else ""
    console.print(
        f"images {report.images:,}, failed {report.failed_images:,}; embedded: {encoded}{given}",
        soft_wrap=True,
    )
    if prune and report.failed:
        console.print("[yellow]nothing was pruned: rows that failed may be products of the shop[/]")
    elif prune and not report.spared:
        console.print(f"deleted {report.deleted:,} products that were not in the source")
    console.print(f"the shop now holds {products:,} products")


class ProblemFile:
    """Collects problems in a CSV file (made at the first one), and keeps the first few to show."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: list[Problem] = []
        self._file: IO[str] | None = None

    def __enter__(self) -> ProblemFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, problem: Problem) -> None:
        """Write one problem."""
        if self._file is None:
            self._file = self.path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            self._write(("row", "place", "id", "field", "landed", "reason", "remedy"))
        landed = "no" if problem.fatal else "yes"
        self._write(
            (problem.number, problem.place, problem.id, problem.field, landed, problem.reason, problem.hint)
        )
        self.count += 1
        if len(self.first) < SHOWN_PROBLEMS:
            self.first.append(problem)

    def _write(self, cells: Iterable[object]) -> None:
        if self._file is not None:
            csv.writer(self._file).writerow(cells)

    def print_to(self, console: Console) -> None:
        """Print the first problems and where the rest is."""
        for problem in self.first:
            named = f"{problem.place}, {problem.id}" if problem.id else problem.place
            console.print(
                f"  [yellow]{escape(named)}[/]: {escape(problem.reason.rstrip('.'))}. {escape(problem.hint)}",
                soft_wrap=True,
            )
        if self.count:
            console.print(f"{self.count:,} problems in all are listed in {self.path}", highlight=False)
