"""A partial Cholesky factorization, which eliminates some unknowns of a least-squares problem.

LAPACK has none. Its triangular solver gives the same result but starts threads even for fifty unknowns, if NumPy was
imported before this package; on a loaded machine, waiting for them took 16 ms instead of 0.02.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _cholesky


def partial_cholesky(matrix: NDArray, count: int) -> NDArray[np.float64]:
    """Eliminate the first unknowns of a positive definite matrix.

    With the blocks A (count, count), B and C of ``[[A, B], [B', C]]``, the result is ``[[U, V], [., S]]`` with
    U' U = A, V = inverse(U') B, and the Schur complement S = C - V' V. Only the upper triangle of the matrix is read,
    and of U only the upper triangle is written. Equals::

        U = np.linalg.cholesky(A).T
        V = np.linalg.solve(U.T, B)
        S = C - V.T @ V

    Args:
        matrix: (n, n).
        count: of the unknowns to eliminate, 0..n.

    Returns:
        (n, n), a new array; the values below the diagonal of U, and below U, are undefined.

    Raises:
        ValueError: the matrix is not square, or the count is not in 0..n.
        LinAlgError: the matrix is not positive definite.
    """
    factor = np.array(matrix, np.float64, order="C")
    if factor.ndim != 2 or factor.shape[0] != factor.shape[1] or not 0 <= count <= len(factor):
        raise ValueError(f"expected a square matrix and a count of at most its rows, got {factor.shape} and {count}")
    done = _cholesky.eliminate(factor, count) if factor.size else 0
    if done < count:
        raise np.linalg.LinAlgError(f"the matrix is not positive definite: unknown {done} is not determined")
    return factor


def eliminated(factor: NDArray, count: int, right: NDArray) -> NDArray[np.float64]:
    """Apply the elimination of `partial_cholesky` to a right-hand side; with its blocks U and V equals::

        first = np.linalg.solve(U.T, right[:count])
        np.concatenate([first, right[count:] - V.T @ first])

    Args:
        factor: (n, n), from `partial_cholesky` with this count.
        right: (n,).

    Returns:
        (n,), a new array; its end is the right-hand side for the remaining unknowns.

    Raises:
        ValueError: a shape is wrong, or the count is not 0..n.
    """
    return _substituted(_cholesky.forward, factor, count, right)


def completed(factor: NDArray, count: int, values: NDArray) -> NDArray[np.float64]:
    """Compute the eliminated unknowns from the remaining ones; equals::

        first = np.linalg.solve(U, values[:count] - V @ values[count:])
        np.concatenate([first, values[count:]])

    Args:
        factor: (n, n), from `partial_cholesky` with this count.
        values: (n,) the beginning of the result of `eliminated`, then the remaining unknowns.

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
            f"expected a matrix (n, n), a count of at most n and (n,), got {factor.shape}, {count} and {found.shape}"
        )
    if found.size:
        kernel(np.ascontiguousarray(factor, np.float64), count, found)
    return found
