"""The linear part of the fusion: a ridge regression from points, head and fit to grades.

A straight line cannot learn the textures of generated portraits by heart, and its errors differ from a network's: the
mean of both reads photographs better than either. On rendered faces, whose blendshapes the networks know exactly, it
would only be in the way: another column of the regression tells them from portraits, and the share follows it.
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

SHARE = 0.5  # of the linear part in the columns of grades, on a portrait
# What the regression says of rendered faces at most, and of portraits at least, nearly always.
RENDERED, PORTRAIT = 0.2, 0.5


@dataclass(frozen=True)
class LinearPart:
    """Grades in parts of the strongest, and 1 for a portrait and 0 for a rendered face:
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
    """A regression on graded faces; rendered ones are there to be told from them.

    Args:
        copies: of each portrait; together they count as one.
        strength: of the ridge, for standardized inputs.
    """
    basis = whitening_basis(faces.features[::2]).astype(np.float64)
    parts = [_inputs(faces, basis), _inputs(rendered, basis)]
    seen, sizes = np.concatenate(parts), [len(part) for part in parts]
    middle, spread = parts[0].mean(axis=0), parts[0].std(axis=0) + 1e-6
    grades = np.full((len(seen), faces.truth.shape[1] + 1), np.nan)
    grades[: sizes[0], :-1], grades[:, -1] = faces.truth / STRONGEST, np.repeat([1.0, 0.0], sizes)
    counts = np.repeat([1.0 / copies, sizes[0] / copies / sizes[1]], sizes)  # as many of both
    weights, constant = _ridge((seen - middle) / spread, grades, counts, strength)
    weights = weights / spread[:, None]
    ends = np.cumsum([basis.shape[1], faces.fit.shape[1], faces.head.shape[1]])
    points, fit, head, state = np.split(weights, ends)
    return LinearPart(basis @ points, fit, head, state, constant - middle @ weights)


def _inputs(faces: Faces, basis: FloatArray) -> FloatArray:
    return np.concatenate([faces.features @ basis, faces.fit, faces.head, faces.state], axis=1).astype(np.float64)


def _ridge(seen: FloatArray, grades: FloatArray, counts: FloatArray, strength: float) -> tuple[FloatArray, FloatArray]:
    """Weights (K, C) and constants (C,); each column from the faces whose grade is known."""
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
    """(C, E) by how much a blendshape rises when its column does: both sides alike, so that their difference stays."""
    shares = np.sign(columns_of(names)).T.astype(np.float64)
    signed = np.array([bool(subtracted) for _, subtracted in COLUMNS.values()])
    shares[signed] /= 2
    return shares


def blended(values: FloatArray, linear: FloatArray, names: tuple[str, ...]) -> FloatArray:
    """Blendshapes (N, E) of the networks, moved towards what the linear part (N, C + 1) says of their columns."""
    moved = linear[:, :-1] - values @ columns_of(names)
    share = SHARE * np.clip((linear[:, -1:] - RENDERED) / (PORTRAIT - RENDERED), 0.0, 1.0)
    return np.asarray(values + share * (moved @ shares_of(names)), np.float64)
