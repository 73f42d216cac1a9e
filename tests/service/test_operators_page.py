"""The operators' page: a real browser, before a real `lookalike serve` with searches and clicks of its own."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from test_page import (
    ANSWERED,
    DESKTOP,
    PATIENCE_MS,
    PHONE,
    address,
    answer_to,
    browser,
    context,
    opened,
    shut,
)
from test_page_accessibility import SIZES, faults

from lookalike.adapters.events_sql import SqlEventLog
from lookalike.core.clicks import LoggedSearch
from lookalike.service.keys import add_key, new_key
from running import running
from waiting import until

__all__ = ["address", "browser", "context", "shut"]

DRAWN = "#numbers:not([hidden])"


def call(url: str, content: object = None) -> Any:
    body = None if content is None else json.dumps(content).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body)) as response:
        return json.load(response)


def event(action: str, query: str, product: str, at: int) -> dict[str, Any]:
    attributes = {"object": {"object_id": product}, "position": {"ordinal": at}}
    return {"action_name": action, "query_id": query, "event_attributes": attributes}


def old_search(place: Path) -> None:
    """Log a search of three days ago, as nobody can ask that long back."""
    when = datetime.now(UTC) - timedelta(days=3)
    search = LoggedSearch("old", when, "text", "garden gnome", took_ms=4.0, plan="exact")
    with closing(SqlEventLog.open(place, create=False)) as log:
        log.write_searches([search])


@pytest.fixture(scope="module")
def busy(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a shop is served in which people searched, found something or not, clicked and bought."""
    place = Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("busy") / "shop.db"))
    old_search(place)
    with running(place) as (_, found):

        def ask(phrase: str, **params: Any) -> Any:
            return call(f"{found}/v1/search/text?{urlencode({'q': phrase, **params})}")

        shirts = [ask("red shirt") for _ in range(3)]
        ask("blue & white dress")
        for phrase in ("sofa", "sofa", "<b>chair</b>"):
            assert ask(phrase, price_max=0)["results"] == []
        first, second, _ = ((each["search_id"], each["results"]) for each in shirts)
        at_two = (first[0], first[1][1]["id"], 2)
        events = [
            *(event("impression", first[0], hit["id"], at) for at, hit in enumerate(first[1][:4], 1)),
            event("click", *at_two),
            event("add_to_cart", *at_two),
            event("purchase", *at_two),
            *(event("impression", second[0], hit["id"], at) for at, hit in enumerate(second[1][:2], 1)),
        ]
        assert call(f"{found}/v1/events", {"events": events})["failed"] == []
        end = monotonic() + 30
        while call(f"{found}/v1/stats")["searches"]["total"]["searches"] < 8:
            assert monotonic() < end, "searches are not logged"
            sleep(0.1)
        yield f"{found}/"


@pytest.fixture
def page(context: Any, busy: str) -> Any:
    """The page, with its numbers."""
    page = context.new_page()
    page.goto(f"{busy}operators")
    page.wait_for_selector(DRAWN)
    return page


def tiles(page: Any, part: str) -> dict[str, str]:
    names = page.locator(f"#{part} dt").all_text_contents()
    return dict(zip(names, page.locator(f"#{part} dd.value").all_text_contents(), strict=True))


def rows(page: Any, part: str) -> list[list[str]]:
    """Return the words of a table's rows, drawn bars left out."""
    return [
        [cell.strip() for cell in row.locator("th, td:not(.figure)").all_text_contents()]
        for row in page.locator(f"#{part} tbody tr").all()
    ]


def refreshed(page: Any, action: Any) -> dict[str, Any]:
    with page.expect_response(re.compile(r"/v1/stats")) as asked:
        action()
    told: dict[str, Any] = asked.value.json()
    page.wait_for_selector(DRAWN)
    return told


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_it_says_what_the_service_counted(page: Any, busy: str) -> None:
    told = call(f"{busy}v1/stats?days=7")
    state = tiles(page, "state")
    assert (state["Products"], state["Encoder"], state["Workers"]) == ("92", "builtin", "1")
    assert state["Sequence"] == told["snapshot"].removeprefix("seq-")
    assert state["Behind by"] == "under 1 s" or state["Behind by"].endswith(" s")
    assert state["Version"] == told["versions"]["lookalike"]

    searches = tiles(page, "searches")
    assert searches["Searches"] == "8"
    assert searches["Without results"] == "50%"  # three in vain, and that of three days ago
    assert re.fullmatch(r"[\d.]+ m?s", searches["Time, p50"])
    assert searches["Recall, live"] == "exact"

    assert tiles(page, "clicks") == {
        "Results seen": "2",
        "Click-through": "50%",
        "MRR of the first click": "0.50",
        "Into the cart": "50%",
        "Bought": "50%",
    }
    assert "1 reported" in page.locator("#clicks").text_content()
    assert rows(page, "index") == [
        [space.capitalize(), str(each["vectors"]), "exact"] for space, each in told["spaces"].items()
    ]
    [search] = [row for row in rows(page, "requests") if row[0] == "/v1/search/text"]
    assert search == ["/v1/search/text", "7", "7", "0", "0", "0"]
    [text] = rows(page, "kinds")
    assert text[:2] == ["Text", "8"]
    assert rows(page, "places")[1] == ["2", "50%", "1", "2"]


def test_phrases_lead_to_the_shop_and_are_only_text(page: Any, context: Any) -> None:
    assert rows(page, "top")[0] == ["red shirt", "3", "50%", "0"]
    assert rows(page, "vain") == [["sofa", "2", "2"], ["<b>chair</b>", "1", "1"], ["garden gnome", "1", "1"]]
    assert page.get_by_text("Searches count as well whose filters left nothing.").is_visible()
    assert page.locator("#numbers b").count() == 0
    page.locator("#top a", has_text="blue & white dress").click()
    page.wait_for_selector(f"{ANSWERED} .card")
    assert page.locator("#words").input_value() == "blue & white dress"


def test_the_period_is_chosen_and_kept_in_the_address(page: Any) -> None:
    day = refreshed(page, lambda: page.get_by_label("1 day").check())
    page.locator("#vain", has_text="gnome").wait_for(state="detached")
    assert tiles(page, "searches")["Searches"] == str(day["searches"]["total"]["searches"])
    assert page.url.endswith("?days=1")
    assert "The last day" in page.locator("#when").text_content()
    page.reload()
    page.wait_for_selector(DRAWN)
    assert page.get_by_label("1 day").is_checked()
    page.keyboard.press("Tab")
    page.get_by_label("1 day").focus()
    month = refreshed(page, lambda: page.keyboard.press("ArrowLeft"))
    assert page.get_by_label("30 days").is_checked()
    assert month["searches"]["total"]["searches"] > day["searches"]["total"]["searches"]


def test_what_there_is_no_number_of_is_not_made_up(context: Any, drawn_place: Path, tmp_path: Path) -> None:
    with running(Path(shutil.copy(drawn_place, tmp_path / "new.db"))) as (_, found):
        page = context.new_page()
        page.goto(f"{found}/operators?days=nonsense")
        page.wait_for_selector(DRAWN)
        assert page.get_by_label("7 days").is_checked()
        assert set(tiles(page, "searches").values()) == {"0", "none yet", "exact"}
        assert set(tiles(page, "clicks").values()) == {"0", "none yet"}
        assert "No phrases" in page.locator("#top").text_content()
        assert not re.search("NaN|undefined|null|Infinity", page.locator("main").inner_text())
        page.goto("about:blank")


# --- refreshing -------------------------------------------------------------------------------------------------------


def test_it_shows_the_recall_that_was_measured(context: Any, drawn_place: Path, tmp_path: Path) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "own.db"))
    env = {"LOOKALIKE_SERVICE__SHADOW_SHARE": "1", "LOOKALIKE_SERVICE__SHADOW_EXACT": "true"}
    with running(place, env=env) as (_, found):
        call(f"{found}/v1/search/text?q=lamp")
        until(lambda: call(f"{found}/v1/stats")["recall"]["measured"])
        page = context.new_page()
        page.goto(f"{found}/operators")
        page.wait_for_selector(DRAWN)
        assert tiles(page, "searches")["Recall, live"] == "100%"
        assert rows(page, "index")[-1] == ["Exact", "no filter", "100%", "1"]
        assert "Of 100% of the searches" in page.locator("#index").text_content()


def test_it_refreshes_while_it_is_seen(context: Any, busy: str) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/stats" in request.url else None)
    page.clock.install()
    page.goto(f"{busy}operators")
    page.wait_for_selector(DRAWN)
    assert len(asked) == 1
    link = page.locator("#top a").first
    link.focus()
    refreshed(page, lambda: page.clock.run_for(10_500))
    assert len(asked) == 2
    page.locator("#top a:focus", has_text="red shirt").wait_for()

    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(60_000)
    assert len(asked) == 2
    page.evaluate("delete document.hidden")
    refreshed(page, lambda: page.evaluate("document.dispatchEvent(new Event('visibilitychange'))"))
    page.get_by_label("Refresh every 10 s").uncheck()
    page.clock.run_for(60_000)
    assert len(asked) == 3
    refreshed(page, page.get_by_label("Refresh every 10 s").check)


def test_it_says_when_it_cannot_and_when_it_can_again(
    browser: Any, drawn_place: Path, tmp_path: Path
) -> None:
    place = Path(shutil.copy(drawn_place, tmp_path / "gone.db"))
    with closing(browser.new_context(viewport=DESKTOP)) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        with running(place) as (_, found):
            page.clock.install()
            page.goto(f"{found}/operators")
            page.wait_for_selector(DRAWN)
        page.clock.run_for(10_500)
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert "Cannot refresh: the service does not answer" in alert.text_content()
        assert "What is shown is of" in alert.text_content()
        assert tiles(page, "state")["Products"] == "92"
        with running(place, "--port", found.rpartition(":")[2]):
            page.clock.run_for(10_500)
            alert.wait_for(state="hidden")
            assert "up to date" in page.locator("#told").text_content()


# --- keys -------------------------------------------------------------------------------------------------------------


def test_it_asks_for_a_key_that_may(context: Any, drawn_place: Path, tmp_path: Path) -> None:
    keys = {}
    for scope in ("search", "admin"):
        keys[scope], key = new_key(scope, [scope])
        add_key(tmp_path / "keys.json", key)
    env = {
        "LOOKALIKE_SERVICE__REQUIRE_KEYS": "true",
        "LOOKALIKE_SERVICE__KEYS_FILE": str(tmp_path / "keys.json"),
    }
    with running(Path(shutil.copy(drawn_place, tmp_path / "shut.db")), env=env) as (_, found):
        page = context.new_page()
        page.goto(f"{found}/operators")
        dialog = page.get_by_role("dialog", name="This page takes a key")
        dialog.wait_for()
        assert faults(page) == []
        page.get_by_role("button", name="Not now").click()
        assert "takes an API key" in page.get_by_role("alert").text_content()
        page.get_by_role("button", name="Try again").click()
        for text, answer in (("lk_00000000_00", 401), (keys["search"], 403)):
            dialog.wait_for()
            page.get_by_label("API key").fill(text)
            with page.expect_response(re.compile("/v1/stats")) as told:
                page.keyboard.press("Enter")
            assert told.value.status == answer
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert "scope admin" in alert.text_content()
        assert page.locator("#numbers").is_hidden()
        page.get_by_role("button", name="Use another key").click()
        page.get_by_label("API key").fill(keys["admin"])
        page.keyboard.press("Enter")
        page.wait_for_selector(DRAWN)
        page.reload()
        page.wait_for_selector(DRAWN)
        assert dialog.is_hidden()
        page.goto("about:blank")


# --- for everyone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_wrong_with_it(browser: Any, busy: str, size: str, look: str) -> None:
    context = browser.new_context(viewport=SIZES[size], color_scheme=look, reduced_motion="reduce")
    with closing(context):
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(f"{busy}operators?days=30")
        page.wait_for_selector(DRAWN)
        assert faults(page) == []
        page.route("**/v1/stats**", lambda route: route.abort())
        page.get_by_label("7 days").check()
        page.get_by_role("alert").wait_for()
        assert faults(page) == []


def test_keys_reach_everything_and_a_phone_scrolls_one_way_only(context: Any, busy: str) -> None:
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.goto(f"{busy}operators")
    page.wait_for_selector(DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    reached = []
    page.locator("body").press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        reached.append(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
            )
        )
        page.keyboard.press("Tab")
    for name in (
        "lookalike, to the shop",
        "red shirt",
        "sofa",
        "Phrases searched for most",
        "Requests by route and status",
    ):
        assert name in reached


def test_a_real_click_in_the_shop_counts(context: Any, busy: str) -> None:
    shop = opened(context, busy)
    shop.fill("#words", "wooden stool")
    answer_to(shop, lambda: shop.press("#words", "Enter"))
    with shop.expect_response(lambda response: '"click"' in (response.request.post_data or "")):
        shop.locator(".card .like:not(.less)").first.click()
    page = context.new_page()
    page.goto(f"{busy}operators")
    page.wait_for_selector(DRAWN)
    assert "2 reported" in page.locator("#clicks").text_content()
    shop.close()


def test_the_page_is_public_and_its_numbers_are_not(served: TestClient) -> None:
    answer = served.get("/operators")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    held = served.get("/operators", headers={"If-None-Match": answer.headers["etag"]})
    assert held.status_code == 304
    assert served.get("/operators/").status_code == 404
    assert "/operators" not in served.get("/openapi.json").json()["paths"]
