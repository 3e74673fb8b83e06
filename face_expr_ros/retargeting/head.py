"""From faces to joints: the robot's head follows a face, within its limits, and goes back to rest without one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.retargeting.follow import FaceChooser
from face_expr_ros.retargeting.joints import Joint, JointTargets
from face_expr_ros.retargeting.limiter import advance
from face_expr_ros.retargeting.sources import weighted_sum

SECOND = 10**9  # nanoseconds
LONGEST_STEP = 0.5  # seconds; a longer silence of the caller is a jump of its clock, or the joints have stood meanwhile
OLDEST_IMAGE = 1.0  # seconds; older stamps, and those of the future, are of another clock


class HeadController:
    """Called at a rate of its own, so that the limits hold between the faces. It reads no clock.

    Args:
        joints: the joint table.
        config: which face, and what happens without one; may be replaced while it works.
        say: told in words of a jump in time.
    """

    def __init__(self, joints: Sequence[Joint], config: HeadControlConfig, say: Callable[[str], None]) -> None:
        self.joints = tuple(joints)
        self.config = config
        self.followed = ""  # id of the face; empty without one
        self.refused = 0  # faces whose pose, and values of sources, that were not finite or not there
        self._say = say
        self._chooser = FaceChooser(config)
        self._now_ns: int | None = None
        self._heard_ns = 0  # the last message
        self._lost_ns: int | None = None  # since when nobody is in view
        self._resting = True
        self._aims = [joint.rest for joint in self.joints]
        self._velocities = [0.0] * len(self.joints)
        self._positions = list(self._aims)
        self._past: deque[tuple[int, list[float]]] = deque()  # positions of the last second

    def place(self, positions: Sequence[float]) -> None:
        """The joints stand here: where the robot says so, before the first call."""
        self._positions = list(positions)

    def configure(self, config: HeadControlConfig) -> None:
        """Other settings from now on."""
        self.config = self._chooser.config = config

    def __call__(self, faces: Sequence[FaceState] | None, now_ns: int) -> JointTargets:
        """Where the joints should be now.

        Args:
            faces: of a message that has come since the last call, empty where nobody is; None where none has come.
            now_ns: time in nanoseconds, of the clock that stamps the images.
        """
        elapsed = self._elapsed(now_ns)
        if faces is not None:
            self._see(faces, now_ns)
        self._miss(now_ns)
        self._move(elapsed)
        self._remember(now_ns)
        names = tuple(joint.name for joint in self.joints)
        return JointTargets(names, tuple(self._positions), tuple(self._velocities))

    def _elapsed(self, now_ns: int) -> float:
        """Seconds to move on; after a jump in time all that was timed is forgotten, the joints stay where they are.

        Backwards they go on as if a period had passed: a robot does not know of clocks. Forwards they have stood still
        at the last target for a while, and start anew.
        """
        last_ns, self._now_ns = self._now_ns, now_ns
        elapsed = 0.0 if last_ns is None else (now_ns - last_ns) / SECOND
        if last_ns is not None and 0.0 <= elapsed <= LONGEST_STEP:
            return elapsed
        if last_ns is not None:
            self._say(f"the time jumped by {elapsed:.3f} s: the head goes on from where it is")
        self._heard_ns = now_ns
        self._lost_ns = None if self._lost_ns is None else now_ns
        self._past.clear()
        self._chooser.forget()
        if elapsed < 0.0:
            return 1.0 / self.config.rate
        self._velocities = [0.0] * len(self.joints)
        return 0.0

    def _see(self, faces: Sequence[FaceState], now_ns: int) -> None:
        self._heard_ns = now_ns
        placed = [face for face in faces if _is_placed(face)]
        self.refused += len(faces) - len(placed)
        face = self._chooser(placed, now_ns)
        if face is None:
            self._lose(now_ns)
            return
        self.followed, self._lost_ns, self._resting = face.id, None, False
        positions = self._positions_at(face.stamp_ns, now_ns)
        for index, joint in enumerate(self.joints):
            value = weighted_sum(face, joint.source)
            if math.isfinite(value):
                self._aims[index] = joint.target(value, positions[index])
            else:
                self.refused += 1

    def _lose(self, now_ns: int) -> None:
        if self._lost_ns is None:
            self._lost_ns = now_ns

    def _miss(self, now_ns: int) -> None:
        """Silence is as nobody in view; back to rest after a while."""
        if now_ns - self._heard_ns > self.config.input_timeout * SECOND:
            self._lose(now_ns)
        if not self._resting and self._lost_ns is not None and now_ns - self._lost_ns >= self.config.hold * SECOND:
            self.followed, self._resting = "", True
            self._aims = [joint.rest for joint in self.joints]
            self._chooser.forget()

    def _move(self, elapsed: float) -> None:
        part = self.config.return_speed if self._resting else 1.0
        for index, joint in enumerate(self.joints):
            self._positions[index], self._velocities[index] = advance(
                self._positions[index],
                self._velocities[index],
                self._aims[index],
                joint.velocity * part,
                joint.acceleration,
                elapsed,
            )

    def _remember(self, now_ns: int) -> None:
        self._past.append((now_ns, list(self._positions)))
        while now_ns - self._past[0][0] > OLDEST_IMAGE * SECOND:
            self._past.popleft()

    def _positions_at(self, stamp_ns: int, now_ns: int) -> list[float]:
        """Where the joints were when the image was taken; where they are, if its stamp is of another clock."""
        known = self._past and 0 <= now_ns - stamp_ns <= OLDEST_IMAGE * SECOND
        if not known or not any(joint.relative for joint in self.joints):
            return self._positions
        ages = [(then - now_ns) / SECOND for then, _ in self._past]
        past = np.array([positions for _, positions in self._past])
        return [float(np.interp((stamp_ns - now_ns) / SECOND, ages, column)) for column in past.T]


def _is_placed(face: FaceState) -> bool:
    return bool(np.isfinite(face.pose.position).all() and np.isfinite(face.pose.rotation).all())
