"""Fewer triangles for a mesh that moves: edges are shrunk, the cheapest first, until few enough vertices remain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _decimation
from face_expr_ros.kernels.indices import corners_of

_LEAST_COSINE = 0.2  # between a triangle's normals before and after; with less it would nearly turn over
_MOST_NEIGHBORS = 9  # of a vertex; without a bound, flat regions gather around one
_TERMS = 10  # of a symmetric 4 x 4 matrix


def decimated(shapes: NDArray, triangles: NDArray, kept: float) -> NDArray[np.int32]:
    """The triangles of a mesh when most vertices are merged into neighbors, those first where it changes least.

    Garland and Heckbert, "Surface simplification using quadric error metrics", 1997, with two differences: a vertex
    moves only to a neighbor, so that what remains are vertices of the mesh in every shape; and the error is the sum
    over several shapes. Rims stay, the link condition (Dey and others, 1999) keeps the surface in one piece, and no
    triangle turns over. A mesh of 40,000 vertices takes about a second.

    Args:
        shapes: (S, V, 3) the same mesh in several shapes, meters.
        triangles: (T, 3) indices of vertices.
        kept: the part of the used vertices that shall remain, 0..1.

    Returns:
        (t, 3), t <= T; without triangles that had a vertex twice.

    Raises:
        ValueError: a shape is wrong, a point is not finite, an index is none of a point, or ``kept`` is no part.
    """
    points = np.ascontiguousarray(shapes, np.float64)
    if points.ndim != 3 or points.shape[2] != 3 or not points.shape[0] or not np.isfinite(points).all():
        raise ValueError(f"shapes must be finite and have the shape (S, V, 3) with S > 0, not {points.shape}")
    if not 0 <= kept <= 1:
        raise ValueError(f"the part that is kept must lie in 0..1, not {kept}")
    count = points.shape[1]
    corners = corners_of("triangles", triangles, count)
    a, b, c = corners.T
    left = np.array(corners[(a != b) & (b != c) & (c != a)], np.intc, order="C")
    used = len(np.unique(left))
    removed = used - round(kept * used)
    if removed > 0:
        quadrics, following = np.zeros((len(points), count, _TERMS)), np.empty(left.size, np.intc)
        work, keys = np.full((7, count), -1, np.intc), np.empty((2, count))
        _decimation.decimate(points, quadrics, left, following, work, keys, removed, _LEAST_COSINE, _MOST_NEIGHBORS)
    return left[left[:, 0] >= 0]
