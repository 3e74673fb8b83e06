"""Residuals, Jacobian and normal equations of a Gauss-Newton step over all landmarks, compiled.

Results are written to preallocated memory, without temporaries and without threads.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _normal_equations

Float64 = NDArray[np.float64]
POSE = 7  # unknowns before the coefficients: 3 rotation, 3 translation, 1 depth offset
_TILE = 16  # columns per block
_LANDMARKS = 20  # whose rows of the Jacobian fit into the L1 cache


class NormalEquations:
    """The least-squares problem of fitting a linear face model to rays and depths, linearized at a state.

    A model point p = mean + B c is at X = R p + t in the camera frame. With d the mean of X.z, the errors of the
    landmark with the direction (u, v) and the relative depth w are

        across d (X.x / X.z - u),    across d (X.y / X.z - v),    along (X.z - d (1 + w) - w0)

    The unknowns are a small rotation in the camera frame, t, w0 and c, in this order. The derivatives treat d as
    constant, except for that of the depths by t.z, where d (1 + w) is proportional to X.z / t.z.

    Attributes:
        errors: (3 n,), landmark by landmark.
        residual: root mean square distance between the points and the landmarks' rays, in meters at the face.
    """

    def __init__(self, mean: NDArray, basis: NDArray, across: NDArray, along: NDArray) -> None:
        """Stores the constant part.

        Args:
            mean: (3, n) meters, model axes.
            basis: (3, n, coefficients).
            across, along: (n,) inverse standard deviations, per meter: across the line of sight, and along it.

        Raises:
            ValueError: the shapes are inconsistent.
        """
        self._mean, self._basis, self._across, self._along = constant_parts(mean, basis, across, along)
        n = len(self._across)
        self._state = (np.zeros((3, n)), np.eye(3), np.array([0.0, 0.0, 1.0]))  # points, rotation and position
        self._rows, self._gram = scratch(POSE + self._basis.shape[2])
        self.errors = np.zeros(3 * n)
        self.residual = 0.0

    def points(self, coefficients: NDArray) -> Float64:
        """(3, n) in model axes."""
        points = self._mean.copy()
        _normal_equations.displace(
            self._basis, _shaped("coefficients", coefficients, self._basis.shape[2], dtype=np.float32), points
        )
        return points

    def linearize(
        self,
        directions: NDArray,
        depths: NDArray,
        rotation: NDArray,
        position: NDArray,
        offset: float,
        coefficients: NDArray,
    ) -> None:
        """Linearize at another state.

        Args:
            directions: (n, 2) of the landmarks' rays: x / z and y / z.
            depths: (n,) relative to the face, as multiples of its distance.
            rotation: (3, 3) R; position: (3,) t, meters; offset: w0, meters; coefficients: c.

        Raises:
            ValueError: a shape is wrong.
        """
        points, n = self.points(coefficients), len(self._across)
        directions, depths = _shaped("directions", directions, n, 2), _shaped("depths", depths, n)
        rotation, position = _shaped("rotation", rotation, 3, 3), _shaped("position", position, 3)
        self._state = (points, rotation, position)
        mean_square = _normal_equations.residuals(
            points, rotation, position, offset, directions, depths, self._across, self._along, self.errors
        )
        self.residual = math.sqrt(mean_square)

    def _given(self) -> tuple[NDArray, ...]:
        points, rotation, position = self._state
        return points, self._basis, rotation, position, self._across, self._along

    def jacobian(self) -> NDArray[np.float32]:
        """(3 n, unknowns): derivatives of the errors by the unknowns."""
        unknowns = POSE + self._basis.shape[2]
        jacobian = np.empty((len(self.errors), unknowns), np.float32)
        _normal_equations.jacobian(*self._given(), jacobian)
        return jacobian

    def normal(self) -> Float64:
        """(unknowns, unknowns): J' J of the Jacobian J, which is not stored."""
        unknowns = POSE + self._basis.shape[2]
        normal = np.empty((unknowns, unknowns))
        _normal_equations.normal(*self._given(), self._rows, self._gram, normal)
        return normal

    def gradient(self) -> Float64:
        """(unknowns,): J' e of the Jacobian J and the errors e."""
        gradient = np.empty(POSE + self._basis.shape[2])
        _normal_equations.slope(*self._given(), self.errors, gradient)
        return gradient


def constant_parts(
    mean: NDArray, basis: NDArray, across: NDArray, along: NDArray
) -> tuple[Float64, NDArray[np.float32], Float64, Float64]:
    """The arguments of `NormalEquations` as the kernels take them. Raises ValueError if they are inconsistent."""
    narrow = np.ascontiguousarray(basis, np.float32)
    if narrow.ndim != 3 or len(basis) != 3 or not narrow.size:
        raise ValueError(f"basis: expected the shape (3, n, coefficients), got {basis.shape}")
    n = basis.shape[1]
    return _shaped("mean", mean, 3, n), narrow, _shaped("across", across, n), _shaped("along", along, n)


def scratch(unknowns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The memory in which the kernel computes a normal matrix: rows of the Jacobian, and the sums of their products."""
    stride = -(-unknowns // _TILE) * _TILE
    return np.zeros((3 * _LANDMARKS, stride), np.float32), np.zeros((stride, stride), np.float32)


def _shaped(name: str, value: NDArray, *shape: int, dtype: type = np.float64) -> NDArray:
    array: NDArray = np.ascontiguousarray(value, dtype)
    if array.shape != shape:
        raise ValueError(f"{name}: expected the shape {shape}, got {array.shape}")
    return array
