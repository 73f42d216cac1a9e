"""Products over HTTP: read, written, changed and deleted, and found or not at once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import lookalike
from lookalike.core.errors import FetchError
from lookalike.core.rows import LIMITS
from lookalike.service.errors import Refused
from lookalike.service.schemas_answers import ProductAnswer, Written
from lookalike.service.writing import RowBounds, lines


def rows_of(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in response.text.splitlines()]
    for row in rows:
        Written.model_validate(row)
    return rows


def in_lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def data_uri(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"


def test_a_product_whole(served: TestClient, drawn_source: Path) -> None:
    drawn = json.loads(drawn_source.read_text().splitlines()[1])
    product = served.get(f"/v1/products/{drawn['id']}").json()
    assert product.keys() == ProductAnswer.model_fields.keys()
    ProductAnswer.model_validate(product)
    assert product["title"] == drawn["title"]
    assert product["image"] == f"/v1/products/{drawn['id']}/image"
    [address] = product["images"]  # of ours: paths of the server are nobody's business
    assert address.startswith(f"{product['image']}?of=")
    assert served.get(address).content == served.get(product["image"]).content
    assert served.get(f"{product['image']}?of={'0' * 32}").status_code == 404
    assert "images/" not in json.dumps(product)


def test_a_picture_and_its_tag(served: TestClient) -> None:
    first = served.get("/v1/products/D00001/image")
    assert first.content.startswith(b"\xff\xd8\xff")
    assert first.headers["content-type"] == "image/jpeg"
    assert first.headers["cache-control"] == "private, max-age=300"
    assert served.get("/v1/products/D00001").headers["cache-control"] == "no-store"
    again = served.get("/v1/products/D00001/image", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = served.get("/v1/products/D00001/image", headers={"If-None-Match": '"other"'})
    assert other.content == first.content


def test_written_found_replaced_deleted(own: TestClient, photo: bytes) -> None:
    row = {
        "title": "Hallway gadget",
        "description": "<p>Good &amp; <b>cheap</b></p>",
        "price": 12.5,
        "currency": "eur",
        "categories": ["Home/Hallway"],
        "images": [data_uri(photo)],
        "attributes": {
            "color": "purple",
            "sizes": ["S", "M"],
            "url": "https://shop.example/g",
            "depth_cm": 3,
        },
        "added": "2026-01-31",
    }
    id_ = "A/1 ä%?#similar"
    path = "/v1/products/A%2F1%20%C3%A4%25%3F%23similar"
    assert own.put(path, json=row).json() == {"id": id_, "status": "written"}
    assert own.put(path, json=row).json() == {"id": id_, "status": "unchanged"}
    product = own.get(path).json()
    assert product["description"] == "Good & cheap"
    assert (product["currency"], product["url"]) == ("EUR", "https://shop.example/g")
    assert product["added"].startswith("2026-01-31T00:00:00")
    assert product["image"] == f"{path}/image"
    assert own.get(product["image"]).status_code == 200
    found = own.get("/v1/search/text", params={"q": "gadget", "category": "Home/Hallway"}).json()["results"][
        0
    ]
    assert (found["id"], found["image"]) == (id_, product["image"])
    looks = own.get("/v1/products/D00001/similar", params={"limit": 1, "category": "Home/Hallway"}).json()
    assert looks["results"][0]["id"] == id_

    assert own.put(path, json={"title": "Hallway gadget"}).json()["status"] == "written"
    replaced = own.get(path).json()
    assert (replaced["price"], replaced["image"], replaced["attributes"]) == (None, None, {})
    assert own.get(f"{path}/image").json()["error"]["code"] == "no_image"

    assert own.delete(path).json() == {"deleted": 1}
    assert own.get(path).status_code == 404
    gone = own.post("/v1/products/delete", json={"ids": [id_, "D00001", "D00002"]})
    assert gone.json() == {"deleted": 2}
    assert own.get("/v1/stats").json()["products"] == 90


def test_a_changed_price_shows_at_once_and_embeds_nothing(own: TestClient) -> None:
    def cheap() -> list[str]:
        params = {"q": "skirt", "where": "price = 1.25", "limit": 5}
        return [found["id"] for found in own.get("/v1/search/text", params=params).json()["results"]]

    def embedded() -> dict[str, int]:
        shop: lookalike.Shop = own.app.state.service.shop  # type: ignore[attr-defined]
        return {change.id: change.content_seq for change in shop._catalog.changes(0)}

    assert cheap() == []
    held, before = own.get("/v1/products/D00001").json(), embedded()
    changed = own.patch("/v1/products/D00001", json={"price": 1.25}).json()
    assert changed == held | {"price": 1.25}
    assert cheap() == ["D00001"]
    assert embedded() == before
    assert own.get("/v1/products/D00001").json() == changed


def test_only_what_is_given_changes(own: TestClient) -> None:
    held = own.get("/v1/products/D00001").json()
    changes = {
        "brand": None,
        "availability": False,
        "rating": 5,
        "categories": ["Women/Skirts", "Sale"],
        "attributes": {"color": None, "season": "summer", "care": {"wash_c": 30}},
        "active": True,
    }
    changed = own.patch("/v1/products/D00001", json=changes).json()
    attributes = {name: value for name, value in held["attributes"].items() if name != "color"}
    assert changed == held | {
        "brand": None,
        "availability": False,
        "rating": 5.0,
        "categories": ["Women/Skirts", "Sale"],
        "attributes": attributes | {"season": "summer", "care.wash_c": 30},
    }
    sale = own.post("/v1/search", json={"where": 'category prefix "Sale"'}).json()
    assert [found["id"] for found in sale["results"]] == ["D00001"]
    assert own.patch("/v1/products/D00001", json={"attributes": {"care": None}}).json()["attributes"] == (
        attributes | {"season": "summer"}
    )
    assert own.patch("/v1/products/D00001", json={}).json()["rating"] == 5.0
    own.patch("/v1/products/D00001", json={"active": False})
    assert own.post("/v1/search", json={"where": 'category prefix "Sale"'}).json()["matched"] == 0


@pytest.mark.parametrize(
    ("held", "change", "left"),
    [
        ({"a": {"b": 1, "c": 2}, "ab": 3}, {"a": 5}, {"a": 5, "ab": 3}),
        ({"a": 5, "ab": 3}, {"a": {"b": 1}}, {"a.b": 1, "ab": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 5}}, {"a.b": 5, "a.c": 2}),
        ({"a": {"b": {"x": 1, "y": 2}, "c": 2}}, {"a": {"b": "z"}}, {"a.b": "z", "a.c": 2}),
        ({"a": {"b": {"x": 1}, "c": 2}}, {"a": {"b": {"x": None}}}, {"a.c": 2}),
        ({"a": {"b": 1}, "c": 2}, {"a": ["x", "y"]}, {"a": ["x", "y"], "c": 2}),
        ({"a": 1, "b": 2}, {"a": {}}, {"b": 2}),
    ],
)
def test_attributes_are_merged_as_json_objects_are(
    own: TestClient, held: dict[str, Any], change: dict[str, Any], left: dict[str, Any]
) -> None:
    """Worked out by hand after RFC 7396."""
    own.put("/v1/products/N1", json={"title": "x", "attributes": held})
    assert own.patch("/v1/products/N1", json={"attributes": change}).json()["attributes"] == left
    assert own.get("/v1/products/N1").json()["attributes"] == left


def test_too_many_attributes_are_refused_with_a_remedy_that_helps(own: TestClient) -> None:
    held = {f"x{number}": 1 for number in range(LIMITS.max_attributes)}
    own.put("/v1/products/N1", json={"title": "x", "attributes": held})
    refused = own.patch("/v1/products/N1", json={"attributes": {"y": 1}})
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert (error["code"], error["field"]) == ("limit", "attributes")
    assert f"at most {LIMITS.max_attributes}" in error["message"] and "null" in error["remedy"]
    instead = own.patch("/v1/products/N1", json={"attributes": {"y": 1, "x0": None}})
    assert instead.json()["attributes"]["y"] == 1


def test_ids_that_end_like_routes_can_be_read(own: TestClient, photo: bytes) -> None:
    for id_ in ("N1/image", "N1/similar", "image", "N1/image/image"):
        assert own.put(f"/v1/products/{id_}", json={"title": "x"}).json()["status"] == "written"
        assert own.get(f"/v1/products/{id_}").json()["id"] == id_
    own.put("/v1/products/N1", json={"title": "x", "images": [data_uri(photo)]})
    assert own.get("/v1/products/N1/image").headers["content-type"] == "image/jpeg"
    assert "results" in own.get("/v1/products/N1/similar").json()
    for path in ("N2/image", "N2/similar"):
        missing = own.get(f"/v1/products/{path}")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_product")
        assert "'N2'" in missing.json()["error"]["message"]


def test_a_file_of_products_with_bad_lines(own: TestClient, photo: bytes) -> None:
    body = in_lines(
        {"id": "N1", "title": "first lamp", "price": 3},
        {"id": "N2", "titel": "misspelt"},
        {"title": "nameless"},
        ["no", "object"],
        {"id": "N3", "title": "third lamp", "images": [data_uri(photo)]},
        {"id": "N4", "price": "cheap"},
        {"id": "N1", "title": "first lamp again"},
        {"id": "N5", "images": ["/etc/passwd"]},
        {"id": "N6", "images": ["http://127.0.0.1:9/x.jpg"]},
        {"id": "N7", "images": ["data:image/png;base64,bm90IGEgcGljdHVyZQ=="]},
    )
    body = body.replace(b'{"id": "N4"', b'\n  \r\n{"id: "N3.5"\n{"id": "N4"')
    rows = rows_of(own.put("/v1/products", content=body, headers={"X-Request-ID": "bulk-7"}))
    assert [(row["id"], row["status"]) for row in rows] == [
        ("N1", "written"),
        ("N2", "failed"),
        (None, "failed"),
        (None, "failed"),
        ("N3", "written"),
        (None, "failed"),
        ("N4", "failed"),
        ("N1", "written"),
        ("N5", "failed"),
        ("N6", "written"),  # without the picture, which the row says
        ("N7", "written"),
    ]
    errors = {number: row["error"] for number, row in enumerate(rows) if "error" in row}
    assert errors.keys() == {1, 2, 3, 5, 6, 8, 9, 10}
    assert all(error["request_id"] == "bulk-7" and error["remedy"] for error in errors.values())
    assert (errors[1]["field"], errors[2]["field"], errors[6]["field"]) == ("titel", "id", "price")
    assert errors[5]["code"] == "malformed"
    assert own.get("/v1/products/N1").json()["title"] == "first lamp again"
    assert own.get("/v1/products/N5").status_code == 404
    assert own.get("/v1/products/N6").json()["images"] == ["http://127.0.0.1:9/x.jpg"]
    alike = own.get("/v1/products/N3/similar", params={"limit": 1, "explain": True}).json()["results"][0]
    assert alike["id"] == "D00001"  # it has the same photo


def test_an_array_does_as_well_and_writing_again_changes_nothing(own: TestClient) -> None:
    products = [{"id": f"N{i}", "title": f"thing {i}", "price": i} for i in range(5)]
    assert {row["status"] for row in rows_of(own.put("/v1/products", json=products))} == {"written"}
    assert {row["status"] for row in rows_of(own.put("/v1/products", json=products))} == {"unchanged"}
    products[3]["price"] = 99
    rows = rows_of(own.put("/v1/products", content=in_lines(*products)))
    assert [row["status"] for row in rows] == ["unchanged"] * 3 + ["written", "unchanged"]


def test_rows_beyond_the_limit_fail(own: TestClient) -> None:
    products = [{"id": f"N{i}", "price": i} for i in range(603)]
    rows = rows_of(own.put("/v1/products", content=in_lines(*products)))
    # One for all that were not looked at.
    assert [row["status"] for row in rows] == ["written"] * 600 + ["failed"]
    assert rows[-1]["error"]["field"] == "service.max_rows"
    assert own.get("/v1/stats").json()["products"] == 92 + 600


def test_no_file_of_the_server_is_ever_read(
    own: TestClient, drawn_source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Beside the pictures, so that relative paths as well would lead to them.
    monkeypatch.chdir(drawn_source.parent)
    shop: lookalike.Shop = own.app.state.service.shop  # type: ignore[attr-defined]
    for ref in ("images/D00001-1.jpg", str(drawn_source.parent / "images/D00001-1.jpg")):
        assert Path(ref).exists()
        for asked in (ref, Path(ref).absolute().as_uri()):
            assert own.post("/v1/search", json={"parts": [{"image": asked}]}).status_code == 422
            assert own.post("/v1/search/image", data={"image_url": asked}).status_code == 422
            assert own.put("/v1/products/N1", json={"images": [asked]}).status_code == 422
            with pytest.raises(FetchError):  # nor behind the routes, if one let it through
                shop.search(image=asked)
            shop.upsert([{"id": "N1", "title": "x", "image": asked}])
            assert own.get("/v1/products/N1").json()["image"] is None


async def cut(chunks: list[bytes], max_row_bytes: int) -> list[bytes | str]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    found = [line async for line in lines(arriving(), RowBounds(max_row_bytes, max_row_bytes, 1000))]
    return [str(line) if isinstance(line, Refused) else line for line in found]


@given(
    rows=st.lists(st.sampled_from([b"{}", b'{"id": 1}', b"", b"  ", b"x" * 30, b"[]"]), max_size=8),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_lines_do_not_depend_on_how_they_arrive(rows: list[bytes], cuts: list[int]) -> None:
    body = b"\n{}\n" + b"\n".join(rows)
    ends = sorted({0, len(body), *(min(each, len(body)) for each in cuts)})
    chunks = [body[start:end] for start, end in pairwise(ends)]
    expected = [b"{}", *(row for row in rows if row.strip())]
    assert asyncio.run(cut(chunks, 1000)) == expected
    short = asyncio.run(cut(chunks, 20))
    assert short == [line if len(line) <= 20 else "the row is longer than 20 bytes" for line in expected]


# --- what GET told comes back by PUT ----------------------------------------------------------------------------------


def told_and_sent(own: TestClient, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Get a product and put it back as it is; return what was told before and after."""
    before = own.get(path).json()
    answer = own.put(path, json=before)
    assert answer.json() == {"id": before["id"], "status": "unchanged"}, answer.text
    assert rows_of(own.put("/v1/products", content=in_lines(before)))[0]["status"] == "unchanged"
    return before, own.get(path).json()


def test_what_was_told_can_be_sent_back_and_changes_nothing(own: TestClient, photo: bytes) -> None:
    whole = {
        "title": "Fan &amp;amp; light",
        "description": "<p>Good &amp; <b>cheap</b></p>",
        "price": 0,
        "currency": "eur",
        "categories": ["Home/Hallway", "Sale"],
        "images": [data_uri(photo)],
        "attributes": {
            "since": "2026-01-31",
            "url": "https://a.example/g",
            "big": 2**60,
            "fits": True,
            "n": 1,
        },
        "added": "2026-01-31",
        "rating": 4.5,
    }
    assert own.put("/v1/products/A%2F1%2C%20x", json=whole).json()["status"] == "written"
    assert own.patch("/v1/products/A%2F1%2C%20x", json={"price": 3}).status_code == 200
    shop: lookalike.Shop = own.app.state.service.shop  # type: ignore[attr-defined]
    sequence = shop.sequence
    for path in ("/v1/products/A%2F1%2C%20x", "/v1/products/D00001"):
        picture = own.get(f"{path}/image").content
        held = shop.get([own.get(path).json()["id"]])
        before, after = told_and_sent(own, path)
        assert before == after
        assert [image for image in before["images"] if own.get(image).content == picture] == before["images"][
            :1
        ]
        assert own.get(f"{path}/image").content == picture
        assert shop.get(held) == held  # dates are dates still, and paths are there though nobody was told
    assert shop.sequence <= sequence + 1  # the price had been changed without a look at the whole


def test_a_change_of_what_was_told_embeds_nothing_but_what_changed(own: TestClient) -> None:
    before = own.get("/v1/products/D00001").json()
    assert own.put("/v1/products/D00001", json=before | {"price": 1.0}).json()["status"] == "written"
    assert own.get("/v1/products/D00001").json() == before | {"price": 1.0}
    moved = before | {"categories": ["Elsewhere"]}  # what follows from it may still say what it said
    assert own.put("/v1/products/D00001", json=moved).json()["status"] == "written"
    assert own.get("/v1/products/D00001").json()["category"] == "Elsewhere"
    none = own.put("/v1/products/D00001", json=before | {"images": []})
    assert none.json()["status"] == "written"
    assert own.get("/v1/products/D00001/image").status_code == 404


@pytest.mark.parametrize(
    ("changed", "field", "remedy"),
    [
        ({"category": "Shoes"}, "category", "categories"),
        ({"image": "https://a.example/1.jpg"}, "image", "images"),
        ({"url": "https://a.example/other"}, "url", "attributes.url"),
        ({"images": ["/v1/products/D00002/image?of=" + "0" * 32]}, "images[0]", "data: URI"),
        ({"images": ["https://a.example/1.jpg", "/v1/products/D00002/image"]}, "images[1]", "URL"),
    ],
)
def test_what_is_only_told_cannot_be_written(own: TestClient, changed: Any, field: str, remedy: str) -> None:
    before = own.get("/v1/products/D00001").json()
    answer = own.put("/v1/products/D00001", json=before | changed)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field), answer.text
    assert remedy in answer.json()["error"]["remedy"]
    assert own.get("/v1/products/D00001").json() == before


def test_a_picture_that_cannot_be_used_is_named_by_its_place(own: TestClient, photo: bytes) -> None:
    broken = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()
    images = [data_uri(photo), broken, "http://127.0.0.1:9/a.jpg"]
    told = own.put("/v1/products/B", json={"title": "b", "images": images}).json()
    assert told["status"] == "written"
    assert told["error"]["field"] in ("images[1]", "images[2]")
    assert "bytes:" not in told["error"]["message"]
    assert {"images[1]", "images[2]"} <= {
        *told["error"]["message"].replace(":", " ").replace(";", " ").split()
    }
    unread = own.put("/v1/products/B", json={"title": "b", "images": [data_uri(photo), "data:text/html,x"]})
    assert unread.json()["error"]["field"] == "images[1]"
