"""Quadratic problems of which some unknowns are kept within 0..1."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv

from face_expr_ros.values import FloatArray

_NEWTON_STEPS = 30
_SMALL_SLOPE = 1e-6  # of the right-hand side; ends the bounded solution


def solve_partly_bounded(normal: FloatArray, right: FloatArray, free: int) -> FloatArray:
    """Minimize x' N x / 2 - b' x where all but the first ``free`` unknowns are kept within 0..1.

    The unbounded ones are eliminated by their Schur complement, which leaves a small bounded problem.

    Args:
        normal: (n, n) positive definite N.
        right: (n,) b.
        free: number of unbounded unknowns, 1..n.
    """
    coupling = np.column_stack([normal[:free, free:], right[:free]])
    eliminated = _solve_positive(normal[:free, :free], coupling)
    reduced = normal[free:, free:] - normal[free:, :free] @ eliminated[:, :-1]
    bounded = solve_unit_box(reduced, right[free:] - normal[free:, :free] @ eliminated[:, -1])
    return np.concatenate([eliminated[:, -1] - eliminated[:, :-1] @ bounded, bounded])


def solve_unit_box(normal: FloatArray, right: FloatArray) -> FloatArray:
    """Minimize x' N x / 2 - b' x with 0 <= x <= 1, by projected Newton steps (Bertsekas, 1982).

    Args:
        normal: (n, n) positive definite N.
        right: (n,) b.
    """
    solution = np.zeros(len(right))
    slope = -right
    for _ in range(_NEWTON_STEPS):
        held = ((solution <= 0.0) & (slope > 0.0)) | ((solution >= 1.0) & (slope < 0.0))
        free = np.flatnonzero(~held)
        if len(free) == 0 or np.abs(slope[free]).max() < _SMALL_SLOPE * np.abs(right).max():
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
        moved = np.clip(start + length * step, 0.0, 1.0)
        new_slope = normal @ moved - right
        change = moved - start
        gained = -0.5 * change @ (slope + new_slope)  # exact for a quadratic
        if gained >= -0.1 * (slope @ change) or length < 1e-3:
            return moved, new_slope
        length *= 0.5


def _solve_positive(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """LAPACK's Cholesky solver without the checks around it, which cost more than a matrix of this size."""
    _, solution, info = dposv(matrix, right)
    if info:
        raise np.linalg.LinAlgError(
            "the landmarks do not determine the face: the normal matrix is not positive definite"
        )
    return np.asarray(solution)
