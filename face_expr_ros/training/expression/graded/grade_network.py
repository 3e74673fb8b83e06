"""The grade network of the fusion: grades from FaceMesh's hidden features, its points, head and fit.

A small multilayer perceptron on inputs that are already descriptive. Unlike the networks on patches, it sees no
pixels, cannot overfit to the look of generated portraits, and reads brows and squints more accurately.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.types import FloatArray
from face_expr_ros.perception.landmarks.facemesh import COARSE_APPEARANCE
from face_expr_ros.training.expression.graded.faces import Faces, Floats
from face_expr_ros.training.expression.graded.loss import STRONGEST
from face_expr_ros.training.expression.samples import whitening_basis

_COMPONENTS = 200  # principal components of the appearance
_HIDDEN = 192
_INPUT_DROPOUT, _DROPOUT, _NOISE = 0.4, 0.5, 0.15
_BATCH, _RATE, _DECAY, _WARMUP = 256, 3e-3, 0.1, 0.1
_MIN_VARIANCE = 0.003
_UNCOUNTED = ("cheekPuff",)


@dataclass(frozen=True)
class Scaling:
    """Standardization of the inputs: ``appearance @ projection + offset``, and ``(others - mean) / spread``.

    Attributes:
        projection: (COARSE_APPEARANCE, 200). offset: (200,).
        basis: (FEATURES, K) whitening basis of the points.
        mean, spread: (K + 2 E + S,) of whitened points, fit, head and state.
    """

    projection: Floats
    offset: Floats
    basis: Floats
    mean: Floats
    spread: Floats

    def __call__(self, faces: Faces) -> torch.Tensor:
        """(N, 200 + K + 2 E + S) inputs of the network."""
        seen = faces.appearance[:, :COARSE_APPEARANCE].astype(np.float32) @ self.projection + self.offset
        others = (_others(faces, self.basis) - self.mean) / self.spread
        return torch.from_numpy(np.concatenate([seen, others], axis=1).astype(np.float32))


def fit_scaling(faces: Faces) -> Scaling:
    """Scaling for one copy of each portrait; components of large variance are reduced to the root of their spread."""
    seen = faces.appearance[:, :COARSE_APPEARANCE].astype(np.float32)
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-3 * seen.std() + 1e-6
    seen = (seen - middle) / spread
    values, vectors = np.linalg.eigh(seen @ seen.T)
    order = np.argsort(values)[::-1][:_COMPONENTS]
    order = order[values[order] > 1e-6 * values.max()]
    projection = seen.T @ (vectors[:, order] / np.sqrt(values[order]))
    projection /= np.sqrt((seen @ projection).std(axis=0))
    projection /= (seen @ projection).std()
    basis = whitening_basis(faces.features)
    others = _others(faces, basis)
    projection = (projection / spread[:, None]).astype(np.float32)
    return Scaling(projection, -(middle @ projection), basis, others.mean(axis=0), others.std(axis=0) + 1e-6)


class GradeNetwork(nn.Module):
    """(n, inputs) scaled inputs -> (n, C) grades as fractions of the strongest grade."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, _HIDDEN)
        self.second = nn.Linear(_HIDDEN, len(COLUMNS))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Grades; with dropout and noise in training."""
        if self.training:
            seen = nn.functional.dropout(seen + _NOISE * torch.randn(seen.shape), _INPUT_DROPOUT)
        hidden = nn.functional.dropout(torch.relu(self.first(seen)), _DROPOUT, self.training)
        answer: torch.Tensor = self.second(hidden)
        return answer


def train_grades(faces: Faces, scaling: Scaling, steps: int, seed: int) -> GradeNetwork:
    """Train a network on graded faces; errors are divided by the variance of their column, unknown grades ignored."""
    torch.manual_seed(seed)
    seen, grades = scaling(faces), torch.from_numpy(faces.truth / STRONGEST)
    known = torch.isfinite(grades)
    grades, weights = torch.nan_to_num(grades), torch.from_numpy(faces.weight)[:, None] * known * _column_weights(faces)
    network = GradeNetwork(seen.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps, pct_start=_WARMUP)
    for _ in range(steps):
        chosen = torch.randint(0, len(seen), (_BATCH,))
        loss = (weights[chosen] * (network(seen[chosen]) - grades[chosen]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def read_grades_of(networks: list[GradeNetwork], scaling: Scaling, faces: Faces) -> FloatArray:
    """(N, C) mean of the networks."""
    seen = scaling(faces)
    return np.asarray(np.mean([network(seen).numpy() for network in networks], axis=0), np.float64)


def _column_weights(faces: Faces) -> torch.Tensor:
    """(C,) float32."""
    counted = np.array([column not in _UNCOUNTED for column in COLUMNS])
    grades = np.where(np.isfinite(faces.truth), faces.truth, 0.0) / STRONGEST
    return torch.from_numpy((counted / (grades.var(axis=0) + _MIN_VARIANCE)).astype(np.float32))


def _others(faces: Faces, basis: Floats) -> Floats:
    return np.concatenate([faces.features @ basis, faces.fit, faces.head, faces.state], axis=1).astype(np.float32)
