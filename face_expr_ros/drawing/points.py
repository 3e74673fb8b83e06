"""Draws a fit as points: the 68 iBUG points with their lines, or all visible vertices."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Face, FloatArray
from face_expr_ros.drawing import surface
from face_expr_ros.drawing.line_drawing import (
    SHADOW,
    SHIFT,
    Color,
    Image,
    color_of,
    draw_outlined,
    fixed_point,
    is_drawable,
    line_thickness,
)

# iBUG's 68 points: jaw line, brows, bridge, nostrils; eyes, outer and inner lips.
OPEN_CHAINS = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
CLOSED_CHAINS = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))

_WHITE: Color = (255, 255, 255)
_SPACING = 320.0  # face width per pixel of a dot's radius, pixels
_ROOM = 4.0  # minimum area of the face's box per dot, in areas of a dot


def draw_landmarks68(image: Image, points: FloatArray, color: Color) -> None:
    """Draw the 68 points (68, >= 2), pixels, as dots joined by lines, in place."""
    if not is_drawable(points[:, :2]):
        return
    fixed, width = fixed_point(points[:, :2]), line_thickness(points)
    draw_outlined(image, [fixed[list(chain)] for chain in OPEN_CHAINS], False, color, width)
    draw_outlined(image, [fixed[list(chain)] for chain in CLOSED_CHAINS], True, color, width)
    for center in fixed.tolist():
        for radius, tone in ((width + 1.1, SHADOW), (width + 0.3, _WHITE)):
            cv2.circle(image, center, round(radius * (1 << SHIFT)), tone, cv2.FILLED, cv2.LINE_AA, SHIFT)


def draw_vertices(image: Image, faces: Sequence[Face], model: MorphableModel, camera: Camera) -> None:
    """Draw the visible vertices of the fitted faces as dots in the color of their face, in place.

    A vertex is visible if no surface of this or another face occludes it. Only every n-th vertex is drawn where dots
    would overlap.
    """
    front = surface.front(model)
    height, width = image.shape[:2]
    # Farthest first, so that at the border of a face the dots of the nearer face are on top.
    far_first = sorted(faces, key=lambda face: -float(face.fit.pose.position[2]))
    results = [(face.id, surface.project_face(face.fit, model, camera, height)) for face in far_first]
    projected = [face for _, face in results if face is not None]
    colors = [color_of(face_id) for face_id, face in results if face is not None]
    for tile in surface.tiles(projected, front, width, height):
        for face, color in zip(projected, colors, strict=True):
            radius, step = _dot_size(face.pixels[front.vertices])
            points = face.pixels[front.vertices[::step]]
            _dots(image, points[tile.visible(points)], color, radius)


def _dot_size(points: NDArray) -> tuple[int, int]:
    """Radius of the dots of a face with these points (n, >= 2), and the step at which they do not overlap."""
    across, down = np.ptp(points[:, :2], axis=0).tolist()
    radius = round(min(across / _SPACING, 20.0))
    room = across * down / (_ROOM * (2 * radius + 1) ** 2)
    return radius, max(1, round(len(points) / max(room, 1.0)))


def _dots(image: Image, points: NDArray, color: Color, radius: int) -> None:
    """Draw round dots at pixels (n, >= 2), each (2 radius + 1) wide."""
    x, y = np.round(points[:, :2]).astype(int).T
    for down in range(-radius, radius + 1):
        for across in range(-radius, radius + 1):
            if np.hypot(down, across) <= radius:
                row, column = y + down, x + across
                inside = (row >= 0) & (column >= 0) & (row < image.shape[0]) & (column < image.shape[1])
                image[row[inside], column[inside]] = color
