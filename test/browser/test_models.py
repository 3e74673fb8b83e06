"""Face models of other kinds on the page: with a basis of their own, without FaceMesh's points, without a surface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from support.browser import Person, needs_chromium, open_page, settle, until
from support.page_fixtures import CLOSED, OPEN
from support.web_clients import running_server

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.web.server import FaceServer

pytestmark = [pytest.mark.slow, needs_chromium]


def own_basis() -> MorphableModel:
    """The open model, whose expressions have names that are not ARKit's."""
    model = open_face_model("open")
    names = tuple(f"exp_{number}" for number in range(len(model.expression)))
    return replace(model, name="own basis", sha256="1" * 64, expression_names=names)


def surface_alone() -> MorphableModel:
    """A mesh of which nothing else is known, as the Basel Face Model's."""
    none = {
        "uv": np.zeros((0, 2), np.float32),
        "uv_triangles": np.zeros((0, 3), np.int32),
        "vertex_part": np.zeros(0, np.uint8),
        "mirror": np.zeros(0, np.int32),
        "facemesh_triangle": np.zeros(0, np.int32),
        "facemesh_barycentric": np.zeros((0, 3), np.float32),
    }
    return replace(own_basis(), name="surface alone", sha256="2" * 64, part_names=(), **none)


def points_alone() -> MorphableModel:
    """The 68 iBUG points, as 3ddfa_v2 without its dense file."""
    model = surface_alone()
    points = model.landmarks68
    return replace(
        model,
        name="points alone",
        sha256="3" * 64,
        mean=model.mean[points],
        identity=model.identity[:, points],
        expression=model.expression[:, points],
        triangles=np.zeros((0, 3), np.int32),
        landmarks68=np.arange(68, dtype=np.int32),
        sellion=27,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[FaceServer]:
    running = running_server()
    yield running
    running.close()


@pytest.fixture(scope="module")
def person(server: FaceServer) -> Iterator[Person]:
    one = Person(server)
    yield one
    one.leave()


@pytest.fixture(scope="module")
def page(browser: Browser, server: FaceServer, person: Person) -> Iterator[Page]:
    """One page for all tests, which must not complain."""
    with open_page(browser, server.url) as (page, complaints):
        yield page
        assert complaints == []


def announce(server: FaceServer, page: Page, person: Person, model: MorphableModel) -> None:
    """Let the page draw this model with its mouth closed."""
    person.relax()
    page.locator("input[value=stream]").evaluate("source => source.click()")
    server.announce(model)
    until(page, f"faceExpr.model === '{model.name}' && faceExpr.faces.join() === '1'")
    settle(page)


def test_coefficients_of_a_basis_of_its_own_move_the_face_and_the_sliders_do_not(
    server: FaceServer, page: Page, person: Person
) -> None:
    announce(server, page, person, own_basis())
    person.jaw = 0.9
    until(page, f"faceExpr.mouthOpening() > {OPEN}")
    page.evaluate("faceExpr.setManual('jawOpen', 0.9)")
    until(page, f"faceExpr.mouthOpening() < {CLOSED}")
    assert "has expressions of its own: the sliders move an avatar alone" in page.locator("#toast").inner_text()


@pytest.mark.parametrize("make", [surface_alone, points_alone])
def test_a_model_that_lacks_something_is_drawn_in_every_look_and_moves(
    server: FaceServer, page: Page, person: Person, make: Callable[[], MorphableModel]
) -> None:
    announce(server, page, person, make())
    for look in "2341":
        count = page.evaluate("faceExpr.drawn") + 2
        page.keyboard.press(look)
        until(page, f"faceExpr.drawn > {count}")
    settle(page)
    closed = page.locator("#canvas").screenshot()
    person.jaw = 0.9
    settle(page)
    assert page.locator("#canvas").screenshot() != closed


def test_a_model_that_is_none_is_said_and_asked_for_again(browser: Browser, server: FaceServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/model", lambda route: route.fulfill(body=b"no model"))
    page.goto(server.url)
    until(page, "document.getElementById('toast').textContent === 'What the server calls a face model is none'")
    page.unroute("**/api/model")
    until(page, "faceExpr.model !== null")
    context.close()
