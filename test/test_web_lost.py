"""What the page does where the server has changed while the page was loading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from browser import SMALL, chromium, needs_chromium, until
from playwright.sync_api import Browser, Route
from web_clients import hello_of, open_socket, running_server

from face_expr_ros.bundle import open_face_model
from face_expr_ros.web.server import FaceServer

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


def test_a_model_that_is_announced_while_another_is_loaded_is_loaded_after_it(
    browser: Browser, server: FaceServer
) -> None:
    other = replace(open_face_model("open"), name="other", sha256="1" * 64)

    def hold(route: Route) -> None:
        answer = route.fetch()
        with open_socket(server, "/ws/stream") as stream:
            if hello_of(stream)["model_sha256"] != other.sha256:
                server.announce(other)
                assert hello_of(stream)["model_sha256"] == other.sha256
        route.fulfill(response=answer)

    context = browser.new_context(viewport={"width": SMALL[0], "height": SMALL[1]})
    page = context.new_page()
    page.route("**/api/model", hold)
    page.goto(server.url)
    until(page, "window.faceExpr?.model === 'other'")
    context.close()
