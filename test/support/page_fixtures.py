"""A browser, and a page with somebody live on it, for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the other tests need no playwright
    from playwright.sync_api import Browser, Page

    from support.browser import Person

CLOSED, OPEN = 0.005, 0.012  # meters between the inner lips


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser of its own for the file: playwright's event loop must not outlive it."""
    from support.browser import chromium

    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def shown(browser: Browser) -> Iterator[tuple[Page, Person, list[str]]]:
    """One page for many tests: on a machine without a graphics card a new one takes seconds."""
    from support.browser import Person, open_page
    from support.web_clients import running_server

    server = running_server()
    person = Person(server)
    with open_page(browser, server.url) as (page, complaints):
        yield page, person, complaints
    person.leave()
    server.close()


@pytest.fixture
def page(shown: tuple[Page, Person, list[str]]) -> Iterator[Page]:
    """The page with one live face whose mouth is closed; at the end it must not have complained."""
    from support.browser import until

    page, person, complaints = shown
    person.relax()
    page.locator("input[value=stream]").evaluate("source => source.click()")
    until(page, f"faceExpr.faces.join() === '1' && faceExpr.mouthOpening() < {CLOSED}")
    yield page
    assert complaints == []


@pytest.fixture
def person(shown: tuple[Page, Person, list[str]]) -> Person:
    """Who is in front of the camera."""
    return shown[1]
