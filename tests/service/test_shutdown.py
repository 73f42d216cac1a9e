"""However the service ends under load: what it acknowledged is there after, and no later write takes its place."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from threading import Thread
from time import sleep
from urllib.parse import urlsplit

import pytest

import lookalike
from running import PATIENCE_S, running

WRITERS = 3


@dataclass
class Writer:
    """Writes, changes and deletes products of its own until nobody answers; remembers what it was told is done."""

    name: str
    address: str
    prices: dict[str, float | None] = field(default_factory=dict)
    """Acknowledged prices, None for products acknowledged to be gone."""
    unsure: dict[str, float | None] = field(default_factory=dict)
    """What the request without an answer asked for: it may have happened or not."""
    acknowledged: int = 0
    strange: list[object] = field(default_factory=list)

    def work(self) -> None:
        """Go on until the service is gone."""
        rng = Random(self.name)
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=PATIENCE_S)
        try:
            while not self.strange:
                self.step(rng, connection)
        except (HTTPException, OSError):
            pass  # it is gone
        finally:
            connection.close()

    def step(self, rng: Random, connection: HTTPConnection) -> None:
        """Make one request, and book it if it was acknowledged."""
        number = self.acknowledged
        held = sorted(id_ for id_, price in self.prices.items() if price is not None)
        kind = rng.choice(["PUT", "rows", "PATCH", "DELETE"] if len(held) > 4 else ["PUT", "rows"])
        if kind == "rows":
            wanted: dict[str, float | None] = {f"{self.name}{number}-{n}": n + 0.5 for n in range(5)}
            lines = [
                json.dumps({"id": id_, "title": "a mug", "price": price}) for id_, price in wanted.items()
            ]
            asked = ("PUT", "/v1/products", "\n".join(lines))
        elif kind == "PUT":
            wanted = {f"{self.name}{number}": number + 0.25}
            [id_] = wanted
            asked = (
                "PUT",
                f"/v1/products/{id_}",
                json.dumps({"title": f"thing {number}", "price": wanted[id_]}),
            )
        else:
            id_ = rng.choice(held)
            wanted = {id_: None if kind == "DELETE" else number + 1000.0}
            asked = (kind, f"/v1/products/{id_}", json.dumps({"price": wanted[id_]}))
        method, path, body = asked
        self.unsure = wanted
        sent = None if method == "DELETE" else body
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        told = response.read()
        if response.status != 200 or b"failed" in told:
            self.strange.append((asked, response.status, told))
        self.prices |= wanted
        self.unsure = {}
        self.acknowledged += 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_what_was_acknowledged_is_there_after(drawn_place: Path, tmp_path: Path, end: signal.Signals) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    with running(place) as (process, address):
        writers = [Writer(name, address) for name in "ABC"[:WRITERS]]
        threads = [Thread(target=writer.work, daemon=True) for writer in writers]
        for thread in threads:
            thread.start()
        sleep(2.0)
        process.send_signal(end)
        code = process.wait(PATIENCE_S)
        for thread in threads:
            thread.join(PATIENCE_S)
    assert code == (0 if end == signal.SIGTERM else -end)
    assert [writer.strange for writer in writers] == [[]] * WRITERS
    assert min(writer.acknowledged for writer in writers) > 3
    with lookalike.open(place, create=False) as shop:
        found = set(shop.select("id exists"))
        for writer in writers:
            held = shop.get(writer.prices)
            for id_, price in writer.prices.items():
                allowed = {price, writer.unsure.get(id_, price)}
                assert (held[id_].price if id_ in held else None) in allowed, id_
                assert (id_ in found) == (id_ in held)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_a_request_that_runs_is_answered_before_the_service_ends(drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    rows = "\n".join(json.dumps({"id": f"S{n}", "title": f"vase number {n}"}) for n in range(600)).encode()
    with running(place) as (process, address):
        connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
        connection.putrequest("PUT", "/v1/products")
        connection.putheader("Content-Length", str(len(rows)))
        connection.endheaders()
        connection.send(rows[:20_000])
        sleep(0.3)
        process.send_signal(signal.SIGTERM)
        sleep(0.3)
        connection.send(rows[20_000:])
        told = connection.getresponse().read().splitlines()
        connection.close()
        assert process.wait(PATIENCE_S) == 0
    assert [json.loads(line)["status"] for line in told] == ["written"] * 600
    with lookalike.open(place, create=False) as shop:
        assert len(shop.get(f"S{n}" for n in range(600))) == 600
