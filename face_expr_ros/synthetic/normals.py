"""Normals of surfaces that are rendered: with the triangles around each vertex as a sparse matrix, made once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from face_expr_ros.core.types import FloatArray

Float32 = NDArray[np.float32]


def corner_operator(triangles: NDArray[np.integer], vertex_count: int) -> csr_matrix:
    """Sparse matrix (vertex_count, T) that sums the values of triangles at their corners."""
    columns = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(triangles.size, np.float32)
    return csr_matrix((ones, (triangles.ravel(), columns)), shape=(vertex_count, len(triangles)))


def vertex_normals(vertices: FloatArray, triangles: NDArray[np.integer], corners: csr_matrix) -> Float32:
    """Unit normals (V, 3), the area-weighted mean of the triangles around each vertex; 0 without triangles.

    Args:
        vertices: (V, 3).
        triangles: (T, 3).
        corners: from `corner_operator`.
    """
    a, b, c = (np.take(vertices, triangles[:, corner], axis=0).T for corner in range(3))
    (px, py, pz), (qx, qy, qz) = b - a, c - a
    across = np.stack([py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx], axis=1)
    normals = corners @ across.astype(np.float32, copy=False)
    length = np.sqrt(np.einsum("vk,vk->v", normals, normals))
    unit: Float32 = normals / np.maximum(length, 1e-12)[:, None]
    return unit
