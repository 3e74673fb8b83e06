"""The rotation of a least-squares similarity (Umeyama, 1991) without LAPACK, whose call overhead dominates for 3x3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _similarity

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class SimilarityAlignment:
    """The least-squares alignment of source points to target points.

    Attributes:
        rotation: (3, 3), proper.
        source_mean, target_mean: (3,) means of the points.
        spread: sum of squared distances of the source points from their mean.
        correlation: sum of products of the centered target points with the rotated, centered source points.
    """

    rotation: Float64
    source_mean: Float64
    target_mean: Float64
    spread: float
    correlation: float

    @property
    def scale(self) -> float:
        """From the source to the target points."""
        return self.correlation / self.spread


def umeyama_alignment(source: NDArray, target: NDArray) -> SimilarityAlignment:
    """The rotation that brings source points closest to target points, by Horn's quaternions (1987).

    Equals Umeyama's (1991), for centered points a (source) and b (target)::

        u, singular, vt = np.linalg.svd(b.T @ a)
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        rotation, correlation, spread = (u * sign) @ vt, singular @ sign, (a**2).sum()

    For points on one line the rotation about that line is arbitrary.

    Args:
        source, target: (n, 3), n >= 1, finite.

    Raises:
        ValueError: a shape is wrong.
    """
    source, target = np.ascontiguousarray(source, np.float64), np.ascontiguousarray(target, np.float64)
    if source.ndim != 2 or source.shape[1] != 3 or not len(source) or target.shape != source.shape:
        raise ValueError(f"expected source and target of the same shape (n, 3), got {source.shape} and {target.shape}")
    means, rotation = np.empty((2, 3)), np.empty((3, 3))
    spread, correlation = _similarity.turn(source, target, means, rotation)
    return SimilarityAlignment(rotation, means[0], means[1], spread, correlation)
