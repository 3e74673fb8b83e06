"""Renders web/pictures/page.jpg for the documents: ``PYTHONPATH=test ./run exec python -m support.page_picture``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import Blendshapes, Pose, Readouts
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.readouts import affect
from face_expr_ros.synthetic.scene import FaceRenderer
from support.browser import CAMERA, Person, chromium, open_page, until
from support.paths import ROOT
from support.web_clients import running_server

PICTURE = ROOT / "web/pictures/page.jpg"
SIZE = 1440, 900
SMILE = {
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.9,
    "jawOpen": 0.35,
    "cheekSquintLeft": 0.4,
    "cheekSquintRight": 0.4,
}
VALUES = np.array([SMILE.get(name, 0.0) for name in ARKIT_NAMES])
YAW, PITCH = 0.2, 0.05  # radians
DURATION = 14_000  # milliseconds, to fill the history on a slow machine


class Smiling(Person):
    """A smiling face with a slightly turned head."""

    def _state(self, number: int, stamp: int) -> Any:
        self.yaw, self.pitch = YAW, PITCH
        blendshapes = Blendshapes(ARKIT_NAMES, VALUES)
        read = affect(blendshapes)
        readouts = Readouts((), np.zeros(0), read.valence, read.arousal, read.label, mouth_open=True)
        state = super()._state(number, stamp)
        return replace(state, expression=VALUES, blendshapes=blendshapes, readouts=readouts)


def portrait() -> NDArray[np.uint8]:
    """The camera image (480, 640, 3), BGR, of the same face."""
    model = open_face_model("open")
    pose = Pose(rotation_from_euler(YAW, PITCH, 0.0), np.array([0.0, 0.0, 0.6]), metric=True)
    return FaceRenderer(model).render(model.vertices(None, VALUES), pose, CAMERA)


def main() -> None:
    server, image = running_server(), portrait()
    person = Smiling(server, lambda: image)
    with chromium() as browser, open_page(browser, server.url, size=SIZE) as (page, _):
        until(page, "faceExpr.faces.join() === '1' && document.getElementById('no-picture').hidden")
        page.wait_for_timeout(DURATION)
        page.screenshot(path=PICTURE, type="jpeg", quality=82)
    person.leave()
    server.close()


if __name__ == "__main__":
    main()
