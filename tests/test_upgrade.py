"""A shop goes over to another encoder while it is searched and written to: nothing is lost, and it can go back exactly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from typer.testing import CliRunner

import lookalike
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.cli.main import app as app_of_commands
from lookalike.core.errors import EncoderMismatch, InputError, LookalikeError
from lookalike.core.images import decode
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE
from lookalike.embed import embed
from lookalike.engine.backfill import BATCH, reader_of
from lookalike.engine.comparison import overlap, rank_biased_overlap
from lookalike.engine.encoders import signature_of
from lookalike.service.app import admit, create_app
from lookalike.service.settings import EventSettings, ServiceSettings
from lookalike.settings import Settings
from lookalike.upgrade import Upgrade
from small_encoders import COLORS, SmallEncoder, drawn, rows
from small_models import DIM, small_model
from waiting import until

COUNT = 60
SPACES = (IMAGE, TITLE, DESCRIPTION)
QUESTIONS: tuple[Mapping[str, Any], ...] = (
    {"image": drawn(COLORS["red"], 999), "k": 20},
    {"text": "green mug", "k": 20},
    {"like": "P007", "k": 20},
    {"image": drawn(COLORS["blue"], 998), "text": "rug", "k": 20},
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another real model, by the path of its preset."""
    return str(small_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A shop made with the built-in encoder."""
    with lookalike.open(tmp_path / "shop.db") as shop:
        assert shop.index(rows(COUNT)).new == COUNT
    return tmp_path / "shop.db"


def answers(shop: lookalike.Shop) -> list[list[tuple[str, float]]]:
    return [[(hit.product.id, hit.score) for hit in shop.search(**asked).hits] for asked in QUESTIONS]


def held(place: Path, ids: list[str], fingerprint: str) -> dict[str, set[str]]:
    """Return in which spaces these products have a vector of this encoder."""
    catalog = SqlCatalog.open(place, create=False)
    try:
        found = catalog.embedded(ids, dict.fromkeys(SPACES, fingerprint))
        return {id_: {space for space, _ in found[id_]} for id_ in ids}
    finally:
        catalog.close()


@contextmanager
def searching(shop: lookalike.Shop) -> Iterator[list[list[list[tuple[str, float]]]]]:
    """Search all the time in a thread; any error fails the test."""
    seen: list[list[list[tuple[str, float]]]] = []
    failed: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            try:
                for number, asked in enumerate(QUESTIONS):
                    result = shop.search(**asked)
                    seen.append([[(hit.product.id, hit.score) for hit in result.hits], [(str(number), 0.0)]])
            except BaseException as error:
                failed.append(error)
                return

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
    assert not failed, failed


def test_searches_go_on_and_each_is_of_one_generation(place: Path, model: str) -> None:
    with lookalike.open(place) as shop, Upgrade(place) as upgrade:
        before = answers(shop)
        dim = shop.spaces[IMAGE].dim
        shop.follow(0.02)
        with searching(shop) as seen:
            report = upgrade.start(model)
            assert (report.products, report.failed) == (COUNT, 0)
            assert report.encoded > 2 * COUNT  # some descriptions are the same; pictures and titles are not
            assert shop.spaces[IMAGE].dim == dim
            assert upgrade.start(model).encoded == 0  # nothing is made twice
            with upgrade.second_shop() as second:
                pass
            upgrade.finish()
            until(lambda: shop.spaces[IMAGE].dim == DIM)
            after = answers(shop)
            time.sleep(0.1)
            assert upgrade.rollback() == 0
            until(lambda: shop.spaces[IMAGE].dim == dim)
            assert answers(shop) == before
        assert second is not None
        assert after != before
        assert all(len(hits) == 20 for hits in after)
        for hits, [(number, _)] in seen:
            assert hits in (before[int(number)], after[int(number)])
        assert {hits == before[int(number)] for hits, [(number, _)] in seen} == {True, False}
    with lookalike.open(place) as shop:
        assert answers(shop) == before


def test_what_is_written_meanwhile_is_found_in_either_generation(place: Path, model: str) -> None:
    with lookalike.open(place) as shop, Upgrade(place) as upgrade:
        shop.follow(0.02)
        old = shop.encoder.fingerprint
        upgrade.start(model)
        new_ids = [f"P{number:03d}" for number in range(COUNT, COUNT + 6)]
        shop.upsert(rows(6, first=COUNT))
        shop.upsert([{**rows(1)[0], "title": "a purple thing"}])
        second = upgrade.state.beside
        assert second is not None
        for fingerprint in (old, second.main.fingerprint):
            assert all(
                found == set(SPACES) for found in held(place, ["P000", *new_ids], fingerprint).values()
            )
        upgrade.finish()
        until(lambda: shop.spaces[IMAGE].dim == DIM)
        assert shop.encoder.fingerprint == second.main.fingerprint
        assert shop.search(image=shop.picture_of("P063") or b"").hits[0].product.id == "P063"
        shop.upsert(rows(2, first=COUNT + 6))  # the former generation is kept up
        upgrade.rollback()
        until(lambda: shop.spaces[IMAGE].dim != DIM)
        for id_ in ("P063", "P067"):
            assert shop.search(image=shop.picture_of(id_) or b"").hits[0].product.id == id_
        assert shop.search(text="purple thing").hits[0].product.id == "P000"
        assert len(shop.spaces[IMAGE]) == COUNT + 8


def test_a_run_that_began_before_and_ends_after_leaves_no_product_without_vectors(
    place: Path, model: str
) -> None:
    def source() -> Iterator[dict[str, object]]:
        yield from rows(300, first=COUNT)
        with Upgrade(place) as upgrade:
            upgrade.start(model)
            upgrade.finish()
        yield from rows(20, first=COUNT + 300)

    with lookalike.open(place) as shop:
        listed = list(rows(300, first=COUNT))
        feed = source()
        assert shop.index(_Once(listed, feed)).failed == 0
        assert shop.spaces[IMAGE].dim == DIM
        assert len(shop.spaces[IMAGE]) == COUNT + 320


class _Once:
    """Rows to recognise columns by at first, and those of a generator the second time they are read."""

    def __init__(self, first: list[dict[str, object]], feed: Iterator[dict[str, object]]) -> None:
        self._turns = iter([first, feed])

    def __iter__(self) -> Iterator[dict[str, object]]:
        return iter(next(self._turns))


def test_a_killed_backfill_goes_on_where_it_stopped(place: Path, model: str) -> None:
    command = [sys.executable, "-m", "lookalike", "upgrade", "start", str(place), "--encoder", model]
    process = subprocess.Popen([*command, "--rate", "40"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    ids = [f"P{number:03d}" for number in range(COUNT)]
    with lookalike.open(place) as shop:
        before = answers(shop)
    with Upgrade(place) as upgrade:
        until(lambda: upgrade.state.beside is not None, 60)
        second = upgrade.state.beside
        assert second is not None
        until(lambda: any(held(place, ids, second.main.fingerprint).values()), 60)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        some = sum(bool(found) for found in held(place, ids, second.main.fingerprint).values())
        assert 0 < some < COUNT
        with lookalike.open(place) as shop:
            assert answers(shop) == before
        report = upgrade.start(model)
        assert report.encoded == 3 * (COUNT - some)
        assert all(found == set(SPACES) for found in held(place, ids, second.main.fingerprint).values())
        assert upgrade.status()["complete"] is True


def test_a_second_text_encoder_takes_its_spaces_only(place: Path, model: str) -> None:
    """Pictures keep the vectors they have."""
    with Upgrade(place) as upgrade:
        report = upgrade.start("builtin", model)
        assert report.encoded < 2 * COUNT + 1
        upgrade.finish()
    with lookalike.open(place) as shop:
        assert (shop.spaces[IMAGE].dim, shop.spaces[TITLE].dim) == (shop.encoder.dim, DIM)
        assert len(shop.spaces[TITLE]) == COUNT
    with Upgrade(place) as upgrade:
        assert upgrade.clean() == 2 * COUNT
    with lookalike.open(place) as shop:
        assert {len(shop.spaces[space]) for space in SPACES} == {COUNT}


def test_cleaning_drops_what_is_not_searched_and_no_more(place: Path, model: str) -> None:
    with lookalike.open(place) as shop:
        before = answers(shop)
    with Upgrade(place) as upgrade:
        upgrade.start(model)
        assert upgrade.clean() == 3 * COUNT
        assert upgrade.state.beside is None
        with pytest.raises(InputError, match="no second generation"):
            upgrade.finish()
        assert upgrade.start(model).encoded > 0  # from the beginning
        upgrade.finish()
        with pytest.raises(InputError, match=r"searched with .* already"):
            upgrade.finish()
        assert upgrade.clean() == 3 * COUNT
        with pytest.raises(InputError, match="no second generation"):
            upgrade.rollback()
    with lookalike.open(place) as shop:
        assert answers(shop) != before
        assert shop.index(rows(COUNT)).encoded == dict.fromkeys(SPACES, 0)


def test_steps_in_a_wrong_order_are_refused(place: Path, model: str) -> None:
    with Upgrade(place) as upgrade:
        with pytest.raises(InputError, match=r"searched with builtin .* already"):
            upgrade.start("builtin")
        upgrade.start(model)
        with pytest.raises(InputError, match="was not cut over"):
            upgrade.rollback()
        with pytest.raises(InputError, match="second generation already"):
            upgrade.start(SmallEncoder("third", 5))
        with pytest.raises(InputError, match="being upgraded"):
            lookalike.open(place, encoder=SmallEncoder("third", 5), reembed=True)
    with pytest.raises(InputError, match="never indexed"), lookalike.open(place.parent / "empty.db") as empty:
        with Upgrade(place.parent / "empty.db") as upgrade:
            upgrade.start(model)
        del empty


def test_what_another_process_left_behind_does_not_count_as_made(place: Path, model: str) -> None:
    """One that was making the second generation when it was let go of goes on for a batch, and says how far it came."""
    with Upgrade(place) as upgrade:
        assert upgrade.start(model).products == COUNT
        second = upgrade.state.beside
        assert second is not None
        upgrade.clean()
        upgrade._catalog.set_position(reader_of(second), upgrade._catalog.sequence())

        def killed(products: int) -> None:
            upgrade._catalog.set_position(reader_of(second), upgrade._catalog.sequence())
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            upgrade.start(model, progress=killed)
        assert upgrade.start(model).products == COUNT - BATCH
        upgrade.finish()
    with lookalike.open(place) as shop:
        assert {len(shop.spaces[space]) for space in SPACES} == {COUNT}


def test_a_run_stops_when_another_process_lets_go_of_what_it_makes(place: Path, model: str) -> None:
    with Upgrade(place) as upgrade, Upgrade(place) as other:
        with pytest.raises(LookalikeError, match="somebody else"):
            upgrade.start(model, progress=lambda products: other.clean() and None)
        assert upgrade.state.beside is None
        assert upgrade.start(model).products == COUNT


def test_a_run_does_not_take_another_beginning_for_its_own(place: Path, model: str) -> None:
    """Let go of, and begun again with the same encoder, while it is made: the vectors that it counts on are gone."""

    def begun_again(products: int) -> None:
        assert other.clean() > 0
        assert other.start(model).products == COUNT

    with Upgrade(place) as upgrade, Upgrade(place) as other:
        with pytest.raises(LookalikeError, match="somebody else"):
            upgrade.start(model, progress=begun_again)
        assert upgrade.status()["complete"]
        second = upgrade.state.beside
        assert second is not None
        ids = [f"P{number:03d}" for number in range(COUNT)]
        assert all(found == set(SPACES) for found in held(place, ids, second.main.fingerprint).values())


def test_embedding_anew_does_not_lose_an_upgrade_that_began_meanwhile(place: Path, model: str) -> None:
    with (
        lookalike.open(place, encoder=SmallEncoder("third", 5), reembed=True) as shop,
        Upgrade(place) as upgrade,
    ):
        upgrade.start(model)
        before = upgrade.state
        with pytest.raises(InputError, match="is being upgraded"):
            shop.index(rows(COUNT))
        assert upgrade.state == before


def test_going_back_reaches_those_who_never_went_over(tmp_path: Path) -> None:
    first, second = SmallEncoder("first", 6), SmallEncoder("second", 8)
    place = tmp_path / "shop.db"
    with lookalike.open(place, encoder=first) as stayed, Upgrade(place, encoders=[first, second]) as upgrade:
        stayed.index(rows(8))
        upgrade.start(second)
        upgrade.finish()
        with lookalike.open(place, encoder=second) as writer:  # it cannot make vectors of the first
            writer.upsert(rows(2, first=8))
        assert stayed.search(k=20).matched == 10
        assert (stayed.spaces[IMAGE].dim, len(stayed.spaces[IMAGE])) == (6, 8)
        assert upgrade.rollback() == 2
        assert stayed.search(k=20).matched == 10
        assert {len(stayed.spaces[space]) for space in SPACES} == {10}


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """A web server of this machine with six pictures."""
    (tmp_path / "web").mkdir()
    for number in range(6):
        (tmp_path / "web" / f"{number}.jpg").write_bytes(drawn(list(COLORS.values())[number % 4], number))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "web")))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_picture_that_only_the_second_generation_lacks_is_not_lost(
    tmp_path: Path, model: str, photos: ThreadingHTTPServer
) -> None:
    """Its URL is asked for again when the product changes, and may be gone: what is searched has its vector all the same."""
    listed: list[dict[str, object]] = [
        {"id": f"P{n}", "title": f"thing {n}", "image": f"http://127.0.0.1:{photos.server_port}/{n}.jpg"}
        for n in range(6)
    ]
    place, settings = tmp_path / "shop.db", Settings(allow_private_urls=True)
    with lookalike.open(place, settings=settings) as shop, Upgrade(place) as upgrade:
        assert shop.index(listed).images == 6
        upgrade.start(model)
        second = upgrade.state.beside
        assert second is not None
        upgrade._catalog.drop_embeddings(second.by_space)  # as if its making had only begun
        for file in (tmp_path / "web").iterdir():
            file.unlink()
        report = shop.index([row | {"price": 5.0} for row in listed])
        assert (report.changed, report.failed_images, report.images) == (6, 0, 6)
        assert len(shop.spaces[IMAGE]) == 6
        assert shop.index([row | {"price": 5.0} for row in listed]).unchanged == 6
        upgrade.finish()
    with lookalike.open(place) as shop:
        assert (shop.spaces[IMAGE].dim, len(shop.spaces[IMAGE])) == (DIM, 6)


def test_what_is_mended_is_tried_again_where_a_picture_failed(
    tmp_path: Path, model: str, photos: ThreadingHTTPServer
) -> None:
    row = {"id": "P0", "title": "thing", "images": ""}
    row["images"] = ",".join(f"http://127.0.0.1:{photos.server_port}/{n}.jpg" for n in (0, 99))
    place, settings = tmp_path / "shop.db", Settings(allow_private_urls=True)
    with lookalike.open(place, settings=settings) as shop, Upgrade(place) as upgrade:
        assert shop.index([row]).failed_images == 1
        upgrade.start(model)
        second = upgrade.state.beside
        assert second is not None
        upgrade._catalog.drop_embeddings(second.by_space)
        assert upgrade._backfill().mend(0) == 1
        assert upgrade._catalog.known(["P0"])["P0"].embedded == ""
        (tmp_path / "web" / "99.jpg").write_bytes(drawn(COLORS["blue"], 99))
        assert shop.index([row]).images == 2


def test_where_the_new_model_is_missing_searches_go_on_with_the_old(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    third = SmallEncoder("third", 5)
    with lookalike.open(place) as shop, Upgrade(place, encoders=[third]) as upgrade:
        before = answers(shop)
        upgrade.start(third)
        shop.upsert(
            [{**rows(1)[0], "price": 1.0}]
        )  # this process cannot make its vectors, and writes all the same
        upgrade.finish()
        assert answers(shop) == before
        assert "third" in caplog.text
        upgrade.rollback()
        assert answers(shop) == before


def test_a_running_service_changes_over_between_two_requests(place: Path, model: str) -> None:
    app = create_app(None, ServiceSettings(events=EventSettings(enabled=False), follow_s=0.02))
    state = app.state.service
    try:
        admit(app, lookalike.open(place, local_files=False, query_encoder=state.batched))
        client = TestClient(app)

        def made_by() -> str:
            return str(client.get("/v1/stats").json()["encoder"]["fingerprint"])

        def asked() -> list[str]:
            answer = client.get("/v1/search/text", params={"q": "green mug", "limit": 20})
            assert answer.status_code == 200
            return [hit["id"] for hit in answer.json()["results"]]

        old, before = made_by(), asked()
        assert asked() == before  # the second time from what was kept
        with Upgrade(place) as upgrade:
            upgrade.start(model)
            assert asked() == before
            upgrade.finish()
            until(lambda: made_by() != old)
            after = asked()
            assert (len(after), after != before) == (20, True)
            upgrade.rollback()
            until(lambda: made_by() == old)
            assert asked() == before
    finally:
        state.close()


def test_pictures_are_read_from_thumbnails_or_from_where_they_came(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    listed = rows(12)
    for number, row in enumerate(listed):
        large = Image.fromarray(np.random.default_rng(number).integers(0, 256, (400, 500, 3), np.uint8))
        large.save(folder / f"{number}.png")
        row["image"] = f"{number}.png"
    place = tmp_path / "shop.db"
    with lookalike.open(place) as shop:
        assert shop.index(listed, images=folder).images == 12
    vectors = {}
    for originals in (None, folder):
        with Upgrade(place) as upgrade:
            upgrade.start(model, originals=originals)
            with upgrade.second_shop() as second:
                vectors[originals] = second.spaces[IMAGE].get(np.arange(12))[1]
            upgrade.clean()
    with lookalike.open(tmp_path / "anew.db", encoder=model) as shop:
        shop.index(listed, images=folder)
        indexed = shop.spaces[IMAGE].get(np.arange(12))[1]
    np.testing.assert_allclose(vectors[folder], indexed, atol=1e-5)
    assert not np.allclose(vectors[None], indexed, atol=1e-5)
    assert (vectors[None] * indexed).sum(axis=1).min() > 0.9  # of noise, the worst there is for a small JPEG
    (folder / "0.png").write_bytes(drawn(COLORS["red"]))  # another picture by now: the thumbnail counts
    with Upgrade(place) as upgrade:
        assert upgrade.start(model, originals=folder).failed == 0


def test_the_commands_from_beginning_to_end(
    place: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner, shop = CliRunner(), str(place)

    def run(*words: str) -> str:
        done = runner.invoke(app_of_commands, ["upgrade", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    run("start", shop, "--encoder", model)
    assert "complete     True" in run("status", shop)
    told = run("report", shop, "--queries", "12", "-k", "5", "--html", "page.html", "--json", "all.json")
    assert "overlap@5" in told
    page = (tmp_path / "page.html").read_text()
    assert page.count("<section") >= 1
    assert "data:image/jpeg;base64," in page
    assert json.loads((tmp_path / "all.json").read_text())["k"] == 5
    run("finish", "--shop", shop)
    assert "former" in run("status", "--shop", shop)
    monkeypatch.setenv("LOOKALIKE_SHOP", shop)
    assert "former" in run("status")
    two = runner.invoke(app_of_commands, ["upgrade", "status", shop, "--shop", "other.db"])
    assert two.exit_code == 1 and "two shops are named" in str(two.exception)
    run("rollback", shop)
    run("clean", shop)
    assert "next" not in run("status", shop)


def test_the_two_are_compared_before_anybody_sees_the_new_one(
    place: Path, model: str, tmp_path: Path
) -> None:
    judged = tmp_path / "judged.jsonl"
    judged.write_text('{"id": "q1", "query": {"text": "red lamp"}, "relevant_where": "brand = \\"A\\""}\n')
    with Upgrade(place) as upgrade:
        upgrade.start(model)
        compared = upgrade.compare(judged, queries=30, k=5)
    shared, ranked, count = compared.mean("like")
    assert (count, compared.kinds) == (30, ("like",))
    assert 0 < shared < 1
    assert 0 < ranked < 1
    assert "nDCG@10" in compared.gains
    worst = compared.worst(3)
    assert worst[0].rank_biased_overlap == min(each.rank_biased_overlap for each in compared.compared)
    assert compared.to_dict()["means"]["all"]["queries"] == 30


@pytest.mark.parametrize(
    ("before", "after", "shared", "ranked"),
    [
        ("abc", "abc", 1.0, 1.0),
        ("", "", 1.0, 1.0),
        ("abc", "xyz", 0.0, 0.0),
        ("abc", "", 0.0, 0.0),
        # Agreement 0, 1, 1 at depths 1, 2, 3: (0.1 / 0.9) (0.81 + 0.729) + 0.729.
        ("abc", "bac", 1.0, 0.9),
        ("abcd", "abxy", 0.5, 0.1 / 0.9 * (0.9 + 0.81 + 0.729 * 2 / 3 + 0.6561 / 2) + 0.6561 / 2),
    ],
)
def test_overlaps(before: str, after: str, shared: float, ranked: float) -> None:
    assert overlap(list(before), list(after)) == pytest.approx(shared)
    assert rank_biased_overlap(list(before), list(after)) == pytest.approx(ranked)
    assert rank_biased_overlap(list(after), list(before)) == pytest.approx(ranked)


def test_signatures_of_generations_differ(place: Path, model: str) -> None:
    """What keeps answers and vectors of queries goes by it."""
    with lookalike.open(place) as shop, Upgrade(place) as upgrade:
        first = shop.signature
        assert first == signature_of(dict.fromkeys(SPACES, shop.encoder.fingerprint))
        upgrade.start(model)
        upgrade.finish()
        shop.search(text="lamp")
        assert shop.signature != first


# --- two operators ------------------------------------------------------------------------------------------------------


def together(*steps: Callable[[], object]) -> list[object]:
    """Do several things at once, each in a thread; return what each gave, or its error."""
    ready = threading.Barrier(len(steps))

    def run(step: Callable[[], object]) -> object:
        ready.wait()
        try:
            return step()
        except LookalikeError as error:
            return error

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


@pytest.mark.parametrize("turn", range(5))
def test_of_two_who_start_different_upgrades_one_is_refused(place: Path, turn: int) -> None:
    others = [SmallEncoder("third", 5), SmallEncoder("fourth", 6)]
    upgrades = [Upgrade(place, encoders=others) for _ in others]
    done = together(*(partial(upgrade.start, each) for upgrade, each in zip(upgrades, others, strict=True)))
    refused = [each for each in done if isinstance(each, InputError)]
    assert len(refused) == 1 and "second generation already" in str(refused[0])
    winner = others[1 - done.index(refused[0])]
    beside = upgrades[0].state.beside
    assert beside is not None and beside.main.fingerprint == winner.fingerprint
    for upgrade in upgrades:
        upgrade.close()


def test_of_two_who_start_the_same_both_make_it(place: Path) -> None:
    third = SmallEncoder("third", 5)
    upgrades = [Upgrade(place, encoders=[third]) for _ in range(2)]
    assert not [
        done for done in together(*(partial(u.start, third) for u in upgrades)) if isinstance(done, Exception)
    ]
    assert upgrades[0].status()["complete"]
    for upgrade in upgrades:
        upgrade.close()


@pytest.mark.parametrize("turn", range(5))
def test_a_change_over_and_its_undoing_do_not_both_win(place: Path, turn: int) -> None:
    third = SmallEncoder("third", 5)
    upgrades = [Upgrade(place, encoders=[third]) for _ in range(2)]
    upgrades[0].start(third)
    live, beside = upgrades[0].state.live, upgrades[0].state.beside
    done = together(upgrades[0].finish, upgrades[1].clean)
    failed = [each for each in done if isinstance(each, LookalikeError)]
    state = upgrades[0].state
    if isinstance(done[0], LookalikeError):  # it was let go of first
        assert len(failed) == 1 and (state.live, state.beside) == (live, None)
        assert not held(place, ["P001"], third.fingerprint)["P001"]
    else:  # whoever came later let go of what is searched no longer, or was refused: what is searched is whole
        assert state.live == beside and held(place, ["P001"], third.fingerprint)["P001"] == set(SPACES)
        assert (state.beside is None) == (not failed)
    for upgrade in upgrades:
        upgrade.close()


def test_of_two_who_finish_at_once_one_is_refused(place: Path) -> None:
    third = SmallEncoder("third", 5)
    upgrades = [Upgrade(place, encoders=[third]) for _ in range(2)]
    upgrades[0].start(third)
    done = together(*(upgrade.finish for upgrade in upgrades))
    assert len([each for each in done if isinstance(each, LookalikeError)]) == 1
    assert upgrades[0].state.live.main.name == "third" and upgrades[0].state.stage == "former"
    for upgrade in upgrades:
        upgrade.close()


def test_of_two_first_runs_with_different_encoders_the_second_does_not_win(tmp_path: Path) -> None:
    encoders = [SmallEncoder("third", 5), SmallEncoder("fourth", 6)]
    shops = [lookalike.open(tmp_path / "s.db", encoder=each) for each in encoders]
    together(*(partial(shop._remember_encoders) for shop in shops))
    with Upgrade(tmp_path / "s.db", encoders=encoders) as upgrade:
        remembered = upgrade.state.live.main.name
    assert {shop._remember_encoders().live.main.name for shop in shops} == {remembered}
    for shop in shops:
        shop.close()


# --- vectors that were made elsewhere -------------------------------------------------------------------------------------


def test_a_second_generation_from_a_file(place: Path, tmp_path: Path) -> None:
    third, here = SmallEncoder("third", 5), SmallEncoder("third", 5)
    embed(rows(COUNT - 3), tmp_path / "v.parquet", encoder=third)
    with Upgrade(place, encoders=[here]) as upgrade:
        report = upgrade.start(here, embeddings=[tmp_path / "v.parquet"])
        assert here.pictures == 3 and report.given > 2 * (COUNT - 3) and report.failed == 0
        assert report.encoded + report.given == 3 * COUNT
        upgrade.finish()
    with lookalike.open(place, encoder=here) as shop:
        assert [len(shop.spaces[space]) for space in SPACES] == [COUNT] * 3
        _, [vector] = shop.spaces[IMAGE].get(np.array([7]))
        [wanted] = third.encode_images([decode(drawn(COLORS["white"], 7))])
        assert np.abs(vector - wanted).max() < 1e-6


def test_a_file_of_another_encoder_begins_nothing(place: Path, tmp_path: Path) -> None:
    embed(rows(3), tmp_path / "v.parquet", encoder=SmallEncoder("third", 5))
    fourth = SmallEncoder("fourth", 5)
    with Upgrade(place, encoders=[fourth]) as upgrade:
        with pytest.raises(EncoderMismatch, match="third-1"):
            upgrade.start(fourth, embeddings=[tmp_path / "v.parquet"])
        assert upgrade.state.beside is None
