"""The camera's picture for the page: small and not often."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH = 640  # pixels at most
RATE = 15.0  # Hz at most
QUALITY = 75  # of JPEG


def camera_picture(image: NDArray[np.uint8], stamp_ns: int) -> bytes:
    """What ``/ws/camera`` sends: the stamp in seconds as float64, little-endian, then a JPEG.

    Args:
        image: (height, width, 3) BGR.
        stamp_ns: of the image.
    """
    height, width = image.shape[:2]
    if width > WIDTH:
        size = WIDTH, max(1, round(height * WIDTH / width))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return struct.pack("<d", stamp_ns / 1e9) + data.tobytes()


class PicturePace:
    """Says which images become pictures: as many as come, and at most 15 in a second."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def due(self, now: float) -> bool:
        """Whether the image that comes ``now`` (seconds) becomes one."""
        if now < self._next:
            return False
        self._next = max(self._next + 1 / RATE, now)
        return True
