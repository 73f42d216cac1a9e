"""The demo's questions: the same for the same shop, about products it sells, for shops of any size."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.core.filter_text import parse
from lookalike.core.filters import matches
from lookalike.core.types import Product
from lookalike.demo import draw_shop, plan_shop
from lookalike.demo.story import PHOTO, demo_questions
from lookalike.questions import Question

FIELDS = (
    "id",
    "family",
    "title",
    "description",
    "price",
    "currency",
    "brand",
    "availability",
    "popularity",
    "rating",
)


def product_of(record: dict[str, Any]) -> Product:
    known = {name: record[name] for name in FIELDS if name in record}
    rest = {name: value for name, value in record.items() if isinstance(value, bool | int | float | str)}
    added = datetime.combine(date.fromisoformat(record["added"]), datetime.min.time(), UTC)
    return Product(**known, categories=(record["category"],), attributes=rest, added=added)


def likes(questions: list[tuple[str, Question]]) -> list[str]:
    return [part["like"] for _, question in questions for part in question.get("parts", ()) if "like" in part]


@pytest.mark.parametrize(
    ("products", "seed"), [(1, 7), (2, 1), (9, 3), (48, 7), (200, 1), (1248, 7), (1248, 8)]
)
def test_questions_are_about_the_shop(tmp_path: Path, products: int, seed: int) -> None:
    shop = {str(record["id"]): record for record in plan_shop(products, seed)}
    questions = demo_questions(tmp_path, products, seed)
    if not any(record["active"] for record in shop.values()):
        assert questions == []
        return
    assert len(questions) == 5 and len({title for title, _ in questions}) == 5
    photo, phrase, filtered, colored, signed = (question for _, question in questions)
    assert photo["image"] == str(tmp_path / PHOTO)
    assert phrase["text"] and filtered["text"]
    assert all(shop[id_]["active"] for id_ in likes(questions)) and len(likes(questions)) == 2
    [liked, color] = colored["parts"]
    assert color["text"] != shop[liked["like"]].get("color") and color["weight"] > 0
    assert signed["parts"][1]["weight"] < 0
    if products >= 48:
        held = [matches(parse(str(filtered["where"])), product_of(record)) for record in shop.values()]
        assert 0 < sum(held) < products


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_a_big_shop_gets_telling_questions(tmp_path: Path, seed: int) -> None:
    shop = {str(record["id"]): record for record in plan_shop(1248, seed)}
    [_, (_, phrase), (_, filtered), (title, colored), (_, signed)] = demo_questions(tmp_path, 1248, seed)
    pattern = str(phrase["text"]).split(" ")[0].lower()
    assert sum(pattern in str(record["title"]).lower() for record in shop.values()) >= 10
    family = shop[colored["parts"][0]["like"]]["family"]
    siblings = [record for record in shop.values() if record["family"] == family]
    assert len(siblings) >= 3  # "this, but in blue" has an answer
    wanted = colored["parts"][1]["text"]
    assert title.endswith(f"in {wanted}") and any(
        wanted in str(record["title"]).lower() for record in siblings
    )
    described = shop[signed["parts"][0]["like"]]
    assert (
        signed["parts"][1]["text"] in f"{described['title']} {described['description']}".lower()
        or described["pattern"]
    )
    assert filtered["facets"]
    chosen = likes([("", colored), ("", signed)])
    assert shop[chosen[0]]["category"] != shop[chosen[1]]["category"]


def test_the_same_shop_gives_the_same_questions_and_photo(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for directory in (first, second):
        directory.mkdir()
    asked, again = demo_questions(first, 200, 5), demo_questions(second, 200, 5)
    assert (first / PHOTO).read_bytes() == (second / PHOTO).read_bytes()
    assert asked[1:] == again[1:] and [title for title, _ in asked] == [title for title, _ in again]
    assert asked != demo_questions(first, 200, 6)


def test_the_photo_is_none_of_the_catalogue(tmp_path: Path) -> None:
    draw_shop(tmp_path, products=30, seed=4, workers=1)
    demo_questions(tmp_path, 30, 4)

    def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB").resize((32, 32)), np.float64)

    photo = pixels(tmp_path / PHOTO)
    distances = [np.abs(photo - pixels(path)).mean() for path in (tmp_path / "images").glob("*.jpg")]
    assert len(distances) >= 30 and min(distances) > 4


def test_an_empty_shop_is_asked_nothing(tmp_path: Path) -> None:
    assert demo_questions(tmp_path, 0, 7) == []
