"""Joint targets from faces: the robot head follows a face within its joint limits and returns to rest without one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.follow import FaceSelector
from face_expr_ros.retargeting.joint_motion import JointMotion, Knot
from face_expr_ros.retargeting.joints import Joint, JointTargets
from face_expr_ros.retargeting.sources import weighted_sum

SECOND = 10**9  # nanoseconds
MAX_STEP = 0.5  # seconds between two calls; a longer step is a time jump, or the joints have stopped meanwhile
MAX_IMAGE_AGE = 1.0  # seconds; older stamps, and stamps in the future, come from another clock


class HeadController:
    """Computes joint targets at a fixed rate, independent of the rate of the faces. Time is an argument.

    Args:
        joints: the joint table, by joint name.
        config: face selection and timeouts; see :meth:`configure`.
        warn: called with a message after a time jump.
        delay: seconds from a decision to the motion, for :meth:`trajectory`; see `JointMotion`. The joints then move to
            the end of their trajectory without further calls, and are not at rest after a pause between two calls.
    """

    def __init__(
        self,
        joints: Mapping[str, Joint],
        config: HeadControlConfig,
        warn: Callable[[str], None],
        delay: float = 0.0,
    ) -> None:
        self.joints = dict(joints)
        self.config = config
        self.followed = ""  # id of the face; empty without one
        self.rejected = 0  # poses and source values that were not finite or missing
        self._warn = warn
        self._selector = FaceSelector(config)
        self._now_ns: int | None = None
        self._message_ns = 0  # time of the last message
        self._lost_ns: int | None = None  # time since which no face is in view
        self._resting = True
        self._delay_ns = round(delay * SECOND)
        self._motion = JointMotion(tuple(self.joints.values()), delay)
        self._initial = [joint.rest for joint in self.joints.values()]
        self._past: deque[tuple[int, tuple[float, ...]]] = deque()  # times and positions since one second ago

    def set_positions(self, positions: Sequence[float]) -> None:
        """Set the measured joint positions, before the first call."""
        self._initial = list(positions)

    def configure(self, config: HeadControlConfig) -> None:
        """Replace the config."""
        self.config = self._selector.config = config

    def __call__(self, faces: Sequence[FaceState] | None, now_ns: int) -> JointTargets:
        """Compute the joint targets.

        Args:
            faces: of the message received since the last call, may be empty; None if no message was received.
            now_ns: time in nanoseconds, of the clock of the image stamps.
        """
        self._check_time(now_ns)
        if faces is not None:
            self._update_goals(faces, now_ns)
        self._update_timeouts(now_ns)
        self._motion.speed = self.config.return_speed if self._resting else 1.0
        self._motion.advance(now_ns)
        self._record(now_ns)
        now = self._motion.at(now_ns)
        return JointTargets(tuple(self.joints), now.positions, now.velocities)

    def trajectory(self, start_ns: int) -> list[Knot]:
        """The motion from ``start_ns`` until all joints are at rest.

        Args:
            start_ns: from the time of the last call up to ``delay`` later.
        """
        return self._motion.trajectory(start_ns)

    def _check_time(self, now_ns: int) -> None:
        """Start the motion at the first call; a time jump resets all timers and keeps the joint positions."""
        last_ns, self._now_ns = self._now_ns, now_ns
        if last_ns is None:
            self._motion.start(self._initial, now_ns)
            self._reset_timers(now_ns)
        elif not 0 <= now_ns - last_ns <= MAX_STEP * SECOND:
            self._warn(
                f"time jumped by {(now_ns - last_ns) / SECOND:.3f} s: timers are reset, joint positions are kept"
            )
            self._follow_jump(last_ns, now_ns)
            self._reset_timers(now_ns)

    def _follow_jump(self, last_ns: int, now_ns: int) -> None:
        """After a jump backwards the motion continues as after one period.

        After a jump forwards the joints have stopped at the last target and start from rest; with a delay, they have
        moved on along the last trajectory.
        """
        if now_ns < last_ns:
            self._motion.shift(now_ns - round(SECOND / self.config.rate))
        elif self._delay_ns:
            self._motion.advance(now_ns)
        else:
            self._motion.start(self._motion.at(last_ns).positions, now_ns)

    def _reset_timers(self, now_ns: int) -> None:
        self._message_ns = now_ns
        self._lost_ns = None if self._lost_ns is None else now_ns
        self._past.clear()
        self._selector.reset()

    def _update_goals(self, faces: Sequence[FaceState], now_ns: int) -> None:
        self._message_ns = now_ns
        valid = [face for face in faces if _has_finite_pose(face)]
        self.rejected += len(faces) - len(valid)
        face = self._selector(valid, now_ns)
        if face is None:
            self._start_lost_timer(now_ns)
            return
        self.followed, self._lost_ns, self._resting = face.id, None, False
        positions = self._positions_at(face.stamp_ns, now_ns)
        for index, joint in enumerate(self.joints.values()):
            value = weighted_sum(face, joint.source)
            if math.isfinite(value):
                self._motion.goals[index] = joint.target(value, positions[index])
            else:
                self.rejected += 1

    def _start_lost_timer(self, now_ns: int) -> None:
        if self._lost_ns is None:
            self._lost_ns = now_ns

    def _update_timeouts(self, now_ns: int) -> None:
        """After ``input_timeout`` without messages no face is in view; ``hold`` later the joints return to rest."""
        if now_ns - self._message_ns > self.config.input_timeout * SECOND:
            self._start_lost_timer(now_ns)
        if not self._resting and self._lost_ns is not None and now_ns - self._lost_ns >= self.config.hold * SECOND:
            self.followed, self._resting = "", True
            self._motion.goals = [joint.rest for joint in self.joints.values()]
            self._selector.reset()

    def _record(self, now_ns: int) -> None:
        end_ns = now_ns + self._delay_ns
        self._past.append((end_ns, self._motion.at(end_ns).positions))
        while now_ns - self._past[0][0] > MAX_IMAGE_AGE * SECOND:
            self._past.popleft()

    def _positions_at(self, stamp_ns: int, now_ns: int) -> Sequence[float]:
        """Joint positions at an image stamp; the current ones if the stamp is of another clock."""
        known = self._past and 0 <= now_ns - stamp_ns <= MAX_IMAGE_AGE * SECOND
        if not known or not any(joint.relative for joint in self.joints.values()):
            return self._motion.at(now_ns).positions
        ages = [(then - now_ns) / SECOND for then, _ in self._past]
        past = np.array([positions for _, positions in self._past])
        return [float(np.interp((stamp_ns - now_ns) / SECOND, ages, column)) for column in past.T]


def _has_finite_pose(face: FaceState) -> bool:
    return bool(np.isfinite(face.pose.position).all() and np.isfinite(face.pose.rotation).all())
