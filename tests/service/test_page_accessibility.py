"""The page for people who do not see it, see it in the dark, or hold it in one hand: what axe-core finds wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from test_page import ANSWERED, DESKTOP, PATIENCE_MS, PHONE, address, browser

__all__ = ["address", "browser"]

SIZES = {"desktop": DESKTOP, "phone": PHONE}
STATES = {
    "start": ("", f"{ANSWERED} .card"),
    "parts and filters": (
        "?q=red+shirt&like=1~D00001&like=-0.5~D00002&only.category=Women&min=1",
        f"{ANSWERED} .score",
    ),
    "a product": ("?q=lamp&product=D00001", "#product .go"),
    "nothing found": ("?min=999999", "#trouble:not([hidden])"),
    "an error": ("?sort=nonsense", "#trouble:not([hidden])"),
}


@pytest.fixture(
    scope="module", params=[(size, look) for size in SIZES for look in ("light", "dark")], ids="-".join
)
def page(request: pytest.FixtureRequest, browser: Any) -> Any:
    """A page of one size and look; nothing moves, so that no colour is measured halfway."""
    size, look = request.param
    context = browser.new_context(viewport=SIZES[size], color_scheme=look, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def faults(page: Any) -> list[tuple[str, str, list[str]]]:
    """Return what axe-core finds, of whatever impact."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page).response
    assert found["testEngine"]["name"] == "axe-core"
    return [
        (each["impact"], each["help"], [node["html"][:200] for node in each["nodes"]])
        for each in found["violations"]
    ]


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(page: Any, address: str, state: str) -> None:
    query, shown = STATES[state]
    page.goto(f"{address}{query}")
    page.wait_for_selector(shown)
    assert faults(page) == []


def test_axe_finds_nothing_when_something_is_open(page: Any, address: str, photo: bytes) -> None:
    page.goto(f"{address}?q=red+shirt")
    page.wait_for_selector(f"{ANSWERED} .score")
    with page.expect_response("**/v1/search"):
        page.set_input_files("#file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.get_by_role("button", name="Search a part").click()
    page.wait_for_selector(f"{ANSWERED} .score")
    if page.locator("#filter-form").is_hidden():
        page.locator("#filters > summary").click()
    page.locator(".score").first.focus()
    page.locator(".why").first.wait_for()
    assert faults(page) == []

    page.evaluate("document.getElementById('key').showModal()")
    assert faults(page) == []


def test_axe_finds_what_is_wrong(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(f"{ANSWERED} .card")
    page.evaluate(
        "document.getElementById('sort').parentElement.replaceWith(document.getElementById('sort'))"
    )
    assert [impact for impact, _, _ in faults(page)] == ["critical"]
