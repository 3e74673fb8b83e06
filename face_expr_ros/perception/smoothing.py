"""Filters over whole faces: One-Euro (Casiez, Roussel and Vogel, CHI 2012), or a mean over the last moments.

Time is an argument, no clock is read. No filter looks at what comes later: an answer is never held back for a frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import accumulate

import numpy as np

from face_expr_ros.core.config import SmoothingConfig
from face_expr_ros.core.geometry import quaternion_from_rotation, rotation_from_quaternion
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, FloatArray, Landmarks, Pose
from face_expr_ros.kernels.one_euro import one_euro_step
from face_expr_ros.perception.noise_level import NoiseLevel

PerValue = FloatArray | float  # one for each value, or one for all
Filter = Callable[[FloatArray, float], FloatArray]  # a value and the seconds since the last: the smoothed value

_AXIS = 0.1  # meters
_BLENDSHAPE_UNIT = 0.15
_LANDMARK_UNIT = 0.2  # face heights
# Of noise: its speeds that the dead zone covers, the standard deviation that may be left of it, and the cutoff, Hz,
# below which a value would lag for too long whatever its noise.
_NOISE_SPEEDS, _LEFT_OVER, _LEAST_CUTOFF = 1.6, 0.005, 0.03
_LONGEST_GAP = 1.0  # seconds; a face seen again after that starts anew


class OneEuro:
    """The filter for an array of values that share one time.

    Args:
        config: cutoffs in Hz and beta.
        unit: the size of a typical movement, in the units of the values; it makes ``beta`` mean the same for all.
        dead_zone: speed, in the units of the values a second, up to which ``beta`` counts for nothing. The published
            filter has none; but the speed of noise opens a filter that is quick enough for a blink. Here the speed is
            that of the new value against the smoothed one, so that a slow movement, too, leaves the zone by its lag.
        minimum_cutoff, beta: of each value, in place of the configuration's.
        noise_aware: values from this index on are filtered the more, the noisier they are: the dead zone covers the
            speed of their noise, and the cutoff falls so that little of it is left.
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
        self._noise_aware = noise_aware
        self._noise: NoiseLevel | None = None
        self._derivative_cutoff = config.derivative_cutoff
        cutoff = config.minimum_cutoff if minimum_cutoff is None else minimum_cutoff
        self._settings = unit, dead_zone / unit, cutoff, config.beta if beta is None else beta
        self._each = np.zeros((4, 0))  # the settings of each value
        self._value: FloatArray | None = None
        self._speed: FloatArray | None = None

    def __call__(self, value: FloatArray, elapsed: float) -> FloatArray:
        """The smoothed value, ``elapsed`` seconds after the last; 0 or less, or a long gap, starts anew."""
        if self._value is None or self._speed is None or not 0 < elapsed <= _LONGEST_GAP:
            self._value, self._speed = np.array(value, np.float64).ravel(), np.zeros(value.size)
            self._each = np.array([np.broadcast_to(setting, value.shape).ravel() for setting in self._settings])
            self._start_noise(self._value, elapsed)
            return value
        self._heed_noise(value.ravel(), elapsed)
        self._value = one_euro_step(
            value.ravel(), self._value, self._speed, self._each, self._derivative_cutoff, elapsed
        )
        return self._value.reshape(value.shape)

    def _start_noise(self, value: FloatArray, elapsed: float) -> None:
        if self._noise_aware is not None:
            self._noise = NoiseLevel(value.size - self._noise_aware)
            self._noise(value[self._noise_aware :], elapsed)
            self._plain = self._each[:, self._noise_aware :].copy()

    def _heed_noise(self, value: FloatArray, elapsed: float) -> None:
        """Set dead zone and cutoff of each value by its noise."""
        if self._noise is None or self._noise_aware is None:
            return
        sigma = self._noise(value[self._noise_aware :], elapsed)
        unit, slow, cutoff, _ = self._plain
        each = self._each[:, self._noise_aware :]
        np.maximum(slow, _NOISE_SPEEDS * sigma / (elapsed * unit), out=each[1])
        gain = 2.0 * (_LEFT_OVER / np.maximum(sigma, _LEFT_OVER)) ** 2
        quiet = gain / (2.0 * np.pi * elapsed)
        each[2] = np.minimum(cutoff, np.maximum(quiet, np.minimum(cutoff, _LEAST_CUTOFF)))


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
    return OneEuro(own, _BLENDSHAPE_UNIT, config.blendshape_dead_zone, noise_aware=0)


# Typical movements: meters, quaternion components (half an angle in radians), standard deviations (a face's shape
# hardly changes), coefficients, face heights.
_SIZES = {"position": 0.1, "rotation": 0.25, "shape": 10.0, "expression": 0.15, "projected": _LANDMARK_UNIT}


class _FaceFilter:
    """The filters of one face: one for its fit and blendshapes, whose numbers are joined, and one for its landmarks."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._numbers: Filter | None = None
        self._landmarks = _open_filter(config, unit=_LANDMARK_UNIT)
        self._quaternion = np.array([0.0, 0.0, 0.0, 1.0])
        self._stamp_ns: int | None = None

    def __call__(self, face: Face, stamp_ns: int) -> Face:
        elapsed = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        height = max(face.roi.height, 1.0)
        fit, blendshapes = self._smooth_numbers(face.fit, face.blendshapes, height, elapsed)
        landmarks = self._smooth_landmarks(face.landmarks, height, elapsed)
        return replace(face, fit=fit, landmarks=landmarks, blendshapes=blendshapes)

    def _smooth_numbers(
        self, fit: FaceFit, blendshapes: Blendshapes, height: float, elapsed: float
    ) -> tuple[FaceFit, Blendshapes]:
        parts = {
            "position": fit.pose.position,
            "rotation": self._near_quaternion(fit.pose.rotation),
            "shape": fit.shape,
            "expression": fit.expression,
            "projected": _projected(fit) / height,
            "blendshapes": blendshapes.values,
        }
        if self._numbers is None:
            self._numbers = _open_joint_filter(self._config, {name: len(part) for name, part in parts.items()})
        smoothed = self._numbers(np.concatenate(list(parts.values())), elapsed)
        position, self._quaternion, shape, expression, projected, values = _split_like(smoothed, parts.values())
        pose = Pose(rotation_from_quaternion(self._quaternion), position, fit.pose.metric)
        points, matrix = _unprojected(projected * height)
        smooth_fit = FaceFit(pose, shape, expression, fit.residual, points, matrix, fit.confidence)
        return smooth_fit, Blendshapes(blendshapes.names, values)

    def _near_quaternion(self, rotation: FloatArray) -> FloatArray:
        """q and -q are the same rotation: the one on the side of the last."""
        quaternion = quaternion_from_rotation(rotation)
        return -quaternion if quaternion @ self._quaternion < 0 else quaternion

    def _smooth_landmarks(self, landmarks: Landmarks | None, height: float, elapsed: float) -> Landmarks | None:
        if landmarks is None:
            self._landmarks = _open_filter(self._config, unit=_LANDMARK_UNIT)
            return None
        smoothed = self._landmarks(landmarks.points / height, elapsed) * height
        return Landmarks(smoothed.astype(np.float32, copy=False), landmarks.confidence)


def _open_joint_filter(config: SmoothingConfig, counts: dict[str, int]) -> Filter:
    """One filter for parts of so many values, each with its own unit; the blendshapes' is of another kind."""
    if config.method == "window":
        return WindowMean(config.window)

    def each(others: float, blendshapes: float) -> FloatArray:
        return np.repeat([blendshapes if name == "blendshapes" else others for name in counts], list(counts.values()))

    sizes = np.repeat([_SIZES.get(name, _BLENDSHAPE_UNIT) for name in counts], list(counts.values()))
    return OneEuro(
        config,
        sizes,
        each(0.0, config.blendshape_dead_zone),
        minimum_cutoff=each(config.minimum_cutoff, config.blendshape_cutoff),
        beta=each(config.beta, config.blendshape_beta),
        noise_aware=len(sizes) - counts["blendshapes"],
    )


def _split_like(joined: FloatArray, parts: Iterable[FloatArray]) -> list[FloatArray]:
    """The joined values in parts as long as those given; np.split takes five times as long."""
    ends = list(accumulate(len(part) for part in parts))
    return [joined[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def _projected(fit: FaceFit) -> FloatArray:
    """(n,) pixels: the 68 points and the weak perspective, the latter as its origin and its axes' tips."""
    origin = fit.weak_perspective[:, 3]
    tips = fit.weak_perspective[:, :3].T * _AXIS + origin
    return np.concatenate([fit.landmarks68.ravel(), origin, tips.ravel()])


def _unprojected(pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points (68, 3) and the weak perspective (3, 4) again."""
    rows = pixels.reshape(-1, 3)
    points, origin, tips = rows[:-4], rows[-4], rows[-3:]
    matrix = np.empty((3, 4))
    matrix[:, :3], matrix[:, 3] = ((tips - origin) / _AXIS).T, origin
    return points, matrix


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
