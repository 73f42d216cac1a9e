"""Whatever goes wrong -> one shape: {"error": {code, message, remedy, field?, position?, request_id}} and a status.

Nothing a client sends may end as a 500; what does is a defect of ours, is logged with its traceback, and tells nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.core.errors import (
    CatalogError,
    EncoderMismatch,
    FilterError,
    InputError,
    LimitError,
    LookalikeError,
    Overloaded,
)
from lookalike.service.hints import shown
from lookalike.service.wanted import plain

log = logging.getLogger(__name__)
STATUSES: Final[Sequence[tuple[type[LookalikeError], int]]] = (
    (InputError, 422),
    (LimitError, 422),
    (Overloaded, 429),
    (EncoderMismatch, 409),
    (CatalogError, 503),
    (LookalikeError, 500),
)
"""The first row that fits counts; a LimitError about bytes is 413."""
_FIELDS: Final[Mapping[str, str]] = {"search.max_k": "limit", "search.max_parts": "parts"}
"""What a request calls that which a limit bounds; of the others it is told the name of the limit."""
MAX_TOLD: Final = 3
"""Of what is wrong with a request, so much is said."""
_SEE: Final = "/docs lists what each request takes, with examples."


class Refused(LookalikeError):  # noqa: N818 - it reads better where it is raised
    """A request the service itself turns down, with a status of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = _SEE,
        field: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.field = field


def no_product(id_: str) -> Refused:
    """Return the error for a product that a path names and that is not there."""
    return Refused(404, "unknown_product", f"there is no product {id_!r}", hint="Check the id.")


def status_of(error: LookalikeError) -> int:
    """Return the status an error answers with."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, LimitError) and error.limit.endswith("_bytes"):
        return 413
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def described(error: LookalikeError) -> dict[str, Any]:
    """Return what clients are told of an error; of one that is ours, only that it is."""
    if status_of(error) >= 500 and not isinstance(error, Refused):
        return {
            "code": error.code,
            "message": "the service cannot answer at the moment",
            "remedy": "Try again; if that does not help, tell its operator the request id.",
        }
    told = {"code": error.code, "message": str(error), "remedy": error.hint or _SEE}
    if isinstance(error, Refused) and error.field:
        told["field"] = error.field
    if isinstance(error, LimitError):
        told["field"] = _FIELDS.get(error.limit, error.limit)
    if isinstance(error, FilterError) and error.position is not None:
        return told | {"position": error.position}
    return told


def invalid(errors: Sequence[Mapping[str, Any]]) -> Refused:
    """Return what pydantic found wrong with a request as one error; malformed JSON has a status of its own."""
    first = errors[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return Refused(400, "malformed", f"the body is not JSON: {reason}", hint="Check quotes and brackets.")
    told = [f"{_field(each)} {_said(each)}" for each in errors[:MAX_TOLD]]
    more = f"; and {len(errors) - MAX_TOLD} more" if len(errors) > MAX_TOLD else ""
    return Refused(
        422, "invalid", "; ".join(told) + more, hint=_remedy(errors[:MAX_TOLD]) or _SEE, field=_field(first)
    )


def _remedy(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return what helps against each error, of several with the field it is about, and once what is known at all."""
    contexts = [(_field(each), each.get("ctx", {})) for each in errors]
    remedies = [(field, said["remedy"]) for field, said in contexts if said.get("remedy")]
    several = len({field for field, _ in contexts}) > 1
    known = [said["known"] for _, said in contexts if said.get("known")]
    each_one = [f"{field}: {remedy}" if several else remedy for field, remedy in remedies]
    return " ".join(dict.fromkeys([*each_one, *known]))


def _field(error: Mapping[str, Any]) -> str:
    """Name what an error is about, as "parts[0].text"; FastAPI puts before it where it came, in the body or in the address."""
    first, *rest = error["loc"] or ("body",)
    steps = plain(rest if rest and first in ("body", "query", "path") else (first, *rest))
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in steps
    ).removeprefix(".")


_WORDS: Final[Mapping[str, str]] = {
    "model_type": "it should be an object",
    "model_attributes_type": "it should be an object",
    "string_pattern_mismatch": "it is not written as it should be",
}
"""What pydantic says in words of its own, or of regular expressions, by the type of the error."""

_NO_FILE: Final = "Expected UploadFile"


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "unknown_field":
        return str(error["msg"])
    said = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"is not usable: {'it should be a file' if said.startswith(_NO_FILE) else said}"


def error_response(
    scope: Scope, status: int, told: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer that says what went wrong; middlewares use it as well."""
    request_id = scope.get("state", {}).get("request_id", "")
    body = orjson.dumps({"error": {**told, "request_id": request_id}})
    return Response(body, status, headers, media_type="application/json")


def respond(scope: Scope, error: LookalikeError) -> Response:
    """Return the answer to a request that failed with a known error."""
    status = status_of(error)
    if status >= 500 and not isinstance(error, Refused):
        log.error("%s: %s", type(error).__name__, error, extra={"request_id": scope["state"]["request_id"]})
    wait_s = {429: getattr(error, "retry_after_s", 1.0), 503: 1.0}.get(status)
    headers = None if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
    return error_response(scope, status, described(error), headers)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, LookalikeError)
    return respond(request.scope, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return respond(request.scope, invalid(error.errors()))


_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed", "Check how the body is written, and its Content-Type."),
    404: ("not_found", "/docs lists the routes there are."),
    405: ("method_not_allowed", "The header Allow says which methods this route has."),
}


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code, remedy = _HTTP.get(status, (status.name.lower(), _SEE))
    said = (
        f"{request.method} {shown(request.url.path)}: {error.detail}"
        if status in (404, 405)
        else error.detail
    )
    return error_response(
        request.scope, status, {"code": code, "message": said, "remedy": remedy}, error.headers
    )


def install(app: FastAPI) -> None:
    """Let every error of an app answer in the one shape."""
    app.add_exception_handler(LookalikeError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


class LastResort:
    """The innermost middleware: what nobody foresaw is logged, and answered as 500 without a word about the cause.

    Innermost, so that the others see an ordinary answer, to count it and put their headers on it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            return  # nobody is left to answer to
        except Exception:
            if begun or scope["type"] != "http":
                raise
            log.exception("unexpected", extra={"request_id": scope["state"]["request_id"]})
            told = {
                "code": "internal",
                "message": "something went wrong here",
                "remedy": "Tell the operator the request id: the log says more.",
            }
            await error_response(scope, 500, told)(scope, receive, send)
