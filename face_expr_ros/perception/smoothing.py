"""Filters over whole faces: One-Euro (Casiez, Roussel and Vogel, CHI 2012), or a weighted mean over a time window.

All filters are causal and take the elapsed time as an argument; no clock is read and no frame is held back.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import SmoothingConfig
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, FloatArray, Landmarks, Pose
from face_expr_ros.kernels.face_numbers import join_numbers, projected_count, split_numbers
from face_expr_ros.kernels.one_euro import NoiseLevels, filter_step, new_state

PerValue = FloatArray | float  # one for each value, or one for all

_BLENDSHAPE_UNIT = 0.15
_LANDMARK_UNIT = 0.2  # face heights
_NOISE = NoiseLevels()
_MAX_GAP = 1.0  # seconds; after a longer gap a filter restarts


class Filter(Protocol):
    """A causal filter of an array."""

    def __call__(self, value: FloatArray, elapsed: float, scale: float = 1.0) -> FloatArray:
        """The smoothed value, ``elapsed`` seconds after the last; 0 or less, or a long gap, restarts the filter.

        The filter keeps ``value / scale``, so that the scale may change.
        """

    def state_dict(self) -> dict[str, Any]:
        """The state between two values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class OneEuro:
    """The One-Euro filter for an array of values.

    Args:
        config: cutoffs in Hz and beta.
        unit: the size of a typical movement, in the units of the values; it makes ``beta`` independent of the unit.
        dead_zone: speed, in the units of the values per second, below which ``beta`` has no effect. The published
            filter has none, but the speed of noise opens a filter that is fast enough for a blink. Here the speed is
            that of the new value against the smoothed one, so that the lag of a slow movement also leaves the zone.
        minimum_cutoff, beta: per value, instead of the configuration's.
        noise_aware: values from this index on are filtered more if they are noisier: the dead zone covers the speed of
            their noise, and the cutoff falls until little of the noise remains.
    """

    def __init__(
        self,
        config: SmoothingConfig,
        unit: PerValue,
        dead_zone: PerValue = 0.0,
        *,
        minimum_cutoff: PerValue | None = None,
        beta: PerValue | None = None,
        noise_aware: int | None = None,
    ) -> None:
        self._noise_from = sys.maxsize if noise_aware is None else noise_aware
        self._derivative_cutoff = config.derivative_cutoff
        cutoff = config.minimum_cutoff if minimum_cutoff is None else minimum_cutoff
        self._settings = unit, dead_zone / unit, cutoff, config.beta if beta is None else beta
        self._settings_per_value = np.zeros((4, 0))
        self._state: NDArray[np.float64] | None = None

    def __call__(self, value: FloatArray, elapsed: float, scale: float = 1.0) -> FloatArray:
        """See `Filter`."""
        if self._state is None or not 0 < elapsed <= _MAX_GAP:
            self._state = new_state(value / scale)
            return value
        if self._settings_per_value.shape[1] != value.size:
            rows = [np.broadcast_to(setting, value.shape).ravel() for setting in self._settings]
            self._settings_per_value = np.array(rows, np.float64)
        smooth = filter_step(
            value.ravel(), elapsed, self._settings_per_value, self._state, self._derivative_cutoff, self._noise_from,
            _NOISE, scale,
        )  # fmt: skip
        return smooth.reshape(value.shape)

    def state_dict(self) -> dict[str, Any]:
        """See `Filter`."""
        return {"state": None if self._state is None else self._state.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Filter`."""
        self._state = None if state["state"] is None else state["state"].copy()


class WindowMean:
    """The weighted mean over a time window: the weight falls from 1 for the latest value to 0 at the window's length.

    The lag of a steady movement is about a third of the window.

    Args:
        window: seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._now = 0.0
        self._values: deque[tuple[float, FloatArray]] = deque()

    def __call__(self, value: FloatArray, elapsed: float, scale: float = 1.0) -> FloatArray:
        """See `Filter`."""
        if not 0 < elapsed <= _MAX_GAP:
            self._values.clear()
        self._now += elapsed
        self._values.append((self._now, value / scale))
        while self._now - self._values[0][0] >= self._window:
            self._values.popleft()
        weights = [1 - (self._now - time) / self._window for time, _ in self._values]
        mean = np.average([value for _, value in self._values], axis=0, weights=weights) * scale
        return np.asarray(mean, value.dtype)

    def state_dict(self) -> dict[str, Any]:
        """See `Filter`."""
        return {"now": self._now, "values": [list(pair) for pair in self._values]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Filter`."""
        self._now, self._values = state["now"], deque((time, value) for time, value in state["values"])


def _open_filter(config: SmoothingConfig, unit: float) -> Filter:
    """The filter that ``config.method`` names; ``unit`` as in `OneEuro`."""
    return WindowMean(config.window) if config.method == "window" else OneEuro(config, unit)


# Typical movements: meters, quaternion components (half an angle in radians), standard deviations (a face's shape
# hardly changes), coefficients, face heights.
_PARTS = ("position", "shape", "expression", "projected", "rotation", "blendshapes")
_NOISE_AWARE = ("rotation", "blendshapes")  # the last ones
# A quaternion is multiplied by this, so that the noise that may remain, in `NoiseLevels`, is 0.05 degrees.
_ROTATION_SCALE = NoiseLevels.residual / math.radians(0.05 / 2)
_UNITS = {
    "position": 0.1, "rotation": 0.25 * _ROTATION_SCALE, "shape": 10.0, "expression": 0.15, "projected": _LANDMARK_UNIT
}  # fmt: skip
# The dead zone of the noise lets a rotation open the filter more than `SmoothingConfig.beta` without noise.
_ROTATION_BETA = 16.0


class _FaceFilter:
    """The filters of one face: one for its fit and blendshapes, concatenated, and one for its landmarks."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._numbers: Filter | None = None
        self._counts: dict[str, int] = {}  # of the concatenated parts
        self._landmarks = _open_filter(config, unit=_LANDMARK_UNIT)
        self._quaternion = np.array([0.0, 0.0, 0.0, 1.0])
        self._stamp_ns: int | None = None

    def __call__(self, face: Face, stamp_ns: int) -> Face:
        elapsed = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        height = max(face.roi.height, 1.0)
        fit, blendshapes = self._smooth_numbers(face.fit, face.blendshapes, height, elapsed)
        landmarks = self._smooth_landmarks(face.landmarks, height, elapsed)
        return Face(face.id, face.confidence, face.roi, landmarks, fit, blendshapes, face.readouts, face.events)

    def _smooth_numbers(
        self, fit: FaceFit, blendshapes: Blendshapes, height: float, elapsed: float
    ) -> tuple[FaceFit, Blendshapes]:
        pose, values = fit.pose, blendshapes.values
        numbers = join_numbers(
            pose.position, fit.shape, fit.expression, fit.landmarks68, fit.weak_perspective, pose.rotation, values,
            self._quaternion, height, _ROTATION_SCALE,
        )  # fmt: skip
        shape, expression, points = len(fit.shape), len(fit.expression), len(fit.landmarks68)
        if self._numbers is None:
            counts = 3, shape, expression, projected_count(points), len(self._quaternion), len(values)
            self._counts = dict(zip(_PARTS, counts, strict=True))
            self._numbers = _open_joint_filter(self._config, self._counts)
        smoothed = self._numbers(numbers, elapsed)
        position, shapes, expressions, placed, matrix, rotation, values, self._quaternion = split_numbers(
            smoothed, shape, expression, points, height, _ROTATION_SCALE
        )
        smooth_pose = Pose(rotation, position, pose.metric, pose.depth_used)
        smooth_fit = FaceFit(smooth_pose, shapes, expressions, fit.residual, placed, matrix, fit.confidence)
        return smooth_fit, Blendshapes(blendshapes.names, values)

    def _smooth_landmarks(self, landmarks: Landmarks | None, height: float, elapsed: float) -> Landmarks | None:
        if landmarks is None:
            self._landmarks = _open_filter(self._config, unit=_LANDMARK_UNIT)
            return None
        return Landmarks(self._landmarks(landmarks.points, elapsed, height), landmarks.confidence)

    def state_dict(self) -> dict[str, Any]:
        return {
            "numbers": None if self._numbers is None else self._numbers.state_dict(),
            "counts": self._counts,
            "landmarks": self._landmarks.state_dict(),
            "quaternion": self._quaternion,
            "stamp_ns": self._stamp_ns,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._counts, self._quaternion, self._stamp_ns = state["counts"], state["quaternion"], state["stamp_ns"]
        self._landmarks.load_state_dict(state["landmarks"])
        if state["numbers"] is not None:
            self._numbers = _open_joint_filter(self._config, self._counts)
            self._numbers.load_state_dict(state["numbers"])


def _open_joint_filter(config: SmoothingConfig, counts: dict[str, int]) -> Filter:
    """One filter for concatenated parts of these sizes; units, and for blendshapes all settings, differ by part.

    The noise of a still face is suppressed while a blink, a tenth of a second, passes: only a dead zone allows both.
    """
    if config.method == "window":
        return WindowMean(config.window)

    def per_value(others: float, blendshapes: float, rotation: float = 1.0) -> FloatArray:
        special = {"blendshapes": blendshapes, "rotation": rotation * others}
        return np.repeat([special.get(name, others) for name in counts], list(counts.values()))

    units = np.repeat([_UNITS.get(name, _BLENDSHAPE_UNIT) for name in counts], list(counts.values()))
    return OneEuro(
        config,
        units,
        per_value(0.0, config.blendshape_dead_zone),
        minimum_cutoff=per_value(config.minimum_cutoff, config.blendshape_cutoff),
        beta=per_value(config.beta, config.blendshape_beta, _ROTATION_BETA),
        noise_aware=sum(count for name, count in counts.items() if name not in _NOISE_AWARE),
    )


class Smoother:
    """Smooths every face with its own filters, by face id."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._filters: dict[str, _FaceFilter] = {}

    def reset(self) -> None:
        """Delete all filters."""
        self._filters.clear()

    def __call__(self, faces: tuple[Face, ...], stamp_ns: int) -> tuple[Face, ...]:
        """The faces of a frame taken at ``stamp_ns`` nanoseconds, smoothed; filters of other faces are deleted."""
        if self._config.method == "none":
            return faces
        self._filters = {face.id: self._filters.get(face.id) or _FaceFilter(self._config) for face in faces}
        return tuple(self._filters[face.id](face, stamp_ns) for face in faces)

    def state_dict(self) -> dict[str, Any]:
        """The filters between two frames, by face id."""
        return {id: filters.state_dict() for id, filters in self._filters.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._filters = {id: _FaceFilter(self._config) for id in state}
        for id, filters in self._filters.items():
            filters.load_state_dict(state[id])
