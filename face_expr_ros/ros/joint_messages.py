"""Joint targets as messages, and measured joints as values."""

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
    """Names, positions and velocities; there is no effort."""
    header = Header(stamp=stamp)
    return JointState(header=header, name=targets.names, position=targets.positions, velocity=targets.velocities)


def joint_trajectory(targets: JointTargets, period: float) -> JointTrajectory:
    """One point, to be reached ``period`` seconds after the message comes: its stamp of 0 says so."""
    point = JointTrajectoryPoint(
        positions=targets.positions,
        velocities=targets.velocities,
        time_from_start=Duration(seconds=period).to_msg(),
    )
    return JointTrajectory(joint_names=targets.names, points=[point])


def measured_positions(message: JointState, names: Sequence[str]) -> tuple[float, ...] | None:
    """The positions of these joints; None where the message lacks one of them, or its position is not finite."""
    known = dict(zip(message.name, message.position, strict=False))
    positions = tuple(known.get(name, math.nan) for name in names)
    return positions if all(map(math.isfinite, positions)) else None
