"""Curves that make grades and blendshapes meet: absent reads near 0, a strong movement near 1.

A regression on noisy grades shrinks towards the mean: it reads less of a strong movement than there is. A curve, alike
for both sides of the face, stretches each blendshape again: ``scale * value + offset``, within 0..1. It is chosen on
faces that were not trained on. Above a knee it bends towards 1 at 1, so that strong movements still differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_expr_ros.core.portrait_score import COLUMNS, STRONG, pearson
from face_expr_ros.core.types import FloatArray

_SCALES = np.linspace(1.0, 2.5, 16)
_OFFSETS = np.linspace(0.0, 0.2, 11)  # taken off before
_MOST_AT_REST, _AT_STRONG = 0.06, 0.95
_CLEAR_GRADES = (1.5, 2.5)  # where there is nothing strong, these should read as two thirds
_TWO_THIRDS = 2 / 3
_FEWEST = 4
_FEWEST_CLEAR = 30  # copies of faces with a clear grade; with fewer a curve would mostly stretch noise
KNEE = 0.9


@dataclass(frozen=True)
class Curves:
    """Of E blendshapes: scale (E,), at least 1, and offset (E,), at most 0, up to the knee."""

    scale: FloatArray
    offset: FloatArray

    def __call__(self, values: FloatArray) -> FloatArray:
        """Calibrated values (n, E)."""
        bent = 1.0 - self.slope() * (1.0 - values)
        return np.clip(np.minimum(values * self.scale + self.offset, bent), 0.0, 1.0)

    def slope(self) -> FloatArray:
        """(E,) above the knee, from which a straight line leads to 1 at 1."""
        knee = (KNEE - self.offset) / self.scale
        return np.where(knee < 1.0, (1.0 - KNEE) / np.maximum(1.0 - knee, 1e-6), 0.0)


def fit_curves(values: FloatArray, grades: FloatArray, names: tuple[str, ...]) -> Curves:
    """Curves from values (n, E) before calibration of graded faces; grades (n, C), NaN where not known."""
    scale, offset = np.ones(len(names)), np.zeros(len(names))
    for index, (added, subtracted) in enumerate(COLUMNS.values()):
        places = [names.index(name) for name in (*added, *subtracted)]
        known = np.isfinite(grades[:, index])
        clear = np.count_nonzero(grades[known, index] >= _CLEAR_GRADES[0])
        if subtracted or clear < _FEWEST_CLEAR:  # the sides of a difference are left as they are, too
            continue
        scale[places], offset[places] = _best(values[known][:, places], grades[known, index])
    return Curves(scale, offset)


def _best(values: FloatArray, grades: FloatArray) -> tuple[float, float]:
    """Scale and offset of the column whose mean is taken over values (n, k)."""
    tried = [(scale, -scale * taken) for scale in _SCALES for taken in _OFFSETS]

    def cost(curve: tuple[float, float]) -> float:
        read = Curves(np.array(curve[0]), np.array(curve[1]))(values)
        return _cost(read.mean(axis=1), grades)

    return min(tried, key=cost)


def _cost(read: FloatArray, grades: FloatArray) -> float:
    """Small where absence reads near 0, strong movements near 1, and the correlation is high."""
    cost = 10.0 * max(0.0, float(read[grades == 0].mean()) - _MOST_AT_REST) if (grades == 0).any() else 0.0
    strong = grades >= STRONG
    middle = (grades >= _CLEAR_GRADES[0]) & (grades < _CLEAR_GRADES[1])
    if strong.sum() >= _FEWEST:
        cost += abs(_AT_STRONG - float(read[strong].mean()))
    elif middle.sum() >= _FEWEST:
        cost += abs(_TWO_THIRDS - float(read[middle].mean()))
    return cost - 4.0 * (pearson(grades, read) or 0.0)
