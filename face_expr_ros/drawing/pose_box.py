"""Draws the head pose as a box around the face with its three angles."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import euler_angles
from face_expr_ros.core.types import FaceFit, FloatArray
from face_expr_ros.drawing.line_drawing import (
    Color,
    Image,
    draw_outlined,
    fixed_point,
    is_drawable,
    line_thickness,
    text_scale,
    text_size,
    write_inside,
)
from face_expr_ros.drawing.projection import fit_pixels

_MARGIN = 0.012  # meters around the 68 points
_FORWARD = 0.06  # meters from the nose to the front of the box
_FRONT_SCALE = 1.2  # size of the front relative to the back, so that they are distinguishable
_MIN_TEXT = 0.6  # smallest factor on the text size; smaller text could not be read
_WHITE: Color = (245, 245, 245)


def draw_pose(image: Image, fit: FaceFit, model: MorphableModel, color: Color) -> None:
    """Draw a box from the back of the 68 points to in front of the nose, and the angles in degrees, in place.

    The box is drawn in the fit's weak perspective: in full perspective the front of a near face's box would leave the
    image.
    """
    pixels = fit_pixels(fit, pose_box(model), image.shape[0])
    if not is_drawable(pixels[:, :2]):
        return
    fixed, width = fixed_point(pixels[:, :2]), line_thickness(pixels) + 1
    draw_outlined(image, [fixed[:4]], True, color, width)
    draw_outlined(image, [fixed[[n, n + 4]] for n in range(4)], False, color, width)
    draw_outlined(image, [fixed[4:]], True, _WHITE, width)
    angles = np.degrees(euler_angles(fit.pose.rotation))
    _label(image, "yaw {:+.0f}  pitch {:+.0f}  roll {:+.0f}".format(*angles), pixels, width)


def pose_box(model: MorphableModel) -> FloatArray:
    """The (8, 3) corners of the box in model axes, meters: back and then front, each in cyclic order."""
    points = model.mean[model.landmarks68]
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    back = np.array([[x, y, low[2]] for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))])
    back[:, :2] = np.where(back[:, :2] > 0, high[:2], low[:2])
    center = (low + high) / 2
    front = center + (back - center) * _FRONT_SCALE
    front[:, 2] = high[2] + _FORWARD
    return np.vstack([back, front])


def _label(image: Image, text: str, pixels: FloatArray, width: int) -> None:
    """Draw the text below the box, or above it at the lower border of the image."""
    size = (0.35 + 0.15 * width) * text_scale(image)
    room = 1.2 * float(np.ptp(pixels[:, 0])) / text_size(text, size)[0]
    size *= min(1.0, max(_MIN_TEXT, room))  # texts of neighboring faces do not overlap
    across, up = text_size(text, size)
    below, above = round(float(pixels[:, 1].max())) + up + 8, round(float(pixels[:, 1].min())) - 8
    left = round(float(pixels[:, 0].mean()) - across / 2)
    write_inside(image, text, (left, below if below < image.shape[0] - 2 else above), size, _WHITE)
