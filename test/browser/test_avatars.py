"""User avatars follow the position and motion of the face; invalid files are rejected with a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, settle, until
from support.web_avatars import textured_head, triangle, unknown_name, vrm0_head, vrm_triangle

pytestmark = [pytest.mark.slow, needs_chromium]


Maker = Callable[[], bytes]
MIN_COLOR = 60  # difference of red and blue in a pixel of the texture
CENTER_TOLERANCE = 0.12  # of the canvas size, for the center of the head


def load_avatar(page: Page, name: str, data: bytes) -> str:
    """Choose a file; returns the message of the page."""
    page.locator("#toast").evaluate("toast => toast.textContent = ''")
    page.locator("#avatar-file").set_input_files([{"name": name, "mimeType": "model/gltf-binary", "buffer": data}])
    until(page, "document.getElementById('toast').textContent !== ''")
    return page.locator("#toast").inner_text()


@pytest.fixture(autouse=True)
def remove_avatar(page: Page) -> Iterator[None]:
    """Remove the avatar after each test."""
    yield
    if page.locator("#avatar").get_attribute("aria-pressed") == "true":
        page.locator("#avatar").evaluate("button => button.click()")


def colored(page: Page) -> tuple[int, int, float, float]:
    """Number of red and blue pixels of the canvas, and their centroid: -0.5 to 0.5, right and down."""
    image = cv2.imdecode(np.frombuffer(page.locator("#canvas").screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    red, blue = image[..., 2] - image[..., 0] > MIN_COLOR, image[..., 0] - image[..., 2] > MIN_COLOR
    rows, columns = np.nonzero(red | blue)
    height, width = red.shape
    return int(red.sum()), int(blue.sum()), columns.mean() / width - 0.5, rows.mean() / height - 0.5


@pytest.mark.parametrize(("name", "make"), [("one.glb", triangle), ("one.vrm", vrm_triangle)], ids=["glTF", "VRM 1"])
def test_an_avatar_moves_its_mouth(page: Page, person: Person, name: str, make: Maker) -> None:
    assert load_avatar(page, name, make()) == f"{name}: driven by 1 of 52 blendshapes"
    person.jaw = 0.75
    until(page, "Math.abs(faceExpr.avatarWeight('jawOpen') - 0.75) < 0.01")
    with_avatar = page.locator("#canvas").screenshot()
    page.get_by_role("button", name="Remove avatar").click()
    until(page, "Number.isNaN(faceExpr.avatarWeight('jawOpen'))")
    assert page.locator("#canvas").screenshot() != with_avatar


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (textured_head, "driven by 52 of 52 blendshapes"),
        (partial(vrm0_head, perfect_sync=True), "driven by 52 of 52 blendshapes"),
        (partial(vrm0_head, perfect_sync=False), "driven by the VRM presets blinkLeft, blinkRight, aa"),
    ],
    ids=["glTF with 52 names", "VRM 0 with 52 names", "VRM 0 with its presets"],
)
def test_a_textured_head_follows_position_and_rotation(page: Page, person: Person, make: Maker, words: str) -> None:
    assert words in load_avatar(page, "head.glb", make())
    settle(page)
    red, blue, right, down = colored(page)
    assert red + blue > 0.1 * canvas_area(page), "the texture is visible, and the head is large"
    assert red == pytest.approx(blue, rel=0.25), "it faces the viewer, lit from one side"
    assert abs(right) < CENTER_TOLERANCE
    assert abs(down) < CENTER_TOLERANCE
    closed = page.locator("#canvas").screenshot()
    person.jaw = 0.8
    settle(page)
    assert page.locator("#canvas").screenshot() != closed
    person.yaw = 0.6  # the nose points to image left: more of the subject's left is visible
    settle(page)
    red, blue, *_ = colored(page)
    assert red > 1.5 * blue
    person.yaw, person.pitch = 0.0, 0.4
    settle(page)
    *_, right, down = colored(page)
    assert abs(right) < CENTER_TOLERANCE
    assert abs(down) < CENTER_TOLERANCE, "it rotates about its head, not about its feet"


def canvas_area(page: Page) -> float:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    return box["width"] * box["height"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"glTF, but not really", "is not a glTF or VRM file"),
        (unknown_name, "has no morph target with an ARKit name"),
    ],
)
def test_an_invalid_avatar_is_rejected_with_a_message(page: Page, make: Maker, words: str) -> None:
    assert words in load_avatar(page, "<b>broken<b>.glb", make())
    assert page.locator("#toast b").count() == 0
