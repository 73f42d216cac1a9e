"""Routes about the shop and the process that serves it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from time import monotonic, time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from lookalike import __version__
from lookalike.api import types_in_words
from lookalike.core.clicks import plain, report_of
from lookalike.core.ports import Encoder
from lookalike.service.schemas_answers import ColumnsAnswer, Health, Stats
from lookalike.service.state import ShopNow, State, StateNow, json_response

router = APIRouter(tags=["status"])
TOP: Final = 20
"""Phrases that are listed."""
_TOLD: Final = ("fastapi", "numpy", "onnxruntime", "pillow")


@router.get(
    "/v1/columns",
    summary="List the columns of filters and facets",
    responses={200: {"model": ColumnsAnswer, "description": "The columns, with what they hold."}},
)
def columns(shop: ShopNow) -> Response:
    """Return what `where` and `facets` can name."""
    found = [{"name": name, "types": types_in_words(holds)} for name, holds in shop.columns.items()]
    return json_response({"columns": found})


@router.get(
    "/v1/stats",
    summary="Describe the shop and this process",
    responses={200: {"model": Stats, "description": "Numbers and versions."}},
)
def stats(
    state: StateNow,
    shop: ShopNow,
    days: Annotated[int, Query(ge=1, le=3650, description="How far back searches are counted.")] = 7,
) -> Response:
    """Return how many products there are, what encodes them, what runs here, and how searches did lately."""
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    versions = {"lookalike": __version__, "python": platform.python_version()}
    return json_response(
        {
            "products": len(shop),
            "encoder": _told(shop.searched_by.main),
            "text_encoder": None if shop.searched_by.texts is None else _told(shop.searched_by.texts),
            "spaces": {
                space: {"vectors": len(index), "exact": index.exact} for space, index in shop.spaces.items()
            },
            "snapshot": f"seq-{shop.sequence}",
            "stale_s": None if state.fresh is None else round(max(0.0, time() - state.fresh), 3),
            "workers": state.workers,
            "pid": os.getpid(),
            "uptime_s": round(monotonic() - state.started_s, 1),
            "versions": versions | {name: version(name) for name in _TOLD},
            "requests": state.metrics.answered(),
            "recall": _recall(state),
            "searches": plain(report_of(shop.event_log.counts(since, until, TOP), since, until)),
        }
    )


def _told(encoder: Encoder) -> dict[str, str]:
    return {"name": encoder.name, "fingerprint": encoder.fingerprint}


def _recall(state: State) -> dict[str, Any]:
    measured = state.metrics.recalls()
    count = sum(each["measured"] for each in measured)
    total = sum(each["measured"] * each["recall_at_10"] for each in measured)
    return {
        "share": state.settings.shadow_share,
        "measured": count,
        "recall_at_10": total / count if count else None,
        "by_plan": measured,
    }


@router.get(
    "/healthz",
    summary="Say that the process lives",
    responses={200: {"model": Health, "description": "It does."}},
)
async def healthz() -> Response:
    """Answer, whatever the shop does: to be asked by what restarts processes."""
    return json_response({"ok": True})


@router.get(
    "/readyz",
    summary="Say whether the shop can be searched",
    responses={200: {"model": Health, "description": "It can."}},
)
def readyz(shop: ShopNow) -> Response:
    """Answer 200 once the index is loaded and while the catalogue can be read: to be asked by what sends requests here."""
    len(shop)
    return json_response({"ok": True})


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"example": "lookalike_products 92.0\n"}}, "description": "Metrics."}
    },
)
def metrics(state: StateNow) -> Response:
    """Return counters and histograms in the text format of Prometheus."""
    return Response(state.metrics_page(), headers={"Content-Type": CONTENT_TYPE_LATEST})
