"""Lens distortion: OpenCV's polynomial model and its fisheye model, between pixels and directions.

A direction is x/z and y/z in the camera frame. OpenCV's own inverses iterate a fixed number of times and return
arbitrary or marker values where they do not converge; the ones here converge or stay at the edge of the lens.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from face_expr_ros.core.types import Camera, FloatArray

_MAX_ANGLE = math.radians(88.0)  # from the optical axis; at 90 degrees a direction is infinite
_ITERATIONS = 20
_UNDISTORTION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)


def is_distorted(camera: Camera) -> bool:
    """Whether the image differs from that of an ideal pinhole camera."""
    return camera.lens == "fisheye" or bool(camera.distortion.size and camera.distortion.any())


def undistort_lens(points: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (n, 2) as directions (n, 2); those outside a fisheye's field are at 88 degrees from the axis."""
    if camera.lens == "fisheye":
        return _undistort_fisheye(points, camera)
    undistorted = cv2.undistortPointsIter(
        points[:, None], camera.matrix, camera.distortion, np.eye(3), np.eye(3), _UNDISTORTION
    )
    return np.asarray(undistorted[:, 0], dtype=np.float64)


def project_lens(points: FloatArray, camera: Camera) -> FloatArray:
    """Points (n, 3) of the camera frame as pixels (n, 2)."""
    if camera.lens == "fisheye":
        return _project_fisheye(points, camera)
    flat = np.zeros(3)
    return cv2.projectPoints(points, flat, flat, camera.matrix, camera.distortion)[0][:, 0]


def magnification(directions: FloatArray, camera: Camera) -> FloatArray:
    """(n,) distance from the image center of directions (n, 2), relative to a lens without distortion.

    Only the radial part is considered.
    """
    radius = np.hypot(directions[:, 0], directions[:, 1])
    if not is_distorted(camera):
        return np.ones(len(radius))
    if camera.lens == "fisheye":
        angle = np.arctan(radius)
        bent, tangent = _bent(angle, camera.distortion)[0], np.maximum(radius, 1e-9)
        return np.where(radius > 1e-9, bent / tangent, 1.0)
    k1, k2, _, _, k3, k4, k5, k6 = np.pad(camera.distortion[:8], (0, max(0, 8 - len(camera.distortion)))).tolist()
    square = radius**2
    numerator = 1.0 + square * (k1 + square * (k2 + square * k3))
    return np.asarray(numerator / (1.0 + square * (k4 + square * (k5 + square * k6))))


def _project_fisheye(points: FloatArray, camera: Camera) -> FloatArray:
    radius = np.hypot(points[:, 0], points[:, 1])
    bent = _bent(np.arctan2(radius, points[:, 2]), camera.distortion)[0]
    # On the axis, where the radius is 0, the limit of bent / radius is 1 / z.
    scale = np.where(radius > 1e-12, bent / np.maximum(radius, 1e-12), 1.0 / np.maximum(np.abs(points[:, 2]), 1e-12))
    return _to_pixels(points[:, :2] * scale[:, None], camera)


def _undistort_fisheye(points: FloatArray, camera: Camera) -> FloatArray:
    (fx, skew, cx), (_, fy, cy), _ = camera.matrix.tolist()
    y = (points[:, 1] - cy) / fy
    plane = np.column_stack([(points[:, 0] - cx - skew * y) / fx, y])
    bent = np.hypot(plane[:, 0], plane[:, 1])
    angle = _unbent(bent, camera.distortion)
    scale = np.where(bent > 1e-12, np.tan(angle) / np.maximum(bent, 1e-12), 1.0)
    directions: FloatArray = plane * scale[:, None]
    return directions


def _to_pixels(plane: FloatArray, camera: Camera) -> FloatArray:
    pixels: FloatArray = plane @ camera.matrix[:2, :2].T + camera.matrix[:2, 2]
    return pixels


def _bent(angle: FloatArray, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Radius on the plane z = 1 for an angle from the axis in radians, and its derivative (Kannala and Brandt, 2006).

    OpenCV's fisheye model: angle (1 + k1 angle^2 + k2 angle^4 + k3 angle^6 + k4 angle^8).
    """
    k1, k2, k3, k4 = coefficients.tolist() if len(coefficients) else (0.0, 0.0, 0.0, 0.0)
    square = angle * angle
    radius = angle * (1.0 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
    slope = 1.0 + square * (3.0 * k1 + square * (5.0 * k2 + square * (7.0 * k3 + square * 9.0 * k4)))
    return radius, slope


def _unbent(radius: FloatArray, coefficients: FloatArray) -> FloatArray:
    """The angle of a radius: Newton's method, with angles limited to the increasing part of the model."""
    steps = np.linspace(0.0, _MAX_ANGLE, 256)
    values, slopes = _bent(steps, coefficients)
    falling = np.flatnonzero(slopes <= 0.0)
    last = falling[0] - 1 if len(falling) else len(steps) - 1
    angle = np.interp(radius, values[: last + 1], steps[: last + 1])
    for _ in range(_ITERATIONS):
        value, slope = _bent(angle, coefficients)
        step = (value - radius) / np.maximum(slope, 1e-3)
        angle = np.clip(angle - step, 0.0, steps[last])
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    return np.asarray(angle)
