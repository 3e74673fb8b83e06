"""The head follows a face within its limits, for any input."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from support.robot_head import FAR, PERIOD, SECOND, START, YAW, Head, assert_within_limits, excess, face, times

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import Joint, JointTargets, load_joints
from face_expr_ros.retargeting.sources import QUANTITIES


def test_a_step_of_60_degrees_stays_within_the_limits() -> None:
    head = Head()
    head.run(0.2, face())
    head.run(2.0, face(yaw=math.radians(60)))
    assert head.position == pytest.approx(math.radians(60))
    assert head.targets[-1].velocities == (0.0,)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))
    maximum = excess(head.targets, (YAW,), times(len(head.targets)))
    print(f"\na step of 60 degrees: a limit exceeded by {maximum:.1e} at most")
    positions = [target.positions[0] for target in head.targets]
    assert positions == sorted(positions), "overshoot"


def random_faces(random: Random, blendshapes: set[str]) -> list[FaceState]:
    """Faces with random poses, and blendshapes that are often not finite."""
    special = [math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, 1.0]
    return [
        face(
            f"f{random.randrange(1, 5)}",
            yaw=random.uniform(-1.5, 1.5),
            pitch=random.uniform(-1.5, 1.5),
            roll=random.uniform(-1.5, 1.5),
            position=[random.choice([1e-9, -1.0, 1.0, 1.0, 1e9, math.inf]) * random.uniform(0, 2) for _ in range(3)],
            **{name: random.choice([*special, random.random()]) for name in sorted(blendshapes)},
        )
        for _ in range(500)
    ]


MOVED = 0.005  # radians or meters


@pytest.mark.parametrize("table", ["neck", "pan_tilt"])
def test_ten_thousand_random_inputs_exceed_no_limit(table: str) -> None:
    random = Random(3)
    joints = load_joints(table)
    faces = random_faces(random, {name for joint in joints.values() for name in joint.source} - QUANTITIES.keys())
    warnings: list[str] = []
    controller = HeadController(joints, HeadControlConfig(hold=0.1, switch_after=0.1), warnings.append)
    now_ns, moments, targets = START, list[float](), list[JointTargets]()
    for _ in range(10_000):
        now_ns += random.choice([PERIOD, PERIOD // 7, 3 * PERIOD, random.randrange(1, 10 * PERIOD)])
        stamps = [now_ns, now_ns - SECOND // 10, 0, 2**62]
        stamped = [replace(one, stamp_ns=random.choice(stamps)) for one in random.sample(faces, random.randrange(3))]
        targets.append(controller(None if random.random() < 0.2 else stamped, now_ns))
        moments.append((now_ns - START) / SECOND)
    rows = [*joints.values()]
    assert_within_limits(targets, rows, moments)
    print(f"\n10,000 random inputs, {table}: a limit exceeded by {excess(targets, rows, moments):.1e} at most")
    assert (np.ptp([target.positions for target in targets], axis=0) > MOVED).all(), "a joint hardly moved"
    assert warnings == []
    if table == "neck":
        assert controller.rejected > 1000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_holds_only_its_own_joint(value: float) -> None:
    jaw = Joint(source={"jawOpen": 1.0}, minimum=0.0, maximum=1.0, velocity=5.0, acceleration=50.0)
    head = Head(YAW, jaw)
    head.run(1.0, face(yaw=0.2, jawOpen=0.5))
    head.run(1.0, face(yaw=0.4, jawOpen=value))
    assert head.targets[-1].positions == pytest.approx((0.4, 0.5))
    assert head.controller.rejected == 50
    head.run(1.0, face(yaw=0.4, jawOpen=0.1))
    assert head.targets[-1].positions == pytest.approx((0.4, 0.1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_face_whose_pose_is_not_finite_is_ignored(value: float) -> None:
    nowhere = face("f1", yaw=-0.5, position=(0.0, 0.0, value))
    turned = face("f2", yaw=-0.5)
    turned.pose.rotation[0, 0] = value
    head = Head()
    head.run(1.0, nowhere, turned, face("f3", yaw=0.5, position=FAR))
    assert head.controller.followed == "f3"
    assert head.position == pytest.approx(0.5)
    assert head.controller.rejected == 100


def test_a_face_without_the_blendshape_holds_the_joint() -> None:
    head = Head(YAW.model_copy(update={"source": {"jawOpen": 1.0}}))
    head.run(1.0, face(jawOpen=0.5))
    assert head.run(1.0, face()).positions == pytest.approx((0.5,))


@pytest.mark.parametrize("delay", [0, 60_000_000, 120_000_000])
def test_a_pan_joint_centers_the_face_without_overshoot(delay: int) -> None:
    pan = load_joints("pan_tilt")["pan"]
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


def test_the_motion_starts_from_measured_positions() -> None:
    head = Head()
    head.controller.set_positions((0.9,))
    head.run(0.02)
    assert head.position == pytest.approx(0.9)
    assert head.run(3.0).positions == (0.0,)
    assert_within_limits(head.targets, (YAW,), times(len(head.targets)))
