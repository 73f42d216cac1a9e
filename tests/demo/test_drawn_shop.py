"""The demonstration shop: whole, varied, and the same every time."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from lookalike.demo import draw_shop, plan_shop
from lookalike.demo.brands import BRANDS
from lookalike.demo.categories import CATEGORIES
from lookalike.demo.copywriting import SPOKEN
from lookalike.demo.palette import COLORS, COMPANIONS
from lookalike.demo.patterns import PATTERNS
from lookalike.demo.plan import Record, plan_drawings
from lookalike.demo.shop import draw_product

SMALL = 30


@pytest.fixture(scope="module")
def plan() -> list[Record]:
    return plan_shop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shop")
    draw_shop(directory, products=SMALL, workers=1)
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in directory.rglob("*") if f.is_file()}


def families(plan: list[Record]) -> dict[object, list[Record]]:
    grouped: dict[object, list[Record]] = defaultdict(list)
    for record in plan:
        grouped[record["family"]].append(record)
    return grouped


def test_the_same_seed_draws_the_same_bytes_with_any_number_of_processes(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.demo.shop.ALONE", 0)
    monkeypatch.setattr("lookalike.demo.shop.CHUNK", 7)
    draw_shop(tmp_path, products=SMALL, workers=2)
    assert contents(tmp_path) == contents(shop)


def test_another_seed_draws_another_shop() -> None:
    assert plan_shop(SMALL, seed=8) != plan_shop(SMALL, seed=7)
    assert plan_shop(SMALL, seed=7) == plan_shop(SMALL, seed=7)


def test_every_image_exists_and_is_a_picture_of_about_320_pixels(shop: Path) -> None:
    records = [json.loads(line) for line in (shop / "products.jsonl").read_text("utf-8").splitlines()]
    assert records == plan_shop(SMALL)
    named = {name for record in records for name in record["images"]}
    assert named == {f"images/{file.name}" for file in (shop / "images").iterdir()}
    for name in named:
        with Image.open(shop / name) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert image.size in {(320, 320), (320, 400)}
            assert image.convert("L").getextrema()[0] < 170, "something is drawn on the background"


def test_progress_counts_up_to_the_whole_shop(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    draw_shop(tmp_path, products=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(3, 3)]


def test_a_stopped_run_leaves_no_products_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_shop(tmp_path, products=2, progress=stop)
    assert not (tmp_path / "products.jsonl").exists()
    assert draw_shop(tmp_path, products=2).exists()


def test_the_default_plan_fills_every_category_evenly(plan: list[Record]) -> None:
    counts: dict[object, int] = defaultdict(int)
    for record in plan:
        counts[record["category"]] += 1
    assert len(plan) == 1248
    assert set(counts) == {category.path for category in CATEGORIES}
    assert len(counts) >= 26
    assert max(counts.values()) - min(counts.values()) <= 1


def test_ids_and_titles_tell_products_apart(plan: list[Record]) -> None:
    assert len({record["id"] for record in plan}) == len(plan)
    assert len({(record["title"], record["brand"]) for record in plan}) > 0.97 * len(plan)


def test_a_family_is_one_design_in_several_colours() -> None:
    drawings = plan_drawings(1248, 7)
    grouped = families([planned.record for planned in drawings])
    stems = {planned.record["family"]: planned.stem for planned in drawings}
    colors = {planned.record["id"]: planned.color for planned in drawings}
    in_families = 0
    for name, members in grouped.items():
        assert len(members) <= 4
        assert len({record["category"] for record in members}) == 1
        assert len({colors[record["id"]] for record in members}) == len(members)
        assert all(stems[name] in str(record["title"]) for record in members)
        in_families += len(members) if len(members) > 1 else 0
    assert 0.25 < in_families / len(drawings) < 0.42


def test_figures_lie_in_their_ranges(plan: list[Record]) -> None:
    for record in plan:
        assert float(str(record["price"])) > 0
        assert record["currency"] == "EUR"
        assert 1 <= len(record["images"]) <= 3  # type: ignore[arg-type]
        assert 0 <= float(str(record["popularity"])) <= 1
        assert 0 <= float(str(record["conversion_rate"])) <= 0.2
        assert 1 <= float(str(record.get("rating", 1))) <= 5
        assert date(2024, 11, 1) <= date.fromisoformat(str(record["added"])) < date(2026, 11, 1)
    sold_out = sum(not record["availability"] for record in plan) / len(plan)
    assert 0.05 < sold_out < 0.12
    assert sum(not record["active"] for record in plan) < 0.03 * len(plan)


def test_words_agree_with_the_drawing() -> None:
    for planned in plan_drawings(1248, 7):
        title = str(planned.record["title"]).lower()
        assert planned.color in title
        assert "{" not in title + str(planned.record["description"])
        assert str(planned.record["description"]).count(". ") <= 2


def test_the_tables_fit_together() -> None:
    assert set(COMPANIONS) == set(COLORS)
    assert set(SPOKEN) == set(PATTERNS)
    assert len({brand.name for brand in BRANDS}) >= 24
    for category in CATEGORIES:
        assert set(category.patterns) <= set(PATTERNS), category.path
        assert any(category.department in brand.departments for brand in BRANDS), category.path


def test_every_style_of_every_category_can_be_drawn() -> None:
    first = {(p.category, p.style): p for p in plan_drawings(3000, 7)}
    assert set(first) == {(i, style) for i, c in enumerate(CATEGORIES) for style in c.styles}
    for planned in list(first.values())[::4]:
        assert draw_product(planned)
