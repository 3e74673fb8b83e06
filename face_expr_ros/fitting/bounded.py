"""Quadratic problems of which some unknowns are kept within 0..1."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtrs

from face_expr_ros.kernels.cholesky import partial_cholesky
from face_expr_ros.values import FloatArray

_NEWTON_STEPS = 30
_SMALL_SLOPE = 1e-6  # of the right-hand side; ends the bounded solution


class PartlyBounded:
    """Minimizes x' N x / 2 - b' x where all but the first unknowns are kept within 0..1, for one N and any b.

    The unbounded ones are eliminated by their Schur complement, which leaves a small bounded problem.
    """

    def __init__(self, normal: FloatArray, free: int) -> None:
        """Eliminates.

        Args:
            normal: (n, n) positive definite N.
            free: number of unbounded unknowns, 1..n.

        Raises:
            LinAlgError: N is not positive definite.
        """
        self._free = free
        factor = partial_cholesky(normal, free)
        self._triangle, self._coupling = factor[:free, :free], factor[:free, free:]
        upper = np.triu(factor[free:, free:])
        self._reduced = upper + np.triu(upper, 1).T

    def __call__(self, right: FloatArray, start: FloatArray | None = None) -> FloatArray:
        """The solution (n,).

        Args:
            right: (n,) b.
            start: (n - free,) bounded unknowns that are probably near the solution.
        """
        alone = dtrtrs(self._triangle, right[: self._free], trans=1)[0]
        bounded = solve_unit_box(self._reduced, right[self._free :] - alone @ self._coupling, start)
        return np.concatenate([dtrtrs(self._triangle, alone - self._coupling @ bounded)[0], bounded])


def solve_unit_box(normal: FloatArray, right: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """Minimize x' N x / 2 - b' x with 0 <= x <= 1, by projected Newton steps (Bertsekas, 1982).

    Args:
        normal: (n, n) positive definite N.
        right: (n,) b.
        start: (n,) within 0..1; the nearer to the solution, the fewer steps. None starts from zero.
    """
    solution = np.zeros(len(right)) if start is None else start
    slope = normal @ solution - right
    small = _SMALL_SLOPE * np.abs(right).max()
    for _ in range(_NEWTON_STEPS):
        held = ((solution <= 0.0) & (slope > 0.0)) | ((solution >= 1.0) & (slope < 0.0))
        free = np.flatnonzero(~held)
        if len(free) == 0 or np.abs(slope[free]).max() < small:
            break
        step = np.zeros(len(right))
        step[free] = -_solve_positive(normal[free[:, None], free], slope[free])
        solution, slope = _descend(normal, right, solution, slope, step)
    return solution


def _descend(
    normal: FloatArray, right: FloatArray, start: FloatArray, slope: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The point along the projected step where the cost has fallen enough (Armijo), and the slope there."""
    length = 1.0
    while True:
        moved = np.minimum(np.maximum(start + length * step, 0.0), 1.0)  # np.clip takes three times as long
        new_slope = normal @ moved - right
        change = moved - start
        gained = -0.5 * change @ (slope + new_slope)  # exact for a quadratic
        if gained >= -0.1 * (slope @ change) or length < 1e-3:
            return moved, new_slope
        length *= 0.5


def _solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """LAPACK's Cholesky solver without the checks around it, which cost more than a matrix of this size."""
    factor, info = dpotrf(matrix, clean=0)
    if info:
        raise np.linalg.LinAlgError(
            "the landmarks do not determine the face: the normal matrix is not positive definite"
        )
    return np.asarray(dpotrs(factor, right)[0])
