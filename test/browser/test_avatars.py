"""Avatars of the user's own: they stand where the face does and move as it does, or are refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, settle, until
from support.web_avatars import nameless, textured_head, triangle, vrm0_head, vrm_triangle

pytestmark = [pytest.mark.slow, needs_chromium]


Maker = Callable[[], bytes]
LEAST = 60  # by how much a pixel of the texture is red or blue
MIDDLE = 0.12  # of the canvas: how far the middle of a head may lie beside that of the canvas


def wear(page: Page, name: str, data: bytes) -> str:
    """Choose a file; what the page says of it."""
    page.locator("#toast").evaluate("toast => toast.textContent = ''")
    page.locator("#avatar-file").set_input_files([{"name": name, "mimeType": "model/gltf-binary", "buffer": data}])
    until(page, "document.getElementById('toast').textContent !== ''")
    return page.locator("#toast").inner_text()


@pytest.fixture(autouse=True)
def undressed(page: Page) -> Iterator[None]:
    """No avatar is left for the next test."""
    yield
    if page.locator("#avatar").get_attribute("aria-pressed") == "true":
        page.locator("#avatar").evaluate("button => button.click()")


def colored(page: Page) -> tuple[int, int, float, float]:
    """Red and blue pixels of the canvas, and the middle of both: -0.5 to 0.5, to the right and down."""
    image = cv2.imdecode(np.frombuffer(page.locator("#canvas").screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    red, blue = image[..., 2] - image[..., 0] > LEAST, image[..., 0] - image[..., 2] > LEAST
    rows, columns = np.nonzero(red | blue)
    height, width = red.shape
    return int(red.sum()), int(blue.sum()), columns.mean() / width - 0.5, rows.mean() / height - 0.5


@pytest.mark.parametrize(("name", "make"), [("one.glb", triangle), ("one.vrm", vrm_triangle)], ids=["glTF", "VRM 1"])
def test_an_avatar_moves_its_mouth(page: Page, person: Person, name: str, make: Maker) -> None:
    assert wear(page, name, make()) == f"{name}: 1 of 52 blendshapes move it"
    person.jaw = 0.75
    until(page, "Math.abs(faceExpr.avatarWeight('jawOpen') - 0.75) < 0.01")
    worn = page.locator("#canvas").screenshot()
    page.get_by_role("button", name="Remove avatar").click()
    until(page, "Number.isNaN(faceExpr.avatarWeight('jawOpen'))")
    assert page.locator("#canvas").screenshot() != worn


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (textured_head, "52 of 52 blendshapes move it"),
        (partial(vrm0_head, perfect_sync=True), "52 of 52 blendshapes move it"),
        (partial(vrm0_head, perfect_sync=False), "these of VRM move it: blinkLeft, blinkRight, aa"),
    ],
    ids=["glTF with 52 names", "VRM 0 with 52 names", "VRM 0 with its presets"],
)
def test_a_textured_head_stands_where_the_face_does_and_turns_as_it_does(
    page: Page, person: Person, make: Maker, words: str
) -> None:
    assert words in wear(page, "head.glb", make())
    settle(page)
    red, blue, right, down = colored(page)
    assert red + blue > 0.1 * canvas_area(page), "its texture is there, and it is large"
    assert red == pytest.approx(blue, rel=0.25), "it looks straight ahead, lit from one side"
    assert abs(right) < MIDDLE
    assert abs(down) < MIDDLE
    closed = page.locator("#canvas").screenshot()
    person.jaw = 0.8
    settle(page)
    assert page.locator("#canvas").screenshot() != closed
    person.yaw = 0.6  # the nose to image left: more of the subject's left is seen
    settle(page)
    red, blue, *_ = colored(page)
    assert red > 1.5 * blue
    person.yaw, person.pitch = 0.0, 0.4
    settle(page)
    *_, right, down = colored(page)
    assert abs(right) < MIDDLE
    assert abs(down) < MIDDLE, "it turns around its head, not around its feet"


def canvas_area(page: Page) -> float:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["width"] * box["height"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"glTF, but not really", "is not a glTF or VRM file"),
        (nameless, "has no morph target with one of ARKit's names"),
    ],
)
def test_what_is_no_avatar_is_refused_with_a_sentence(page: Page, make: Maker, words: str) -> None:
    assert words in wear(page, "<b>broken<b>.glb", make())
    assert page.locator("#toast b").count() == 0
