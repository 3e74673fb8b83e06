"""Helpers for drawing with OpenCV: colors per face id, text, and fixed-point coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

FONT = cv2.FONT_HERSHEY_SIMPLEX
SHADOW: Color = (20, 20, 20)
SHIFT = 4  # fractional bits of the coordinates passed to cv2

# Blue, green, red; assigned to ids in turn.
_PALETTE: tuple[Color, ...] = ((255, 200, 70), (110, 220, 120), (90, 160, 255), (220, 130, 240), (90, 220, 240))
_SMALL_IMAGE, _LARGE_IMAGE = 360.0, 1080.0  # shorter side in pixels between which text has its nominal size
_FINE_FACE = 320.0  # face size per pixel of line thickness, pixels


def color_of(face_id: str) -> Color:
    """A color that depends only on the id; consecutive ids have different colors."""
    number = int(face_id) if face_id.isdecimal() else sum(face_id.encode())
    return _PALETTE[number % len(_PALETTE)]


def is_drawable(points: NDArray) -> bool:
    """Whether all points are finite and within the range of OpenCV's fixed-point drawing."""
    return bool(np.isfinite(points).all() and (np.abs(points) < 30_000).all())


def fixed_point(points: NDArray) -> NDArray[np.int32]:
    """Pixels (..., 2) as fixed-point coordinates for cv2's drawing functions with `SHIFT`."""
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def line_thickness(points: NDArray) -> int:
    """Line thickness in pixels for a face with these points (n, >= 2), proportional to its size."""
    size = float(np.ptp(points[:, :2], axis=0).max()) if np.isfinite(points).all() else 0.0
    return int(np.clip(round(size / _FINE_FACE), 1, 16))


def text_scale(image: Image) -> float:
    """Factor on text sizes: 1 from 360 pixels on, smaller for smaller images, larger beyond full HD."""
    side = min(image.shape[:2])
    return float(np.clip(side / _SMALL_IMAGE, 0.5, 1.0)) * max(1.0, side / _LARGE_IMAGE)


def text_size(text: str, size: float) -> tuple[int, int]:
    """Width and height of a line of text in pixels."""
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    return int(width), int(height)


def write_inside(image: Image, text: str, origin: tuple[int, int], size: float, color: Color) -> None:
    """As `write`, moved so that the text is inside the image, and smaller if it is wider than the image."""
    height, width = image.shape[:2]
    size *= min(1.0, (width - 4) / max(1, text_size(text, size)[0]))
    across, up = text_size(text, size)
    left = int(np.clip(origin[0], 2, max(2, width - across - 2)))
    bottom = int(np.clip(origin[1], up + 2, max(up + 2, height - 3)))
    write(image, text, (left, bottom), size, color)


def write(image: Image, text: str, origin: tuple[int, int], size: float, color: Color) -> None:
    """Draw a line of text with a dark outline; origin is its lower left corner, pixels."""
    for tone, width in ((SHADOW, 3), (color, 1)):
        cv2.putText(image, text, origin, FONT, size, tone, width, cv2.LINE_AA)


def draw_outlined(image: Image, chains: Sequence[NDArray], closed: bool, color: Color, width: int) -> None:
    """Draw polylines through fixed-point chains with a dark outline, visible on any background."""
    cv2.polylines(image, list(chains), closed, SHADOW, width + 2, cv2.LINE_AA, SHIFT)
    cv2.polylines(image, list(chains), closed, color, width, cv2.LINE_AA, SHIFT)
