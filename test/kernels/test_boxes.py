"""The compiled bounding box against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.boxes import bounds


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 2), (68, 3), (478, 3)])
def test_the_box_is_that_of_numpy(dtype: type, shape: tuple[int, int]) -> None:
    points: FloatArray = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for one in (points, points[::-1], np.asfortranarray(points)):
        assert bounds(one) == (*one[:, :2].min(axis=0), *one[:, :2].max(axis=0))


@pytest.mark.parametrize("row", [0, 3, 6])
@pytest.mark.parametrize("column", [0, 1])
def test_a_box_with_nan_is_nan(row: int, column: int) -> None:
    points = np.ones((7, 2))
    points[row, column] = np.nan
    assert np.isnan(bounds(points)).all()


@pytest.mark.parametrize("shape", [(0, 2), (5, 1), (5,)])
def test_arrays_without_points_are_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected points"):
        bounds(np.zeros(shape))
