"""The points of a fitted face in the image of a pinhole camera, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _face_points

Float64 = NDArray[np.float64]


class FacePoints:
    """Some points of a linear face model, which slide over the face as it turns.

    Args:
        mean: (n, 3) meters, model axes.
        basis: (coefficients, n, 3).
        slide: (2, n, 3) meters at a turn of 1: the linear and the quadratic term of the turn, see
            `core.ibug.turned_offsets`; (0, n, 3) if they do not slide.
        mirror: (n,) the row of each point's mirror image.

    Raises:
        ValueError: the shapes are inconsistent.
    """

    def __init__(self, mean: NDArray, basis: NDArray, slide: NDArray, mirror: NDArray) -> None:
        n = len(mean)
        if mean.shape != (n, 3) or basis.shape[1:] != (n, 3) or not basis.size:
            raise ValueError(f"expected a mean (n, 3) and a basis (c, n, 3), got {mean.shape} and {basis.shape}")
        if (len(slide) and slide.shape != (2, n, 3)) or mirror.shape != (n,):
            raise ValueError(f"expected a slide (2, {n}, 3) and a mirror ({n},), got {slide.shape} and {mirror.shape}")
        self._mean = np.ascontiguousarray(mean.T, np.float64)
        self._basis = np.ascontiguousarray(basis.transpose(2, 1, 0), np.float32)
        self._slide = np.ascontiguousarray(slide if len(slide) else np.zeros((2, 0, 3)), np.float64)
        self._mirror = np.ascontiguousarray(mirror, np.intp)

    def __call__(
        self, coefficients: NDArray, rotation: NDArray, position: NDArray, matrix: NDArray, height: int
    ) -> tuple[Float64, Float64, Float64]:
        """The points of a face with these coefficients (c,) and pose in the camera frame, meters.

        Equals, with ``turn`` the sine of the apparent yaw::

            points = mean + np.tensordot(coefficients, basis, 1) + turned_offsets(slide, turn)
            weak_perspective(pose, camera), pixels_with_depth(to_camera(points, pose), pose, camera)

        Args:
            matrix: (3, 3) K of the camera; height: of its image.

        Returns:
            points (3, n) in model axes; x, y in pixels and z in the same scale (n, 3); weak perspective (3, 4).
        """
        narrow = np.ascontiguousarray(coefficients, np.float32)
        if narrow.shape != self._basis.shape[2:] or rotation.shape != (3, 3) or position.shape != (3,):
            raise ValueError(
                f"expected {self._basis.shape[2]} coefficients, a rotation (3, 3) and a position (3,), got "
                f"{narrow.shape}, {rotation.shape} and {position.shape}"
            )
        points, pixels, weak = np.empty(self._mean.shape), np.empty((len(self._mirror), 3)), np.empty((3, 4))
        _face_points.place(
            self._mean, self._basis, narrow, self._slide, self._mirror, np.ascontiguousarray(rotation), position,
            matrix, height, points, pixels, weak,
        )  # fmt: skip
        return points, pixels, weak
