"""Gaze: exact on exact eyes, and within bounds on rendered people whose gaze is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.avatar_faces import make_state

from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.evaluation.gaze import Look, gaze_errors, rendered_looks
from face_expr_ros.retargeting.gaze import gaze, gaze_axes, gaze_from_irises, iris_angles

LEFT: dict[str, Any] = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}  # 28 degrees


def angle(first: NDArray, second: NDArray) -> float:
    """Degrees between two directions."""
    return math.degrees(math.acos(min(1.0, float(first @ second))))


def direction(left: float, up: float) -> NDArray:
    """A direction in the camera frame, seen from a face that looks into the camera: degrees to its left and up."""
    aside, above = math.radians(left), math.radians(up)
    return np.array([math.sin(aside) * math.cos(above), -math.sin(above), -math.cos(aside) * math.cos(above)])


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (make_state(), direction(0, 0)),
        (make_state(**LEFT), direction(28, 0)),
        (make_state(eyeLookUpLeft=0.5, eyeLookUpRight=0.5), direction(0, 14)),
        (make_state(28, 0, 0, **LEFT), direction(0, 0)),  # the head turned to its right, the eyes to their left
        (make_state(-30, 0, 0), direction(30, 0)),
        (make_state(0, 20, 0), direction(0, 20)),
    ],
)
def test_eyes_and_head_add_up(state: FaceState, wanted: NDArray) -> None:
    looking = gaze(state)
    for each in (looking.left, looking.right, looking.combined):
        assert angle(each, wanted) < 1e-5


def test_eyes_that_meet_have_a_gaze_of_their_own_each_and_one_between() -> None:
    looking = gaze(make_state(eyeLookInLeft=0.5, eyeLookInRight=0.5))
    assert angle(looking.left, direction(-14, 0)) < 1e-5
    assert angle(looking.right, direction(14, 0)) < 1e-5
    assert angle(looking.combined, direction(0, 0)) < 1e-5


def test_the_gaze_frame_looks_along_z_with_the_chin_at_y() -> None:
    state = make_state(-20, 10, 15, eyeLookUpLeft=0.3, eyeLookUpRight=0.3)
    axes = gaze_axes(gaze(state), state.pose)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(axes[:, 2], gaze(state).combined)
    assert axes[:, 1] @ state.pose.rotation[:, 1] < -0.9  # y to the chin
    assert axes[:, 0] @ state.pose.rotation[:, 0] < -0.9  # x to the subject's right


@pytest.mark.parametrize("turn", [(0, 0, 0), (25, -10, 5)])
def test_irises_alone_know_left_from_right_and_up_from_down(turn: tuple[float, float, float]) -> None:
    rest = iris_angles(make_state(*turn))
    left = iris_angles(make_state(*turn, **LEFT)) - rest
    up = iris_angles(make_state(*turn, eyeLookUpLeft=1.0, eyeLookUpRight=1.0)) - rest
    assert np.degrees(left[:, 0]).min() > 15
    assert np.degrees(up[:, 1]).min() > 15
    assert np.degrees(np.abs(left[:, 1])).max() < 8
    assert np.degrees(np.abs(up[:, 0])).max() < 8


def test_a_face_without_arkits_names_has_the_gaze_of_its_irises() -> None:
    state = replace(make_state(**LEFT), blendshapes=Blendshapes(("bfm_exp_0",), np.zeros(1)))
    np.testing.assert_array_equal(gaze(state).combined, gaze_from_irises(state).combined)


def test_a_face_without_names_and_without_irises_is_refused() -> None:
    state = replace(make_state(), blendshapes=Blendshapes((), np.zeros(0)), landmarks=np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match="FaceMesh does not see the face 'f12'"):
        gaze(state)


@pytest.mark.slow
def test_the_gaze_of_rendered_people_is_found_within_a_few_degrees() -> None:
    """Six people, ten gazes each up to 24 degrees aside and 17 up, heads turned up to 25 degrees."""
    looks = list(rendered_looks())
    assert len(looks) >= 58
    read = gaze_errors(looks, "blendshapes")
    assert read.median < 6.0
    assert read.most < 12.0
    assert read.aside < 2.0
    assert read.above < 5.0
    assert gaze_errors(looks, "irises alone").median < 9.0


def test_the_errors_of_the_gaze_are_those_computed_by_hand() -> None:
    """Eyes that look 14 degrees to the left, read as straight ahead and as what they are."""
    angles = np.radians([14.0, 0.0])
    eyes: dict[str, Any] = {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    looks = [Look(direction(14, 0), angles, make_state()), Look(direction(14, 0), angles, make_state(**eyes))]
    found = gaze_errors(looks, "blendshapes")
    assert (found.median, found.aside, found.above) == pytest.approx((7.0, 7.0, 0.0), abs=1e-5)
    assert found.most == pytest.approx(12.6, abs=1e-5)
