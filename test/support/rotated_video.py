"""Videos as phones record them: frames as the sensor delivers them, and a display matrix that rotates them upright."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

# Clockwise rotation in degrees for display -> a, b, c, d of the track header's matrix (ISO/IEC 14496-12, 8.3.2).
MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
# Rotation of an upright image to what is stored.
_STORED = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
_MATRIX_OFFSET = 44  # bytes from the box type "tkhd" (version 0) to the matrix


def write_rotated_video(path: Path, image: NDArray[np.uint8], degrees: int, frames: int = 3) -> None:
    """An mp4 that shows the upright ``image``, stored so that a player has to rotate it clockwise by ``degrees``."""
    stored = cv2.rotate(image, _STORED[degrees]) if degrees else image
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (stored.shape[1], stored.shape[0]))
    for _ in range(frames):
        writer.write(stored)
    writer.release()
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + _MATRIX_OFFSET
    a, b, c, d = (value << 16 for value in MATRICES[degrees])  # 16.16 fixed point
    assert struct.unpack_from(">9i", data, start) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, start, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
