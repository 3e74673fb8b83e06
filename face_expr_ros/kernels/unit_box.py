"""A small quadratic program with unknowns bounded to 0..1, compiled: its vectors are too short for NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _unit_box

_NEWTON_STEPS = 30
_MIN_GRADIENT = 1e-6  # relative to the largest value of the right-hand side; convergence criterion


def solve_unit_box(normal: NDArray, right: NDArray, start: NDArray | None = None) -> NDArray[np.float64]:
    """Minimize x' N x / 2 - b' x with 0 <= x <= 1, by projected Newton steps (Bertsekas, 1982).

    A step solves for the unknowns that are not at a bound, is clipped to the bounds, and halved until the cost has
    decreased enough (Armijo). ``test_unit_box.py`` has the same steps in NumPy.

    Args:
        normal: (n, n) symmetric, positive definite N.
        right: (n,) b; if it is not finite, neither is the solution.
        start: (n,) initial guess within 0..1, not checked. None is zero.

    Returns:
        (n,), a new array.

    Raises:
        ValueError: a shape is wrong.
        LinAlgError: N is not positive definite.
    """
    normal, right = np.ascontiguousarray(normal, np.float64), np.ascontiguousarray(right, np.float64)
    size = right.size
    begin = np.zeros(size) if start is None else np.asarray(start, np.float64)
    if right.ndim != 1 or normal.shape != (size, size) or begin.shape != (size,):
        shapes = f"{normal.shape}, {right.shape} and {begin.shape}"
        raise ValueError(f"expected a matrix (n, n) and vectors (n,), got {shapes}")
    work = np.empty((5 + size, size))
    work[0] = begin
    if size and not _unit_box.minimize(normal, right, work, np.empty(size, np.intc), _NEWTON_STEPS, _MIN_GRADIENT):
        raise np.linalg.LinAlgError("the problem is not determined: the normal matrix is not positive definite")
    return work[0]
