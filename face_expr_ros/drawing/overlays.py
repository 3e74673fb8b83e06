"""Draws results onto an image: boxes with ids, landmarks, axes, blendshape bars and the fitted mesh."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.facemesh_regions import CLOSED_CONTOURS, IRISES, OPEN_CONTOURS
from face_expr_ros.core.geometry import FACE_FRAME, project, to_camera
from face_expr_ros.core.types import Blendshapes, Camera, Face, FloatArray, Frame, Pose, Roi
from face_expr_ros.drawing.line_drawing import (
    FONT,
    SHADOW,
    SHIFT,
    Color,
    Image,
    color_of,
    fixed_point,
    is_drawable,
    text_scale,
    write_inside,
)
from face_expr_ros.drawing.mesh_overlay import draw_mesh
from face_expr_ros.drawing.points import draw_landmarks68

_AXIS_COLORS: tuple[Color, ...] = ((60, 60, 235), (80, 200, 60), (240, 130, 50))  # x red, y green, z blue
_AXIS_LENGTH = 0.06  # meters
_MIN_DISTANCE = 0.01  # minimum distance in front of the camera for projection, meters
_BARS, _BAR_MIN = 6, 0.08  # maximum number of bars, and minimum value of a bar


def annotate(frame: Frame, faces: Sequence[Face], model: MorphableModel, *, mesh: bool = False) -> Image:
    """A copy of the frame's image with all results drawn onto it.

    Args:
        frame: the image and its camera.
        faces: the faces of the frame.
        model: the face model of the fits.
        mesh: also draw the fitted model as a transparent mesh, if it has a surface.
    Returns:
        (height, width, 3) uint8 BGR.
    """
    image = frame.image.copy()
    if mesh and not model.sparse:
        draw_mesh(image, [face.fit for face in faces], model, frame.camera)
    panels: list[Roi] = []
    for face in faces:
        color = color_of(face.id)
        if face.landmarks is not None:
            draw_landmarks(image, face.landmarks.points, color)
        else:
            draw_landmarks68(image, face.fit.landmarks68, color)
        draw_axes(image, face.fit.pose, frame.camera)
        draw_box(image, face.roi, face.id, color)
        occupied = [*panels, *(_head(other.roi) for other in faces if other is not face)]
        panel = draw_bars(image, face.blendshapes, face.roi, color, occupied)
        panels += [] if panel is None else [panel]
    return image


def draw_landmarks(image: Image, points: FloatArray, color: Color) -> None:
    """Draw FaceMesh points (>= 468, >= 2), pixels, as dots, and eyes, brows, lips, nose and outline as lines."""
    if not is_drawable(points[:, :2]):
        return
    _dots(image, points[:, :2], color)
    fixed = fixed_point(points[:, :2])
    for chains, closed in ((CLOSED_CONTOURS, True), (OPEN_CONTOURS, False)):
        lines = [fixed[list(chain)] for chain in chains if max(chain) < len(fixed)]
        cv2.polylines(image, lines, closed, color, 1, cv2.LINE_AA, SHIFT)
    for center, *rim in (iris for iris in IRISES if max(iris) < len(fixed)):
        radius = round(float(np.linalg.norm(fixed[rim] - fixed[center], axis=1).mean()))
        cv2.circle(image, fixed[center].tolist(), radius, color, 1, cv2.LINE_AA, SHIFT)


def draw_axes(image: Image, pose: Pose, camera: Camera, length: float = _AXIS_LENGTH) -> None:
    """Draw the face frame at the sellion: x (red) out of the face, y (green) to its left, z (blue) up."""
    ends = to_camera(np.vstack([np.zeros(3), FACE_FRAME.T * length]), pose)
    if not np.isfinite(ends).all() or (ends[:, 2] < _MIN_DISTANCE).any():
        return
    pixels = project(ends, camera)
    if not is_drawable(pixels):
        return
    origin, *tips = fixed_point(pixels).tolist()
    # Farthest first, so that the axis that points at the viewer is on top.
    for axis in np.argsort(-ends[1:, 2]):
        cv2.line(image, origin, tips[axis], SHADOW, 4, cv2.LINE_AA, SHIFT)
        cv2.line(image, origin, tips[axis], _AXIS_COLORS[axis], 2, cv2.LINE_AA, SHIFT)


def draw_box(image: Image, roi: Roi, label: str, color: Color) -> None:
    """Draw the corners of a box and its label."""
    if not is_drawable(np.array([[roi.x, roi.y], [roi.x + roi.width, roi.y + roi.height]])):
        return
    left, top, right, bottom = (round(v) for v in (roi.x, roi.y, roi.x + roi.width, roi.y + roi.height))
    arm = max(4, round(0.12 * min(roi.width, roi.height)))
    corners = [
        np.array([[x + dx * arm, y], [x, y], [x, y + dy * arm]])
        for x, dx in ((left, 1), (right, -1))
        for y, dy in ((top, 1), (bottom, -1))
    ]
    cv2.polylines(image, corners, False, color, 2, cv2.LINE_AA)
    write_inside(image, label, (left, top - 8), 0.6 * text_scale(image), color)


def draw_bars(
    image: Image, blendshapes: Blendshapes, roi: Roi, color: Color, occupied: Sequence[Roi] = ()
) -> Roi | None:
    """Draw the strongest blendshapes as bars beside the box, in the order of the names.

    The bars are to the right of the box, or to the left if the image ends or something is on the right. Without room on
    either side, none are drawn.

    Args:
        occupied: other heads, and bars, that must not be covered.

    Returns:
        Where the bars are; None if none are drawn.
    """
    values = np.nan_to_num(np.asarray(blendshapes.values, dtype=float))
    strongest = np.sort(np.argsort(-values)[:_BARS])
    shown = [int(n) for n in strongest if values[n] >= _BAR_MIN]
    height, width = image.shape[:2]
    row, panel = 20, 168
    size = row * len(shown) + 6
    if not shown or not is_drawable(np.array([[roi.x, roi.y]])) or width < panel + 16 or height < size + 8:
        return None
    candidates = (round(roi.x + roi.width) + 12, round(roi.x) - panel - 12)
    top = int(np.clip(roi.y, 4, max(4, height - size - 4)))
    places = (Roi(x, top, panel, size) for x in candidates if 0 <= x <= width - panel)
    place = next((place for place in places if not any(_overlap(place, other) for other in occupied)), None)
    if place is None:
        return None
    left = round(place.x)
    _darken(image, left, top, panel, size)
    for position, n in enumerate(shown):
        y = top + 6 + position * row
        length = round((panel - 12) * min(1.0, float(values[n])))
        cv2.rectangle(image, (left + 6, y + 11), (left + panel - 6, y + 14), (90, 90, 90), cv2.FILLED)
        cv2.rectangle(image, (left + 6, y + 11), (left + 6 + length, y + 14), color, cv2.FILLED)
        cv2.putText(image, blendshapes.names[n], (left + 6, y + 8), FONT, 0.36, (235, 235, 235), 1, cv2.LINE_AA)
        value = f"{values[n]:.2f}"
        cv2.putText(image, value, (left + panel - 32, y + 8), FONT, 0.36, (190, 190, 190), 1, cv2.LINE_AA)
    return place


def _head(roi: Roi) -> Roi:
    """The head around the box of a face: with hair, ears and neck."""
    return Roi(roi.x - 0.2 * roi.width, roi.y - 0.4 * roi.height, 1.4 * roi.width, 1.7 * roi.height)


def _overlap(first: Roi, second: Roi) -> bool:
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


def _dots(image: Image, points: NDArray, color: Color) -> None:
    """Blend the color into the pixels at the points with half opacity."""
    x, y = np.round(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    x, y = x[inside], y[inside]
    image[y, x] = (image[y, x].astype(np.uint16) + np.array(color, np.uint16)) // 2


def _darken(image: Image, left: int, top: int, width: int, height: int) -> None:
    panel = image[top : top + height, left : left + width]
    panel[:] = panel // 2 - panel // 8
