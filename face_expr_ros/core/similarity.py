"""The least-squares similarity between two sets of points (Umeyama, 1991)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from face_expr_ros.core.types import FloatArray


@dataclass(frozen=True)
class SimilarityAlignment:
    """The least-squares alignment of source points to target points.

    Attributes:
        rotation: (3, 3), proper.
        source_mean, target_mean: (3,) means of the points.
        spread: sum of squared distances of the source points from their mean.
        correlation: sum of products of the centered target points with the rotated, centered source points.
    """

    rotation: FloatArray
    source_mean: FloatArray
    target_mean: FloatArray
    spread: float
    correlation: float

    @property
    def scale(self) -> float:
        """From the source to the target points."""
        return self.correlation / self.spread


def umeyama_alignment(source: FloatArray, target: FloatArray) -> SimilarityAlignment:
    """The rotation that brings source points closest to target points; arbitrary about the line of collinear points.

    Args:
        source, target: (n, 3), n >= 1, finite.

    Raises:
        ValueError: a shape is wrong.
    """
    if source.ndim != 2 or source.shape[1] != 3 or not len(source) or target.shape != source.shape:
        raise ValueError(f"expected source and target of the same shape (n, 3), got {source.shape} and {target.shape}")
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    weights = np.full(len(source), 1.0 / len(source))  # np.mean takes three times as long for so few points
    source_mean, target_mean = weights @ source, weights @ target
    centered = source - source_mean
    singular, u, vt = cv2.SVDecomp((target - target_mean).T @ centered)  # for 3x3 faster than NumPy's
    sign = math.copysign(1.0, _determinant(u) * _determinant(vt))
    u[:, 2] *= sign
    x, y, z = singular[:, 0].tolist()
    return SimilarityAlignment(u @ vt, source_mean, target_mean, float(np.vdot(centered, centered)), x + y + sign * z)


def _determinant(matrix: FloatArray) -> float:
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
