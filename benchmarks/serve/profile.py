"""Where the time of a request goes, for one caller at a time.

`took_ms` of the answer says what the search took, by stage; the request's line in the log what the application took, from
its first middleware on; the clock here all of it. The differences are what the routes and middlewares add, and what the
server and the connection do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlsplit

import numpy as np

from benchmarks.serve.material import raw
from benchmarks.serve.process import Served
from benchmarks.serve.scenarios import Bench, Figures

KINDS = ("similar", "text", "filtered", "image")
FIRST = 20
"""Requests before those that count."""
Times = dict[str, float]


def profile(bench: Bench, count: int = 200) -> Mapping[str, Figures]:
    """Return, for each kind of request, the median milliseconds of each stage, and their shares of the whole."""
    found: dict[str, Figures] = {}
    with bench.serving(1) as served:
        for kind in KINDS:
            lines = bench.material.requests(kind, count + FIRST)
            if lines:
                found[kind] = _medians(_timed(served, lines, kind)[FIRST:])
    return found


def _medians(times: list[Times]) -> Figures:
    names = [name for name in times[0] if name != "whole"]
    stages = {name: float(np.median([each[name] for each in times])) for name in names}
    whole = float(np.median([each["whole"] for each in times]))
    return {
        "requests": len(times),
        "whole_ms": round(whole, 3),
        "stages_ms": {name: round(took, 3) for name, took in stages.items()},
        "shares": {name: round(took / whole, 3) for name, took in stages.items()},
    }


def _timed(served: Served, lines: list[str], kind: str) -> list[Times]:
    photos: dict[str, bytes] = {}
    times: list[Times] = []
    with closing(HTTPConnection(urlsplit(served.address).netloc, timeout=60)) as connection:
        for number, line in enumerate(lines):
            head, _, body = raw(line, photos, "x").partition(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            sent = dict(each.decode().split(": ", 1) for each in head.split(b"\r\n")[2:])
            began = perf_counter()
            connection.request(method, path, body or None, sent | {"X-Request-ID": f"{kind}-{number}"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            whole_ms = (perf_counter() - began) * 1e3
            if response.status != 200:
                raise RuntimeError(f"{path}: {response.status} {answer}")
            times.append({"whole": whole_ms, **answer["took_ms"]})
    logged = _logged(served, kind, len(lines))
    for number, each in enumerate(times):
        searched, answered = each.pop("total"), logged[f"{kind}-{number}"]
        each |= {"routes": answered - searched, "server": each["whole"] - answered}
    return times


def _logged(served: Served, kind: str, count: int) -> dict[str, float]:
    """Return how long each request took by the service's own log, once all are there."""
    for _ in range(100):
        with served.log.open(encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.startswith("{")]
        took = {
            line["request_id"]: line["took_ms"]
            for line in lines
            if line.get("request_id", "").startswith(f"{kind}-") and "took_ms" in line
        }
        if len(took) >= count:
            return took
        sleep(0.1)
    raise RuntimeError("the service did not log every request")
