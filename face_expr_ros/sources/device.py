"""A camera of this machine as a source."""

from __future__ import annotations

from pathlib import Path

import cv2

from face_expr_ros.sources.live_capture import LiveCapture
from face_expr_ros.sources.source_frame import SourceError


class DeviceSource(LiveCapture):
    """The latest image of a camera.

    Raises:
        SourceError: there is no such camera, or another program uses it.
    """

    def __init__(self, number: int, width: int, height: int, rate: float) -> None:
        name, capture = f"device:{number}", cv2.VideoCapture(number)
        if not capture.isOpened():
            raise SourceError(f"{name} cannot be opened: {_advice(number)}")
        # Without MJPG most USB cameras deliver large images at only a few frames per second.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, rate),
        ):
            capture.set(key, value)
        super().__init__(name, capture)


def _advice(number: int) -> str:
    if Path(f"/dev/video{number}").exists():
        return "another program may be using it, or the user is not in the group video"
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"this machine has {', '.join(found)}" if found else "no camera is connected to this machine"
