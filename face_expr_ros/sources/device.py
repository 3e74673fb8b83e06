"""A camera of this machine as a source."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.sources.source_frame import SourceError, SourceFrame

PATIENCE = 5.0  # seconds without an image until a device counts as gone


class DeviceSource:
    """The newest image of a camera: a thread empties the driver's queue, so that no old image is ever given.

    Raises:
        SourceError: there is no such camera, or another program holds it.
    """

    ahead = False

    def __init__(self, number: int, width: int, height: int, rate: float) -> None:
        self._name = f"device:{number}"
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise SourceError(f"{self._name} cannot be opened: {_advice(number)}")
        # Without MJPG most USB cameras give only a few large images a second.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, rate),
        ):
            self._capture.set(key, value)
        self._newest: NDArray[np.uint8] | None = None
        self._open = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._empty_queue, name=self._name, daemon=True)
        self._thread.start()

    def read(self, t: float) -> SourceFrame:
        """An image that was not given before."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or not self._open, PATIENCE)
            image, self._newest = self._newest, None
        if image is None:
            raise SourceError(f"{self._name} gives no images any more: is it still plugged in?")
        return SourceFrame(image)

    def close(self) -> None:
        """Free the device."""
        with self._changed:
            self._open = False
        self._thread.join(PATIENCE)
        self._capture.release()

    def _empty_queue(self) -> None:
        while self._open:
            good, image = self._capture.read()
            with self._changed:
                self._open &= good
                if good:
                    self._newest = np.asarray(image, dtype=np.uint8)
                self._changed.notify_all()


def _advice(number: int) -> str:
    if Path(f"/dev/video{number}").exists():
        return "another program may use it, or this user may not read it (group video)"
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"this machine has {', '.join(found)}" if found else "no camera is connected to this machine"
