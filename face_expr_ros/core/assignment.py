"""The linear assignment problem, for the few faces of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray


def least_cost_pairs(cost: FloatArray) -> list[tuple[int, int]]:
    """Pair rows with columns so that the total cost is least; the larger side keeps unpaired ones.

    Shortest augmenting paths: Jonker and Volgenant, 1987; Crouse, "On implementing 2D rectangular assignment
    algorithms", 2016. Equals ``scipy.optimize.linear_sum_assignment``, whose import takes longer than a camera frame.

    Args:
        cost: (n, m), finite.

    Returns:
        min(n, m) pairs of row and column, with increasing rows.

    Raises:
        ValueError: the cost is not a finite matrix.
    """
    cost = np.asarray(cost, np.float64)
    if cost.ndim != 2 or not np.isfinite(cost).all():
        raise ValueError(f"expected a finite matrix of costs, got one of shape {cost.shape} with NaN or infinity")
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in least_cost_pairs(cost.T))
    row_price, column_price = np.zeros(cost.shape[0]), np.zeros(cost.shape[1])
    column_of, row_of = np.full(cost.shape[0], -1), np.full(cost.shape[1], -1)
    for row in range(cost.shape[0]):
        column, before = _shortest_path(row, cost, row_price, column_price, row_of)
        while True:  # along the path, each row passes its column to the next one
            on_path = int(before[column])
            row_of[column] = on_path
            column_of[on_path], column = column, int(column_of[on_path])
            if on_path == row:
                break
    return list(enumerate(column_of.tolist()))


def _shortest_path(
    row: int, cost: FloatArray, row_price: FloatArray, column_price: FloatArray, row_of: NDArray[np.integer]
) -> tuple[int, NDArray[np.integer]]:
    """The nearest free column from a row, and the row before each column on the paths. Updates the prices."""
    distance, before = np.full(cost.shape[1], np.inf), np.full(cost.shape[1], row)
    done = np.zeros(cost.shape[1], bool)
    current, least = row, 0.0
    while True:
        reduced = least + cost[current] - row_price[current] - column_price
        nearer = ~done & (reduced < distance)
        distance[nearer], before[nearer] = reduced[nearer], current
        column = int(np.argmin(np.where(done, np.inf, distance)))
        least, done[column] = float(distance[column]), True
        if row_of[column] < 0:
            break
        current = int(row_of[column])
    scanned = done & (row_of >= 0)
    row_price[row] += least
    row_price[row_of[scanned]] += least - distance[scanned]
    column_price[done] -= least - distance[done]
    return column, before
