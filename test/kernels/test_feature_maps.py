"""Parts of a feature map, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.feature_maps import sample_features


def reference(features: NDArray[np.float32], transform: FloatArray, side: int) -> FloatArray:
    """Bilinear interpolation as a sum over all cells, weighted by their distance."""
    y, x = np.indices((side, side))
    places = transform @ np.stack([x.ravel(), y.ravel(), np.ones(side * side)])
    height, width = features.shape[:2]
    across = np.clip(1 - np.abs(places[0][:, None] - np.arange(width)), 0, None)
    down = np.clip(1 - np.abs(places[1][:, None] - np.arange(height)), 0, None)
    inside = (places >= 0).all(axis=0) & (places[0] <= width - 1) & (places[1] <= height - 1)
    sampled = np.einsum("nw,nh,hwc->nc", across, down, features) * inside[:, None]
    return np.asarray(sampled.reshape(side, side, -1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (48, 48, 32)])
def test_samples_equal_numpy_inside_and_outside(shape: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=shape).astype(np.float32)
    transforms = np.concatenate([rng.normal(size=(3, 2, 2)), rng.uniform(-5, shape[1] + 5, (3, 2, 1))], axis=2)
    expected = [reference(features, transform, 7) for transform in transforms]
    np.testing.assert_allclose(sample_features(features, transforms, 7), expected, atol=1e-5)


def test_whole_cells_are_copied_up_to_the_last() -> None:
    features = np.random.default_rng(0).normal(size=(16, 16, 4)).astype(np.float32)
    np.testing.assert_array_equal(sample_features(features, np.eye(2, 3)[None], 16)[0], features)


@pytest.mark.parametrize(
    ("features", "transforms", "side"),
    [
        (np.zeros((4, 4)), np.zeros((1, 2, 3)), 2),
        (np.zeros((4, 4, 2), np.float64), np.zeros((1, 2, 3)), 2),
        (np.zeros((0, 4, 2), np.float32), np.zeros((1, 2, 3)), 2),
        (np.zeros((4, 4, 2), np.float32), np.zeros((2, 3)), 2),
        (np.zeros((4, 4, 2), np.float32), np.full((1, 2, 3), np.nan), 2),
        (np.zeros((4, 4, 2), np.float32), np.zeros((1, 2, 3)), 0),
    ],
)
def test_wrong_arguments_are_refused(features: FloatArray, transforms: FloatArray, side: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        sample_features(features, transforms, side)
