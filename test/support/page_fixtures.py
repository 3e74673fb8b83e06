"""Module fixtures: a browser, and a page that shows a live person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # playwright is optional
    from playwright.sync_api import Browser, Page

    from support.browser import Person

CLOSED, OPEN = 0.005, 0.012  # meters between the inner lips


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser per file; playwright's event loop must end with it."""
    from support.browser import chromium

    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def live_page(browser: Browser) -> Iterator[tuple[Page, Person, list[str]]]:
    """One page for many tests: with software rendering a new one takes seconds."""
    from support.browser import Person, open_page
    from support.web_clients import running_server

    server = running_server()
    person = Person(server)
    with open_page(browser, server.url) as (page, errors):
        yield page, person, errors
    person.leave()
    server.close()


@pytest.fixture
def page(live_page: tuple[Page, Person, list[str]]) -> Iterator[Page]:
    """The page with one live face with a closed mouth; checks that there were no errors."""
    from support.browser import until

    page, person, errors = live_page
    person.reset()
    page.locator("input[value=stream]").evaluate("source => source.click()")
    until(page, f"faceExpr.faces.join() === '1' && faceExpr.mouthOpening() < {CLOSED}")
    yield page
    assert errors == []


@pytest.fixture
def person(live_page: tuple[Page, Person, list[str]]) -> Person:
    """The person in front of the camera."""
    return live_page[1]
