"""A partial Cholesky factorization: what a least-squares fit needs to eliminate some of its unknowns.

LAPACK has none, and its triangular solver, which would give the same, wakes threads for fifty unknowns in a program
that imported NumPy before this package. Where the cores have other things to do, waiting for those took 16 ms instead
of 0.02.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _cholesky


def partial_cholesky(matrix: NDArray, count: int) -> NDArray[np.float64]:
    """Eliminate the first unknowns of a positive definite matrix.

    With the blocks A (count, count), B and C of ``[[A, B], [B', C]]``, the answer is ``[[U, V], [., S]]`` with
    U' U = A, V = inverse(U') B, and the Schur complement S = C - V' V. Only the upper triangle of the matrix is read,
    and of U only the upper triangle is written. Equals::

        U = np.linalg.cholesky(A).T
        V = np.linalg.solve(U.T, B)
        S = C - V.T @ V

    Args:
        matrix: (n, n).
        count: of the unknowns to eliminate, 0..n.

    Returns:
        (n, n), a new array; what is below the diagonal of U, and below U, is of no use.

    Raises:
        ValueError: the matrix is not square, or the count is not 0..n.
        LinAlgError: the matrix is not positive definite.
    """
    factor = np.array(matrix, np.float64, order="C")
    if factor.ndim != 2 or factor.shape[0] != factor.shape[1] or not 0 <= count <= len(factor):
        raise ValueError(f"a square matrix and a count of its rows are wanted, not {factor.shape} and {count}")
    done = _cholesky.eliminate(factor, count) if factor.size else 0
    if done < count:
        raise np.linalg.LinAlgError(f"the matrix is not positive definite: its unknown {done} is not determined")
    return factor
