"""Conversion of joint targets to messages, and of joint states to positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.time import Time as Moment
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from face_expr_ros.retargeting.joint_motion import Knot
from face_expr_ros.retargeting.joints import JointTargets


def joint_state(targets: JointTargets, stamp: Time) -> JointState:
    """Names, positions and velocities of the joints; the effort is empty."""
    header = Header(stamp=stamp)
    return JointState(header=header, name=targets.names, position=targets.positions, velocity=targets.velocities)


def joint_trajectory(names: Sequence[str], knots: Sequence[Knot]) -> JointTrajectory:
    """The knots with positions and velocities; the stamp is the time of the first, which has time_from_start 0."""
    start_ns = knots[0].time_ns
    points = [
        JointTrajectoryPoint(
            positions=knot.positions,
            velocities=knot.velocities,
            time_from_start=Duration(nanoseconds=knot.time_ns - start_ns).to_msg(),
        )
        for knot in knots
    ]
    header = Header(stamp=Moment(nanoseconds=start_ns).to_msg())
    return JointTrajectory(header=header, joint_names=names, points=points)


def measured_positions(message: JointState, names: Sequence[str]) -> tuple[float, ...] | None:
    """The positions of these joints; None if one of them is missing or its position is not finite."""
    by_name = dict(zip(message.name, message.position, strict=False))
    positions = tuple(by_name.get(name, math.nan) for name in names)
    return positions if all(map(math.isfinite, positions)) else None
