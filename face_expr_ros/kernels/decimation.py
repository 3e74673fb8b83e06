"""Mesh decimation by edge collapse, for a mesh with several shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _decimation
from face_expr_ros.kernels.indices import corners_of

_MIN_COSINE = 0.2  # between a triangle's normals before and after a collapse; prevents flipped triangles
_MAX_NEIGHBORS = 9  # of a vertex; without a limit, flat regions collapse to one vertex
_TERMS = 10  # of a symmetric 4 x 4 matrix


def decimated(shapes: NDArray, triangles: NDArray, kept: float) -> NDArray[np.int32]:
    """The triangles after vertices are merged into neighbors, in order of increasing error.

    Garland and Heckbert, "Surface simplification using quadric error metrics", 1997, with two differences: a vertex
    is merged only into a neighbor, so that the result uses vertices of the mesh in every shape; and the error is the
    sum over several shapes. Borders are kept, the link condition (Dey and others, 1999) preserves the topology, and no
    triangle is flipped. A mesh of 40,000 vertices takes about a second.

    Args:
        shapes: (S, V, 3) the same mesh in several shapes, meters.
        triangles: (T, 3) indices of vertices.
        kept: the fraction of the used vertices to keep, 0..1.

    Returns:
        (t, 3), t <= T; without degenerate triangles.

    Raises:
        ValueError: a shape is wrong, a point is not finite, an index is out of range, or ``kept`` is not in 0..1.
    """
    points = np.ascontiguousarray(shapes, np.float64)
    if points.ndim != 3 or points.shape[2] != 3 or not points.shape[0] or not np.isfinite(points).all():
        raise ValueError(f"expected finite shapes (S, V, 3) with S > 0, got {points.shape}")
    if not 0 <= kept <= 1:
        raise ValueError(f"kept: expected a fraction in 0..1, got {kept}")
    count = points.shape[1]
    corners = corners_of("triangles", triangles, count)
    a, b, c = corners.T
    left = np.array(corners[(a != b) & (b != c) & (c != a)], np.intc, order="C")
    used = len(np.unique(left))
    removed = used - round(kept * used)
    if removed > 0:
        quadrics, following = np.zeros((len(points), count, _TERMS)), np.empty(left.size, np.intc)
        work, keys = np.full((7, count), -1, np.intc), np.empty((2, count))
        _decimation.decimate(points, quadrics, left, following, work, keys, removed, _MIN_COSINE, _MAX_NEIGHBORS)
    return left[left[:, 0] >= 0]
