"""The fusion network that is trained: what is seen of a face's points and patches, beside two estimates."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face_expr_ros.perception.expression.patches import PARTS, SIDE
from face_expr_ros.training.expression.network import EYE_COUNT, MIN_CONTRAST_VARIANCE

CHANNELS = (16, 32, 64, 96)
WIDTH = 48  # numbers that say what is seen of a part
POINTS, ESTIMATES, HIDDEN = 128, 48, 256
VIEW = 3  # the last features: the direction to the viewer
_OPEN = 1.5  # logit of the head's gate at first: it counts by four fifths


class PartNetwork(nn.Module):
    """(n, 1, SIDE, SIDE) gray levels -> (n, WIDTH): contrast made even, then depthwise separable convolutions."""

    def __init__(self) -> None:
        super().__init__()
        first, *others = CHANNELS
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first)]
        layers.append(nn.ReLU())
        for given, wanted in zip(CHANNELS, others, strict=False):
            layers += [
                nn.Conv2d(given, given, 3, stride=2, padding=1, groups=given, bias=False),
                nn.BatchNorm2d(given),
                nn.Conv2d(given, wanted, 1, bias=False),
                nn.BatchNorm2d(wanted),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * (SIDE // 16) ** 2, WIDTH))
        self.even = nn.BatchNorm1d(WIDTH)

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """What is seen."""
        answer: torch.Tensor = self.even(self.layers(functional.instance_norm(gray, eps=MIN_CONTRAST_VARIANCE)))
        return answer


class FusionNetwork(nn.Module):
    """Blendshapes before calibration: a gate's share of the head's, and what the rest of the network adds.

    Args:
        mean: (FEATURES,) of the features.
        basis: (FEATURES, K) principal directions that make the rest of them even.
        blendshapes: how many.
        dropout: of single numbers of what is seen, while training.
        branch_dropout: how often all that is seen of a part is missing, while training; of the points and estimates
            less often. Without it, the network would trust textures that only generated portraits have.
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
        self.parts = nn.ModuleList([PartNetwork() for _ in range(parts)])
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
        eyes = self.parts[0](patches[:, :EYE_COUNT].reshape(-1, 1, SIDE, SIDE)).reshape(len(patches), -1)
        others = [part(patches[:, k : k + 1]) for k, part in enumerate(self.parts[1:], EYE_COUNT)]
        seen = torch.cat([points, eyes, *others, self.estimates(estimates)], dim=1)
        seen = functional.relu(self._without_branches(seen))
        mixed = self.dropout(functional.relu(self.mix(self.dropout(seen))))
        told = functional.relu(self.trunk(torch.cat([mixed, features[:, -VIEW:], estimates], dim=1)))
        answer: torch.Tensor = self.added(told) + torch.sigmoid(self.gate(told)) * head
        return answer

    def _without_branches(self, seen: torch.Tensor) -> torch.Tensor:
        """What is seen (n, S) with some branches left out, the others larger for it; only while training."""
        if not self.training:
            return seen
        kept = (torch.rand(len(seen), len(self._sizes)) >= self._chances) / (1.0 - self._chances)
        return seen * torch.repeat_interleave(kept, torch.tensor(self._sizes), dim=1)
