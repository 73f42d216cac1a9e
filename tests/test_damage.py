"""A catalogue file with every kind of damage, indexed for real: every good row lands, every bad one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import lookalike
from adapters import damage
from lookalike.core.rows import Problem

MAKERS = {"csv": damage.csv_file, "jsonl": damage.jsonl_file, "parquet": damage.parquet_file}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_every_good_row_lands_and_every_bad_one_is_named(
    make: Callable[[Path], damage.Catalogue], tmp_path: Path
) -> None:
    catalogue = make(tmp_path)
    problems: list[Problem] = []
    with lookalike.open(tmp_path / "shop.db") as shop:
        report = shop.index(catalogue.path, on_problem=problems.append)
        landed = shop.get([entry.id for entry in catalogue.entries if entry.id])
    named = {problem.place for problem in problems}
    kinds = {entry.name for entry in catalogue.entries} - {"good"}
    assert len(kinds) >= 40
    for entry in catalogue.good:
        assert entry.id in landed, f"{entry.name} ({entry.place}) did not land"
    for entry in catalogue.entries:
        what = f"{entry.name} ({entry.place})"
        of_it = [problem for problem in problems if problem.place == entry.place]
        if entry.expected == "lands":
            assert not of_it, f"{what}: {of_it}"
            continue
        assert entry.place in named, f"{what} is not named"
        assert all(problem.reason and problem.hint for problem in of_it), what
        assert any(problem.fatal for problem in of_it) == (entry.expected in ("fails", "duplicate")), (
            f"{what}: {of_it}"
        )
        if entry.expected == "lands-without":
            assert entry.field in [problem.field for problem in of_it], f"{what}: {of_it}"
        if entry.expected == "image-fails":
            assert "images" in [problem.field for problem in of_it], f"{what}: {of_it}"
            assert not any(image.content_hash for image in landed[entry.id].images), what
    assert report.read == report.new + report.failed
    assert report.problems == len(problems)
    print(f"{catalogue.path.name}: {len(kinds)} kinds of damage, {len(catalogue.good)} good rows, {report}")
