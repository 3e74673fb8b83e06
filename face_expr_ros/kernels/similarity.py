"""The rotation that lays points best on their images: the heart of Umeyama's similarity, without LAPACK.

For a 3x3 matrix the way into LAPACK costs twenty times what there is to compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _similarity

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Turn:
    """How points were laid on their images.

    Attributes:
        rotation: (3, 3) R, proper, which makes ``reached`` largest.
        middle, image_middle: (3,) means of the points and of the images.
        spread: sum of squared distances of the points from their middle.
        reached: sum of products of the images, less their middle, with the turned points, less theirs.
    """

    rotation: Float64
    middle: Float64
    image_middle: Float64
    spread: float
    reached: float


def umeyama_alignment(points: NDArray, images: NDArray) -> Turn:
    """The proper rotation that brings points nearest to their images, by Horn's quaternions (1987).

    Equals Umeyama's (1991), for centered points a and images b::

        u, singular, vt = np.linalg.svd(b.T @ a)
        sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
        rotation, reached, spread = (u * sign) @ vt, singular @ sign, (a**2).sum()

    The scale that takes the points to the images is then ``reached / spread``. Points on one line leave the turn about
    it open; any is answered.

    Args:
        points, images: (n, 3), at least one, finite.

    Raises:
        ValueError: a shape is wrong.
    """
    points, images = np.ascontiguousarray(points, np.float64), np.ascontiguousarray(images, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or images.shape != points.shape:
        raise ValueError(f"points and images must have the same shape (n, 3), not {points.shape} and {images.shape}")
    middles, rotation = np.empty((2, 3)), np.empty((3, 3))
    spread, reached = _similarity.turn(points, images, middles, rotation)
    return Turn(rotation, middles[0], middles[1], spread, reached)
