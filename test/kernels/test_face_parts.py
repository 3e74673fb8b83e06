"""The parts of the face between FaceMesh's networks, against NumPy and a drawn part."""

from __future__ import annotations

import math

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.face_parts import FaceParts
from face_expr_ros.kernels.feature_maps import sample_features

MARGIN, SIDE, CELL = 1.5, 4, 4


def axes_of(points: FloatArray) -> FloatArray:
    """The axes of the part of the first four points, whose x axis points from the first to the second."""
    parts = FaceParts([np.arange(4)], np.array([[0, 1]]), MARGIN, SIDE, CELL)
    out = np.empty((SIDE, SIDE, 2), np.float32)
    return parts.cut(points.astype(np.float32), np.zeros((9, 9, 2), np.float32), [out])[0]


def test_a_part_is_an_upright_box_around_its_landmarks() -> None:
    points = np.zeros((478, 3))
    angle = math.radians(30)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points[:4, :2] = [[-20, 0], [20, 0], [0, -5], [0, 5]] @ rotation.T + [100, 80]
    corners = axes_of(points) @ [[0.0, 1.0, 0.5], [0.0, 1.0, 0.5], [1.0, 1.0, 1.0]]
    expected = np.array([[-30.0, -7.5], [30.0, 7.5], [0.0, 0.0]]) @ rotation.T + [100, 80]
    np.testing.assert_allclose(corners.T, expected, atol=1e-5)


def test_the_part_of_landmarks_in_one_place_is_finite() -> None:
    assert np.isfinite(axes_of(np.full((478, 3), 7.0))).all()


def test_parts_are_samples_of_the_feature_map() -> None:
    rng = np.random.default_rng(0)
    indices = [np.arange(5), np.array([9, 7, 3])]
    parts = FaceParts(indices, np.array([[0, 4], [3, 9]]), MARGIN, SIDE, CELL)
    points = rng.uniform(4, 40, (12, 3)).astype(np.float32)
    features = rng.normal(size=(12, 12, 3)).astype(np.float32)
    out = [np.empty((SIDE, SIDE, 3), np.float32) for _ in indices]
    axes = parts.cut(points, features, out)
    maps = axes / [SIDE * CELL, SIDE * CELL, CELL]
    maps[:, :, 2] += maps[:, :, 0] / 2 + maps[:, :, 1] / 2 - 0.5
    np.testing.assert_allclose(out, sample_features(features, maps, SIDE), atol=1e-6)


def test_points_are_placed_along_the_axes() -> None:
    rng = np.random.default_rng(1)
    indices, iris = [np.array([4, 0, 2, 8, 9]), np.array([3, 1])], np.array([10, 11])
    parts = FaceParts(indices, np.zeros((2, 2), np.intc), MARGIN, SIDE, CELL, [(1, iris)], lids=2)
    points, axes = np.zeros((12, 3), np.float32), rng.normal(size=(2, 2, 3))
    points[:10, 2] = range(10)
    answers = [rng.normal(size=2 * count).astype(np.float32) for count in (5, 2, 2)]
    parts.place(answers, axes, 64.0, points)
    for answer, place, part in zip(answers, (*indices, iris), (0, 1, 1), strict=True):
        expected = answer.reshape(-1, 2) / 64.0 @ axes[part, :, :2].T + axes[part, :, 2]
        np.testing.assert_allclose(points[place, :2], expected, atol=1e-6)
    assert not points[[5, 6, 7], :2].any()
    assert points[:, 2].tolist() == [*range(10), 2.0, 2.0]


def test_inconsistent_arguments_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected two corners for each of 1 parts"):
        FaceParts([np.arange(4)], np.zeros((2, 2)), MARGIN, SIDE, CELL)
    parts = FaceParts([np.arange(4)], np.array([[0, 1]]), MARGIN, SIDE, CELL)
    points, features = np.zeros((4, 3), np.float32), np.zeros((5, 5, 2), np.float32)
    with pytest.raises(ValueError, match="expected at least 4 points"):
        parts.cut(points[:3], features, [np.zeros((SIDE, SIDE, 2), np.float32)])
    with pytest.raises(ValueError, match="out: expected 1 of the shape"):
        parts.cut(points, features, [np.zeros((SIDE, SIDE, 3), np.float32)])
    with pytest.raises(ValueError, match=r"expected answers of \[8\] numbers"):
        parts.place([np.zeros(3, np.float32)], np.zeros((1, 2, 3)), 1.0, points)
