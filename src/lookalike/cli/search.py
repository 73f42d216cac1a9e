"""`lookalike search`: photo, phrase and product queries; `lookalike show`: what a shop holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lookalike.cli.options import DEFAULT_SHOP, EncoderOption, ShopOption
from lookalike.core.errors import InputError, QueryError

if TYPE_CHECKING:
    from lookalike.core.query import SearchResult
    from lookalike.core.types import Product
    from lookalike.questions import Question


WIDE = 110
"""Columns of a window in which a table of results has room for everything."""


def search(  # noqa: PLR0913 - one option per thing a person can ask
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    image: Annotated[
        list[str] | None, typer.Option("--image", "-i", help="A photo: path or URL. May be repeated.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", "-t", help="A phrase. May be repeated.")] = None,
    like: Annotated[
        list[str] | None, typer.Option("--like", "-l", help="A product id. May be repeated.")
    ] = None,
    minus: Annotated[
        list[str] | None, typer.Option("--not", help="A phrase to keep away from. May be repeated.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", help="A filter: 'price < 50 and not color = \"red\"'.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many products.")] = 10,
    mode: Annotated[str, typer.Option(help="How several parts combine: mix, any or all.")] = "mix",
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", help="How much a space counts: image=0.7. May be repeated."),
    ] = None,
    rerank: Annotated[
        str, typer.Option(help="Ranking profile: relevance, balanced, bestsellers or new.")
    ] = "relevance",
    diversity: Annotated[
        float, typer.Option(help="0 for the most relevant, up to 1 for the most varied.")
    ] = 0.0,
    group: Annotated[bool, typer.Option("--group", help="Show one product of each family.")] = False,
    facet: Annotated[
        list[str] | None, typer.Option("--facet", "-f", help="Count a column's values. May be repeated.")
    ] = None,
    cursor: Annotated[str | None, typer.Option(help="Continue where the last page ended.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with pictures as well.")] = None,
    shop: ShopOption = DEFAULT_SHOP,
    encoder: EncoderOption = None,
) -> None:
    """Search with a photo, a phrase, both, several photos, or a product, under a filter.

    Examples:

      lookalike search --image photo.jpg

      lookalike search --text "red checked shirt" --where "price < 50"

      lookalike search --like P1042 --text "in blue" --not "floral" --explain

      lookalike search --image a.jpg --image b.jpg --mode all --facet brand
    """
    from lookalike.api import open as open_shop

    _require_question(words or [], shop, asked=any((image, text, like, minus, where, cursor, facet)))
    question: dict[str, Any] = {
        "image": image,
        "text": text,
        "like": like,
        "parts": [{"text": phrase, "weight": -1.0} for phrase in minus or []],
        "where": where,
        "k": k,
        "mode": mode,
        "weights": dict(_weight(each) for each in weight) if weight else None,
        "rerank": rerank,
        "diversity": diversity,
        "group": group,
        "facets": [name.strip() for each in facet or [] for name in each.split(",") if name.strip()] or None,
        "cursor": cursor,
    }
    asked: Question = {name: value for name, value in question.items() if value is not None}  # type: ignore[assignment]
    with open_shop(shop, encoder=encoder, create=False) as opened:
        result = opened.search(**asked)
        if html:
            from lookalike.pages import Shown, results_page

            shown = [Shown.of(asked, result)]
            html.write_text(
                results_page(shown, pictures=opened.picture, products=opened.get), encoding="utf-8"
            )
    console = Console(highlight=False)
    if as_json:
        typer.echo(json.dumps(as_plain(result), ensure_ascii=False, indent=2))
        return
    print_result(console, result, explain=explain)
    if html:
        console.print(f"page with pictures: {html}")


def _require_question(words: list[str], shop: str, *, asked: bool) -> None:
    """Raise QueryError for a search that asks nothing, or says it where nothing can be said."""
    if not words and asked:
        return
    place, *rest = words if words and _is_place(words[0]) else [shop, *words]
    option = "" if place == DEFAULT_SHOP else f" --shop {place}"
    if asked and not rest:
        raise QueryError(
            f"the shop goes behind --shop: {place}", hint=f"Write: lookalike search --shop {place} ..."
        )
    if rest:
        raise QueryError(
            f"it is not clear what {' '.join(words)!r} is",
            hint=f'Ask for a phrase with: lookalike search{option} --text "{" ".join(rest)}"',
        )
    raise QueryError(
        "there is no question",
        hint=f"""Ask for a phrase, a photo or a product, or give a filter:
  lookalike search{option} --text "red checked shirt"
  lookalike search{option} --image photo.jpg --where "price < 50"
  lookalike search{option} --like P1042""",
    )


def _is_place(word: str) -> bool:
    with suppress(OSError):  # a phrase may be longer than the name of a file can be
        return "://" in word or word.endswith((".db", ".sqlite")) or Path(word).is_file()
    return False


def show(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Product ids; without one, the shop as a whole.")
    ] = None,
    shop: ShopOption = DEFAULT_SHOP,
) -> None:
    """Show products, or how many there are and which columns filters can use.

    Examples:

      lookalike show --shop shop.db

      lookalike show P1042 P1043 --shop shop.db
    """
    from lookalike.api import open as open_shop
    from lookalike.api import types_in_words

    console = Console(highlight=False)
    with open_shop(shop, create=False) as opened:
        if ids:
            found = opened.get(ids)
            typer.echo(
                json.dumps([as_plain(product) for product in found.values()], ensure_ascii=False, indent=2)
            )
            _require_all(ids, found)
            return
        inactive = len(opened) - opened.findable
        also = f", {inactive:,} of them inactive and never found" if inactive else ""
        console.print(f"{shop}: {len(opened):,} products{also}", soft_wrap=True)
        table = Table(box=None, header_style="bold", padding=(0, 2))
        table.add_column("column")
        table.add_column("holds")
        for name, holds in opened.columns.items():
            table.add_row(escape(name), " and ".join(types_in_words(holds)) or holds)
        console.print(table)


def _require_all(ids: list[str], found: Mapping[str, Product]) -> None:
    """Raise QueryError for ids that no product has."""
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        raise QueryError(
            f"no product {', '.join(missing)}", hint="Check the id; `lookalike search` prints ids."
        )


def delete(
    ids: Annotated[list[str], typer.Argument(help="Product ids.")], shop: ShopOption = DEFAULT_SHOP
) -> None:
    """Delete products; they are not found from now on.

    To delete all that a source no longer has, use `lookalike index SOURCE --prune`. A product that its source still has comes
    back when that is indexed again.

    Examples:

      lookalike delete P1042 P1043

      lookalike delete P1042 --shop photos.db
    """
    from lookalike.api import open as open_shop

    with open_shop(shop, create=False) as opened:
        found = opened.get(ids)
        gone = opened.delete(ids)
        typer.echo(f"deleted {gone:,} {'product' if gone == 1 else 'products'}")
        _require_all(ids, found)


def _weight(text: str) -> tuple[str, float]:
    space, _, number = text.partition("=")
    try:
        return space, float(number)
    except ValueError:
        raise InputError(f"--weight {text}", hint="Write SPACE=NUMBER, such as --weight image=0.7.") from None


def print_result(console: Console, result: SearchResult, *, explain: bool) -> None:
    """Print results, then facets, and how the answer was found."""
    if not result.hits:
        console.print("no results")
    elif explain:
        _print_explained(console, result)
    else:
        console.print(_table(result, console.width))
    for name, values in result.facets.items():
        counted = ", ".join(f"{value.value} ({value.count:,})" for value in values[:12])
        console.print(f"[bold]{escape(name)}[/]: {escape(counted)}", soft_wrap=True)
    for note in result.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    took = ", ".join(f"{stage} {ms:.1f}" for stage, ms in result.took_ms.items())
    products = "1 product" if result.matched == 1 else f"{result.matched:,} products"
    console.print(f"[dim]{products} could match · plan {result.plan} · ms: {took}[/]", soft_wrap=True)
    if result.cursor:
        console.print(f"[dim]next page: --cursor {result.cursor}[/]", soft_wrap=True)


def _table(result: SearchResult, width: int) -> Table:
    """Lay the results out; where there is little room titles have it, and of categories only the last step is shown."""
    is_wide = width >= WIDE
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("", "id", "title", "price", "category", "score"):
        most = 44 if is_wide or heading == "title" else width // 5
        table.add_column(heading, overflow="ellipsis", no_wrap=heading != "title", max_width=most)
    for rank, hit in enumerate(result.hits, 1):
        product = hit.product
        cells = (
            product.id,
            product.title,
            _price(product),
            _category(product, is_wide=is_wide),
        )
        table.add_row(str(rank), *(escape(cell) for cell in cells), f"{hit.score:.3f}")
    return table


def _print_explained(console: Console, result: SearchResult) -> None:
    """Print each result with the terms of its score, the weightiest first."""
    for rank, hit in enumerate(result.hits, 1):
        product = hit.product
        console.print(
            f"{rank:>2}  [bold]{hit.score:.3f}[/]  {escape(product.id)}  {escape(product.title)}  {_price(product)}"
        )
        for term in sorted(hit.because, key=lambda term: -abs(term.contribution)):
            of = f" against {term.part}" if term.part else ""
            raw = "" if term.similarity is None else f", similarity {term.similarity:.3f}"
            said = f"{term.name}{of}: {term.value:.3f} x weight {term.weight:.3f}{raw}"
            console.print(f"   [dim]{term.contribution:+.3f}  {escape(said)}[/]", soft_wrap=True)


def _category(product: Product, *, is_wide: bool) -> str:
    path = product.categories[0] if product.categories else ""
    return path if is_wide else path.rpartition("/")[2]


def _price(product: Product) -> str:
    return "" if product.price is None else f"{product.price:,.2f} {product.currency or ''}".strip()


def as_plain(result: SearchResult | Product) -> dict[str, Any]:
    """Return a result or a product as JSON-able values."""
    from dataclasses import asdict

    plain = asdict(result)
    return dict(json.loads(json.dumps(plain, default=str)))
