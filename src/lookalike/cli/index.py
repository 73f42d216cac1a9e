"""`lookalike index`: a source into the catalogue."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
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
    TextEncoderOption,
    shop_of,
)
from lookalike.core.errors import InputError

if TYPE_CHECKING:
    from lookalike.adapters.index_plan import Planned
    from lookalike.api import Shop
    from lookalike.core.column_map import ColumnMap
    from lookalike.core.ports import Source
    from lookalike.core.rows import Problem
    from lookalike.engine.ingest import IngestReport

SHOWN_PROBLEMS = 5


def print_plan(console: Console, planned: Sequence[Planned]) -> None:
    """Print what index each space of a shop would have, in 80 columns; the time to search where any was measured."""
    if not planned:
        console.print("nothing was indexed yet: there is nothing to plan")
        return
    is_timed = any(each.search_us is not None for each in planned)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("space", "index", "vectors", "memory", "disk", "recall", "build", *["search"] * is_timed):
        table.add_column(name, no_wrap=True, justify="left" if name in ("space", "index") else "right")
    for each in planned:
        cells = (
            each.space,
            each.kind,
            f"{each.vectors:,} x {each.dim}",
            _megabytes(each.memory_bytes),
            _megabytes(each.disk_bytes),
            f"{each.recall:.3f}",
            _build_time(each),
        )
        search = "?" if each.search_us is None else f"{each.search_us / 1e3:.2f} ms"
        table.add_row(*cells, *[search] * is_timed)
    console.print(table)
    spaces: dict[str, list[str]] = {}
    for each in planned:
        spaces.setdefault(each.parameters, []).append(each.space)
    for said, names in spaces.items():
        console.print(f"[dim]{', '.join(names)}: {said}[/]")
    if not all(each.measured for each in planned):
        console.print("[dim]~ is an estimate, recall that of the ten nearest[/]")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else "< 1 MB"


def _build_time(planned: Planned) -> str:
    if planned.build_s < 1:
        return "< 1 s"
    return f"{'' if planned.measured else '~ '}{planned.build_s:,.0f} s"


def index(  # noqa: PLR0913 - one option per thing a person can say
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A .parquet, .csv, .tsv, .jsonl or .json file, a folder, or a database URL. Needed, but with --plan.",
            show_default=False,
        ),
    ] = None,
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
        bool,
        typer.Option(
            "--plan", help="Only print which index each space of the shop would have, and what that takes."
        ),
    ] = False,
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

      lookalike index export.csv --map title=displayName --map images=img_url

      lookalike index photos/ --shop photos.db

      lookalike index postgresql://me@db/shop --query "SELECT * FROM products"

      lookalike index --plan --shop photos.db
    """
    if plan:
        from lookalike.settings import load_settings
        from lookalike.wiring import plan_indexes

        print_plan(Console(highlight=False), plan_indexes(shop_of(source, shop), load_settings()))
        return
    if source is None:
        raise typer.BadParameter("name what to bring in, such as products.parquet", param_hint="SOURCE")
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
    prune = bool(options.get("prune"))
    print_report(console, report, len(shop), prune=prune)
    if inactive := len(shop) - shop.findable:
        console.print(f"{inactive:,} of them {'is' if inactive == 1 else 'are'} inactive, and never found")
    problems.print_to(console)
    if prune and report.failed:
        raise InputError(
            f"nothing was deleted: {_count(report.failed, 'row')} could not be read, and may be of products in the shop",
            hint="All other rows are in the shop. Mend these, or the source, and run the command again.",
        )
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
    if prune and not (report.failed or report.spared):
        console.print(f"deleted {_count(report.deleted, 'product')} that were not in the source")
    console.print(f"the shop now holds {_count(products, 'product')}")


def _count(n: int, one: str) -> str:
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


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
            listed = "problem is" if self.count == 1 else "problems in all are"
            console.print(f"{self.count:,} {listed} listed in {self.path}", highlight=False, soft_wrap=True)
