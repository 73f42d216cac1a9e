"""The page as people use it: a real browser, before a real `lookalike serve` of the drawn shop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from lookalike.service.page import assets

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
MAX_PAGE_BYTES = 150_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 60_000  # a busy machine may take its time
ANSWERED = "#hits[aria-busy=false]"


@pytest.fixture(scope="module")
def address(drawn_place: Path) -> Iterator[str]:
    """Where a process serves the drawn shop."""
    command = (sys.executable, "-m", "lookalike", "serve", "--shop", str(drawn_place), "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            wait_until_ready(found[0])
            yield f"{found[0]}/"
        finally:
            process.terminate()


def wait_until_ready(address: str) -> None:
    until = monotonic() + PATIENCE_MS / 1000
    while monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
        except urllib.error.URLError:
            pass
        sleep(0.1)
    raise AssertionError("not ready")


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
    yield context
    context.close()
    assert not complaints


def _is_bad(message: Any) -> bool:
    # A shop that is still being opened, and a question that is wrong, are what the page is there to explain.
    expected = "status of 503" in message.text or "status of 422" in message.text
    return message.type in ("error", "warning") and not expected


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
    page.keyboard.press("Shift+ArrowUp")
    assert asked(page)["photo"][0].endswith("~0.22,0.2,0.6,0.58")

    image = page.locator(".figure img").bounding_box()
    x, y = image["x"], image["y"]
    page.mouse.move(x + image["width"] * 0.05, y + image["height"] * 0.05)
    page.mouse.down()
    page.mouse.move(x + image["width"] * 0.55, y + image["height"] * 0.1, steps=3)
    page.mouse.up()
    drawn = [float(share) for share in asked(page)["photo"][0].rpartition("~")[2].split(",")]
    assert drawn == pytest.approx([0.05, 0.05, 0.5, 0.05], abs=0.02)


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
    stranger.get_by_text("not in this browser any more").wait_for()
    assert titles(stranger)
    assert "photo" not in stranger.locator("#results").text_content()
    elsewhere.close()


def test_pages_go_on_and_repeat_nothing(page: Any) -> None:
    products = int(page.locator("#said").text_content().partition(" ")[0])
    assert products > 48  # several pages
    for _ in range(200):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(100)
        if page.locator(".card").count() >= products:
            break
    pictures = [image.get_attribute("src") for image in page.locator(".card img").all()]
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
    own = {url: size for url, size in fetched.items() if "/v1/" not in url}
    assert len(own) > 10
    assert 10_000 < sum(own.values()) < MAX_PAGE_BYTES


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
    index = held["index.html"]
    for name in held.keys() - {"index.html"}:
        assert name in index
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index)
    assert not any(re.search(r"https?://(?!www\.w3\.org)", text) for text in held.values())
