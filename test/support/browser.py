"""Debian's chromium, driven by playwright, and somebody whose face the page can show."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Pose, Roi
from face_expr_ros.web.picture import camera_picture
from face_expr_ros.web.server import FaceServer
from support.paths import ROOT
from support.web_clients import TIMEOUT, face

PICTURES = ROOT / "out/web_page"  # screenshots, kept by CI
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
# Software drawing, no sandbox as root, a camera that shows a test pattern, and nothing that asks the network.
ARGUMENTS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
STATE = "window.faceExpr ? JSON.stringify({...faceExpr, frame: faceExpr.lastFrame()}) : 'no page'"
SMALL = (640, 480)  # pixels: drawing without a graphics card is slow
CAMERA = pinhole_camera(640, 480, 45.0)

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium here: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def open_page(
    browser: Browser, url: str, *, size: tuple[int, int] = SMALL, scheme: Any = "dark", phone: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """The page once it draws, and what it complains about: errors of scripts, of the console, of its policy."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",  # a slow machine would be photographed half-way
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
    page.goto(url)
    until(page, "window.faceExpr && faceExpr.drawn > 2")
    yield page, complaints
    context.close()


def until(page: Page, condition: str, *, seconds: float = TIMEOUT) -> None:
    """Wait until a JavaScript expression is true. Playwright's own waiting needs eval, which the page forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {condition}: {page.evaluate(STATE)}"
        page.wait_for_timeout(30)


def settle(page: Page) -> None:
    """Let what has changed come, and the drawn face go there: each drawn frame covers most of the way that is left."""
    frames = page.evaluate("faceExpr.frames") + 6
    until(page, f"faceExpr.frames > {frames}")
    drawn = page.evaluate("faceExpr.drawn") + 8
    until(page, f"faceExpr.drawn > {drawn}")


class Person:
    """Somebody in front of the camera, thirty times a second, until ``leave``.

    Attributes:
        jaw: how far the mouth is open, 0..1.
        yaw, pitch: of the head, radians.
        count: how many faces there are.
    """

    def __init__(self, server: FaceServer, picture: Callable[[], Any] | None = None) -> None:
        self.relax()
        self._server = server
        self._picture = picture
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, name="person")
        self._thread.start()

    def relax(self) -> None:
        """Alone, with the mouth closed, looking into the camera."""
        self.jaw = self.yaw = self.pitch = 0.0
        self.count = 1

    def _run(self) -> None:
        while not self._gone.wait(1 / 30):
            stamp = time.time_ns()
            states = [self._state(number, stamp) for number in range(1, self.count + 1)]
            self._server.publish(states, stamp, CAMERA)
            if self._picture is not None:
                self._server.publish_picture(camera_picture(self._picture(), stamp))

    def _state(self, number: int, stamp: int) -> Any:
        place = np.array([0.3 * (number - 1), 0.0, 0.6])
        pose = Pose(rotation_from_euler(self.yaw, self.pitch, 0.0), place, metric=True)
        return replace(face(number, jaw=self.jaw), stamp_ns=stamp, roi=Roi(220, 130, 200, 260), pose=pose)

    def leave(self) -> None:
        self._gone.set()
        self._thread.join()
