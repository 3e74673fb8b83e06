"""What counts as an error of the fusion: grades on portraits, exact blendshapes on rendered faces."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from face_expr_ros.core.portrait_score import CLEAR, COLUMNS
from face_expr_ros.training.expression.graded.faces import Faces, Floats

STRONGEST = 3.0  # the grade that reads as 1
_LEAST_VARIANCE = 0.003
_DOUBTFUL = 0.6  # what grades below a clear one count
_OF_COLUMN = {"stretch": 0.1, "cheekPuff": 0.0, "mouthSide": 0.1, "gazeH": 0.5}
_UNTAUGHT = ("cheekSquint", "jawForward", "cheekPuff", "tongueOut")  # neither the fit nor MediaPipe sees them
_TAUGHT_TOO = ("eyeLook",)  # grades say how the eyes look, the teacher which of them
_BEYOND = 2.0


def columns_of(names: tuple[str, ...]) -> Floats:
    """(E, C) by which blendshapes are multiplied to give what corresponds to each column of grades."""
    weights = np.zeros((len(names), len(COLUMNS)), np.float32)
    for index, (added, subtracted) in enumerate(COLUMNS.values()):
        for name in added:
            weights[names.index(name), index] += 1 / len(added)
        for name in subtracted:
            weights[names.index(name), index] -= 1 / len(subtracted)
    return weights


def grade_weights(faces: Faces) -> Floats:
    """(N, C) what each grade counts: in parts of its column's variance, doubtful ones less, unknown ones nothing."""
    known = np.isfinite(faces.truth)
    grade = np.abs(np.nan_to_num(faces.truth))
    sure = np.where((grade > 0) & (grade < CLEAR), _DOUBTFUL, 1.0) * known * faces.weight[:, None]
    of_column = np.array([_OF_COLUMN.get(column, 1.0) for column in COLUMNS])
    spread = np.nanvar(faces.truth / STRONGEST, axis=0) + _LEAST_VARIANCE
    return np.asarray(sure * of_column / spread, np.float32)


def pairs_of(names: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The blendshapes whose sides grades do not tell apart: left ones, and the right ones in the same order."""
    stems = [
        name.removesuffix("Left")
        for name in names
        if name.endswith("Left") and not name.startswith(("eyeLook", "eyeBlink", "jaw")) and name != "mouthLeft"
    ]
    left, right = ([names.index(stem + side) for stem in stems] for side in ("Left", "Right"))
    return np.array(left), np.array(right)


class PortraitLoss:
    """Of blendshapes (n, E) on portraits: squared errors of the columns of grades, of what only the teacher tells, of
    the difference between the sides, and of what lies outside 0..1."""

    def __init__(self, faces: Faces, names: tuple[str, ...], teacher_weight: float, asymmetry_weight: float) -> None:
        columns = columns_of(names)
        graded = np.abs(columns).sum(axis=1) > 0
        taught = np.array(
            [
                (not told or name.startswith(_TAUGHT_TOO)) and not name.startswith(_UNTAUGHT)
                for name, told in zip(names, graded, strict=True)
            ]
        )
        spread = faces.teacher.var(axis=0) + 0.01
        self._columns = torch.from_numpy(columns)
        self._taught = torch.from_numpy((0.3 * taught / spread).astype(np.float32))
        self._left, self._right = pairs_of(names)
        self._teacher_weight, self._asymmetry_weight = teacher_weight, asymmetry_weight

    def __call__(self, shown: torch.Tensor, grades: Floats, weights: Floats, teacher: Floats) -> torch.Tensor:
        """One number; grades and their weights (n, C), the teacher's blendshapes (n, E)."""
        told, sure = torch.from_numpy(np.nan_to_num(grades) / STRONGEST), torch.from_numpy(weights)
        taught = torch.from_numpy(teacher)
        graded = (sure * (shown @ self._columns - told) ** 2).mean()
        ungraded = (self._taught * (shown - taught) ** 2).mean()
        sides = ((shown - taught)[:, self._left] - (shown - taught)[:, self._right]).square().mean()
        return graded + self._teacher_weight * ungraded + self._asymmetry_weight * sides + out_of_range(shown)


class RenderLoss:
    """Of blendshapes (n, E) on rendered faces: squared errors in parts of each blendshape's variance."""

    def __init__(self, faces: Faces) -> None:
        spread = np.nanvar(faces.truth, axis=0) + _LEAST_VARIANCE
        self._weights = torch.from_numpy((1 / spread).astype(np.float32))

    def __call__(self, shown: torch.Tensor, truth: Floats) -> torch.Tensor:
        """One number; what is not known (NaN) counts nothing."""
        known = torch.from_numpy(np.isfinite(truth))
        errors = self._weights * known * (shown - torch.from_numpy(np.nan_to_num(truth))) ** 2
        return errors.mean() + out_of_range(shown)


def out_of_range(shown: torch.Tensor) -> torch.Tensor:
    """What lies outside 0..1, squared."""
    return _BEYOND * (functional.relu(-shown) ** 2 + functional.relu(shown - 1.0) ** 2).mean()
