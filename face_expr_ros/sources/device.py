"""A camera of this machine as a source."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.sources.source_frame import SourceError, SourceFrame

TIMEOUT = 5.0  # seconds without an image after which the device counts as disconnected


class DeviceSource:
    """The latest image of a camera: a thread empties the driver's queue, so that no outdated image is returned.

    Raises:
        SourceError: there is no such camera, or another program uses it.
    """

    can_read_ahead = False

    def __init__(self, number: int, width: int, height: int, rate: float) -> None:
        self._name = f"device:{number}"
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise SourceError(f"{self._name} cannot be opened: {_advice(number)}")
        # Without MJPG most USB cameras deliver large images at only a few frames per second.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, rate),
        ):
            self._capture.set(key, value)
        self._latest: NDArray[np.uint8] | None = None
        self._open = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._empty_queue, name=self._name, daemon=True)
        self._thread.start()

    def read(self, t: float) -> SourceFrame:
        """The latest image; waits for one that was not returned before."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not None or not self._open, TIMEOUT)
            image, self._latest = self._latest, None
        if image is None:
            raise SourceError(f"no image from {self._name} for {TIMEOUT:g} s: check that it is still connected")
        return SourceFrame(image)

    def close(self) -> None:
        """Release the device."""
        with self._changed:
            self._open = False
        self._thread.join(TIMEOUT)
        self._capture.release()

    def _empty_queue(self) -> None:
        while self._open:
            good, image = self._capture.read()
            with self._changed:
                self._open &= good
                if good:
                    self._latest = np.asarray(image, dtype=np.uint8)
                self._changed.notify_all()


def _advice(number: int) -> str:
    if Path(f"/dev/video{number}").exists():
        return "another program may be using it, or the user is not in the group video"
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"this machine has {', '.join(found)}" if found else "no camera is connected to this machine"
