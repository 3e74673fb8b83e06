"""What all line drawings share: a color for each id, text, and points that OpenCV can draw."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

FONT = cv2.FONT_HERSHEY_SIMPLEX
SHADOW: Color = (20, 20, 20)
SHIFT = 4  # fractional bits of the coordinates that cv2 draws with

# Blue, green, red; one for each id, in turn.
_PALETTE: tuple[Color, ...] = ((255, 200, 70), (110, 220, 120), (90, 160, 255), (220, 130, 240), (90, 220, 240))
_FINE_FACE = 320.0  # pixels; lines of larger faces are thicker


def color_of(face_id: str) -> Color:
    """The same color for the same id, neighbors differ."""
    number = int(face_id) if face_id.isdecimal() else sum(face_id.encode())
    return _PALETTE[number % len(_PALETTE)]


def drawable(points: NDArray) -> bool:
    """Whether OpenCV's 32-bit fixed-point drawing can take these pixels."""
    return bool(np.isfinite(points).all() and (np.abs(points) < 30_000).all())


def fixed_point(points: NDArray) -> NDArray[np.int32]:
    """Pixels (..., 2) in the fixed point that cv2's drawing takes with `SHIFT`."""
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def thickness(points: NDArray) -> int:
    """Of lines on a face with these pixels (n, >= 2), so that a large face is not drawn in hairlines."""
    size = float(np.ptp(points[:, :2], axis=0).max()) if np.isfinite(points).all() else 0.0
    return int(np.clip(round(size / _FINE_FACE), 1, 16))


def write(image: Image, text: str, origin: tuple[int, int], size: float, color: Color) -> None:
    """A line of text with a dark rim; origin is its lower left corner."""
    for tone, width in ((SHADOW, 3), (color, 1)):
        cv2.putText(image, text, origin, FONT, size, tone, width, cv2.LINE_AA)


def outlined(image: Image, chains: Sequence[NDArray], closed: bool, color: Color, width: int) -> None:
    """Lines through fixed-point chains with a dark rim, so that they show on any ground."""
    cv2.polylines(image, list(chains), closed, SHADOW, width + 2, cv2.LINE_AA, SHIFT)
    cv2.polylines(image, list(chains), closed, color, width, cv2.LINE_AA, SHIFT)
