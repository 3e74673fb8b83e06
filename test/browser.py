"""Debian's chromium, driven by playwright, and a server with faces to show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
# Software drawing, no sandbox as root, and nothing that asks the network.
ARGUMENTS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip

PATIENCE = 60.0  # seconds that a loaded machine may take for anything
STATE = "window.faceExpr ? JSON.stringify({...faceExpr, frame: faceExpr.lastFrame()}) : 'no page'"

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


def until(page: Page, condition: str, *, timeout: float = PATIENCE) -> None:
    """Wait until a JavaScript expression is true. Playwright's own waiting needs eval, which the page forbids."""
    deadline = time.monotonic() + timeout
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"waited {timeout:g} s for {condition}: {page.evaluate(STATE)}"
        page.wait_for_timeout(50)
