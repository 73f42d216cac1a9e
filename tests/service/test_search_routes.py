"""Searching over HTTP: every way to ask, and what comes back."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from lookalike.service.schemas_answers import Answer, Found


def upload(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("image", (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(pictures)]


def ids(answer: dict[str, Any]) -> list[str]:
    return [found["id"] for found in answer["results"]]


def test_a_phrase(served: TestClient) -> None:
    answer = served.get(
        "/v1/search/text", params={"q": "pleated skirt", "limit": 3, "facets": "brand"}
    ).json()
    assert answer.keys() == Answer.model_fields.keys()
    Answer.model_validate(answer)
    assert len(answer["results"]) == 3
    assert answer["results"][0].keys() == Found.model_fields.keys() - {"because"}
    assert answer["results"][0]["product"].keys() == {
        *("title", "price", "currency", "category", "brand", "url", "availability", "family", "attributes")
    }
    assert sum(value["count"] for value in answer["facets"]["brand"]) <= answer["matched"]
    assert answer["plan"] == "exact"
    assert answer["snapshot"].startswith("seq-")
    assert answer["took_ms"]["total"] > 0


def test_search_ids_are_never_the_same(served: TestClient) -> None:
    asked = [served.get("/v1/search/text", params={"q": "lamp", "limit": 1}).json() for _ in range(5)]
    found = {answer["search_id"] for answer in asked}
    assert len(found) == 5
    assert all(len(search_id) >= 16 for search_id in found)


def test_filters_with_fields_of_their_own(served: TestClient) -> None:
    everything = {"q": "nice", "limit": 100}
    free = served.get("/v1/search/text", params={**everything, "price_max": 0}).json()
    assert free["matched"] == 0  # a bound of 0 is a bound
    both = served.get("/v1/search/text", params={**everything, "category": ["Women", "Kitchen"]}).json()
    women = served.get("/v1/search/text", params={**everything, "category": "Women"}).json()
    kitchen = served.get("/v1/search/text", params={**everything, "category": "Kitchen"}).json()
    assert both["matched"] == women["matched"] + kitchen["matched"] > women["matched"] > 0
    assert all(found["product"]["category"].startswith("Women/") for found in women["results"])
    brand = women["results"][0]["product"]["brand"]
    narrow = served.get(
        "/v1/search/text",
        params={
            **everything,
            "category": "Women",
            "brand": brand,
            "price_min": 20,
            "where": "price < 90 or price > 150",
        },
    ).json()
    for found in narrow["results"]:
        assert found["product"]["brand"] == brand
        assert 20 <= found["product"]["price"] < 90 or found["product"]["price"] > 150


def test_a_comma_in_a_brand_of_nothing_is_told(served: TestClient) -> None:
    def notes(**params: Any) -> list[str]:
        found: list[str] = served.get("/v1/search/text", params={"q": "nice", **params}).json()["notes"]
        return [note for note in found if "taken as one name" in note]

    for _ in range(2):  # the second answer is one that was kept
        assert notes(brand="Acme,Borg", category="Women,Men") == [
            'brand "Acme,Borg" was taken as one name, with its comma: for several, '
            "repeat the parameter, brand=A&brand=B.",
            'category "Women,Men" was taken as one name, with its comma: for several, '
            "repeat the parameter, category=A&category=B.",
        ]
    brand = served.get("/v1/search/text?q=nice&limit=1").json()["results"][0]["product"]["brand"]
    assert notes(brand=["Acme,Borg", brand]) == notes(brand="Acme") == notes(brand=brand) == []
    written = served.post("/v1/search", json={"brand": ["Acme,Borg"]}).json()["notes"]
    assert written[-1].endswith("for several, list each.")


def test_fields_are_those_asked_for(served: TestClient) -> None:
    params = {"q": "skirt", "fields": ["title", "color", "id"], "limit": 2, "explain": True}
    found = served.get("/v1/search/text", params=params).json()["results"][0]
    assert found["product"].keys() == {"title", "color", "id"}
    terms = found["because"]
    assert sum(term["contribution"] for term in terms) == pytest.approx(found["score"], abs=1e-4)


def test_pages_follow_each_other(served: TestClient) -> None:
    first = served.get("/v1/search/text", params={"q": "skirt", "limit": 5}).json()
    second = served.get(
        "/v1/search/text", params={"q": "skirt", "limit": 5, "cursor": first["cursor"]}
    ).json()
    whole = served.get("/v1/search/text", params={"q": "skirt", "limit": 10}).json()
    assert ids(first) + ids(second) == ids(whole)


def test_a_photo_finds_its_product(served: TestClient, photo: bytes) -> None:
    answer = served.post("/v1/search/image", files=upload(photo), data={"limit": "3"}).json()
    assert ids(answer)[0] == "D00001"
    uri = f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"
    assert ids(served.post("/v1/search/image", data={"image_url": uri, "limit": "3"}).json()) == ids(answer)
    part = {"parts": [{"image": uri}], "limit": 3}
    assert ids(served.post("/v1/search", json=part).json()) == ids(answer)


def test_a_form_may_hold_a_photo_as_a_long_data_uri(served: TestClient, photo: bytes) -> None:
    uri = f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"
    long = uri + "%20" * 400_000  # white space, which says nothing
    found = served.post("/v1/search/image", files={"image_url": (None, long)})
    assert found.status_code == 200, found.text
    short = served.post("/v1/search/image", data={"image_url": uri})
    assert found.json()["results"] == short.json()["results"]


def test_several_photos(served: TestClient, drawn_source: Path) -> None:
    photos = [(drawn_source.parent / f"images/D0000{i}-1.jpg").read_bytes() for i in (1, 3)]
    answer = served.post("/v1/search/image", files=upload(*photos), data={"mode": "any", "limit": "2"}).json()
    assert set(ids(answer)) == {"D00001", "D00003"}


def test_a_box_finds_what_is_in_it(served: TestClient, drawn_source: Path) -> None:
    sides = {"left": "D00001", "right": "D00040"}
    scene = Image.new("RGB", (800, 400), "white")
    for number, id_ in enumerate(sides.values()):
        with Image.open(drawn_source.parent / f"images/{id_}-1.jpg") as picture:
            scene.paste(picture.convert("RGB").resize((400, 400)), (400 * number, 0))
    file = BytesIO()
    scene.save(file, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    for side, x in (("left", 0.0), ("right", 0.5)):
        form = {"box": f"{x}, 0, 0.5, 1", "limit": "1"}
        assert ids(served.post("/v1/search/image", files=upload(file.getvalue()), data=form).json()) == [
            sides[side]
        ]
        body = {"parts": [{"image": uri, "box": [x, 0, 0.5, 1]}], "limit": 1}
        assert ids(served.post("/v1/search", json=body).json()) == [sides[side]]


def test_photo_and_phrase_share_the_weight(served: TestClient, photo: bytes) -> None:
    def ask(weight: float) -> list[str]:
        form = {"text": "lamp", "image_weight": str(weight), "limit": "5"}
        return ids(served.post("/v1/search/multimodal", files=upload(photo), data=form).json())

    only_photo = served.post("/v1/search/image", files=upload(photo), data={"limit": "5"}).json()
    only_text = served.get("/v1/search/text", params={"q": "lamp", "limit": 5}).json()
    assert ask(1.0) == ids(only_photo)
    assert ask(0.0) == ids(only_text)
    assert ask(0.9)[0] == "D00001"
    alone = served.post("/v1/search/multimodal", data={"text": "lamp", "limit": "5"}).json()
    assert ids(alone) == ids(only_text)


def test_products_like_one(served: TestClient) -> None:
    answer = served.get("/v1/products/D00001/similar", params={"limit": 4}).json()
    assert "D00001" not in ids(answer)
    same = served.post("/v1/search", json={"parts": [{"like": "D00001"}], "limit": 4}).json()
    assert ids(answer) == ids(same)


def test_any_mix_of_parts(served: TestClient) -> None:
    asked = {
        "parts": [{"like": "D00001"}, {"text": "striped", "weight": 0.5}, {"text": "bag", "weight": -0.5}],
        "where": {"and": [{"field": "price", "op": "<", "value": 90}]},
        "weights": {"image": 0.5, "title": 0.5},
        "rerank": {"popularity": 0.1},
        "diversity": 0.3,
        "group": True,
        "max_per_category": 2,
        "facets": ["color"],
        "explain": True,
        "limit": 6,
    }
    answer = served.post("/v1/search", json=asked).json()
    assert len(answer["results"]) == 6
    assert all(found["product"]["price"] < 90 for found in answer["results"])
    assert {term["name"] for term in answer["results"][0]["because"]} >= {"popularity"}
    as_text = served.post("/v1/search", json=asked | {"where": "price < 90"}).json()
    assert ids(as_text) == ids(answer)


def test_without_parts_everything_the_filter_lets_through(served: TestClient) -> None:
    answer = served.post(
        "/v1/search", json={"where": "price < 30", "rerank": "bestsellers", "limit": 50}
    ).json()
    assert 0 < len(answer["results"]) == min(50, answer["matched"])


def test_a_vector(served: TestClient) -> None:
    body = {"parts": [{"space": "image", "vector": [1.0, 2.0]}]}
    told = served.post("/v1/search", json=body).json()["error"]
    assert told["code"] == "vector"
    dim = int(re.findall(r"\d+", told["message"])[-1])
    body = {"parts": [{"space": "image", "vector": [1.0] * dim}], "limit": 1}
    assert len(served.post("/v1/search", json=body).json()["results"]) == 1


def test_a_batch_fails_one_by_one(served: TestClient) -> None:
    queries = [
        {"parts": [{"text": "lamp"}], "limit": 2},
        {"parts": [{"txt": "lamp"}]},
        {"parts": [{"like": "nope"}]},
        {"parts": [{"like": "D00001"}], "limit": 2},
    ]
    response = served.post("/v1/search/batch", json={"queries": queries})
    lamp, unknown_field, unknown_product, like = response.json()["results"]
    assert ids(lamp) == ids(served.post("/v1/search", json=queries[0]).json())
    assert ids(like) == ids(served.post("/v1/search", json=queries[3]).json())
    assert unknown_field["error"]["field"] == "parts[0].txt"
    assert "nope" in unknown_product["error"]["message"]
    assert unknown_product["error"]["request_id"] == response.headers["x-request-id"]
    assert served.post("/v1/search/batch", json={"queries": []}).json() == {"results": []}


def test_answers_are_utf_8_json(served: TestClient) -> None:
    response = served.get("/v1/search/text", params={"q": "töpfe – „blau“ 🫖", "limit": 1})
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.content.decode("utf-8"))["results"]


def test_names_may_stand_between_commas(served: TestClient) -> None:
    apart = served.get(
        "/v1/search/text", params={"q": "lamp", "facets": ["brand", "color"], "fields": ["title", "price"]}
    )
    joined = served.get(
        "/v1/search/text", params={"q": "lamp", "facets": "brand, color", "fields": "title,price,"}
    )
    assert joined.json()["facets"].keys() == {"brand", "color"}
    assert joined.json()["facets"] == apart.json()["facets"]
    assert joined.json()["results"] == apart.json()["results"]
    assert joined.json()["results"][0]["product"].keys() == {"title", "price"}
    wrong = served.get("/v1/search/text", params={"q": "lamp", "facets": "brand,colr"})
    assert "colr" in wrong.json()["error"]["message"]
