"""Calibration curves of the blendshapes: 0 for an absent movement, about 1 for a strong one.

A regression on noisy grades shrinks towards the mean and underestimates strong movements. A curve, the same for both
sides of the face, rescales each blendshape: ``scale * value + offset``, clipped to 0..1. It is fitted on held-out
faces. Above a knee it is a straight line to 1 at 1, and near 0 a flat line, so that strong and weak movements remain
distinguishable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.portrait_score import COLUMNS, STRONG, pearson
from face_expr_ros.core.types import FloatArray

_SCALES = np.linspace(1.0, 2.5, 16)
_OFFSETS = np.linspace(0.0, 0.2, 11)  # subtracted, in units of the value before scaling
_MAX_NEUTRAL, _STRONG_TARGET = 0.055, 0.95
_MOST, _MAX_ABSENT = 0.95, 0.2  # 95 % of the faces without the movement are to read at most 0.2
_MIN_SCALE = {"blinkL": 2.0, "blinkR": 2.0, "jawOpen": 1.7}  # strong ones read lower on photographs than on portraits
_MAX_SCALE = {"squint": 2.1}  # at rest, photographs read higher than portraits
_WEIGHT_OF_R = 6.0  # of Pearson's r in the cost of a curve
_CLEAR_GRADES = (1.5, 2.5)  # without strong grades, the mean of these is matched to two thirds
_TWO_THIRDS = 2 / 3
_MIN_COUNT = 4
_MIN_CLEAR = 60  # copies of faces with a clear grade; with fewer, a curve would mainly amplify noise
KNEE = 0.9
TOE = 0.3  # slope where the line would be below 0, so that weak movements remain distinguishable


@dataclass(frozen=True)
class Curves:
    """Calibration of E blendshapes below the knee: scale (E,), at least 1, and offset (E,), at most 0."""

    scale: FloatArray
    offset: FloatArray

    def __call__(self, values: FloatArray) -> FloatArray:
        """Calibrated values (n, E)."""
        bent = 1.0 - self.slope() * (1.0 - values)
        straight = np.maximum(values * self.scale + self.offset, TOE * values)
        return np.clip(np.minimum(straight, bent), 0.0, 1.0)

    def slope(self) -> FloatArray:
        """(E,) slopes of the straight lines above the knee, which reach 1 at 1."""
        knee = (KNEE - self.offset) / self.scale
        return np.where(knee < 1.0, (1.0 - KNEE) / np.maximum(1.0 - knee, 1e-6), 0.0)


def fit_curves(values: FloatArray, grades: FloatArray, names: tuple[str, ...]) -> Curves:
    """Fit curves to the uncalibrated values (n, E) of graded faces; grades (n, C), NaN where unknown."""
    scale, offset = np.ones(len(names)), np.zeros(len(names))
    for index, (column, (added, subtracted)) in enumerate(COLUMNS.items()):
        places = [names.index(name) for name in (*added, *subtracted)]
        known = np.isfinite(grades[:, index])
        clear = np.count_nonzero(grades[known, index] >= _CLEAR_GRADES[0])
        if subtracted or clear < _MIN_CLEAR:  # differences are not calibrated either
            continue
        limits = _MIN_SCALE.get(column, 1.0), _MAX_SCALE.get(column, float(_SCALES[-1]))
        scale[places], offset[places] = _best(values[known][:, places], grades[known, index], limits)
    return Curves(scale, offset)


def _best(values: FloatArray, grades: FloatArray, limits: tuple[float, float]) -> tuple[float, float]:
    """Scale, within ``limits``, and offset for the column that is the mean of values (n, k)."""
    low, high = limits[0] - 1e-9, limits[1] + 1e-9
    tried = [(scale, -scale * taken) for scale in _SCALES if low <= scale <= high for taken in _OFFSETS]

    def cost(curve: tuple[float, float]) -> float:
        read = Curves(np.array(curve[0]), np.array(curve[1]))(values)
        return _cost(read.mean(axis=1), grades)

    return min(tried, key=cost)


def _cost(read: FloatArray, grades: FloatArray) -> float:
    """Cost: low when absent movements read near 0, strong ones near 1, and the correlation is high."""
    absent = read[grades == 0]
    cost = 0.0
    if len(absent):
        cost += 10.0 * max(0.0, float(absent.mean()) - _MAX_NEUTRAL)
        cost += max(0.0, float(np.quantile(absent, _MOST)) - _MAX_ABSENT)
    strong = grades >= STRONG
    middle = (grades >= _CLEAR_GRADES[0]) & (grades < _CLEAR_GRADES[1])
    if strong.sum() >= _MIN_COUNT:
        cost += abs(_STRONG_TARGET - float(read[strong].mean()))
    elif middle.sum() >= _MIN_COUNT:
        cost += abs(_TWO_THIRDS - float(read[middle].mean()))
    return cost - _WEIGHT_OF_R * (pearson(grades, read) or 0.0)
