"""The page's part of the calibration: the guided steps and the neutral expression, with prescribed server responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route
from support.browser import needs_chromium, until

pytestmark = [pytest.mark.slow, needs_chromium]
STEPS = [
    {"name": "neutral", "text": "Look straight.", "seconds": 0.2, "blendshapes": []},
    {"name": "smile", "text": "Smile.", "seconds": 0.2, "blendshapes": ["mouthSmileLeft"]},
]
CALIBRATION = {"version": 1, "name": "", "neutral": {"browInnerUp": 0.08}, "blendshapes": {}}


@pytest.fixture
def requests(page: Page) -> Iterator[list[str]]:
    """Method and path of each request to the endpoints, whose responses are prescribed."""
    seen: list[str] = []

    def respond(route: Route) -> None:
        path = route.request.url.split("/api/")[1]
        seen.append(f"{route.request.method} {path}")
        answers: dict[str, Any] = {
            "GET calibration/steps": STEPS,
            "POST calibration/steps/neutral": {"good": True, "message": "still", "frames": 9, "name": "neutral"},
            "POST calibration/steps/smile": {"good": False, "message": "hardly moved", "frames": 9, "name": "smile"},
            "POST calibration/finish": {"calibration": CALIBRATION, "notes": ["The smile was weak."]},
            "GET calibration": CALIBRATION,
            "POST neutral": {"faces": 1, "message": "The expression of 1 face is neutral."},
        }
        route.fulfill(json=answers[seen[-1]])

    pattern = "**/api/*"
    for one in (pattern, "**/api/calibration/**"):
        page.route(one, respond)
    yield seen
    page.unroute_all()
    page.evaluate("localStorage.removeItem('face_expr calibration')")


def test_the_guided_steps_are_recorded_in_order_and_stored(page: Page, requests: list[str]) -> None:
    page.locator("#calibrate").evaluate("button => button.click()")
    until(page, "document.querySelectorAll('#calibration-steps li').length === 2")
    page.locator("#calibration-start").click()
    until(page, "document.getElementById('calibration-text').textContent.endsWith('The smile was weak.')")
    assert [one for one in requests if one.startswith("POST")] == [
        "POST calibration/steps/neutral", "POST calibration/steps/smile", "POST calibration/finish",
    ]  # fmt: skip
    marks = "[...document.querySelectorAll('#calibration-steps li')].map(row => row.dataset.good)"
    assert page.evaluate(marks) == ["true", "false"]
    assert json.loads(page.evaluate("localStorage.getItem('face_expr calibration')")) == CALIBRATION
    page.locator("#calibration-close").click()
    assert not page.evaluate("document.getElementById('calibration-dialog').open")


def test_a_button_sets_the_neutral_expression(page: Page, requests: list[str]) -> None:
    page.locator("#neutral").evaluate("button => button.click()")
    until(page, "document.getElementById('toast').textContent === 'The expression of 1 face is neutral.'")
    assert requests == ["POST neutral", "GET calibration"]
