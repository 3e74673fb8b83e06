"""The compiled bounding box against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.boxes import bounds
from face_expr_ros.kernels.regions import map_points


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


def test_points_are_mapped_as_in_numpy() -> None:
    rng = np.random.default_rng(0)
    points, axes = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(3, 4))
    np.testing.assert_allclose(map_points(points, axes), points @ axes[:, :3].T + axes[:, 3], atol=1e-6)
    assert map_points(points[:0], axes).shape == (0, 3)
    with pytest.raises(ValueError, match=r"expected points \(n, 3\) and axes \(3, 4\)"):
        map_points(points, axes[:2])
