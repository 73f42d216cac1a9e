"""The benchmark of the service: its requests are different and valid, its clock is honest, and a short run counts right."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import sleep
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from benchmarks.serve import wrk
from benchmarks.serve.material import SHARES, Material, raw
from benchmarks.serve.mixed import Changes
from benchmarks.serve.openloop import Times, offer
from benchmarks.serve.process import serving
from benchmarks.serve.scenarios import Goal, recovered_s, scenarios
from benchmarks.serve.wrk import Stream
from lookalike.core.images import decode

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def place(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("bench") / "shop.db"))


@pytest.fixture(scope="module")
def material(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return Material.of(place, tmp_path_factory.mktemp("photos"), photos=3)


@pytest.mark.parametrize("kind", [*SHARES, "mix"])
def test_no_request_comes_twice(material: Material, kind: str) -> None:
    lines = material.requests(kind, 150)
    assert len(lines) == len(set(lines)) == 150
    assert lines == material.requests(kind, 150)  # and they are the same each time


def test_phrases_are_made_of_words_of_titles(material: Material) -> None:
    known = {word.lower() for title in material.titles for word in title}
    for line in material.requests("text", 50):
        [phrase] = parse_qs(urlsplit(line[2:]).query)["q"]
        assert set(phrase.split()) <= known and len(phrase.split()) >= 2


def test_photos_differ_in_their_pixels_not_only_in_their_bytes(material: Material) -> None:
    photos: dict[str, bytes] = {}
    lines = material.requests("image", 3 * 60)
    seen = set()
    for line in lines[::3]:
        body = raw(line, photos, "x").partition(b"\r\n\r\n")[2]
        picture = body[body.index(b"\xff\xd8") : body.rindex(b"\xff\xd9") + 2]
        pixels = decode(picture)
        assert pixels.shape[0] > pixels.shape[1]
        seen.add(pixels.tobytes())
    assert len(seen) == 60


def test_the_mix_has_its_shares(material: Material) -> None:
    lines = material.requests("mix", 1000)
    similar = sum("/similar" in line for line in lines) / len(lines)
    assert similar == pytest.approx(SHARES["similar"], abs=0.06)
    assert any(line.startswith("P") for line in lines)


# --- the clock --------------------------------------------------------------------------------------------------------


@contextmanager
def stalling(answered: int, stall_s: float) -> Iterator[str]:
    """Answer over one connection, and once, after so many answers, not for a while."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                count = 0
                while connection.recv(65536):
                    count += 1
                    if count == answered:
                        sleep(stall_s)
                    connection.sendall(ANSWER)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(30)


def test_who_was_due_during_a_stall_is_counted_as_having_waited(tmp_path: Path) -> None:
    stream = Stream.of([f"G\t/{number}" for number in range(10)], tmp_path / "few.requests")
    with stalling(answered=20, stall_s=1.0) as address:
        times = offer(address, stream, rate=50, seconds=2, connections=1)
    assert len(times.due_s) == 100 and times.counts() == {"200": 100}
    assert stream.next == 100 and stream.repeated
    # A client that waits for its answers would have seen one slow request of a hundred.
    assert (times.took_s > 0.25).sum() > 20
    assert times.took_s.max() >= 1.0
    assert (times.percentile_ms(50, times.due_s < 0.3) or 0) < times.took_s.max() * 1e3


def test_what_is_not_answered_is_said_to_be_so(tmp_path: Path) -> None:
    stream = Stream.of(["G\t/x"], tmp_path / "none.requests")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(1000)
                connection.close()

        Thread(target=hang_up, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        times = offer(address, stream, rate=20, seconds=0.5, connections=2)
        listener.shutdown(socket.SHUT_RDWR)
    assert times.counts() == {"none": 10}


# --- what is made of it -----------------------------------------------------------------------------------------------


def test_recovery_is_the_first_second_from_which_all_is_well() -> None:
    due = np.arange(50) / 10
    status, took = np.full(50, 200), np.full(50, 0.01)
    assert recovered_s(Times(due, took, status), 50) == 0
    status[:17] = 429
    assert recovered_s(Times(due, took, status), 50) == 2
    took[48] = 3.0
    assert recovered_s(Times(due, took, status), 50) is None


def test_goals_are_said_beside_what_was_measured() -> None:
    assert Goal("per_s", least=80).judged({"per_s": 100.0}) == "per_s 100.00 (goal >= 80: met)"
    assert "missed" in Goal("p99_ms", most=25).judged({"p99_ms": 25.5})
    assert "not measured" in Goal("recovered_s", most=5).judged({"recovered_s": None})
    assert {"similar", "text", "image", "warm", "mix", "batching", "mixed", "overload"} <= scenarios().keys()


# --- for real ---------------------------------------------------------------------------------------------------------


def test_changes_are_found_and_deletions_are_not(place: Path, material: Material) -> None:
    with serving(place, shadow_share=0) as served:
        changes = Changes(served, material.ids)
        changes.go_on_for(4)
        changes.close()
        figures = changes.figures()
        assert served.memory_mb() > 50
        requests = served.get("/v1/stats")["requests"]
    assert figures["written"] >= 1 and figures["change_failures"] == 0, figures["first_failure"]
    assert figures["deleted_returned"] == 0 and figures["fresh_p99_s"] < 30
    assert figures["memory_growth"] is not None
    assert requests["/v1/products/{id}"]["200"] >= figures["written"]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt-get install wrk")
def test_wrk_and_the_constant_rate_count_what_the_service_counts(
    place: Path, material: Material, tmp_path: Path
) -> None:
    stream = Stream.of(material.requests("mix", 400), tmp_path / "mix.requests")
    with serving(place, shadow_share=0) as served:
        figures = wrk.drive(served.address, stream, connections=2, seconds=1)
        assert figures["per_s"] > 0 and figures["refused"] == figures["broken"] == 0
        driven = stream.next
        times = offer(served.address, stream, rate=10, seconds=1)
        assert times.counts() == {"200": 10}
        requests = served.get("/v1/stats")["requests"]
    answered = sum(count for route in requests.values() for status, count in route.items() if status == "200")
    assert 10 < answered <= driven + 10 + 1
    assert all(status == "200" for route in requests.values() for status in route)
