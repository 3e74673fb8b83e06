"""The compiled points of a fitted face against the functions of core.geometry and core.ibug."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.geometry import (
    pinhole_camera,
    pixels_with_depth,
    rotation_from_euler,
    to_camera,
    weak_perspective,
)
from face_expr_ros.core.ibug import IBUG_MIRROR, apparent_turn, turned_offsets
from face_expr_ros.core.types import Pose
from face_expr_ros.kernels.face_points import FacePoints

CAMERA = pinhole_camera(640, 480, field_of_view=50.0)


@pytest.mark.parametrize("yaw", [-1.2, -0.3, 0.0, 0.7])
@pytest.mark.parametrize("slides", [True, False])
def test_points_and_weak_perspective_match_geometry(yaw: float, slides: bool) -> None:
    rng = np.random.default_rng(0)
    mean, basis = rng.normal(0, 0.05, (68, 3)), rng.normal(0, 0.003, (9, 68, 3)).astype(np.float32)
    slide = rng.normal(0, 0.01, (2, 68, 3)) if slides else np.zeros((0, 68, 3))
    pose = Pose(rotation_from_euler(yaw, 0.2, -0.1), np.array([0.1, -0.2, 0.7]), metric=True)
    coefficients = rng.normal(size=9)
    apparent = weak_perspective(pose, CAMERA)
    offsets = turned_offsets(slide, apparent_turn(apparent)) if slides else 0.0
    points = mean + np.tensordot(coefficients, basis, 1) + offsets
    found = FacePoints(mean, basis, slide, IBUG_MIRROR)(
        coefficients, pose.rotation, pose.position, CAMERA.matrix, CAMERA.height
    )
    np.testing.assert_allclose(found[0].T, points, atol=1e-7)  # the coefficients are float32
    np.testing.assert_allclose(found[1], pixels_with_depth(to_camera(points, pose), pose, CAMERA), atol=1e-4)
    np.testing.assert_allclose(found[2], apparent, rtol=1e-12, atol=1e-9)


def test_inconsistent_arguments_are_rejected() -> None:
    parts = np.zeros((5, 3)), np.zeros((2, 5, 3)), np.zeros((0, 5, 3)), np.arange(5)
    with pytest.raises(ValueError, match="expected a mean"):
        FacePoints(parts[0][:4], *parts[1:])
    with pytest.raises(ValueError, match="expected a slide"):
        FacePoints(*parts[:3], np.arange(4))
    with pytest.raises(ValueError, match="expected 2 coefficients"):
        FacePoints(*parts)(np.zeros(3), np.eye(3), np.ones(3), CAMERA.matrix, CAMERA.height)
