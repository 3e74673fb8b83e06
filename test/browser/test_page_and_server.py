"""The page with restarting servers, tokens, the complete live pipeline, and different screen sizes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Route
from support.browser import PICTURES, SMALL, Person, needs_chromium, open_page, until
from support.web_clients import hello_of, open_socket, port_of, running_server

from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.server import FaceServer

pytestmark = [pytest.mark.slow, needs_chromium]
MIN_OPENING = 0.004  # meters by which the mouth of the synthetic person opens within half a minute


@pytest.fixture
def server() -> Iterator[FaceServer]:
    one = running_server()
    yield one
    one.close()


def test_the_page_reconnects_after_a_server_restart(browser: Browser, portrait: NDArray[np.uint8]) -> None:
    first = running_server()
    port, person = port_of(first), Person(first, lambda: portrait)
    with open_page(browser, first.url) as (page, _):
        until(page, "faceExpr.faces.join() === '1' && document.getElementById('no-picture').hidden")
        person.leave()
        first.close()
        until(page, "faceExpr.state === 'closed' && faceExpr.faces.join() === '0'")
        until(page, "!document.getElementById('no-picture').hidden")  # an old picture would seem live
        until(page, "document.getElementById('hint').textContent === 'Waiting for the server'")
        second = running_server(port=port)
        person, before = Person(second), page.evaluate("faceExpr.frames")
        until(page, f"faceExpr.state === 'open' && faceExpr.frames > {before + 5} && faceExpr.faces.join() === '1'")
        person.leave()
        second.close()


def test_without_images_the_page_hints_at_the_camera(browser: Browser, server: FaceServer) -> None:
    with open_page(browser, server.url) as (page, errors):
        until(page, "document.getElementById('hint').textContent.startsWith('Waiting for the first image')")
        assert errors == []


def test_a_model_announced_during_loading_is_loaded_next(browser: Browser, server: FaceServer) -> None:
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


def test_the_page_asks_for_the_token_and_removes_it_from_the_url(browser: Browser) -> None:
    server = running_server(token="a-token-of-some-length")
    context = browser.new_context(viewport={"width": SMALL[0], "height": SMALL[1]})
    page = context.new_page()
    page.goto(server.url.split("?")[0])
    page.locator("#token-input").fill("another-token-of-some-length")
    page.get_by_role("button", name="Connect", exact=True).click()
    until(page, "document.getElementById('token-text').textContent.startsWith('The server rejected the token')")
    page.locator("#token-input").fill("a-token-of-some-length")
    page.keyboard.press("Enter")
    until(page, "faceExpr.state === 'open' && faceExpr.model === 'open'")
    page.goto(server.url)
    until(page, "window.faceExpr?.state === 'open'")
    assert "token" not in page.url
    context.close()
    server.close()


@pytest.mark.parametrize(
    ("device", "size"), [("desktop", (1280, 800)), ("phone", (390, 844)), ("small phone", (320, 568))]
)
def test_the_layout_fits_desktops_and_phones_in_both_themes(
    browser: Browser, server: FaceServer, portrait: NDArray[np.uint8], device: str, size: tuple[int, int]
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    person = Person(server, lambda: portrait)
    with open_page(browser, server.url, size=size, scheme="light", phone="phone" in device) as (page, errors):
        until(page, "faceExpr.faces.join() === '1' && document.getElementById('no-picture').hidden")
        for theme in ("light", "dark"):
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            page.screenshot(path=PICTURES / f"{device.replace(' ', '_')}_{theme}.png")
            page.keyboard.press("t")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        beside = (
            "[...document.querySelectorAll('header button')].filter(e => e.getBoundingClientRect().right > innerWidth)"
        )
        assert page.evaluate(f"{beside}.map(e => e.id)") == []
        clipped = "[...document.querySelectorAll('.segments')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        assert page.evaluate(f"{clipped}.map(e => e.textContent)") == []
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        assert box["width"] * box["height"] > 0.3 * size[0] * size[1], "the face has a large part of the screen"
        assert errors == []
    person.leave()


def test_camera_perception_bridge_and_page_run_live(browser: Browser, start: Any, graph: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start("web_bridge", "-r", "__ns:=/page", "-p", f"port:={port}")
    start("perception", "-r", "__ns:=/page")
    start("camera", "-r", "__ns:=/page", "-p", "width:=640", "-p", "height:=480", "-p", "rate:=15.0")
    graph.until(lambda: listens(port), "the bridge")
    with open_page(browser, f"http://127.0.0.1:{port}/") as (page, errors):
        until(page, "faceExpr.lastFrame()?.faces.length === 1 && document.getElementById('no-picture').hidden")
        openings: list[float] = []
        while not openings or max(openings) - min(openings) < MIN_OPENING:
            until(page, f"faceExpr.drawn > {page.evaluate('faceExpr.drawn')}")
            openings.append(page.evaluate("faceExpr.mouthOpening()"))
        settled = page.evaluate("faceExpr.drawn") + 30
        until(page, f"faceExpr.latencyMs > 0 && faceExpr.drawn > {settled}")
        print(
            "\nlive: script {:.1f} ms per frame, stamp to render {:.0f} ms".format(
                *page.evaluate("[faceExpr.scriptMs, faceExpr.latencyMs]")
            )
        )
        assert page.evaluate("faceExpr.lastFrame().camera[0]") > 100, "the camera is known"
        assert errors == []


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
