"""The alignment of a face's points to those of a canonical face, compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _face_alignment

Float64 = NDArray[np.float64]


def align_face(points: NDArray, canonical: Float64, rigid: NDArray[np.intp]) -> tuple[Float64, float, Float64, Float64]:
    """The similarity from a canonical face to some points of a face, and all its points in canonical axes.

    Equals, with ``toward = (1, -1, -1)`` and R, the means s and t, spread and correlation from `align_points`::

        align_points(canonical[rigid], points[rigid] * toward)
        scale = correlation / spread
        offset = t - scale * R @ s
        (points * toward - offset) / scale @ R

    Args:
        points: (n, 3) float32 or float64; x right, y down, z away from the camera.
        canonical: (n, 3).
        rigid: indices of the points that are aligned, at least one.

    Returns:
        rotation (3, 3); scale; offset (3,); points (n, 3). They are not finite if a coordinate is not.

    Raises:
        ValueError: a shape is wrong.
    """
    if points.ndim != 2 or points.shape[1] != 3 or canonical.shape != points.shape or not len(rigid):
        raise ValueError(f"expected points and a canonical face (n, 3), got {points.shape} and {canonical.shape}")
    rotation, offset, out = np.empty((3, 3)), np.empty(3), np.empty(points.shape)
    scale, total = _face_alignment.align(points, canonical, rigid, rotation, offset, out)
    return rotation, scale if math.isfinite(total) else math.nan, offset, out
