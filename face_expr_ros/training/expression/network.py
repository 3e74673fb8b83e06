"""The network that is trained: each part of a face is looked at by a small convolutional network, landmarks by a linear
layer; what both see is the state of the face, and an MLP compares it with the state of the same face at rest. What can
be read from landmarks by a line alone goes past the MLP, which adds the rest.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face_expr_ros.expression.patches import SIDE

EYES = 2  # the first parts, which one network looks at: the left is stored mirrored
# Channels of each part's network, and how many numbers say what it sees. Half of all blendshapes are in the mouth.
_SMALL, _LARGE = ((16, 24, 40, 64), 48), ((24, 40, 64, 96), 96)
_NETWORKS = {"eye": _SMALL, "mouth": _LARGE, "nose": _SMALL, "face": _SMALL}
_LANDMARKS = 128
_HIDDEN = (256, 192)
DARK = 64.0  # variance of gray levels below which a patch is mere noise: contrast is not raised to full


class PartNetwork(nn.Module):
    """(n, 1, SIDE, SIDE) gray levels -> (n, width): contrast made even, then depthwise separable convolutions
    (Howard et al., 2017)."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.width = width
        first, *others = channels
        layers: list[nn.Module] = [nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first)]
        layers.append(nn.ReLU())
        for given, wanted in zip(channels, others, strict=False):
            layers += [
                nn.Conv2d(given, given, 3, stride=2, padding=1, groups=given, bias=False),
                nn.BatchNorm2d(given),
                nn.Conv2d(given, wanted, 1, bias=False),
                nn.BatchNorm2d(wanted),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * (SIDE // 16) ** 2, width))
        self.even = nn.BatchNorm1d(width)

    def forward(self, gray: torch.Tensor) -> torch.Tensor:
        """What is seen."""
        answer: torch.Tensor = self.even(self.layers(functional.instance_norm(gray, eps=DARK)))
        return answer


class HeadNetwork(nn.Module):
    """The expression head.

    Args:
        mean: (FEATURES,) of the features.
        basis: (FEATURES, K) what makes the rest of them even: landmarks move together, and the least of their joint
            movements may say the most.
        blendshapes: how many.
    """

    def __init__(self, mean: torch.Tensor, basis: torch.Tensor, blendshapes: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        self.parts = nn.ModuleList([PartNetwork(*shape) for shape in _NETWORKS.values()])
        self.landmarks = nn.Linear(basis.shape[1], _LANDMARKS)
        self.even = nn.BatchNorm1d(_LANDMARKS)
        seen = _LANDMARKS + sum(part.width for part in self.parts) + (EYES - 1) * self.parts[0].width
        self.mix = nn.Linear(seen, seen)
        self.state_size = seen + basis.shape[1]
        self.line = nn.Linear(2 * basis.shape[1], blendshapes)
        self.trunk = nn.Sequential(
            nn.Linear(3 * self.state_size + 4, _HIDDEN[0]),
            nn.ReLU(),
            nn.Linear(_HIDDEN[0], _HIDDEN[1]),
            nn.ReLU(),
            nn.Linear(_HIDDEN[1], blendshapes),
        )
        for layer in self.trunk:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.normal_(self.trunk[-1].weight, std=0.01)

    def state(self, features: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """(n, state_size) of features (n, FEATURES) and patches (n, P, SIDE, SIDE) in gray levels."""
        line = (features - self.mean) @ self.basis
        points = self.even(self.landmarks(line))
        eyes = self.parts[0](patches[:, :EYES].reshape(-1, 1, SIDE, SIDE)).reshape(len(patches), -1)
        others = [part(patches[:, k : k + 1]) for k, part in enumerate(self.parts[1:], EYES)]
        seen = functional.relu(torch.cat([points, eyes, *others], dim=1))
        return torch.cat([self.mix(seen), line], dim=1)

    def forward(self, state: torch.Tensor, view: torch.Tensor, rest: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(n, blendshapes) of states, the view direction (n, 3), and rests (n, state_size) where ``known`` (n, 1)
        is 1; elsewhere 0."""
        difference = known * (state - rest)
        told = torch.cat([state, known * rest, difference, known, view], dim=1)
        lines = torch.cat([state[:, -self.basis.shape[1] :], difference[:, -self.basis.shape[1] :]], dim=1)
        answer: torch.Tensor = self.trunk(told) + self.line(lines)
        return answer

    def begin_with(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Start from a linear regression on the even features alone: weight (blendshapes, K), bias (blendshapes,)."""
        with torch.no_grad():
            self.line.weight.zero_()
            self.line.weight[:, : weight.shape[1]] = weight
            self.line.bias.copy_(bias)
