"""Gaze: exact on exact eyes, and within bounds on rendered people whose gaze is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from avatar_faces import make_state
from numpy.typing import NDArray

from face_expr_ros.bundle import open_face_model
from face_expr_ros.config import PerceptionConfig, from_mapping
from face_expr_ros.face_state import FaceState, face_state
from face_expr_ros.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.pipeline import Pipeline
from face_expr_ros.rendering.appearance import Appearance
from face_expr_ros.rendering.scene import FaceRenderer
from face_expr_ros.retargeting.gaze import gaze, gaze_axes, gaze_from_irises, iris_angles
from face_expr_ros.sources.actor import random_shape, set_gaze
from face_expr_ros.values import Blendshapes, Frame, Pose

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
    errors, iris_errors = [], []
    for true_gaze, state in rendered_gazes(people=6, gazes=10):
        errors.append(angle(gaze(state).combined, true_gaze))
        iris_errors.append(angle(gaze_from_irises(state).combined, true_gaze))
    assert len(errors) >= 58
    assert np.median(errors) < 6.0
    assert np.percentile(errors, 90) < 12.0
    assert np.median(iris_errors) < 9.0


def rendered_gazes(people: int, gazes: int) -> list[tuple[NDArray, FaceState]]:
    """True directions in the camera frame, and what the pipeline says of the picture."""
    model, camera, rng = open_face_model("open"), pinhole_camera(640, 480, 45.0), np.random.default_rng(3)
    pipeline = Pipeline(from_mapping(PerceptionConfig, {"smoothing.method": "none"}))
    found = []
    for person in range(people):
        renderer = FaceRenderer(model, Appearance.random(50 + person), texture_width=512)
        shape = random_shape(rng, len(model.identity), 0.7)
        for number in range(gazes):
            left, up = rng.uniform([-0.42, -0.3], [0.42, 0.3]) if number else (0.0, 0.0)
            yaw, pitch = rng.uniform([-0.45, -0.27], [0.45, 0.27]) if number > 4 else (0.0, 0.0)
            values = dict.fromkeys(model.expression_names, 0.0)
            set_gaze(values, left, up)
            pose = Pose(rotation_from_euler(yaw, pitch, 0.0), np.array([0.0, 0.0, 0.55]), True)
            image = renderer.render((shape, np.clip(list(values.values()), 0, 1)), pose, camera)
            faces = pipeline(Frame(image, (100 * person + number) * 10**10, "camera", camera))
            true_gaze = pose.rotation @ (math.sin(left) * math.cos(up), math.sin(up), math.cos(left) * math.cos(up))
            found += [(true_gaze, face_state(face, 0, model.name)) for face in faces[:1]]
        pipeline.reset()
    pipeline.close()
    return found
