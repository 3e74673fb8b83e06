"""How the annotated points move over a head that turns."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler, weak_perspective
from face_expr_ros.core.ibug import IBUG_MIRROR, apparent_turn, turned_offsets
from face_expr_ros.core.types import Pose

SLIDE = np.random.default_rng(0).normal(0, 0.01, (2, 68, 3))


def test_a_frontal_head_keeps_the_points() -> None:
    assert not turned_offsets(SLIDE, 0.0).any()


def test_offsets_are_quadratic_in_the_turn_and_symmetric() -> None:
    np.testing.assert_allclose(turned_offsets(SLIDE, 0.5), 0.5 * SLIDE[0] + 0.25 * SLIDE[1])
    right = turned_offsets(SLIDE, -0.5)
    np.testing.assert_allclose(right[IBUG_MIRROR] * [-1, 1, 1], turned_offsets(SLIDE, 0.5))
    several = turned_offsets(SLIDE, np.array([-0.5, 0.0, 0.5]))
    np.testing.assert_allclose(several[0], right)
    assert not several[1].any()


@pytest.mark.parametrize("yaw", [-80.0, -20.0, 0.0, 45.0])
def test_the_turn_is_the_sine_of_the_yaw(yaw: float) -> None:
    pose = Pose(rotation_from_euler(np.radians(yaw), 0.3, 0.2), np.array([0.0, 0.0, 1.0]), True)
    turn = apparent_turn(weak_perspective(pose, pinhole_camera(640, 480, 40.0)))
    assert float(turn) == pytest.approx(np.sin(np.radians(yaw)), abs=1e-6)
