"""The camera image for the page, at reduced size and rate."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_WIDTH = 640  # pixels
MAX_RATE = 15.0  # Hz
MAX_SENT = 480.0  # pictures per second to all clients together, which bounds CPU load and network
JPEG_QUALITY = 75


def camera_picture(image: NDArray[np.uint8], stamp_ns: int) -> bytes:
    """Encode a message of ``/ws/camera``: the stamp in seconds as little-endian float64, then a JPEG file.

    Args:
        image: (height, width, 3) BGR.
        stamp_ns: of the image.
    """
    height, width = image.shape[:2]
    if width > MAX_WIDTH:
        size = MAX_WIDTH, max(1, round(height * MAX_WIDTH / width))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return struct.pack("<d", stamp_ns / 1e9) + data.tobytes()


class PicturePace:
    """Selects the images to send: all, up to MAX_RATE, or fewer if many clients receive them."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def due(self, now: float, clients: int = 1) -> bool:
        """Whether to send the image received at ``now`` (seconds) to this number of clients."""
        if now < self._next:
            return False
        self._next = max(self._next + max(1 / MAX_RATE, clients / MAX_SENT), now)
        return True
