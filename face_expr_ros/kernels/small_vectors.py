"""Arithmetic with vectors of less than a hundred numbers, compiled.

After the networks, each call of NumPy finds its code out of the caches, BLAS most of all: a product of 38 x 52 numbers
takes ten times as long as its loop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _small_vectors

Float64 = NDArray[np.float64]


def weighted_mean(first: Float64, last: Float64, weight: float) -> Float64:
    """``weight * first + (1 - weight) * last`` of (n,) vectors. Raises ValueError if their lengths differ."""
    if first.ndim != 1 or first.shape != last.shape:
        raise ValueError(f"expected two vectors of the same length, got {first.shape} and {last.shape}")
    out = np.empty(first.shape)
    _small_vectors.weighted_mean(first, last, weight, out)
    return out


def largest_change(values: Float64, rows: NDArray[np.intp], last: Float64) -> float:
    """``np.abs(values[rows] - last).max(initial=0)``; rows are not checked. Raises ValueError if the lengths differ."""
    if rows.ndim != 1 or rows.shape != last.shape:
        raise ValueError(f"expected as many rows as values, got {rows.shape} and {last.shape}")
    found: float = _small_vectors.largest_change(values, rows, last)
    return found


def matrix_product(matrix: Float64, values: NDArray, offsets: Float64 | None = None) -> Float64:
    """``matrix @ values + offsets`` for a matrix (n, m), which is contiguous. Raises ValueError for other shapes."""
    if matrix.ndim != 2 or values.shape != matrix.shape[1:] or (offsets is not None and len(offsets) != len(matrix)):
        raise ValueError(f"expected a matrix (n, m) and values (m,), got {matrix.shape} and {values.shape}")
    out = np.zeros(len(matrix)) if offsets is None else offsets.copy()
    _small_vectors.product(matrix, np.asarray(values, np.float64), out)
    return out


def scaled_columns(rows: list[NDArray], factors: Float64, columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """``np.clip(factors * rows, 0, 1)[:, columns]``.

    Args:
        rows: n vectors (m,); factors: (m,); columns: (k,), not checked.

    Raises:
        ValueError: a vector has another length.
    """
    out = np.empty((len(rows), len(columns)), np.float32)
    for row, values in zip(out, rows, strict=True):
        if values.shape != factors.shape:
            raise ValueError(f"expected {factors.shape} values, got {values.shape}")
        _small_vectors.scaled_columns(np.asarray(values, np.float64), factors, columns, row)
    return out


def turn_between(first: NDArray, last: NDArray) -> tuple[float, float, float]:
    """Axis times angle, radians, of the rotation ``first.T @ last``, which is less than half a turn.

    Raises:
        ValueError: the rotations are not (3, 3).
    """
    if first.shape != (3, 3) or last.shape != (3, 3):
        raise ValueError(f"expected two rotations (3, 3), got {first.shape} and {last.shape}")
    found: tuple[float, float, float] = _small_vectors.turn_between(
        np.asarray(first, np.float64), np.asarray(last, np.float64)
    )
    return found
