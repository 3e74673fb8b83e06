"""From the camera frame to pixels, and the normals that shading needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.values import Camera, FloatArray

Float32 = NDArray[np.float32]


def to_pixels(points: FloatArray, camera: Camera) -> Float32:
    """Points (V, 3) of the camera frame as x, y in pixels and z in meters, through a pinhole.

    Equals ``cv2.projectPoints`` without distortion; points at or behind the camera keep their z and are never drawn.
    """
    z = np.where(points[:, 2:] > 0, points[:, 2:], 1.0)
    pixels = (points / z) @ camera.matrix.T
    return np.column_stack([pixels[:, :2], points[:, 2]]).astype(np.float32)


def bounding_box(pixels: Sequence[NDArray], width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the pixels that points (V, 3) cover in an image; None where they cover none.

    Points behind the camera and ones that are not finite do not count.
    """
    seen = [p[np.isfinite(p).all(axis=1) & (p[:, 2] > 0)] for p in pixels]
    points = np.concatenate(seen) if seen else np.zeros((0, 3))
    if not len(points):
        return None
    left, top = (int(v) for v in np.clip(np.floor(points[:, :2].min(axis=0)) - 1, 0, [width, height]))
    right, bottom = (int(v) for v in np.clip(np.ceil(points[:, :2].max(axis=0)) + 2, 0, [width, height]))
    return None if right <= left or bottom <= top else (left, top, right, bottom)


def corner_operator(triangles: NDArray[np.integer], vertex_count: int) -> csr_matrix:
    """The (vertex_count, T) matrix that sums values of triangles at their corners."""
    columns = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(triangles.size, np.float32)
    return csr_matrix((ones, (triangles.ravel(), columns)), shape=(vertex_count, len(triangles)))


def vertex_normals(vertices: FloatArray, triangles: NDArray[np.integer], corners: csr_matrix) -> Float32:
    """Unit normals (V, 3) as the area-weighted mean of the triangles around each vertex; 0 where there is none.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        corners: from `corner_operator`.
    """
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    normals = corners @ np.cross(b - a, c - a).astype(np.float32)
    unit: Float32 = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return unit


def facing_normals(normals: FloatArray, points: FloatArray) -> Float32:
    """Normals of the camera frame as seen along each point's own ray: (0, 0, -1) faces the camera.

    To first order in the angle between the ray and the optical axis, which is all that a map of lights needs.
    """
    slope = points[:, :2] / np.maximum(points[:, 2:], 1e-3)
    towards = normals[:, 2:] + (normals[:, :2] * slope).sum(axis=1, keepdims=True)
    return np.hstack([normals[:, :2] - normals[:, 2:] * slope, towards]).astype(np.float32)
