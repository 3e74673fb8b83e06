"""Other face models on the page: own expression basis, no FaceMesh points, no triangles."""

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
    """The open model with expression names that are not ARKit's."""
    model = open_face_model("open")
    names = tuple(f"exp_{number}" for number in range(len(model.expression)))
    return replace(model, name="own basis", sha256="1" * 64, expression_names=names)


def mesh_only() -> MorphableModel:
    """A mesh without any annotations, as in the Basel Face Model."""
    empty = {
        "uv": np.zeros((0, 2), np.float32),
        "uv_triangles": np.zeros((0, 3), np.int32),
        "vertex_part": np.zeros(0, np.uint8),
        "mirror": np.zeros(0, np.int32),
        "facemesh_triangle": np.zeros(0, np.int32),
        "facemesh_barycentric": np.zeros((0, 3), np.float32),
    }
    return replace(own_basis(), name="mesh only", sha256="2" * 64, part_names=(), **empty)


def points_only() -> MorphableModel:
    """The 68 iBUG points without triangles, as 3ddfa_v2 without its dense file."""
    model = mesh_only()
    points = model.landmarks68
    return replace(
        model,
        name="points only",
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
    """One page for all tests; checks that there were no errors."""
    with open_page(browser, server.url) as (page, errors):
        yield page
        assert errors == []


def announce(server: FaceServer, page: Page, person: Person, model: MorphableModel) -> None:
    """Show this model on the page, with its mouth closed."""
    person.reset()
    page.locator("input[value=stream]").evaluate("source => source.click()")
    server.announce(model)
    until(page, f"faceExpr.model === '{model.name}' && faceExpr.faces.join() === '1'")
    settle(page)


def test_an_own_basis_is_driven_by_the_stream_not_the_sliders(server: FaceServer, page: Page, person: Person) -> None:
    announce(server, page, person, own_basis())
    person.jaw = 0.9
    until(page, f"faceExpr.mouthOpening() > {OPEN}")
    page.evaluate("faceExpr.setManual('jawOpen', 0.9)")
    until(page, f"faceExpr.mouthOpening() < {CLOSED}")
    assert "has no ARKit blendshapes: the sliders only drive avatars" in page.locator("#toast").inner_text()


@pytest.mark.parametrize("make", [mesh_only, points_only])
def test_a_reduced_model_is_rendered_in_every_mode(
    server: FaceServer, page: Page, person: Person, make: Callable[[], MorphableModel]
) -> None:
    announce(server, page, person, make())
    for mode in "2341":
        count = page.evaluate("faceExpr.drawn") + 2
        page.keyboard.press(mode)
        until(page, f"faceExpr.drawn > {count}")
    settle(page)
    closed = page.locator("#canvas").screenshot()
    person.jaw = 0.9
    settle(page)
    assert page.locator("#canvas").screenshot() != closed


def test_an_invalid_model_is_reported_and_requested_again(browser: Browser, server: FaceServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/api/model", lambda route: route.fulfill(body=b"no model"))
    page.goto(server.url)
    until(page, "document.getElementById('toast').textContent === 'The server sent an invalid face model'")
    page.unroute("**/api/model")
    until(page, "faceExpr.model !== null")
    context.close()
