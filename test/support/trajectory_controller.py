"""A model of ros2_control's joint_trajectory_controller: its checks of messages, its interpolation, its parameters.

Written from the documented rules of ros2_controllers 6.9 (parameters, "Trajectory Representation" and "Trajectory
Replacement") for a position interface and perfect tracking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.time import Time
from trajectory_msgs.msg import JointTrajectory

Vector = NDArray[np.float64]


@dataclass
class State:
    """Positions, velocities and accelerations of the joints, per joint."""

    positions: Vector
    velocities: Vector
    accelerations: Vector


class TrajectoryController:
    """Accepts messages and computes the commanded state, one call per control cycle.

    Args:
        joints: names of the controller's joints.
        positions: initial.
        velocity_interface: whether the hardware reports velocities; without, a new trajectory starts at velocity 0.
        allow_*: the controller's parameters. Replacement, which follows the old trajectory until the stamp of the new
            one, is off as in versions that lack it: there a message replaces the trajectory on arrival.
    """

    def __init__(
        self,
        joints: Sequence[str],
        positions: Sequence[float],
        *,
        velocity_interface: bool = False,
        allow_partial_joints_goal: bool = False,
        allow_nonzero_velocity_at_trajectory_end: bool = False,
        allow_trajectory_replacement: bool = False,
    ) -> None:
        self.joints = tuple(joints)
        self.refused: list[str] = []
        zeros = np.zeros(len(joints))
        self.state = State(np.array(positions, float), zeros.copy(), zeros.copy())
        self._velocity_interface = velocity_interface
        self._allow_partial = allow_partial_joints_goal
        self._allow_nonzero_end = allow_nonzero_velocity_at_trajectory_end
        self._replaces_later = allow_trajectory_replacement
        self._pending: list[JointTrajectory] = []
        self._start_ns: int | None = None
        self._before: tuple[int, Vector, Vector] | None = None
        self._times: list[int] = []
        self._points: list[tuple[Vector, Vector | None]] = []

    def receive(self, message: JointTrajectory, now_ns: int) -> None:
        """Replace the trajectory, or add the reason for which the message is refused to ``refused``."""
        problem = self._problem(message, now_ns)
        if problem:
            self.refused.append(problem)
        elif self._replaces_later:
            self._pending.append(message)
        else:
            self._replace(message)

    def _replace(self, message: JointTrajectory) -> None:
        order = [message.joint_names.index(name) if name in message.joint_names else None for name in self.joints]
        self._times = [Duration.from_msg(point.time_from_start).nanoseconds for point in message.points]
        self._points = [
            (
                _ordered(point.positions, order, self.state.positions),
                _ordered(point.velocities, order, np.zeros(len(order))) if point.velocities else None,
            )
            for point in message.points
        ]
        self._start_ns = Time.from_msg(message.header.stamp).nanoseconds or None
        self._before = None

    def update(self, now_ns: int) -> State:
        """The state that is commanded at this time."""
        while self._pending and Time.from_msg(self._pending[0].header.stamp).nanoseconds <= now_ns:
            self._replace(self._pending.pop(0))
        if not self._points:
            return self.state
        if self._before is None:  # the first cycle of this trajectory
            velocities = self.state.velocities if self._velocity_interface else np.zeros(len(self.joints))
            self._before = (now_ns, self.state.positions, velocities)
            self._start_ns = self._start_ns or now_ns
        assert self._start_ns is not None
        times = [self._start_ns + time_ns for time_ns in self._times]
        if now_ns < times[0]:
            before_ns, positions, velocities = self._before
            self.state = _interpolate(before_ns, (positions, velocities), times[0], self._points[0], now_ns)
        elif now_ns >= times[-1]:
            zeros = np.zeros(len(self.joints))
            last, end_velocities = self._points[-1]
            self.state = State(last, zeros if end_velocities is None else end_velocities, zeros)
        else:
            index = int(np.searchsorted(times, now_ns, side="right")) - 1
            self.state = _interpolate(
                times[index], self._points[index], times[index + 1], self._points[index + 1], now_ns
            )
        return self.state

    def _problem(self, message: JointTrajectory, now_ns: int) -> str:
        names, points = message.joint_names, message.points
        if not self._allow_partial and len(names) != len(self.joints):
            return "the joints do not match the controller's joints"
        if not names or not points:
            return "no joints or no points"
        if not set(names) <= set(self.joints):
            return "a joint is not one of the controller's"
        if not self._allow_nonzero_end and any(abs(v) > np.finfo(np.float32).eps for v in points[-1].velocities):
            return "the velocity at the end is not zero"
        times = [Duration.from_msg(point.time_from_start).nanoseconds for point in points]
        start_ns = Time.from_msg(message.header.stamp).nanoseconds
        if start_ns and start_ns + times[-1] < now_ns:
            return "the trajectory ends in the past"
        if any(later <= earlier for earlier, later in pairwise(times)):
            return "the times are not strictly increasing"
        for point in points:
            optional = (point.velocities, point.accelerations)
            if len(point.positions) != len(names) or any(row and len(row) != len(names) for row in optional):
                return "a point has not one value for each joint"
            if point.effort:
                return "effort needs an effort interface"
        return ""


def _ordered(values: Sequence[float], order: Sequence[int | None], others: Vector) -> Vector:
    """The values in the controller's order; joints that the message lacks keep theirs."""
    return np.array([others[row] if index is None else values[index] for row, index in enumerate(order)])


def _interpolate(
    start_ns: int, start: tuple[Vector, Vector | None], end_ns: int, end: tuple[Vector, Vector | None], now_ns: int
) -> State:
    """Cubic if both ends have velocities, else linear."""
    (p0, v0), (p1, v1) = start, end
    duration, t = (end_ns - start_ns) * 1e-9, (now_ns - start_ns) * 1e-9
    if v0 is None or v1 is None:
        slope = (p1 - p0) / duration
        return State(p0 + slope * t, slope, np.zeros(len(p0)))
    c2 = (3 * (p1 - p0) / duration - 2 * v0 - v1) / duration
    c3 = (v0 + v1 - 2 * (p1 - p0) / duration) / duration**2
    return State(p0 + v0 * t + c2 * t**2 + c3 * t**3, v0 + 2 * c2 * t + 3 * c3 * t**2, 2 * c2 + 6 * c3 * t)
