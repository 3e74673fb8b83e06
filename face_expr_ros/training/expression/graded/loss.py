"""Loss functions of the fusion: on grades for portraits, on exact blendshapes for rendered faces."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from face_expr_ros.core.portrait_score import CLEAR, COLUMNS
from face_expr_ros.training.expression.graded.faces import Faces, Floats

STRONGEST = 3.0  # the grade that reads as 1
_MIN_VARIANCE = 0.003
_DOUBTFUL = 0.6  # weight of grades between absent and clear
_OF_COLUMN = {"stretch": 0.1, "cheekPuff": 0.0, "mouthSide": 0.3, "gazeH": 0.5}
_UNTAUGHT = ("cheekSquint", "jawForward", "cheekPuff", "tongueOut")  # estimated neither by the fit nor by MediaPipe
_TAUGHT_TOO = ("eyeLook",)  # grades give the gaze direction, the teacher the individual eyes
_BEYOND = 2.0


def columns_of(names: tuple[str, ...]) -> Floats:
    """(E, C) matrix from blendshapes to the columns of grades."""
    weights = np.zeros((len(names), len(COLUMNS)), np.float32)
    for index, (added, subtracted) in enumerate(COLUMNS.values()):
        for name in added:
            weights[names.index(name), index] += 1 / len(added)
        for name in subtracted:
            weights[names.index(name), index] -= 1 / len(subtracted)
    return weights


class GradeWeights:
    """Weights of grades: divided by the column's variance in ``faces``, lower if doubtful, 0 if unknown."""

    def __init__(self, faces: Faces) -> None:
        of_column = np.array([_OF_COLUMN.get(column, 1.0) for column in COLUMNS])
        self._of_column = of_column / (np.nanvar(faces.truth / STRONGEST, axis=0) + _MIN_VARIANCE)

    def __call__(self, faces: Faces) -> Floats:
        """(N, C) weights."""
        known = np.isfinite(faces.truth)
        grade = np.abs(np.nan_to_num(faces.truth))
        sure = np.where((grade > 0) & (grade < CLEAR), _DOUBTFUL, 1.0) * known * faces.weight[:, None]
        return np.asarray(sure * self._of_column, np.float32)


def pairs_of(names: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the left blendshapes whose grades do not distinguish sides, and of their right counterparts."""
    stems = [
        name.removesuffix("Left")
        for name in names
        if name.endswith("Left") and not name.startswith(("eyeLook", "eyeBlink", "jaw")) and name != "mouthLeft"
    ]
    left, right = ([names.index(stem + side) for stem in stems] for side in ("Left", "Right"))
    return np.array(left), np.array(right)


class PortraitLoss:
    """Loss of blendshapes (n, E) on portraits.

    The weighted sum of the squared errors of the columns of grades, of the blendshapes that only the teacher covers,
    and of the left-right differences, and of a penalty on values outside 0..1.
    """

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
        """Scalar loss; grades and their weights (n, C), the teacher's blendshapes (n, E)."""
        told, sure = torch.from_numpy(np.nan_to_num(grades) / STRONGEST), torch.from_numpy(weights)
        taught = torch.from_numpy(teacher)
        graded = (sure * (shown @ self._columns - told) ** 2).mean()
        ungraded = (self._taught * (shown - taught) ** 2).mean()
        sides = ((shown - taught)[:, self._left] - (shown - taught)[:, self._right]).square().mean()
        return graded + self._teacher_weight * ungraded + self._asymmetry_weight * sides + out_of_range(shown)


class RenderLoss:
    """Loss of blendshapes (n, E) on rendered faces: squared errors divided by each blendshape's variance."""

    def __init__(self, faces: Faces) -> None:
        spread = np.nanvar(faces.truth, axis=0) + _MIN_VARIANCE
        self._weights = torch.from_numpy((1 / spread).astype(np.float32))

    def __call__(self, shown: torch.Tensor, truth: Floats) -> torch.Tensor:
        """Scalar loss; unknown values (NaN) are ignored."""
        known = torch.from_numpy(np.isfinite(truth))
        errors = self._weights * known * (shown - torch.from_numpy(np.nan_to_num(truth))) ** 2
        return errors.mean() + out_of_range(shown)


def out_of_range(shown: torch.Tensor) -> torch.Tensor:
    """Squared penalty on values outside 0..1."""
    return _BEYOND * (functional.relu(-shown) ** 2 + functional.relu(shown - 1.0) ** 2).mean()
