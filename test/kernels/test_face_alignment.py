"""The compiled alignment of a face against the formula of its docstring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.face_alignment import align_face
from face_expr_ros.kernels.similarity import align_points

TOWARD = np.array([1.0, -1.0, -1.0])
RIGID = np.array([3, 0, 9, 11, 20, 7], np.intp)


def face(seed: int) -> tuple[FloatArray, FloatArray]:
    """Points in an image, and the canonical face."""
    rng = np.random.default_rng(seed)
    canonical = rng.normal(0, 0.05, (30, 3))
    turn = Rotation.random(random_state=seed).as_matrix()
    points = (canonical + rng.normal(0, 0.004, canonical.shape)) @ turn.T * 2000.0 + (300.0, -200.0, 10.0)
    return points * TOWARD, canonical


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_alignment_matches_numpy(seed: int, dtype: type) -> None:
    points, canonical = face(seed)
    points = points.astype(dtype)
    rotation, scale, offset, aligned = align_face(points, canonical, RIGID)
    expected, s, t, spread, correlation = align_points(canonical[RIGID], points[RIGID] * TOWARD)
    np.testing.assert_allclose(rotation, expected, atol=1e-12)
    assert scale == pytest.approx(correlation / spread)
    np.testing.assert_allclose(offset, t - scale * expected @ s, atol=1e-9)
    np.testing.assert_allclose(aligned, (points * TOWARD - offset) / scale @ rotation, atol=1e-12)


def test_points_in_one_place_have_no_scale() -> None:
    assert align_face(np.full((30, 3), 7.0), face(0)[1], RIGID)[1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 1])
def test_the_scale_of_points_that_are_not_finite_is_nan(value: float, row: int) -> None:
    points, canonical = face(0)
    points[row, 2] = value
    assert np.isnan(align_face(points, canonical, RIGID)[1])


@pytest.mark.parametrize(
    ("points", "canonical", "rigid"), [((5, 2), (5, 3), 1), ((5, 3), (4, 3), 1), ((5, 3),) * 2 + (0,)]
)
def test_inconsistent_arguments_are_rejected(points: tuple[int, ...], canonical: tuple[int, ...], rigid: int) -> None:
    with pytest.raises(ValueError, match="expected points and a canonical face"):
        align_face(np.zeros(points), np.zeros(canonical), np.zeros(rigid, np.intp))
