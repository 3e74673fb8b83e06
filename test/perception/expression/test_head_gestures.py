"""Nods and shakes: bounds on simulated and rendered head motion."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.core.config import ExpressionConfig, PerceptionConfig
from face_expr_ros.core.geometry import pinhole_camera, rotation_from_euler
from face_expr_ros.core.types import NOD, SHAKE, FaceEvent, FloatArray, Frame, Pose
from face_expr_ros.evaluation.head_gestures import BEGIN, Angles, Motion, detect, gesture, motions, turn, walk
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.head_gestures import HeadGestures
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer

CONFIG = ExpressionConfig()


@pytest.mark.parametrize("motion", motions(), ids=lambda motion: motion.name)
def test_gestures_of_simulated_heads_are_detected(motion: Motion) -> None:
    """At 15, 30 and 60 frames per second, with noise of 1 degree, for frontal and rotated heads."""
    found = detect(motion, CONFIG, noise=1.0)
    assert found.correct == 1.0
    assert found.false == 0.0
    if motion.expected:
        assert found.delay < 1.1


@pytest.mark.parametrize("noise", [1.5, 2.0])
def test_noise_of_the_pose_is_not_a_gesture(noise: float) -> None:
    assert detect(Motion("still", "", lambda t: np.zeros((len(t), 3))), CONFIG, noise).false == 0.0


def test_minimum_swing_is_a_parameter() -> None:
    motion = Motion("nod", NOD, gesture(NOD, 5.0, 2.0))
    assert detect(motion, CONFIG, noise=0.0).correct == 1.0
    assert detect(motion, ExpressionConfig(gesture_min_swing=15.0), noise=0.0).correct == 0.0


@pytest.mark.parametrize("pitch", [2.5, 4.0, 6.0])
@pytest.mark.parametrize("steps", [1.6, 1.8, 2.2])
def test_the_steps_of_a_walk_are_no_nods(pitch: float, steps: float) -> None:
    """They are swings like those of a nod, but without a rest before them."""
    found = detect(Motion("walk", "", walk(pitch, 1.0, 1.0, steps)), CONFIG)
    assert found.false == 0.0


def test_a_nod_after_a_turn_of_the_head_is_detected() -> None:
    def angles(t: FloatArray) -> FloatArray:
        return turn(30.0, -10.0, 0.4)(t + 0.7) + gesture(NOD, 8.0, 2.5)(t - 1.0)

    events = run(angles, 5.0)
    assert [event.type for _, event in events] == [NOD]


def run(
    angles, seconds: float, offset: float = 0.0, gestures: HeadGestures | None = None
) -> list[tuple[float, FaceEvent]]:
    gestures = gestures or HeadGestures(CONFIG)
    times = np.arange(0.0, seconds, 1 / 30)
    rotations = [rotation_from_euler(*row) for row in np.radians(angles(times)).tolist()]
    events = [(t, gestures(rotation, t + offset)) for t, rotation in zip(times.tolist(), rotations, strict=True)]
    return [(t, event) for t, event in events if event is not None]


def test_gesture_is_reported_once_and_again_after_a_pause() -> None:
    nod = gesture(NOD, 10.0, 2.0)
    ((t, event),) = run(nod, 5.0)
    assert event.type == NOD
    assert t - event.duration == pytest.approx(BEGIN, abs=0.15)
    gestures = HeadGestures(CONFIG)
    assert [len(run(nod, 5.0, offset, gestures)) for offset in (0.0, 5.0, 10.0)] == [1, 1, 1]


def test_gap_or_time_jump_resets_the_history() -> None:
    gestures = HeadGestures(CONFIG)
    shake = gesture(SHAKE, 10.0, 2.0)
    assert run(shake, BEGIN + 0.4, 0.0, gestures) == []
    assert run(lambda t: shake(t + BEGIN + 0.4), 0.4, 10.0, gestures) == []


def test_gestures_with_restored_state_continue() -> None:
    angles = gesture(NOD, 10.0, 2.0)(np.arange(150) / 30)
    first, second = HeadGestures(CONFIG), HeadGestures(CONFIG)
    found = []
    for n, row in enumerate(np.radians(angles).tolist()):
        if n == 55:  # in the middle of the nod
            second.load_state_dict(first.state_dict())
        event = first(rotation_from_euler(*row), n / 30)
        if n >= 55:
            assert second(rotation_from_euler(*row), n / 30) == event
        found.append(event)
    assert sum(event is not None for event in found) == 1


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer(open_face_model("open"), Appearance.random(3), texture_width=256)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        (gesture(NOD, 8.0, 2.0), [NOD]),
        (gesture(SHAKE, 8.0, 2.5), [SHAKE]),
        (gesture(NOD, 5.0, 3.0), [NOD]),
        (turn(30.0, 0.0, 0.5), []),
        (turn(0.0, -20.0, 0.4), []),
        (walk(2.0, 2.0, 1.0, 2.0), []),
    ],
    ids=["nod", "shake", "small nod", "turn", "look down", "walk"],
)
def test_gestures_of_rendered_heads_are_detected(renderer: FaceRenderer, angles: Angles, expected: list[str]) -> None:
    """Through the whole pipeline, with the bounce of 3 cm of a walk."""
    camera = pinhole_camera(480, 360, 45.0)
    model = open_face_model("open")
    pipeline = Pipeline(PerceptionConfig())
    times = np.arange(1.0, 3.6, 1 / 30)
    found = []
    for t, row in zip(times.tolist(), np.radians(angles(times)).tolist(), strict=True):
        bounce = 0.0 if expected else 0.03 * np.sin(4 * np.pi * t)
        pose = Pose(rotation_from_euler(*row), np.array([0.0, bounce, 0.55]), metric=True)
        image = renderer.render((np.zeros(len(model.identity)), np.zeros(len(model.expression))), pose, camera)
        for face in pipeline(Frame(image, round(t * 1e9), "camera", camera)):
            found += [event.type for event in face.events]
    pipeline.close()
    assert [kind for kind in found if kind != "blink"] == expected
