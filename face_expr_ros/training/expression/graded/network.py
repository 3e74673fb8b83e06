"""The fusion network in PyTorch: inputs are a face's points, its patches and two estimates of its blendshapes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face_expr_ros.perception.expression.patches import PARTS
from face_expr_ros.training.expression.network import EYE_COUNT, PartNetwork, encoded_patches

CHANNELS = (16, 32, 64, 96)
WIDTH = 48  # features per face part
POINTS, ESTIMATES, HIDDEN = 128, 48, 256
VIEW = 3  # the last features: the direction to the viewer
_OPEN = 1.5  # initial logit of the head's gate: a weight of about 0.8


class FusionNetwork(nn.Module):
    """Uncalibrated blendshapes: the head's estimate, weighted by a learned gate, plus a learned correction.

    Args:
        mean: (FEATURES,) mean of the features.
        basis: (FEATURES, K) whitening basis of the features.
        blendshapes: number of blendshapes.
        dropout: probability of dropping single features in training.
        branch_dropout: probability of dropping all features of a face part in training; lower for the points and the
            estimates. Without it, the network overfits to textures that occur only in generated portraits.
    """

    def __init__(
        self,
        mean: torch.Tensor,
        basis: torch.Tensor,
        blendshapes: int,
        dropout: float = 0.0,
        branch_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        parts = len(PARTS) - EYE_COUNT + 1
        self.parts = nn.ModuleList([PartNetwork(WIDTH, CHANNELS) for _ in range(parts)])
        self.points = nn.Linear(basis.shape[1], POINTS)
        self.even = nn.BatchNorm1d(POINTS)
        self.estimates = nn.Linear(2 * blendshapes, ESTIMATES)
        self.mix = nn.Linear(len(PARTS) * WIDTH + POINTS + ESTIMATES, HIDDEN)
        self.trunk = nn.Linear(HIDDEN + VIEW + 2 * blendshapes, HIDDEN)
        self.added = nn.Linear(HIDDEN, blendshapes)
        self.gate = nn.Linear(HIDDEN, blendshapes)
        self.dropout = nn.Dropout(dropout)
        sizes = [POINTS, *[WIDTH] * len(PARTS), ESTIMATES]
        chances = [0.4 * branch_dropout, *[branch_dropout] * len(PARTS), 0.6 * branch_dropout]
        self._sizes, self._chances = sizes, torch.tensor(chances)
        nn.init.normal_(self.added.weight, std=0.01)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, _OPEN)

    def forward(
        self, features: torch.Tensor, patches: torch.Tensor, fit: torch.Tensor, head: torch.Tensor
    ) -> torch.Tensor:
        """(n, blendshapes) of features (n, FEATURES), patches (n, P, SIDE, SIDE) in gray levels, and estimates
        (n, blendshapes)."""
        estimates = torch.cat([fit, head], dim=1)
        points = self.even(self.points((features - self.mean) @ self.basis))
        seen = torch.cat([points, *encoded_patches(self.parts, patches), self.estimates(estimates)], dim=1)
        seen = functional.relu(self._without_branches(seen))
        mixed = self.dropout(functional.relu(self.mix(self.dropout(seen))))
        told = functional.relu(self.trunk(torch.cat([mixed, features[:, -VIEW:], estimates], dim=1)))
        answer: torch.Tensor = self.added(told) + torch.sigmoid(self.gate(told)) * head
        return answer

    def _without_branches(self, seen: torch.Tensor) -> torch.Tensor:
        """Features (n, S) with some branches dropped and the others scaled up; in training only."""
        if not self.training:
            return seen
        kept = (torch.rand(len(seen), len(self._sizes)) >= self._chances) / (1.0 - self._chances)
        return seen * torch.repeat_interleave(kept, torch.tensor(self._sizes), dim=1)
