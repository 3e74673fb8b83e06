"""Chromium driven by playwright, and a person whose face is published to the page."""

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

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import Pose, Roi
from face_expr_ros.web.picture import camera_picture
from face_expr_ros.web.server import FaceServer
from support.paths import ROOT
from support.web_clients import TIMEOUT, face

PICTURES = ROOT / "out/web_page"  # screenshots, kept by CI
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
# As on a machine without a GPU: WebGL in SwiftShader, the rest of the page by the CPU. No sandbox (for root), a fake
# camera, and no background network access.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip
STATE = "window.faceExpr ? JSON.stringify({...faceExpr, frame: faceExpr.lastFrame()}) : 'no page'"
SMALL = (640, 480)  # pixels; software rendering is slow
CAMERA = pinhole_camera(640, 480, 45.0)

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A new browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def open_page(
    browser: Browser, url: str, *, size: tuple[int, int] = SMALL, scheme: Any = "dark", phone: bool = False
) -> Iterator[tuple[Page, list[str]]]:
    """Open the page and wait until it renders; yields the page and its script, console and policy errors."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",  # screenshots must not show transitions
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.extend([message.text] if message.type == "error" else []))
    page.goto(url)
    until(page, "window.faceExpr && faceExpr.drawn > 2")
    yield page, errors
    context.close()


def until(page: Page, condition: str, *, seconds: float = TIMEOUT) -> None:
    """Wait until a JavaScript expression is true; playwright's own function needs eval, which the page forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"timeout ({seconds:g} s) waiting for {condition}: {page.evaluate(STATE)}"
        page.wait_for_timeout(30)


def settle(page: Page) -> None:
    """Wait until the latest frames are received and the smoothed face has converged."""
    frames = page.evaluate("faceExpr.frames") + 6
    until(page, f"faceExpr.frames > {frames}")
    drawn = page.evaluate("faceExpr.drawn") + 8
    until(page, f"faceExpr.drawn > {drawn}")


class Person:
    """A person in front of the camera, published at 30 Hz until ``leave``.

    Attributes:
        jaw: opening of the mouth, 0..1.
        values: other blendshapes by name, 0..1.
        yaw, pitch: of the head, radians.
        position: of the sellion in the camera frame, meters.
        count: number of faces.
    """

    def __init__(self, server: FaceServer, picture: Callable[[], Any] | None = None) -> None:
        self.reset()
        self._server = server
        self._picture = picture
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="person")
        self._thread.start()

    def reset(self) -> None:
        """One face with the mouth closed, looking into the camera."""
        self.jaw = self.yaw = self.pitch = 0.0
        self.values: dict[str, float] = {}
        self.position = (0.0, 0.0, 0.6)
        self.count = 1

    def _run(self) -> None:
        while not self._stop.wait(1 / 30):
            stamp = time.time_ns()
            states = [self._state(number, stamp) for number in range(1, self.count + 1)]
            self._server.publish(states, stamp, CAMERA)
            if self._picture is not None:
                self._server.publish_picture(camera_picture(self._picture(), stamp))

    def _state(self, number: int, stamp: int) -> Any:
        position = np.array([0.3 * (number - 1), 0.0, 0.0]) + self.position
        pose = Pose(rotation_from_euler(self.yaw, self.pitch, 0.0), position, metric=True)
        state = face(number, jaw=self.jaw)
        for name, value in self.values.items():
            state.blendshapes.values[ARKIT_NAMES.index(name)] = value
        return replace(state, stamp_ns=stamp, roi=Roi(220, 130, 200, 260), pose=pose)

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()
