"""The least-squares similarity between two sets of points (Umeyama, 1991)."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.similarity import align_points


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
    return SimilarityAlignment(*align_points(source, target))
