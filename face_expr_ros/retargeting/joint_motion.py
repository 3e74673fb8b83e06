"""Motion of joints as knots between which every acceleration is constant, and the trajectory of what is planned."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from face_expr_ros.retargeting.joints import Joint
from face_expr_ros.retargeting.limiter import advance, phase_ends

SECOND = 10**9  # nanoseconds
MIN_TRAJECTORY = 1.0  # seconds from now to the last knot of a trajectory; controllers refuse one that has ended
_MIN_STEP_NS = 1000  # between two knots; phases of different joints that end closer together share a knot
_MAX_DURATION = 1e9  # seconds; a message cannot represent much more


@dataclass(frozen=True)
class Knot:
    """Positions and velocities of all joints at one time, nanoseconds."""

    time_ns: int
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


class JointMotion:
    """Plans joints from their positions to goals that change, ``delay`` seconds ahead of the time of each call.

    A plan is never changed before now + delay: two trajectories made less than ``delay`` apart agree from the start of
    the later one up to the point at which the earlier one could be changed. A receiver that misses trajectories for
    less than ``delay`` therefore moves as one that received all of them.

    Args:
        joints: limits of the joints.
        delay: seconds; 0 if only the current targets are used.
    """

    def __init__(self, joints: Sequence[Joint], delay: float = 0.0) -> None:
        self._joints = tuple(joints)
        self._delay_ns = round(delay * SECOND)
        self.goals = [joint.rest for joint in joints]
        self.speed = 1.0  # fraction of the velocity limits
        self._knots = [Knot(0, tuple(self.goals), (0.0,) * len(self._joints))]

    def start(self, positions: Sequence[float], now_ns: int) -> None:
        """Hold these positions from now on."""
        at_rest = (0.0,) * len(self._joints)
        self._knots = [Knot(time_ns, tuple(positions), at_rest) for time_ns in self._times(now_ns)]

    def shift(self, now_ns: int) -> None:
        """Continue the plan at another time: its end is moved to ``now_ns`` + delay."""
        offset = now_ns + self._delay_ns - self._knots[-1].time_ns
        self._knots = [Knot(knot.time_ns + offset, knot.positions, knot.velocities) for knot in self._knots]

    def advance(self, now_ns: int) -> None:
        """Extend the plan towards the goals up to ``now_ns`` + delay, and forget what is before ``now_ns``."""
        last = self._knots[-1]
        elapsed_ns = now_ns + self._delay_ns - last.time_ns
        if elapsed_ns > 0:
            inner = [time_ns for time_ns in self._phase_ends(last) if time_ns <= elapsed_ns - _MIN_STEP_NS]
            self._knots += [self._after(last, time_ns) for time_ns in (*inner, elapsed_ns)]
        while len(self._knots) > 1 and self._knots[1].time_ns <= now_ns:
            self._knots.pop(0)

    def at(self, time_ns: int) -> Knot:
        """The positions and velocities at a time between the last call of :meth:`advance` and the plan's end."""
        index = bisect_right(self._knots, time_ns, key=lambda knot: knot.time_ns) - 1
        left = self._knots[max(index, 0)]
        if time_ns <= left.time_ns or left is self._knots[-1]:
            return Knot(time_ns, left.positions, left.velocities)
        right = self._knots[index + 1]
        elapsed, duration = (time_ns - left.time_ns) / SECOND, (right.time_ns - left.time_ns) / SECOND
        changes = [(after - before) / duration for before, after in zip(left.velocities, right.velocities, strict=True)]
        rows = list(zip(left.positions, left.velocities, changes, strict=True))
        positions = tuple(p + elapsed * (v + change * elapsed / 2) for p, v, change in rows)
        return Knot(time_ns, positions, tuple(v + change * elapsed for _, v, change in rows))

    def trajectory(self, start_ns: int) -> list[Knot]:
        """The plan from ``start_ns`` on and the motion from its end to the goals, at rest at the end.

        Cubic interpolation between the knots is the planned motion itself. The last knot is at least MIN_TRAJECTORY
        after the first. ``start_ns`` must be as for :meth:`at`.
        """
        last = self._knots[-1]
        ends = self._phase_ends(last)
        future = [self._after(last, time_ns) for time_ns in ends[:-1]]
        at_rest = (0.0,) * len(self._joints)
        arrival_ns = last.time_ns + (ends[-1] if ends else _MIN_STEP_NS)
        future.append(Knot(arrival_ns, tuple(self.goals), at_rest))
        end_ns = start_ns + round(MIN_TRAJECTORY * SECOND)
        if end_ns - arrival_ns >= _MIN_STEP_NS:
            future.append(Knot(end_ns, tuple(self.goals), at_rest))
        plan = [knot for knot in self._knots if knot.time_ns >= start_ns + _MIN_STEP_NS]
        return [self.at(start_ns), *plan, *future]

    def _times(self, now_ns: int) -> list[int]:
        return [now_ns, now_ns + self._delay_ns] if self._delay_ns else [now_ns]

    def _phase_ends(self, start: Knot) -> list[int]:
        """Nanoseconds after ``start`` at which an acceleration changes; at the last all joints are at rest."""
        ends = {min(end, _MAX_DURATION) for row in self._rows(start) for end in phase_ends(*row)}
        result: list[int] = []
        for end in sorted(math.ceil(end * SECOND) for end in ends):
            if end - (result[-1] if result else 0) >= _MIN_STEP_NS:
                result.append(end)
            elif result:
                result[-1] = end
        return result

    def _after(self, start: Knot, elapsed_ns: int) -> Knot:
        results = [advance(*row, elapsed_ns / SECOND) for row in self._rows(start)]
        positions, velocities = zip(*results, strict=True)
        return Knot(start.time_ns + elapsed_ns, positions, velocities)

    def _rows(self, start: Knot) -> list[tuple[float, float, float, float, float]]:
        """Arguments of :func:`advance` for each joint."""
        rows = zip(start.positions, start.velocities, self.goals, self._joints, strict=True)
        return [(p, v, goal, joint.velocity * self.speed, joint.acceleration) for p, v, goal, joint in rows]
