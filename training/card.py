"""Write the measured tables of the model card; everything else in it is prose, written by hand.

    python -m training.card --results RESULTS.json [--storage STORAGE.json] [--cost COST.json] --out CARD.md

A table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; those whose numbers are not given stay as they are.
RESULTS.json is what `training.evaluate` writes, STORAGE.json what `training.storage` does. COST.json is one object, each of
whose entries becomes a row: {"processor": "2 cores of ...", "steps": 2600}.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError
from training.recipe import NAME

Results = Mapping[str, Any]
"""By encoder: what `training.evaluate` found."""

MODEL = "int8"
"""Of the three kinds of storage, the one in the package."""
FLOORS = (("mobilenet", "MobileNetV2"), ("hsv", "HSV histogram"), ("mix", "the two mixed"))
SHOWN: tuple[tuple[str, str, str], ...] = (
    ("title → its picture, in the first ten", "fashion: title -> picture", "Success@10"),
    ("“colour article” → both right", 'fashion: "colour article" -> both', "P@10"),
    ("“colour article” → the article", 'fashion: "colour article" -> article', "P@10"),
    ("“colour article” → the colour", 'fashion: "colour article" -> colour', "P@10"),
    ("“article” → the article", 'fashion: "article" -> article', "P@10"),
    ("picture → the same article", "fashion: picture -> article", "P@10"),
    ("picture → the same colour", "fashion: picture -> colour", "P@10"),
    ("picture → both", "fashion: picture -> both", "P@10"),
    ("grocery photo at the shelf → its product", "grocery: shelf photo -> product", "R@1"),
    ("", "grocery: shelf photo -> product", "R@5"),
    ("clothes photographed at home → the same label, other senders", "clothing: photo -> label", "P@10"),
    (
        "another view → the same variant, unseen families",
        "luma: view -> variant, held-out families",
        "Success@1",
    ),
    ("another view → the same variant, all families", "luma: view -> variant, all families", "Success@1"),
)
"""Rows of the quality table: what it says, the line, and the measure."""
KIND_SHOWN: tuple[tuple[str, str, str], ...] = (
    ("title, Success@10", "fashion: title -> picture", "Success@10"),
    ("“colour article”, P@10", 'fashion: "colour article" -> both', "P@10"),
    ("picture → article, P@10", "fashion: picture -> article", "P@10"),
    ("shelf photo, R@1", "grocery: shelf photo -> product", "R@1"),
)
"""Columns of the storage table."""
NONE = "–"


def main() -> None:
    """Parse, and write the tables there are numbers for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, required=True, help="what `training.evaluate` wrote")
    parser.add_argument("--storage", type=Path, help="what `training.storage` wrote")
    parser.add_argument("--cost", type=Path, help="an object of what training took")
    parser.add_argument("--out", type=Path, required=True, help="the card, whose tables are replaced")
    asked = parser.parse_args()
    results = _read(asked.results)
    tables = {"quality": quality(results)}
    if asked.storage:
        tables["storage"] = storage(_read(asked.storage), results)
    if asked.cost:
        tables["cost"] = cost(_read(asked.cost))
    asked.out.write_text(with_tables(asked.out.read_text(encoding="utf-8"), tables), encoding="utf-8")


def with_tables(card: str, tables: Mapping[str, str]) -> str:
    """Put each table between its marks; raise InputError if a card has no such marks, or has them more than once."""
    for name, table in tables.items():
        mark = re.compile(f"<!-- begin {name} -->.*?<!-- end {name} -->", re.DOTALL)
        if (found := len(mark.findall(card))) != 1:
            raise InputError(
                f"the card has {found} places for the table {name}, not one",
                hint=f"Mark one place: <!-- begin {name} --><!-- end {name} -->",
            )
        before, after = mark.split(card)
        card = f"{before}<!-- begin {name} -->\n{table}\n<!-- end {name} -->{after}"
    return card


def quality(results: Results) -> str:
    """Lay out what the model finds, with its interval, beside what the floors do."""
    rows = []
    for words, line, measure in SHOWN:
        found = _measured(results, MODEL, line, measure)
        floors = [_measured(results, floor, line, measure) for floor, _ in FLOORS]
        queries = results[MODEL]["lines"][line]["queries"] if found else NONE
        interval = f"{_share(found['low'])}–{_share(found['high'])}" if found else NONE
        rows.append(
            [words, measure, _count(queries), _mean(found, strong=True), interval, *map(_mean, floors)]
        )
    head = ["held-out task", "measure", "queries", NAME, "95 % interval", *(words for _, words in FLOORS)]
    return _table(head, rows)


def storage(found: Mapping[str, Any], results: Results) -> str:
    """Lay out what each kind of storage costs, and what it still finds where that was measured."""
    head = ["stored as", "size", "cosine to float32, pictures", "titles", "opens in", "a picture", "a title"]
    rows = [
        [
            kind,
            f"{sum(told['bytes'].values()) / 1e6:.1f} MB",
            _cosines(told["pictures"]),
            _cosines(told["titles"]),
            f"{told['open_ms']:.0f} ms",
            f"{told['picture_ms']:.1f} ms",
            f"{told['title_ms']:.2f} ms",
            *(_mean(_measured(results, kind, line, measure)) for _, line, measure in KIND_SHOWN),
        ]
        for kind, told in found["kinds"].items()
    ]
    return _table([*head, *(words for words, _, _ in KIND_SHOWN)], rows)


def cost(told: Mapping[str, Any]) -> str:
    """Lay out an object as it comes."""
    return _table(["training", ""], [[name, _count(value)] for name, value in told.items()])


def _measured(results: Results, encoder: str, line: str, measure: str) -> Mapping[str, float] | None:
    told = results.get(encoder, {}).get("lines", {}).get(line)
    return told["measures"][measure] if told else None


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def _mean(found: Mapping[str, float] | None, strong: bool = False) -> str:
    if found is None:
        return NONE
    return f"**{_share(found['mean'])}**" if strong else _share(found["mean"])


def _share(value: float) -> str:
    """Write .312, as the README does, and 1.000."""
    return f"{value:.3f}".removeprefix("0")


def _cosines(told: Mapping[str, float]) -> str:
    return f"{told['mean']:.5f}, least {told['least']:.4f}"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


if __name__ == "__main__":
    main()
