"""Training loss of TDDFA networks: positions of model points and errors of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from face_expr_ros.training.tddfa.points import LearnedPoints

_POSE = 12
_TZ = 11  # index of t_z, which a weak-perspective image does not determine
_IBUG_WEIGHT = 3.0  # of the 68 iBUG points relative to the other points
_DEPTH_WEIGHT = 0.5
_WEIGHTS = {"points": 1.0, "pose": 0.5, "shape": 0.2, "expression": 1.0, "face": 0.5}


@dataclass(frozen=True)
class Targets:
    """Targets of a batch: parameters (N, 12 + I + E), points (N, P, 2) pixels, face (N,) 0 or 1."""

    parameters: torch.Tensor
    points: torch.Tensor
    face: torch.Tensor


class Loss:
    """The terms of the loss, for network outputs normalized to zero mean and unit deviation.

    Args:
        learned: the supervised points.
        shape_count: number of shape coefficients.
        mean, std: (12 + I + E,) mean and standard deviation of the parameters.
        size: width and height of the crops, pixels.
    """

    def __init__(
        self, learned: LearnedPoints, shape_count: int, mean: torch.Tensor, std: torch.Tensor, size: int
    ) -> None:
        self._mean, self._std, self._size = mean, std, size
        self._expression = _POSE + shape_count
        self._points = torch.from_numpy(learned.mean)
        self._basis = torch.from_numpy(learned.basis.reshape(len(learned.basis), -1))
        weights = torch.ones(len(learned.mean))
        weights[:68] = _IBUG_WEIGHT
        self._weights = weights / weights.sum()

    def parts(self, output: torch.Tensor, truth: Targets) -> dict[str, torch.Tensor]:
        """Each term as a scalar: points in percent of the crop's side, parameters in standard deviations."""
        target = (truth.parameters - self._mean) / self._std
        predicted = output[:, :-1]
        error = functional.smooth_l1_loss(predicted, target, reduction="none", beta=0.5)
        return {
            "points": _mean_over_faces(self._point_error(predicted * self._std + self._mean, truth), truth.face),
            "pose": _mean_over_faces(error[:, :_TZ].mean(dim=1), truth.face),
            "shape": _mean_over_faces(error[:, _POSE : self._expression].mean(dim=1), truth.face),
            "expression": _mean_over_faces(error[:, self._expression :].mean(dim=1), truth.face),
            "face": functional.binary_cross_entropy_with_logits(output[:, -1], truth.face),
        }

    def _point_error(self, parameters: torch.Tensor, truth: Targets) -> torch.Tensor:
        """(N,) weighted mean error of the points, depth included, in percent of the crop's side."""
        projected = self._project(parameters)
        true_depth = self._project(truth.parameters)[..., 2]
        pixels = torch.stack([projected[..., 0] - 1, self._size - projected[..., 1]], dim=-1)
        distance = torch.linalg.vector_norm(pixels - truth.points + 1e-6, dim=-1)
        depth = (projected[..., 2] - true_depth).abs()
        return ((distance + _DEPTH_WEIGHT * depth) @ self._weights) * (100 / self._size)

    def _project(self, parameters: torch.Tensor) -> torch.Tensor:
        """(N, P, 3) points of the model in TDDFA's crop coordinates."""
        model = self._points + (parameters[:, _POSE:] @ self._basis).view(len(parameters), -1, 3)
        matrix = parameters[:, :_POSE].view(-1, 3, 4)
        return model @ matrix[:, :, :3].transpose(1, 2) + matrix[:, None, :, 3]


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weighted sum of the terms, which training minimizes."""
    return torch.stack([_WEIGHTS[name] * value for name, value in parts.items()]).sum()


def _mean_over_faces(values: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """The mean of values (N,) over the samples that show a face."""
    return (values * face).sum() / face.sum().clamp(min=1)
