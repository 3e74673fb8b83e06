"""Ambient occlusion: how much of its surroundings each vertex sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.drawing.projection import vertex_normals
from face_expr_ros.kernels import rasterizer

Float32 = NDArray[np.float32]

_DIRECTIONS = 64
_SIZE = 176  # of a depth map, pixels
_TOLERANCE = 0.0035  # meters a vertex may lie behind the depth map and still see out
# Light that reaches a hidden place through the skin and from its surroundings, for blue, green and red.
_REST = np.array([0.30, 0.34, 0.46])


def openness(vertices: NDArray, triangles: NDArray[np.int32], corners: csr_matrix) -> Float32:
    """Factors (V, 3) on blue, green and red light: 1 in the open, less in folds, nostrils and behind the ears.

    The cosine-weighted share of directions into which a vertex sees past the surface, from depth maps of the surface
    seen from many directions, smoothed over neighbors; red light suffers least, since skin passes it on.

    Args:
        vertices: (V, 3) meters.
        triangles: (T, 3) of the closed surface.
        corners: its `projection.corner_operator`.
    """
    vertices = vertices.astype(np.float32)
    normals = vertex_normals(vertices, triangles, corners)
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
    for direction in _sphere(_DIRECTIONS):
        cosine = np.clip(normals @ direction, 0.0, None)
        seen += cosine * _sees_out(vertices, triangles, direction)
        total += cosine
    share = _smoothed(seen / total, triangles, corners)[:, None]
    rest = _REST
    return (rest + (1 - rest) * np.clip(share * 1.12, 0.0, 1.0)).astype(np.float32)


def _sphere(count: int) -> NDArray:
    """Directions spread evenly over the sphere (Fibonacci)."""
    n = np.arange(count) + 0.5
    height, turn = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(turn), height, radius * np.sin(turn)])


def _sees_out(vertices: NDArray, triangles: NDArray[np.int32], direction: NDArray) -> NDArray[np.bool_]:
    """Whether each vertex sees the sky in one direction, by an orthographic depth map from there."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[1]) > 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, helper)
    right /= np.linalg.norm(right)
    down = np.cross(right, direction)
    turned = vertices @ np.column_stack([right, -down, -direction]).astype(np.float32)
    low, high = turned.min(axis=0), turned.max(axis=0)
    pixels = (turned[:, :2] - low[:2]) / (high - low)[:2].max() * (_SIZE - 1)
    points = np.column_stack([pixels, turned[:, 2] - low[2] + 1.0]).astype(np.float32)
    depth, _ = rasterizer.depth_map(points, triangles, _SIZE, _SIZE, cull=False)
    return rasterizer.visible_vertices(points, depth, _TOLERANCE)


def _smoothed(values: NDArray, triangles: NDArray[np.int32], corners: csr_matrix, rounds: int = 2) -> NDArray:
    count = np.maximum(np.asarray(corners.sum(axis=1)).ravel(), 1.0)
    for _ in range(rounds):
        values = corners @ values[triangles].mean(axis=1) / count
    return values
