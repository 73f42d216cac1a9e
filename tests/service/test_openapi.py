"""The OpenAPI document: valid, complete, and true of the examples it gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def document(served: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(served.get("/openapi.json").content)
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_lists_every_route(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {f"{method} {path}" for method, path, _ in operations(document)} == {
        "GET /v1/search/text",
        "POST /v1/search/image",
        "POST /v1/search/multimodal",
        "POST /v1/search",
        "POST /v1/search/batch",
        "GET /v1/products/{id}/similar",
        "GET /v1/products/{id}/image",
        "GET /v1/products/{id}",
        "PUT /v1/products/{id}",
        "PATCH /v1/products/{id}",
        "DELETE /v1/products/{id}",
        "PUT /v1/products",
        "POST /v1/products/delete",
        "POST /v1/events",
        "GET /v1/columns",
        "GET /v1/stats",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert "#/components/schemas/SearchRequest" in found
    queries = document["components"]["schemas"]["BatchRequest"]["properties"]["queries"]
    assert queries["items"] == {"$ref": "#/components/schemas/SearchRequest"}
    for reference in found:
        node: Any = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def exemplified(content: dict[str, Any], document: dict[str, Any]) -> bool:
    """Say whether a body has an example: of its own, of its model, or one for a field of its form."""
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    fields = schema.get("properties", {}).values()
    return "example" in content or "examples" in schema or any("examples" in field for field in fields)


def test_every_route_is_described_with_examples(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert {"200", "4XX", "5XX"} <= operation["responses"].keys()
        assert "422" not in operation["responses"]  # FastAPI's own shape of errors
        for parameter in operation.get("parameters", []):
            if parameter["required"]:
                assert "examples" in parameter["schema"] or "examples" in parameter, (path, parameter)
        bodies = operation.get("requestBody", {}).get("content", {})
        assert bool(bodies) == (method in ("POST", "PUT", "PATCH")), path
        answers = operation["responses"]["200"]["content"]
        for kind, content in {**bodies, **answers}.items():
            assert kind == "image/jpeg" or exemplified(content, document), (method, path, kind)


def test_the_examples_of_bodies_are_accepted(own: TestClient, document: dict[str, Any]) -> None:
    """Those that need the network may fail to get a picture, but not for their shape."""
    for method, path, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "multipart/form-data":
                continue
            schema = content["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            examples = [content["example"]] if "example" in content else None
            for example in examples or document["components"]["schemas"][name]["examples"]:
                sent: dict[str, Any] = {"content": example} if isinstance(example, str) else {"json": example}
                target = path.replace("{id}", "D00001")
                if isinstance(example, dict) and "id" in example:
                    target = path.replace("{id}", example["id"])
                response = own.request(method, target, **sent)
                if response.status_code != 200:
                    assert response.json()["error"]["code"] == "fetch", (path, response.text)
