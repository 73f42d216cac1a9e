"""Services that share vectors and answers through a real Redis: never another's, and never the worse for it."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from test_kept import lasting, state_of

import lookalike
from lookalike.adapters import catalog_sql_identity
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.catalog_sql_identity import identity
from lookalike.core.errors import InputError, MissingExtra
from lookalike.core.images import ImageLimits
from lookalike.service.app import create_app
from lookalike.service.settings import ServiceSettings
from lookalike.settings import Settings, load_settings
from redis_server import RedisServer
from waiting import until

pytest.importorskip("redis", reason="redis-py is not installed")
Answer = dict[str, Any]
Serve = Callable[..., TestClient]


class Counting:
    """An encoder that notes the phrases it is given."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: Any) -> Any:
        self.texts += texts
        return self._encoder.encode_texts(texts)


@pytest.fixture
def serve(redis_server: RedisServer) -> Iterator[Serve]:
    """Yield what serves a shop, as a process by itself would, with a cache in Redis."""
    with ExitStack() as stack:

        def begin(place: Path, timeout_s: float = 5.0, **given: Any) -> TestClient:
            counting: list[Counting] = []

            def counted(encoder: Any) -> Any:
                counting.append(Counting(encoder))
                return counting[-1]

            settings = Settings(cache_url=redis_server.url, cache_timeout_s=timeout_s, **given)
            shop = stack.enter_context(
                lookalike.open(
                    place, create=False, local_files=False, settings=settings, query_encoder=counted
                )
            )
            client = TestClient(create_app(shop, ServiceSettings(shadow_share=0)))
            client.encoders = counting  # type: ignore[attr-defined]
            return client

        yield begin


def encoded(client: TestClient) -> list[str]:
    return [text for encoder in client.encoders for text in encoder.texts]  # type: ignore[attr-defined]


def ask(client: TestClient, phrase: str = "red lamp", **more: Any) -> Answer:
    response = client.get("/v1/search/text", params={"q": phrase, "limit": 3, **more})
    assert response.status_code == 200, response.text
    answer: Answer = response.json()
    return answer


def outages(client: TestClient) -> float:
    return state_of(client).metrics.registry.get_sample_value("lookalike_cache_outages_total") or 0.0


@pytest.fixture
def place(drawn_place: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(drawn_place, tmp_path / "own.db"))


def test_what_one_process_found_is_there_for_all(serve: Serve, place: Path) -> None:
    one = serve(place)
    fresh = ask(one)
    other = serve(place)
    until(lambda: state_of(other).shop.settled == state_of(one).shop.settled is not None)  # type: ignore[union-attr]
    found = ask(other)
    assert (fresh["cached"], found["cached"]) == (False, True)
    assert lasting(fresh) == lasting(found) and found["results"]
    assert encoded(one) and not encoded(other)
    assert not ask(other, limit=4)["cached"]  # another question with the same phrase
    assert not encoded(other)
    assert one.patch("/v1/products/D00001", json={"price": 1.5}).status_code == 200
    until(lambda: not ask(other)["cached"])  # once it has seen the change, everything is asked anew
    assert outages(one) == outages(other) == 0


def test_two_catalogues_that_share_one_redis_never_share_an_answer(
    serve: Serve, place: Path, tmp_path: Path
) -> None:
    one = serve(place)
    state_of(one).shop.close()  # type: ignore[union-attr]  # it has its mark now, and so will a copy
    copy = Path(shutil.copy(place, tmp_path / "copy.db"))
    priced = [serve(place), serve(copy)]
    for price, client in enumerate(priced, start=1):
        assert client.patch("/v1/products/D00001", json={"price": price}).status_code == 200
    shops = [state_of(client).shop for client in priced]
    assert shops[0] is not None and shops[1] is not None
    assert shops[0].sequence == shops[1].sequence and shops[0].signature == shops[1].signature
    for _ in range(2):
        answers = [ask(client, "lamp", where='id = "D00001"', facets=["price"]) for client in priced]
        assert [each["results"][0]["product"]["price"] for each in answers] == [1.0, 2.0]
    assert [each["cached"] for each in answers] == [True, True]
    assert not encoded(priced[1]) or not encoded(priced[0])  # but the vector of a phrase is the same for both


def test_what_reads_pictures_otherwise_shares_no_answers(serve: Serve, place: Path) -> None:
    one, other = serve(place), serve(place, images=ImageLimits(reduce_to_px=128))
    assert not ask(one)["cached"] and not ask(other)["cached"]


def test_a_catalogue_that_is_made_anew_is_another(tmp_path: Path) -> None:
    def name() -> str:
        catalog = SqlCatalog.open(tmp_path / "shop.db")
        try:
            before = identity(catalog)
            assert before == identity(catalog)
            return before
        finally:
            catalog.close()

    first = name()
    assert name() == first
    for file in tmp_path.glob("shop.db*"):
        file.unlink()
    assert name() != first


def test_two_processes_that_name_a_catalogue_at_one_moment_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (SqlCatalog.open(tmp_path / "shop.db") for _ in range(2))
    draw, names = catalog_sql_identity.token_hex, []

    def drawn_beside(size: int) -> str:
        monkeypatch.setattr(catalog_sql_identity, "token_hex", draw)
        names.append(identity(other))  # between the look of one and what it writes
        return draw(size)

    monkeypatch.setattr(catalog_sql_identity, "token_hex", drawn_beside)
    names += [identity(one), identity(one), identity(other)]
    assert len(names) == 4 and len(set(names)) == 1
    one.close()
    other.close()


def test_a_server_that_each_machine_calls_localhost_is_another_on_each(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = SqlCatalog.open(postgres_url)
    far = sa.make_url("postgresql+psycopg://me@db.example/shop")
    here, there = identity(catalog), catalog_sql_identity._place(far)
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    assert identity(catalog) != here  # it is reached by a socket
    assert catalog_sql_identity._place(far) == there
    catalog.close()


def test_a_catalogue_in_postgres_has_a_name_without_its_password(postgres_url: str) -> None:
    with lookalike.open(postgres_url) as shop:
        assert len(shop.answers_name) == 32 and shop.answers_name == shop.answers_name


def test_an_index_that_holds_less_of_a_vector_answers_under_another_name(place: Path) -> None:
    names = set()
    for given in ({}, {"index_memory_bytes": 10_000_000}, {"index_recall": 0.9}, {"cache_ttl_s": 5}):
        with lookalike.open(place, create=False, settings=Settings(**given)) as shop:  # type: ignore[arg-type]
            names.add(shop.answers_name)
    assert len(names) == 3  # how long something is kept changes no answer


def test_searches_go_on_when_redis_is_killed_and_when_it_is_back(
    serve: Serve, place: Path, redis_server: RedisServer
) -> None:
    client = serve(place, timeout_s=0.5)
    slowest: list[float] = []
    done = Event()

    def search(thread: int) -> int:
        count = 0
        while not done.is_set():
            began = time.monotonic()
            assert ask(client, f"lamp {thread} {count}")["results"]
            slowest.append(time.monotonic() - began)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        searching = [pool.submit(search, thread) for thread in range(3)]
        try:
            until(lambda: len(slowest) > 20)
            redis_server.stop()
            stopped_at = len(slowest)
            until(lambda: outages(client) >= 1 and len(slowest) > stopped_at + 30)
            redis_server.start()
            shared = state_of(client).shop.shared_cache  # type: ignore[union-attr]
            assert shared is not None

            def is_back() -> bool:
                shared.set("probe", b"x")
                return shared.get("probe") == b"x"

            until(is_back)
            redis_server.hold()
            held_at = len(slowest)
            until(lambda: len(slowest) > held_at + 30)
        finally:
            done.set()
            redis_server.release()
        assert all(each.result() > 5 for each in searching)
    assert "lookalike_cache_outages_total" in client.get("/metrics").text


def test_what_lies_wrong_in_redis_fails_nobody(serve: Serve, place: Path, redis_server: RedisServer) -> None:
    from redis import Redis

    fresh = ask(serve(place))
    with Redis.from_url(redis_server.url) as redis:
        names = redis.keys()
        assert len(names) >= 2
        for name in names:
            redis.append(name, b"!")
    again = ask(serve(place))
    assert not again["cached"] and lasting(again) == lasting(fresh)


def test_a_url_of_no_known_kind_is_told_without_its_secret(place: Path) -> None:
    settings = load_settings(cache_url="memcached://:geheim@host")
    assert "geheim" not in repr(settings) + settings.model_dump_json()
    with pytest.raises(InputError) as told:
        lookalike.open(place, create=False, settings=settings)
    assert "redis://" in told.value.hint and "geheim" not in f"{told.value} {told.value.hint}"


def test_without_the_extra_it_is_said_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)  # as if it were not there
    monkeypatch.delitem(sys.modules, "lookalike.adapters.cache_redis", raising=False)
    with pytest.raises(MissingExtra) as told:
        lookalike.open(place, create=False, settings=Settings(cache_url="redis://localhost"))
    assert told.value.hint == 'pip install "lookalike[redis]"'
