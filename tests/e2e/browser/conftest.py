"""Debian's Chromium, led by Playwright through what people see."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

SERIOUS = ("serious", "critical")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PICTURES = Path(os.environ.get("PICTURES") or "build/pictures")
"""Those in docs/pictures are made by `make browser-tests PICTURES=docs/pictures`."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for all of them: each test has contexts of its own."""
    found = shutil.which("chromium")
    assert found, "no Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        # Whoever runs this in a container is root, for whom there is no sandbox.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def page_of(chromium: Browser, size: dict[str, int] = PHONE) -> Page:
    """A fresh page of that size, with nobody's cookies."""
    context: BrowserContext = chromium.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        has_touch=size is PHONE,
        is_mobile=size is PHONE,
        color_scheme="light",
    )
    return context.new_page()


def faults(page: Page) -> list[str]:
    """What axe finds serious, and what does not fit on the screen."""
    serious = [
        f"{one['id']}: {node['target']}: {node['failureSummary']}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        serious.append("it is wider than the screen")
    return serious


def picture(page: Page, name: str) -> None:
    """Keep what is seen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
