"""Whether a face looks at the camera: head and eyes together, the cone, and blinks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.avatar_faces import make_state

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.types import Blendshapes, FaceState
from face_expr_ros.perception.expression.attention import Attention, angle_to_camera, cone

CONFIG = ExpressionConfig(looking_half_angle=12.0, looking_softness=6.0)
TO_LEFT = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}  # 28 degrees
SHUT = {"eyeBlinkLeft": 0.95, "eyeBlinkRight": 0.95}


def looking(state: FaceState) -> float:
    return Attention(CONFIG)(state, 0.0)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (make_state(), 1.0),
        (make_state(12.0), 0.5),
        (make_state(0.0, 12.0), 0.5),
        (make_state(0.0, 0.0, 45.0), 1.0),  # a tilted head
        (make_state(30.0), 0.0),
        (make_state(**TO_LEFT), 0.0),
        (make_state(28.0, **TO_LEFT), 1.0),  # the eyes compensate for the head
        (make_state(position=(0.4, 0.0, 0.4)), 0.0),  # parallel to the optical axis, not at the camera
        (make_state(-45.0, position=(-0.4, 0.0, 0.4)), 1.0),
    ],
)
def test_attention_is_measured_from_head_and_eyes_to_the_camera(state: FaceState, expected: float) -> None:
    assert looking(state) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("half_angle", "softness"), [(12.0, 6.0), (30.0, 10.0), (5.0, 0.0)])
def test_cone_falls_from_one_to_zero_around_its_half_angle(half_angle: float, softness: float) -> None:
    angles = np.linspace(0.0, 90.0, 361)
    values = np.array([cone(angle, half_angle, softness) for angle in angles])
    assert (np.diff(values) <= 0.0).all()
    assert (values[angles <= half_angle - softness] == 1.0).all()
    assert (values[angles > half_angle + softness] == 0.0).all()
    assert values[angles == half_angle] == pytest.approx(0.5 if softness else 1.0)
    assert cone(float("nan"), half_angle, softness) == 0.0


def test_angle_to_camera_is_that_to_the_ray_from_the_face() -> None:
    position, diagonal = (0.3, 0.0, 0.3), np.sqrt(0.5)
    assert angle_to_camera((-diagonal, 0.0, -diagonal), position) == pytest.approx(0.0, abs=1e-5)
    assert angle_to_camera((0.0, 0.0, -1.0), position) == pytest.approx(45.0)


def test_blink_keeps_the_value_and_closed_eyes_do_not_look() -> None:
    attention = Attention(CONFIG)
    down = {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0}  # as backends read closing lids
    assert attention(make_state(), 0.0) == 1.0
    assert [attention(make_state(**SHUT, **down), t) for t in (0.1, 0.2, 0.3)] == [1.0, 1.0, 1.0]
    assert attention(make_state(), 0.4) == 1.0
    assert attention(make_state(**SHUT), 0.5) == 1.0
    assert attention(make_state(**SHUT), 1.5) == 0.0


def test_face_with_closed_eyes_from_the_start_does_not_look() -> None:
    assert looking(make_state(**SHUT)) == 0.0


def test_without_arkit_names_the_irises_decide() -> None:
    nameless = Blendshapes(("bfm_exp_0",), np.zeros(1))
    assert looking(replace(make_state(), blendshapes=nameless)) > 0.5
    assert looking(replace(make_state(**TO_LEFT), blendshapes=nameless)) < 0.5
    empty = replace(make_state(), blendshapes=nameless, landmarks=np.zeros((0, 3), np.float32))
    assert looking(empty) == 0.0


def test_attention_with_restored_state_continues() -> None:
    first, second = Attention(CONFIG), Attention(CONFIG)
    first(make_state(), 0.0)
    second.load_state_dict(first.state_dict())
    assert second(make_state(**SHUT), 0.1) == first(make_state(**SHUT), 0.1) == 1.0
