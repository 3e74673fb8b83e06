"""Projection from the camera frame to pixels, and normals for shading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import project, to_camera
from face_expr_ros.core.ibug import apparent_turn
from face_expr_ros.core.types import Camera, FaceFit, FloatArray

Float32 = NDArray[np.float32]


def to_pixels(points: FloatArray, camera: Camera) -> Float32:
    """Project points (V, 3) of the camera frame through a pinhole: x, y in pixels, z in meters.

    Equals ``cv2.projectPoints`` without distortion. Points at or behind the camera keep their z and are not drawn.
    """
    pixels = np.array(points, np.float32)
    z = np.where(pixels[:, 2] > 0, pixels[:, 2], np.float32(1))
    matrix = camera.matrix.astype(np.float32)
    x, y = pixels[:, 0] / z, pixels[:, 1] / z
    pixels[:, 0] = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    pixels[:, 1] = matrix[1, 1] * y + matrix[1, 2]
    return pixels


def fit_pixels(fit: FaceFit, vertices: FloatArray, height: int) -> FloatArray:
    """Project vertices (V, 3) in model axes with the weak perspective of a fit, in an image of ``height`` rows.

    Returns:
        (V, 3): x, y in pixels; z in the same scale relative to the sellion, smaller is nearer.
    """
    moved = vertices @ fit.weak_perspective[:, :3].T + fit.weak_perspective[:, 3]
    return np.column_stack([moved[:, 0] - 1, height - moved[:, 1], -moved[:, 2]])


def fit_in_image(fit: FaceFit, vertices: FloatArray, model: MorphableModel, camera: Camera, height: int) -> Float32:
    """Project vertices (V, 3) in model axes with the projection of the fit: x, y in pixels, z in meters.

    Fits of a network use a weak perspective, fits to landmarks full perspective; near the camera the two differ by
    several pixels at the ears. The projection that agrees better with the fit's own 68 points is used.

    Args:
        model: gives the iBUG points of the vertices.
        height: rows of the image.
    """
    points = to_camera(vertices, fit.pose)
    full = np.column_stack([project(points, camera), points[:, 2]])
    weak = fit_pixels(fit, vertices, height)
    scale = np.linalg.norm(fit.weak_perspective[:2, :3], axis=1).mean()
    weak[:, 2] = fit.pose.position[2] + weak[:, 2] / max(scale, 1e-6)
    points68 = model.ibug_points(vertices, apparent_turn(fit.weak_perspective))
    projections = (project(to_camera(points68, fit.pose), camera), fit_pixels(fit, points68, height)[:, :2])
    errors = [np.abs(pixels - fit.landmarks68[:, :2]).mean() for pixels in projections]
    return np.asarray(weak if errors[1] < errors[0] else full, np.float32)


def bounding_box(pixels: Sequence[NDArray], width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of points (V, 3) in an image; None if they cover no pixels.

    Points behind the camera and points that are not finite are ignored.
    """
    x, y, z = np.concatenate([*pixels, np.zeros((0, 3))]).T
    valid = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (z > 0)
    if not valid.any():
        return None
    x, y = x[valid], y[valid]
    left, top = (int(v) for v in np.clip(np.floor([x.min(), y.min()]) - 1, 0, [width, height]))
    right, bottom = (int(v) for v in np.clip(np.ceil([x.max(), y.max()]) + 2, 0, [width, height]))
    return None if right <= left or bottom <= top else (left, top, right, bottom)


def facing_normals(normals: FloatArray, points: FloatArray) -> Float32:
    """Normals of the camera frame relative to each point's viewing ray: (0, 0, -1) faces the camera.

    First-order approximation in the angle between the ray and the optical axis, sufficient for light maps.
    """
    nearest = 1 / np.maximum(points[:, 2], 1e-3)
    across, down = points[:, 0] * nearest, points[:, 1] * nearest
    x, y, z = normals.T
    return np.column_stack([x - z * across, y - z * down, z + x * across + y * down]).astype(np.float32)
