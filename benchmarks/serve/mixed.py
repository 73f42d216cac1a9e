"""Searches, changes and deletions for minutes: what breaks, what grows, how soon changes are found, what recall is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np

from benchmarks.serve.openloop import offering, times_of
from benchmarks.serve.process import Served
from benchmarks.serve.scenarios import WARM_UP_S, Bench, Figures
from benchmarks.serve.wrk import drive

CONNECTIONS = 4
"""Kept open to look for changes over: several, so that each worker is likely to be among those that answer."""
EVERY_S = 0.2
"""Between two changes."""
GRACE_S = 2.0
"""After so long a deleted product must be found by nobody."""
LOAD = 0.5
"""Share of what the service can do that is asked of it."""
WORD = "benchmarkery"
"""Begins the title of each product that is written, and of no other."""
WARM_SHARE = 0.2
"""Of the time, before memory is compared."""
ANSWERS_BYTES = 8_000_000
"""What answers that are kept may take: so little that they have taken it before memory is compared."""


def mixed(bench: Bench) -> Figures:
    """Measure the service under half its load, with changes, for `minutes`."""
    seconds = bench.minutes * 60
    with bench.serving(shadow_share=0.05, shadow_exact=True, results_bytes=ANSWERS_BYTES) as served:
        stream = bench.stream("mix", min(seconds, 600) / 2 + 10)
        drive(served.address, stream, 16, WARM_UP_S)
        able = drive(served.address, stream, 16, 5)["per_s"]
        load = offering(served.address, stream, LOAD * able, seconds)
        with closing(Changes(served, bench.material.ids)) as changes:
            changes.go_on_for(seconds)
        if load.wait():
            raise RuntimeError("the client of the constant rate failed")
        stats = served.get("/v1/stats")
    times = times_of(stream)
    statuses = [status for by_status in stats["requests"].values() for status in by_status.items()]
    return {
        "minutes": bench.minutes,
        "able_per_s": able,
        "offered_per_s": LOAD * able,
        "p50_ms": times.percentile_ms(50),
        "p99_ms": times.percentile_ms(99),
        "statuses": times.counts(),
        "repeated": stream.repeated,
        "server_errors": sum(count for status, count in statuses if status.startswith("5")),
        "recall_at_10": stats["recall"]["recall_at_10"],
        "recall_measured": stats["recall"]["measured"],
        "recall_by_plan": stats["recall"]["by_plan"],
        **changes.figures(),
    }


class Changes:
    """Writes products, changes prices, deletes some of what it wrote, and looks how soon each is so for who searches."""

    def __init__(self, served: Served, ids: Any) -> None:
        self._served = served
        self._ids = ids
        self._rng = np.random.default_rng(0)
        self._ending = ExitStack()
        netloc = urlsplit(served.address).netloc
        self._connections = [
            self._ending.enter_context(closing(HTTPConnection(netloc, timeout=60)))
            for _ in range(CONNECTIONS)
        ]
        self._written: list[str] = []
        self._deleted: dict[str, float] = {}
        """When each was deleted."""
        self.fresh_s: list[float] = []
        self.gone_s: list[float] = []
        self.returned = 0
        self.failed: list[str] = []
        self.memory_mb: list[float] = []

    def close(self) -> None:
        """Let go of the connections."""
        self._ending.close()

    def go_on_for(self, seconds: float) -> None:
        """Change something every `EVERY_S`, and look at the memory every second."""
        until_s, looked_s = monotonic() + seconds, 0.0
        for step in self._steps():
            now = monotonic()
            if now >= until_s:
                return
            if now - looked_s >= 1:
                self.memory_mb.append(self._served.memory_mb())
                looked_s = now
            try:
                step()
            except (HTTPException, OSError) as error:
                self.failed.append(repr(error))
            sleep(max(0.0, now + EVERY_S - monotonic()))

    def figures(self) -> Figures:
        """Return what came of it."""
        warm = int(len(self.memory_mb) * WARM_SHARE)
        memory = self.memory_mb[warm:] or [0.0]
        some = max(len(memory) // 10, 1)
        first, last = float(np.median(memory[:some])), float(np.median(memory[-some:]))
        return {
            "written": len(self._written) + len(self._deleted),
            "deleted": len(self._deleted),
            "fresh_p50_s": _percentile(self.fresh_s, 50),
            "fresh_p99_s": _percentile(self.fresh_s, 99),
            "gone_p99_s": _percentile(self.gone_s, 99),
            "deleted_returned": self.returned,
            "change_failures": len(self.failed),
            "first_failure": self.failed[0] if self.failed else None,
            "memory_mb": [first, last, max(self.memory_mb, default=0.0)],
            "memory_growth": last / first - 1 if first else None,
        }

    def _steps(self) -> Iterator[Any]:
        number = 0
        while True:
            number += 1
            yield lambda n=number: self._write(f"BENCH-{n}", n)
            yield self._price
            if number % 3 == 0:
                yield self._delete
                yield self._look_for_deleted

    def _write(self, id_: str, number: int) -> None:
        word = f"q{number}x{self._rng.integers(10**9)}"
        row = {"title": f"{WORD} {word} lamp", "price": float(number % 90 + 1), "brand": "Bench"}
        self._ask("PUT", f"/v1/products/{id_}", row)
        began = monotonic()
        self._written.append(id_)
        if self._until(lambda c: id_ in self._found(c, word, id_)):
            self.fresh_s.append(monotonic() - began)
        else:
            self.fresh_s.append(60.0)

    def _price(self) -> None:
        id_ = self._ids[self._rng.integers(len(self._ids))]
        self._ask(
            "PATCH", f"/v1/products/{quote(id_, safe='')}", {"price": float(self._rng.integers(1, 100))}
        )

    def _delete(self) -> None:
        id_ = self._written.pop(self._rng.integers(len(self._written)))
        self._ask("DELETE", f"/v1/products/{id_}")
        began = monotonic()
        self._deleted[id_] = began
        if self._until(lambda c: id_ not in self._found(c, WORD, id_)):
            self.gone_s.append(monotonic() - began)

    def _look_for_deleted(self) -> None:
        """Search for all that was written: what was deleted a while ago is found by nobody."""
        for connection in self._connections:
            began = monotonic()
            found = self._found(connection, WORD)
            self.returned += sum(began - self._deleted.get(id_, began) > GRACE_S for id_ in found)

    def _until(self, true: Any) -> bool:
        """Ask over each connection until it is true there; say whether it came to be within a minute."""
        until_s = monotonic() + 60
        for connection in self._connections:
            while not true(connection):
                if monotonic() > until_s:
                    return False
        return True

    def _found(self, connection: HTTPConnection, phrase: str, id_: str | None = None) -> set[str]:
        asked = {"q": phrase, "limit": 100, "log": "false"} | ({"where": f'id = "{id_}"'} if id_ else {})
        answer = self._ask("GET", f"/v1/search/text?{urlencode(asked)}", connection=connection)
        return {hit["id"] for hit in answer.get("results", ())}

    def _ask(
        self, method: str, path: str, body: object = None, connection: HTTPConnection | None = None
    ) -> Any:
        """Ask, again if there is no place at the moment; return the answer."""
        connection = connection or self._connections[0]
        sent = None if body is None else json.dumps(body)
        while True:
            connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 429:
                sleep(0.05)
                continue
            if response.status >= 400:
                self.failed.append(f"{method} {path}: {response.status} {answer}")
            return answer


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
