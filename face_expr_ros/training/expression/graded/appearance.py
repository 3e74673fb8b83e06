"""The appearance part of the fusion: a ridge regression from FaceMesh's hidden features to grades.

FaceMesh has seen many more real faces than there are graded portraits. Its hidden features describe lids, lips, teeth
and skin in a form that transfers to photographs; a linear regression on them needs few faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.landmarks.facemesh import appearance_of_eye
from face_expr_ros.training.expression.graded.faces import Faces, Floats
from face_expr_ros.training.expression.graded.loss import STRONGEST

_MAX_FACES = 4000  # more make the regression slow and hardly more accurate
_LIDS = "blinkR", "blinkL"  # of the right eye, which is the first, and of the left one
_MIN_SPREAD = 1e-3  # relative to the standard deviation of all features


@dataclass(frozen=True)
class AppearancePart:
    """Grades as fractions of the strongest grade: ``appearance @ weights + constant``.

    Attributes:
        weights: (APPEARANCE, C). constant: (C,).
    """

    weights: Floats
    constant: Floats

    def __call__(self, faces: Faces) -> FloatArray:
        """(N, C)."""
        return np.asarray(faces.appearance.astype(np.float32) @ self.weights + self.constant, np.float64)


def fit_appearance(faces: Faces, strength: float, seed: int = 0) -> AppearancePart:
    """Fit the regression on graded faces; unknown grades count as the mean.

    The lids of an eye are read from the features of that eye alone: in graded portraits both eyes are nearly always
    alike, and a regression from all features would read a wink as two half closed eyes.

    Args:
        strength: of the regularization, for standardized features, with each portrait counted once.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(faces.group))[:_MAX_FACES])
    seen, grades = faces.appearance[chosen].astype(np.float32), faces.truth[chosen] / STRONGEST
    middle, spread = seen.mean(axis=0), seen.std(axis=0)
    spread += _MIN_SPREAD * seen.std() + 1e-6
    seen = (seen - middle) / spread
    known = np.isfinite(grades)
    mean = np.where(known, grades, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    strength *= len(chosen) / len(np.unique(faces.group[chosen]))
    changes = np.where(known, grades - mean, 0.0).astype(np.float32)
    weights = _ridge(seen, changes, strength)
    for side, column in enumerate(_LIDS):
        eye, place = appearance_of_eye(side), list(COLUMNS).index(column)
        weights[:, place] = 0.0
        weights[eye, place] = _ridge(seen[:, eye], changes[:, [place]], strength * len(eye) / len(weights))[:, 0]
    weights /= spread[:, None]
    return AppearancePart(weights.astype(np.float32), (mean - middle @ weights).astype(np.float32))


def _ridge(seen: Floats, changes: Floats, strength: float) -> Floats:
    """(K, C) weights for inputs (n, K) and targets (n, C) with the mean 0."""
    matrix = seen @ seen.T
    matrix[np.diag_indices_from(matrix)] += strength
    return np.asarray(seen.T @ cho_solve(cho_factor(matrix, lower=True, overwrite_a=True), changes), np.float32)
