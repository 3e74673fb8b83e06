"""Gaze: exact for given eye angles, and within bounds on rendered faces with known gaze."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.avatar_faces import make_state

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.evaluation.gaze import GazeSample, gaze_errors, looking_figures, rendered_gaze_samples
from face_expr_ros.perception.gaze import gaze, gaze_axes, gaze_from_irises, iris_angles

LEFT: dict[str, Any] = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}  # 28 degrees


def angle(first: NDArray, second: NDArray) -> float:
    """Degrees between two directions."""
    return math.degrees(math.acos(min(1.0, float(first @ second))))


def direction(left: float, up: float) -> NDArray:
    """A direction in the camera frame: degrees to the left and up of a face that looks into the camera."""
    aside, above = math.radians(left), math.radians(up)
    return np.array([math.sin(aside) * math.cos(above), -math.sin(above), -math.cos(aside) * math.cos(above)])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (make_state(), direction(0, 0)),
        (make_state(**LEFT), direction(28, 0)),
        (make_state(eyeLookUpLeft=0.5, eyeLookUpRight=0.5), direction(0, 14)),
        (make_state(28, 0, 0, **LEFT), direction(0, 0)),  # the head turns to its right, the eyes to their left
        (make_state(-30, 0, 0), direction(30, 0)),
        (make_state(0, 20, 0), direction(0, 20)),
    ],
)
def test_eye_angles_and_head_pose_add_up(state: FaceState, expected: NDArray) -> None:
    directions = gaze(state)
    for each in (directions.left, directions.right, directions.combined):
        assert angle(each, expected) < 1e-5


def test_converging_eyes_have_separate_directions_and_a_mean() -> None:
    directions = gaze(make_state(eyeLookInLeft=0.5, eyeLookInRight=0.5))
    assert angle(directions.left, direction(-14, 0)) < 1e-5
    assert angle(directions.right, direction(14, 0)) < 1e-5
    assert angle(directions.combined, direction(0, 0)) < 1e-5


def test_the_gaze_frame_has_z_forward_and_y_towards_the_chin() -> None:
    state = make_state(-20, 10, 15, eyeLookUpLeft=0.3, eyeLookUpRight=0.3)
    axes = gaze_axes(gaze(state), state.pose)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(axes[:, 2], gaze(state).combined)
    assert axes[:, 1] @ state.pose.rotation[:, 1] < -0.9  # y to the chin
    assert axes[:, 0] @ state.pose.rotation[:, 0] < -0.9  # x to the subject's right


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, -10, 5)])
def test_iris_angles_separate_horizontal_and_vertical(turn: tuple[float, float, float]) -> None:
    neutral = iris_angles(make_state(*turn))
    left = iris_angles(make_state(*turn, **LEFT)) - neutral
    up = iris_angles(make_state(*turn, eyeLookUpLeft=1.0, eyeLookUpRight=1.0)) - neutral
    assert np.degrees(left[:, 0]).min() > 15
    assert np.degrees(up[:, 1]).min() > 15
    assert np.degrees(np.abs(left[:, 1])).max() < 8
    assert np.degrees(np.abs(up[:, 0])).max() < 8


def test_without_arkit_names_the_irises_are_used() -> None:
    state = replace(make_state(**LEFT), blendshapes=Blendshapes(("bfm_exp_0",), np.zeros(1)))
    np.testing.assert_array_equal(gaze(state).combined, gaze_from_irises(state).combined)


def test_a_face_without_names_and_landmarks_is_rejected() -> None:
    state = replace(make_state(), blendshapes=Blendshapes((), np.zeros(0)), landmarks=np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="expected landmarks, got none for the face 'f12'"):
        gaze(state)


@pytest.mark.slow
def test_gaze_errors_on_rendered_faces_are_within_bounds() -> None:
    """Six identities, ten gazes each: up to 24 degrees sideways and 17 up, heads turned up to 25 degrees."""
    samples = list(rendered_gaze_samples())
    assert len(samples) >= 58
    read = gaze_errors(samples, "blendshapes")
    assert read.median < 6.0
    assert read.percentile_90 < 12.0
    assert read.horizontal < 2.0
    assert read.vertical < 5.0
    assert gaze_errors(samples, "irises alone").median < 9.0


def test_gaze_errors_match_values_computed_by_hand() -> None:
    """Eyes that look 14 degrees to the left, estimated as straight ahead and correctly."""
    angles = np.radians([14.0, 0.0])
    eyes: dict[str, Any] = {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    samples = [
        GazeSample(direction(14, 0), np.array([0.0, 0.0, 0.6]), angles, make_state()),
        GazeSample(direction(14, 0), np.array([0.0, 0.0, 0.6]), angles, make_state(**eyes)),
    ]
    found = gaze_errors(samples, "blendshapes")
    assert (found.median, found.horizontal, found.vertical) == pytest.approx((7.0, 7.0, 0.0), abs=1e-5)
    assert found.percentile_90 == pytest.approx(12.6, abs=1e-5)


@pytest.mark.slow
def test_attention_on_rendered_faces_is_within_bounds() -> None:
    """Every second gaze is directed at the camera, half of the heads are rotated."""
    figures = looking_figures(list(rendered_gaze_samples(contact=True)), ExpressionConfig())
    assert figures.inside >= 25
    assert figures.outside >= 10
    assert figures.found >= 0.9
    assert figures.false <= 0.1
    assert figures.error < 0.1
