"""The node head_control as a process: joint targets for live FaceArray messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from face_expr_ros.msg import Face, FaceArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.time import Time as Moment
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from support.trajectory_controller import TrajectoryController
from trajectory_msgs.msg import JointTrajectory

from face_expr_ros.core.geometry import face_frame_quaternion, rotation_from_euler

YAW = 0.5  # radians
DEAD_BAND = 0.02  # of config/heads/neck.yaml
VELOCITY = 2.5  # radians per second, of the same
NEAR = 0.002  # radians


def message(*yaws: float, stamp: Time | None = None) -> FaceArray:
    """A message with one face per yaw, at 1 m, 2 m, ... from the camera, with its mouth half open."""
    faces = []
    for number, yaw in enumerate(yaws, start=1):
        face = Face(face_id=f"f{number}")
        face.pose.face_id = face.face_id
        q = face.pose.pose.orientation
        q.x, q.y, q.z, q.w = face_frame_quaternion(rotation_from_euler(yaw, 0.0, 0.0)).tolist()
        face.pose.pose.position.z = float(number)
        face.expression.blendshape_names = ["jawOpen"]
        face.expression.blendshapes = [0.5]
        faces.append(face)
    return FaceArray(header=Header(stamp=stamp or Time()), faces=faces)


def last(states: list[JointState], joint: str = "neck_yaw") -> float:
    """The latest target of a joint; NaN before the first one."""
    return states[-1].position[states[-1].name.index(joint)] if states else math.nan


def reaches(states: list[JointState], target: float, joint: str = "neck_yaw") -> Callable[[], bool]:
    return lambda: abs(last(states, joint) - target) < NEAR


def stamp_of(message: JointState | JointTrajectory) -> int:
    return Moment.from_msg(message.header.stamp).nanoseconds


def seconds(state: JointState) -> float:
    return stamp_of(state) / 1e9


def publish_faces(publisher: Publisher, *yaws: float) -> Callable[[], None]:
    return lambda: publisher.publish(message(*yaws))


def test_joint_targets_follow_valid_faces(graph: Any, start: Any) -> None:
    states: list[JointState] = graph.listen(JointState, "/robot/joint_targets")
    trajectories: list[JointTrajectory] = graph.listen(JointTrajectory, "/robot/joint_trajectory")
    diagnostics: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")
    faces = graph.node.create_publisher(FaceArray, "/robot/faces", 10)
    head = start("head_control", "-r", "__ns:=/robot", "-p", "output:=both", "-p", "hold:=0.2")
    graph.until(lambda: states and trajectories, "joints at rest")
    assert set(states[0].position) == {0.0}
    graph.until(reaches(states, YAW - DEAD_BAND), "the yaw target", each=publish_faces(faces, YAW, -YAW))
    graph.until(reaches(states, 0.6 * (0.5 - 0.03), "jaw"), "the jaw target", each=publish_faces(faces, YAW))

    invalid = message(math.nan)
    count = len(states)
    graph.until(lambda: "faces skipped" in head.output, "the error", each=lambda: faces.publish(invalid))
    graph.until(lambda: len(states) > count + 5, "more joint states")
    assert "expected a finite pose and a nonzero quaternion for face 'f1'" in head.output
    graph.until(reaches(states, -(YAW - DEAD_BAND)), "the next valid face", each=publish_faces(faces, -YAW))

    change = SetParameters.Request(parameters=[Parameter("follow", value="id").to_parameter_msg()])
    change.parameters.append(Parameter("face_id", value="f2").to_parameter_msg())
    answer = graph.call(SetParameters, "/robot/head_control/set_parameters", change)
    assert all(result.successful for result in answer.results)
    graph.until(reaches(states, YAW - DEAD_BAND), "the other face", each=publish_faces(faces, -YAW, YAW))

    graph.until(reaches(states, 0.0), "rest without a face", each=publish_faces(faces))
    for before, after in pairwise(states):
        step = after.position[0] - before.position[0]
        assert abs(step) <= VELOCITY * (seconds(after) - seconds(before)) * 1.001
    controller = TrajectoryController(states[-1].name, [0.0] * 8)
    for trajectory in trajectories:
        controller.receive(trajectory, Moment.from_msg(trajectory.header.stamp).nanoseconds)
    assert controller.refused == []
    assert {stamp_of(trajectory) for trajectory in trajectories} & {stamp_of(state) for state in states}

    def values() -> dict[str, str]:
        own = [status for array in diagnostics for status in array.status if status.name == "robot/head_control"]
        return {pair.key: pair.value for pair in own[-1].values} if own else {}

    graph.until(
        lambda: int(values().get("bad messages", 0)) > 0, "the count of bad messages", each=publish_faces(faces, YAW)
    )
    assert int(values()["messages"]) > 10
    assert head.stop() == 0, head.output


def test_targets_continue_when_the_simulated_clock_restarts(graph: Any, start: Any) -> None:
    states: list[JointState] = graph.listen(JointState, "/sim/joint_targets")
    clock = graph.node.create_publisher(Clock, "/clock", 10)
    faces = graph.node.create_publisher(FaceArray, "/sim/faces", 10)
    head = start("head_control", "-r", "__ns:=/sim", "-p", "use_sim_time:=true")
    graph.until(lambda: "nothing is received on /clock: paused" in head.output, "the warning about the clock")
    assert not states
    now_ns = 100 * 10**9

    def tick() -> None:
        nonlocal now_ns
        now_ns += 20_000_000
        stamp = Time(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
        clock.publish(Clock(clock=stamp))
        faces.publish(message(YAW, stamp=stamp))

    graph.until(reaches(states, YAW - DEAD_BAND), "the yaw target", each=tick)
    for _ in range(3):
        now_ns, count = 10**9, len(states)
        graph.until(lambda count=count: len(states) > count + 10, "joints after the jump", each=tick)
        assert last(states) == pytest.approx(YAW - DEAD_BAND, abs=NEAR)
    assert "time jumped by -" in head.output
    assert head.stop() == 0, head.output


def test_the_head_starts_from_its_measured_positions(graph: Any, start: Any) -> None:
    states: list[JointState] = graph.listen(JointState, "/real/joint_targets")
    measured = graph.node.create_publisher(JointState, "/real/joint_states", 10)
    head = start("head_control", "-r", "__ns:=/real", "-p", "start:=measured", "-p", "table:=pan_tilt")
    graph.until(lambda: measured.get_subscription_count(), "the subscription")
    measured.publish(JointState(name=["pan"], position=[0.7]))  # the tilt is missing
    measured.publish(JointState(name=["pan", "tilt"], position=[0.7, math.nan]))
    both = JointState(name=["tilt", "wheel", "pan"], position=[0.3, 9.0, 0.7])
    graph.until(lambda: states, "the first target", each=lambda: measured.publish(both))
    assert list(states[0].name) == ["pan", "tilt"]
    assert list(states[0].position) == pytest.approx([0.7, 0.3])
    graph.until(reaches(states, 0.0, "pan"), "rest")
    assert head.stop() == 0, head.output


def test_an_invalid_joint_table_stops_the_node_with_a_message(start: Any, tmp_path: Path) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text("joints: {neck: {source: yaww, minimum: -1, maximum: 1, velocity: 1, acceleration: 1}}")
    head = start("head_control", "-p", f"table:={table}")
    assert head.wait() == 2
    assert (
        "mine.yaml, line 1: joints.neck.source: expected a quantity of a face, got 'yaww', did you mean 'yaw'?"
        in head.output
    )
    assert "Traceback" not in head.output
