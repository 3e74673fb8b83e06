"""The page for keyboards and screen readers: axe-core finds nothing, in both themes and in every dialog."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.browser import Person, needs_chromium, open_page, until
from support.paths import ROOT
from support.web_clients import running_server

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in web/"),
]
DIALOGS = ("help-dialog", "consent", "token", "avatar-dialog", "phone-dialog", "calibration-dialog", "notice")


def findings(page: Page) -> list[Any]:
    """Rule, element and explanation of each violation."""
    run = (
        "axe.run({resultTypes: ['violations']}).then(r => r.violations.flatMap(v => v.nodes.map(n => [v.id, n.html, "
        "n.failureSummary])))"
    )
    found: list[Any] = page.evaluate(run)
    return found


@pytest.mark.parametrize(
    ("scheme", "size"), [("dark", (1280, 800)), ("light", (390, 844))], ids=["dark", "light phone"]
)
def test_axe_finds_no_violations(browser: Browser, scheme: str, size: tuple[int, int]) -> None:
    server = running_server()
    person = Person(server)
    person.count = 2
    with open_page(browser, server.url, size=size, scheme=scheme) as (page, errors):
        until(page, "faceExpr.faces.join() === '1,2'")
        page.evaluate(AXE.read_text())
        assert findings(page) == []
        page.locator("#take").evaluate("take => take.hidden = false")
        page.locator("#camera-choice").evaluate("choice => choice.hidden = false")
        page.locator("#avatar").evaluate("button => button.click()")
        for name in DIALOGS:
            page.evaluate(f"document.querySelectorAll('dialog').forEach(d => d.close()); window['{name}'].showModal()")
            assert findings(page) == [], name
        page.evaluate("document.querySelectorAll('dialog').forEach(d => d.close())")
        assert errors == []
    person.leave()
    server.close()


def test_arrow_keys_rotate_the_focused_face(browser: Browser) -> None:
    server = running_server()
    person = Person(server)
    with open_page(browser, server.url) as (page, _):
        until(page, "faceExpr.faces.join() === '1'")
        front = page.locator("#canvas").screenshot()
        page.locator("#canvas").focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        drawn = page.evaluate("faceExpr.drawn")
        until(page, f"faceExpr.drawn > {drawn + 4}")
        assert page.locator("#canvas").screenshot() != front
    person.leave()
    server.close()
