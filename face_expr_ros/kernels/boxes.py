"""The box around points, compiled: NumPy's minimum over a column of few points is slow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _boxes

# By the type of the points: the dispatch of a compiled function takes as long as its loop.
_BOUNDS = {np.dtype(np.float32): _boxes.bounds["float"], np.dtype(np.float64): _boxes.bounds["double"]}


def bounds(points: NDArray[np.floating], rows: NDArray[np.intp] | None = None) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of points, or of some of them; NaN if a coordinate is. Equals::

        (*points[rows, :2].min(axis=0), *points[rows, :2].max(axis=0))

    Args:
        points: (n, >= 2) float32 or float64, n > 0.
        rows: which of the points, not checked; all by default.

    Raises:
        ValueError: the shape or type is wrong.
    """
    if points.ndim != 2 or points.shape[1] < 2 or not len(points) or points.dtype not in _BOUNDS:
        raise ValueError(f"expected points (n, 2) or (n, 3), n > 0, got {points.dtype} {points.shape}")
    found: tuple[float, float, float, float] = _BOUNDS[points.dtype](points, rows)
    return found
