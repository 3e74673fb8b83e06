"""Alignment of points against Umeyama's method with LAPACK, and degenerate points."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.similarity import umeyama_alignment
from face_expr_ros.core.types import FloatArray


def reference(points: FloatArray, images: FloatArray) -> tuple[FloatArray, float, float]:
    a, b = points - points.mean(axis=0), images - images.mean(axis=0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (u * sign) @ vt, float(singular @ sign), float((a**2).sum())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_alignment_matches_umeyamas_method_in_numpy(seed: int, mirrored: bool, scale: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(48, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0] * (-1 if mirrored else 1)
    images = scale * (points @ turn.T + 0.1 * rng.normal(size=points.shape)) + rng.normal(size=3)
    found, (rotation, correlation, spread) = umeyama_alignment(points, images), reference(points, images)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-9)
    assert (found.correlation, found.spread) == pytest.approx((correlation, spread))
    np.testing.assert_allclose(found.source_mean, points.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.target_mean, images.mean(axis=0), atol=1e-9 * scale)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_degenerate_points_give_a_proper_rotation(count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 3))
    found = umeyama_alignment(points, points)
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)
    assert found.correlation == pytest.approx(found.spread, abs=1e-12)


def test_coincident_target_points_have_no_correlation() -> None:
    found = umeyama_alignment(np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 3)))
    assert found.correlation == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("points", "images"), [((0, 3), (0, 3)), ((5, 2), (5, 2)), ((5, 3), (4, 3)), ((3,), (3,))])
def test_inconsistent_shapes_are_rejected(points: tuple[int, ...], images: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected source and target of the same shape"):
        umeyama_alignment(np.zeros(points), np.zeros(images))


@pytest.mark.parametrize("far", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("flat", [1.0, 1e-6, 0.0])
def test_the_rotation_of_planar_distant_points_is_recovered(far: float, flat: float) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40, 3)) * (1.0, 1.0, flat) + far
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    found = umeyama_alignment(points, points @ turn.T)
    np.testing.assert_allclose(found.rotation, turn, atol=1e-9 * max(1.0, far))
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)
