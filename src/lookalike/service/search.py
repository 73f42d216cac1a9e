"""Routes that search: what came over the wire -> questions to the shop -> answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, cast

import orjson
from fastapi import APIRouter, Form, Path, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from lookalike.api import Shop
from lookalike.core.clicks import diversity_in
from lookalike.core.errors import InputError, LimitError, LookalikeError, QueryError
from lookalike.core.filters import And, Compare, Filter, Or, compare
from lookalike.core.query import SearchResult
from lookalike.questions import Question, read_filter
from lookalike.service.answers import check_fields, in_full, new_search_id
from lookalike.service.errors import described, invalid
from lookalike.service.hints import shown
from lookalike.service.kept import Coming, Found, Place, WrittenAnswer, from_web
from lookalike.service.schemas import (
    BatchRequest,
    ImageSearch,
    MultimodalSearch,
    Options,
    Parameters,
    Part,
    SearchRequest,
    TextSearch,
)
from lookalike.service.schemas_answers import Answer, BatchAnswer
from lookalike.service.search_log import Answered, client_of, logged
from lookalike.service.state import JsonRoute, ShopNow, State, StateNow, product_response, written_response

router = APIRouter(route_class=JsonRoute, tags=["search"])
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": Answer, "description": "The products found."}
}
MULTIPART: Final = "multipart/form-data"
Parts = Sequence[Mapping[str, Any]]


@router.get("/v1/search/text", summary="Search with a phrase", responses=ANSWERS)
def by_text(
    request: Request, state: StateNow, shop: ShopNow, asked: Annotated[TextSearch, Query()]
) -> Response:
    """Find products that fit a phrase, under filters."""
    return _answered(request, state, shop, _question(shop, asked, [{"text": asked.q}]), asked, "text")


@router.post("/v1/search/image", summary="Search with photos", responses=ANSWERS)
def by_image(
    request: Request,
    state: StateNow,
    shop: ShopNow,
    asked: Annotated[ImageSearch, Form(media_type=MULTIPART)],
) -> Response:
    """Find products that look like a photo, or several; `box` looks for one thing in a photo of many."""
    images = _images(state, asked)
    if not images:
        raise QueryError("there is no image", hint="Send a file as `image`, or give `image_url`.")
    return _answered(request, state, shop, _question(shop, asked, images), asked, "image")


@router.post("/v1/search/multimodal", summary="Search with a photo and a phrase", responses=ANSWERS)
def by_both(
    request: Request,
    state: StateNow,
    shop: ShopNow,
    asked: Annotated[MultimodalSearch, Form(media_type=MULTIPART)],
) -> Response:
    """Find products that look like a photo and fit a phrase; `image_weight` is the share of the photo."""
    images = _images(state, asked)
    texts = [] if asked.text is None else [{"text": asked.text}]
    if not images and not texts:
        raise QueryError("there is neither an image nor a text", hint="Send `image`, `text`, or both.")
    parts = _shared_out(images, texts, asked.image_weight) if images and texts else [*images, *texts]
    return _answered(request, state, shop, _question(shop, asked, parts), asked, "multimodal")


@router.get(
    "/v1/products/{id:path}/similar",
    summary="Find products like one",
    responses=ANSWERS,
)
def similar(
    request: Request,
    state: StateNow,
    shop: ShopNow,
    id: Annotated[str, Path(description="A product id.", examples=["D00001"])],
    asked: Annotated[Parameters, Query()],
) -> Response:
    """Find products that look like, read like and share attributes with this one.

    If there is no such product, but one whose id is all of the path, that product is returned.
    """
    try:
        return _answered(request, state, shop, _question(shop, asked, [{"like": id}]), asked, "similar")
    except QueryError:
        if not shop.get([id]):
            return product_response(shop, f"{id}/similar", otherwise=id)
        raise


@router.post("/v1/search", summary="Search with any mix of parts", responses=ANSWERS)
def by_parts(request: Request, state: StateNow, shop: ShopNow, asked: SearchRequest) -> Response:
    """Find products by pictures, phrases, products and vectors with signed weights, under filters.

    Without parts, everything the filter lets through comes, in the order of `rerank`.
    """
    return _answered(request, state, shop, _question_of(state, shop, asked), asked, "parts")


@router.post(
    "/v1/search/batch",
    summary="Answer several searches at once",
    responses={200: {"model": BatchAnswer, "description": "An answer or an error for each query, in order."}},
)
def by_batch(request: Request, state: StateNow, shop: ShopNow, asked: BatchRequest) -> Response:
    """Answer several queries; one that is wrong fails alone."""
    if len(asked.queries) > state.settings.max_queries:
        raise LimitError(
            "service.max_queries",
            f"{len(asked.queries)} queries in a batch, at most {state.settings.max_queries}",
        )
    prepared = [_prepared(state, shop, query) for query in asked.queries]
    good = [each for each in prepared if not isinstance(each, LookalikeError)]
    _check_images(state, sum("image" in part for _, question in good for part in question["parts"]))
    outcomes = _each_answered(state, shop, good)
    if state.tracing is not None:
        found = [(q["k"], a) for (_, q), a in zip(good, outcomes, strict=True)]
        answered = [(k, answer.result) for k, answer in found if isinstance(answer, WrittenAnswer)]
        state.tracing.searched(request, "batch", answered)
    coming = iter(outcomes)
    answers = []
    for each in prepared:
        outcome = each if isinstance(each, LookalikeError) else next(coming)
        if isinstance(outcome, WrittenAnswer):
            options, question = cast(tuple[SearchRequest, Question], each)
            answers.append(_counted(request, state, options, Asked("batch", question, outcome))[1])
        else:
            told = described(outcome)
            answers.append(orjson.dumps({"error": told | {"request_id": request.state.request_id}}))
    return written_response(b'{"results":[' + b",".join(answers) + b"]}")


# --- from the wire to a question --------------------------------------------------------------------------------------


def _question(shop: Shop, asked: Options, parts: Parts) -> Question:
    """Return the question for the shop; raise InputError for what only its columns can tell to be wrong."""
    columns = shop.columns
    if isinstance(asked, Parameters):
        asked.facets, asked.fields = _names(asked.facets, columns), _names(asked.fields, columns)
    check_fields(asked.fields, columns)
    rest = asked.model_dump(include=set(_TAKEN_OVER), exclude_none=True)
    question: Question = {"parts": parts, "k": asked.limit, "explain": asked.explain, **rest}  # type: ignore[typeddict-item]
    if isinstance(asked, SearchRequest) and asked.weights is not None:
        question["weights"] = asked.weights
    where = asked.where if isinstance(asked, Parameters | SearchRequest) else None
    said = read_filter(where, columns)
    filters = _shortcuts(asked) if said is None else [*_shortcuts(asked), said]
    if filters:
        question["where"] = filters[0] if len(filters) == 1 else And(tuple(filters))
    return question


_TAKEN_OVER: Final = ("mode", "rerank", "diversity", "group", "max_per_category", "facets", "cursor")
"""Options that the shop knows by the same name."""


def _names(given: Sequence[str], columns: Collection[str]) -> list[str]:
    """Return the names in parameters: each is one, or several between commas, as long as no column is called so."""
    several = ([each] if each in columns else each.split(",") for each in given)
    return [name.strip() for names in several for name in names if name.strip()]


def _shortcuts(asked: Options) -> list[Filter]:
    """Return the filters that have a field of their own; 0 is a price like any other."""
    filters: list[Filter] = []
    for field, operator, values in (("category", "prefix", asked.category), ("brand", "=", asked.brand)):
        if values:
            filters.append(Or(tuple(Compare(field, operator, value) for value in values)))
    for operator, price in ((">=", asked.price_min), ("<=", asked.price_max)):
        if price is not None:
            filters.append(compare("price", operator, price))
    return filters


def _images(state: State, asked: ImageSearch) -> list[dict[str, Any]]:
    """Return the pictures of a form as parts; the box is for the first."""
    count = len(asked.image) + len(asked.image_url)
    _check_images(state, count)
    if asked.box is not None and not count:
        raise QueryError("there is a box but no image", hint="Send the image the box belongs to.")
    parts: list[dict[str, Any]] = [{"image": upload.file.read()} for upload in asked.image]
    parts += [{"image": url} for url in asked.image_url]
    if asked.box is not None:
        parts[0]["box"] = asked.box.split(",")
    return parts


def _check_images(state: State, count: int) -> None:
    if count > state.settings.max_images:
        raise LimitError(
            "service.max_images", f"{count} images in one request, at most {state.settings.max_images}"
        )


def _shared_out(images: Parts, texts: Parts, image_weight: float) -> Parts:
    """Give the pictures together one share and the phrase the other; what has none is left out."""
    weighed = ((images, image_weight), (texts, 1.0 - image_weight))
    return [{**part, "weight": share / len(parts)} for parts, share in weighed if share > 0 for part in parts]


def _question_of(state: State, shop: Shop, asked: SearchRequest) -> Question:
    _check_images(state, sum(part.image is not None for part in asked.parts))
    return _question(shop, asked, [_plain(part) for part in asked.parts])


def _plain(part: Part) -> dict[str, Any]:
    return part.model_dump(exclude_none=True)


def _prepared(state: State, shop: Shop, query: object) -> tuple[SearchRequest, Question] | LookalikeError:
    """Read one query of a batch, or return what is wrong with it."""
    try:
        asked = SearchRequest.model_validate(query)
        return asked, _question_of(state, shop, asked)
    except ValidationError as error:
        return invalid(error.errors(include_url=False))
    except (InputError, LimitError) as error:
        return error


# --- from results to answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was answered: by which kind of request, and with what."""

    kind: str
    question: Question
    answer: WrittenAnswer


def _answered(
    request: Request, state: State, shop: Shop, question: Question, asked: Options, kind: str
) -> Response:
    """Ask the shop; count the search, and put what it came to on the request's line in the log."""
    [answer] = _each_answered(state, shop, [(asked, question)])
    if isinstance(answer, LookalikeError):
        raise answer
    if state.tracing is not None:
        state.tracing.searched(request, kind, [(question["k"], answer.result)])
    search_id, written = _counted(request, state, asked, Asked(kind, question, answer))
    request.state.search = {
        "search": kind,
        "search_id": search_id,
        "plan": answer.result.plan,
        "matched": answer.result.matched,
        "results": len(answer.result.hits),
        "cached": answer.cached,
    }
    return written_response(written)


def _each_answered(
    state: State, shop: Shop, asks: Sequence[tuple[Options, Question]]
) -> list[WrittenAnswer | LookalikeError]:
    """Answer questions together, but those whose answers are kept or coming, and say what is wrong with the others."""
    looked_up: list[Found] = []
    with state.kept.making(looked_up):
        looked_up += (state.kept.look_up(shop, question, asked) for asked, question in asks)
        ours = [
            (*ask, known)
            for ask, known in zip(asks, looked_up, strict=True)
            if known is None or isinstance(known, Place)
        ]
        made = iter(_made(state, shop, ours))
        # Only now that all of ours have come to something do we wait for others, so that nobody waits in a circle.
        known_or_made = [
            each if isinstance(each, WrittenAnswer | Coming) else next(made) for each in looked_up
        ]
    answers: list[WrittenAnswer | LookalikeError] = []
    for (asked, question), each in zip(asks, known_or_made, strict=True):
        answer = each.wait() if isinstance(each, Coming) else each
        # Another request may have failed for a reason of its own, such as a bad picture beside this question.
        answers.append(_made(state, shop, [(asked, question, None)])[0] if answer is None else answer)
    return answers


def _made(
    state: State, shop: Shop, asks: Sequence[tuple[Options, Question, Place | None]]
) -> list[WrittenAnswer | LookalikeError]:
    """Search for the answers to questions, and keep those that have a place."""
    questions = [question for _, question, _ in asks]
    with state.fetching(sum(map(from_web, questions))):
        results = shop.search_each(questions) if questions else []
    return [
        state.kept.made(shop, place, _noted(result, asked), asked)
        if isinstance(result, SearchResult)
        else result
        for (asked, _, place), result in zip(asks, results, strict=True)
    ]


def _noted(result: SearchResult, asked: Options) -> SearchResult:
    """Return a result, if it is of nothing with a note on each brand and category that may have been meant as several."""
    if result.matched:
        return result
    notes = [
        f'{field} "{shown(value)}" was taken as one name, with its comma: for several, '
        + (f"repeat the parameter, {field}=A&{field}=B." if isinstance(asked, Parameters) else "list each.")
        for field, values in (("brand", asked.brand), ("category", asked.category))
        for value in values
        if "," in value
    ]
    return replace(result, notes=(*result.notes, *notes)) if notes else result


def _counted(request: Request, state: State, options: Options, asked: Asked) -> tuple[str, bytes]:
    """Count and log an answer, kept or not; return its id, and itself as it goes out."""
    answer, search_id = asked.answer, new_search_id()
    diversity = diversity_in(hit.product for hit in answer.result.hits)
    state.metrics.searched(asked.kind, answer.result, diversity)
    if state.shadow is not None and not answer.cached:
        state.shadow.saw(asked.question, answer.result)
    _log(request, state, options, Answered(search_id, asked.question, answer.result, diversity))
    return search_id, in_full(answer.body, search_id, answer.result.took_ms, cached=answer.cached)


def _log(request: Request, state: State, asked: Options, answered: Answered) -> None:
    """Have a search logged, unless it is not to be."""
    if state.log is not None and asked.log:
        state.log.add(logged(answered, asked.client_id or client_of(request.headers)))
