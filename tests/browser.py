"""A real browser for tests of pages: Debian's Chromium, without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
needed = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("TELEPHONE_NEEDS_BROWSER"),
    reason="there is no Chromium on this machine (make system installs it)",
)


@contextmanager
def opened(path: Path, fragment: str = "", **settings: object) -> Iterator[Page]:
    """A page from the disk; whatever it complains about, or asks of the network, fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_page(**{"viewport": {"width": 1280, "height": 2800}, **settings})
            wrong: list[str] = []
            page.on(
                "console",
                lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None,
            )
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "request",
                lambda asked: (
                    None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url)
                ),
            )
            page.on("requestfailed", lambda asked: wrong.append(f"{asked.url} failed"))
            page.goto(path.resolve().as_uri() + fragment)
            yield page
            assert not wrong, wrong
        finally:
            browser.close()
