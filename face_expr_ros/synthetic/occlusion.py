"""Ambient occlusion: the fraction of ambient light that reaches each vertex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.drawing.projection import vertex_normals
from face_expr_ros.kernels import rasterizer

Float32 = NDArray[np.float32]

_DIRECTIONS = 64
_SIZE = 176  # width and height of a depth map, pixels
_TOLERANCE = 0.0035  # meters behind the depth map up to which a vertex counts as unoccluded
# Light that reaches an occluded vertex through the skin and by interreflection, for blue, green and red.
_MIN_LIGHT = np.array([0.30, 0.34, 0.46])


def ambient_occlusion(vertices: NDArray, triangles: NDArray[np.int32], corners: csr_matrix) -> Float32:
    """Factors (V, 3) on blue, green and red light: 1 if unoccluded, less in folds, nostrils and behind the ears.

    The cosine-weighted fraction of unoccluded directions, from depth maps along many directions, smoothed over
    neighbors. Red light is reduced least because of subsurface scattering.

    Args:
        vertices: (V, 3) meters.
        triangles: (T, 3) of the closed surface.
        corners: the surface's `projection.corner_operator`.
    """
    vertices = vertices.astype(np.float32)
    normals = vertex_normals(vertices, triangles, corners)
    unoccluded, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
    for direction in _fibonacci_sphere(_DIRECTIONS):
        cosine = np.clip(normals @ direction, 0.0, None)
        unoccluded += cosine * _unoccluded(vertices, triangles, direction)
        total += cosine
    share = _smoothed(unoccluded / total, triangles, corners)[:, None]
    return (_MIN_LIGHT + (1 - _MIN_LIGHT) * np.clip(share * 1.12, 0.0, 1.0)).astype(np.float32)


def _fibonacci_sphere(count: int) -> NDArray:
    """(count, 3) directions distributed evenly over the sphere."""
    n = np.arange(count) + 0.5
    height, angle = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(angle), height, radius * np.sin(angle)])


def _unoccluded(vertices: NDArray, triangles: NDArray[np.int32], direction: NDArray) -> NDArray[np.bool_]:
    """(V,) whether each vertex is unoccluded along one direction, by an orthographic depth map."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[1]) > 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, helper)
    right /= np.linalg.norm(right)
    down = np.cross(right, direction)
    rotated = vertices @ np.column_stack([right, -down, -direction]).astype(np.float32)
    low, high = rotated.min(axis=0), rotated.max(axis=0)
    pixels = (rotated[:, :2] - low[:2]) / (high - low)[:2].max() * (_SIZE - 1)
    points = np.column_stack([pixels, rotated[:, 2] - low[2] + 1.0]).astype(np.float32)
    depth, _ = rasterizer.depth_map(points, triangles, _SIZE, _SIZE, cull=False)
    return rasterizer.visible_vertices(points, depth, _TOLERANCE)


def _smoothed(values: NDArray, triangles: NDArray[np.int32], corners: csr_matrix, rounds: int = 2) -> NDArray:
    count = np.maximum(np.asarray(corners.sum(axis=1)).ravel(), 1.0)
    for _ in range(rounds):
        values = corners @ values[triangles].mean(axis=1) / count
    return values
