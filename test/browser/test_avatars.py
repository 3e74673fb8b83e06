"""User avatars follow the position and motion of the face; invalid files are rejected with a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, settle, until
from support.paths import ROOT
from support.web_avatars import (
    named_in_accessors,
    ready_player_me_head,
    textured_head,
    triangle,
    unknown_name,
    vrm0_head,
    vrm1_head,
    vrm_triangle,
)  # fmt: skip

from face_expr_ros.core.arkit import ARKIT_NAMES

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


def compressed(kind: str) -> bytes:
    """A file of test/browser/data."""
    return (ROOT / f"test/browser/data/{kind}.glb").read_bytes()


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
        (partial(vrm0_head, perfect_sync=False), "driven by the presets blinkLeft, blinkRight, aa"),
        (ready_player_me_head, "driven by 52 of 52 blendshapes"),
    ],
    ids=["glTF with 52 names", "VRM 0 with 52 names", "VRM 0 with its presets", "Ready Player Me"],
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


OF_PRESETS = {
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "aa": ("jawOpen",),
    "happy": ("mouthSmileLeft", "mouthSmileRight"),
}
MOUTH = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")


@pytest.mark.parametrize(
    ("make", "weights"),
    [
        # The presets' morph targets have ARKit's names: they follow the blendshapes, not the presets.
        (partial(vrm1_head, ARKIT_NAMES, OF_PRESETS), {"jawOpen": 0.6, "eyeBlinkLeft": 1.0, "mouthSmileRight": 0.5}),
        (partial(vrm1_head, MOUTH, OF_PRESETS, anonymous=True), {"aa": 0.9, "blink": 1.0, "happy": 0.25}),
        (partial(vrm1_head, MOUTH[:1], {"aa": MOUTH[:1]}, anonymous=True), {"aa": 0.9}),
        (named_in_accessors, {"jawOpen": 0.6, "eyeBlinkLeft": 1.0}),
        (partial(named_in_accessors, "CC_Base_", "_MSH"), {"jawOpen": 0.6, "mouthSmileRight": 0.5}),
        (ready_player_me_head, {"jawOpen": 0.6, "eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
        *((partial(compressed, kind), {"jawOpen": 0.6, "eyeBlinkLeft": 1.0}) for kind in ("draco", "meshopt", "ktx2")),
    ],
    ids=[
        "VRM 1 whose presets bind ARKit names", "VRM 1 with blink alone", "VRM 1 with vowels", "names of accessors",
        "prefix and suffix", "Ready Player Me", "Draco", "meshopt", "KTX2",
    ],
)  # fmt: skip
def test_every_kind_of_avatar_follows_the_face(
    page: Page, person: Person, make: Maker, weights: dict[str, float]
) -> None:
    load_avatar(page, "avatar.glb", make())
    settle(page)
    red, blue, *_ = colored(page)
    assert min(red, blue) > 0.02 * canvas_area(page), "the texture is visible"
    neutral = page.locator("#canvas").screenshot()
    person.jaw = 0.6
    person.values = {"eyeBlinkLeft": 0.75, "eyeBlinkRight": 0.75, "mouthSmileRight": 0.5}
    for name, weight in weights.items():
        until(page, f"Math.abs(faceExpr.avatarWeight('{name}') - {weight}) < 0.02")
    settle(page)
    assert page.locator("#canvas").screenshot() != neutral


@pytest.mark.parametrize(("yaw", "x"), [(0.0, 0.0), (0.5, 0.05)])
@pytest.mark.parametrize("make", [textured_head, ready_player_me_head], ids=["without bones", "with bones"])
def test_the_camera_view_draws_an_avatar_where_the_face_is(
    page: Page, person: Person, make: Maker, yaw: float, x: float
) -> None:
    person.yaw, person.position = yaw, (x, -0.02, 0.4)
    page.keyboard.press("c")
    settle(page)
    expected = head_box(page)
    load_avatar(page, "head.glb", make())
    settle(page)
    found = head_box(page)
    page.keyboard.press("c")
    # The avatar is the model itself: its outline, from the top to the ears, is that of the face.
    assert found == pytest.approx(expected, abs=0.03)


def head_box(page: Page) -> tuple[float, float, float]:
    """Left, right and top edge of what is drawn, in canvas heights; the dark background is not."""
    image = cv2.imdecode(np.frombuffer(page.locator("#canvas").screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    drawn = image.max(axis=2) - image.min(axis=2) > MIN_COLOR / 2
    rows, columns = np.nonzero(drawn)
    top = np.percentile(rows, 0.5)
    head = columns[rows < top + 0.25 * len(image)]
    left, right = np.percentile(head, [1, 99])
    return float(left) / len(image), float(right) / len(image), float(top) / len(image)


def test_the_gallery_offers_avatars_of_this_project(page: Page, person: Person) -> None:
    page.locator("#avatar").evaluate("button => button.click()")
    dialog = page.get_by_role("dialog")
    assert dialog.locator("#gallery button").all_inner_texts() == ["Robot", "Cat", "Alien"]
    dialog.get_by_role("button", name="Robot").click()
    person.jaw = 0.75
    until(page, "Math.abs(faceExpr.avatarWeight('jawOpen') - 0.75) < 0.01")


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
