"""The linear part of the fusion: a ridge regression from points, head and fit to grades.

A linear model cannot overfit to the textures of generated portraits, and its errors differ from those of the networks:
the mean of both is more accurate on photographs than either. On rendered faces the networks alone are more accurate.
An additional column of the regression distinguishes rendered faces from portraits and sets the weight of the linear
part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray
from face_expr_ros.training.expression.graded.faces import Faces
from face_expr_ros.training.expression.graded.loss import STRONGEST, columns_of
from face_expr_ros.training.expression.samples import whitening_basis

SHARE = 0.5  # weight of the linear part in the columns of grades, on a portrait without appearance
APPEARANCE_SHARE, NETWORK_SHARE = 0.2, 0.5  # of the appearance part and the grade networks, with appearance
# Outputs of the additional column: almost always below RENDERED on rendered faces, above PORTRAIT on portraits.
RENDERED, PORTRAIT = 0.2, 0.5


@dataclass(frozen=True)
class LinearPart:
    """Grades as fractions of the strongest grade, and 1 for a portrait or 0 for a rendered face:
    ``features @ a + fit @ b + head @ c + state @ d + constant``.

    Attributes:
        features: (FEATURES, C + 1), fit: (E, C + 1), head: (E, C + 1), state: (S, C + 1) and constant: (C + 1,).
    """

    features: FloatArray
    fit: FloatArray
    head: FloatArray
    state: FloatArray
    constant: FloatArray

    def __call__(self, faces: Faces) -> FloatArray:
        """(N, C + 1)."""
        return np.asarray(
            faces.features @ self.features
            + faces.fit @ self.fit
            + faces.head @ self.head
            + faces.state @ self.state
            + self.constant
        )


def fit_linear(faces: Faces, rendered: Faces, copies: int, strength: float) -> LinearPart:
    """Fit the regression on graded faces; rendered faces are used only for the portrait column.

    Args:
        copies: number of copies of each portrait; together they have the weight of one.
        strength: of the regularization, for standardized inputs.
    """
    basis = whitening_basis(faces.features[::2]).astype(np.float64)
    parts = [_inputs(faces, basis), _inputs(rendered, basis)]
    seen, sizes = np.concatenate(parts), [len(part) for part in parts]
    middle, spread = parts[0].mean(axis=0), parts[0].std(axis=0) + 1e-6
    grades = np.full((len(seen), faces.truth.shape[1] + 1), np.nan)
    grades[: sizes[0], :-1], grades[:, -1] = faces.truth / STRONGEST, np.repeat([1.0, 0.0], sizes)
    counts = np.repeat([1.0 / copies, sizes[0] / copies / sizes[1]], sizes)  # the same total weight for both
    weights, constant = _ridge((seen - middle) / spread, grades, counts, strength)
    weights = weights / spread[:, None]
    ends = np.cumsum([basis.shape[1], faces.fit.shape[1], faces.head.shape[1]])
    points, fit, head, state = np.split(weights, ends)
    return LinearPart(basis @ points, fit, head, state, constant - middle @ weights)


def _inputs(faces: Faces, basis: FloatArray) -> FloatArray:
    return np.concatenate([faces.features @ basis, faces.fit, faces.head, faces.state], axis=1).astype(np.float64)


def _ridge(seen: FloatArray, grades: FloatArray, counts: FloatArray, strength: float) -> tuple[FloatArray, FloatArray]:
    """Weights (K, C) and constants (C,); each column is fitted on the faces with a known grade."""
    weights, constant = np.zeros((seen.shape[1], grades.shape[1])), np.zeros(grades.shape[1])
    for column in range(grades.shape[1]):
        known = np.isfinite(grades[:, column])
        if not known.any():
            continue
        x, y, count = seen[known], grades[known, column].astype(np.float64), counts[known, None]
        middle, constant[column] = np.average(x, axis=0, weights=count[:, 0]), np.average(y, weights=count[:, 0])
        x = x - middle
        matrix = (count * x).T @ x + strength * np.eye(x.shape[1])
        weights[:, column] = solve(matrix, (count * x).T @ (y - constant[column]), assume_a="pos")
        constant[column] -= middle @ weights[:, column]
    return weights, constant


def shares_of(names: tuple[str, ...]) -> FloatArray:
    """(C, E) change of each blendshape per change of its column; equal on both sides, which keeps their difference."""
    shares = np.sign(columns_of(names)).T.astype(np.float64)
    signed = np.array([bool(subtracted) for _, subtracted in COLUMNS.values()])
    shares[signed] /= 2
    return shares


def blended(
    values: FloatArray,
    linear: FloatArray,
    names: tuple[str, ...],
    seen: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Blendshapes (N, E) of the networks, blended with other estimates.

    Args:
        linear: (N, C + 1) estimates of `LinearPart`.
        seen: (N, C) estimates of `AppearancePart` and of the grade networks, which replace those of `LinearPart`; None
            if the landmark backend gives no appearance.
    """
    portrait = np.clip((linear[:, -1:] - RENDERED) / (PORTRAIT - RENDERED), 0.0, 1.0)
    read = values @ columns_of(names)
    if seen is None:
        moved = SHARE * (linear[:, :-1] - read)
    else:
        moved = APPEARANCE_SHARE * (seen[0] - read) + NETWORK_SHARE * (seen[1] - read)
    return np.asarray(values + portrait * (moved @ shares_of(names)), np.float64)
