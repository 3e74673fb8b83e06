"""The landmark fit of one face, compiled: all steps in one call, with preallocated memory and without the GIL."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _landmark_fit
from face_expr_ros.kernels.normal_equations import POSE, constant_parts, scratch

Float64 = NDArray[np.float64]
_REASONS = (
    "",
    "the landmarks are not finite, or all in one place or on one line of pixels",
    "the problem is not determined: the normal matrix is not positive definite",
)


class LandmarkFit:
    """Gauss-Newton steps from the aligned mean face to the landmarks, see `perception.fitting.least_squares`.

    One thread may use it. A call equals these steps, in which ``equations`` is `NormalEquations` and ``minimum(N, b)``
    is the minimum of x' N x / 2 - b' x with all but the first unknowns bounded to 0..1::

        toward = rotation_to_axis([*rays.mean(axis=0), 1])
        directions = rays turned by toward, depths = z * (spread of directions / spread of pixels)
        R, t = the similarity of `align_points` from the model to (directions, depths); w0 = 0
        repeat: linearize equations; N = normal + priors where the last rotation was large
                step, t, w0, c = minimum(N, N @ (0, t, w0, c) - gradient); R = rotation(step) @ R
        until the step rotates by less than 2e-3

    Attributes:
        residual: root mean square distance between the points and the landmarks' rays, in meters at the face.
    """

    def __init__(
        self, mean: NDArray, basis: NDArray, across: NDArray, along: NDArray, prior: NDArray, chosen: NDArray
    ) -> None:
        """Stores the constant part.

        Args:
            mean: (3, n) meters, model axes.
            basis: (3, n, S + E): shape, then expression.
            across, along: (n,) inverse standard deviations, per meter: across the line of sight, and along it.
            prior: (E, E) inverse covariance of the expression.
            chosen: (n,) rows of the landmarks that the points of the model correspond to.

        Raises:
            ValueError: the shapes are inconsistent.
        """
        parts = constant_parts(mean, basis, across, along)
        n, count = parts[1].shape[1:]
        prior = np.ascontiguousarray(prior, np.float64)
        if prior.ndim != 2 or prior.shape[0] != prior.shape[1] or len(prior) > count:
            raise ValueError(f"prior: expected a square matrix of at most {count} rows, got {prior.shape}")
        self._chosen = np.ascontiguousarray(chosen, np.intp)
        if self._chosen.shape != (n,) or self._chosen.min() < 0:
            raise ValueError(f"chosen: expected {n} rows from 0 on, got {self._chosen.shape}")
        self._count, self._shape_count = count, count - len(prior)
        self._min_rows = int(self._chosen.max()) + 1
        self._fit = _landmark_fit.LandmarkFit(*parts, prior, *scratch(POSE + count), self._shape_count)
        self.residual = 0.0

    def __call__(
        self,
        landmarks: NDArray[np.float32],
        rays: NDArray,
        shape: NDArray,
        expected: NDArray,
        inverse_variance: float,
        iterations: int,
    ) -> tuple[Float64, Float64, Float64]:
        """Fit one face.

        Args:
            landmarks: (N, 3) float32; x, y in pixels, z relative, in the same scale.
            rays: (n, 2) directions of the chosen landmarks: x / z and y / z in the camera frame.
            shape: (S,) initial guess; expected: (S,) the mean of its prior, with this inverse variance.
            iterations: maximum number of steps.

        Returns:
            rotation (3, 3) and position (3,) in the camera frame, and coefficients (S + E,).

        Raises:
            LinAlgError: the landmarks are degenerate.
            ValueError: a shape is wrong.
        """
        rays = np.ascontiguousarray(rays, np.float64)
        shapes = landmarks.shape[1:], rays.shape, shape.shape, expected.shape
        if len(landmarks) < self._min_rows or shapes != (
            (3,), (len(self._chosen), 2), (self._shape_count,), (self._shape_count,)
        ):  # fmt: skip
            raise ValueError(
                f"expected landmarks (N, 3) with N of at least {self._min_rows}, rays ({len(self._chosen)}, 2) and two "
                f"shapes ({self._shape_count},), got {landmarks.shape} and {shapes[1:]}"
            )
        rotation, position, coefficients = np.empty((3, 3)), np.empty(3), np.empty(self._count)
        status = self._fit.solve(
            landmarks, self._chosen, rays, shape, expected, inverse_variance, iterations, rotation, position,
            coefficients,
        )  # fmt: skip
        if status:
            raise np.linalg.LinAlgError(_REASONS[status])
        self.residual = math.sqrt(self._fit.mean_square)
        return rotation, position, coefficients


def pinhole_rays(landmarks: NDArray[np.float32], chosen: NDArray[np.intp], matrix: NDArray) -> Float64:
    """The directions (n, 2), x / z and y / z, of chosen landmarks in a camera without distortion.

    Args:
        landmarks: (N, >= 2) float32 pixels; chosen: (n,) rows, not checked; matrix: (3, 3) K.

    Raises:
        ValueError: a shape is wrong.
    """
    if landmarks.ndim != 2 or landmarks.shape[1] < 2 or matrix.shape != (3, 3):
        raise ValueError(f"expected landmarks (N, 2) or (N, 3) and K (3, 3), got {landmarks.shape} and {matrix.shape}")
    out = np.empty((len(chosen), 2))
    _landmark_fit.rays(landmarks, chosen, matrix, out)
    return out
