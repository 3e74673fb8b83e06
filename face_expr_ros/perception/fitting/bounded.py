"""Quadratic programs in which some unknowns are bounded to 0..1."""

from __future__ import annotations

import numpy as np

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.cholesky import completed, eliminated, partial_cholesky
from face_expr_ros.kernels.unit_box import solve_unit_box


class PartlyBounded:
    """Minimizes x' N x / 2 - b' x with all but the first unknowns bounded to 0..1, for one N and any b.

    The unbounded ones are eliminated by their Schur complement, which leaves a small bounded problem.
    """

    def __init__(self, normal: FloatArray, free: int) -> None:
        """Factorizes N.
        Args:
            normal: (n, n) positive definite N.
            free: number of unbounded unknowns, 1..n.

        Raises:
            LinAlgError: N is not positive definite.
        """
        self._free = free
        self._factor = partial_cholesky(normal, free)
        self._reduced = np.ascontiguousarray(self._factor[free:, free:])

    def __call__(self, right: FloatArray, start: FloatArray | None = None) -> FloatArray:
        """The solution (n,).

        Args:
            right: (n,) b.
            start: (n - free,) initial guess of the bounded unknowns.
        """
        values = eliminated(self._factor, self._free, right)
        values[self._free :] = solve_unit_box(self._reduced, values[self._free :], start)
        return completed(self._factor, self._free, values)
