"""What /openapi.json says is true of whatever is sent: schemathesis makes up requests from it, proper ones and improper ones.

No answer is 5xx, and each has a status, a content type and a shape that are documented. LOOKALIKE_FUZZ says how many requests
are made at least, over all operations; `make fuzz` makes 10,000, and prints what came back.
"""

from __future__ import annotations

import os
import shutil
import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import lookalike
from lookalike.core.images import ImageLimits
from lookalike.service.app import create_app
from lookalike.service.schemas_answers import Written
from lookalike.service.settings import ServiceSettings
from lookalike.settings import Settings

REQUESTS: Final = int(os.environ.get("LOOKALIKE_FUZZ", "300"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DESCRIBED: Final = create_app(None, ServiceSettings()).openapi()["paths"]
ASKED: Final = {
    f"{method.upper()} {path}": "parameters" in operation or "requestBody" in operation
    for path, methods in DESCRIBED.items()
    for method, operation in methods.items()
}
"""Each operation, and whether there is anything to make up for it."""
EACH: Final = -(-REQUESTS // sum(ASKED.values()))
ANSWERS: Final[Counter[int]] = Counter()
"""How often each status came back, from all operations."""


def nobody(host: object, *_: object, **__: object) -> list[Any]:
    """Look nothing up: made-up addresses of pictures must lead nowhere."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture(scope="module")
def described(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description the service gives of itself, with the service of a copy of the drawn shop behind it."""
    place = Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("fuzzed") / "own.db"))
    limits = Settings(images=ImageLimits(max_bytes=200_000))
    with (
        pytest.MonkeyPatch.context() as patch,
        lookalike.open(place, create=False, local_files=False, settings=limits) as shop,
    ):
        patch.setattr(socket, "getaddrinfo", nobody)
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(shop, ServiceSettings()))


def requests(operation: Any, photo: bytes) -> st.SearchStrategy[Any]:
    """Requests as described and requests that are not; half of those about a product are about one there is.

    A third of those with pictures come with a real one: no bytes made up at random are a picture.
    """
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    made_up = [operation.as_strategy(mode) for mode in modes]
    if "{id}" in operation.path:
        made_up += [operation.as_strategy(mode, path_parameters={"id": "D00002"}) for mode in modes]
    if "multipart/form-data" in operation.definition.raw.get("requestBody", {}).get("content", {}):
        address = f"data:image/jpeg;base64,{b64encode(photo).decode()}"

        def with_photo(case: Any) -> Any:
            said = case.body if isinstance(case.body, dict) else {}
            case.body = {name: value for name, value in said.items() if name not in ("image", "diversity")}
            case.body["image_url"] = [address]
            return case

        made_up.append(made_up[0].map(with_photo))
    return st.one_of(made_up)


@pytest.mark.timeout(300 + 20 * EACH)
@pytest.mark.parametrize("name", ASKED)
def test_answers_are_as_described(described: Any, photo: bytes, name: str) -> None:
    method, path = name.split()
    operation = described[path][method]
    made_up = requests(operation, photo) if ASKED[name] else operation.as_strategy()
    seen: list[int] = []

    @settings(
        max_examples=EACH,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(made_up)
    def check(case: Any) -> None:
        response = case.call()
        seen.append(response.status_code)
        case.validate_response(response, checks=CHECKS)
        if "x-ndjson" in response.headers.get("content-type", [""])[0]:
            for line in response.content.splitlines():
                Written.model_validate_json(line)

    check()
    ANSWERS.update(seen)
    print(f"{name}: {', '.join(f'{seen.count(status)} x {int(status)}' for status in sorted(set(seen)))}")
    assert seen


def test_every_operation_is_asked() -> None:
    print(f"{ANSWERS.total():,} requests: {', '.join(f'{n:,} x {s}' for s, n in sorted(ANSWERS.items()))}")
    assert len(ASKED) >= 18 and sum(ASKED.values()) >= 13
