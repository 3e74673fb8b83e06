"""The box around points, compiled: NumPy's minimum over a column of few points is slow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _boxes


def bounds(points: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of points; NaN if a coordinate is. Equals::

        (*points[:, :2].min(axis=0), *points[:, :2].max(axis=0))

    Args:
        points: (n, >= 2) float32 or float64, n > 0.

    Raises:
        ValueError: the shape or type is wrong.
    """
    if points.ndim != 2 or points.shape[1] < 2 or not len(points):
        raise ValueError(f"expected points (n, 2) or (n, 3), n > 0, got {points.shape}")
    found: tuple[float, float, float, float] = _boxes.bounds(points)
    return found
