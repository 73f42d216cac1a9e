"""Whatever clients send, they get an answer below 500, in the one error shape, that says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

JSON = {"content-type": "application/json"}
PNG = b"\x89PNG\r\n\x1a\n"
NOISE = np.random.default_rng(5).bytes(300_000)  # more than the 200,000 bytes a picture of this shop may have


def file(data: bytes, name: str = "image") -> dict[str, Any]:
    return {"files": [(name, ("a.jpg", data, "image/jpeg"))]}


def text(**params: Any) -> tuple[str, str, dict[str, Any]]:
    return "GET", "/v1/search/text", {"params": {"q": "red", **params}}


def body(**content: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/v1/search", {"json": content}


def part(**content: Any) -> tuple[str, str, dict[str, Any]]:
    return body(parts=[content])


def raw(content: bytes) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/v1/search", {"content": content, "headers": JSON}


def image(data: bytes = b"", **form: Any) -> tuple[str, str, dict[str, Any]]:
    return "POST", "/v1/search/image", {**(file(data) if data else {}), "data": form}


def put(**content: Any) -> tuple[str, str, dict[str, Any]]:
    return "PUT", "/v1/products/NEW", {"json": content}


def patch(**content: Any) -> tuple[str, str, dict[str, Any]]:
    return "PATCH", "/v1/products/D00001", {"json": content}


DEEP: Any = {"field": "price", "op": "exists"}
for _ in range(100):
    DEEP = {"not": DEEP}

CASES: dict[str, tuple[tuple[str, str, dict[str, Any]], int, str]] = {
    # phrases and options
    "no phrase": (("GET", "/v1/search/text", {}), 422, "invalid"),
    "blank phrase": (text(q="   "), 422, "query"),
    "endless phrase": (text(q="x" * 2001), 422, "invalid"),
    "unknown option": (text(limitt=3), 422, "invalid"),
    "limit of words": (text(limit="many"), 422, "invalid"),
    "limit below 0": (text(limit=-1), 422, "invalid"),
    "limit 0": (text(limit=0), 422, "invalid"),
    "limit beyond the shop's": (text(limit=1001), 422, "limit"),
    "limit of 400 digits": (text(limit="9" * 400), 422, "invalid"),
    "price that is none": (text(price_min="cheap"), 422, "invalid"),
    "price NaN": (text(price_max="nan"), 422, "filter"),
    "price infinite": (text(price_max="inf"), 422, "filter"),
    "diversity 2": (text(diversity=2), 422, "query"),
    "diversity NaN": (text(diversity="nan"), 422, "query"),
    "unknown mode": (text(mode="some"), 422, "invalid"),
    "unknown profile": (text(rerank="best"), 422, "query"),
    "unknown facet": (text(facets="colr"), 422, "filter"),
    "unknown field": (text(fields="colr"), 422, "query"),
    "cap of 0": (text(max_per_category=0), 422, "invalid"),
    "cursor of nobody": (text(cursor="x"), 422, "query"),
    "cursor of odd letters": (text(cursor="ü" * 40), 422, "query"),
    "half a character": (("GET", "/v1/search/text?q=%ff%fe&where=%ed%a0%80", {}), 422, "filter"),
    # filters
    "filter cut off": (text(where="price <"), 422, "filter"),
    "filter of an unknown column": (text(where="prise < 5"), 422, "filter"),
    "filter of another type": (text(where='price = "x"'), 422, "filter"),
    "filter of JSON cut off": (text(where='{"field": "price"'), 422, "filter"),
    "filter of JSON without end": (text(where='{"not":' * 2500), 422, "filter"),
    "filter of brackets": (text(where="(" * 300), 422, "filter"),
    "filter of text as list": (body(where=["price < 5"]), 422, "invalid"),
    "filter tree of nonsense": (body(where={"field": "price"}), 422, "filter"),
    "filter tree of an unknown operator": (
        body(where={"field": "price", "op": "~", "value": 1}),
        422,
        "filter",
    ),
    "filter tree too deep": (body(where=DEEP), 422, "filter"),
    # JSON
    "no body": (("POST", "/v1/search", {}), 422, "invalid"),
    "not JSON": (raw(b'{"parts": ['), 400, "malformed"),
    "not UTF-8": (raw(b'{"parts": "\xff"}'), 400, "malformed"),
    "NaN": (raw(b'{"limit": NaN}'), 400, "malformed"),
    "endless number": (raw(b'{"limit": 1e999}'), 400, "malformed"),
    "endless nesting": (raw(b"[" * 100_000), 400, "malformed"),
    "half a surrogate pair": (raw(b'{"parts": [{"text": "\\ud800"}]}'), 400, "malformed"),
    "a list": (raw(b"[]"), 422, "invalid"),
    "JSON called text": (
        ("POST", "/v1/search", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
        415,
        "content_type",
    ),
    "unknown key": (body(partz=[]), 422, "invalid"),
    "limit as text": (body(limit="5"), 422, "invalid"),
    "limit as yes": (body(limit=True), 422, "invalid"),
    "parts as object": (body(parts={}), 422, "invalid"),
    "empty part": (part(), 422, "query"),
    "part of two kinds": (part(text="x", like="D00001"), 422, "query"),
    "part with an unknown key": (part(txt="x"), 422, "invalid"),
    "part of no weight": (part(text="x", weight=0), 422, "query"),
    "part of endless weight": (part(text="x", weight=1e308), 422, "invalid"),
    "only negative parts": (part(text="x", weight=-1), 422, "query"),
    "33 parts": (body(parts=[{"text": "x"}] * 33), 422, "limit"),
    "unknown product": (part(like="nope"), 422, "query"),
    "product with NUL": (part(like="a\0b"), 422, "query"),
    "vector of another length": (part(space="image", vector=[1.0, 2.0]), 422, "vector"),
    "vector of nothing": (part(space="image", vector=[]), 422, "vector"),
    "vector of words": (part(space="image", vector=["1"]), 422, "invalid"),
    "vector beyond float32": (part(space="image", vector=[1e300] * 128), 422, "vector"),
    "vector without space": (part(vector=[1.0]), 422, "query"),
    "vector of an unknown space": (part(space="smell", vector=[1.0]), 422, "query"),
    "box of three": (part(image="data:,x", box=[0, 0, 1]), 422, "invalid"),
    "box with a text": (part(text="x", box=[0, 0, 1, 1]), 422, "query"),
    "weights that sum to nothing": (body(parts=[{"text": "x"}], weights={"title": 0}), 422, "query"),
    "weights of an unknown space": (body(parts=[{"text": "x"}], weights={"smell": 1}), 422, "query"),
    "weights below 0": (body(parts=[{"text": "x"}], weights={"title": -1}), 422, "query"),
    "weights as list": (body(parts=[{"text": "x"}], weights=[1]), 422, "invalid"),
    "rerank by an unknown signal": (body(rerank={"luck": 1}), 422, "query"),
    "too many queries": (("POST", "/v1/search/batch", {"json": {"queries": [{}] * 5}}), 422, "limit"),
    "batch of nothing": (("POST", "/v1/search/batch", {"json": {}}), 422, "invalid"),
    # pictures
    "no image": (image(limit="3"), 422, "query"),
    "image as a word": (image(image="a.jpg"), 422, "invalid"),
    "empty file": (image(b" "), 422, "image"),
    "text as image": (image(b"<html>not a picture</html>"), 422, "image"),
    "half an image": (image(PNG + b"\0\0\0\rIHDR"), 422, "image"),
    "image too large": (image(PNG + NOISE), 413, "limit"),
    "too many images": (("POST", "/v1/search/image", {"files": file(b"x")["files"] * 4}), 422, "limit"),
    "unknown form field": (image(b"x", limitt="3"), 422, "invalid"),
    "multipart cut off": (
        (
            "POST",
            "/v1/search/image",
            {"content": b"--x\r\nnonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        ),
        422,
        "query",
    ),
    "multipart of nonsense": (
        (
            "POST",
            "/v1/search/image",
            {
                "content": b"--x\r\n\0\0bad header\r\n\r\n--x--",
                "headers": {"content-type": "multipart/form-data; boundary=x"},
            },
        ),
        400,
        "malformed",
    ),
    "multipart without boundary": (
        ("POST", "/v1/search/image", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}),
        400,
        "malformed",
    ),
    "path as image URL": (image(image_url="/etc/passwd"), 422, "invalid"),
    "file URL": (image(image_url="file:///etc/passwd"), 422, "invalid"),
    "private URL": (image(image_url="http://127.0.0.1:9/a.jpg"), 422, "fetch"),
    "metadata URL": (image(image_url="http://169.254.169.254/latest/meta-data"), 422, "fetch"),
    "odd URL": (image(image_url="http://[::1"), 422, "fetch"),
    "data URI of text": (image(image_url="data:text/plain,hello"), 422, "image"),
    "data URI cut off": (image(image_url="data:image/png;base64,iVBORw0KGg*"), 422, "fetch"),
    "path in JSON": (part(image="images/D00001-1.jpg"), 422, "invalid"),
    "box of words": (image(b"x", box="a,b,c,d"), 422, "image"),
    "box without image": (image(box="0,0,1,1"), 422, "query"),
    "image weight 2": (
        ("POST", "/v1/search/multimodal", {"data": {"text": "x", "image_weight": "2"}}),
        422,
        "invalid",
    ),
    "neither image nor text": (("POST", "/v1/search/multimodal", {"data": {"limit": "1"}}), 422, "query"),
    # products
    "like an unknown product": (("GET", "/v1/products/nope/similar", {}), 404, "unknown_product"),
    "unknown product in a path": (("GET", "/v1/products/nope", {}), 404, "unknown_product"),
    "no product in a path": (("GET", "/v1/products/", {}), 404, "unknown_product"),
    "NUL in a path": (("GET", "/v1/products/a%00b", {}), 404, "unknown_product"),
    "no UTF-8 in a path": (("GET", "/v1/products/%ff%fe/similar", {}), 404, "unknown_product"),
    "picture of an unknown product": (("GET", "/v1/products/nope/image", {}), 404, "unknown_product"),
    "change of an unknown product": (
        ("PATCH", "/v1/products/nope", {"json": {"price": 1}}),
        404,
        "unknown_product",
    ),
    "deletion of an unknown product": (("DELETE", "/v1/products/nope", {}), 404, "unknown_product"),
    "change of an unknown field": (patch(prise=3), 422, "invalid"),
    "change of the title": (patch(title="New"), 422, "invalid"),
    "change of the id": (patch(id="D2"), 422, "invalid"),
    "price below 0": (patch(price=-3), 422, "invalid"),
    "price as text": (patch(price="3"), 422, "invalid"),
    "rating 6": (patch(rating=6), 422, "invalid"),
    "date that is none": (patch(added="soon"), 422, "row"),
    "currency that is none": (patch(currency="dollars?"), 422, "row"),
    "active null": (patch(active=None), 422, "invalid"),
    "too many attributes": (patch(attributes={f"a{i}": i for i in range(250)}), 422, "row"),
    "change that is a list": (("PATCH", "/v1/products/D00001", {"json": []}), 422, "invalid"),
    "two ids": (put(id="OTHER", title="x"), 422, "invalid"),
    "blank id": (("PUT", "/v1/products/%20", {"json": {"title": "x"}}), 422, "row"),
    "id of 300 letters": (("PUT", "/v1/products/" + "x" * 300, {"json": {"title": "x"}}), 422, "row"),
    "title as number": (put(title=5), 422, "invalid"),
    "unknown product field": (put(titel="x"), 422, "invalid"),
    "path as picture": (put(images=["/etc/passwd"]), 422, "invalid"),
    "path behind a URL": (put(images=["https://a.example/1.jpg|file:///etc/passwd"]), 422, "invalid"),
    "path behind a data URI": (
        put(images=["data:image/png;base64,iVBORw0KGgo=|file:///etc/passwd"]),
        422,
        "invalid",
    ),
    "picture that is text": (put(images=["data:text/html,x"]), 422, "row"),
    "no rows": (("PUT", "/v1/products", {"content": b"\n \n"}), 422, "invalid"),
    "array cut off": (("PUT", "/v1/products", {"content": b'[{"id": "a"}'}), 400, "malformed"),
    "array too long": (("PUT", "/v1/products", {"content": b"[" + b" " * 200_001}), 413, "limit"),
    "ids that are none": (("POST", "/v1/products/delete", {"json": {"ids": [1]}}), 422, "invalid"),
    "ids as one text": (("POST", "/v1/products/delete", {"json": {"ids": "D00001"}}), 422, "invalid"),
    "too many ids": (("POST", "/v1/products/delete", {"json": {"ids": ["x"] * 601}}), 422, "limit"),
    # routes
    "unknown route": (("GET", "/v1/nothing", {}), 404, "not_found"),
    "unknown method": (("DELETE", "/v1/search", {}), 405, "method_not_allowed"),
    "odd method": (("BREW", "/v1/search", {}), 405, "method_not_allowed"),
}


def error_of(response: Any) -> dict[str, Any]:
    """Return the error of an answer, having checked its shape."""
    assert response.status_code < 500
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() - {"field", "position"} == {"code", "message", "remedy", "request_id"}
    assert all(error[name] for name in ("code", "message", "remedy"))
    assert error["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    assert len(response.content) < 60_000
    return error


@pytest.mark.parametrize("name", CASES)
def test_malformed_requests_are_told_so(served: TestClient, name: str) -> None:
    (method, path, content), status, code = CASES[name]
    response = served.request(method, path, **content)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code), error


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (text(limit=1001), "limit"),
        (body(limit=1001), "limit"),
        (body(parts=[{"text": "x"}] * 33), "parts"),
    ],
)
def test_limits_are_told_by_the_name_of_the_field(served: TestClient, asked: Any, field: str) -> None:
    method, path, content = asked
    error = error_of(served.request(method, path, **content))
    assert error["field"] == field
    assert "search.max_" in error["remedy"]


def test_a_bad_filter_says_where_and_what_there_is(served: TestClient) -> None:
    error = error_of(served.get("/v1/search/text", params={"q": "x", "where": "price < 5 and colr = 'red'"}))
    assert error["position"] == 14
    assert "color" in error["remedy"]
    assert "brand" in error["remedy"]
    error = error_of(served.get("/v1/search/text", params={"q": "x", "where": "price 5"}))
    assert error["position"] == 6
    assert "brand" in error["remedy"]


def test_a_cursor_belongs_to_its_question(served: TestClient) -> None:
    cursor = served.get("/v1/search/text", params={"q": "skirt", "limit": 2}).json()["cursor"]
    other = served.get("/v1/search/text", params={"q": "lamp", "limit": 2, "cursor": cursor})
    assert "another query" in error_of(other)["message"]
    cut = served.get("/v1/search/text", params={"q": "skirt", "limit": 2, "cursor": cursor[:-4]})
    assert error_of(cut)["code"] == "query"


def test_405_names_the_methods_there_are(served: TestClient) -> None:
    assert served.delete("/v1/search").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("asked", "field", "remedy"),
    [
        (text(limitt=3), "limitt", "Did you mean limit?"),
        (text(k=3), "k", "Use limit"),
        (("GET", "/v1/search/text", {"params": {"text": "red"}}), "text", "Use q"),
        (body(text="red"), "text", '{"parts": [{"text": "..."}]}'),
        (body(q="red"), "q", '{"parts": [{"text": "..."}]}'),
        (part(query="red"), "parts[0].query", "Use text"),
        (patch(title="New"), "title", "PUT /v1/products/{id}"),
        (patch(category="Shoes"), "category", "categories"),
        (patch(pric=3), "pric", "Did you mean price?"),
        (put(name="x"), "name", "Use title"),
        (put(colour="red"), "colour", "attributes"),
        (("POST", "/v1/search/image", file(b"x", "file")), "file", "curl -F image=@photo.jpg"),
        (("POST", "/v1/search/image", file(b"x", "photo")), "photo", "image"),
        (("POST", "/v1/search/multimodal", {"data": {"q": "red"}}), "q", "Use text"),
        (("POST", "/v1/search/batch", {"json": {"searches": []}}), "searches", "queries"),
        (("POST", "/v1/events", {"json": {"action_name": "click", "search_id": "q"}}), "search_id", "Use query_id"),
        (("POST", "/v1/events", {"json": {"action": "click"}}), "action", "Use action_name"),
        (("POST", "/v1/events", {"json": {"action_name": "click", "product_id": "D1"}}), "product_id",
         'event_attributes.object.object_id, {"event_attributes": {"object": {"object_id": "..."}}}'),
        (("POST", "/v1/events", {"json": {"action_name": "click", "position": 3}}), "position",
         'event_attributes.position.ordinal, {"event_attributes": {"position": {"ordinal": 1}}}'),
    ],
)  # fmt: skip
def test_what_is_not_known_is_told_what_to_use(
    served: TestClient, asked: Any, field: str, remedy: str
) -> None:
    method, path, content = asked
    error = error_of(served.request(method, path, **content))
    assert error["field"] == field
    assert remedy in error["remedy"], error


@pytest.mark.parametrize(
    ("asked", "field", "remedy"),
    [
        (("GET", "/v1/search/text", {}), "q",
         'Give a text of at most 2,000 letters, such as "red checked shirt". What to look for.'),
        (text(price_max="cheap"), "price_max", "Write a number, such as 80."),
        (text(limit=0), "limit", "Write a whole number of 1 or more, such as 12."),
        (text(mode="some"), "mode", "Write one of mix, any, all."),
        (text(group="maybe"), "group", "Write true or false."),
        (body(parts=[3]), "parts[0]", "Send an object."),
        (part(box=[0]), "parts[0].box", "Write a list of 4."),
        (body(weights={"title": "1"}), "weights.title", "Write a number from -1000 to 1000, without quotes."),
        (body(where=[1]), "where", "Write a text or an object."),
        (image(image="a.jpg"), "image[0]", "Write a file (curl -F image=@photo.jpg)."),
        (("POST", "/v1/events", {"json": {"action_name": "click", "event_attributes": {"object": "D1"}}}),
         "event_attributes.object", 'Write an object, such as {"object_id":"D00001"}.'),
        (patch(price=-3), "price", "Write a number of 0 or more, such as 19.9."),
        (patch(price="39.9"), "price", "Write a number of 0 or more, such as 19.9, without quotes."),
        (patch(rating=6), "rating", "Write a number from 0 to 5, such as 4.5."),
        (patch(categories="Shoes"), "categories", 'Write a list, such as ["Women/Shoes"].'),
        (("POST", "/v1/products/delete", {"json": ["D00001"]}), "body", 'Send an object, such as {"ids":["D00001"]}.'),
        (("POST", "/v1/products/delete", {"json": {}}), "ids", 'Give a list, such as ["D00001"].'),
        (("POST", "/v1/products/delete", {"json": {"ids": [1]}}), "ids[0]", "Write a text of at most 2,000 letters."),
        (("POST", "/v1/search/batch", {"json": {"queries": 3}}), "queries",
         'Write a list, such as [{"parts":[{"text":"lamp"}]}].'),
        (("GET", "/v1/stats", {"params": {"days": 0}}), "days", "/docs lists what each request takes, with examples."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_what_is_wanted(
    served: TestClient, asked: Any, field: str, remedy: str
) -> None:
    method, path, content = asked
    error = error_of(served.request(method, path, **content))
    assert (error["field"], error["remedy"]) == (field, remedy)


def test_of_several_each_remedy_names_its_field(served: TestClient) -> None:
    row = {"name": "x", "image_url": "y", "titel": "z"}
    error = error_of(served.put("/v1/products/NEW", json=row))
    named, known = error["remedy"].split(" Known here: ")
    assert named == (
        "name: Use title instead. image_url: Use images, a list, instead. titel: Did you mean title?"
    )
    fields = known.removesuffix(". Fields of your own go into attributes.").split(", ")
    assert {"categories", "images", "attributes"} <= set(fields)
    assert not {"category", "url", "image"} & set(fields)  # these are told, and cannot be written
    error = error_of(served.get("/v1/search/text", params={"limit": 0, "mode": "some", "q": "x"}))
    assert error["remedy"] == (
        "limit: Write a whole number of 1 or more, such as 12. mode: Write one of mix, any, all."
    )


@pytest.mark.parametrize(
    "ref", ["pics/mug-red.png", "/etc/passwd", "C:\\mug.png", "notaurl", "file:///a.png"]
)
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (lambda ref: put(images=["https://a.example/1.jpg", ref]), "images[1]"),
        (lambda ref: image(image_url=ref), "image_url[0]"),
        (lambda ref: part(image=ref), "parts[0].image"),
    ],
)
def test_a_path_is_told_what_to_send_instead(served: TestClient, asked: Any, field: str, ref: str) -> None:
    method, path, content = asked(ref)
    error = error_of(served.request(method, path, **content))
    assert error["field"] == field
    assert error["message"] == f"{field} is not usable: it is neither an http(s) URL nor a data: URI"
    assert error["remedy"].startswith("A path on your machine cannot be read here: send an http(s) URL")
    assert "lookalike index" in error["remedy"]


@pytest.mark.parametrize("name", CASES)
def test_nobody_is_told_a_regular_expression_or_what_cannot_be_read(served: TestClient, name: str) -> None:
    (method, path, content), _, _ = CASES[name]
    error = error_of(served.request(method, path, **content))
    told = " ".join(str(error.get(each, "")) for each in ("message", "remedy", "field"))
    for sign in (
        "match pattern",
        "[hH]",
        "^(",
        "constrained-",
        "dict[",
        "instance of",
        "<class",
        "openapi.json",
    ):
        assert sign not in told, error
    assert told.replace("\n", "").isprintable(), error  # a filter is shown with a mark below


@pytest.mark.parametrize("path", ["/v1/search/image", "/v1/search/multimodal"])
def test_a_photo_that_is_called_a_form_is_told_so(served: TestClient, photo: bytes, path: str) -> None:
    plain = {"content-type": "application/x-www-form-urlencoded"}  # what curl calls any --data
    for content in (
        photo,
        PNG + NOISE,
        b'{"image_url": "https://a.example/1.jpg"}',
        b"=",
        b"\xff\xd8\xff=1&limit=3",
    ):
        answer = served.post(path, content=content, headers=plain)
        error = error_of(answer)
        assert (answer.status_code, error["code"], error["field"]) == (415, "content_type", "Content-Type")
        assert "curl -F image=@photo.jpg" in error["remedy"] and "holds no fields" in error["message"]
    misspelt = error_of(served.post(path, content=b"limitt=3", headers=plain))
    assert (misspelt["code"], misspelt["field"]) == ("invalid", "limitt")
    odd = error_of(served.post(path, content=b"limit=3&%00%01abc=3", headers=plain))
    assert odd["field"] == "??abc" and odd["message"].isprintable()
    right = served.post("/v1/search/multimodal", content=b"text=red+lamp&limit=3", headers=plain)
    assert len(right.json()["results"]) == 3


def test_all_that_is_wrong_is_told_at_once(served: TestClient) -> None:
    error = error_of(served.get("/v1/search/text", params={"limitt": 3, "limit": "many", "mode": "some"}))
    first, second, third, more = error["message"].split("; ")
    assert (first, error["field"]) == ("limitt is not known here", "limitt")
    assert second.startswith("limit is not usable") and third.startswith("mode is not usable")
    assert more == "and 1 more"
    many = error_of(served.post("/v1/search", json={f"x{'y' * 900}{n}": 1 for n in range(500)}))
    assert len(many["message"]) < 600 and len(many["remedy"]) < 2000


@pytest.mark.parametrize(
    ("path", "content", "called", "remedy"),
    [
        ("/v1/search", b'{"limit": 1}', "application/x-www-form-urlencoded", "application/json"),
        ("/v1/search", b'{"limit": 1}', "text/plain", "application/json"),
        ("/v1/search", b'{"limit": 1}', None, "application/json"),
        ("/v1/search/image", b'{"image_url": "x"}', "application/json", "curl -F image=@photo.jpg"),
        ("/v1/search/image", b"x", "image/jpeg", "curl -F image=@photo.jpg"),
    ],
)
def test_a_body_that_is_called_something_else(
    served: TestClient, path: str, content: bytes, called: str | None, remedy: str
) -> None:
    headers = {} if called is None else {"content-type": called}
    answer = served.post(path, content=content, headers=headers)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["field"]) == (415, "content_type", "Content-Type")
    assert remedy in error["remedy"] and (called or "has no Content-Type") in error["message"]
    assert served.post(
        "/v1/search", content=b'{"limit": 1}', headers={"content-type": "Application/JSON; charset=utf-8"}
    ).is_success


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "parts",
        "where",
        "limit",
        "mode",
        "weights",
        "rerank",
        "facets",
        "fields",
        "cursor",
        "price_min",
        "brand",
    ]
)
PARTS = st.dictionaries(
    st.sampled_from(["image", "text", "like", "space", "vector", "weight", "box"]), VALUES, max_size=3
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.dictionaries(NAMES, VALUES, max_size=4)
    | st.fixed_dictionaries({"parts": st.lists(PARTS, max_size=2)})
)
def test_no_json_breaks_it(served: TestClient, content: Any) -> None:
    response = served.post("/v1/search", json=content)
    if response.status_code != 200:
        error_of(response)
