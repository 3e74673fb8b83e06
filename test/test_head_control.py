"""The head follows a face within its limits, whatever comes, and goes back to rest without one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from face_expr_ros.face_state import FaceState
from face_expr_ros.geometry import rotation_from_euler
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import Joint, JointTargets, load_joints
from face_expr_ros.retargeting.sources import ACTION_UNITS, QUANTITIES, quantity, weighted_sum
from face_expr_ros.values import Blendshapes, Pose, Readouts, Roi

PERIOD = 20_000_000  # ns, of 50 Hz
SECOND = 1_000_000_000  # ns
START = 1_700_000_000 * SECOND
TOLERANCE = 0.001  # of a limit
YAW = Joint("neck_yaw", {"yaw": 1.0}, minimum=-1.2, maximum=1.2, velocity=2.0, acceleration=8.0)


def face(
    face_id: str = "f1",
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    position: Sequence[float] = (0.0, 0.0, 1.0),
    width: float = 100.0,
    stamp_ns: int = 0,
    **blendshapes: float,
) -> FaceState:
    return FaceState(
        id=face_id,
        stamp_ns=stamp_ns,
        confidence=1.0,
        roi=Roi(0.0, 0.0, width, width),
        pose=Pose(rotation_from_euler(yaw, pitch, roll), np.array(position, float), metric=True),
        model="open",
        shape=np.zeros(0),
        expression=np.zeros(0),
        blendshapes=Blendshapes(tuple(blendshapes), np.array([*blendshapes.values()])),
        readouts=Readouts(("AU12",), np.array([0.3]), 0.4, -0.2, "happy", True),
        landmarks=np.zeros((0, 3), np.float32),
    )


class Head:
    """A controller called at 50 Hz, and everything it said."""

    def __init__(self, *joints: Joint, **settings: Any) -> None:
        self.said: list[str] = []
        self.controller = HeadController(joints or (YAW,), HeadControlConfig(**settings), self.said.append)
        self.now_ns = START
        self.targets: list[JointTargets] = []

    def run(self, seconds: float, *faces: FaceState, silent: bool = False) -> JointTargets:
        """Show these faces for a while, 50 messages a second; with their stamps unless they have one."""
        for _ in range(round(seconds * SECOND / PERIOD)):
            self.now_ns += PERIOD
            seen = [one if one.stamp_ns else replace(one, stamp_ns=self.now_ns) for one in faces]
            self.targets.append(self.controller(None if silent else tuple(seen), self.now_ns))
        return self.targets[-1]

    @property
    def position(self) -> float:
        return self.targets[-1].positions[0]


def assert_within_limits(targets: list[JointTargets], joints: Sequence[Joint], times: Sequence[float]) -> None:
    """Velocity and acceleration, as said and as measured from the positions, and the positions themselves."""
    positions = np.array([target.positions for target in targets])
    velocities = np.array([target.velocities for target in targets])
    steps = np.diff(times)[:, None]
    velocity = np.array([joint.velocity for joint in joints]) * (1 + TOLERANCE)
    acceleration = np.array([joint.acceleration for joint in joints]) * (1 + TOLERANCE)
    measured = np.diff(positions, axis=0) / steps
    assert np.isfinite(positions).all()
    assert (positions >= [joint.minimum - 1e-9 for joint in joints]).all()
    assert (positions <= [joint.maximum + 1e-9 for joint in joints]).all()
    assert (np.abs(velocities) <= velocity).all()
    assert (np.abs(measured) <= velocity).all()
    assert (np.abs(np.diff(velocities, axis=0) / steps) <= acceleration).all()
    assert (np.abs(np.diff(measured, axis=0) * 2 / (steps[1:] + steps[:-1])) <= acceleration).all()


def times(count: int) -> list[float]:
    return [index * PERIOD / SECOND for index in range(count)]


def test_a_step_of_60_degrees_is_followed_within_the_limits() -> None:
    head = Head()
    head.run(0.2, face())
    head.run(2.0, face(yaw=math.radians(60)))
    assert head.position == pytest.approx(math.radians(60))
    assert head.targets[-1].velocities == (0.0,)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))
    on_the_way = [target.positions[0] for target in head.targets]
    assert on_the_way == sorted(on_the_way), "it overshoots"


def random_faces(random: Random, blendshapes: set[str]) -> list[FaceState]:
    """Faces anywhere, turned anyhow, whose blendshapes are often no numbers."""
    strange = [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, 1.0]
    return [
        face(
            f"f{random.randrange(1, 5)}",
            yaw=random.uniform(-1.5, 1.5),
            pitch=random.uniform(-1.5, 1.5),
            roll=random.uniform(-1.5, 1.5),
            position=[random.choice([1e-9, -1.0, 1.0, 1.0, 1e9, math.inf]) * random.uniform(0, 2) for _ in range(3)],
            **{name: random.choice([*strange, random.random()]) for name in sorted(blendshapes)},
        )
        for _ in range(500)
    ]


MOVED = 0.005  # radians or meters


@pytest.mark.parametrize("table", ["neck", "pan_tilt"])
def test_ten_thousand_random_inputs_never_drive_a_joint_over_a_limit(table: str) -> None:
    random = Random(3)
    joints = load_joints(table)
    faces = random_faces(random, {name for joint in joints for name in joint.source} - QUANTITIES.keys())
    said: list[str] = []
    controller = HeadController(joints, HeadControlConfig(hold=0.1, switch_after=0.1), said.append)
    now_ns, moments, targets = START, list[float](), list[JointTargets]()
    for _ in range(10_000):
        now_ns += random.choice([PERIOD, PERIOD // 7, 3 * PERIOD, random.randrange(1, 10 * PERIOD)])
        stamps = [now_ns, now_ns - SECOND // 10, 0, 2**62]
        seen = [replace(one, stamp_ns=random.choice(stamps)) for one in random.sample(faces, random.randrange(3))]
        targets.append(controller(None if random.random() < 0.2 else seen, now_ns))
        moments.append((now_ns - START) / SECOND)
    assert_within_limits(targets, joints, moments)
    assert (np.ptp([target.positions for target in targets], axis=0) > MOVED).all(), "a joint hardly moved"
    assert said == []
    if table == "neck":
        assert controller.refused > 1000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_leaves_the_joint_where_it_is_and_the_others_go_on(value: float) -> None:
    jaw = Joint("jaw", {"jawOpen": 1.0}, minimum=0.0, maximum=1.0, velocity=5.0, acceleration=50.0)
    head = Head(YAW, jaw)
    head.run(1.0, face(yaw=0.2, jawOpen=0.5))
    head.run(1.0, face(yaw=0.4, jawOpen=value))
    assert head.targets[-1].positions == pytest.approx((0.4, 0.5))
    assert head.controller.refused == 50
    head.run(1.0, face(yaw=0.4, jawOpen=0.1))
    assert head.targets[-1].positions == pytest.approx((0.4, 0.1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_face_whose_pose_is_not_finite_is_left_out_and_another_one_is_followed(value: float) -> None:
    nowhere = face("f1", yaw=-0.5, position=(0.0, 0.0, value))
    turned = face("f2", yaw=-0.5)
    turned.pose.rotation[0, 0] = value
    head = Head()
    head.run(1.0, nowhere, turned, face("f3", yaw=0.5, position=FAR))
    assert head.controller.followed == "f3"
    assert head.position == pytest.approx(0.5)
    assert head.controller.refused == 100


def test_a_face_without_the_blendshape_leaves_the_joint_where_it_is() -> None:
    head = Head(replace(YAW, source={"jawOpen": 1.0}))
    head.run(1.0, face(jawOpen=0.5))
    assert head.run(1.0, face()).positions == pytest.approx((0.5,))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yaw", 0.3),
        ("pitch", -0.2),
        ("roll", 0.1),
        ("bearing", math.atan2(0.3, 0.4)),  # to image right
        ("elevation", math.atan2(1.2, 0.5)),  # above the camera
        ("distance", 1.3),
        ("valence", 0.4),
        ("arousal", -0.2),
        ("mouth_open", 1.0),
        ("jawOpen", 0.7),
        ("AU12", 0.3),
    ],
)
def test_a_quantity_of_a_face_is_what_was_computed_by_hand(name: str, expected: float) -> None:
    assert quantity(face(yaw=0.3, pitch=-0.2, roll=0.1, position=(0.3, -1.2, 0.4), jawOpen=0.7), name) == pytest.approx(
        expected
    )


def test_a_weighted_sum_adds_up_and_says_what_is_missing() -> None:
    seen = face(jawOpen=0.5, mouthClose=0.2)
    assert weighted_sum(seen, {"jawOpen": 2.0, "mouthClose": -1.0}) == pytest.approx(0.8)
    assert math.isnan(weighted_sum(seen, {"jawOpen": 1.0, "eyeBlinkLeft": 0.5}))
    assert "AU12" in ACTION_UNITS


def test_a_lost_face_is_waited_for_and_then_the_head_goes_back_to_rest_slowly() -> None:
    head = Head(replace(YAW, rest=-0.1), hold=0.5, return_speed=0.25)
    head.run(2.0, face(yaw=1.0))
    assert head.run(0.48).positions == pytest.approx((1.0,))
    assert head.controller.followed == "f1"
    begin = len(head.targets)
    head.run(4.0)
    assert head.controller.followed == ""
    assert head.targets[-1].positions == pytest.approx((-0.1,))
    assert max(abs(target.velocities[0]) for target in head.targets[begin:]) == pytest.approx(0.5)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))


def test_silence_is_as_nobody_in_view() -> None:
    head = Head(hold=0.5, input_timeout=0.3)
    head.run(2.0, face(yaw=1.0))
    assert head.run(0.78, silent=True).positions == pytest.approx((1.0,))
    assert head.run(3.0, silent=True).positions == (0.0,)


def test_between_two_messages_the_joints_move_on() -> None:
    head = Head()
    head.run(0.02, face(yaw=1.0))
    assert head.run(0.9, silent=True).positions == pytest.approx((1.0,))


def test_a_face_that_comes_back_in_time_is_followed_as_if_nothing_had_been() -> None:
    head = Head(hold=0.5)
    head.run(2.0, face(yaw=1.0))
    head.run(0.4)
    head.run(0.4, face(yaw=1.0))
    assert [target.positions[0] for target in head.targets[100:]] == pytest.approx([1.0] * 40)


NEAR, FAR = (0.0, 0.0, 0.6), (0.0, 0.0, 1.2)


@pytest.mark.parametrize(
    ("settings", "first", "second"),
    [
        ({"follow": "nearest"}, face("f1", position=FAR), face("f2", position=NEAR)),
        ({"follow": "largest"}, face("f1", position=NEAR), face("f2", position=FAR, width=200.0)),
        ({"follow": "id", "face_id": "f2"}, face("f1", position=NEAR), face("f2", position=FAR)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_face_that_was_asked_for_is_followed(
    settings: dict, first: FaceState, second: FaceState, turned: bool
) -> None:
    head = Head(**settings)
    head.run(0.1, *((second, first) if turned else (first, second)))
    assert head.controller.followed == "f2"


def test_the_id_that_is_not_there_is_waited_for() -> None:
    head = Head(follow="id", face_id="f7")
    assert head.run(1.0, face(yaw=1.0)).positions == (0.0,)
    assert head.run(1.5, face("f7", yaw=0.5)).positions == pytest.approx((0.5,))


def test_another_face_is_followed_only_when_it_is_clearly_nearer_for_a_while() -> None:
    head = Head(switch_margin=0.2, switch_after=0.5)
    head.run(0.5, face("f1"), face("f2", position=FAR))
    head.run(5.0, face("f1"), face("f2", position=(0.0, 0.0, 0.9)))
    assert head.controller.followed == "f1", "the other is hardly nearer"
    for _ in range(10):
        head.run(0.4, face("f1"), face("f2", position=NEAR))
        head.run(0.02, face("f1"), face("f2", position=FAR))
    assert head.controller.followed == "f1", "the other was never nearer for long"
    head.run(0.54, face("f1"), face("f2", position=NEAR))
    assert head.controller.followed == "f2"


def test_two_faces_that_take_turns_in_being_nearer_replace_one_that_is_gone() -> None:
    head = Head(switch_after=0.5)
    head.run(0.5, face("f1"))
    for nearer, farther in itertools.islice(itertools.cycle([("f2", "f3"), ("f3", "f2")]), 30):
        head.run(0.02, face(nearer), face(farther, position=FAR))
    assert head.controller.followed in ("f2", "f3")


def test_the_face_that_speaks_is_followed_and_one_that_holds_its_mouth_open_is_not() -> None:
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
    assert head.controller.followed == "f2", "two silent mouths are no reason to look around"


@pytest.mark.parametrize(
    "stamps", [itertools.count(START + 10**6 * SECOND, -PERIOD), itertools.repeat(5), itertools.repeat(2**62)]
)
def test_stamps_that_go_back_stand_still_or_lie_in_the_future_do_not_matter(stamps: itertools.count) -> None:
    head, other = Head(replace(YAW, relative=True)), Head(replace(YAW, relative=True))
    for step, stamp_ns in zip(range(100), stamps, strict=False):
        yaw = 0.5 * math.sin(step / 20)
        head.run(0.02, face(yaw=yaw, stamp_ns=stamp_ns))
        other.run(0.02, face(yaw=yaw))
    np.testing.assert_allclose([t.positions for t in head.targets], [t.positions for t in other.targets], atol=0.05)
    assert head.said == []


@pytest.mark.parametrize("jump", [-3600.0, -0.05, 0.6, 3600.0, -1e9])
def test_a_jump_in_time_is_said_once_and_the_head_goes_on_from_where_it_is(jump: float) -> None:
    head = Head()
    head.run(0.3, face(yaw=1.0))
    before = head.targets[-1]
    head.now_ns += round(jump * SECOND)
    head.run(1.5, face(yaw=1.0))
    assert len(head.said) == 1
    assert "the time jumped by" in head.said[0]
    assert abs(head.targets[15].positions[0] - before.positions[0]) <= YAW.velocity * PERIOD / SECOND
    assert head.position == pytest.approx(1.0)
    if jump < 0:  # nothing but the clock has changed: the motion is smooth
        assert_within_limits(head.targets, (YAW,), times(len(head.targets)))
    else:  # the joint has stood there meanwhile
        assert head.targets[15].velocities == (0.0,)
        assert_within_limits(head.targets[15:], (YAW,), times(len(head.targets) - 15))


def test_after_a_jump_backwards_a_lost_face_is_still_given_up() -> None:
    head = Head(hold=0.5)
    head.run(1.0, face(yaw=1.0))
    head.run(0.2)
    head.now_ns -= 3600 * SECOND
    assert head.run(4.0).positions == (0.0,)


def test_the_same_time_twice_changes_nothing() -> None:
    head = Head()
    head.run(0.3, face(yaw=1.0))
    assert head.controller((face(yaw=-1.0),), head.now_ns) == head.targets[-1]
    assert head.said == []


@pytest.mark.parametrize("delay", [0, 60_000_000, 120_000_000])
def test_a_pan_that_carries_the_camera_centers_the_face_without_overshoot(delay: int) -> None:
    (pan, _) = load_joints("pan_tilt")
    head = Head(pan)
    person = 0.6  # radians to the left of the base
    moments, positions = [0], [0.0]
    for _ in range(150):
        taken = head.now_ns + PERIOD - delay
        off = person - float(np.interp(taken, moments, positions))
        head.run(0.02, face(position=(-math.sin(off), 0.0, math.cos(off)), stamp_ns=taken))
        moments.append(head.now_ns)
        positions.append(head.position)
    assert head.position == pytest.approx(person, abs=pan.dead_band + 0.001)
    assert max(target.positions[0] for target in head.targets) < person
    assert_within_limits(head.targets, (pan,), times(len(head.targets)))


def test_a_robot_that_stands_elsewhere_begins_there() -> None:
    head = Head()
    head.controller.place((0.9,))
    head.run(0.02)
    assert head.position == pytest.approx(0.9)
    assert head.run(3.0).positions == (0.0,)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))


def test_settings_can_change_while_it_works() -> None:
    head = Head()
    head.run(1.0, face("f1", yaw=0.5), face("f2", yaw=-0.5, position=FAR))
    head.controller.configure(HeadControlConfig(follow="id", face_id="f2"))
    assert head.run(2.0, face("f1", yaw=0.5), face("f2", yaw=-0.5, position=FAR)).positions == pytest.approx((-0.5,))
