"""Conversion of joint targets to messages, and of joint states to positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from face_expr_ros.retargeting.joints import JointTargets


def joint_state(targets: JointTargets, stamp: Time) -> JointState:
    """Names, positions and velocities of the joints; the effort is empty."""
    header = Header(stamp=stamp)
    return JointState(header=header, name=targets.names, position=targets.positions, velocity=targets.velocities)


def joint_trajectory(targets: JointTargets, period: float) -> JointTrajectory:
    """A single point to be reached ``period`` seconds after the message is received, as its zero stamp specifies."""
    point = JointTrajectoryPoint(
        positions=targets.positions,
        velocities=targets.velocities,
        time_from_start=Duration(seconds=period).to_msg(),
    )
    return JointTrajectory(joint_names=targets.names, points=[point])


def measured_positions(message: JointState, names: Sequence[str]) -> tuple[float, ...] | None:
    """The positions of these joints; None if one of them is missing or its position is not finite."""
    by_name = dict(zip(message.name, message.position, strict=False))
    positions = tuple(by_name.get(name, math.nan) for name in names)
    return positions if all(map(math.isfinite, positions)) else None
