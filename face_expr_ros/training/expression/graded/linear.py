"""The linear part of the fusion: a ridge regression from points, head and fit to grades.

A straight line cannot learn the textures of generated portraits by heart, and its errors differ from a network's: the
mean of both reads photographs better than either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve

from face_expr_ros.core.types import FloatArray
from face_expr_ros.evaluation.portraits.score import COLUMNS
from face_expr_ros.training.expression.graded.faces import Faces
from face_expr_ros.training.expression.graded.loss import STRONGEST, columns_of
from face_expr_ros.training.expression.samples import even_basis

SHARE = 0.5  # of the linear part in the columns of grades


@dataclass(frozen=True)
class LinearPart:
    """Grades in parts of the strongest: ``features @ a + fit @ b + head @ c + state @ d + constant``.

    Attributes:
        features: (FEATURES, C), fit: (E, C), head: (E, C), state: (S, C) and constant: (C,).
    """

    features: FloatArray
    fit: FloatArray
    head: FloatArray
    state: FloatArray
    constant: FloatArray

    def __call__(self, faces: Faces) -> FloatArray:
        """(N, C)."""
        return np.asarray(
            faces.features @ self.features
            + faces.fit @ self.fit
            + faces.head @ self.head
            + faces.state @ self.state
            + self.constant
        )


def fit_linear(faces: Faces, copies: int, strength: float) -> LinearPart:
    """A regression on graded faces.

    Args:
        copies: of each portrait; together they count as one.
        strength: of the ridge, for standardized inputs.
    """
    basis = even_basis(faces.features[::2]).astype(np.float64)
    parts = [faces.features @ basis, faces.fit, faces.head, faces.state]
    seen = np.concatenate(parts, axis=1).astype(np.float64)
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    weights, constant = _ridge((seen - middle) / spread, faces.truth / STRONGEST, copies, strength)
    weights = weights / spread[:, None]
    points, fit, head, state = np.split(weights, np.cumsum([part.shape[1] for part in parts])[:-1])
    return LinearPart(basis @ points, fit, head, state, constant - middle @ weights)


def _ridge(seen: FloatArray, grades: FloatArray, copies: int, strength: float) -> tuple[FloatArray, FloatArray]:
    """Weights (K, C) and constants (C,); each column from the faces whose grade is known."""
    weights, constant = np.zeros((seen.shape[1], grades.shape[1])), np.zeros(grades.shape[1])
    for column in range(grades.shape[1]):
        known = np.isfinite(grades[:, column])
        if not known.any():
            continue
        x, y = seen[known], grades[known, column].astype(np.float64)
        constant[column] = y.mean()
        matrix = x.T @ x / copies + strength * np.eye(x.shape[1])
        weights[:, column] = solve(matrix, x.T @ (y - constant[column]) / copies, assume_a="pos")
    return weights, constant


def shares_of(names: tuple[str, ...]) -> FloatArray:
    """(C, E) by how much a blendshape rises when its column does: both sides alike, so that their difference stays."""
    shares = np.sign(columns_of(names)).T.astype(np.float64)
    signed = np.array([bool(subtracted) for _, subtracted in COLUMNS.values()])
    shares[signed] /= 2
    return shares


def blended(values: FloatArray, linear: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Blendshapes (N, E) of the networks, moved towards what the linear part (N, C) says of their columns."""
    moved = linear - values @ columns_of(names)
    return np.asarray(values + SHARE * moved @ shares_of(names), np.float64)
