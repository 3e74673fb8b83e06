"""The similarity that aligns points best, compiled: matrices of 3x3 are too small for LAPACK and NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _similarity

Float64 = NDArray[np.float64]


def align_points(source: NDArray, target: NDArray) -> tuple[Float64, Float64, Float64, float, float]:
    """The rotation that brings source points closest to target points, and what the scale needs.

    Equals, with ``a, b = source - source.mean(axis=0), target - target.mean(axis=0)``::

        u, singular, vt = np.linalg.svd(b.T @ a)
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        rotation, correlation, spread = (u * sign) @ vt, singular @ sign, (a**2).sum()

    Args:
        source, target: (n, 3), n >= 1, finite.

    Returns:
        rotation (3, 3); means of source and target (3,); spread; correlation.

    Raises:
        ValueError: a shape is wrong.
    """
    if source.ndim != 2 or source.shape[1] != 3 or not len(source) or target.shape != source.shape:
        raise ValueError(f"expected source and target of the same shape (n, 3), got {source.shape} and {target.shape}")
    found = np.empty((5, 3))
    spread, correlation = _similarity.align(np.asarray(source, np.float64), np.asarray(target, np.float64), found)
    return found[:3], found[3], found[4], spread, correlation
