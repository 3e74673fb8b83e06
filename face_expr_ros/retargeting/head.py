"""Joint targets from faces: the robot head follows a face within its joint limits and returns to rest without one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.follow import FaceSelector
from face_expr_ros.retargeting.joints import Joint, JointTargets
from face_expr_ros.retargeting.limiter import advance
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
    """

    def __init__(self, joints: Mapping[str, Joint], config: HeadControlConfig, warn: Callable[[str], None]) -> None:
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
        self._goals = [joint.rest for joint in self.joints.values()]
        self._velocities = [0.0] * len(self.joints)
        self._positions = list(self._goals)
        self._past: deque[tuple[int, list[float]]] = deque()  # times and positions of the last second

    def set_positions(self, positions: Sequence[float]) -> None:
        """Set the measured joint positions, before the first call."""
        self._positions = list(positions)

    def configure(self, config: HeadControlConfig) -> None:
        """Replace the config."""
        self.config = self._selector.config = config

    def __call__(self, faces: Sequence[FaceState] | None, now_ns: int) -> JointTargets:
        """Compute the joint targets.

        Args:
            faces: of the message received since the last call, may be empty; None if no message was received.
            now_ns: time in nanoseconds, of the clock of the image stamps.
        """
        elapsed = self._elapsed(now_ns)
        if faces is not None:
            self._update_goals(faces, now_ns)
        self._update_timeouts(now_ns)
        self._move(elapsed)
        self._record(now_ns)
        return JointTargets(tuple(self.joints), tuple(self._positions), tuple(self._velocities))

    def _elapsed(self, now_ns: int) -> float:
        """Seconds since the last call; a time jump resets all timers and keeps the joint positions.

        After a jump backwards the motion continues as after one period. After a jump forwards the joints have stopped
        at the last target, and the motion starts from rest.
        """
        last_ns, self._now_ns = self._now_ns, now_ns
        elapsed = 0.0 if last_ns is None else (now_ns - last_ns) / SECOND
        if last_ns is not None and 0.0 <= elapsed <= MAX_STEP:
            return elapsed
        if last_ns is not None:
            self._warn(f"time jumped by {elapsed:.3f} s: timers are reset, joint positions are kept")
        self._message_ns = now_ns
        self._lost_ns = None if self._lost_ns is None else now_ns
        self._past.clear()
        self._selector.reset()
        if elapsed < 0.0:
            return 1.0 / self.config.rate
        self._velocities = [0.0] * len(self.joints)
        return 0.0

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
                self._goals[index] = joint.target(value, positions[index])
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
            self._goals = [joint.rest for joint in self.joints.values()]
            self._selector.reset()

    def _move(self, elapsed: float) -> None:
        speed = self.config.return_speed if self._resting else 1.0
        for index, joint in enumerate(self.joints.values()):
            self._positions[index], self._velocities[index] = advance(
                self._positions[index],
                self._velocities[index],
                self._goals[index],
                joint.velocity * speed,
                joint.acceleration,
                elapsed,
            )

    def _record(self, now_ns: int) -> None:
        self._past.append((now_ns, list(self._positions)))
        while now_ns - self._past[0][0] > MAX_IMAGE_AGE * SECOND:
            self._past.popleft()

    def _positions_at(self, stamp_ns: int, now_ns: int) -> list[float]:
        """Joint positions at an image stamp; the current ones if the stamp is of another clock."""
        known = self._past and 0 <= now_ns - stamp_ns <= MAX_IMAGE_AGE * SECOND
        if not known or not any(joint.relative for joint in self.joints.values()):
            return self._positions
        ages = [(then - now_ns) / SECOND for then, _ in self._past]
        past = np.array([positions for _, positions in self._past])
        return [float(np.interp((stamp_ns - now_ns) / SECOND, ages, column)) for column in past.T]


def _has_finite_pose(face: FaceState) -> bool:
    return bool(np.isfinite(face.pose.position).all() and np.isfinite(face.pose.rotation).all())
