"""Ambient occlusion: the fraction of ambient light that reaches each vertex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.kernels import rasterizer
from face_expr_ros.synthetic.normals import vertex_normals

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
        corners: the surface's `normals.corner_operator`.
    """
    vertices = vertices.astype(np.float32)
    normals = vertex_normals(vertices, triangles, corners)
    free = unoccluded_share(vertices, normals, Occluder(vertices, triangles, cull=False))
    share = smoothed(free, triangles, corners)[:, None]
    return (_MIN_LIGHT + (1 - _MIN_LIGHT) * np.clip(share * 1.12, 0.0, 1.0)).astype(np.float32)


@dataclass(frozen=True)
class Occluder:
    """A surface that casts shadows: vertices (V, 3), triangles (T, 3), and whether only their outer side counts."""

    vertices: NDArray
    triangles: NDArray[np.int32]
    cull: bool = True


def unoccluded_share(points: NDArray, normals: NDArray, occluder: Occluder) -> NDArray:
    """The cosine-weighted fraction (n,) of directions in which points (n, 3) with normals (n, 3) are not occluded."""
    unoccluded, total = np.zeros(len(points)), np.full(len(points), 1e-6)
    for direction in _fibonacci_sphere(_DIRECTIONS):
        cosine = np.clip(normals @ direction, 0.0, None)
        unoccluded += cosine * reached_from(direction, points, (occluder,))
        total += cosine
    share: NDArray = unoccluded / total
    return share


def _fibonacci_sphere(count: int) -> NDArray:
    """(count, 3) directions distributed evenly over the sphere."""
    n = np.arange(count) + 0.5
    height, angle = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(angle), height, radius * np.sin(angle)])


def reached_from(
    direction: NDArray, points: NDArray, occluders: Sequence[Occluder], side: int = _SIZE, tolerance: float = _TOLERANCE
) -> NDArray[np.bool_]:
    """(n,) whether light from a direction reaches points (n, 3) past surfaces, by an orthographic depth map.

    Args:
        direction: (3,) unit vector towards the light.
        side: width and height of the depth map, pixels.
        tolerance: distance behind a surface up to which a point is reached, meters.
    """
    helper = np.array([1.0, 0.0, 0.0]) if abs(direction[1]) > 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, helper)
    right /= np.linalg.norm(right)
    down = np.cross(right, direction)
    turn = np.column_stack([right, -down, -direction]).astype(np.float32)
    turned = [occluder.vertices @ turn for occluder in occluders]
    low = np.min([each.min(axis=0) for each in turned], axis=0)
    high = np.max([each.max(axis=0) for each in turned], axis=0)
    scale = np.array([*[(side - 1) / max((high - low)[:2].max(), 1e-9)] * 2, 1.0], np.float32)
    start = (low - [0.0, 0.0, 1.0]).astype(np.float32)
    target = rasterizer.Target(side, side, samples=1)
    for occluder, each in zip(occluders, turned, strict=True):
        rasterizer.draw(target, (each - start) * scale, occluder.triangles, cull=occluder.cull)
    with np.errstate(divide="ignore"):
        depth = np.float32(1.0) / target.inverse_depth
    places = (points @ turn - start) * scale
    outside = (places[:, :2] < 0).any(axis=1) | (places[:, :2] > side - 1).any(axis=1)
    return rasterizer.visible_vertices(places, depth, tolerance) | outside


def smoothed(values: NDArray, triangles: NDArray[np.int32], corners: csr_matrix, rounds: int = 2) -> NDArray:
    """Vertex values (V,) averaged over neighboring triangles; 0 at vertices without any."""
    count = np.maximum(np.asarray(corners.sum(axis=1)).ravel(), 1.0)
    for _ in range(rounds):
        values = corners @ values[triangles].mean(axis=1) / count
    return values
