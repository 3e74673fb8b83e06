"""Trajectories for joint_trajectory_controller: all are accepted, and the limits hold whatever messages are lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from rclpy.time import Time
from support.robot_head import PERIOD, SECOND, START, face
from support.trajectory_controller import TrajectoryController
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.head import HeadController
from face_expr_ros.retargeting.joints import Joint, load_joints, select_joints
from face_expr_ros.ros.joint_messages import joint_trajectory

JOINTS = load_joints("neck")
CONFIG = HeadControlConfig(hold=0.3, switch_after=0.1)
CYCLE = 4_000_000  # ns, of the controller
LATENCY = 6_000_000  # ns, of a message at most
LONGEST = 8  # messages lost in succession: 9 periods, the latency and a cycle are less than trajectory_delay
TOLERANCE = 0.001  # of a limit
SECONDS = 6


@dataclass
class Run:
    """Commanded states in each cycle of a controller, (cycles, joints)."""

    positions: np.ndarray
    velocities: np.ndarray
    accelerations: np.ndarray

    def excess(self, joints: list[Joint]) -> float:
        """The largest relative excess over a limit of velocity or acceleration."""
        fastest, steepest = (np.array([getattr(j, name) for j in joints]) for name in ("velocity", "acceleration"))
        steps = CYCLE / SECOND
        measured = np.diff(self.positions, axis=0) / steps
        parts = [
            np.abs(self.velocities) / fastest,
            np.abs(measured) / fastest,
            np.abs(self.accelerations) / steepest,
            np.abs(np.diff(self.velocities, axis=0)) / steps / steepest,
            np.abs(np.diff(measured, axis=0)) / steps / steepest,
        ]
        return float(max(part.max() for part in parts)) - 1


def messages(
    random: Random, seconds: float, head: HeadController, lead: int = 0
) -> Iterator[tuple[int, JointTrajectory]]:
    """Time and message of each period, for a person who turns quickly, and is often out of view."""
    yaw, visible = 0.0, True
    for period in range(round(seconds * SECOND / PERIOD)):
        now_ns = START + period * PERIOD
        yaw = random.uniform(-1.4, 1.4) if random.random() < 0.06 else yaw + random.gauss(0, 0.02)
        visible = visible if random.random() > 0.02 else not visible
        person = face(yaw=yaw, pitch=yaw / 2, jawOpen=random.random(), eyeBlinkLeft=random.random(), stamp_ns=now_ns)
        head((person,) if visible else (), now_ns)
        yield now_ns, joint_trajectory(tuple(head.joints), head.trajectory(now_ns + lead))


def is_lost(random: Random, probability: float) -> Iterator[bool]:
    """Whether each message is lost: at random, at most LONGEST in succession."""
    count = 0
    while True:
        count = count + 1 if random.random() < probability and count < LONGEST else 0
        yield count > 0


def run(controller: TrajectoryController, probability: float = 0.0, lead: int = 0) -> Run:
    """Control for some seconds with lost and late messages; the controller's cycles do not match the messages."""
    random, lost = Random(1), Random(2)
    head = HeadController(JOINTS, CONFIG, pytest.fail, CONFIG.trajectory_delay)
    sent = zip(messages(random, SECONDS, head, lead), is_lost(lost, probability), strict=False)
    arrivals = [(now_ns + lost.randrange(LATENCY), message) for (now_ns, message), is_gone in sent if not is_gone]
    states = []
    for now_ns in range(START + 1_234_567, START + SECONDS * SECOND, CYCLE):
        while arrivals and arrivals[0][0] <= now_ns:
            controller.receive(arrivals.pop(0)[1], now_ns)
        states.append(controller.update(now_ns))
    rows = [(state.positions, state.velocities, state.accelerations) for state in states]
    return Run(*(np.array(column) for column in zip(*rows, strict=True)))


def neck(**settings: bool) -> TrajectoryController:
    return TrajectoryController(tuple(JOINTS), [joint.rest for joint in JOINTS.values()], **settings)


@pytest.mark.parametrize(
    ("probability", "lead", "settings"),
    [
        (0.0, 0, {}),
        (0.3, 0, {}),
        (0.7, 0, {}),
        (0.7, 0, {"velocity_interface": True}),
        (0.5, 2 * PERIOD, {"allow_trajectory_replacement": True}),
    ],
)
def test_limits_hold_whatever_messages_are_lost(probability: float, lead: int, settings: dict[str, bool]) -> None:
    controller = neck(**settings)
    done = run(controller, probability, lead)
    joints = [*JOINTS.values()]
    assert controller.refused == []
    assert (done.positions >= [joint.minimum - 1e-9 for joint in joints]).all()
    assert (done.positions <= [joint.maximum + 1e-9 for joint in joints]).all()
    print(f"\n{probability:.0%} lost: a limit exceeded by {done.excess(joints):.1e} at most")
    assert done.excess(joints) <= TOLERANCE
    assert np.ptp(done.positions[:, 0]) > 1.5, "the neck hardly moved"


def test_a_controller_that_receives_no_more_messages_stops_at_the_goal() -> None:
    head = HeadController(JOINTS, CONFIG, pytest.fail, CONFIG.trajectory_delay)
    controller = neck()
    for period in range(20):
        now_ns = START + period * PERIOD
        head((face(yaw=1.0, stamp_ns=now_ns),), now_ns)
    controller.receive(joint_trajectory(tuple(JOINTS), head.trajectory(now_ns)), now_ns)
    states = [controller.update(now_ns + cycle * CYCLE) for cycle in range(500)]
    assert states[-1].positions[0] == pytest.approx(1.0 - JOINTS["neck_yaw"].dead_band)
    assert not states[-1].velocities.any()


def test_a_pause_of_the_node_continues_the_last_trajectory() -> None:
    warnings: list[str] = []
    head = HeadController(JOINTS, CONFIG, warnings.append, CONFIG.trajectory_delay)
    controller = neck()
    for now_ns in [START + period * PERIOD for period in (*range(20), *range(50, 100))]:
        head((face(yaw=1.0, stamp_ns=now_ns),), now_ns)
        controller.receive(joint_trajectory(tuple(JOINTS), head.trajectory(now_ns)), now_ns)
        before, after = controller.state.positions[0], controller.update(now_ns).positions[0]
        assert 0.0 <= after - before <= JOINTS["neck_yaw"].velocity * 31 * PERIOD / SECOND
    assert after == pytest.approx(1.0 - JOINTS["neck_yaw"].dead_band)
    assert len(warnings) == 1


def test_joints_are_selected_by_name_in_their_order() -> None:
    assert list(select_joints(JOINTS, "")) == list(JOINTS)
    assert list(select_joints(JOINTS, " jaw neck_yaw ")) == ["jaw", "neck_yaw"]
    with pytest.raises(ConfigError, match=r"joints: expected joints of the table \(neck_yaw, .*\), got 'neck'"):
        select_joints(JOINTS, "jaw neck")


def point(seconds: float, *positions: float, velocities: tuple[float, ...] = ()) -> JointTrajectoryPoint:
    time = Duration(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))
    return JointTrajectoryPoint(positions=positions, velocities=velocities, time_from_start=time)


@pytest.mark.parametrize(
    ("names", "points", "problem"),
    [
        (["a"], [point(0.1, 1.0)], "do not match"),
        (["a", "b", "c"], [point(0.1, 1.0, 1.0, 1.0)], "do not match"),
        (["a", "c"], [point(0.1, 1.0, 1.0)], "not one of"),
        (["a", "b"], [], "no points"),
        (["a", "b"], [point(0.02, 1.0, 1.0, velocities=(0.5, 0.0))], "velocity at the end"),
        (["a", "b"], [point(0.2, 1.0, 1.0), point(0.2, 1.0, 1.0)], "increasing"),
        (["a", "b"], [point(0.2, 1.0)], "one value for each joint"),
    ],
)
def test_the_model_of_the_controller_refuses_what_it_must(
    names: list[str], points: list[JointTrajectoryPoint], problem: str
) -> None:
    controller = TrajectoryController(("a", "b"), (0.0, 0.0))
    controller.receive(JointTrajectory(joint_names=names, points=points), START)
    (refused,) = controller.refused
    assert problem in refused


def test_the_model_of_the_controller_refuses_a_trajectory_of_the_past() -> None:
    controller = TrajectoryController(("a",), (0.0,))
    message = JointTrajectory(joint_names=["a"], points=[point(0.5, 1.0)])
    message.header.stamp = Time(nanoseconds=START).to_msg()
    controller.receive(message, START + SECOND // 2)
    assert not controller.refused
    controller.receive(message, START + SECOND)
    assert controller.refused == ["the trajectory ends in the past"]
