"""Filters over whole faces: One-Euro (Casiez, Roussel and Vogel, CHI 2012), or a mean over the last moments.

Time is an argument, no clock is read. No filter looks at what comes later: an answer is never held back for a frame.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from face_expr_ros.config import SmoothingConfig
from face_expr_ros.values import Blendshapes, Face, FaceFit, FloatArray, Landmarks, Pose

Filter = Callable[[FloatArray, float], FloatArray]  # a value and the seconds since the last: the smoothed value

_AXIS = 0.1  # meters
_BLENDSHAPE_UNIT = 0.15
_LANDMARK_UNIT = 0.2  # face heights
_LONGEST_GAP = 1.0  # seconds; a face seen again after that starts anew


class OneEuro:
    """The filter for an array of values that share one time.

    Args:
        config: cutoffs in Hz and beta.
        unit: the size of a typical movement, in the units of the values; it makes ``beta`` mean the same for all.
        dead_zone: speed, in the units of the values a second, up to which ``beta`` counts for nothing. The published
            filter has none; but the speed of noise opens a filter that is quick enough for a blink. Here the speed is
            that of the new value against the smoothed one, so that a slow movement, too, leaves the zone by its lag.
    """

    def __init__(self, config: SmoothingConfig, unit: float, dead_zone: float = 0.0) -> None:
        self._config = config
        self._unit = unit
        self._slow = dead_zone / unit
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None

    def __call__(self, value: FloatArray, elapsed: float) -> FloatArray:
        """The smoothed value, ``elapsed`` seconds after the last; 0 or less, or a long gap, starts anew."""
        if self._value is None or self._speed is None or not 0 < elapsed <= _LONGEST_GAP:
            self._value, self._speed = value, np.zeros_like(value)
            return value
        speed = (value - self._value) / (elapsed * self._unit)
        self._speed = self._speed + _gain(self._config.derivative_cutoff, elapsed) * (speed - self._speed)
        cutoff = self._config.minimum_cutoff + self._config.beta * np.maximum(np.abs(self._speed) - self._slow, 0.0)
        self._value = self._value + _gain(cutoff, elapsed) * (value - self._value)
        return self._value


def _gain(cutoff: FloatArray | float, elapsed: float) -> FloatArray:
    """Weight of the new value in a first-order low pass with ``cutoff`` Hz, after ``elapsed`` seconds."""
    gain: FloatArray = np.asarray(1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * elapsed)))
    return gain


class WindowMean:
    """The mean of the values of the last moments, the newest with the weight 1, one as old as the window with 0.

    Steady movement is delayed by about a third of the window.

    Args:
        window: seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._now = 0.0
        self._values: deque[tuple[float, FloatArray]] = deque()

    def __call__(self, value: FloatArray, elapsed: float) -> FloatArray:
        """The smoothed value, ``elapsed`` seconds after the last; 0 or less, or a long gap, starts anew."""
        if not 0 < elapsed <= _LONGEST_GAP:
            self._values.clear()
        self._now += elapsed
        self._values.append((self._now, value))
        while self._now - self._values[0][0] >= self._window:
            self._values.popleft()
        weights = [1 - (self._now - time) / self._window for time, _ in self._values]
        return np.average([value for _, value in self._values], axis=0, weights=weights)


def _open_filter(config: SmoothingConfig, unit: float) -> Filter:
    """The filter that the method names; ``unit`` as in `OneEuro`."""
    return WindowMean(config.window) if config.method == "window" else OneEuro(config, unit)


def _open_blendshape_filter(config: SmoothingConfig) -> Filter:
    """What a still face shows is noise, and a blink lasts a tenth of a second: both at once need a dead zone."""
    if config.method == "window":
        return WindowMean(config.window)
    own = replace(config, minimum_cutoff=config.blendshape_cutoff, beta=config.blendshape_beta)
    return OneEuro(own, _BLENDSHAPE_UNIT, config.blendshape_dead_zone)


class _FaceFilter:
    """The filters of one face."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._position = _open_filter(config, unit=0.1)  # meters
        self._rotation = _open_filter(config, unit=0.25)  # quaternion components: half an angle in radians
        self._shape = _open_filter(config, unit=10.0)  # standard deviations; a face's shape hardly changes
        self._expression = _open_filter(config, unit=0.15)
        self._blendshapes = _open_blendshape_filter(config)
        self._landmarks = _open_filter(config, unit=_LANDMARK_UNIT)
        self._projected = _open_filter(config, unit=_LANDMARK_UNIT)
        self._quaternion = np.array([0.0, 0.0, 0.0, 1.0])
        self._stamp_ns: int | None = None

    def __call__(self, face: Face, stamp_ns: int) -> Face:
        elapsed = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        return replace(
            face,
            fit=self._smooth_fit(face.fit, max(face.roi.height, 1.0), elapsed),
            landmarks=self._smooth_landmarks(face.landmarks, max(face.roi.height, 1.0), elapsed),
            blendshapes=Blendshapes(face.blendshapes.names, self._blendshapes(face.blendshapes.values, elapsed)),
        )

    def _smooth_fit(self, fit: FaceFit, height: float, elapsed: float) -> FaceFit:
        pose = Pose(
            self._smooth_rotation(fit.pose.rotation, elapsed),
            self._position(fit.pose.position, elapsed),
            fit.pose.metric,
        )
        shape, expression = self._shape(fit.shape, elapsed), self._expression(fit.expression, elapsed)
        landmarks68, weak_perspective = self._smooth_projected(fit, height, elapsed)
        return replace(
            fit,
            pose=pose,
            shape=shape,
            expression=expression,
            landmarks68=landmarks68,
            weak_perspective=weak_perspective,
        )

    def _smooth_projected(self, fit: FaceFit, height: float, elapsed: float) -> tuple[FloatArray, FloatArray]:
        """The 68 points and the weak perspective, the latter as the pixels of its origin and of its axes' tips."""
        origin = fit.weak_perspective[:, 3]
        tips = fit.weak_perspective[:, :3].T * _AXIS + origin
        smoothed = self._projected(np.vstack([fit.landmarks68, origin, tips]) / height, elapsed) * height
        points, origin, tips = smoothed[:-4], smoothed[-4], smoothed[-3:]
        return points, np.column_stack([((tips - origin) / _AXIS).T, origin])

    def _smooth_rotation(self, rotation: FloatArray, elapsed: float) -> FloatArray:
        quaternion = Rotation.from_matrix(rotation).as_quat()
        if quaternion @ self._quaternion < 0:  # q and -q are the same rotation: stay on one side
            quaternion = -quaternion
        self._quaternion = self._rotation(quaternion, elapsed)
        return Rotation.from_quat(self._quaternion).as_matrix()

    def _smooth_landmarks(self, landmarks: Landmarks | None, height: float, elapsed: float) -> Landmarks | None:
        if landmarks is None:
            self._landmarks = _open_filter(self._config, unit=_LANDMARK_UNIT)
            return None
        smoothed = self._landmarks(landmarks.points / height, elapsed) * height
        return Landmarks(smoothed.astype(np.float32), landmarks.confidence)


class Smoother:
    """Smooths every face with filters of its own, found by the face's id."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._filters: dict[str, _FaceFilter] = {}

    def reset(self) -> None:
        """Forget all faces."""
        self._filters.clear()

    def __call__(self, faces: tuple[Face, ...], stamp_ns: int) -> tuple[Face, ...]:
        """The faces of a frame taken at ``stamp_ns`` nanoseconds, smoothed. A face that is gone is forgotten."""
        if self._config.method == "none":
            return faces
        self._filters = {face.id: self._filters.get(face.id) or _FaceFilter(self._config) for face in faces}
        return tuple(self._filters[face.id](face, stamp_ns) for face in faces)
