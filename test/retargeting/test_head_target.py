"""Selection of the followed face, and the behavior without a face."""

from __future__ import annotations

import itertools
import math

import pytest
from support.robot_head import FAR, NEAR, YAW, Head, assert_within_limits, face, times

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig


@pytest.mark.parametrize(
    ("settings", "first", "second"),
    [
        ({"follow": "nearest"}, face("f1", position=FAR), face("f2", position=NEAR)),
        ({"follow": "largest"}, face("f1", position=NEAR), face("f2", position=FAR, width=200.0)),
        ({"follow": "id", "face_id": "f2"}, face("f1", position=NEAR), face("f2", position=FAR)),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_follow_selects_the_face(settings: dict, first: FaceState, second: FaceState, reverse: bool) -> None:
    head = Head(**settings)
    head.run(0.1, *((second, first) if reverse else (first, second)))
    assert head.controller.followed == "f2"


def test_an_absent_id_is_followed_once_it_appears() -> None:
    head = Head(follow="id", face_id="f7")
    assert head.run(1.0, face(yaw=1.0)).positions == (0.0,)
    assert head.run(1.5, face("f7", yaw=0.5)).positions == pytest.approx((0.5,))


def test_the_head_switches_only_after_margin_and_time() -> None:
    head = Head(switch_margin=0.2, switch_after=0.5)
    head.run(0.5, face("f1"), face("f2", position=FAR))
    head.run(5.0, face("f1"), face("f2", position=(0.0, 0.0, 0.9)))
    assert head.controller.followed == "f1", "the other face is within the margin"
    for _ in range(10):
        head.run(0.4, face("f1"), face("f2", position=NEAR))
        head.run(0.02, face("f1"), face("f2", position=FAR))
    assert head.controller.followed == "f1", "the other face was never nearer for long enough"
    head.run(0.54, face("f1"), face("f2", position=NEAR))
    assert head.controller.followed == "f2"


def test_alternating_nearest_faces_replace_a_lost_face() -> None:
    head = Head(switch_after=0.5)
    head.run(0.5, face("f1"))
    for nearer, farther in itertools.islice(itertools.cycle([("f2", "f3"), ("f3", "f2")]), 30):
        head.run(0.02, face(nearer), face(farther, position=FAR))
    assert head.controller.followed in ("f2", "f3")


def test_the_speaker_is_followed_not_a_constantly_open_mouth() -> None:
    head = Head(follow="speaker", switch_after=0.3)

    def talk(speaker: str, seconds: float) -> None:
        for step in range(round(seconds * 50)):
            speech = 0.3 + 0.3 * math.sin(2 * math.pi * 4 * step / 50)
            noise = 0.01 * math.sin(step)
            values = {name: speech if name == speaker else 0.6 + noise for name in ("f1", "f2")}
            head.run(0.02, *(face(name, jawOpen=value) for name, value in values.items()))

    talk("f1", 2.0)
    assert head.controller.followed == "f1"
    talk("f2", 2.0)
    assert head.controller.followed == "f2"
    for _ in range(100):
        head.run(0.02, face("f1", jawOpen=0.62), face("f2", jawOpen=0.3))
    assert head.controller.followed == "f2", "silent faces do not cause a switch"


def test_settings_can_change_at_run_time() -> None:
    head = Head()
    head.run(1.0, face("f1", yaw=0.5), face("f2", yaw=-0.5, position=FAR))
    head.controller.configure(HeadControlConfig(follow="id", face_id="f2"))
    assert head.run(2.0, face("f1", yaw=0.5), face("f2", yaw=-0.5, position=FAR)).positions == pytest.approx((-0.5,))


def test_after_a_lost_face_the_head_holds_then_returns_to_rest() -> None:
    head = Head(YAW.model_copy(update={"rest": -0.1}), hold=0.5, return_speed=0.25)
    head.run(2.0, face(yaw=1.0))
    assert head.run(0.48).positions == pytest.approx((1.0,))
    assert head.controller.followed == "f1"
    begin = len(head.targets)
    head.run(4.0)
    assert head.controller.followed == ""
    assert head.targets[-1].positions == pytest.approx((-0.1,))
    assert max(abs(target.velocities[0]) for target in head.targets[begin:]) == pytest.approx(0.5)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))


def test_missing_messages_count_as_no_face() -> None:
    head = Head(hold=0.5, input_timeout=0.3)
    head.run(2.0, face(yaw=1.0))
    assert head.run(0.78, silent=True).positions == pytest.approx((1.0,))
    assert head.run(3.0, silent=True).positions == (0.0,)


def test_joints_keep_moving_between_messages() -> None:
    head = Head()
    head.run(0.02, face(yaw=1.0))
    assert head.run(0.9, silent=True).positions == pytest.approx((1.0,))


def test_a_face_that_returns_within_hold_is_followed_again() -> None:
    head = Head(hold=0.5)
    head.run(2.0, face(yaw=1.0))
    head.run(0.4)
    head.run(0.4, face(yaw=1.0))
    assert [target.positions[0] for target in head.targets[100:]] == pytest.approx([1.0] * 40)
