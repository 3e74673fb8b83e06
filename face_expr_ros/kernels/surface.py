"""Vertices of a face from its coefficients, and vertex normals; single precision, no threads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _surface
from face_expr_ros.kernels.indices import corners_of

Float32 = NDArray[np.float32]


def reconstruct(mean: Float32, basis: Float32, coefficients: NDArray) -> Float32:
    """A mean plus a weighted sum of basis vectors; those with weight 0 are skipped.

    Equals ``mean + coefficients @ basis`` in single precision. Many coefficients of a bounded fit are 0.

    Args:
        mean: (n,) float32.
        basis: (count, n) float32, contiguous, because it is not copied.
        coefficients: (count,).

    Returns:
        (n,), a new array.

    Raises:
        ValueError: a shape or type is wrong.
    """
    weights = np.asarray(coefficients, np.float32)
    good = basis.ndim == 2 and mean.shape == basis.shape[1:] and weights.shape == basis.shape[:1]
    if not good or mean.dtype != np.float32 or basis.dtype != np.float32 or not basis.flags.c_contiguous:
        shapes = f"{mean.dtype} {mean.shape}, {basis.dtype} {basis.shape} and {weights.shape}"
        raise ValueError(f"expected float32 of the shapes (n,) and (count, n), contiguous, and (count,), got {shapes}")
    rows = np.flatnonzero(weights)
    if not len(rows) or not mean.size:
        return mean.copy()
    out = np.empty(mean.shape, np.float32)
    _surface.reconstruct(np.ascontiguousarray(mean), basis, rows, weights[rows], out)
    return out


def vertex_normals(vertices: NDArray, triangles: NDArray[np.integer]) -> Float32:
    """Unit normals as the area-weighted mean of the triangles around each vertex; 0 if there are none.

    Equals, for the corners a, b, c of the triangles::

        normals = np.zeros_like(vertices)
        np.add.at(normals, triangles, np.cross(b - a, c - a)[:, None])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    Args:
        vertices: (V, 3).
        triangles: (T, 3) indices of vertices.

    Raises:
        ValueError: a shape is wrong, or an index is out of range.
    """
    points = np.ascontiguousarray(vertices, np.float32)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"expected vertices (V, 3), got {points.shape}")
    corners = corners_of("triangles", triangles, len(points))
    normals = np.zeros(points.shape, np.float32)
    if corners.size:
        _surface.normals(points, corners, normals)
    return normals
