"""Arithmetic with short vectors against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.kernels.small_vectors import (
    largest_change,
    matrix_product,
    scaled_columns,
    turn_between,
    weighted_mean,
)


@pytest.mark.parametrize("size", [0, 1, 40])
def test_the_weighted_mean_is_that_of_numpy(size: int) -> None:
    first, last = np.random.default_rng(0).normal(size=(2, size))
    np.testing.assert_allclose(weighted_mean(first, last, 0.9), 0.9 * first + 0.1 * last, atol=1e-15)


def test_the_largest_change_is_that_of_some_values() -> None:
    values, rows = np.random.default_rng(0).normal(size=9), np.array([8, 2, 5])
    last = np.array([1.0, -1.0, 0.5])
    assert largest_change(values, rows, last) == np.abs(values[rows] - last).max()
    assert largest_change(values, rows[:0], last[:0]) == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (38, 52), (6, 0)])
def test_the_product_is_that_of_numpy(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    matrix, values, offsets = rng.normal(size=shape), rng.normal(size=shape[1]), rng.normal(size=shape[0])
    kept = offsets.copy()
    np.testing.assert_allclose(matrix_product(matrix, values), matrix @ values, atol=1e-12)
    np.testing.assert_allclose(matrix_product(matrix, values, offsets), matrix @ values + offsets, atol=1e-12)
    np.testing.assert_array_equal(offsets, kept)


def test_columns_are_scaled_limited_and_chosen() -> None:
    rows, factors = np.random.default_rng(0).normal(size=(3, 8)), np.arange(8.0)
    columns = np.array([7, 0, 0, 3])
    expected = np.clip(factors * rows, 0, 1)[:, columns].astype(np.float32)
    np.testing.assert_array_equal(scaled_columns(list(rows), factors, columns), expected)
    assert scaled_columns([], factors, columns).shape == (0, 4)


@pytest.mark.parametrize("degrees", [0.0, 1e-7, 20.0, 179.0])
def test_the_turn_between_rotations_is_that_of_scipy(degrees: float) -> None:
    first = Rotation.random(random_state=1)
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array([0.6, 0.0, -0.8]))
    found = turn_between(first.as_matrix(), (first * turn).as_matrix())
    np.testing.assert_allclose(found, turn.as_rotvec(), atol=1e-9)


def test_vectors_of_other_lengths_are_rejected() -> None:
    with pytest.raises(ValueError, match="same length"):
        weighted_mean(np.zeros(2), np.zeros(3), 0.5)
    with pytest.raises(ValueError, match="as many rows"):
        largest_change(np.zeros(2), np.array([0, 1]), np.zeros(3))
    with pytest.raises(ValueError, match="expected a matrix"):
        matrix_product(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(ValueError, match="values"):
        scaled_columns([np.zeros(2)], np.zeros(3), np.array([0]))
    with pytest.raises(ValueError, match="two rotations"):
        turn_between(np.eye(3), np.eye(2))
