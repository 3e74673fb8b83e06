"""A partial Cholesky factorization: what a least-squares fit needs to eliminate some of its unknowns.

LAPACK has none, and its triangular solver, which would give the same, wakes threads for fifty unknowns in a program
that imported NumPy before this package. Where the cores have other things to do, waiting for those took 16 ms instead
of 0.02.
"""

from __future__ import annotations

from collections.abc import Callable

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


def eliminated(factor: NDArray, count: int, right: NDArray) -> NDArray[np.float64]:
    """What the elimination of `partial_cholesky` makes of a right-hand side; with its blocks U and V equals::

        first = np.linalg.solve(U.T, right[:count])
        np.concatenate([first, right[count:] - V.T @ first])

    Args:
        factor: (n, n), from `partial_cholesky` with this count.
        right: (n,).

    Returns:
        (n,), a new array; its end is the right-hand side of the unknowns that remain.

    Raises:
        ValueError: a shape is wrong, or the count is not 0..n.
    """
    return _substituted(_cholesky.forward, factor, count, right)


def completed(factor: NDArray, count: int, values: NDArray) -> NDArray[np.float64]:
    """The eliminated unknowns from those that remain; equals::

        first = np.linalg.solve(U, values[:count] - V @ values[count:])
        np.concatenate([first, values[count:]])

    Args:
        factor: (n, n), from `partial_cholesky` with this count.
        values: (n,) the beginning of what `eliminated` gave, then the unknowns that remain.

    Returns:
        (n,), a new array.

    Raises:
        ValueError: a shape is wrong, or the count is not 0..n.
    """
    return _substituted(_cholesky.backward, factor, count, values)


def _substituted(kernel: Callable[..., None], factor: NDArray, count: int, values: NDArray) -> NDArray[np.float64]:
    found = np.array(values, np.float64, order="C")
    if found.ndim != 1 or factor.shape != (found.size, found.size) or not 0 <= count <= found.size:
        raise ValueError(
            f"a matrix (n, n), a count of its rows and (n,) are wanted, not {factor.shape}, {count}, {found.shape}"
        )
    if found.size:
        kernel(np.ascontiguousarray(factor, np.float64), count, found)
    return found
