"""A fit as points: the 68 of iBUG with their lines, or every vertex that is seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Face, FloatArray
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.pen import (
    SHADOW,
    SHIFT,
    Color,
    Image,
    color_of,
    drawable,
    fixed_point,
    outlined,
    thickness,
)

# iBUG's 68 points: jaw line, brows, bridge, nostrils; eyes, outer and inner lips.
OPEN_CHAINS = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
CLOSED_CHAINS = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))

_WHITE: Color = (255, 255, 255)
_SPACING = 320.0  # pixels of face for a pixel of a dot's radius
_ROOM = 4.0  # a dot's share of the face's box, in its own size


def draw_landmarks68(image: Image, points: FloatArray, color: Color) -> None:
    """The 68 points (68, >= 2) in pixels: a dot each, joined by lines; in place."""
    if not drawable(points[:, :2]):
        return
    fixed, width = fixed_point(points[:, :2]), thickness(points)
    outlined(image, [fixed[list(chain)] for chain in OPEN_CHAINS], False, color, width)
    outlined(image, [fixed[list(chain)] for chain in CLOSED_CHAINS], True, color, width)
    for center in fixed.tolist():
        for radius, tone in ((width + 1.1, SHADOW), (width + 0.3, _WHITE)):
            cv2.circle(image, center, round(radius * (1 << SHIFT)), tone, cv2.FILLED, cv2.LINE_AA, SHIFT)


def draw_vertices(image: Image, faces: Sequence[Face], model: MorphableModel, camera: Camera) -> None:
    """The vertices of the fitted faces that are seen, as dots in the color of their face; in place.

    A vertex is seen when no surface of this or another face hides it. Where they would run into one another only every
    n-th is drawn.
    """
    front = surface.front(model)
    height, width = image.shape[:2]
    # The farthest first: at the border of a face the dots of the nearer one lie on top.
    far_first = sorted(faces, key=lambda face: -float(face.fit.pose.position[2]))
    shown = [(face, surface.place(face.fit, model, camera, height)) for face in far_first]
    placed = [one for _, one in shown if one is not None]
    colors = [color_of(face.id) for face, one in shown if one is not None]
    for tile in surface.tiles(placed, front, width, height):
        for one, color in zip(placed, colors, strict=True):
            radius, step = _dot_size(one.pixels[front.vertices])
            points = one.pixels[front.vertices[::step]]
            _dots(image, points[tile.sees(points)], color, radius)


def _dot_size(points: NDArray) -> tuple[int, int]:
    """Radius of the dots of a face with these pixels (n, >= 2), and every how many there is room for."""
    across, down = np.ptp(points[:, :2], axis=0).tolist()
    radius = round(min(across / _SPACING, 20.0))
    room = across * down / (_ROOM * (2 * radius + 1) ** 2)
    return radius, max(1, round(len(points) / max(room, 1.0)))


def _dots(image: Image, points: NDArray, color: Color, radius: int) -> None:
    """Round dots at pixels (n, >= 2), each (2 radius + 1) wide."""
    x, y = np.round(points[:, :2]).astype(int).T
    for down in range(-radius, radius + 1):
        for across in range(-radius, radius + 1):
            if np.hypot(down, across) <= radius:
                row, column = y + down, x + across
                inside = (row >= 0) & (column >= 0) & (row < image.shape[0]) & (column < image.shape[1])
                image[row[inside], column[inside]] = color
