"""The page as people use it: a real browser, before a real `lookalike serve` of the drawn shop."""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from lookalike.service.keys import add_key, new_key
from lookalike.service.page import assets
from running import running
from waiting import until

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
MAX_PAGE_BYTES = 150_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # a busy machine may take its time
ANSWERED = "#hits[aria-busy=false]"


@pytest.fixture(scope="module")
def address(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a process serves the drawn shop. (What is searched is logged, so it is a copy.)"""
    place = Path(shutil.copy(drawn_place, tmp_path_factory.mktemp("page") / "shop.db"))
    with running(place) as (_, found):
        yield f"{found}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser of somebody who has never been here; whatever a page complains about fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    context.on("console", lambda message: complaints.append(message.text) if _is_bad(message) else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    yield context
    context.close()
    # A search is stopped when another one takes its place, and pictures when their page is left.
    assert not [each for each in complaints if not each.endswith("net::ERR_ABORTED")]


def _is_bad(message: Any) -> bool:
    # A missing or a wrong key, a question that is wrong and a shop that is not open are what the page is there to explain.
    expected = any(f"status of {status}" in message.text for status in (401, 403, 422, 503))
    return message.type in ("error", "warning") and not expected


def comes_true(page: Any, expression: str) -> None:
    """Wait for an expression. (The browser's own waiting evaluates text in the page, which its policy forbids.)"""
    until(lambda: page.evaluate(expression))


@pytest.fixture
def page(context: Any, address: str) -> Any:
    """The page, with the products it begins with."""
    return opened(context, address)


def opened(context: Any, url: str) -> Any:
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(f"{ANSWERED} .card")
    return page


def answer_to(page: Any, action: Any) -> dict[str, Any]:
    """Do something that asks the service; return its answer once it is drawn."""
    with page.expect_response(lambda response: response.url.endswith("/v1/search")) as asked:
        action()
    answer: dict[str, Any] = asked.value.json()
    hits = answer["results"]
    if hits:
        page.wait_for_selector(
            f'{ANSWERED} > li:first-child img[src$="{hits[0]["id"]}/image"]', state="attached"
        )
    return answer


def said(answer: dict[str, Any]) -> list[str]:
    return [hit["product"]["title"] for hit in answer["results"]]


def titles(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".card .open").all_text_contents()]


def asked(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_words_find_products(page: Any) -> None:
    page.fill("#words", "red shirt")
    answer = answer_to(page, lambda: page.press("#words", "Enter"))
    assert titles(page)[: len(said(answer))] == said(answer)
    assert page.locator("#results").text_content() == "“red shirt”"
    assert page.title().startswith("“red shirt”")
    assert f"{answer['matched']} products" in page.locator("#said").text_content()
    assert asked(page) == {"q": ["red shirt"]}


def test_a_photo_finds_what_it_shows_and_a_box_a_part_of_it(page: Any, photo: bytes) -> None:
    file = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
    answer = answer_to(page, lambda: page.set_input_files("#file", file))
    assert "D00001" in [hit["id"] for hit in answer["results"][:3]]
    whole = said(answer)

    button = page.get_by_role("button", name="Search a part")
    button.scroll_into_view_if_needed()
    part = answer_to(page, button.click)
    assert said(part) != whole
    assert asked(page)["photo"][0].endswith("~0.2,0.2,0.6,0.6")
    page.keyboard.press("ArrowRight")
    answer_to(page, lambda: page.keyboard.press("Shift+ArrowUp"))
    assert asked(page)["photo"][0].endswith("~0.22,0.2,0.6,0.58")

    image = page.locator(".figure img").bounding_box()
    x, y = image["x"], image["y"]
    page.mouse.move(x + image["width"] * 0.05, y + image["height"] * 0.05)
    page.mouse.down()
    page.mouse.move(x + image["width"] * 0.55, y + image["height"] * 0.45, steps=3)
    answer_to(page, page.mouse.up)
    drawn = [float(share) for share in asked(page)["photo"][0].rpartition("~")[2].split(",")]
    assert drawn == pytest.approx([0.05, 0.05, 0.5, 0.4], abs=0.02)


def test_photos_are_dropped_and_pasted(page: Any, photo: bytes) -> None:
    given = """([event, encoded]) => {
        const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
        const [kind, holds] = event === "paste" ? [ClipboardEvent, "clipboardData"] : [DragEvent, "dataTransfer"];
        document.body.dispatchEvent(new kind(event, { [holds]: data, bubbles: true, cancelable: true }));
    }"""
    encoded = b64encode(photo).decode()
    page.evaluate(given, ["dragenter", encoded])
    assert page.locator("#dropping").is_visible()
    one = answer_to(page, lambda: page.evaluate(given, ["drop", encoded]))
    assert page.locator("#dropping").is_hidden()
    assert "D00001" in [hit["id"] for hit in one["results"][:3]]
    answer_to(page, lambda: page.evaluate(given, ["paste", encoded]))
    assert len(asked(page)["photo"]) == page.locator(".figure img").count() == 2


def test_a_facet_narrows_and_says_by_how_much(page: Any) -> None:
    choice = page.locator('[data-column="brand"] .choice').first
    count = int(choice.locator("b").text_content())
    answer = answer_to(page, choice.locator("input").check)
    brand = answer["results"][0]["product"]["brand"]
    assert {hit["product"]["brand"] for hit in answer["results"]} == {brand}
    assert answer["matched"] == count == page.locator(".card").count()
    assert asked(page) == {"only.brand": [brand]}
    # Other values of the same filter can still be added, and a chip takes it away.
    assert page.locator('[data-column="brand"] .choice').count() > 1
    wide = answer_to(page, page.get_by_role("button", name=f"Remove filter Brand: {brand}").click)
    assert asked(page) == {}
    assert wide["matched"] > count


def test_more_and_less_like_this(page: Any) -> None:
    first = page.locator(".card").first
    title = first.locator(".open").text_content()
    answer = answer_to(page, first.locator(".like:not(.less)").click)
    liked = asked(page)["like"][0]
    assert liked.startswith("1~")
    assert liked[2:] not in [hit["id"] for hit in answer["results"]]
    assert page.locator(".part.like .title").text_content() == title

    answer_to(page, page.locator(".card .like.less").nth(1).click)
    assert [like.partition("~")[0] for like in asked(page)["like"]] == ["1", "-1"]
    assert page.locator(".part.minus .sign").text_content() == "less like"

    slider = page.locator(".part.like .weight input").first
    answer_to(page, lambda: slider.press("ArrowLeft"))
    assert asked(page)["like"][0] == f"0.9~{liked[2:]}"


def test_what_is_seen_and_clicked_is_reported(context: Any, address: str) -> None:
    reported: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/v1/events"):
            reported.extend(request.post_data_json["events"])

    context.on("request", note)
    with context.expect_event("response", lambda response: response.url.endswith("/v1/search")) as asked:
        page = opened(context, address)
    answer = asked.value.json()
    ids = [hit["id"] for hit in answer["results"]]
    with page.expect_response(lambda response: '"click"' in (response.request.post_data or "")) as told:
        page.locator(".card .like:not(.less)").nth(2).click()
    assert told.value.status == 200
    with urllib.request.urlopen(f"{address}v1/stats") as response:
        kept = json.load(response)["searches"]["events"]
    assert kept["click"] >= 1 and kept["impression"] >= 3
    seen = {
        each["event_attributes"]["object"]["object_id"]
        for each in reported
        if each["action_name"] == "impression"
    }
    assert 3 <= len(seen) < len(ids)  # those below the window were not seen
    [click] = [each for each in reported if each["action_name"] == "click"]
    assert click["query_id"] == answer["search_id"]
    assert click["event_attributes"] == {"object": {"object_id": ids[2]}, "position": {"ordinal": 3}}
    assert all(
        each["query_id"] == answer["search_id"] and each["client_id"] and each["session_id"]
        for each in reported
    )
    assert context.cookies() == []


def test_an_address_brings_everything_back(context: Any, page: Any, browser: Any, photo: bytes) -> None:
    page.fill("#words", "striped")
    answer_to(page, lambda: page.press("#words", "Enter"))
    answer_to(
        page,
        lambda: page.set_input_files(
            "#file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
        ),
    )
    answer_to(page, lambda: page.select_option("#sort", "balanced"))
    answer_to(page, page.locator('[data-column="category"] input').first.check)
    before = titles(page)

    again = opened(context, page.url)
    assert titles(again) == before
    assert again.locator("#words").input_value() == "striped"
    assert again.locator("#sort").input_value() == "balanced"
    assert again.locator(".figure img").count() == 1

    page.go_back()
    page.wait_for_selector("#chips:empty", state="attached")
    assert "only.category" not in asked(page)

    elsewhere = browser.new_context(viewport=DESKTOP)
    stranger = opened(elsewhere, again.url)
    stranger.get_by_text("a link does not carry photos").wait_for()
    assert titles(stranger)
    assert "photo" not in stranger.locator("#results").text_content()
    file = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo}
    answer_to(stranger, lambda: stranger.set_input_files("#file", file))
    assert len(asked(stranger)["photo"]) == stranger.locator(".figure img").count() == 1
    assert stranger.locator(".lost").count() == 0
    elsewhere.close()


def test_a_card_opens_its_product_and_an_address_brings_it_back(context: Any, page: Any) -> None:
    page.fill("#words", "lamp")
    answer = answer_to(page, lambda: page.press("#words", "Enter"))
    searches: list[str] = []
    page.on("request", lambda request: searches.append(request.url) if "/v1/search" in request.url else None)
    hit, begun = answer["results"][1], page.evaluate("history.length")
    page.locator(".card .open").nth(1).click()
    dialog = page.get_by_role("dialog", name=hit["product"]["title"])
    dialog.wait_for()
    assert asked(page) == {"q": ["lamp"], "product": [hit["id"]]}
    assert page.title().startswith(hit["product"]["title"])
    comes_true(page, "document.querySelector('#product img').naturalWidth > 0")
    shown = dialog.text_content()
    assert hit["product"]["brand"] in shown and hit["id"] in shown and "In stock" not in shown
    link = dialog.get_by_role("link", name="Link to this product")
    assert link.get_attribute("href") == f"?product={hit['id']}"

    page.keyboard.press("Escape")
    page.wait_for_selector("#product:not([open])", state="attached")
    comes_true(page, "!location.search.includes('product')")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.card .open')[1]")
    page.go_forward()
    dialog.wait_for()
    page.go_back()
    page.wait_for_selector("#product:not([open])", state="attached")
    assert page.evaluate("history.length") == begun + 1
    assert searches == []  # nothing else is found for a product being looked at

    other = opened(context, f"{page.url}&product={hit['id']}")
    other.get_by_role("dialog", name=hit["product"]["title"]).wait_for()
    answer_to(other, other.get_by_role("button", name="More like this", exact=True).click)
    assert asked(other) == {"q": ["lamp"], "like": [f"1~{hit['id']}"]}
    assert other.evaluate("document.activeElement.id") == "results"
    assert other.locator("#product").is_hidden()


def test_how_many_there_are_is_not_for_visitors(page: Any) -> None:
    def counted(route: Any) -> None:
        product = route.fetch().json()
        counts = {"stock": 12, "inventory_level": 13, "Quantity": 14, "warehouse_qty": 15}
        kept = {"stocking_width": 16, "color": "red", "pack": 17}
        route.fulfill(json={**product, "attributes": {**counts, **kept}})

    page.route(re.compile(r"/v1/products/[^/?]+$"), counted)
    page.locator(".card .open").first.click()
    page.locator("#product dl").wait_for()
    told = page.locator("#product dl").text_content()
    assert all(str(number) in told for number in (16, 17)) and "red" in told.lower()
    assert not any(
        f"{word}{number}" in told for number in range(12, 16) for word in ("tock", "level", "tity", "qty")
    )
    names = page.locator("#product dt").all_text_contents()
    assert not {"Stock", "Inventory level", "Quantity", "Warehouse qty"} & set(names)
    assert "Stocking width" in names


def test_a_product_that_is_gone_is_told(context: Any, address: str) -> None:
    page = opened(context, f"{address}?product=D00001")
    page.get_by_role("button", name="Close").click()
    comes_true(page, "location.search === ''")
    page.route("**/v1/products/D00002", lambda route: route.fulfill(status=422, json={}))
    page.locator("li[data-id=D00002] .open").click()
    page.get_by_role("dialog", name="This product is not in the shop").wait_for()


def test_why_a_product_cannot_be_shown_is_told(page: Any) -> None:
    first = page.locator(".card .open").first
    title = first.text_content()
    way = re.compile(r"/v1/products/[^/?]+$")
    page.route(way, lambda route: route.abort("aborted"))  # as if the connection was gone
    first.click()
    dialog = page.get_by_role("dialog", name="This product cannot be shown now")
    dialog.get_by_text("The service does not answer. Check the connection, then try again.").wait_for()
    page.unroute(way)
    told = {"error": {"code": "starting", "message": "the shop is being opened", "remedy": "Ask again."}}
    page.route(way, lambda route: route.fulfill(status=503, json=told))
    page.get_by_role("button", name="Try again").click()
    dialog.get_by_text("The shop is being opened. Ask again.").wait_for()
    page.unroute(way)
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("dialog", name=title).wait_for()
    assert asked(page).keys() == {"product"}


def test_categories_count_products_once(page: Any) -> None:
    rows = page.locator('[data-column="category"] .choice')
    count = int(rows.first.locator("b").text_content())
    answer = answer_to(page, rows.first.locator("input").check)
    assert answer["matched"] == count
    below = page.locator('[data-column="category"] .deep .choice').first
    count = int(below.locator("b").text_content())
    name = below.locator("input").get_attribute("data-key").partition("=")[2]
    page.goto(f"{page.url.partition('?')[0]}?only.category={quote(name)}")
    page.wait_for_selector(f"{ANSWERED} .card")
    assert page.locator("#said").text_content().startswith(f"{count} ")


def test_categories_are_a_choice_though_with_those_above_them_they_are_many(
    context: Any, address: str
) -> None:
    page = context.new_page()
    paths = [f"Top {number}" for number in range(4)] + [
        f"Top {number % 4}/Low {number}" for number in range(196)
    ]

    def crowd(route: Any) -> None:
        response = route.fetch()
        counted = {"category": [{"value": path, "count": 1} for path in paths]}
        route.fulfill(response=response, json={**response.json(), "facets": counted})

    page.route(re.compile(r"/v1/search$"), crowd)
    page.goto(address)
    page.wait_for_selector(f"{ANSWERED} .card")
    rows = page.locator('[data-column="category"] .choice')
    rows.first.wait_for()
    assert rows.count() == 4


def test_lines_and_buttons_are_explained(page: Any) -> None:
    assert page.locator("#legend").is_hidden()
    page.fill("#words", "red shirt")
    answer_to(page, lambda: page.press("#words", "Enter"))
    assert "says why" in page.locator("#legend").text_content() and page.locator("#legend").is_visible()
    more, less = page.locator(".card .like").nth(0), page.locator(".card .like").nth(1)
    assert (more.text_content(), less.text_content()) == ("+ More", "− Less")
    assert "more products like this" in more.get_attribute("title")


def test_the_routes_are_listed_for_people(context: Any, address: str) -> None:
    for name in ("docs", "redoc"):
        page = context.new_page()
        page.goto(f"{address}{name}")
        route = page.locator(".route", has_text="/v1/search/text")
        route.locator("summary").click()
        assert route.get_by_text("price_max").is_visible()
        assert page.get_by_role("link", name="openapi.json").get_attribute("href") == "openapi.json"
        page.close()


def test_pages_go_on_and_repeat_nothing(page: Any) -> None:
    products = int(page.locator("#said").text_content().partition(" ")[0])
    assert products > 48  # several pages
    for _ in range(200):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(100)
        if page.locator(".card").count() >= products:
            break
    pictures = page.locator(".card img").evaluate_all("all => all.map((each) => each.getAttribute('src'))")
    assert len(pictures) == len(set(pictures)) == products
    assert page.locator("#more").is_hidden()


def test_errors_and_empty_answers_say_what_to_do(context: Any, address: str) -> None:
    page = context.new_page()
    page.goto(f"{address}?sort=nonsense")
    page.wait_for_selector("#trouble:not([hidden])")
    shown = page.locator("#trouble").text_content()
    assert "nonsense" in shown
    assert "relevance" in shown
    answer_to(page, page.get_by_role("button", name="Start again").click)
    assert asked(page) == {}

    page.goto(f"{address}?min=999999")
    page.get_by_text("Nothing passes these filters").wait_for()
    answer_to(page, page.get_by_role("button", name="Clear the filters").click)
    assert titles(page)


def test_it_can_be_used_without_a_mouse_or_eyes(page: Any) -> None:
    page.goto(f"{page.url}?q=blue+lamp")
    page.wait_for_selector(f"{ANSWERED} .score")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    page.locator(".card .open").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.card .open')[1]")
    page.keyboard.press("Tab")
    why = page.locator(".card .why").nth(1)
    assert why.is_visible()
    assert re.search(r"looks|name|description", why.text_content())
    page.keyboard.press("Escape")
    assert why.is_hidden()

    nameless = """[...document.querySelectorAll('input, select, button, a, img')].filter((each) =>
        !(each.getAttribute('aria-label') || each.getAttribute('alt') || each.textContent.trim()
          || each.labels?.length) && !each.hidden).map((each) => each.outerHTML)"""
    assert page.evaluate(nameless) == []
    assert page.locator("#said").get_attribute("role") == "status"


def test_a_page_that_does_not_come_is_asked_for_again(page: Any) -> None:
    before = page.locator(".card").count()
    page.route("**/v1/search", lambda route: route.fulfill(status=503, json={}))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_text("The next page did not come").wait_for()
    assert page.locator(".card").count() == before
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    page.locator(".card").nth(before).wait_for()
    assert page.locator("#trouble").is_hidden()


def test_an_address_of_nonsense_still_opens(page: Any) -> None:
    page.goto(f"{page.url}?only.constructor=1&only.__proto__=2&photo=~&like=~&qw=x&min=cheap")
    page.get_by_role("heading", name="No column").wait_for()
    answer_to(page, page.get_by_role("button", name="Start again").click)
    assert titles(page)
    assert page.evaluate("document.activeElement.id") == "results"


def test_a_price_can_be_typed_on_while_the_answer_to_its_beginning_comes(page: Any) -> None:
    held: list[Any] = []
    page.route("**/v1/search", lambda route: held.append(route) or (len(held) > 1 and route.continue_()))
    price = page.get_by_role("spinbutton", name="Price from")
    with page.expect_request("**/v1/search"):
        price.press_sequentially("2")
    price.press_sequentially("5")
    held[0].fallback()
    comes_true(page, "new URLSearchParams(location.search).get('min') === '25'")
    page.get_by_role("button", name="Remove filter from 25").wait_for()
    page.wait_for_timeout(500)
    assert price.input_value() == "25"
    assert page.evaluate("document.activeElement.id") == "min"


def test_back_and_forth_lead_through_every_step(page: Any) -> None:
    start, begun = page.url, page.evaluate("history.length")
    answer_to(page, page.locator(".brand").click)
    assert page.evaluate("history.length") == begun  # nothing changed: there is nothing to go back from
    page.goto(f"{start}?q=lamp&like=1~D00001")
    page.wait_for_selector(f"{ANSWERED} .card")
    steps = page.evaluate("history.length")
    words = page.get_by_role("slider", name="Words")
    drag = """(slider) => [0.9, 0.8, 0.7].forEach((weight) => {
        slider.value = weight;
        slider.dispatchEvent(new Event("input"));
    })"""
    answer_to(page, lambda: words.evaluate(drag))
    assert (asked(page)["qw"], page.evaluate("history.length")) == (["0.7"], steps + 1)
    answer_to(page, page.go_back)
    assert "qw" not in asked(page)
    answer_to(page, lambda: words.evaluate(drag))
    answer_to(page, page.go_back)
    assert "qw" not in asked(page)
    answer_to(page, page.go_back)
    assert page.url == start
    assert page.locator("#words").input_value() == ""


def test_what_sliders_and_buttons_of_parts_are_called(page: Any) -> None:
    page.goto(f"{page.url}?q=lamp&like=1~D00001&like=-0.5~D00002")
    page.wait_for_selector(f"{ANSWERED} .card")
    comes_true(page, "document.querySelector('.part.like .title').textContent !== 'D00001'")
    title = page.locator(".part.like .title").first.text_content()
    product = page.get_by_role("slider", name=f"Product {title}")
    assert product.get_attribute("aria-valuetext") == "100 %"
    assert page.get_by_role("slider", name="Words").count() == 1
    answer_to(page, page.get_by_role("button", name=f"Remove {title}").click)
    assert asked(page)["like"] == ["-0.5~D00002"]
    assert page.evaluate("document.activeElement.id") == "results"


def test_nobody_can_ask_for_less_of_something_and_nothing_else(page: Any) -> None:
    assert page.locator(".card .like.less").count() == 0
    answer_to(page, page.locator(".card .like").first.click)
    assert page.locator(".card .like.less").count() > 0


def test_what_is_no_photo_is_told_where_it_is_seen(page: Any) -> None:
    page.mouse.wheel(0, 1500)
    comes_true(page, "window.scrollY > 0")
    text = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no photo"}
    page.set_input_files("#file", text)
    told = page.get_by_text("That was no photo")
    told.wait_for()
    comes_true(page, "document.querySelector('.note').getBoundingClientRect().top >= 0")
    assert page.locator("#notes").get_attribute("role") == "status"
    assert titles(page)


def test_why_stays_while_it_is_pointed_at(page: Any) -> None:
    page.goto(f"{page.url}?q=blue+lamp")
    page.wait_for_selector(f"{ANSWERED} .score")
    page.locator(".score").first.hover()
    why = page.locator(".why").first
    box = why.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 4, steps=8)
    assert why.is_visible()
    page.keyboard.press("Escape")
    assert why.is_hidden()


@pytest.fixture(scope="module")
def shut(drawn_place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where a shop is served that takes a key, and the key; some of its sizes are text and others numbers."""
    folder = tmp_path_factory.mktemp("shut")
    text, key = new_key("test", ["search", "write"])
    add_key(folder / "keys.json", key)
    env = {
        "LOOKALIKE_SERVICE__REQUIRE_KEYS": "true",
        "LOOKALIKE_SERVICE__KEYS_FILE": str(folder / "keys.json"),
    }
    rows = [
        {"id": f"M{n}", "title": "ring", "attributes": {"fit": fit}} for n, fit in enumerate((42, "M", True))
    ]
    with running(Path(shutil.copy(drawn_place, folder / "shut.db")), env=env) as (_, found):
        written = urllib.request.Request(
            f"{found}/v1/products",
            json.dumps(rows).encode(),
            {"Authorization": f"Bearer {text}"},
            method="PUT",
        )
        urllib.request.urlopen(written).close()
        yield f"{found}/", text


def test_a_shop_that_takes_a_key_asks_for_it(context: Any, shut: tuple[str, str]) -> None:
    address, key = shut
    page = context.new_page()
    page.goto(address)
    dialog = page.get_by_role("dialog", name="This shop takes a key")
    dialog.wait_for()
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Try again").click()
    for text, told in (("lk_00000000_00", "key"), (key, "")):
        dialog.wait_for()
        assert told in page.locator("#key-why").text_content()
        page.get_by_label("API key").fill(text)
        page.keyboard.press("Enter")
    page.wait_for_selector(f"{ANSWERED} .card")
    comes_true(page, "document.querySelector('.card img').naturalWidth > 0")  # it took the key as well
    page.reload()
    page.wait_for_selector(f"{ANSWERED} .card")
    assert dialog.is_hidden()


def test_a_facet_of_numbers_and_words_finds_what_it_counts(context: Any, shut: tuple[str, str]) -> None:
    address, key = shut
    # A page that was not loaded from anywhere yet has no storage.
    context.add_init_script(f"if (location.host) sessionStorage.setItem('lookalike.key', '{key}')")
    for value in ("42", "M", "true"):
        page = opened(context, f"{address}?only.fit={value}")
        assert titles(page) == ["ring"], value
        page.close()


def test_a_phone_scrolls_one_way_only(context: Any, address: str) -> None:
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.goto(f"{address}?q=bag&like=1~D00001&like=-0.5~D00002&min=1")
    page.wait_for_selector(f"{ANSWERED} .card")
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= PHONE["width"]
    filters = page.locator("#filter-form")
    assert filters.is_hidden()
    page.locator("#filters > summary").click()
    assert filters.is_visible()
    assert page.evaluate(width) <= PHONE["width"]
    page.keyboard.press("Escape")
    assert filters.is_hidden()


def test_the_page_is_light_and_asks_nobody_else(context: Any, address: str) -> None:
    page = context.new_page()
    fetched: dict[str, int] = {}
    page.on(
        "requestfinished", lambda request: fetched.update({request.url: request.sizes()["responseBodySize"]})
    )
    page.goto(address)
    page.wait_for_selector(f"{ANSWERED} .card")
    assert {urlsplit(url).netloc for url in fetched} == {urlsplit(address).netloc}
    light = {url: size for url, size in fetched.items() if not url.endswith("/image")}
    assert {f"{address}{name}" for name in ("", "ui/main.js", "v1/columns", "v1/search")} <= light.keys()
    assert 50_000 < sum(light.values()) < MAX_PAGE_BYTES


def test_files_go_out_with_their_types_and_are_not_sent_twice(served: TestClient) -> None:
    for path, starts in {
        "/": "text/html",
        "/ui/main.js": "text/javascript",
        "/ui/look.css": "text/css",
    }.items():
        answer = served.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(starts)
        assert answer.headers["cache-control"] == "no-cache"
        held = served.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (held.status_code, held.content) == (304, b"")
        assert served.head(path).headers["content-length"] == str(len(answer.content))
    assert served.get("/ui/nothing.js").status_code == 404
    assert served.get("/ui/..%2fpage.py").status_code == 404


def test_every_file_is_used_and_nothing_is_inline() -> None:
    held = {name: asset.content.decode() for name, asset in assets().items()}
    documents = [text for name, text in held.items() if name.endswith(".html")]
    for name in held:
        assert name.endswith(".html") or any(name in text for text in documents)
    for text in documents:
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    assert not any(re.search(r"https?://(?!www\.w3\.org)", text) for text in held.values())
