"""Nods and shakes of the head, from the rotation of the head over time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.types import NOD, SHAKE, FaceEvent, FloatArray
from face_expr_ros.kernels.small_vectors import turn_between

_SWINGS = 3  # number of swings in alternating directions that make a gesture: one and a half periods
# Duration of a swing, half a period, in seconds. Slower motion is a change of direction, faster motion is noise.
_MIN_SWING_TIME, _MAX_SWING_TIME = 0.08, 0.6
_START = 0.2  # fraction of the minimum swing at which the first swing begins
# Shortly before a gesture the head is still about its axis: for _REST_TIME in the last _BEFORE seconds it turns by less
# than this fraction of the minimum swing. The steps of a walk are swings as well, but without a rest before them.
_REST_TIME, _BEFORE, _REST = 0.4, 1.3, 0.5
_DOMINANCE = 1.8  # minimum ratio of the swings about the axis of the gesture to the range about each other axis
# Measured on rendered heads: the rotation that the fit reports for a rotation of the head about each axis. Part of a
# change of pitch is fitted as a change of shape and position.
_GAINS = (0.75, 1.0, 1.0)
_SMOOTHING = 0.04  # seconds, time constant of the filter against the noise of the pose
_MAX_GAP = 0.5  # seconds without the face after which the history is discarded
_AXES = {NOD: 0, SHAKE: 1}  # of the model: x to the subject's left, y up


@dataclass
class _Swings:
    """Counts alternating swings of one angle.

    Attributes:
        pivot, pivot_t: the last turning point, radians, and its time in seconds.
        extreme, extreme_t: the extreme since then.
        begins: times at which the counted swings began.
        is_reported: whether the current gesture has been reported.
    """

    pivot: float = 0.0
    pivot_t: float = 0.0
    extreme: float = 0.0
    extreme_t: float = 0.0
    begins: tuple[float, ...] = ()
    is_reported: bool = False

    @classmethod
    def start(cls, t: float) -> _Swings:
        return cls(pivot_t=t, extreme_t=t)

    def update(self, angle: float, t: float, min_swing: float) -> None:
        """Add an angle in radians; a swing is complete when the angle turns back by half of ``min_swing``."""
        is_drift = t - self.pivot_t > _MAX_SWING_TIME and abs(self.extreme - self.pivot) < min_swing
        if is_drift or t - self.extreme_t > _MAX_SWING_TIME:
            self._restart(angle, t)
        if not self.begins and abs(angle - self.pivot) < _START * min_swing:
            self.pivot_t = t  # a still head: the first swing has not begun
        direction = math.copysign(1.0, self.extreme - self.pivot) if self.extreme != self.pivot else 0.0
        if direction * (angle - self.extreme) >= 0.0 or not direction:
            self.extreme, self.extreme_t = angle, t
        elif abs(angle - self.extreme) >= 0.5 * min_swing:
            self._turn(angle, t, min_swing)

    def begin(self, min_swing: float) -> float | None:
        """When the gesture began, if the swings up to now, the current one included, are one; else None."""
        current = self._is_swing(self.pivot, self.pivot_t, self.extreme, self.extreme_t, min_swing)
        begins = (*self.begins, self.pivot_t) if current else self.begins
        return begins[-_SWINGS] if len(begins) >= _SWINGS else None

    def _turn(self, angle: float, t: float, min_swing: float) -> None:
        if self._is_swing(self.pivot, self.pivot_t, self.extreme, self.extreme_t, min_swing):
            self.begins = (*self.begins, self.pivot_t)[-_SWINGS:]
        else:
            self.begins, self.is_reported = (), False
        self.pivot, self.pivot_t = self.extreme, self.extreme_t
        self.extreme, self.extreme_t = angle, t

    def _restart(self, angle: float, t: float) -> None:
        self.pivot = self.extreme = angle
        self.pivot_t = self.extreme_t = t
        self.begins, self.is_reported = (), False

    @staticmethod
    def _is_swing(begin: float, begin_t: float, end: float, end_t: float, min_swing: float) -> bool:
        return abs(end - begin) >= min_swing and _MIN_SWING_TIME <= end_t - begin_t <= _MAX_SWING_TIME


class HeadGestures:
    """Detects the nods and shakes of one face.

    The rotation between frames is taken about the axes of the head, so that the direction of the head relative to the
    camera does not matter. A gesture is reported once, at its third swing, and again only after the head was still.

    Args:
        config: the minimum size of a swing.
    """

    def __init__(self, config: ExpressionConfig) -> None:
        self._min_swing = math.radians(config.gesture_min_swing)
        self._rotation: FloatArray | None = None
        self._t = 0.0
        self._raw, self._angles = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        self._swings: dict[str, _Swings] = {}
        self._past: deque[tuple[float, list[float]]] = deque()

    def __call__(self, rotation: FloatArray, t: float) -> FaceEvent | None:
        """A gesture that is recognized with this rotation (3, 3) of the head at the time ``t`` in seconds, or None.

        Time that goes back, or a gap of more than half a second, resets the history.
        """
        elapsed = t - self._t
        if self._rotation is None or not 0.0 <= elapsed <= _MAX_GAP:
            self._start(rotation, t)
            return None
        vector, gain = turn_between(self._rotation, rotation), 1.0 - math.exp(-elapsed / _SMOOTHING)
        self._raw = [
            raw + angle / _GAINS[axis] for axis, (raw, angle) in enumerate(zip(self._raw, vector, strict=True))
        ]
        self._angles = [old + gain * (raw - old) for old, raw in zip(self._angles, self._raw, strict=True)]
        self._rotation, self._t = rotation, t
        self._remember(t)
        for swings, axis in ((self._swings[kind], axis) for kind, axis in _AXES.items()):
            swings.update(self._angles[axis], t, self._min_swing)
        found = [self._gesture(kind, t) for kind in _AXES]
        return next((event for event in found if event is not None), None)

    def _start(self, rotation: FloatArray, t: float) -> None:
        self._rotation, self._t = rotation, t
        self._raw, self._angles = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        self._swings = {kind: _Swings.start(t) for kind in _AXES}
        self._past = deque([(t, self._angles)])

    def _remember(self, t: float) -> None:
        self._past.append((t, self._angles))
        while t - self._past[0][0] > _SWINGS * _MAX_SWING_TIME + _BEFORE:
            self._past.popleft()

    def _gesture(self, kind: str, t: float) -> FaceEvent | None:
        swings = self._swings[kind]
        begin = swings.begin(self._min_swing)
        if begin is None or swings.is_reported or not self._is_dominant(_AXES[kind], begin):
            return None
        if not self._had_rest(_AXES[kind], begin):
            return None
        swings.is_reported = True
        return FaceEvent(kind, t - begin)

    def _is_dominant(self, axis: int, begin: float) -> bool:
        """Whether the head has turned about this axis much more than about the others since ``begin``."""
        angles = np.array([angles for time, angles in self._past if time >= begin])
        ranges = np.ptp(angles, axis=0)
        others = np.delete(ranges, axis)
        return bool(ranges[axis] >= _DOMINANCE * others.max())

    def _had_rest(self, axis: int, begin: float) -> bool:
        """Whether the head was still about this axis for a while before ``begin``."""
        past = [(time, angles[axis]) for time, angles in self._past if begin - _BEFORE <= time <= begin]
        times, angles = np.array(past).T
        for first in range(len(times)):
            last = np.searchsorted(times, times[first] + _REST_TIME)
            if last == len(times):
                return False
            if np.ptp(angles[first : last + 1]) <= _REST * self._min_swing:
                return True
        return False

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {
            "rotation": self._rotation,
            "t": self._t,
            "raw": self._raw,
            "angles": self._angles,
            "swings": {kind: vars(swings) | {"begins": list(swings.begins)} for kind, swings in self._swings.items()},
            "past": [list(entry) for entry in self._past],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rotation, self._t = state["rotation"], state["t"]
        self._raw, self._angles = state["raw"], state["angles"]
        self._swings = {
            kind: _Swings(**{**swings, "begins": tuple(swings["begins"])}) for kind, swings in state["swings"].items()
        }
        self._past = deque((t, angles) for t, angles in state["past"])
