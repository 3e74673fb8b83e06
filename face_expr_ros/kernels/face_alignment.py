"""The alignment of a face's points to those of a canonical face, compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _face_alignment

Float64 = NDArray[np.float64]
# By the type of the points: the dispatch of a compiled function takes as long as its loop.
_ALIGN = {np.dtype(np.float32): _face_alignment.align["float"], np.dtype(np.float64): _face_alignment.align["double"]}


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
    if points.dtype not in _ALIGN:
        raise ValueError(f"expected float32 or float64, got {points.dtype}")
    rotation, offset, out = np.empty((3, 3)), np.empty(3), np.empty(points.shape)
    scale, total = _ALIGN[points.dtype](points, canonical, rigid, rotation, offset, out)
    return rotation, scale if math.isfinite(total) else math.nan, offset, out


def describe_face(points: Float64, canonical: Float64, unit: float, rotation: Float64) -> NDArray[np.float32]:
    """The aligned points of a face and its orientation as one vector; equals::

        np.append(((points - canonical) * unit).ravel(), rotation[2]).astype(np.float32)

    Args:
        points, canonical: (n, 3), contiguous; rotation: (3, 3), contiguous.

    Raises:
        ValueError: a shape is wrong.
    """
    if points.ndim != 2 or points.shape[1] != 3 or canonical.shape != points.shape or rotation.shape != (3, 3):
        shapes = f"{points.shape}, {canonical.shape} and {rotation.shape}"
        raise ValueError(f"expected points and a canonical face (n, 3) and a rotation (3, 3), got {shapes}")
    out = np.empty(points.size + 3, np.float32)
    _face_alignment.describe(points, canonical, unit, rotation, out)
    return out
