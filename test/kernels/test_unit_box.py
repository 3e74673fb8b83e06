"""The quadratic program bounded to 0..1, against the same steps in NumPy, and its edge cases."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.unit_box import solve_unit_box


def reference(normal: FloatArray, right: FloatArray, start: FloatArray) -> FloatArray:
    """The same steps in NumPy."""
    point = start
    for _ in range(30):
        slope = normal @ point - right
        free = np.flatnonzero(~(((point <= 0) & (slope > 0)) | ((point >= 1) & (slope < 0))))
        if not len(free) or np.abs(slope[free]).max() < 1e-6 * np.abs(right).max():
            break
        step, length = np.zeros(len(right)), 1.0
        step[free] = -np.linalg.solve(normal[np.ix_(free, free)], slope[free])
        while True:
            moved = np.clip(point + length * step, 0, 1)
            change = moved - point
            if -0.5 * change @ (slope + normal @ moved - right) >= -0.1 * (slope @ change) or length < 1e-3:
                break
            length /= 2
        point = moved
    return point


@pytest.mark.parametrize("size", [1, 2, 7, 52])
@pytest.mark.parametrize("seed", range(5))
def test_the_solution_matches_the_numpy_reference(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(size + 3, size))
    normal, right, start = columns.T @ columns, rng.normal(size=size) * size, rng.uniform(0, 1, size)
    np.testing.assert_allclose(solve_unit_box(normal, right, start), reference(normal, right, start), atol=1e-9)
    np.testing.assert_allclose(solve_unit_box(normal, right), reference(normal, right, np.zeros(size)), atol=1e-9)


def test_the_start_is_not_modified_and_may_be_empty() -> None:
    start = np.full(3, 0.5)
    assert solve_unit_box(np.eye(3), np.array([0.2, -1.0, 7.0]), start) == pytest.approx([0.2, 0.0, 1.0])
    assert start == pytest.approx(np.full(3, 0.5))
    assert solve_unit_box(np.zeros((0, 0)), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_is_rejected(bad: float) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        solve_unit_box(np.diag([1.0, bad]), np.ones(2))


@pytest.mark.parametrize(("matrix", "vector", "start"), [((3, 2), 3, 3), ((3, 3), 2, 2), ((3, 3), 3, 2)])
def test_inconsistent_shapes_are_rejected(matrix: tuple[int, int], vector: int, start: int) -> None:
    with pytest.raises(ValueError, match="expected a matrix"):
        solve_unit_box(np.ones(matrix), np.ones(vector), np.zeros(start))
